"""The real bot with a date of death: `python -m bench.doomed` kills itself or its engine at a named point.

`ZOETROPE_DOOM` is `write:NAME:before|after` (NAME: add, ticket, or the state that is written) or
`engine:STAGE:N` (the engine's process, at the Nth report of that stage). Each strikes once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import bot.__main__ as program
from db.ledger import Ledger
from gen.host import Host
from gen.job import Clip, Job, Request
from gen.ports import Progress, Step

DOOM = os.environ.get("ZOETROPE_DOOM", "").split(":")


def strike(*point: str) -> None:
    """Dies, when this is the point."""
    if list(point) == DOOM:
        os.kill(os.getpid(), signal.SIGKILL)


class DoomedLedger(Ledger):
    """Dies before or after a write."""

    @classmethod
    @asynccontextmanager
    async def open(cls, where: str | Path, **options: Any) -> AsyncIterator[Ledger]:
        """As the ledger's own."""
        async with super().open(where, **options) as ledger:
            yield ledger

    async def add(self, job: Job) -> None:
        """Writes a new job."""
        strike("write", "add", "before")
        await super().add(job)
        strike("write", "add", "after")

    async def record(self, job: Job) -> bool:
        """Writes a job's state."""
        strike("write", str(job.state), "before")
        done = await super().record(job)
        strike("write", str(job.state), "after")
        return done

    async def ticket(self, job_id: str, message: int | None, stands: int | None = None) -> None:
        """Writes a job's ticket."""
        name = "ticket" if message else "unticket"
        strike("write", name, "before")
        await super().ticket(job_id, message, stands)
        strike("write", name, "after")


class DoomedHost(Host):
    """Kills its engine in the middle of a clip, once."""

    struck = False

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str = "refuse") -> Clip:
        """As the host's own."""
        seen: dict[str, int] = {}

        def watch(step: Step) -> None:
            progress(replace(step))
            seen[step.stage] = seen.get(step.stage, 0) + 1
            if not self.struck and ["engine", step.stage, str(seen[step.stage])] == DOOM and self.pid:
                self.struck = True
                os.kill(self.pid, signal.SIGKILL)

        return await super().make(request, watch, limit=limit)


if __name__ == "__main__":
    program.Ledger = DoomedLedger  # type: ignore[attr-defined]  # where the program names its ledger
    program.Host = DoomedHost  # type: ignore[attr-defined]
    sys.exit(program.main())
