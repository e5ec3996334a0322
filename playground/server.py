"""The stand-in as a whole: world, API, gateway, files and page on one address, in a thread of its own."""

import asyncio
import concurrent.futures
import re
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from aiohttp import web

from playground import authorize, cdn, page, places
from playground.api import BASE, Api
from playground.gateway import Gateway
from playground.home import AtHome, at_home
from playground.journal import Expectation, Journal
from playground.judge import find as find_description
from playground.judge import judge as judge_by
from playground.person import Person
from playground.records import Channel, Guild, User
from playground.rest import ROUTES
from playground.store import Store
from playground.world import World

P = ParamSpec("P")
T = TypeVar("T")
HOST = "127.0.0.1"
LOOPBACK = ("127.0.0.1", "localhost")
TAIL = 200


class Playground(AtHome):
    """A local Discord for one bot.

        async with Playground() as place:      # its own thread and loop; verified at the end
            ...                                # point the bot at place.api, place.gateway, place.cdn
            deed = await place.person("Ada").slash(place.channel("clips"), "animate", {"prompt": "a cat"})
            message = await deed.message()

    data: a folder that keeps the world over restarts; None forgets it. port 0 takes a free one.
    judge: hold every request and answer against Discord's OpenAPI description, if it is at hand
    (`ZOETROPE_OPENAPI` names the file; else it is looked for beside the repository).
    verify: at the end of `async with`, raise for what went wrong unseen (see `verify`).
    clock: seconds since 1970, for ids and for the expiry of links. request_limit: bytes of a whole request
    (one file's limit is its guild's `file_limit`).
    """

    def __init__(
        self, data: Path | None = None, *, host: str = HOST, port: int = 0, judge: bool = True,
        verify: bool = True, clock: Callable[[], float] = time.time, request_limit: int = 100 << 20,
    ) -> None:  # fmt: skip
        if host not in LOOPBACK:
            raise ValueError(f"A playground listens on this machine only ({HOST}), not on {host}.")
        self.host, self.port = HOST, port
        self.store = Store(data)
        self.world = World(self.store, clock)
        places.found(self.world)
        self._before = frozenset(self.world.interactions)
        self.journal = Journal(stir=self.world.stir)
        self.socket = Gateway(self.world, self.journal)
        description = find_description() if judge else None
        self._api = Api(self.world, self.socket, journal=self.journal)
        self._api.request_limit = request_limit
        self._api.judge = judge_by(description) if description else None
        self.faults, self.limits = self._api.faults, self._api.limits
        self._verify = verify
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None

    # Where it is

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{self.host}:{self.port}"

    @property
    def api(self) -> str:
        return f"{self.url}{BASE}"

    @property
    def gateway(self) -> str:
        return f"ws://{self.host}:{self.port}/gateway"

    @property
    def cdn(self) -> str:
        return f"{self.url}{cdn.BASE}"

    @property
    def token(self) -> str:
        return self.world.token

    @property
    def judged(self) -> bool:
        """Whether Discord's description is at hand and held against everything."""
        return self._api.judge is not None

    @property
    def environ(self) -> dict[str, str]:
        """What the bot's process needs in its environment to come here."""
        return {
            "DISCORD_TOKEN": self.token,
            "DISCORD_CLIENT_SECRET": self.world.consents.secret,
            "ZOETROPE_DISCORD_API": self.api,
            "ZOETROPE_DISCORD_GATEWAY": self.gateway,
            "ZOETROPE_DISCORD_CDN": self.cdn,
        }

    # Who and what is there

    def person(self, name: str) -> Person:
        """Ada (the guild's owner), Ben, Cyd (Japanese), or Mod (a moderator)."""
        return Person(self.world, self.world.user_named(name).id)

    def user(self, name: str) -> User:
        return self.world.user_named(name)

    @property
    def guild(self) -> Guild:
        """The first guild."""
        return next(iter(self.world.guilds.values()))

    def channel(self, name: str) -> int:
        """The id of the guild channel or thread of this name; "clips" and "quiet" are there at first."""
        return self.place(name).id

    def place(self, name: str) -> Channel:
        return next(one for one in self.world.channels.values() if one.name == name)

    # Starting and stopping

    def start(self) -> None:
        """Serves from a thread of its own; returns when it does."""
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="playground", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except OSError:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Ends the thread and lets go of the folder."""
        if self._thread is not None and self._stop is not None and self.world.loop is not None:
            self.world.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self.world.loop = None
        self.store.close()

    def _run(self, ready: "concurrent.futures.Future[None]") -> None:
        asyncio.run(self.serve(lambda: ready.set_result(None), ready.set_exception))

    async def serve(
        self, ready: Callable[[], None], failed: Callable[[BaseException], None] | None = None
    ) -> None:
        """Serves on the running loop until `stop`; calls `ready` once the port is open."""
        self.world.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await self._open(runner)
        except OSError as error:
            await runner.cleanup()
            if failed is None:
                raise
            failed(error)
            return
        self.world.asked.resume()
        ready()
        try:
            await self._stop.wait()
        finally:
            self.world.asked.close()
            await self.socket.stop()
            await runner.cleanup()

    async def _open(self, runner: web.AppRunner) -> None:
        site = web.TCPSite(runner, self.host, self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self.socket.url = self.gateway
        self.world.links.base = self.cdn
        self.world.consents.issuer = self.url

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=self._api.request_limit, middlewares=[self._guard()])
        for route in ROUTES:
            path = BASE + re.sub(r"\{(\w+_id)\}", r"{\1:\\d+}", route.path)
            app.router.add_route(route.method, path, self._api.handler(route))
        authorize.add(app, self._api)
        app.router.add_route("*", "/api/{rest:.*}", self._unknown)
        app.router.add_get("/gateway", self.socket.connect)
        app.router.add_get("/gateway/", self.socket.connect)
        folder = "{folder:attachments|ephemeral-attachments}"
        app.router.add_get(f"{cdn.BASE}/{folder}/{{channel}}/{{id}}/{{name}}", self._file)
        page.add(app, self.world)
        return app

    def _guard(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        @web.middleware
        async def guard(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            hosts = {f"{name}:{self.port}" for name in LOOPBACK}
            origin = request.headers.get("Origin")
            if request.headers.get("Host") not in hosts:
                raise web.HTTPForbidden(text="This playground answers to its own address only.")
            if origin is not None and origin.removeprefix("http://") not in hosts:
                raise web.HTTPForbidden(text="This playground answers to its own page only.")
            return await handler(request)

        return guard

    async def _unknown(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix(BASE)
        self.journal.add("request", f"{request.method} {path} → 501 no such route", status=501, path=path)
        body = {"message": f"The playground has no {request.method} {path}", "code": 0}
        return web.json_response(body, status=501)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return await cdn.serve(self._api, request)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                error.add_note("What the playground saw, at last:\n" + self.tail())
            elif self._verify:
                await self.verify()
        finally:
            await asyncio.to_thread(self.stop)

    # For tests

    async def do(self, change: Callable[Concatenate[World, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `change(world, …)` where the world lives: `await place.do(places.remove_channel, channel)`."""
        return await self._there(partial(change, self.world, *args, **kwargs))

    @at_home
    async def _there(self, call: Callable[[], T]) -> T:
        return call()

    @at_home
    async def until(self, predicate: Callable[[], T], timeout: float = 40.0) -> T:
        """Waits until `predicate()` is true, and gives what it gave; woken by every change, never by a clock.

        `predicate` runs in the playground's thread: it looks at the world, the journal, the sessions.
        """
        try:
            return await self.world.until(predicate, timeout)
        except TimeoutError:
            raise AssertionError(f"Not within {timeout} s.\n{self.tail()}") from None

    async def ready(self, sessions: int = 1, timeout: float = 40.0) -> None:
        """Waits until that many sessions of the bot are connected."""
        await self.until(
            lambda: sum(one.line is not None for one in self.socket.sessions.values()) >= sessions, timeout
        )

    def expect(self, code: int, path: str = "*") -> Expectation:
        """A refusal that this test means to see: Discord's code, or the HTTP status; `path` is a glob."""
        return self.journal.expect(code, path)

    @at_home
    async def verify(self) -> None:
        """AssertionError for what must not stay unseen: refusals (4xx) that nobody expected, unknown routes,
        requests and answers that Discord's description forbids, interactions without an answer."""
        wrongs = self.journal.wrongs()
        if not self.journal.unanswered_expected:
            wrongs += [
                f"{one.data.get('name') or one.data.get('custom_id')} was never answered ({one.state})"
                for one in self.world.interactions.values()
                if one.state != "answered" and one.id not in self._before
            ]
        if wrongs:
            raise AssertionError("\n".join(["The playground saw:", *wrongs, "", self.tail()]))

    def tail(self) -> str:
        """The last lines of the journal."""
        return "\n".join(str(one) for one in list(self.journal.entries)[-TAIL:])
