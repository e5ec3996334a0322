"""One request to the HTTP API, from its headers to its answer: limits, faults, routes, judge, journal."""

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import parse_content_disposition, web

from playground.draft import Body
from playground.faults import Broken, Cut, Faults
from playground.gateway import Gateway
from playground.journal import Journal
from playground.judge import Judge
from playground.limits import Limits, Verdict
from playground.records import Json
from playground.refusal import Form, Refusal
from playground.world import World

BASE = "/api/v10"
Answer = Json | list[Json] | None


@dataclass
class Call:
    """A request, read: its path's ids, its query, its body."""

    params: dict[str, str]
    query: dict[str, str]
    body: Body
    # The person for whom an application asks by their token; None where the bot asks for itself.
    user_id: int | None = None

    def id(self, name: str) -> int:
        """A snowflake of the path; 50035 where it is none."""
        return snowflake(self.params[name], name)

    @property
    def json(self) -> Any:
        return self.body.json


Handler = Callable[["Api", Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """One line of the API's table. rule: its rate limit. major: the parameters that the limit is kept by.
    scope: what a person's own token must be good for, where it may stand in the place of the bot's.
    """

    method: str
    path: str
    handler: Handler
    rule: str = "other"
    major: tuple[str, ...] = ("channel_id",)
    open: bool = False
    status: int = 200
    scope: str = ""


@dataclass
class Api:
    """What the handlers work with."""

    world: World
    gateway: Gateway
    limits: Limits = field(default_factory=Limits)
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)
    judge: Judge | None = None
    # The most bytes of a whole request.
    request_limit: int = 100 << 20

    def handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self.answer(route, request)

        return handle

    async def answer(self, route: Route, request: web.Request) -> web.StreamResponse:
        exchange = Exchange(self, route, request)
        try:
            return await exchange.run()
        except Cut:
            exchange.note(0, "cut", injected=True)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        except Exception:
            # A fault of the stand-in itself: it must fail the test that met it, not look like Discord's.
            self.journal.add("unlawful", f"{request.method} {route.path}: {traceback.format_exc()}")
            raise


class Exchange:
    """One request on one route."""

    def __init__(self, api: Api, route: Route, request: web.Request) -> None:
        self.api, self.route, self.request = api, route, request
        self.path = request.path.removeprefix(BASE)
        self.call: Call | None = None
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._headers: dict[str, str] = {}
        self._struck = False

    async def run(self) -> web.Response:
        banned = self.api.limits.banned(self.api.world.clock())
        if banned:
            return self._banned(banned)
        verdict = self._count()
        self._headers = {**verdict.headers, "Via": "1.1 playground"}
        try:
            call = self.call = await self._read()
            if not verdict.passes:
                return self._limited(verdict)
            if not self.route.open:
                self._authorize(call)
            method, faults = self.request.method, self.api.faults
            self._struck |= await faults.strike(method, self.path, "before")
            body = await self.route.handler(self.api, call)
            self._struck |= await faults.strike(method, self.path, "after")
        except Refusal as refusal:
            return self._send(refusal.status, refusal.body(), refusal.code)
        except Broken as broken:
            self._struck = True
            return self._send(broken.status, {"message": f"{broken.status}: injected", "code": 0})
        return self._send(204 if body is None else self.route.status, body)

    def _count(self) -> Verdict:
        place = "+".join(self.request.match_info.get(one, "") for one in self.route.major)
        exempt = self.route.path.startswith(("/interactions/", "/webhooks/"))
        rule = self.route.rule if self.route.rule != "other" else f"{self.route.method} {self.route.path}"
        return self.api.limits.take(rule, place, self.api.world.clock(), exempt=exempt)

    def _authorize(self, call: Call) -> None:
        world, given = self.api.world, self.request.headers.get("Authorization", "")
        if given == f"Bot {world.token}":
            return
        kind, _, token = given.partition(" ")
        if kind == "Bearer" and self.route.scope:
            call.user_id = world.consents.bearer(token, self.route.scope)
        if call.user_id is None:
            raise Refusal(0)

    async def _read(self) -> Call:
        head = b""
        if self.api.faults.any("during") and self.request.can_read_body:
            head = await self.request.content.readany()
            self._struck = await self.api.faults.strike(self.request.method, self.path, "during")
        try:
            data = head + await self.request.read()
        except web.HTTPRequestEntityTooLarge:
            raise Refusal(40005) from None
        kind = self.request.headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            body = multipart(data, kind)
        else:
            body = Body(_json(data) if data else {})
        return Call(dict(self.request.match_info), dict(self.request.query), body)

    def _limited(self, verdict: Verdict) -> web.Response:
        wait = round(verdict.retry_after, 3)
        words = "You are being rate limited."
        body = {"message": words, "code": 0, "retry_after": wait, "global": verdict.is_global}
        self._headers["Retry-After"] = str(max(1, round(wait)))
        if verdict.is_global:
            self._headers["X-RateLimit-Global"] = "true"
        self._struck |= verdict.injected
        return self._send(429, body)

    def _send(self, status: int, body: Answer, code: int = 0) -> web.Response:
        judge = self.api.judge
        if judge is not None and not self._struck and status != 501:
            for wrong in judge.wrongs(self.route, self.call.json if self.call else None, status, body):
                self.api.journal.add("unlawful", f"{self.request.method} {self.route.path}: {wrong}")
        if status in (401, 403, 429) and self._headers.get("X-RateLimit-Scope") != "shared":
            self.api.limits.note_invalid(self.api.world.clock())
        self.note(status, json.dumps(body)[:300] if status >= 400 else "", code, injected=self._struck)
        if body is None:
            return web.Response(status=204, headers=self._headers)
        data = json.dumps(body).encode()
        return web.Response(
            status=status, body=data, headers={**self._headers, "Content-Type": "application/json"}
        )

    def _banned(self, seconds: float) -> web.Response:
        """What stands before Discord answers itself: no JSON, and no `Via`."""
        self.note(429, "the address is banned")
        return web.Response(status=429, text="error code: 1015", headers={"Retry-After": f"{seconds:.0f}"})

    def note(self, status: int, text: str, code: int = 0, *, injected: bool = False) -> None:
        spent = (self._loop.time() - self._began) * 1000
        line = f"{self.request.method} {self.path} → {status} in {spent:.0f} ms {text}"
        self.api.journal.add("request", line, status=status, code=code, path=self.path, injected=injected)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise Refusal(50109) from None


def multipart(data: bytes, kind: str) -> Body:
    """The `payload_json` and the `files[N]` of a form."""
    boundary = kind.partition("boundary=")[2].strip('"')
    body = Body({})
    for part in data.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        fields = {key.lower(): value for key, value in fields.items()}
        _, notes = parse_content_disposition(fields.get("content-disposition"))
        name = notes.get("name", "")
        if name == "payload_json":
            body.json = _json(content.removesuffix(b"\r\n"))
        elif name.startswith("files[") and name[6:-1].isdigit():
            body.files[int(name[6:-1])] = (notes.get("filename", "unknown"), content.removesuffix(b"\r\n"))
    return body


def snowflake(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        form = Form()
        form.wrong((name,), "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
        form.check()
    return int(text)
