"""The gallery's address: the page, what it asks for, people's files; to its own host and origin only."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from bot.gallery.door import BACK, Door, Shut, Silent
from bot.gallery.hall import KEPT, MINE, PUBLIC, Hall, Look
from bot.gallery.links import Links
from commands.replies import file_name
from commands.replies import gallery as words
from gen.errors import Misconfigured, NotFound, ZoetropeError
from gen.job import Job

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
FILES = {
    "gallery.css": "text/css",
    "gallery.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
#: Bytes of a request, which is never more than a word or two.
MOST = 4096
#: Characters of a search.
SEARCH = 100
JOB = "{id:[0-9a-z-]{1,64}}"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # What was deleted, or is no longer one's to see, is not to be had from a cache either.
    "Cache-Control": "private, no-cache",
}
HOLE = re.compile(r"\{\{(\w+)\}\}")

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """Answers everyone who may ask."""

    def __init__(self, base: str, door: Door, hall: Hall, links: Links) -> None:
        self.base = base
        self.door = door
        self.hall = hall
        self.links = links

    def application(self) -> web.Application:
        """All addresses, guarded."""
        app = web.Application(middlewares=[self._guard()], client_max_size=MOST)
        for path in ("/", "/mine", "/kept", "/public", f"/clip/{JOB}"):
            app.router.add_get(path, self.page)
        for name in FILES:
            app.router.add_get(f"/static/{name}", self.static)
        app.router.add_get("/sign-in", self.enter)
        app.router.add_get(BACK, self.back)
        app.router.add_post("/sign-out", self.leave)
        app.router.add_get("/api/clips", self.clips)
        app.router.add_get(f"/api/clips/{JOB}", self.clip)
        app.router.add_post(f"/api/clips/{JOB}/keep", self.keep)
        app.router.add_get(f"/clips/{JOB}.mp4", self.file)
        app.router.add_get(f"/clips/{JOB}.jpg", self.poster)
        app.router.add_get(f"/full/{JOB}.mp4", self.full)
        return app

    def _guard(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        host = urlsplit(self.base).netloc

        @web.middleware
        async def guard(request: web.Request, handler: Answer) -> web.StreamResponse:
            try:
                self._admit(request, host)
                response = await handler(request)
            except web.HTTPException as error:
                response = error
            except NotFound:
                response = _said(404, words.page(_locale(request))["gone"])
            except ZoetropeError as error:
                log.warning("the gallery could not answer: %s", error)
                response = _said(503, words.page(_locale(request))["lost"])
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            if isinstance(response, web.HTTPException):
                raise response
            return response

        return guard

    def _admit(self, request: web.Request, host: str) -> None:
        """Raises HTTPForbidden for another host's name, and for what another site's page sends."""
        origin = request.headers.get("Origin")
        changes = request.method not in ("GET", "HEAD")
        told = changes or origin is not None
        if request.host.lower() != host or (told and origin != self.base):
            raise web.HTTPForbidden(text=words.foreign(_locale(request)))

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page, in the browser's language; what hangs in it comes by `clips`."""
        locale = _locale(request)
        visitor = self.door.who(request)
        said = words.page(locale)
        values: Mapping[str, str] = {
            **said,
            "lang": locale,
            "words": json.dumps(said, ensure_ascii=False),
            "who": words.greeting(locale, visitor.name) if visitor else "",
            "in": "yes" if visitor else "no",
        }
        text = (STATIC / "index.html").read_text("utf-8")
        filled = HOLE.sub(lambda hole: escape(values[hole[1]]), text)
        headers = {"Content-Language": locale, "Vary": "Accept-Language, Cookie"}
        return web.Response(text=filled, content_type="text/html", headers=headers)

    async def static(self, request: web.Request) -> web.StreamResponse:
        """One of the page's own files."""
        name = request.path.rpartition("/")[2]
        return web.FileResponse(STATIC / name, headers={"Content-Type": f"{FILES[name]}; charset=utf-8"})

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Sends the browser to Discord."""
        return self.door.begin()

    async def back(self, request: web.Request) -> web.StreamResponse:
        """The browser comes from Discord."""
        try:
            return await self.door.back(request)
        except Shut as why:
            log.info("nobody was signed in: %s", why)
            return self._plain(request, 403, words.shut(_locale(request)))
        except Silent as why:
            log.warning("nobody can sign in to the gallery: %s", why)
            return self._plain(request, 502, words.silent(_locale(request)))

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """Signs out."""
        return self.door.leave()

    async def clips(self, request: web.Request) -> web.StreamResponse:
        """A page of a list."""
        query = request.query
        wanted = query.get("list", PUBLIC)
        if wanted not in (MINE, KEPT, PUBLIC):
            raise NotFound("There is no clip {id} here.", id=wanted[:40])
        look = Look(wanted, query.get("words", "")[:SEARCH], query.get("after", ""))
        return _json(await self.hall.page(look, self.door.who(request), _locale(request)))

    async def clip(self, request: web.Request) -> web.StreamResponse:
        """All about one clip."""
        return _json(await self.hall.clip(_id(request), self.door.who(request), _locale(request)))

    async def keep(self, request: web.Request) -> web.StreamResponse:
        """Puts a clip that one may see among one's favourites, or takes it away: `{"on": true}`."""
        visitor = self.door.who(request)
        job = await self.hall.find(_id(request), visitor)
        try:
            wanted = json.loads(await request.text())["on"]
        except (ValueError, KeyError, TypeError) as error:
            raise web.HTTPBadRequest from error
        if visitor is None or not isinstance(wanted, bool):
            raise web.HTTPBadRequest
        return _json({"kept": await self.hall.keep(visitor, job, wanted)})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A clip, for whoever may see it."""
        return self._film(await self.hall.find(_id(request), self.door.who(request)))

    async def poster(self, request: web.Request) -> web.StreamResponse:
        """A clip's small picture, for whoever may see the clip."""
        job = await self.hall.find(_id(request), self.door.who(request))
        if (path := await self.hall.thumbnail(job)) is None:
            raise NotFound("There is no clip {id} here.", id=job.id)
        return web.FileResponse(path, headers={"Content-Type": "image/jpeg"})

    async def full(self, request: web.Request) -> web.StreamResponse:
        """A clip, for whoever has a link to it."""
        query = request.query
        if self.links.good(_id(request), query.get("until", ""), query.get("seal", "")):
            job = await self.hall.gallery.find(_id(request))
            if job is not None and self.hall.file(job):
                return self._film(job)
        return self._plain(request, 404, words.expired(_locale(request)))

    def _film(self, job: Job) -> web.StreamResponse:
        """The file, whole or in ranges (RFC 9110, 14.2). Raises NotFound when it is no longer kept."""
        path = self.hall.file(job)
        if path is None:
            raise NotFound("There is no clip {id} here.", id=job.id)
        disposition = f'inline; filename="{file_name(job)}"'
        return web.FileResponse(
            path, headers={"Content-Type": "video/mp4", "Content-Disposition": disposition}
        )

    def _plain(self, request: web.Request, status: int, text: str) -> web.Response:
        """One sentence, and the way to the clips."""
        locale = _locale(request)
        values = {"lang": locale, "text": text, "title": words.page(locale)["title"]}
        page = (STATIC / "said.html").read_text("utf-8")
        filled = HOLE.sub(lambda hole: escape(values[hole[1]]), page)
        return web.Response(text=filled, content_type="text/html", status=status)


@asynccontextmanager
async def served(site: Site, host: str, port: int) -> AsyncIterator[None]:
    """Answers while the block runs. Raises Misconfigured."""
    runner = web.AppRunner(site.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise Misconfigured(
                "config.toml: gallery.port is {port}, which cannot be opened: {fault}.",
                port=port,
                fault=error.strerror or str(error),
            ) from error
        log.info("the gallery is open at %s", site.base)
        yield
    finally:
        await runner.cleanup()


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _locale(request: web.Request) -> str:
    return words.language(request.headers.get("Accept-Language", ""))


def _json(value: object) -> web.Response:
    text = json.dumps(value, ensure_ascii=False)
    return web.Response(text=text, content_type="application/json")


def _said(status: int, message: str) -> web.Response:
    text = json.dumps({"message": message}, ensure_ascii=False)
    return web.Response(text=text, content_type="application/json", status=status)
