"""How long a person waits for the first answer to a command: ours beside a bare echo bot's, same stand-in."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playground.server import Playground

ROOT = Path(__file__).parents[1]
COMMANDS = 100
ECHO = (sys.executable, "-m", "bench.echo")
OURS = (sys.executable, "-m", "bot")

#: A test card whose every frame takes a while: the engine is busy for the whole of the bench.
BUSY = "\n[recipe.testcard.options]\nstep_seconds = 0.5\n\n[tier.everyone]\nwaiting = 1000\nrate = 100000\n"


async def rows() -> dict[str, dict[str, float]]:
    """By row, p50 and p99 in milliseconds."""
    return {
        "echo": await measure(ECHO, busy=False),
        "idle": await measure(OURS, busy=False),
        "busy": await measure(OURS, busy=True),
    }


async def measure(command: tuple[str, ...], *, busy: bool) -> dict[str, float]:
    """100 commands at once, from the event's dispatch to the callback's arrival."""
    with tempfile.TemporaryDirectory() as folder:
        async with Playground(judge=False, verify=False) as place, started(place, command, Path(folder)):
            place.limits.relax()
            people = [place.person(name) for name in ("Ada", "Ben", "Cyd", "Mod")]
            channel = place.channel("clips")
            if busy:
                await people[0].slash(channel, "animate", {"prompt": "keep busy -seconds 10"})
                await place.until(lambda: any("step" in text for text in _texts(place, channel)), 60)
            start = len(place.journal.entries)
            await asyncio.gather(
                *(
                    people[number % 4].slash(channel, "animate", {"prompt": str(number)})
                    for number in range(COMMANDS)
                )
            )
            await place.until(lambda: len(delays(place, start)) >= COMMANDS, 120)
            times = sorted(delays(place, start))
    return {"p50_ms": statistics.median(times) * 1e3, "p99_ms": times[int(len(times) * 0.99) - 1] * 1e3}


@asynccontextmanager
async def started(place: Playground, command: tuple[str, ...], data: Path) -> AsyncIterator[None]:
    """The bot's process, connected."""
    config = data / "config.toml"
    shipped = (ROOT / "config.toml").read_text("utf-8")
    config.write_text(re.sub(r"(?ms)^\[tier\.everyone\].*?(?=^\[)", "", shipped) + BUSY, "utf-8")
    environ = {**os.environ, **place.environ, "ZOETROPE_DATA": str(data), "ZOETROPE_CONFIG": str(config)}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environ, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await place.ready(1, 60)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            await process.wait()


def delays(place: Playground, start: int) -> list[float]:
    """Seconds from each dispatched interaction to its first answer."""
    asked: dict[str, float] = {}
    found: list[float] = []
    for entry in list(place.journal.entries)[start:]:
        if entry.kind == "event" and entry.text.startswith("INTERACTION_CREATE"):
            if match := re.search(r'"id": "(\d+)"', entry.text):
                asked[match[1]] = entry.at
        elif (match := re.search(r"/interactions/(\d+)/\S+/callback", entry.text)) and match[1] in asked:
            found.append(entry.at - asked.pop(match[1]))
    return found


def _texts(place: Playground, channel: int) -> list[str]:
    return [one["content"] for one in place.world.last(channel, place.user("Ada").id, 5)]
