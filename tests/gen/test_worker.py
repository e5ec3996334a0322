"""The worker ends every job in one way, which the ledger knows first, and lives on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from db.ledger import Ledger
from gen.errors import EngineDied, EngineError, OutOfMemory
from gen.job import Asker, Clip, Job, Request, State, Task
from gen.ports import Progress, Step
from gen.queue import Queue, Tier
from gen.worker import Worker

REQUEST = Request(
    recipe="testcard", task=Task.TEXT, prompt="a cat", seed=1, width=64, height=64, frames=8, fps=8
)
CLIP = Clip(file="a.mp4", width=64, height=64, frames=8, fps=8, size=1000, took=2.0)


@dataclass
class Puppet:
    """An engine that does what its list says: returns clips, raises errors, or waits to be told."""

    acts: list[Any] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    progress: Progress = print
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    given_back: int = 0  # times the device came back after a cancel
    slow: asyncio.Event | None = None  # what giving it back waits for
    dies: bool = False  # of a cancel

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str) -> Clip:
        self.asked.append(request)
        self.begun.set()
        self.progress = progress
        act = self.acts.pop(0) if self.acts else CLIP
        if isinstance(act, BaseException):
            raise act
        if act is not None:
            return CLIP
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            if self.slow:
                await self.slow.wait()
            self.given_back += 1
            if self.dies:
                raise EngineDied("The engine died of it.") from None
            raise
        return CLIP


class Bench:
    """A worker with a real ledger and queue."""

    def __init__(self, ledger: Ledger, engine: Puppet, patience: float) -> None:
        self.ledger = ledger
        self.engine = engine
        self.shown: list[tuple[State, Step | None]] = []
        self.queue = Queue({"everyone": Tier(100, 100)})
        self.worker = Worker(
            self.queue, engine, ledger, patience=patience, show=self.show, now=lambda: 1000.0
        )

    def show(self, job: Job, step: Step | None) -> None:
        self.shown.append((job.state, step))

    async def job(self, name: str = "one") -> Job:
        job = Job(id=name, request=REQUEST, asker=Asker(user=1, channel=2), created=900.0)
        await self.ledger.add(job)
        return job

    async def state(self, name: str = "one") -> State:
        found = await self.ledger.find(name)
        assert found
        return found.state


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with Ledger.open(tmp_path / "zoetrope.sqlite") as ledger:
        yield ledger


def bench(ledger: Ledger, *acts: Any, patience: float = 60.0) -> Bench:
    return Bench(ledger, Puppet(list(acts)), patience)


async def test_a_job_is_made(ledger: Ledger) -> None:
    it = bench(ledger)
    made = await it.worker.make(await it.job())
    assert (made.state, made.clip, made.attempts, made.started) == (State.MADE, CLIP, 1, 1000.0)
    assert await ledger.find("one") == made
    assert it.shown == [(State.RUNNING, None)]
    assert it.worker.runs == {}
    assert it.worker.pace.of(made) == 2.0


async def test_progress_is_the_engines_own_and_a_late_word_is_not_heard(ledger: Ledger) -> None:
    it = bench(ledger, None)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    step = Step("making", 1, 4)
    it.engine.progress(step)
    run = it.worker.runs["one"]
    assert (run.step, run.job.state) == (step, State.RUNNING)
    assert await it.state() is State.RUNNING
    it.engine.go.set()
    await making
    it.engine.progress(Step("making", 2, 4))
    assert run.step == step
    assert it.shown == [(State.RUNNING, None), (State.RUNNING, step)]


async def test_a_stop_ends_the_running_job_and_the_device_is_free(ledger: Ledger) -> None:
    it = bench(ledger, None)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    stopped = await it.worker.stop("one")
    assert stopped and stopped.state is State.CANCELLED
    assert await making == stopped == await ledger.find("one")
    assert it.engine.given_back == 1
    assert len(it.engine.asked) == 1
    assert (await it.worker.make(await it.job("two"))).state is State.MADE  # the next is untouched


async def test_a_stop_before_the_clock_reaches_no_engine(ledger: Ledger) -> None:
    it = bench(ledger)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await asyncio.sleep(0)  # it is being written as RUNNING
    assert "one" in it.worker.runs
    stopped = await it.worker.stop("one")
    assert stopped and stopped.state is State.CANCELLED
    assert await making == stopped
    assert it.engine.asked == []


async def test_stops_may_come_twice_and_while_the_engine_gives_the_device_back(ledger: Ledger) -> None:
    it = bench(ledger, None)
    it.engine.slow = asyncio.Event()
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    first = asyncio.create_task(it.worker.stop("one"))
    second = asyncio.create_task(it.worker.stop("one"))
    for _ in range(5):
        await asyncio.sleep(0)  # both are said, the engine is told
    third = asyncio.create_task(it.worker.stop("one"))
    await asyncio.sleep(0)
    it.engine.progress(Step("fetching", 1, 2))  # and still has something to say
    it.engine.slow.set()
    ends = await asyncio.gather(first, second, third, making)
    assert {end.state for end in ends if end} == {State.CANCELLED}
    assert it.shown == [(State.RUNNING, None)]


async def test_a_stop_that_the_engine_dies_of_is_a_stop(ledger: Ledger) -> None:
    it = bench(ledger, None)
    it.engine.dies = True
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    stopped = await it.worker.stop("one")
    assert stopped and stopped.state is State.CANCELLED
    assert await making == stopped
    assert len(it.engine.asked) == 1


async def test_an_engine_that_dies_when_its_time_is_up_is_not_asked_again(ledger: Ledger) -> None:
    it = bench(ledger, None, patience=0.3)
    it.engine.dies = True
    ended = await it.worker.make(await it.job())
    assert ended.failure and ended.failure.kind == "TimedOut"
    assert len(it.engine.asked) == 1


async def test_who_says_stop_and_goes_away_harms_nobody(ledger: Ledger) -> None:
    it = bench(ledger, None)
    it.engine.slow = asyncio.Event()
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    gone, other = (asyncio.create_task(it.worker.stop("one")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    it.engine.slow.set()
    assert (await making).state is State.CANCELLED
    assert await other == await making


async def test_a_stop_after_the_clip_was_made_says_so(ledger: Ledger) -> None:
    it = bench(ledger)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    stopped = await it.worker.stop("one")  # MADE is being written
    assert stopped == await making
    assert stopped and stopped.state is await it.state()


async def test_only_the_running_job_can_be_stopped(ledger: Ledger) -> None:
    it = bench(ledger)
    assert await it.worker.stop("one") is None
    await it.worker.make(await it.job())
    assert await it.worker.stop("one") is None


async def test_time_runs_out(ledger: Ledger) -> None:
    it = bench(ledger, None, patience=0.3)
    ended = await it.worker.make(await it.job())
    assert ended.failure and str(ended.failure.error()).startswith("The clip took longer than")
    assert ended.failure.kind == "TimedOut"
    assert it.engine.given_back == 1
    assert await it.state() is State.FAILED


async def test_a_timeout_of_the_engines_own_is_not_ours(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    it = bench(ledger, TimeoutError("a socket"))
    with caplog.at_level(logging.ERROR):
        ended = await it.worker.make(await it.job())
    assert ended.failure and ended.failure.kind == "EngineError"
    assert "met a bug" in caplog.text


async def test_fetching_weights_does_not_count(ledger: Ledger) -> None:
    it = bench(ledger, None, patience=0.5)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() - began < 0.8:
        it.engine.progress(Step("fetching", 1, 2))
        await asyncio.sleep(0.01)  # the download's own pace
    it.engine.go.set()
    assert (await making).state is State.MADE


async def test_loading_them_does_not_count(ledger: Ledger) -> None:
    it = bench(ledger, None, patience=0.3)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    it.engine.progress(Step("loading", 0, 1))
    await asyncio.sleep(0.6)  # the disk's own pace: one step, however long it takes
    it.engine.progress(Step("loading", 1, 1))
    it.engine.go.set()
    assert (await making).state is State.MADE


async def test_a_stop_is_heard_while_weights_are_loaded(ledger: Ledger) -> None:
    it = bench(ledger, None)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    it.engine.progress(Step("loading", 0, 1))
    stopped = await it.worker.stop("one")
    assert stopped and stopped.state is State.CANCELLED
    assert (await making).state is State.CANCELLED


@pytest.mark.parametrize("next_step", [Step("loading", 1, 1), Step("making", 0, 4)])
async def test_what_comes_after_loading_counts(ledger: Ledger, next_step: Step) -> None:
    it = bench(ledger, None, patience=0.3)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    for step in (Step("loading", 0, 1), next_step):
        it.engine.progress(step)
    ended = await making
    assert ended.failure and ended.failure.kind == "TimedOut"


async def test_an_engine_that_dies_gets_the_request_once_more(ledger: Ledger) -> None:
    it = bench(ledger, EngineDied("The engine died."), CLIP)
    assert (await it.worker.make(await it.job())).state is State.MADE
    assert len(it.engine.asked) == 2


async def test_a_request_that_kills_two_engines_is_given_up(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    it = bench(ledger, EngineDied("It died."), EngineDied("It died again."), CLIP)
    ended = await it.worker.make(await it.job())
    assert ended.failure and str(ended.failure.error()) == "It died again."
    assert len(it.engine.asked) == 2
    assert "job one" in caplog.text


@pytest.mark.parametrize("error", [EngineError("No."), OutOfMemory("Too little memory: {gib} GiB.", gib=4)])
async def test_what_the_engine_refuses_is_not_tried_again(ledger: Ledger, error: EngineError) -> None:
    it = bench(ledger, error)
    ended = await it.worker.make(await it.job())
    assert ended.failure and str(ended.failure.error()) == str(error)
    assert len(it.engine.asked) == 1
    assert await ledger.find("one") == ended


async def test_a_bug_ends_a_job_and_not_the_line(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    it = bench(ledger, ZeroDivisionError("oops"))
    with caplog.at_level(logging.ERROR):
        ended = await it.worker.make(await it.job())
    assert ended.state is State.FAILED
    assert "ZeroDivisionError" in caplog.text
    assert (await it.worker.make(await it.job("two"))).state is State.MADE


async def test_what_was_cancelled_in_the_ledger_is_not_made(ledger: Ledger) -> None:
    it = bench(ledger)
    job = await it.job()
    assert await ledger.record(job.cancelled(950.0))
    ended = await it.worker.make(job)
    assert ended.state is State.CANCELLED
    assert it.engine.asked == []


async def test_what_was_ended_elsewhere_while_it_was_made_is_not_delivered(ledger: Ledger) -> None:
    it = bench(ledger, None)
    job = await it.job()
    making = asyncio.create_task(it.worker.make(job))
    await it.engine.begun.wait()
    assert await ledger.record(job.running(950.0).cancelled(950.0))
    it.engine.go.set()
    assert (await making).state is State.CANCELLED


async def test_shutdown_puts_the_job_back_and_holds_nothing_against_it(ledger: Ledger) -> None:
    it = bench(ledger, None)
    job = await it.job()
    it.queue.put(job)
    serving = asyncio.create_task(it.worker.serve())
    await it.engine.begun.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert it.engine.given_back == 1
    back = await ledger.find(job.id)
    assert back and (back.state, back.attempts, back.started) == (State.WAITING, 0, 1000.0)
    assert it.worker.ended.empty()
    assert it.worker.runs == {}


async def test_shutdown_beats_a_stop(ledger: Ledger) -> None:
    it = bench(ledger, None)
    making = asyncio.create_task(it.worker.make(await it.job()))
    await it.engine.begun.wait()
    stopping = asyncio.create_task(it.worker.stop("one"))
    await asyncio.sleep(0)
    making.cancel()
    ends = await asyncio.gather(making, stopping, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    assert await it.state() is State.WAITING


async def test_it_serves_one_after_the_other(ledger: Ledger) -> None:
    it = bench(ledger, CLIP, EngineError("No."), CLIP)
    for name in ("one", "two", "three"):
        it.queue.put(await it.job(name))
    serving = asyncio.create_task(it.worker.serve())
    async with asyncio.timeout(40):
        ends = [await it.worker.ended.get() for _ in range(3)]
    assert [(end.id, end.state) for end in ends] == [
        ("one", State.MADE), ("two", State.FAILED), ("three", State.MADE),
    ]  # fmt: skip
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await it.queue.aclose()


async def test_what_failed_or_was_cancelled_does_not_count_against_the_limit(ledger: Ledger) -> None:
    it = bench(ledger, EngineError("No."), None, CLIP, CLIP)
    it.queue.tiers = {"everyone": Tier(10, rate=1, period=600.0)}
    serving = asyncio.create_task(it.worker.serve())
    for name in ("failed", "cancelled", "made", "throttled"):
        it.queue.put(await it.job(name))
    async with asyncio.timeout(40):
        assert (await it.worker.ended.get()).state is State.FAILED
        if len(it.engine.asked) < 2:
            it.engine.begun.clear()
            await it.engine.begun.wait()
        await it.worker.stop("cancelled")
        assert (await it.worker.ended.get()).state is State.CANCELLED
        assert (await it.worker.ended.get()).state is State.MADE
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(it.worker.ended.get(), 0.3)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await it.queue.aclose()
