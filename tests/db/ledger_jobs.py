"""Jobs to write, and the way to each state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gen.errors import OutOfMemory
from gen.job import Asker, Clip, Job, Note, Request, State, Task

CLIP = Clip(
    file="star.mp4", width=512, height=320, frames=72, fps=24, size=91_000, took=2.5,
    notes=(Note("{width} pixels wide", {"width": 512}), Note("smaller")),
)  # fmt: skip

#: From WAITING to each state, by allowed transitions alone.
WAYS = {
    State.WAITING: (),
    State.RUNNING: (State.RUNNING,),
    State.MADE: (State.RUNNING, State.MADE),
    State.POSTED: (State.RUNNING, State.MADE, State.POSTED),
    State.FAILED: (State.RUNNING, State.FAILED),
    State.CANCELLED: (State.CANCELLED,),
}


def job(number: int = 1, *, user: int = 2**62 + 5, words: str = "a red star -seed 7", **changes: Any) -> Job:
    request = Request(
        recipe="testcard", task=Task.IMAGE, prompt="a red star", seed=2**31, images=(f"{number}.png",),
        width=512, height=320, frames=72, fps=24, camera=("zoom in",), loop=True,
    )  # fmt: skip
    asker = Asker(user=user, channel=2**61, guild=77, locale="ja", tier="patron", limit=5, private=True)
    values = {"request": request, "asker": asker, "words": words, "created": 1_000.0 + number, **changes}
    return Job(id=f"job-{number:05}", **values)


def turned(before: Job, state: State, number: int = 0) -> Job:
    """`before` in another state, though no transition allows it."""
    free = replace(before, state=min(BEFORE_ANY[state]))
    match state:
        case State.WAITING:
            return free.waiting()
        case State.RUNNING:
            return free.running(2_000.0 + number)
        case State.MADE:
            return free.made(replace(CLIP, file=f"{before.id}.mp4"))
        case State.POSTED:
            return free.posted(9_000 + number, 3_000.0)
        case State.FAILED:
            return free.failed(OutOfMemory("{device} has too little memory.", device="cuda:0"), 3_000.0)
        case State.CANCELLED:
            return free.cancelled(3_000.0)


def way(first: Job, state: State) -> Iterator[Job]:
    """The jobs to record, one after the other, until `first` has come to `state`."""
    for step in WAYS[state]:
        first = turned(first, step)
        yield first


BEFORE_ANY = {
    State.WAITING: {State.RUNNING},
    State.RUNNING: {State.WAITING},
    State.MADE: {State.RUNNING},
    State.POSTED: {State.MADE},
    State.FAILED: {State.RUNNING},
    State.CANCELLED: {State.RUNNING},
}
