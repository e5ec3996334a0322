"""The courier posts what was made, beside the worker, so that no upload ever holds the device."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from gen.errors import Undeliverable, Unreachable
from gen.job import Job, State
from gen.ports import Delivery, Ledger
from gen.trace import work_on

log = logging.getLogger(__name__)

#: Seconds before each further try to post a clip; after the last it stays MADE until the next start.
WAITS = (1.0, 5.0, 20.0, 60.0, 180.0, 600.0, *[3600.0] * 24)


class Courier:
    """Delivers ended jobs, several at a time."""

    def __init__(
        self,
        ended: asyncio.Queue[Job],
        delivery: Delivery,
        ledger: Ledger,
        *,
        refund: Callable[[Job], None] = lambda job: None,  # of what it cost, when nobody gets the clip
        hands: int = 4,
        waits: Sequence[float] = WAITS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ended = ended
        self.delivery = delivery
        self.ledger = ledger
        self.refund = refund
        self.hands = asyncio.Semaphore(hands)
        self.waits = waits
        self.now = now
        self.trying = 0  # clips that are being posted now

    async def serve(self) -> None:
        """Delivers for ever; what is under way when it is cancelled is delivered after the next start."""
        async with asyncio.TaskGroup() as group:
            while True:
                job = await self.ended.get()
                group.create_task(self.deliver(job), name=f"deliver-{job.id}")

    async def deliver(self, job: Job) -> Job:
        """Posts a MADE job, again and again if need be, and shows how it ended, as the ledger has it."""
        with work_on(job.id):
            if job.state is State.MADE:
                job = await self._post(job)
            self.delivery.show(job)
        return job

    async def _post(self, job: Job) -> Job:
        for wait in (0.0, *self.waits):
            await asyncio.sleep(wait)
            if await self.ledger.find(job.id) is None:
                return job.forgotten()
            ended = await self._try(job)
            if ended is not job:
                return await self._written(ended)
        return job

    async def _written(self, job: Job) -> Job:
        """`job`, or what the ledger has instead; the clip of one that was forgotten is taken back."""
        if await self.ledger.record(job):
            if job.state is State.FAILED:
                self.refund(job)
            return job
        log.warning("job %s: the ledger would not have it %s", job.id, job.state)
        if (found := await self.ledger.find(job.id)) is not None:
            return found
        if job.state is State.POSTED:
            await self.delivery.take_back(job)
        return job.forgotten()

    async def _try(self, job: Job) -> Job:
        """The job POSTED or FAILED; the job itself when another try may work."""
        self.trying += 1
        try:
            async with self.hands:
                there = await self.delivery.post(job)
        except Unreachable as error:
            log.warning("job %s cannot be delivered: %s", job.id, error)
            return job.failed(error, self.now())
        except Undeliverable as error:
            log.warning("job %s is not delivered yet: %s", job.id, error)
            return job
        except Exception:  # a bug in delivery keeps the clip, and the courier goes on
            log.exception("job %s met a bug on its way", job.id)
            return job
        finally:
            self.trying -= 1
        return job.posted(there.message, self.now(), there.channel)
