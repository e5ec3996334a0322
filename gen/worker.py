"""The worker takes jobs from the line one by one, drives an engine, and hands on what ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from gen.errors import EngineDied, EngineError, TimedOut, ZoetropeError
from gen.job import Clip, Job
from gen.ports import Engine, Ledger, Step
from gen.queue import Queue

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
        now: Callable[[], float] = time.time,
    ) -> None:
        self.queue = queue
        self.engine = engine
        self.ledger = ledger
        self.patience = patience
        self.show = show
        self.now = now
        self.ended: asyncio.Queue[Job] = asyncio.Queue()
        self.job: Job | None = None  # in the engine now
        self.step: Step | None = None  # how far it is
        self._stopped: set[str] = set()
        self._clock: asyncio.Timeout | None = None
        self._result: asyncio.Future[Job]

    async def serve(self) -> None:
        """Makes clips for ever."""
        while True:
            self.ended.put_nowait(await self.make(await self.queue.get()))

    async def stop(self, job_id: str) -> Job | None:
        """Ends the running job and returns it as it then is; None when it is not the running one."""
        if self.job is None or self.job.id != job_id:
            return None
        self._stopped.add(job_id)
        if self._clock:
            self._clock.reschedule(asyncio.get_running_loop().time())
        return await asyncio.shield(self._result)

    async def make(self, job: Job) -> Job:
        """The job, ended or MADE, as the ledger has it. Cancelled, it stays RUNNING there."""
        self.job = job = job.running(self.now())
        self._result = asyncio.get_running_loop().create_future()
        try:
            await self.ledger.record(job)
            self.show(job, None)
            ended = await self._outcome(job)
            await self.ledger.record(ended)
            self._result.set_result(ended)
        finally:
            self._result.cancel()  # of no effect once it has a result
            self._stopped.discard(job.id)
            self.job = self.step = None
        return ended

    async def _outcome(self, job: Job) -> Job:
        try:
            clip = await self._drive(job)
        except TimeoutError:
            if job.id in self._stopped:
                return job.cancelled(self.now())
            minutes = f"{self.patience / 60:g}"
            return job.failed(
                TimedOut("The clip took longer than {minutes} minutes.", minutes=minutes), self.now()
            )
        except ZoetropeError as error:
            log.warning("job %s failed: %s", job.id, error)
            return job.failed(error, self.now())
        except Exception:  # a bug ends a job, never the line
            log.exception("job %s met a bug", job.id)
            fault = EngineError("Something broke inside the bot; the operator's log says what.")
            return job.failed(fault, self.now())
        return job.cancelled(self.now()) if job.id in self._stopped else job.made(clip)

    async def _drive(self, job: Job) -> Clip:
        """The engine's clip; a request whose engine dies is tried once more."""
        for life in range(1, LIVES + 1):
            try:
                return await self._timed(job)
            except EngineDied as error:
                log.warning("job %s: the engine died (%d of %d): %s", job.id, life, LIVES, error)
                if life == LIVES:
                    raise
        raise AssertionError("unreachable")

    async def _timed(self, job: Job) -> Clip:
        loop = asyncio.get_running_loop()

        def progress(step: Step) -> None:
            self.step = step
            if step.stage == "fetching" and job.id not in self._stopped:
                clock.reschedule(loop.time() + self.patience)
            self.show(job, step)

        try:
            async with asyncio.timeout(self.patience) as clock:
                self._clock = clock
                if job.id in self._stopped:
                    clock.reschedule(loop.time())
                return await self.engine.make(job.request, progress, limit=job.asker.limit)
        finally:
            self._clock = None
