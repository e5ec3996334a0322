"""The worker takes jobs from the line one by one, drives an engine, and hands on what ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

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


class Worker:
    """One engine's loop."""

    def __init__(
        self,
        queue: Queue,
        engine: Engine,
        ledger: Ledger,
        *,
        patience: float,  # seconds a clip may take, downloads apart
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
        self.job: Job | None = None  # in the engine now
        self.step: Step | None = None  # how far it is
        self.pace = Pace()
        self.breaker = breaker or Breaker()
        self._stopped = False  # someone who may has said that the running job is to end
        self._clock: asyncio.Timeout | None = None
        self._result: asyncio.Future[Job]

    async def serve(self) -> None:
        """Makes clips for ever."""
        while True:
            job = await self.queue.get()
            with work_on(job.id):
                self.ended.put_nowait(await self.make(job))

    async def stop(self, job_id: str) -> Job | None:
        """Ends the running job and returns it as it then is; None when it is not the running one."""
        if self.job is None or self.job.id != job_id:
            return None
        self._stopped = True
        if self._clock and not self._clock.expired():
            self._clock.reschedule(asyncio.get_running_loop().time())
        return await asyncio.shield(self._result)

    async def make(self, job: Job) -> Job:
        """The job, ended or MADE, as the ledger has it. Cancelled, it stays RUNNING there."""
        self.job = job = job.running(self.now())
        self._stopped = False
        self._result = asyncio.get_running_loop().create_future()
        try:
            ended = await self._written(job)
            if ended is job:  # else another hand was first, and nothing is to be made
                ended = await self._written(await self._outcome(job))
            self._result.set_result(ended)
        finally:
            self._result.cancel()  # of no effect once it has a result
            self.job = self.step = None
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
        return await self.ledger.find(job.id) or replace(job, state=State.CANCELLED, clip=None)

    async def _outcome(self, job: Job) -> Job:
        try:
            self.show(job, None)
            ended = job.made(await self._drive(job))
        except ZoetropeError as error:
            ended = job.failed(error, self.now())
        except Exception:  # a bug ends a job, never the line
            log.exception("job %s met a bug", job.id)
            fault = EngineError("Something broke inside the bot; the operator's log says what.")
            ended = job.failed(fault, self.now())
        if self._stopped:
            return job.cancelled(self.now())
        if ended.failure:
            log.warning("job %s failed: %s", job.id, ended.failure.error())
        return ended

    async def _drive(self, job: Job) -> Clip:
        """The engine's clip; a request whose engine dies is tried once more."""
        recipe = job.request.recipe
        for life in range(1, LIVES + 1):
            self.breaker.begin(recipe)
            try:
                clip = await self._timed(job)
            except EngineDied as error:
                log.warning("job %s: the engine died (%d of %d): %s", job.id, life, LIVES, error)
                self.breaker.died(recipe)
                if life == LIVES:
                    log.error("job %s (model %s) ended %d engines and is given up", job.id, recipe, LIVES)
                    raise
            else:
                self.breaker.made(recipe)
                return clip
        raise AssertionError("unreachable")

    async def _timed(self, job: Job) -> Clip:
        """The engine's clip, in time: a stop is no more than a deadline that is now. Raises TimedOut."""
        loop = asyncio.get_running_loop()
        clock = asyncio.timeout(0 if self._stopped else self.patience)

        def progress(step: Step) -> None:
            if self.job is not job or clock.expired():
                return  # the last words of an engine that was told to end
            self.step = step
            if step.stage == "fetching" and not self._stopped:
                clock.reschedule(loop.time() + self.patience)
            self.show(job, step)

        try:
            async with clock:
                self._clock = clock
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
            self._clock = None
