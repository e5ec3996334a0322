"""The line: a throttled lane for each user, the lanes served in turn.

Each lane has a turn, a number on one common clock. Of the lanes whose throttle lets them go, the one with the
lowest turn is served (of equal ones, the one that has had its turn longest), and its turn moves on by
ROUND / weight; a lane that was idle or throttled starts at the clock's present. So a user with one clip never
waits behind more than one clip of each other user (n clips of a user of weight n), the clip being made
included. This is start-time fair queueing (Goyal, Vin and Cheng, 1996) in which every clip costs one turn.

A clip whose model would have to be loaded first may be overtaken by clips of models that are loaded: at most
`OVERTAKEN` times, in no lane's own order, and never so that the promise breaks (`gen/turn.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from asyncio_throttle import Throttler

from gen.errors import LaneFull, Misconfigured, NotAllowed
from gen.forecast import Ghost, play
from gen.job import Job
from gen.turn import Warmth, choose, rank

#: How often a throttled lane looks whether it may go on, in seconds.
LOOK = 0.1
#: What a clip costs a user of weight 1: whole numbers do not drift, and 1 to 16 divide this one without rest.
ROUND = 720_720


@dataclass(frozen=True)
class Tier:
    """What a user may do: clips waiting at once, clips released each period, turns beside others'.

    Raises Misconfigured when nobody could ever be served by it.
    """

    waiting: int = 5
    rate: int = 20
    period: float = 60.0  # seconds
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.waiting < 1 or self.rate < 1 or not self.period > 0 or not 0.001 <= self.weight <= ROUND:
            raise Misconfigured(
                "A tier needs waiting and rate from 1, a period above 0 and a weight from 0.001: {tier}.",
                tier=self,
            )

    @property
    def cost(self) -> int:
        """By how much a clip moves its lane's turn on."""
        return math.ceil(ROUND / self.weight)


class Throttle(Throttler):  # type: ignore[misc]  # no types are published
    """A throttle that a release can be given back to."""

    def give_back(self) -> None:
        """As if the newest release had not been."""
        if self._task_logs:
            self._task_logs.pop()


@dataclass(frozen=True)
class Cap:
    """What a guild allows: its clips waiting at once, those of one user, and how many of one user's are
    released each period of their tier; 0 is no cap."""

    line: int = 0
    user: int = 0
    rate: int = 0


@dataclass
class Lane:
    """One user's waiting jobs."""

    tier: Tier
    throttler: Throttle
    turn: int
    since: int  # when it got that turn, as a count
    jobs: deque[Job] = field(default_factory=deque)
    seats: list[int | None] = field(default_factory=list)  # held for jobs being written: their guilds
    released: deque[float] = field(default_factory=deque)  # when its last jobs were let go
    free: bool = False  # its throttle has let the next job go
    opening: asyncio.Task[None] | None = None
    served: int = -1  # which service was its last
    ready: int = 0  # which service was the last one when its first job became free to go
    overtaken: int = 0  # how often its first job was

    @property
    def cost(self) -> int:
        """By how much a clip moves its turn on."""
        return self.tier.cost

    def of_guild(self, guild: int) -> int:
        """How many jobs and seats are that guild's."""
        return self.seats.count(guild) + sum(job.asker.guild == guild for job in self.jobs)


class Queue:
    """Waiting jobs of all users, for one event loop."""

    def __init__(
        self,
        tiers: Mapping[str, Tier],
        *,
        per_guild: int = 0,
        warmth: Callable[[], Warmth] = Warmth,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tiers = tiers
        self.per_guild = per_guild  # jobs of one guild waiting at once; 0 is no cap
        self.cap: Callable[[int], Cap] = lambda guild: Cap()  # what a guild chose within that
        self.warmth = warmth  # which models are loaded, when no clip is being made
        self.paused = ""  # why nothing is served at present
        self.closed = ""  # why nothing new is taken at present
        self._monotonic = monotonic
        self._lanes: dict[int, Lane] = {}
        self._guilds: dict[int, int] = {}
        self._clock = 0
        self._served = 0  # jobs so far
        self._last: Job | None = None
        self._count = itertools.count()
        self._wake = asyncio.Event()
        self._most_lanes = 1000

    def __len__(self) -> int:
        return sum(len(lane.jobs) for lane in self._lanes.values())

    def __repr__(self) -> str:
        lanes = (
            f"{user}@{lane.turn / ROUND:g}:{[job.id for job in lane.jobs]}"
            for user, lane in self._lanes.items()
        )
        return f"<Queue {' '.join(lanes)}>"

    def can_take(self, user: int, guild: int | None, tier: str) -> None:
        """Raises LaneFull or NotAllowed when one more clip of that user may not wait."""
        if self.closed:
            raise NotAllowed("No new clips are taken at present: {reason}", reason=self.closed)
        most = self._tier(tier).waiting
        lane = self._lanes.get(user)
        if lane and len(lane.jobs) + len(lane.seats) >= most:
            raise LaneFull("You already have {count} clips waiting; /cancel one, or wait.", count=most)
        if not guild:
            return
        cap = self.cap(guild)
        if lane and cap.user and lane.of_guild(guild) >= cap.user:
            raise LaneFull(
                "At most {count} of your clips may wait in this server at once; /cancel one, or wait.",
                count=cap.user,
            )
        line = min(filter(None, (self.per_guild, cap.line)), default=0)
        if line and self._guilds.get(guild, 0) >= line:
            raise NotAllowed(
                "This server already has {count} clips waiting; try again in a while.", count=line
            )

    @contextmanager
    def take(self, user: int, guild: int | None, tier: str) -> Iterator[None]:
        """Holds a seat while a job is written, so that two commands at once cannot share the last one.

        Raises as `can_take`.
        """
        self.can_take(user, guild, tier)
        lane = self._lane(user, tier, guild)
        lane.seats.append(guild)
        self._tally(guild, 1)
        try:
            yield
        finally:
            lane.seats.remove(guild)
            self._tally(guild, -1)

    def put(self, job: Job) -> None:
        """Puts a job at the end of its owner's lane."""
        lane = self._lane(job.asker.user, job.asker.tier, job.asker.guild)
        if not lane.jobs:
            self._catch_up(lane)
            lane.turn = min(lane.turn, self._clock + lane.cost)  # ahead by more only for having overtaken
            lane.ready, lane.overtaken = self._served, 0
        lane.jobs.append(job)
        self._tally(job.asker.guild, 1)
        self._open(lane)
        self._wake.set()

    async def get(self) -> Job:
        """The next job in turn, as soon as there is one."""
        while True:
            await asyncio.sleep(0)  # throttles that were asked a moment ago answer first
            if job := self._next():
                return job
            self._wake.clear()
            await self._wake.wait()

    def remove(self, job_id: str) -> Job | None:
        """Takes a waiting job out of the line; None when it is not in it."""
        for lane in self._lanes.values():
            for job in lane.jobs:
                if job.id == job_id:
                    lane.jobs.remove(job)
                    self._tally(job.asker.guild, -1)
                    return job
        return None

    def refund(self, job: Job) -> None:
        """What was served and brought no clip does not count against its owner's rate."""
        if (lane := self._lanes.get(job.asker.user)) and lane.released:
            lane.released.pop()
            lane.throttler.give_back()

    def pause(self, reason: str) -> None:
        """Serves nothing until `resume`."""
        self.paused = reason

    def close(self, reason: str) -> None:
        """Takes nothing new until `resume`; what is there is served."""
        self.closed = reason

    def resume(self) -> None:
        """Serves and takes again."""
        self.paused = self.closed = ""
        self._wake.set()

    def waiting(self, user: int) -> list[Job]:
        """A user's waiting jobs, in order."""
        lane = self._lanes.get(user)
        return list(lane.jobs) if lane else []

    def forecast(
        self, busy: float, lasts: Callable[[Job], float], extra: Job | None = None
    ) -> Iterator[tuple[Job, float]]:
        """All waiting jobs in the order of service, each with the seconds from now until its start; with
        `extra`, as if that one came now.

        `busy` is how many seconds the device is still taken, `lasts` how many a job takes. The lanes' rules
        are played through, their throttles included; what comes or goes meanwhile is not seen.
        """
        now = self._monotonic()
        warmth = self.warmth()
        if self._last and busy:
            warmth = warmth.after(self._last)
        mine = self._lane(extra.asker.user, extra.asker.tier, extra.asker.guild) if extra else None
        ghosts = [Ghost(lane) for lane in self._lanes.values() if lane.jobs and lane is not mine]
        if extra and mine:
            ghosts.append(Ghost(mine))
            ghosts[-1].jobs.append(extra)
        count = itertools.count(next(self._count))
        for job, at in play(ghosts, now, busy, lasts, self._clock, count, self._served, warmth):
            yield job, at - now

    async def aclose(self) -> None:
        """Ends the tasks that wait for throttles."""
        openings = [lane.opening for lane in self._lanes.values() if lane.opening]
        for opening in openings:
            opening.cancel()
        await asyncio.gather(*openings, return_exceptions=True)

    def _next(self) -> Job | None:
        """Chooses, takes and moves the clock, with no await in between."""
        ready = [] if self.paused else [lane for lane in self._lanes.values() if lane.jobs and lane.free]
        if not ready:
            return None
        lane, passed = choose(ready, self.warmth())
        for other in passed:
            other.overtaken += 1
        job = self._last = lane.jobs.popleft()
        self._served += 1
        self._clock = max(self._clock, min(ready, key=rank).turn)
        lane.turn += lane.cost
        lane.since, lane.served, lane.overtaken = next(self._count), self._served, 0
        lane.free = False
        self._tally(job.asker.guild, -1)
        self._open(lane)
        self._sweep(lane)
        return job

    def _open(self, lane: Lane) -> None:
        """Asks the lane's throttle to let its next job go, unless it has been asked."""
        if lane.jobs and not lane.free and (lane.opening is None or lane.opening.done()):
            lane.opening = asyncio.create_task(self._release(lane), name="lane-throttle")

    async def _release(self, lane: Lane) -> None:
        await lane.throttler.acquire()
        now = self._monotonic()
        lane.released.append(now)
        while lane.released[0] < now - lane.tier.period:
            lane.released.popleft()
        lane.free, lane.ready = True, self._served
        self._catch_up(lane)
        self._wake.set()

    def _catch_up(self, lane: Lane) -> None:
        """A lane that was idle or throttled has saved up nothing."""
        if lane.turn < self._clock:
            lane.turn, lane.since = self._clock, next(self._count)

    def _tier(self, name: str) -> Tier:
        return self.tiers.get(name) or self.tiers["everyone"]

    def _lane(self, user: int, tier: str, guild: int | None) -> Lane:
        """The user's lane, under the rules of the tier they ask with now, and of the guild they ask in."""
        rules = self._tier(tier)
        most = self.cap(guild).rate if guild else 0
        if 0 < most < rules.rate:
            rules = replace(rules, rate=most)
        lane = self._lanes.get(user)
        if lane is None:
            lane = Lane(rules, Throttle(rules.rate), self._clock, next(self._count))
            self._lanes[user] = lane
        # What was released under another tier still counts: who has two tiers has not two allowances.
        lane.tier, throttler = rules, lane.throttler
        throttler.rate_limit, throttler.period = rules.rate, rules.period
        throttler.retry_interval = min(LOOK, rules.period / 10)
        return lane

    def _tally(self, guild: int | None, step: int) -> None:
        if guild:
            self._guilds[guild] = self._guilds.get(guild, 0) + step
            if not self._guilds[guild]:
                del self._guilds[guild]

    def _sweep(self, served: Lane) -> None:
        """Forgets lanes, when there are many, that hold nothing a newcomer would not have.

        A turn ahead of the clock counts only while somebody waits for it, or for the clip that is being made.
        """
        if len(self._lanes) <= self._most_lanes:
            return
        now, idle = self._monotonic(), not any(lane.jobs for lane in self._lanes.values())
        for user, lane in list(self._lanes.items()):
            rested = not lane.released or now - lane.released[-1] > lane.tier.period
            level = lane.turn <= self._clock or (idle and lane is not served)
            if rested and level and not lane.jobs and not lane.seats:
                del self._lanes[user]
        self._most_lanes = max(1000, 2 * len(self._lanes))
