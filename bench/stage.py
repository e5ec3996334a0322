"""What benches share: a settings file, a bot as a process, a row of times."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playground.server import Playground

ROOT = Path(__file__).parents[1]
OURS = (sys.executable, "-m", "bot")
ECHO = (sys.executable, "-m", "bench.echo")

#: Key to value, as they go into the JSON file.
Figures = dict[str, float]

#: Nobody is held back: a bench asks more of one person's lane than a person may.
OPEN = "[tier.everyone]\nwaiting = 20000\nrate = 1000000\n\n"


@dataclass(frozen=True)
class Row:
    """Times in milliseconds, sorted."""

    times: Sequence[float]

    @property
    def p50(self) -> float:
        """Their median."""
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        """The time that 99 of 100 keep within."""
        return self.times[max(0, -(-99 * len(self.times) // 100) - 1)]

    def figures(self, key: str) -> Figures:
        """Both, for the JSON file."""
        return {f"{key}.p50_ms": round(self.p50, 2), f"{key}.p99_ms": round(self.p99, 2)}

    def beside(self, other: Row | None) -> str:
        """Both in words, and how many times the other's p99."""
        ratio = f"   {self.p99 / other.p99:5.2f} × the echo bot's" if other else ""
        return f"p50 {self.p50:8.1f} ms   p99 {self.p99:8.1f} ms{ratio}"


def memory(pid: int | str = "self") -> int:
    """Bytes that a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def spent(pid: int) -> float:
    """Seconds of the processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def recipe(name: str, **options: float) -> str:
    """The table of a test card under another name, with options that make it misbehave."""
    values = ", ".join(f"{key} = {value}" for key, value in options.items())
    return (
        f'\n[recipe.{name}]\ntask = "text"\nfamily = "testcard"\nabout = "For the bench"\n'
        f'sizes = {{ "1:1" = [64, 64] }}\nseconds = {{ default = 0.5, least = 0.5, most = 100 }}\n'
        f"fps = {{ default = 8, least = 8, most = 24 }}\noptions = {{ {values} }}\n"
    )


def shipped() -> str:
    """The shipped settings, but for the model of /animate: the test card, which is there at once."""
    text = (ROOT / "config.toml").read_text("utf-8")
    assert text.count('text = "auto"') == 1
    return text.replace('text = "auto"', 'text = "testcard"')


def config(data: Path, more: str = "") -> Path:
    """Those settings with nobody held back, and more tables."""
    path = data / "config.toml"
    path.write_text(re.sub(r"(?ms)^\[tier\.everyone\].*?(?=^\[)", OPEN, shipped()) + more, "utf-8")
    return path


class Ended(AssertionError):
    """The bot ended before it was connected."""

    def __init__(self, code: int | None, words: str) -> None:
        super().__init__(f"The bot ended with {code}:\n{words[-3000:]}")
        self.code = code


@asynccontextmanager
async def started(
    place: Playground, command: Sequence[str], data: Path, settings: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The bot's process, connected; ended when the block ends."""
    environ = {**os.environ, **place.environ, "ZOETROPE_DATA": str(data), "ZOETROPE_CONFIG": str(settings)}
    with (data / "bot.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environ, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL
        )
    try:
        await _ready(place, process, data)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(place: Playground, process: asyncio.subprocess.Process, data: Path) -> None:
    """Waits until the bot is connected. Raises Ended with its log when it ends instead."""
    known = frozenset(place.socket.sessions)
    ready = asyncio.create_task(place.until(lambda: _connected(place, known), 60))
    ended = asyncio.create_task(process.wait())
    await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        ready.cancel()
        raise Ended(process.returncode, (data / "bot.log").read_text("utf-8", "replace"))
    ended.cancel()
    await ready


def _connected(place: Playground, known: frozenset[str]) -> bool:
    """Whether a session other than the known ones has its line."""
    sessions = dict(place.socket.sessions)
    return any(one.line is not None for name, one in sessions.items() if name not in known)
