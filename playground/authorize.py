"""Where browsers are sent to sign in: Discord's page of consent, and the exchange of codes for tokens."""

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from playground.api import BASE, Api
from playground.consent import Ask, Consents, Denied
from playground.faults import Broken, Cut
from playground.page import HEADERS, guarded

PATH = "/oauth2/authorize"
FORM = "application/x-www-form-urlencoded"
WORDS = {"identify": "Know your name and your picture"}

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Local playground</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/consent.css">
</head>
<body>
<main>
<p class="brand"><b>Local playground</b> <small>not Discord: all on this machine</small></p>
{body}
</main>
</body>
</html>
"""


def add(app: web.Application, api: Api) -> None:
    """Adds the page of consent and the token's address."""
    site = Authorize(api)
    app.router.add_get(PATH, guarded(site.page))
    app.router.add_post(PATH, guarded(site.decide))
    app.router.add_post(f"{BASE}/oauth2/token", site.token)


class Authorize:
    """The stand-in's half of OAuth2."""

    def __init__(self, api: Api) -> None:
        self.api = api

    @property
    def consents(self) -> Consents:
        return self.api.world.consents

    async def page(self, request: web.Request) -> web.StreamResponse:
        """Asks the person; what is wrong in a way that the application is to hear goes back to it."""
        try:
            ask = self.consents.asked(request.query)
        except Denied as denied:
            return _html("Error", f"<h1>Error</h1><p>{escape(denied.about)}</p>", "", 400)
        if why := self.consents.wrong(request.query, ask):
            raise web.HTTPFound(self.consents.refused(ask, why))
        return _html("Authorize", self._question(ask, request.query), _origin(ask.redirect))

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """The person pressed one of the two buttons."""
        try:
            ask = self.consents.asked(request.query)
        except Denied as denied:
            return _html("Error", f"<h1>Error</h1><p>{escape(denied.about)}</p>", "", 400)
        form = await request.post()
        people = {str(one.id): one.id for one in self.api.world.users.values() if not one.bot}
        user_id = people.get(str(form.get("person")))
        if self.consents.wrong(request.query, ask) or user_id is None:
            raise web.HTTPBadRequest
        yes = form.get("deed") == "authorize"
        there = self.consents.agreed(ask, user_id) if yes else self.consents.refused(ask)
        raise web.HTTPFound(there)

    def _question(self, ask: Ask, query: Mapping[str, str]) -> str:
        world = self.api.world
        bot = escape(world.users[world.bot_id].username)
        wants = "".join(f"<li>{escape(WORDS[one])}</li>" for one in ask.scopes)
        people = "".join(
            f'<label><input type="radio" name="person" value="{one.id}" required> '
            f"{escape(one.global_name or one.username)}</label>"
            for one in world.users.values()
            if not one.bot
        )
        return (
            f"<h1>{bot} wants to access your account</h1>"
            f'<form method="post" action="{PATH}?{escape(urlencode(dict(query)))}">'
            f"<fieldset><legend>You are</legend>{people}</fieldset>"
            f"<p>This lets {bot}:</p><ul>{wants}</ul>"
            f"<p><small>Then you go on to {escape(_origin(ask.redirect))}.</small></p>"
            '<p class="deeds"><button name="deed" value="cancel" formnovalidate>Cancel</button>'
            '<button name="deed" value="authorize" class="yes">Authorize</button></p></form>'
        )

    async def token(self, request: web.Request) -> web.StreamResponse:
        """RFC 6749, 4.1.3, with the client's secret in the form or by Basic; a form, never JSON."""
        path, api = "/oauth2/token", self.api
        try:
            struck = await api.faults.strike("POST", path, "before")
            form = {key: str(value) for key, value in (await request.post()).items()}
            if request.content_type != FORM:
                raise Denied("invalid_request", f"The body must be {FORM}.")
            body, status = self.consents.exchange(form, _basic(request.headers.get("Authorization", ""))), 200
        except Denied as denied:
            body, status, struck = denied.body(), denied.status, False
        except Broken as broken:
            body, status, struck = {"message": f"{broken.status}: injected"}, broken.status, True
        except Cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        text = f"POST {path} → {status} {body.get('error', '')}"
        api.journal.add("request", text, status=status, path=path, injected=struck)
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return web.Response(status=status, body=json.dumps(body).encode(), headers=headers)


def _basic(header: str) -> tuple[str, str] | None:
    """Name and password of HTTP's Basic, where they were sent so."""
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, password = b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, password


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _html(title: str, body: str, then: str, status: int = 200) -> web.Response:
    """The page; its form may lead to the application's own address, and nowhere else."""
    policy = HEADERS["Content-Security-Policy"].replace("form-action 'none'", f"form-action 'self' {then}")
    headers = {**HEADERS, "Content-Security-Policy": policy, "Cache-Control": "no-store"}
    # The browser names this page as the origin of the form, which `guarded` wants to see.
    headers["Referrer-Policy"] = "same-origin"
    text = PAGE.format(title=escape(title), body=body)
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)
