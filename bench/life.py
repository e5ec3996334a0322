"""A bot's start, its start with a long line, and how soon it goes on after `kill -9`."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.core import waiting_jobs
from bench.stage import ECHO, OURS, Figures, config, recipe, started
from db.ledger import Ledger
from playground.server import Playground

SLOW = recipe("slow", step_seconds=0.2)


async def rows(say: Callable[[str], None], waiting: int = 10_000) -> Figures:
    """Milliseconds of each."""
    echo = statistics.median([await start(ECHO) for _ in range(3)])
    first = await start(OURS)
    again = statistics.median([await start(OURS, known=True) for _ in range(3)])
    line = await start(OURS, known=True, waiting=waiting)
    gone = await killed()
    say(f"{again:7.0f} ms from the start of the process to the connected bot   (echo bot: {echo:.0f} ms)")
    say(f"{first:7.0f} ms for its first start, which makes the database and publishes the commands")
    say(f"{line:7.0f} ms with {waiting} jobs waiting")
    say(f"{gone:7.0f} ms from kill -9 to the job's next step, a start of the bot and its engine included")
    return {
        "start.ms": round(again), "start.first_ms": round(first), "start.echo_ms": round(echo),
        "start.with_line_ms": round(line), "kill.to_progress_ms": round(gone),
    }  # fmt: skip


async def start(command: tuple[str, ...], *, known: bool = False, waiting: int = 0) -> float:
    """Milliseconds until it is connected; `known`: to a folder and a Discord where it has been before."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        place = await stack.enter_async_context(Playground(judge=False, verify=False))
        place.limits.relax()
        settings = config(data, SLOW)
        if known:
            async with started(place, command, data, settings):
                pass
            await place.until(lambda: not _sessions(place), 10)
        if waiting:
            async with Ledger.open(data / "zoetrope.db") as ledger:
                await asyncio.gather(*(ledger.add(job) for job in waiting_jobs(waiting)))
        began = time.perf_counter()
        async with started(place, command, data, settings):
            return (time.perf_counter() - began) * 1e3


async def killed() -> float:
    """Milliseconds from the death of a bot with a running job to the job's next step, seen in the channel."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        place = await stack.enter_async_context(Playground(judge=False, verify=False))
        place.limits.relax()
        settings, channel = config(data, SLOW), place.channel("clips")
        process = await stack.enter_async_context(started(place, OURS, data, settings))
        await place.person("Ada").slash(channel, "animate", {"prompt": "a star -seconds 8 -model slow"})
        await place.until(lambda: "step" in _text(place, channel), 60)
        process.kill()
        await process.wait()
        before, began = _text(place, channel), time.perf_counter()
        await stack.enter_async_context(started(place, OURS, data, settings))
        await place.until(lambda: "step" in _text(place, channel) and _text(place, channel) != before, 60)
        return (time.perf_counter() - began) * 1e3


def _sessions(place: Playground) -> int:
    return sum(one.line is not None for one in place.socket.sessions.values())


def _text(place: Playground, channel: int) -> str:
    return str([one["content"] for one in place.world.last(channel, place.user("Ada").id, 1)])
