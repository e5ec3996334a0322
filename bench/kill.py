"""The kill matrix: the bot and its engine die at every point of a job's life, which still ends in one clip.

A point is a request to Discord (the bot dies before it, after it, in the middle of an upload, or after an
answer of 502 that came after the effect), a write of the ledger (before and after), or a report of the engine
or of the lab that makes clips' files (the bot dies, or one of the two). Points are enumerated, not drawn:
every kind of request and write in a job's life stands in `POINTS`. After each death the bot is started again,
and the channel is counted.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.doomed import STRUCK
from bench.stage import shipped
from playground.server import Playground

ROOT = Path(__file__).parents[1]
CHANNEL = "/channels/*/messages"
MESSAGE = "/channels/*/messages/*"

#: Processes whose death the bot survives.
CHILDREN = ("engine:", "lab:")
#: Seconds without a request or a word after which the channel is counted.
QUIET = 1.0

#: A test card that is quick, but slow enough to be caught in the middle, and not loaded ahead.
QUICK = """
[recipe.card]
task = "text"
family = "testcard"
about = "Quick"
sizes = { "1:1" = [480, 480] }
seconds = { default = 2, least = 0.5, most = 10 }
fps = { default = 12, least = 8, most = 24 }
options = { step_seconds = 0.05 }

[recipe.broken]
task = "text"
family = "testcard"
about = "Runs out of memory"
sizes = { "1:1" = [480, 480] }
options = { oom_at = 1 }
"""


#: What is asked for in each life; a reroll is of a clip that is there.
WORDS: Mapping[str, str] = {
    "animate": "a red star -seconds 0.5 -model card",
    "long": "a long star -seconds 8 -model card",
    "cancel": "a slow star -seconds 10 -model card",
    "fail": "a dark star -model broken",
    "pair": "a first star -seconds 0.5 -model card",
}
#: What is asked for next, whose frames are made while the file of the first is.
SECOND = "a second star -seconds 2 -model card"


@dataclass(frozen=True)
class Point:
    """Where death comes."""

    life: str  # what the person does: see `WORDS`
    where: str  # "METHOD path" of a request, or the doom of `bench.doomed`
    when: str = "before"  # before, after, during, or "502": after the effect, told as a failure
    skip: int = 0  # so many requests of the kind pass

    def __str__(self) -> str:
        return f"{self.life}: {self.where} {self.when}" + (f" +{self.skip}" if self.skip else "")


def _requests(
    life: str, *places: str, whens: tuple[str, ...] = ("before", "after"), skip: int = 0
) -> list[Point]:
    return [Point(life, place, when, skip) for place in places for when in whens]


def _writes(life: str, *names: str) -> list[Point]:
    return [Point(life, f"write:{name}:{when}", "") for name in names for when in ("before", "after")]


POINTS: tuple[Point, ...] = (
    # A command: the answer, the ticket, its edits, the clip, the reaction, the ticket's end.
    *_requests("animate", "POST /interactions/*/callback", "PATCH /webhooks/*/messages/@original"),
    *_requests("long", f"PATCH {MESSAGE}"),
    *_requests("animate", f"POST {CHANNEL}", whens=("before", "during", "after", "502")),
    *_requests("animate", f"PUT {MESSAGE}/reactions/*", f"DELETE {MESSAGE}"),
    *_writes("animate", "add", "ticket", "running", "made", "posted", "unticket"),
    Point("animate", "engine:loading:1", ""),
    Point("animate", "engine:making:1", ""),
    Point("animate", "engine:making:4", ""),
    # Its frames are done, and its file is not.
    *[
        Point("animate", f"{whom}:encoding:{number}", "")
        for whom in ("engine", "lab", "bot")
        for number in (1, 3)
    ],
    # So is the first clip's, while the next one's frames are made.
    *[Point("pair", f"{whom}:beside:1", "") for whom in ("engine", "lab", "bot")],
    # A reroll by reaction: its ticket is a message of the bot's own.
    Point("reroll", f"POST {CHANNEL}", "before"),
    Point("reroll", f"POST {CHANNEL}", "after"),
    Point("reroll", f"POST {CHANNEL}", "502"),
    Point("reroll", f"POST {CHANNEL}", "before", skip=1),
    Point("reroll", f"POST {CHANNEL}", "after", skip=1),
    *_writes("reroll", "add", "ticket", "made", "posted"),
    # A cancel, and a failure: an honest end, once.
    *_writes("cancel", "cancelled", "unticket"),
    *_requests("cancel", "POST /interactions/*/callback", f"PATCH {MESSAGE}", skip=1),
    *_writes("fail", "failed", "unticket"),
)


@dataclass
class Tally:
    """What came of it."""

    points: int = 0
    kills: int = 0
    lost: int = 0
    twice: int = 0
    made_again: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"points {self.points}, kills {self.kills}, lost {self.lost}, twice {self.twice}, "
            f"made again {self.made_again}"
        )


class Victim:
    """One bot on one stand-in; it is killed and started again."""

    def __init__(self, place: Playground, data: Path, config: Path) -> None:
        self.place = place
        self.data = data
        self.config = config
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, doom: str = "") -> None:
        """Starts it, perhaps with a date of death, and waits until it is connected."""
        environ = {
            **os.environ, **self.place.environ, "ZOETROPE_DATA": str(self.data),
            "ZOETROPE_CONFIG": str(self.config), "ZOETROPE_DOOM": doom,
        }  # fmt: skip
        known = set(self.place.socket.sessions)
        with (self.data / "bot.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.doomed", cwd=ROOT, env=environ, stdout=log, stderr=log
            )
        sessions = self.place.socket.sessions
        try:
            await self.place.until(
                lambda: any(one.line is not None for key, one in sessions.items() if key not in known), 60
            )
        except AssertionError as error:
            error.add_note((self.data / "bot.log").read_text("utf-8", "replace")[-2000:])
            raise

    @property
    def words(self) -> str:
        """All it logged."""
        return (self.data / "bot.log").read_text("utf-8", "replace")

    def kill(self) -> bool:
        """`kill -9`; True, so that a fault that calls it cuts the connection."""
        if self.process and self.process.returncode is None:
            self.process.kill()
        return True

    async def dead(self, seconds: float) -> bool:
        """Waits for its death; whether it came."""
        if self.process is None:
            return True
        try:
            await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            return False
        return True


async def matrix(
    folder: Path,
    points: Sequence[Point] = POINTS,
    say: Callable[[str], None] = lambda line: None,
    at_once: int = 3,
) -> Tally:
    """Runs every point, some at once, and counts."""
    config = folder / "config.toml"
    config.write_text(shipped() + QUICK, "utf-8")
    tally = Tally()
    hands = asyncio.Semaphore(at_once)

    async def run(number: int, point: Point) -> None:
        async with hands:
            data = folder / str(number)
            data.mkdir()
            faults = await _run(point, data, config, tally)
        tally.faults += [f"{point}: {fault}" for fault in faults]
        say(f"{'FAIL' if faults else 'ok  '} {point} {'; '.join(faults)}")

    async with asyncio.TaskGroup() as group:
        for number, point in enumerate(points):
            group.create_task(run(number, point), name=str(point))
    return tally


async def _run(point: Point, data: Path, config: Path, tally: Tally) -> list[str]:
    """One death and one life after it; what went wrong."""
    async with _stage(data, config) as (place, victim):
        tally.points += 1
        killed = False
        try:
            killed = await _die(point, place, victim)
            await place.until(lambda: _settled(place, point), 60)
            await _quiet(place, victim)
        except AssertionError:
            tally.lost += 1
            return [f"lost: {_seen(place)}", *([] if killed else ["nobody died"])]
        if point.where.startswith(CHILDREN):  # their death is survived without a start; the log has it
            killed = STRUCK in victim.words
        tally.kills += killed
        faults = [] if killed else ["nobody died"]
        return faults + _judge(point, place, victim, tally)


async def _quiet(place: Playground, victim: Victim) -> None:
    """Waits until nothing has been said or asked for a while: what is done twice may come late."""
    last, since = None, time.monotonic()
    for _ in range(200):
        now = (len(place.journal.requests("*")), len(victim.words), len(_shown(place)))
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since >= QUIET:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it never came to rest")


@asynccontextmanager
async def _stage(data: Path, config: Path) -> AsyncIterator[tuple[Playground, Victim]]:
    async with Playground(judge=False, verify=False) as place:
        place.limits.relax()
        victim = Victim(place, data, config)
        try:
            yield place, victim
        finally:
            victim.kill()
            await victim.dead(10)


async def _die(point: Point, place: Playground, victim: Victim) -> bool:
    """Leads the job to the point, sees the death, and starts the bot again. Whether somebody died."""
    doomed = not point.where.startswith(("POST", "PATCH", "PUT", "DELETE"))
    fault = None
    if point.life == "reroll":  # a clip is there first, in peace
        await victim.start()
        await _ask(place, "animate")
        await place.until(lambda: len(_clips(place)) == 1 and not _tickets(place), 30)
        victim.kill()
        await victim.dead(10)
    await victim.start(point.where if doomed else "")
    if not doomed:
        method, path = point.where.split()
        when = "after" if point.when == "502" else point.when
        fault = place.faults.add(method, path, victim.kill, when=when, skip=point.skip)
        if point.when == "502":
            fault.do = 502
            place.faults.add(method, path, victim.kill, when="before", skip=point.skip + 1)
    await _ask(place, point.life)
    if point.where.startswith(CHILDREN):
        return False  # not yet
    died = await victim.dead(25)
    place.faults.clear()
    if died:
        await victim.start()
    return died


async def _ask(place: Playground, life: str) -> None:
    """What the person does."""
    ada, channel = place.person("Ada"), place.channel("clips")
    if life == "reroll":
        await place.person("Ben").react(int(_clips(place)[0]["id"]), "🔁")
        return
    await ada.slash(channel, "animate", {"prompt": WORDS[life]})
    if life == "pair":
        await ada.slash(channel, "animate", {"prompt": SECOND})
    if life == "cancel":
        await place.until(lambda: any("step" in one["content"] for one in _tickets(place)), 20)
        ticket = _tickets(place)[0]
        button = next(one for one in _buttons(ticket) if one.startswith("cancel:"))
        await ada.press(int(ticket["id"]), button)


def _settled(place: Playground, point: Point) -> bool:
    """Whether the channel shows an end."""
    if point.life in ("cancel", "fail"):  # what was not cancelled before the death is made after it
        return bool(_shown(place)) and not _tickets(place)
    return len(_clips(place)) >= _promised(point) and not _tickets(place)


def _promised(point: Point) -> int:
    """How many clips there are to be in the end; a job that was not accepted was not promised."""
    first = point.skip == 0  # a later answer is to a press: the job is there
    accepted = not (first and point.where in ("POST /interactions/*/callback", "write:add:before"))
    return (1 if point.life in ("reroll", "pair") else 0) + accepted


def _judge(point: Point, place: Playground, victim: Victim, tally: Tally) -> list[str]:
    """Counts what is twice, and what was made again though it had been made."""
    faults = []
    ids = Counter(_job_of(one) for one in _shown(place))
    twice = {job: count for job, count in ids.items() if job and count > 1}
    if twice:
        tally.twice += 1
        faults.append(f"twice: {twice}")
    files = len(list((victim.data / "clips").glob("*.mp4")))
    # A file that was written just before the death is not known, and its clip is made once more.
    unknown = point.where.startswith(("write:made:before", "bot:encoding", "bot:beside"))
    most = _promised(point) + (unknown or _at_any_moment(point))
    attempts = _attempts(victim.data)
    once = _after_made(point) or point.where.startswith(CHILDREN)
    if files > most or max(attempts, default=0) > (1 if once else 2):
        tally.made_again += 1
        faults.append(f"made again: {files} files, attempts {attempts}")
    return faults


def _after_made(point: Point) -> bool:
    """Whether the clip's making is over, and written, when death comes."""
    posts = point.where == f"POST {CHANNEL}" and (point.life == "animate" or point.skip == 1)
    ends = point.where.startswith(("PUT", "DELETE", "write:made:after", "write:posted", "write:unticket"))
    return posts or (ends and point.life in ("animate", "reroll"))


def _at_any_moment(point: Point) -> bool:
    """Whether death may meet any moment of the making: it goes on while a reroll's ticket is posted."""
    return point.life == "reroll" and point.where == f"POST {CHANNEL}" and point.skip == 0


def _attempts(data: Path) -> list[int]:
    """How often an engine took up each job, as the ledger has it."""
    with closing(sqlite3.connect(f"file:{data / 'zoetrope.db'}?mode=ro", uri=True)) as ledger:
        return [row[0] for row in ledger.execute("SELECT attempts FROM jobs ORDER BY created")]


def _shown(place: Playground) -> list[Any]:
    """The bot's messages that a bystander sees, except those that still think."""
    messages = place.world.last(place.channel("clips"), place.user("Mod").id, 100)
    return [one for one in messages if one["author"].get("bot") and not one["flags"] & 128]


def _clips(place: Playground) -> list[Any]:
    return [one for one in _shown(place) if one["attachments"]]


def _tickets(place: Playground) -> list[Any]:
    """Messages that still offer to cancel."""
    return [one for one in _shown(place) if any(button.startswith("cancel:") for button in _buttons(one))]


def _buttons(message: Any) -> list[str]:
    return [
        child.get("custom_id", "") for row in message["components"] for child in row.get("components", [])
    ]


def _job_of(message: Any) -> str:
    """The job whose id the message carries."""
    return next((button.split(":")[1] for button in _buttons(message) if ":" in button), "")


def _seen(place: Playground) -> str:
    return " | ".join(one["content"][:60].replace("\n", " ") for one in _shown(place)) or "an empty channel"
