"""Whose turn it is: the lowest turn's, or, within bounds, that of somebody whose model is loaded already.

A clip whose model must be loaded first may be overtaken by clips whose model is warm, but

- each lane keeps its own order;
- nobody overtakes who was served since any other lane's clip became free to go, the clip being made included,
  so that whoever has one clip still waits behind no more than one clip of each other user;
- nobody overtakes from more than a turn of their own away, and pays the turn all the same;
- a clip is overtaken `OVERTAKEN` times at the most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gen.job import Job

#: Clips of a warm model that may go before one that has the lower turn.
OVERTAKEN = 3


@dataclass(frozen=True)
class Warmth:
    """Which models are loaded, so that a clip of theirs begins at once."""

    heavy: frozenset[str] = frozenset()  # recipes whose model takes its time to load
    most: int = 1  # models that are kept at once
    names: tuple[str, ...] = ()  # recipes whose model is loaded, the last used last

    def has(self, job: Job) -> bool:
        """Whether nothing must be loaded for that job."""
        return job.request.recipe in self.names or job.request.recipe not in self.heavy

    def after(self, job: Job) -> Warmth:
        """What is loaded once that job was made, as far as can be foretold."""
        name = job.request.recipe
        if name not in self.heavy:
            return self
        others = tuple(other for other in self.names if other != name)
        return Warmth(self.heavy, self.most, (*others, name)[-self.most :])


class Waiting(Protocol):
    """A lane with a job that is free to go. Services of the queue are counted from 1."""

    jobs: deque[Job]
    turn: int
    since: int  # when it got that turn, as a count
    served: int  # which service was its last; -1 before the first
    ready: int  # which service was the last one when its first job became free to go
    overtaken: int  # how often its first job was

    @property
    def cost(self) -> int:
        """By how much a clip moves its turn on."""
        ...


L = TypeVar("L", bound=Waiting)


def rank(lane: Waiting) -> tuple[int, int]:
    """Lanes are served from the lowest on: by turn; of equal ones, who has had it longest."""
    return lane.turn, lane.since


def choose(lanes: Iterable[L], warmth: Warmth) -> tuple[L, Sequence[L]]:
    """The lane that is served next, and those that it overtakes. At least one is wanted."""
    ranked = sorted(lanes, key=rank)
    first = ranked[0]
    if warmth.has(first.jobs[0]) or first.overtaken >= OVERTAKEN:
        return first, ()
    longest = sorted(lane.ready for lane in ranked)[:2]
    for place, lane in enumerate(ranked):
        others = longest[-1] if lane.ready == longest[0] else longest[0]
        near, unserved = lane.turn < first.turn + lane.cost, lane.served < others
        if near and unserved and warmth.has(lane.jobs[0]):
            return lane, ranked[:place]
        if lane.overtaken >= OVERTAKEN:
            break
    return first, ()
