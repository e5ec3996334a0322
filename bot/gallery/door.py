"""The door: who comes in by Discord's OAuth2, and who is in by a sealed cookie."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from bot.gallery.seals import Seals
from bot.settings import Discord

log = logging.getLogger(__name__)

#: Seconds for which one is signed in, and within which signing in is done.
STAYS = 7 * 86_400
ENTERS = 600
#: Seconds that Discord may take for each answer.
PATIENCE = 10.0
#: Codes that are shown to Discord in a minute: too many that are none would shut it to the whole bot.
CODES, MINUTE = 60, 60.0
BACK = "/sign-in/back"
#: All that is asked of Discord: who it is.
SCOPE = "identify"


class Shut(Exception):
    """Signing in came to nothing."""


class Silent(Exception):
    """Discord did not answer as it should."""


@dataclass(frozen=True)
class Visitor:
    """Someone who is signed in."""

    id: int
    name: str


class Door:
    """Signs people in and out. Nothing is kept here: the cookies are sealed, and Discord's token is used once
    and forgotten."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        discord: Discord,
        seals: Seals,
        *,
        base: str,
        client_id: Callable[[], int],
        secret: str,
    ) -> None:
        self.session = session
        self.discord = discord
        self.seals = seals
        self.base = base
        self.client_id = client_id
        self._secret = secret
        self._shown: deque[float] = deque(maxlen=CODES)  # when codes were shown, the latest last
        self.safe = base.startswith("https:")
        # The browser itself holds such a name to be of this host alone, and only sent when safe.
        self.pass_, self.errand = (f"{'__Host-' if self.safe else ''}zoetrope-{one}" for one in ("in", "way"))

    def who(self, request: web.Request) -> Visitor | None:
        """Who asks, if they are signed in."""
        text = self.seals.open("in", request.cookies.get(self.pass_, ""))
        if text is None:
            return None
        known = json.loads(text)
        return Visitor(int(known["id"]), str(known["name"]))

    def begin(self) -> web.Response:
        """Sends a browser to Discord. Its cookie has a nonce, of which `state` (RFC 6749, 10.12) and PKCE's
        verifier (RFC 7636) are made by our key: whoever knows one of them knows nothing of the other."""
        nonce = secrets.token_urlsafe(24)
        challenge = urlsafe_b64encode(hashlib.sha256(self._verifier(nonce).encode()).digest())
        query = {
            "response_type": "code",
            "client_id": str(self.client_id()),
            "scope": SCOPE,
            "state": self._state(nonce),
            "redirect_uri": self.base + BACK,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        response = web.Response(
            status=302, headers={"Location": f"{self.discord.authorize}?{urlencode(query)}"}
        )
        self._give(response, self.errand, self.seals.seal("way", nonce, ENTERS), ENTERS)
        return response

    async def back(self, request: web.Request) -> web.Response:
        """Discord sent the browser back. Raises Shut, Silent."""
        nonce = self.seals.open("way", request.cookies.get(self.errand, ""))
        state = request.query.get("state", "").encode("utf-8", "replace")
        if nonce is None or not hmac.compare_digest(state, self._state(nonce).encode()):
            raise Shut("the state is not this browser's")
        code = request.query.get("code")
        if not code:
            raise Shut(f"Discord said {request.query.get('error', 'nothing')[:40]!r}")
        now = self.seals.now()
        if len(self._shown) == CODES and now - self._shown[0] < MINUTE:
            raise Silent(f"{CODES} signed in within a minute, or tried to")
        self._shown.append(now)
        try:
            visitor = await self._ask(code, self._verifier(nonce))
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise Silent(f"{type(error).__name__}") from error
        response = web.Response(status=303, headers={"Location": "/mine"})
        known = json.dumps({"id": str(visitor.id), "name": visitor.name})
        self._give(response, self.pass_, self.seals.seal("in", known, STAYS), STAYS)
        response.del_cookie(self.errand, path="/", secure=self.safe, httponly=True, samesite="Lax")
        return response

    def leave(self) -> web.Response:
        """Signs out."""
        response = web.Response(status=204)
        response.del_cookie(self.pass_, path="/", secure=self.safe, httponly=True, samesite="Lax")
        return response

    async def _ask(self, code: str, verifier: str) -> Visitor:
        """Whose code it is: the code for a token, the token for a name."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.base + BACK,
            "code_verifier": verifier,
        }
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        us = {"Authorization": aiohttp.encode_basic_auth(str(self.client_id()), self._secret)}
        address = f"{self.discord.api}/oauth2/token"
        async with self.session.post(address, data=form, headers=us, timeout=timeout) as answer:
            given = await self._read(answer)
        token = {"Authorization": f"{given['token_type']} {given['access_token']}"}
        me = f"{self.discord.api}/users/@me"
        async with self.session.get(me, headers=token, timeout=timeout) as answer:
            person = await self._read(answer)
        return Visitor(int(person["id"]), str(person.get("global_name") or person["username"]))

    async def _read(self, answer: aiohttp.ClientResponse) -> Any:
        """The answer's JSON. Raises Shut for a code that Discord does not take, ClientError for the rest."""
        if answer.status == 400:
            raise Shut("Discord does not take the code")
        if answer.status == 401:
            log.error("Discord does not accept DISCORD_CLIENT_SECRET for the gallery's client")
        answer.raise_for_status()
        return await answer.json(content_type=None)

    def _state(self, nonce: str) -> str:
        return self.seals.mark("state", nonce)

    def _verifier(self, nonce: str) -> str:
        return self.seals.mark("verifier", nonce)

    def _give(self, response: web.Response, name: str, value: str, lives: int) -> None:
        """A cookie that no script reads and no other site's form sends."""
        response.set_cookie(
            name, value, max_age=lives, path="/", secure=self.safe, httponly=True, samesite="Lax"
        )
