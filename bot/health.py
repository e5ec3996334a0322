"""How the bot is, for machines: `/healthz` and `/metrics` on this machine's loopback, off by default."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import discord
from aiohttp import web

from bot.meter import Meter
from gen.errors import Misconfigured, ZoetropeError
from gen.studio import Studio

HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")
#: Seconds that the database may take to answer.
PATIENCE = 2.0
#: Seconds between two looks at the event loop's lag.
LOOK = 0.5


class Health:
    """What is asked of the bot, and how it does."""

    def __init__(
        self,
        studio: Studio,
        meter: Meter,
        *,
        gateway: Callable[[], str],  # what is wrong with it, or ""
        now: Callable[[], float] = time.time,
    ) -> None:
        self.studio = studio
        self.meter = meter
        self.gateway = gateway
        self.now = now

    async def report(self) -> dict[str, Any]:
        """What each part says: "ok", or what is wrong. A model that is paused is no fault of the bot's: a new
        start would not help it, and the others are served."""
        parts = {"database": await self._database(), "gateway": self.gateway(), "engine": self._engine()}
        return {
            "ok": not (parts["database"] or parts["gateway"]),
            **{name: fault or "ok" for name, fault in parts.items()},
            "waiting": len(self.studio.queue),
            "oldest_job_seconds": round(self._oldest(), 1),
        }

    def metrics(self) -> str:
        """All figures in Prometheus' text format 0.0.4."""
        return "\n".join(self._metrics()) + "\n"

    async def watch(self) -> None:
        """Measures for ever how late the event loop is."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK
            await asyncio.sleep(LOOK)
            self.meter.lag.note(max(0.0, loop.time() - due))

    async def _database(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.studio.ledger.find("")
        except TimeoutError:
            return f"no answer within {PATIENCE:g} s"
        except ZoetropeError as error:
            return str(error)
        return ""

    def _engine(self) -> str:
        paused = self.studio.worker.breaker.paused()
        return "; ".join(f"{recipe} is {why}" for recipe, why in paused.items())

    def _oldest(self) -> float:
        """Seconds since the oldest job that waits or runs was asked for."""
        jobs = [place.job for place in self.studio.places()]
        return max((self.now() - job.created for job in jobs), default=0.0)

    def _metrics(self) -> Iterator[str]:
        meter, breaker = self.meter, self.studio.worker.breaker
        yield from _family("line_depth", "gauge", "Jobs that wait", {"": len(self.studio.queue)})
        yield from _family("oldest_job_seconds", "gauge", "Age of the oldest job", {"": self._oldest()})
        yield from _family("running", "gauge", "Jobs in the making", {"": len(self.studio.worker.runs)})
        yield from _family("engine_deaths_total", "counter", "Engines that died", _by(breaker.died_in_all))
        paused = dict.fromkeys(breaker.paused(), 1)
        yield from _family("paused", "gauge", "1 for a model that is paused", _by(paused))
        yield from _family("failed_uploads_total", "counter", "Clips not taken", {"": meter.failed_uploads})
        ended = {
            f'{_label("recipe", recipe)},state="{state}"': n for (recipe, state), n in meter.ended.items()
        }
        yield from _family("jobs_total", "counter", "Jobs by their end", ended)
        for name, words, by in (
            ("wait_seconds", "From the command to the engine", meter.waits),
            ("step_seconds", "One step of a model", meter.steps),
        ):
            yield from _head(name, "histogram", words)
            for recipe, histogram in sorted(by.items()):
                yield from histogram.lines(f"zoetrope_{name}", _label("recipe", recipe))
        yield from _head("loop_lag_seconds", "histogram", "How late the event loop is")
        yield from meter.lag.lines("zoetrope_loop_lag_seconds")


def gateway(client: discord.AutoShardedClient) -> str:
    """What is wrong with the connection to Discord, or ""."""
    if not client.is_ready():
        return "not connected yet"
    cut = [str(number) for number, shard in client.shards.items() if shard.is_closed()]
    return f"not connected: shard {', '.join(cut)}" if cut else ""


def application(health: Health) -> web.Application:
    """The two pages, for requests that name this machine."""

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        # A page of the web whose name was made to lead here would ask with its own name.
        if request.url.host not in NAMES or "Origin" in request.headers:
            raise web.HTTPForbidden(text="This address answers to programs of its own machine only.\n")
        return await handler(request)

    async def healthz(request: web.Request) -> web.Response:
        found = await health.report()
        return web.json_response(
            found, status=200 if found["ok"] else 503, dumps=lambda one: json.dumps(one, ensure_ascii=False)
        )

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=health.metrics(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app = web.Application(middlewares=[guard])
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics)
    return app


@asynccontextmanager
async def served(health: Health, port: int) -> AsyncIterator[None]:
    """Answers while the block runs; port 0 answers nothing. Raises Misconfigured."""
    if not port:
        yield
        return
    runner = web.AppRunner(application(health), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    watch = asyncio.create_task(health.watch(), name="health")
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise Misconfigured(
                "config.toml: health.port is {port}, which cannot be opened: {fault}.",
                port=port,
                fault=error.strerror or str(error),
            ) from error
        yield
    finally:
        watch.cancel()
        await asyncio.wait([watch])
        await runner.cleanup()


def _head(name: str, kind: str, words: str) -> Iterator[str]:
    yield f"# HELP zoetrope_{name} {words}."
    yield f"# TYPE zoetrope_{name} {kind}"


def _family(name: str, kind: str, words: str, values: Mapping[str, float]) -> Iterator[str]:
    yield from _head(name, kind, words)
    for labels, value in sorted(values.items()):
        yield f"zoetrope_{name}{f'{{{labels}}}' if labels else ''} {value:.10g}"


def _by(values: Mapping[str, float]) -> dict[str, float]:
    return {_label("recipe", recipe): value for recipe, value in values.items()}


def _label(name: str, value: str) -> str:
    """A recipe's name has no sign that would need escaping."""
    return f'{name}="{value}"'
