"""`python -m bench.soak`: minutes of people's days and Discord's bad ones, drawn by a seed, then counted.

People ask, cancel, roll again and send pictures; the bot and its engine are killed; Discord fails, is slow,
throttles and drops the connection. In the end the ledger and the channel are held against each other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.stage import OURS, Ended, config, memory, recipe, started
from bot.__main__ import LATER
from playground.person import Impossible
from playground.server import Playground

PEOPLE = ("Ada", "Ben", "Cyd", "Mod")
RECIPES = (
    recipe("quick", step_seconds=0.02)
    + recipe("slow", step_seconds=0.4)
    + recipe("peckish", oom_at=2, oom_times=1)
    + recipe("hungry", oom_at=1)
)
#: Requests that Discord spoils.
PATHS = (
    ("POST", "/interactions/*/callback"), ("PATCH", "/webhooks/*"), ("POST", "/channels/*/messages"),
    ("PATCH", "/channels/*/messages/*"), ("DELETE", "/channels/*/messages/*"), ("PUT", "*/reactions/*"),
    ("GET", "/channels/*/messages*"), ("GET", "*attachments*"),
)  # fmt: skip
#: Seconds that all may take to come to their end when the day is over.
EVENING = 180.0
MIB = 2**20
#: Log lines with a traceback that swallow nothing: a failure of Discord's, told to the person as well, and
#: discord.py's word that it connects again after a connection was cut while it signed in.
EXPECTED = r"WARNING |ERROR discord\.shard: Attempting a reconnect"
#: MiB that one life of the bot may grow after its first minute.
GROWTH = 20.0


@dataclass
class Count:
    """What came of it."""

    deeds: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    swallowed: int = 0
    growth: float = 0.0

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.twice or self.swallowed or self.growth > GROWTH)

    def __str__(self) -> str:
        deeds = ", ".join(f"{name} {count}" for name, count in sorted(self.deeds.items()))
        ends = ", ".join(f"{name} {count}" for name, count in sorted(self.jobs.items()))
        return (
            f"{deeds}\njobs {self.jobs.total()} ({ends})\nlost {len(self.lost)}, twice {len(self.twice)}, "
            f"swallowed exceptions {self.swallowed}, memory +{self.growth:.1f} MiB in one life"
        )


class Day:
    """One soak."""

    def __init__(self, place: Playground, data: Path, dice: random.Random) -> None:
        self.place = place
        self.data = data
        self.settings = config(data, RECIPES)
        self.dice = dice
        self.count = Count()
        self.life = AsyncExitStack()
        self.process: asyncio.subprocess.Process | None = None
        self._early = 0
        self._born = 0.0

    async def wake(self) -> None:
        """Starts the bot, as a service manager does: again while it says that Discord is away."""
        while True:
            begun = started(self.place, OURS, self.data, self.settings)
            try:
                self.process = await self.life.enter_async_context(begun)
                break
            except Ended as end:
                if end.code != LATER:
                    raise
        self._early, self._born = 0, time.monotonic()

    async def kill_bot(self) -> None:
        """`kill -9`, and a new start."""
        assert self.process
        self.process.kill()
        await self.process.wait()
        await self.life.aclose()
        await self.wake()

    async def kill_engine(self) -> None:
        """`kill -9` of the bot's children."""
        assert self.process
        for child in children(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    async def spoil(self) -> None:
        """Discord fails at one of the next requests."""
        method, path = self.dice.choice(PATHS)
        do = self.dice.choice((500, 502, 503, "reset", "slow"))
        when = "before" if do == "slow" else self.dice.choice(("before", "after"))
        self.place.faults.add(method, path, do, when=when, skip=self.dice.randrange(3), seconds=1.5)

    async def storm(self) -> None:
        """Discord throttles."""
        self.place.limits.storm(self.dice.randrange(1, 6), 0.2)

    async def drop(self) -> None:
        """Discord closes the connection, asks for a new one, or forgets the session."""
        way = self.dice.choice(
            (self.place.socket.cut, self.place.socket.reconnect, self.place.socket.invalidate)
        )
        await way()

    async def animate(self) -> None:
        """A prompt."""
        model = self.dice.choices(("quick", "slow", "peckish", "hungry"), (12, 3, 1, 1))[0]
        await self._slash("animate", {"prompt": f"star {self.dice.randrange(1000)}", "model": model})

    async def picture(self) -> None:
        """A picture, at times a broken one."""
        data = _picture(self.dice)
        await self._slash("img2vid", {"image": ("a.png", data), "seconds": 1})

    async def cancel(self) -> None:
        """A moderator presses a ticket's button, or somebody whom it may not obey."""
        who = "Mod" if self.dice.random() < 0.7 else self.dice.choice(PEOPLE)
        shown = [(int(one["id"]), each) for one in self._shown() for each in ids(one)]
        if buttons := [one for one in shown if one[1].startswith("cancel:")]:
            with suppress(Impossible):
                await self.place.person(who).press(*self.dice.choice(buttons))

    async def reroll(self) -> None:
        """Somebody rolls a clip again."""
        shown = [one for one in self._shown() if one["attachments"]]
        if shown:
            with suppress(Impossible):
                await self._person().react(int(self.dice.choice(shown)["id"]), "🔁")

    async def look(self) -> None:
        """Somebody looks at the line, or at what they had made."""
        await self._slash(self.dice.choice(("queue", "history")), {})

    async def measure(self) -> None:
        """The bot's memory, from its first minute on."""
        assert self.process
        if time.monotonic() - self._born > 60:
            now = memory(self.process.pid)
            self._early = self._early or now
            self.count.growth = max(self.count.growth, (now - self._early) / MIB)

    def _person(self) -> Any:
        return self.place.person(self.dice.choice(PEOPLE))

    async def _slash(self, name: str, options: dict[str, Any]) -> None:
        with suppress(Impossible):
            await self._person().slash(self.place.channel("clips"), name, options)

    def _shown(self) -> list[Any]:
        messages = self.place.world.last(self.place.channel("clips"), self.place.user("Mod").id, 50)
        return [one for one in messages if one["author"].get("bot")]


#: How often each comes, in parts; a turn of the day is one of them.
TURNS: tuple[tuple[Callable[[Day], Awaitable[None]], int], ...] = (
    (Day.animate, 40), (Day.picture, 5), (Day.cancel, 10), (Day.reroll, 12), (Day.look, 8), (Day.measure, 10),
    (Day.spoil, 16), (Day.storm, 3), (Day.drop, 2), (Day.kill_engine, 2), (Day.kill_bot, 2),
)  # fmt: skip


async def soak(folder: Path, minutes: float, seed: int) -> Count:
    """So many minutes of turns, then an evening without faults."""
    dice = random.Random(seed)
    async with Playground(judge=False, verify=False) as place:
        day = Day(place, folder, dice)
        await day.wake()
        try:
            end = time.monotonic() + minutes * 60
            while time.monotonic() < end:
                turn = dice.choices([turn for turn, _ in TURNS], [parts for _, parts in TURNS])[0]
                day.count.deeds[turn.__name__] += 1
                await turn(day)
                await asyncio.sleep(dice.uniform(0.1, 0.7))
            place.faults.clear()
            place.limits.relax()
            await _settle(folder / "zoetrope.db")
        finally:
            await day.life.aclose()
        judge(day)
        return day.count


async def _settle(table: Path) -> None:
    """Waits until every job has ended and no ticket is left over, or the evening is over."""
    unsettled = "state IN ('waiting', 'running', 'made') OR ticket IS NOT NULL"
    end = time.monotonic() + EVENING
    while time.monotonic() < end:
        with sqlite3.connect(table) as ledger:
            if not ledger.execute(f"SELECT count(*) FROM jobs WHERE {unsettled}").fetchone()[0]:  # noqa: S608  a constant
                return
        await asyncio.sleep(1)


def children(pid: int) -> list[int]:
    """Process ids."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def judge(day: Day) -> None:
    """Holds the ledger and the channel against each other."""
    count, messages = day.count, day.place.world.messages
    with sqlite3.connect(day.data / "zoetrope.db") as ledger:
        jobs = ledger.execute("SELECT id, state, message FROM jobs").fetchall()
    count.jobs = Counter(state for _, state, _ in jobs)
    for job, state, message in jobs:
        if state in ("waiting", "running", "made") or (state == "posted" and message not in messages):
            count.lost.append(f"{job} is {state}")
    clips = Counter(
        job
        for one in messages.values()
        if one.attachments
        for job in {each.split(":")[1] for each in _ids(one.components) if each.startswith("reroll:")}
    )
    count.twice = [f"{job} was posted {times} times" for job, times in clips.items() if times > 1]
    log = (day.data / "bot.log").read_text("utf-8", "replace")
    count.swallowed = swallowed(log)


def swallowed(log: str) -> int:
    """Exceptions of which the log has a traceback and nobody was told. One that came of another follows it
    after an empty line, and is told of with it."""
    return len(re.findall(rf"^(?!\S+ \S+ (?:{EXPECTED})).+\nTraceback", log, re.MULTILINE))


def ids(message: Any) -> list[str]:
    """The custom ids of a message's buttons."""
    return _ids(message["components"])


def _ids(rows: list[Any]) -> list[str]:
    return [child.get("custom_id", "") for row in rows for child in row.get("components", [])]


def _picture(dice: random.Random) -> bytes:
    """A small bitmap, whole or cut."""
    side = 48
    body = dice.randbytes(side * side * 3)
    head = (
        b"BM" + (54 + len(body)).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
        + (40).to_bytes(4, "little") + side.to_bytes(4, "little") * 2 + (1).to_bytes(2, "little")
        + (24).to_bytes(2, "little") + bytes(24)
    )  # fmt: skip
    whole = head + body
    return whole if dice.random() < 0.7 else whole[: dice.randrange(len(whole))]


def main() -> int:
    """The exit code: 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, help="a folder for the bot's data and log, to look at afterwards"
    )
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{options.minutes:g} minutes, seed {options.seed}, in {folder}", flush=True)
    count = asyncio.run(soak(folder, options.minutes, options.seed))
    print(count)
    for fault in (*count.lost, *count.twice):
        print(f"  {fault}")
    return 0 if count.good else 1


if __name__ == "__main__":
    sys.exit(main())
