"""The outlook: where each job stands, the clips in the making and then the line, and when each is ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gen.job import Job
from gen.pace import Pace
from gen.ports import Step
from gen.queue import Queue
from gen.worker import Run, Worker


@dataclass(frozen=True)
class Place:
    """Where a job stands in the line. Times are seconds since 1970."""

    job: Job
    ahead: int  # clips that are ready before it, those in the making included; 0 while it is made
    starts: float
    ends: float
    step: Step | None = None  # while it is made


def places(worker: Worker, queue: Queue, now: float, extra: Job | None = None) -> Iterator[Place]:
    """All jobs in order, those in the making first; with `extra`, as if that one came now.

    Clips' files are made one after the other, beside the next clip's frames.
    """
    pace, busy, ready = worker.pace, 0.0, 0.0
    for run in worker.runs.values():
        device, after = left(run, pace, now)
        ready = max(ready, device) + after
        if run.freed is None:
            busy = device
        yield Place(run.job, 0, run.job.started or now, now + ready, run.step)
    for number, (job, start) in enumerate(queue.forecast(busy, pace.turn, extra), start=len(worker.runs)):
        ready = max(ready, start + pace.device(job)) + pace.after(job)
        yield Place(job, number, now + start, now + ready)


def left(run: Run, pace: Pace, now: float) -> tuple[float, float]:
    """Seconds for which a job in the making still holds the device, and those it takes after that: by its
    steps once they tell, else by the pace."""
    if run.freed is not None:
        return 0.0, max(pace.after(run.job) - (now - run.freed), 1.0)
    spent, step = now - (run.job.started or now), run.step
    if step and step.stage == "making" and step.total and step.done * 4 >= step.total:
        return spent * (step.total - step.done) / step.done, pace.after(run.job)
    return max(pace.device(run.job) - spent, 1.0), pace.after(run.job)
