"""Jobs through everything with an engine that makes nothing, and what the bot's memory does meanwhile."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.stage import ECHO, Figures, config, memory, recipe, spent, started
from playground.server import Playground

NOOP = (sys.executable, "-m", "bench.noop")
TINY = recipe("tiny")
NAMES = ("Ada", "Ben", "Cyd", "Mod")
MIB = 2**20


async def rows(say: Callable[[str], None], jobs: int = 5000, wave: int = 250) -> Figures:
    """Jobs a second, from the command to the clip in the channel, beside an echo bot's; MiB the bot grew."""
    echo = await measure(ECHO, min(jobs, 4 * wave), wave)
    ours = await measure(NOOP, jobs, wave)
    say(f"{ours.rate:7.1f} jobs/s through everything, in five requests   (echo bot, in one: {echo.rate:.1f})")
    say(f"{ours.work:7.2f} ms of the bot's processor time a job   (echo bot: {echo.work:.2f})")
    say(f"{ours.grown / MIB:7.1f} MiB more memory over {jobs} jobs")
    return {
        "through.jobs_per_s": round(ours.rate, 1),
        "through.cpu_ms_per_job": round(ours.work, 2),
        "through.echo_per_s": round(echo.rate, 1),
        "through.echo_cpu_ms": round(echo.work, 2),
        "memory.jobs": jobs,
        "memory.growth_mib": round(ours.grown / MIB, 2),
    }


@dataclass(frozen=True)
class Through:
    """What came through."""

    rate: float  # jobs a second in the median wave
    work: float  # milliseconds of the bot's processor time a job
    grown: int  # bytes that the bot's memory grew after its second wave


async def measure(command: tuple[str, ...], jobs: int, wave: int) -> Through:
    """Sends the jobs in waves, each as many commands at once."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        place = await stack.enter_async_context(Playground(judge=False, verify=False))
        place.limits.relax()
        process = await stack.enter_async_context(started(place, command, data, config(data, TINY)))
        await _wave(place, command, 4)  # the first clip is made in earnest
        rates, sizes, work = [], [], spent(process.pid)
        for _ in range(max(3, jobs // wave)):
            began = time.perf_counter()
            await _wave(place, command, wave)
            rates.append(wave / (time.perf_counter() - began))
            sizes.append(memory(process.pid))
        work = (spent(process.pid) - work) / len(rates) / wave
        return Through(statistics.median(rates), work * 1e3, sizes[-1] - sizes[1])


async def _wave(place: Playground, command: tuple[str, ...], jobs: int) -> None:
    """So many commands at once, until each has its clip (or its echo)."""
    channel = place.channel("clips")
    options = {"prompt": "a star"} if command == ECHO else {"prompt": "a star", "model": "tiny"}
    people = [place.person(name) for name in NAMES]
    told = place.world.messages if command == ECHO else place.world.attachments
    wanted = len(told) + jobs
    await asyncio.gather(*(people[number % 4].slash(channel, "animate", options) for number in range(jobs)))
    await place.until(lambda: len(told) >= wanted, 300)
