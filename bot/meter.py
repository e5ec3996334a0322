"""The meter counts what passes from the worker and the courier to the delivery, for those who watch."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from gen.errors import Undeliverable
from gen.job import ENDED, Job, State
from gen.ports import Delivery, Posted, Step

#: Upper bounds of the buckets, in seconds.
WAITS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)
STEPS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
LAGS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3)


class Histogram:
    """How many values fell below each bound, as Prometheus counts them."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """Counts one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: str = "") -> Iterator[str]:
        """The text format's lines."""
        before, comma = 0, "," if labels else ""
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            before += count
            yield f'{name}_bucket{{{labels}{comma}le="{bound}"}} {before}'
        braces = f"{{{labels}}}" if labels else ""
        yield f"{name}_sum{braces} {self.total:.6f}"
        yield f"{name}_count{braces} {before}"


class Meter:
    """A `gen.ports.Delivery` that counts and hands on."""

    def __init__(
        self,
        delivery: Delivery,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.delivery = delivery
        self.waits: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(WAITS))
        self.steps: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(STEPS))
        self.lag = Histogram(LAGS)
        self.ended: Counter[tuple[str, str]] = Counter()  # recipe and state
        self.failed_uploads = 0
        self._now = now
        self._monotonic = monotonic
        self._making: tuple[str, float] | None = None  # the job whose step was the last, and when

    def show(self, job: Job, step: Step | None = None) -> None:
        """Counts a start, a step, an end."""
        recipe, now = job.request.recipe, self._monotonic()
        if job.state is State.RUNNING and step is None:
            self.waits[recipe].note(max(0.0, self._now() - job.created))
        if step is not None and step.stage == "making":
            if self._making and self._making[0] == job.id:
                self.steps[recipe].note(now - self._making[1])
            self._making = job.id, now
        elif self._making and self._making[0] == job.id:  # else of a clip whose file is made meanwhile
            self._making = None
        if job.state in ENDED:
            self.ended[recipe, job.state.value] += 1
        self.delivery.show(job, step)

    async def post(self, job: Job) -> Posted:
        """Counts what Discord did not take."""
        try:
            return await self.delivery.post(job)
        except Undeliverable:
            self.failed_uploads += 1
            raise

    async def take_back(self, job: Job) -> None:
        """Hands on."""
        await self.delivery.take_back(job)
