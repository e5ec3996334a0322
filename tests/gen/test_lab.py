"""The lab beside the engine: one clip becomes a file while the next one is made; neither harms the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio

from db.ledger import Ledger
from gen import encode
from gen.host import Host
from gen.job import Asker, Job, State
from gen.ports import Step
from gen.process import Patience
from gen.queue import Queue, Tier
from gen.worker import Worker
from tests.gen.conftest import asked, recipes

Hosts = Callable[..., Host]


class Turn(asyncio.Lock):
    """The lab's turn, and how often it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Semaphore(0)

    async def acquire(self) -> Literal[True]:
        self.asked.release()
        return await super().acquire()


@dataclass
class Floor:
    """A worker with a real queue, ledger and host, whose lab can be held."""

    worker: Worker
    host: Host
    ledger: Ledger
    serving: asyncio.Task[None]
    turn: Turn = field(default_factory=Turn)
    seen: list[tuple[str, Step | None]] = field(default_factory=list)
    reels: int = 0  # that were there at once
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def show(self, job: Job, step: Step | None) -> None:
        """Remembers, and counts the frames that are kept."""
        self.seen.append((job.id, step))
        self.reels = max(self.reels, len(list((self.host.data / "reels").glob("*"))))
        self._news.set()

    async def put(self, *names: str, recipe: str = "quick", frames: int = 8) -> None:
        """Jobs into the line."""
        for name in names:
            request = asked(recipe, frames=frames, seed=len(name))
            job = Job(id=name, request=request, asker=Asker(user=1, channel=2), created=float(len(self.seen)))
            await self.ledger.add(job)
            self.worker.queue.put(job)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for something that a step tells."""
        async with asyncio.timeout(40):
            while not true():
                self._news.clear()
                await self._news.wait()

    def steps(self, name: str, stage: str) -> list[int]:
        """What was done of that stage of a job, as it was told."""
        return [step.done for job, step in self.seen if job == name and step and step.stage == stage]

    async def held(self) -> int:
        """Has the lab started, and stops its process until it is let go."""
        await self.host.start("quick")
        pid = (await self.host.lab._ready()).pid
        os.kill(pid, signal.SIGSTOP)
        return pid

    async def wanted(self, times: int) -> None:
        """Waits until so many clips, with their frames, have asked for the lab."""
        async with asyncio.timeout(40):
            for _ in range(times):
                await self.turn.asked.acquire()

    async def beside(self, *, frames: int = 8) -> int:
        """One job's file is held in the lab, the next one's frames are being made."""
        pid = await self.held()
        await self.put("first")
        await self.put("second", recipe="slow", frames=frames)
        await self.until(lambda: bool(self.steps("second", "making")))
        assert list(self.worker.runs) == ["first", "second"]
        assert self.worker.runs["first"].freed is not None
        return pid

    async def close(self) -> None:
        """The bot stops."""
        self.serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.serving

    async def end(self) -> Job:
        """The next job that ends."""
        async with asyncio.timeout(40):
            return await self.worker.ended.get()


@pytest_asyncio.fixture
async def floors(tmp_path: Path, hosts: Hosts) -> AsyncIterator[Callable[..., Floor]]:
    """Starts a floor over the test's folder."""
    async with contextlib.AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger.open(tmp_path / "zoetrope.sqlite"))
        floors: list[Floor] = []

        def start(**options: object) -> Floor:
            queue = Queue({"everyone": Tier(100, 100)})
            stack.push_async_callback(queue.aclose)
            host = hosts(**options)
            worker = Worker(queue, host, ledger, patience=60.0, show=lambda job, step: floor.show(job, step))
            floor = Floor(worker, host, ledger, asyncio.create_task(worker.serve()))
            host.lab.turn = floor.turn
            floors.append(floor)
            return floor

        yield start
        for floor in floors:
            await floor.close()


Floors = Callable[..., Floor]


async def test_the_next_clip_s_frames_are_made_while_a_file_is(floors: Floors, tmp_path: Path) -> None:
    floor = floors()
    lab = await floor.beside()
    assert floor.worker.ended.empty()
    assert floor.steps("first", "encoding") == [0]  # it was taken up, and no frame of it is written
    os.kill(lab, signal.SIGCONT)
    first, second = await floor.end(), await floor.end()
    assert [(job.id, job.state) for job in (first, second)] == [("first", State.MADE), ("second", State.MADE)]
    for job in (first, second):
        assert job.clip
        assert len(encode.frames(tmp_path / "clips" / job.clip.file)) == 8
        assert job.attempts == 1
    assert not list((tmp_path / "reels").iterdir())


async def test_no_more_than_one_clip_s_frames_wait_for_the_lab(floors: Floors) -> None:
    floor = floors()
    lab = await floor.held()
    await floor.put("a", "bb", "ccc", "dddd")
    await floor.wanted(2)
    assert list(floor.worker.runs) == ["a", "bb"]
    assert len(floor.worker.queue) == 2
    assert floor.worker.runs["bb"].freed is None  # the device waits with its frames
    assert floor.host._turn.locked()
    os.kill(lab, signal.SIGCONT)
    ends = [await floor.end() for _ in range(4)]
    assert [end.state for end in ends] == [State.MADE] * 4
    assert floor.reels <= 2


async def test_a_cancel_of_a_clip_in_the_lab_leaves_the_next_one_alone(
    floors: Floors, tmp_path: Path
) -> None:
    floor = floors(patience=Patience(cancel=0.2))
    await floor.beside()
    engine = floor.host.pid
    stopped = await floor.worker.stop("first")  # the lab, which is held, does not hear of it and is killed
    assert stopped and stopped.state is State.CANCELLED
    assert await floor.end() == stopped == await floor.ledger.find("first")
    second = await floor.end()
    assert (second.id, second.state, second.attempts) == ("second", State.MADE, 1)
    assert floor.steps("second", "making") == list(range(1, 9))
    assert floor.host.pid == engine
    assert second.clip and {file.name for file in (tmp_path / "clips").iterdir()} == {second.clip.file}


async def test_a_cancel_of_the_next_clip_leaves_the_one_in_the_lab_alone(floors: Floors) -> None:
    floor = floors()
    lab = await floor.beside(frames=400)
    done = len(floor.steps("second", "making"))
    stopped = await floor.worker.stop("second")
    assert stopped and stopped.state is State.CANCELLED
    assert len(floor.steps("second", "making")) <= done + 1
    os.kill(lab, signal.SIGCONT)
    ends = {(end.id, end.state) for end in (await floor.end(), await floor.end())}
    assert ends == {("second", State.CANCELLED), ("first", State.MADE)}


async def test_a_cancel_of_a_clip_that_waits_for_the_lab(floors: Floors, tmp_path: Path) -> None:
    floor = floors()
    lab = await floor.held()
    await floor.put("a", "bb", "ccc")
    await floor.wanted(2)
    stopped = await floor.worker.stop("bb")
    assert stopped and stopped.state is State.CANCELLED
    os.kill(lab, signal.SIGCONT)
    ends = {(await floor.end()).id for _ in range(3)}
    assert ends == {"a", "bb", "ccc"}
    assert not list((tmp_path / "reels").iterdir())


async def test_a_lab_that_dies_costs_one_more_try_and_no_frame(floors: Floors) -> None:
    floor = floors()
    lab = await floor.beside()
    engine = floor.host.pid
    os.kill(lab, signal.SIGKILL)
    first, second = sorted([await floor.end(), await floor.end()], key=lambda job: job.id)
    assert [(job.state, job.attempts) for job in (first, second)] == [(State.MADE, 1)] * 2
    assert floor.steps("first", "making") == floor.steps("second", "making") == list(range(1, 9))
    assert floor.host.pid == engine
    assert floor.host.lab.pid != lab
    assert not floor.worker.breaker.died_in_all


async def test_a_lab_that_hangs_is_killed_and_followed_by_another(floors: Floors) -> None:
    floor = floors(patience=Patience(film=3.0))
    lab = await floor.beside()
    first, second = sorted([await floor.end(), await floor.end()], key=lambda job: job.id)
    assert [(job.state, job.attempts) for job in (first, second)] == [(State.MADE, 1)] * 2
    assert floor.host.lab.pid != lab


async def test_a_clip_that_no_lab_can_end_is_given_up_alone(floors: Floors) -> None:
    floor = floors()
    lab = await floor.beside(frames=20)
    environ = floor.host.lab._environ
    floor.host.lab._environ = {**environ, "PYTHONHOME": "/nowhere"}  # none can start
    os.kill(lab, signal.SIGKILL)
    first = await floor.end()
    floor.host.lab._environ = environ
    assert (first.id, first.state) == ("first", State.FAILED)
    assert first.failure and "its file could not be written" in str(first.failure.error())
    second = await floor.end()
    assert (second.id, second.state) == ("second", State.MADE)
    assert not floor.worker.breaker.died_in_all


async def test_an_engine_that_dies_leaves_the_clip_in_the_lab_alone(floors: Floors) -> None:
    floor = floors()
    lab = await floor.beside(frames=20)
    engine = floor.host.pid
    assert engine
    os.kill(engine, signal.SIGKILL)
    await floor.until(lambda: floor.steps("second", "making").count(1) == 2)  # it is begun anew
    assert floor.host.lab.pid == lab
    os.kill(lab, signal.SIGCONT)
    ends = [await floor.end() for _ in range(2)]
    assert [(end.id, end.state) for end in ends] == [("first", State.MADE), ("second", State.MADE)]
    assert floor.steps("first", "making") == list(range(1, 9))
    assert floor.worker.breaker.died_in_all == {"slow": 1}


async def test_a_shutdown_puts_both_clips_back_into_the_line(floors: Floors, tmp_path: Path) -> None:
    floor = floors(patience=Patience(cancel=0.2))
    await floor.beside(frames=400)
    await floor.close()
    jobs = await floor.ledger.unfinished()
    assert [(job.id, job.state) for job in jobs] == [("first", State.WAITING), ("second", State.WAITING)]
    assert floor.worker.runs == {}
    assert floor.worker.ended.empty()
    assert not list((tmp_path / "clips").iterdir()) + list((tmp_path / "reels").iterdir())


async def test_smoothing_is_the_lab_s_work(hosts: Hosts) -> None:
    seen: list[Step] = []
    clip = await hosts().make(asked(smooth=2), seen.append, limit=10**7)
    assert (clip.frames, clip.fps) == (15, 16)
    stages = list(dict.fromkeys(step.stage for step in seen))
    assert stages == ["loading", "making", "smoothing", "encoding"]
    assert [step.done for step in seen if step.stage == "smoothing"] == list(range(8))
    assert [step.off_device for step in seen] == [step.stage in stages[2:] for step in seen]


async def test_the_lab_s_bounds_are_held_by_the_system(hosts: Hosts) -> None:
    host = hosts()
    await host.make(asked(), lambda step: None, limit=10**7)
    limits = Path(f"/proc/{host.lab.pid}/limits").read_text()
    rows = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()[1:]}
    frames = 8 * 96 * 64 * 3
    assert int(rows["Max file size"]) == frames + 2**20
    assert int(rows["Max data size"]) == 2 * frames + 3 * 2**30
    assert rows["Max core file size"] == "0"


async def test_a_refused_clip_leaves_no_frames(hosts: Hosts, tmp_path: Path) -> None:
    host = hosts()
    host.recipes = {**recipes(), "small": replace(recipes()["quick"], name="small")}
    with pytest.raises(Exception, match="does not fit"):
        await host.make(asked("small"), lambda step: None, limit=500)
    assert not list((tmp_path / "reels").iterdir()) + list((tmp_path / "clips").iterdir())
