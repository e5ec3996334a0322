"""The worker takes jobs from the line one by one, drives an engine, and hands on what ended.

What a job waits for is the device. It is free as soon as a clip's frames are done: the next job begins then,
beside the one whose file is made. Each job in the making is a `Run` with a clock and an end of its own: what
befalls one is nothing to the other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from gen.breaker import Breaker
from gen.errors import EngineDied, EngineError, TimedOut, ZoetropeError
from gen.job import Clip, Job, State
from gen.pace import Pace
from gen.ports import Engine, Ledger, Step
from gen.queue import Queue
from gen.trace import work_on

log = logging.getLogger(__name__)

#: Engines a request may end before it is given up.
LIVES = 2


class Run:
    """One job in the making. Needs a running loop."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.step: Step | None = None  # how far it is
        self.freed: float | None = None  # when its frames were done, in seconds since 1970
        self.off_device = asyncio.Event()  # the next job may begin
        self.stopped = False  # someone who may has said that it is to end
        self.clock: asyncio.Timeout | None = None
        self.result: asyncio.Future[Job] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        """Moves its deadline to now."""
        self.stopped = True
        if self.clock and not self.clock.expired():
            self.clock.reschedule(asyncio.get_running_loop().time())


class Worker:
    """One engine's loop."""

    def __init__(
        self,
        queue: Queue,
        engine: Engine,
        ledger: Ledger,
        *,
        patience: float,  # seconds a clip may take, without what its weights take until they are loaded
        show: Callable[[Job, Step | None], None],
        breaker: Breaker | None = None,
        limit: Callable[[Job], int] = lambda job: job.asker.limit,  # bytes that its clip may have
        now: Callable[[], float] = time.time,
    ) -> None:
        self.queue = queue
        self.engine = engine
        self.ledger = ledger
        self.patience = patience
        self.show = show
        self.limit = limit
        self.now = now
        self.ended: asyncio.Queue[Job] = asyncio.Queue()
        self.runs: dict[str, Run] = {}  # in the making, the oldest first; all but the last are off the device
        self.pace = Pace()
        self.breaker = breaker or Breaker()

    async def serve(self) -> None:
        """Makes clips for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    run = self._begin(await self.queue.get())
                    group.create_task(self._serve(run), name=f"make-{run.job.id}")
                    await run.off_device.wait()
        finally:
            for run in self.runs.values():  # at most one, which was cancelled before it had begun
                run.result.cancel()
            self.runs.clear()

    async def stop(self, job_id: str) -> Job | None:
        """Ends a job in the making and returns it as it then is; None when it is not one."""
        run = self.runs.get(job_id)
        if run is None:
            return None
        run.stop()
        return await asyncio.shield(run.result)

    async def make(self, job: Job) -> Job:
        """The job, ended or MADE, as the ledger has it. Cancelled, it goes back into the line there."""
        return await self._make(self._begin(job))

    def _begin(self, job: Job) -> Run:
        """From here on the job can be stopped."""
        run = self.runs[job.id] = Run(job.running(self.now()))
        return run

    async def _serve(self, run: Run) -> None:
        with work_on(run.job.id):
            self.ended.put_nowait(await self._make(run))

    async def _make(self, run: Run) -> Job:
        try:
            ended = await self._written(run.job)
            if ended is run.job:  # else another hand was first, and nothing is to be made
                ended = await self._written(await self._outcome(run))
            run.result.set_result(ended)
        except asyncio.CancelledError:
            await self.ledger.record(run.job.put_back())  # unless it has ended there
            raise
        finally:
            run.result.cancel()  # of no effect once it has a result
            del self.runs[run.job.id]
            run.off_device.set()
        if ended.state is State.MADE:
            self.pace.note(ended)
        elif ended.state in (State.FAILED, State.CANCELLED):
            self.queue.refund(ended)
        return ended

    async def _written(self, job: Job) -> Job:
        """`job`, or what the ledger has instead; a job that was forgotten there ends without a clip."""
        if await self.ledger.record(job):
            return job
        log.warning("job %s: the ledger would not have it %s", job.id, job.state)
        return await self.ledger.find(job.id) or job.forgotten()

    async def _outcome(self, run: Run) -> Job:
        job = run.job
        try:
            self.show(job, None)
            ended = job.made(await self._drive(run))
        except ZoetropeError as error:
            ended = job.failed(error, self.now())
        except Exception:  # a bug ends a job, never the line
            log.exception("job %s met a bug", job.id)
            fault = EngineError("Something broke inside the bot; the operator's log says what.")
            ended = job.failed(fault, self.now())
        if run.stopped:
            return job.cancelled(self.now())
        if ended.failure:
            log.warning("job %s failed: %s", job.id, ended.failure.error())
        return ended

    async def _drive(self, run: Run) -> Clip:
        """The engine's clip; a request whose engine dies is tried once more."""
        job, recipe = run.job, run.job.request.recipe
        for life in range(1, LIVES + 1):
            self.breaker.begin(recipe)
            try:
                clip = await self._timed(run)
            except EngineDied as error:
                log.warning("job %s: the engine died (%d of %d): %s", job.id, life, LIVES, error)
                self.breaker.died(recipe)
                if life == LIVES:
                    log.error("job %s (model %s) ended %d engines and is given up", job.id, recipe, LIVES)
                    raise
            else:
                self._framed(run)
                return clip
        raise AssertionError("unreachable")

    async def _timed(self, run: Run) -> Clip:
        """The engine's clip, in time: a stop is no more than a deadline that is now. Raises TimedOut."""
        job = run.job
        clock = asyncio.timeout(0 if run.stopped else self.patience)

        def progress(step: Step) -> None:
            if self.runs.get(job.id) is not run or clock.expired():
                return  # the last words of an engine that was told to end
            run.step = step
            if step.off_device:
                self._framed(run)
                run.off_device.set()
            if not run.stopped:
                self._wind(clock, step)
            self.show(job, step)

        try:
            async with clock:
                run.clock = clock
                await asyncio.sleep(0)  # a stop that came before the clock did is met here, not in the engine
                return await self.engine.make(
                    job.request, progress, limit=self.limit(job), found=job.asker.found
                )
        except (TimeoutError, EngineError) as error:
            if clock.expired():
                minutes = f"{self.patience / 60:g}"
                raise TimedOut("The clip took longer than {minutes} minutes.", minutes=minutes) from error
            raise  # the engine's own: a TimeoutError of its is a bug
        finally:
            run.clock = None

    def _wind(self, clock: asyncio.Timeout, step: Step) -> None:
        """Weights take none of a clip's time. While they are loaded, which has no steps, the clock stands: an
        engine that hangs is then found out by its host."""
        if step.stage == "loading" and step.done < step.total:
            clock.reschedule(None)
        elif step.stage in ("fetching", "loading") or clock.when() is None:
            clock.reschedule(asyncio.get_running_loop().time() + self.patience)

    def _framed(self, run: Run) -> None:
        """The run's frames are done: its recipe works, whatever becomes of the file."""
        if run.freed is None:
            run.freed = self.now()
            self.breaker.made(run.job.request.recipe)
