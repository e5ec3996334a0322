"""What the core adds to an engine: time a job, files beside frames, commits, a cancel, a line taken up."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.beside import line
from bench.stage import Figures
from db.ledger import Ledger
from gen.courier import Courier
from gen.darkroom import Darkroom
from gen.host import Host
from gen.job import Asker, Clip, Job, Request, State, Task
from gen.ports import Engine, Posted, Progress, Step
from gen.prompt import Ask
from gen.queue import Queue, Tier
from gen.recipe import Recipe
from gen.shelf import Shelf
from gen.studio import Studio
from gen.worker import Worker

SMALL = Recipe(name="small", task=Task.TEXT, family="testcard", about="", sizes={"1:1": (64, 64)})
SLOW = Recipe(
    name="slow", task=Task.TEXT, family="testcard", about="", sizes={"1:1": (64, 64)},
    options={"step_seconds": 0.1},
)  # fmt: skip
NAPPING = Recipe(
    name="napping", task=Task.TEXT, family="testcard", about="", sizes={"1:1": (480, 480)}, clip_frames=16,
    options={"step_seconds": 0.03},
)  # fmt: skip
RECIPES = {recipe.name: recipe for recipe in (SMALL, SLOW, NAPPING)}
AMPLE = 10 * 2**20
ANN = Asker(user=1, channel=2)


async def rows(say: Callable[[str], None], jobs: int = 60, waiting: int = 10_000) -> Figures:
    """All of them."""
    found: Figures = {}
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found |= await overhead(Path(folder), say, jobs)
        found |= await beside(Path(folder), say)
        found |= await cancel(Path(folder), say)
        found |= await commits(Path(folder), say)
        found |= await recovery(Path(folder), say, waiting)
    return found


class Channel:
    """A delivery that takes everything at once."""

    def __init__(self) -> None:
        self.ended: asyncio.Queue[Job] = asyncio.Queue()
        self.posts = 0
        self.steps: list[float] = []  # when each was heard of

    def show(self, job: Job, step: Step | None = None) -> None:
        """Hears of steps, and of the end."""
        if step and step.stage == "making":
            self.steps.append(time.perf_counter())
        if job.state in (State.POSTED, State.FAILED):
            self.ended.put_nowait(job)

    async def take_back(self, job: Job) -> None:
        """Nothing is forgotten here."""

    async def post(self, job: Job) -> Posted:
        """Takes the clip."""
        self.posts += 1
        return Posted(self.posts, job.asker.channel)


@asynccontextmanager
async def studio(folder: Path, host: Engine) -> AsyncIterator[tuple[Studio, Channel]]:
    """The core, wired as in the bot."""
    channel = Channel()
    async with Ledger.open(folder / "core.db") as ledger, Darkroom(folder, environ=os.environ) as darkroom:
        queue = Queue({"everyone": Tier(10**6, 10**6)})
        worker = Worker(queue, host, ledger, patience=60, show=channel.show)
        house = Studio(
            recipes=RECIPES, defaults={Task.TEXT: "small"}, queue=queue, worker=worker,
            courier=Courier(worker.ended, channel, ledger), ledger=ledger, darkroom=darkroom,
            chance=random.SystemRandom(), shelf=Shelf(folder),
        )  # fmt: skip
        running = asyncio.create_task(house.run())
        try:
            yield house, channel
        finally:
            running.cancel()
            await asyncio.wait([running])
            await queue.aclose()


class Clocked:
    """An engine, and when it was at work."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.times: list[tuple[float, float, float]] = []  # begun, device free, clip there

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str) -> Clip:
        """As the host's own."""
        began, freed = time.perf_counter(), 0.0

        def hear(step: Step) -> None:
            nonlocal freed
            if step.off_device:
                freed = freed or time.perf_counter()
            progress(step)

        try:
            return await self.host.make(request, hear, limit=limit)
        finally:
            ended = time.perf_counter()
            self.times.append((began, freed or ended, ended))


async def overhead(folder: Path, say: Callable[[str], None], jobs: int) -> Figures:
    """Milliseconds that the device stands idle between two jobs of a line, beside the engine's own; and
    milliseconds that a lone job takes from asking to POSTED more than the bare engine takes."""
    lone = []
    async with engine(folder) as host:
        clocked = Clocked(host)
        async with studio(folder, clocked) as (house, channel):
            for number in range(5 + jobs):
                began = time.perf_counter()
                await house.submit(Task.TEXT, f"a star -seed {number}", {}, [], ANN)
                await channel.ended.get()
                lone.append(time.perf_counter() - began)
            took = [end - start for start, _, end in clocked.times]
            for number in range(jobs):
                await house.submit(Task.TEXT, f"a star -seed {number}", {}, [], ANN)
            for _ in range(jobs):
                await channel.ended.get()
    last = clocked.times[-jobs // 2 :]  # all had been asked for by then
    idle = statistics.median(after[0] - before[1] for before, after in pairwise(last)) * 1e3
    alone = statistics.median(took[5:]) * 1e3
    more = statistics.median(whole - bare for whole, bare in zip(lone[5:], took[5:], strict=True)) * 1e3
    flush = await asyncio.to_thread(_flush, folder / "flush")
    say(
        f"{idle:7.2f} ms a job over the bare engine's {alone:.2f} ms   (a flush of this disk: {flush:.2f} ms)"
    )
    say(f"{more:7.2f} ms more for a lone job, asked to posted: three writes that survive a power loss")
    return {
        "overhead.p50_ms": round(idle, 2), "overhead.lone_p50_ms": round(more, 2),
        "overhead.bare_engine_p50_ms": round(alone, 2), "overhead.flush_ms": round(flush, 2),
    }  # fmt: skip


def _flush(path: Path, times: int = 30) -> float:
    """Milliseconds that the disk takes to keep 4 KiB for good."""
    took = []
    with path.open("wb") as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


async def beside(folder: Path, say: Callable[[str], None], jobs: int = 12) -> Figures:
    """How many times as many clips are made when files are made beside frames, and the part of the time in
    which the device was at work. It is one that sleeps, and leaves the processor alone."""
    requests = [NAPPING.request(Ask(prompt="a red star"), [], seed) for seed in range(jobs)]
    async with engine(folder) as host:
        await line(host, requests[:2], limit=AMPLE, beside=True)
        alone = await line(host, requests, limit=AMPLE, beside=False)
        both = await line(host, requests, limit=AMPLE, beside=True)
    times = alone.seconds / both.seconds
    say(
        f"{times:7.2f} times as many clips with files beside frames, the device busy for {both.busy:.0%} "
        f"of the time   (one after the other: {alone.busy:.0%})"
    )
    return {
        "beside.times": round(times, 2), "beside.busy": round(both.busy, 3),
        "beside.busy_alone": round(alone.busy, 3),
    }  # fmt: skip


async def cancel(folder: Path, say: Callable[[str], None], times: int = 5) -> Figures:
    """Steps from the cancel of a running clip to a free device."""
    waits = []
    async with engine(folder) as host:
        clocked = Clocked(host)
        async with studio(folder, clocked) as (house, channel):
            for number in range(times):
                channel.steps.clear()
                job = await house.submit(Task.TEXT, f"a star -model slow -seed {number}", {}, [], ANN)
                while len(channel.steps) < 4:  # noqa: ASYNC110 - the bench looks on, it is told nothing
                    await asyncio.sleep(0.01)
                usual = statistics.median(later - sooner for sooner, later in pairwise(channel.steps))
                began = time.perf_counter()
                ended = await house.cancel(job.id, user=ANN.user)
                assert ended.state is State.CANCELLED
                waits.append((clocked.times[-1][2] - began) / usual)
    say(f"{max(waits):7.2f} steps at most, each of 0.1 s, until a cancelled clip has freed the device")
    return {"cancel.steps_most": round(max(waits), 2), "cancel.steps_p50": round(statistics.median(waits), 2)}


async def commits(folder: Path, say: Callable[[str], None], jobs: int = 1000) -> Figures:
    """Durable writes a second, many at once, beside one after the other in plain sqlite3, as durable."""
    async with Ledger.open(folder / "commits.db") as ledger:
        new = [_job(f"commit{number}") for number in range(jobs)]
        began = time.perf_counter()
        await asyncio.gather(*(ledger.add(job) for job in new))
        ours = jobs / (time.perf_counter() - began)
    plain = await asyncio.to_thread(_plain, folder / "plain.db", jobs // 5)
    say(f"{ours:7.0f} durable writes/s by many at once   (plain sqlite3, one by one: {plain:.0f}/s)")
    return {"commits.per_s": round(ours), "commits.plain_per_s": round(plain)}


async def recovery(folder: Path, say: Callable[[str], None], waiting: int) -> Figures:
    """Milliseconds until a line so long is back in memory, its table open already."""
    path = folder / "line.db"
    async with Ledger.open(path) as ledger:
        await asyncio.gather(*(ledger.add(job) for job in waiting_jobs(waiting)))
    took = min([await _taken_up(path, waiting) for _ in range(3)])
    bare = await asyncio.to_thread(_read, path)
    say(f"{took:7.0f} ms until {waiting} waiting jobs are in line again   (bare sqlite3: {bare:.0f} ms)")
    return {"recovery.ms": round(took), "recovery.jobs": waiting, "recovery.bare_read_ms": round(bare)}


async def _taken_up(path: Path, waiting: int) -> float:
    async with Ledger.open(path) as ledger:
        queue = Queue({"everyone": Tier(10**6, 10**6)})
        began = time.perf_counter()
        for job in await ledger.unfinished():
            queue.put(job)
        took = (time.perf_counter() - began) * 1e3
        assert len(queue) == waiting
        await queue.aclose()
    return took


def engine(folder: Path) -> Host:
    """The real engine."""
    return Host(RECIPES, folder, cache=folder / "weights", environ=os.environ)


def waiting_jobs(count: int) -> list[Job]:
    """So many jobs of 500 people, as they stand in the ledger."""
    return [_job(f"wait{number}", number % 500) for number in range(count)]


def _job(name: str, user: int = 1) -> Job:
    request = SMALL.request(Ask(prompt="a star"), [], 1)
    return Job(id=name, request=request, asker=Asker(user=user + 1, channel=2), words="a star", created=1.0)


def _plain(path: Path, jobs: int) -> float:
    with sqlite3.connect(path, isolation_level=None) as table:
        table.execute("PRAGMA journal_mode = WAL")
        table.execute("PRAGMA synchronous = FULL")
        table.execute("CREATE TABLE job (id TEXT PRIMARY KEY, words TEXT)")
        began = time.perf_counter()
        for number in range(jobs):
            table.execute("INSERT INTO job VALUES (?, ?)", (f"plain{number}", "a star" * 50))
        return jobs / (time.perf_counter() - began)


def _read(path: Path) -> float:
    with sqlite3.connect(path) as table:
        began = time.perf_counter()
        table.execute("SELECT * FROM jobs").fetchall()
        return (time.perf_counter() - began) * 1e3
