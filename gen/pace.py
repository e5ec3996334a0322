"""How long clips take on this machine, learned from those it made."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from statistics import median

from gen.job import Job

#: Clips of a recipe that are remembered.
MEMORY = 30
#: Clips that an earlier run's median counts for at most, so that a new device is soon believed.
INHERITED = 8
#: Seconds assumed for a recipe that has not made a clip yet.
UNKNOWN = 20.0


class Pace:
    """Median seconds by recipe."""

    def __init__(self, known: Mapping[str, tuple[float, int]] | None = None) -> None:
        self.known: dict[str, tuple[float, int]] = dict(known or {})  # seconds, over how many clips
        self._took: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MEMORY))
        self._after: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MEMORY))
        for recipe, (seconds, count) in self.known.items():
            self._took[recipe].extend([seconds] * min(count, INHERITED))

    def note(self, job: Job) -> None:
        """Remembers how long a MADE job's clip took."""
        if job.clip:
            took = self._took[job.request.recipe]
            took.append(job.clip.took)
            self._after[job.request.recipe].append(job.clip.after)
            self.known[job.request.recipe] = (median(took), len(took))

    def of(self, job: Job) -> float:
        """Seconds that `job` will take, as far as is known."""
        return self.known.get(job.request.recipe, (UNKNOWN, 0))[0]

    def after(self, job: Job) -> float:
        """Seconds of those in which `job` will not need the device, as far as this run knows."""
        after = self._after.get(job.request.recipe)
        return min(median(after), self.of(job)) if after else 0.0

    def device(self, job: Job) -> float:
        """Seconds of those in which it will."""
        return self.of(job) - self.after(job)

    def turn(self, job: Job) -> float:
        """Seconds from its start to the next clip's in a full line: the slower half sets the pace."""
        return max(self.device(job), self.after(job))
