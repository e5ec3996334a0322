"""How long clips take on this machine, learned from those it made."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from statistics import median

from gen.job import Job

#: Clips of a recipe that are remembered.
MEMORY = 30
#: Seconds assumed for a recipe that has not made a clip yet.
UNKNOWN = 20.0


class Pace:
    """Median seconds by recipe."""

    def __init__(self, known: Mapping[str, tuple[float, int]] | None = None) -> None:
        self._took: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MEMORY))
        self.known: dict[str, tuple[float, int]] = dict(known or {})

    def note(self, job: Job) -> None:
        """Remembers how long a MADE job's clip took."""
        if job.clip:
            took = self._took[job.request.recipe]
            took.append(job.clip.took)
            self.known[job.request.recipe] = (median(took), len(took))

    def of(self, job: Job) -> float:
        """Seconds that `job` will take, as far as is known."""
        return self.known.get(job.request.recipe, (UNKNOWN, 0))[0]
