"""The line played through ahead: the lanes' rules, throttles and loaded models included."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from gen.job import Job
from gen.turn import Warmth, choose, rank


class Rules(Protocol):
    """What a lane's owner may do."""

    @property
    def rate(self) -> int:
        """Clips released each period."""
        ...

    @property
    def period(self) -> float:
        """Seconds."""
        ...


class Lane(Protocol):
    """What is copied of a lane."""

    jobs: deque[Job]
    turn: int
    since: int
    served: int
    ready: int
    overtaken: int
    released: deque[float]
    free: bool

    @property
    def tier(self) -> Rules:
        """Its owner's."""
        ...

    @property
    def cost(self) -> int:
        """By how much a clip moves its turn on."""
        ...


class Ghost:
    """A lane as `play` plays it through."""

    __slots__ = ("cost", "free", "jobs", "overtaken", "ready", "released", "served", "since", "tier", "turn")

    def __init__(self, lane: Lane) -> None:
        self.tier = lane.tier
        self.cost = lane.cost
        self.turn = lane.turn
        self.since = lane.since
        self.served = lane.served
        self.ready = lane.ready
        self.overtaken = lane.overtaken
        self.free = lane.free
        self.jobs = deque(lane.jobs)
        self.released = deque(lane.released)

    def open(self, at: float) -> float:
        """When the throttle, asked at that time, lets the next job go."""
        if len(self.released) >= self.tier.rate:
            at = max(at, self.released[-self.tier.rate] + self.tier.period)
        self.released.append(at)
        return at


def play(
    ghosts: Iterable[Ghost],
    now: float,
    busy: float,
    lasts: Callable[[Job], float],
    clock: int,
    count: Iterator[int],
    served: int,
    warmth: Warmth,
) -> Iterator[tuple[Job, float]]:
    """All jobs in the order of service, each with when it starts, on the clock that `now` is of.

    `busy` is how many seconds the device is still taken, `lasts` how many a job takes; `clock`, `count` and
    `served` are the queue's, `warmth` is what is loaded when the device is free.
    """
    closed = [(now if ghost.free else ghost.open(now), ghost.since, ghost) for ghost in ghosts]
    heapq.heapify(closed)
    ready: list[tuple[int, int, Ghost]] = []
    at = now + busy
    while closed or ready:
        if not ready:
            at = max(at, closed[0][0])
        while closed and closed[0][0] <= at:
            ghost = heapq.heappop(closed)[2]
            if ghost.turn < clock:
                ghost.turn, ghost.since = clock, next(count)
            ghost.ready = ghost.ready if ghost.free else served
            heapq.heappush(ready, (*rank(ghost), ghost))
        clock = ready[0][0]
        ghost = _next(ready, warmth)
        job = ghost.jobs.popleft()
        yield job, at
        served, warmth = served + 1, warmth.after(job)
        ghost.turn, ghost.since = ghost.turn + ghost.cost, next(count)
        ghost.served, ghost.overtaken, ghost.free = served, 0, False
        if ghost.jobs:
            heapq.heappush(closed, (ghost.open(at), ghost.since, ghost))
        at += lasts(job)


def _next(ready: list[tuple[int, int, Ghost]], warmth: Warmth) -> Ghost:
    """Takes the next ghost out of the heap."""
    if warmth.has(ready[0][2].jobs[0]):  # as `choose` would, without looking at them all
        return heapq.heappop(ready)[2]
    ghost, passed = choose((ghost for *_, ghost in ready), warmth)
    for other in passed:
        other.overtaken += 1
    ready.remove((*rank(ghost), ghost))
    heapq.heapify(ready)
    return ghost
