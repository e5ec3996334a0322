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
        for recipe, (seconds, count) in self.known.items():
            self._took[recipe].extend([seconds] * min(count, INHERITED))

    def note(self, job: Job) -> None:
        """Remembers how long a MADE job's clip took."""
        if job.clip:
            took = self._took[job.request.recipe]
            took.append(job.clip.took)
            self.known[job.request.recipe] = (median(took), len(took))

    def of(self, job: Job) -> float:
        """Seconds that `job` will take, as far as is known."""
        return self.known.get(job.request.recipe, (UNKNOWN, 0))[0]
