"""The line: a throttled lane for each user, the lanes served in turn.

Each lane has a turn, a number on one common clock. Of the lanes whose throttle lets them go, the one with the
lowest turn is served (of equal ones, the one that has had its turn longest), and its turn moves on by
1 / weight; a lane that was idle starts at the clock's present. So a user with one clip never waits behind
more than one clip of each other user (n clips of a user of weight n), the clip being made included. This is
start-time fair queueing (Goyal, Vin and Cheng, 1996) in which every clip costs one turn.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from asyncio_throttle import Throttler

from gen.errors import LaneFull, NotAllowed
from gen.job import Job

#: How often a throttled lane looks whether it may go on, in seconds.
LOOK = 0.1


@dataclass(frozen=True)
class Tier:
    """What a user may do: clips waiting at once, clips released each period, turns beside others'."""

    waiting: int = 5
    rate: int = 20
    period: float = 60.0  # seconds
    weight: float = 1.0


@dataclass
class Lane:
    """One user's waiting jobs."""

    tier: Tier
    throttler: Throttler
    turn: float
    since: int  # when it got that turn, as a count
    jobs: deque[Job] = field(default_factory=deque)
    seats: int = 0  # reserved for jobs that are being written
    released: deque[float] = field(default_factory=deque)  # when its last jobs were let go
    free: bool = False  # its throttle has let the next job go
    opening: asyncio.Task[None] | None = None

    def opens(self, now: float) -> float:
        """When its throttle lets the next job go."""
        if self.free or len(self.released) < self.tier.rate:
            return now
        return max(now, self.released[-self.tier.rate] + self.tier.period)


class Queue:
    """Waiting jobs of all users, for one event loop."""

    def __init__(
        self,
        tiers: Mapping[str, Tier],
        *,
        per_guild: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tiers = tiers
        self.per_guild = per_guild  # jobs of one guild waiting at once; 0 is no cap
        self.paused = ""  # why nothing is served at present
        self._monotonic = monotonic
        self._lanes: dict[int, Lane] = {}
        self._guilds: dict[int, int] = {}
        self._clock = 0.0
        self._count = itertools.count()
        self._wake = asyncio.Event()
        self._most_lanes = 1000

    def __len__(self) -> int:
        return sum(len(lane.jobs) for lane in self._lanes.values())

    def __repr__(self) -> str:
        lanes = (
            f"{user}@{lane.turn:g}:{[job.id for job in lane.jobs]}" for user, lane in self._lanes.items()
        )
        return f"<Queue {' '.join(lanes)}>"

    def can_take(self, user: int, guild: int | None, tier: str) -> None:
        """Raises LaneFull or NotAllowed when one more clip of that user may not wait."""
        most = self._tier(tier).waiting
        lane = self._lanes.get(user)
        if lane and len(lane.jobs) + lane.seats >= most:
            raise LaneFull("You already have {count} clips waiting; /cancel one, or wait.", count=most)
        if guild and self.per_guild and self._guilds.get(guild, 0) >= self.per_guild:
            raise NotAllowed(
                "This server already has {count} clips waiting; try again in a while.", count=self.per_guild
            )

    @contextmanager
    def take(self, user: int, guild: int | None, tier: str) -> Iterator[None]:
        """Holds a seat while a job is written, so that two commands at once cannot share the last one.

        Raises as `can_take`.
        """
        self.can_take(user, guild, tier)
        lane = self._lane(user, tier)
        lane.seats += 1
        self._tally(guild, 1)
        try:
            yield
        finally:
            lane.seats -= 1
            self._tally(guild, -1)

    def put(self, job: Job) -> None:
        """Puts a job at the end of its owner's lane."""
        lane = self._lane(job.asker.user, job.asker.tier)
        if not lane.jobs:
            self._catch_up(lane)
        lane.jobs.append(job)
        self._tally(job.asker.guild, 1)
        self._open(lane)
        self._wake.set()

    async def get(self) -> Job:
        """The next job in turn, as soon as there is one."""
        while (job := self._next()) is None:
            self._wake.clear()
            await self._wake.wait()
        return job

    def remove(self, job_id: str) -> Job | None:
        """Takes a waiting job out of the line; None when it is not in it."""
        for lane in self._lanes.values():
            for job in lane.jobs:
                if job.id == job_id:
                    lane.jobs.remove(job)
                    self._tally(job.asker.guild, -1)
                    return job
        return None

    def pause(self, reason: str) -> None:
        """Serves nothing until `resume`."""
        self.paused = reason

    def resume(self) -> None:
        """Serves again."""
        self.paused = ""
        self._wake.set()

    def waiting(self, user: int) -> list[Job]:
        """A user's waiting jobs, in order."""
        lane = self._lanes.get(user)
        return list(lane.jobs) if lane else []

    def forecast(self, busy: float, lasts: Callable[[Job], float]) -> list[tuple[Job, float]]:
        """All waiting jobs in the order of service, each with the seconds from now until its start.

        `busy` is how many seconds the device is still taken, `lasts` how many a job takes. The lanes' rules
        are played through, their throttles included.
        """
        now = self._monotonic()
        at = now + busy
        served: list[tuple[Job, float]] = []
        later: list[tuple[float, int, _Ghost]] = []
        ready: list[tuple[float, int, _Ghost]] = []
        for number, lane in enumerate(lane for lane in self._lanes.values() if lane.jobs):
            heapq.heappush(later, (lane.opens(now), number, _Ghost(lane)))
        count = itertools.count(next(self._count))
        clock = self._clock
        while later or ready:
            if not ready and later[0][0] > at:
                at = later[0][0]
            while later and later[0][0] <= at:
                _, _, ghost = heapq.heappop(later)
                if ghost.turn < clock:
                    ghost.turn, ghost.since = clock, next(count)
                heapq.heappush(ready, (ghost.turn, ghost.since, ghost))
            clock, _, ghost = heapq.heappop(ready)
            job = ghost.jobs.popleft()
            served.append((job, at - now))
            ghost.serve(next(count), at)
            at += lasts(job)
            if ghost.jobs:
                heapq.heappush(later, (ghost.opens(at), ghost.since, ghost))
        return served

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
        lane = min(ready, key=lambda one: (one.turn, one.since))
        job = lane.jobs.popleft()
        self._clock = max(self._clock, lane.turn)
        lane.turn += 1 / lane.tier.weight
        lane.since = next(self._count)
        lane.free = False
        self._tally(job.asker.guild, -1)
        self._open(lane)
        self._sweep()
        return job

    def _open(self, lane: Lane) -> None:
        """Asks the lane's throttle to let its next job go, unless it has been asked."""
        if lane.jobs and not lane.free and (lane.opening is None or lane.opening.done()):
            lane.opening = asyncio.create_task(self._release(lane), name="lane-throttle")

    async def _release(self, lane: Lane) -> None:
        await lane.throttler.acquire()
        lane.released.append(self._monotonic())
        while len(lane.released) > lane.tier.rate:
            lane.released.popleft()
        lane.free = True
        self._catch_up(lane)
        self._wake.set()

    def _catch_up(self, lane: Lane) -> None:
        """A lane that was idle or throttled has saved up nothing."""
        if lane.turn < self._clock:
            lane.turn, lane.since = self._clock, next(self._count)

    def _tier(self, name: str) -> Tier:
        return self.tiers.get(name) or self.tiers["everyone"]

    def _lane(self, user: int, tier: str) -> Lane:
        rules = self._tier(tier)
        lane = self._lanes.get(user)
        if lane is None:
            lane = Lane(rules, _throttler(rules), self._clock, next(self._count))
            self._lanes[user] = lane
        elif lane.tier != rules:
            lane.tier, lane.throttler = rules, _throttler(rules)
        return lane

    def _tally(self, guild: int | None, step: int) -> None:
        if guild:
            self._guilds[guild] = self._guilds.get(guild, 0) + step
            if not self._guilds[guild]:
                del self._guilds[guild]

    def _sweep(self) -> None:
        """Forgets lanes that hold nothing a newcomer would not have, when there are many."""
        if len(self._lanes) <= self._most_lanes:
            return
        now = self._monotonic()
        for user, lane in list(self._lanes.items()):
            rested = not lane.released or now - lane.released[-1] > lane.tier.period
            if not lane.jobs and not lane.seats and not lane.free and rested and lane.turn <= self._clock:
                del self._lanes[user]
        self._most_lanes = max(1000, 2 * len(self._lanes))


class _Ghost:
    """A lane as `forecast` plays it through."""

    __slots__ = ("jobs", "released", "since", "tier", "turn")

    def __init__(self, lane: Lane) -> None:
        self.tier = lane.tier
        self.turn = lane.turn
        self.since = lane.since
        self.jobs = deque(lane.jobs)
        # A lane that is free has been let go already: that release counts once, when it is served.
        self.released = deque(itertools.islice(lane.released, len(lane.released) - lane.free))

    def serve(self, count: int, at: float) -> None:
        self.turn += 1 / self.tier.weight
        self.since = count
        self.released.append(at)

    def opens(self, at: float) -> float:
        if len(self.released) < self.tier.rate:
            return at
        return self.released[-self.tier.rate] + self.tier.period


def _throttler(tier: Tier) -> Throttler:
    return Throttler(rate_limit=tier.rate, period=tier.period, retry_interval=LOOK)
