"""How true the tickets are: the place in the line they show, and when they say that a clip will be ready."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.stage import OURS, Figures, config, recipe, started
from playground.person import Person
from playground.server import Playground

#: About a second a clip, so that a ticket's edits (one in three seconds at most) meet a moving line.
STEADY = recipe("steady", step_seconds=0.25)
NAMES = ("Ada", "Ben", "Cyd")
KNOWN = 3  # clips from which the pace is learned first


@dataclass(frozen=True)
class Said:
    """What a ticket said of a clip at a moment."""

    clip: str
    at: float
    ahead: int
    ready: float


@dataclass
class Watch:
    """All that tickets said, and when each clip came."""

    said: list[Said] = field(default_factory=list)
    came: dict[str, float] = field(default_factory=dict)

    def hear(self, event: dict[str, Any]) -> None:
        """One event of the channel."""
        message = event["d"]
        found = re.search(r"star \d+", message.get("content", ""))
        if event["t"] not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or found is None:
            return
        text = message["content"]
        if message["attachments"]:
            self.came.setdefault(found[0], time.time())
        elif ready := re.search(r"(?:(Yours is next)|(One clip)|(\d+) clips).*<t:(\d+):R>", text):
            ahead = 0 if ready[1] else 1 if ready[2] else int(ready[3])
            self.said.append(Said(found[0], time.time(), ahead, float(ready[4])))

    def places_off(self, since: float) -> list[int]:
        """By how many places each ticket was off, of what was said after that moment."""
        return [abs(one.ahead - self._before(one)) for one in self.said if one.at >= since]

    def _before(self, one: Said) -> int:
        return sum(one.at < moment < self.came[one.clip] for moment in self.came.values())

    def seconds_off(self, since: float) -> list[float]:
        """By how many seconds each ticket's promise was off."""
        return [abs(one.ready - self.came[one.clip]) for one in self.said if one.at >= since]


async def rows(say: Callable[[str], None], each: int = 8) -> Figures:
    """Three people ask for so many clips each, at once; then the line is watched until it is empty."""
    watch, since = await watched(each)
    places, seconds = watch.places_off(since), sorted(watch.seconds_off(since))
    p50, p90 = statistics.median(seconds), seconds[len(seconds) * 9 // 10]
    say(f"{len(places):7d} times a ticket said a place and a time, over {len(watch.came)} clips")
    say(f"{max(places):7d} places off at most; off at all in {sum(map(bool, places))}")
    say(f"{p50:7.1f} s off in the middle, {p90:.1f} s in nine of ten (its times are rounded up to 5 s)")
    return {
        "line.said": len(places),
        "line.places_off_most": max(places),
        "line.seconds_off_p50": round(p50, 2),
        "line.seconds_off_p90": round(p90, 2),
    }


async def watched(each: int) -> tuple[Watch, float]:
    """What was said and came, and the moment from which nobody asked for more."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        place = await stack.enter_async_context(Playground(judge=False, verify=False))
        place.limits.relax()
        await stack.enter_async_context(started(place, OURS, data, config(data, STEADY)))
        people = [place.person(name) for name in NAMES]
        watch = Watch()
        for number in range(KNOWN):
            await _ask(place, people[0], number)
            await place.until(lambda: len(place.world.attachments) > number, 120)  # noqa: B023  awaited here
        subscription = await place.do(lambda world: world.subscribe(place.user("Mod").id, watch.hear))
        numbers = range(100, 100 + each * len(people))
        await asyncio.gather(*(_ask(place, people[number % len(people)], number) for number in numbers))
        since = time.time()
        await place.until(lambda: len(watch.came) == len(numbers), 600)
        await place.do(lambda world: subscription.close())
        return watch, since


async def _ask(place: Playground, person: Person, number: int) -> None:
    await person.slash(place.channel("clips"), "animate", {"prompt": f"star {number}", "model": "steady"})
