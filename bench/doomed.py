"""The real bot with a date of death: `python -m bench.doomed` kills itself or its engine at a named point.

`ZOETROPE_DOOM` is `write:NAME:before|after` (NAME: add, ticket, or the state that is written) or
`WHOM:STAGE:N` (WHOM: bot, or the processes engine and lab; at the Nth report of that stage). With the stage
`beside` the lab is held over a clip until frames of the next one are made. Each strikes once.
"""

from __future__ import annotations

import logging
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
#: What is logged when a process other than the bot's is killed.
STRUCK = "is struck by its doom"

log = logging.getLogger("bench.doomed")


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
    """Kills the bot, its engine or its lab in the middle of a clip, once."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.struck = False
        self.held = 0  # the lab's process, stopped over a clip …
        self.holder: Request | None = None  # … which is this one

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str = "refuse") -> Clip:
        """As the host's own."""
        seen: dict[str, int] = {}

        def watch(step: Step) -> None:
            progress(replace(step))
            seen[step.stage] = seen.get(step.stage, 0) + 1
            if DOOM[1:2] == ["beside"]:
                self._beside(request, step)
            elif [step.stage, str(seen[step.stage])] == DOOM[1:]:
                self._strike()

        return await super().make(request, watch, limit=limit)

    def _beside(self, request: Request, step: Step) -> None:
        """Holds the lab from a clip's last frame on, and strikes once another's first frame is made."""
        if not self.held and step.done == step.total and step.stage == "making" and self.lab.pid:
            self.held, self.holder = self.lab.pid, request
            os.kill(self.held, signal.SIGSTOP)
        elif self.held and not self.struck and request is not self.holder and step.stage == "making":
            os.kill(self.held, signal.SIGCONT)  # a bot that dies leaves nobody who would let it go
            self._strike()

    def _strike(self) -> None:
        pid = {"engine": self.pid, "lab": self.lab.pid, "bot": os.getpid()}.get(DOOM[0])
        if self.struck or not pid:
            return
        self.struck = True
        log.warning("%s %s", DOOM[0], STRUCK)
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    program.Ledger = DoomedLedger  # type: ignore[attr-defined]  # where the program names its ledger
    program.Host = DoomedHost  # type: ignore[attr-defined]
    sys.exit(program.main())
