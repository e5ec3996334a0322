"""A recipe whose engine keeps dying is paused, alone, and tried again after a rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from db.ledger import Ledger
from gen.breaker import Breaker
from gen.errors import EngineDied, NotAllowed
from gen.job import Asker, Clip, Job, Request, State, Task
from gen.ports import Progress
from gen.queue import Queue, Tier
from gen.worker import Worker


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tripped(clock: Clock) -> Breaker:
    """Three deaths within a minute have paused "bad" for a hundred seconds."""
    breaker = Breaker(deaths=3, within=60.0, rest=100.0, monotonic=clock)
    for _ in range(3):
        breaker.admit("bad")
        breaker.begin("bad")
        breaker.died("bad")
        clock.now += 10
    return breaker


def test_deaths_in_a_short_time_pause_that_recipe_alone() -> None:
    breaker = tripped(Clock())
    with pytest.raises(NotAllowed, match=r"The model bad is paused .* in about 2 min\."):
        breaker.admit("bad")
    with pytest.raises(EngineDied, match="The model bad was paused"):
        breaker.begin("bad")
    assert breaker.paused() == {"bad": "paused for about 2 min: its engine keeps failing"}
    breaker.admit("good")
    breaker.begin("good")


def test_deaths_far_apart_pause_nothing() -> None:
    clock = Clock()
    breaker = Breaker(deaths=3, within=60.0, rest=100.0, monotonic=clock)
    for _ in range(20):
        breaker.died("bad")
        clock.now += 31
    breaker.admit("bad")
    assert not breaker.paused()
    assert breaker.died_in_all == {"bad": 20}


def test_a_clip_between_deaths_closes_the_count() -> None:
    breaker = Breaker(deaths=3, monotonic=Clock())
    for _ in range(10):
        breaker.died("shaky")
        breaker.died("shaky")
        breaker.made("shaky")
    breaker.admit("shaky")


def test_a_trial_that_works_opens_the_recipe_to_all() -> None:
    clock = Clock()
    breaker = tripped(clock)
    clock.now += 100
    breaker.admit("bad")
    breaker.begin("bad")
    breaker.made("bad")
    breaker.died("bad")
    breaker.died("bad")
    breaker.admit("bad")  # it is not on trial any more
    assert not breaker.paused()


def test_a_trial_that_fails_pauses_it_at_once() -> None:
    clock = Clock()
    breaker = tripped(clock)
    clock.now += 100
    breaker.begin("bad")
    breaker.died("bad")
    with pytest.raises(NotAllowed):
        breaker.admit("bad")
    clock.now += 99
    assert breaker.paused()
    clock.now += 1
    assert not breaker.paused()


class Doomed:
    """An engine that dies of one recipe, and makes all others."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str) -> Clip:
        self.asked.append(request.recipe)
        await asyncio.sleep(0)
        if request.recipe == "bad":
            raise EngineDied("The engine stopped in the middle of its work.")
        return Clip(file="a.mp4", width=64, height=64, frames=8, fps=8, size=1000, took=2.0)


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with Ledger.open(tmp_path / "zoetrope.sqlite") as ledger:
        yield ledger


async def test_a_crash_loop_risks_no_more_engines_and_the_others_go_on(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    clock, engine = Clock(), Doomed()
    breaker = Breaker(deaths=3, rest=100.0, monotonic=clock)
    worker = Worker(
        Queue({"everyone": Tier()}), engine, ledger, patience=60.0, show=lambda job, step: None,
        breaker=breaker,
    )  # fmt: skip

    async def made(name: str, recipe: str) -> Job:
        request = Request(
            recipe=recipe, task=Task.TEXT, prompt="a cat", seed=1, width=64, height=64, frames=8, fps=8
        )
        job = Job(id=name, request=request, asker=Asker(user=1, channel=2), created=900.0)
        await ledger.add(job)
        return await worker.make(job)

    ends = [await made(f"bad{number}", "bad") for number in range(4)]
    assert [job.state for job in ends] == [State.FAILED] * 4
    assert engine.asked == ["bad"] * 3  # the second job's second try, and all after it, met the breaker
    assert "paused" in str(ends[3].failure and ends[3].failure.error())
    assert (await made("good", "good")).state is State.MADE
    assert "job bad0 (model bad) ended 2 engines and is given up" in caplog.text
    assert [one.levelno for one in caplog.records if "is paused for 100 s" in one.message] == [logging.ERROR]
