"""The lab makes files of frames in a process of its own, beside the next clip's frames in the engine's."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gen.errors import EngineDied, EngineError
from gen.job import Clip, Failure, Reel, Request, noted
from gen.ports import Progress, Step
from gen.process import NICE, Child, Patience
from gen.shelf import thumbnail

log = logging.getLogger(__name__)

#: Processes that a reel may end before its clip is given up; its frames are there and not made again.
LIVES = 2


class Lab:
    """`python -m gen.child` in mode "film": one clip at a time."""

    def __init__(self, data: Path, environ: Mapping[str, str], patience: Patience) -> None:
        self.data = data
        self.patience = patience
        self.turn = asyncio.Lock()  # whoever has it may ask for a film
        self._settings = {"mode": "film", "data": str(data)}
        self._environ = environ
        self._numbers = itertools.count(1)
        self._child: Child | None = None
        self._birth: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, while there is one."""
        return self._child.pid if self._child and self._child.alive else None

    def wake(self) -> None:
        """Starts the process, unless there is one, beside whatever else goes on."""
        if self.pid is None and (self._birth is None or self._birth.done()):
            self._birth = asyncio.create_task(self._born(), name="the lab's start")

    async def film(self, reel: Reel, request: Request, file: str, progress: Progress, *, limit: int) -> Clip:
        """The reel as the clip `file` of at most `limit` bytes, with its thumbnail.

        A process that dies of it is followed by another, which finds the frames where they were. Raises
        EngineError. Cancelled, it returns once the process has let the reel go or is dead; no file is left.
        """
        progress(Step("smoothing" if request.smooth > 1 else "encoding", 0, reel.frames))
        try:
            for life in range(1, LIVES + 1):
                try:
                    return await self._filmed(reel, request, file, progress, limit)
                except EngineDied as error:
                    log.warning("the lab died over a clip (%d of %d): %s", life, LIVES, error)
        except asyncio.CancelledError:
            for folder, name in (("clips", file), ("thumbs", thumbnail(file))):
                (self.data / folder / name).unlink(missing_ok=True)
            raise
        raise EngineError("The clip's frames were made, but its file could not be written; try again.")

    async def rest(self) -> None:
        """Lets the process end: nobody needs it for a while."""
        async with self.turn:
            if self._child:
                await self._child.end()

    async def aclose(self) -> None:
        """Ends the process at once."""
        if self._birth:
            self._birth.cancel()
            await asyncio.wait([self._birth])
        if self._child:
            await self._child.kill()

    async def _filmed(self, reel: Reel, request: Request, file: str, progress: Progress, limit: int) -> Clip:
        child, number = await self._ready(), next(self._numbers)
        child.tell(
            id=number, do="film", reel=asdict(reel), request=request.to_dict(), file=file, limit=limit
        )  # fmt: skip
        try:
            film = await self._heard(child, number, progress)
        except asyncio.CancelledError:
            await child.stop(number, self.patience.cancel)
            raise
        notes = (*reel.notes, *noted(film.pop("notes")))
        after = film.pop("took")
        took = round(reel.took + after, 3)
        return Clip(file=file, took=took, after=after, found=reel.found, notes=notes, **film)

    async def _heard(self, child: Child, number: int, progress: Progress) -> dict[str, Any]:
        """What came of a command. Raises EngineDied when the process dies or says nothing for too long."""
        while True:
            try:
                message = await child.hear(self.patience.film)
            except TimeoutError as error:
                log.error("child %d is silent for too long while it encodes; killed", child.pid)
                await child.kill()
                raise EngineDied("The encoder stopped answering.") from error
            if message.get("id") != number:
                continue
            match message["say"]:
                case "progress":
                    progress(Step(message["stage"], message["done"], message["total"]))
                case "done":
                    value: dict[str, Any] = message["value"]
                    return value
                case "error":
                    raise Failure(**message["failure"]).error()

    async def _ready(self) -> Child:
        """The living process, or a new one. Raises EngineDied."""
        self.wake()
        if self._birth and not self._birth.done():
            await asyncio.shield(self._birth)  # a cancelled clip leaves the next one's process alone
        if self._child is None or not self._child.alive:
            raise EngineDied("The encoder did not start.")
        return self._child

    async def _born(self) -> None:
        (self.data / "clips").mkdir(parents=True, exist_ok=True)
        try:
            self._child = await Child.born(
                self._settings, self._environ, patience=self.patience.start, nice=NICE
            )
        except EngineDied as error:  # whoever needs it hears so
            log.warning("the lab could not be started: %s", error)
