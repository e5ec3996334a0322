"""Where people's files are looked at: a child of its own, poor in memory and time, that may die of them."""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import unicodedata
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, Self

from gen.errors import BadRequest, EngineDied, EngineError, Undeliverable
from gen.job import Clip, Failure, Note, Picture, Video, noted
from gen.process import Child, safe

log = logging.getLogger(__name__)

START = 30.0  # seconds a child may take to be ready
LOOK = 20.0  # seconds that finding a clip's middle frame may take
FITS = 2  # clips that are made smaller at once
LETTERS = 40  # of a file's name, shown
_MARKS = frozenset("*_~|`<>[](){}@#\\/:\"'")  # Discord reads these


class Darkroom:
    """`gen.ports.Darkroom` over `python -m gen.child` in mode "media": one picture at a time."""

    def __init__(
        self,
        data: Path,
        *,
        environ: Mapping[str, str] | None = None,  # os.environ
        seconds: float = 5.0,  # a picture may take
        roll: float = 60.0,  # seconds a video may take
        refit: float = 120.0,  # seconds a clip's second encode may take
        memory: int = 2 * 2**30,  # bytes of address space
        name: Callable[[], str] = lambda: uuid.uuid4().hex,  # of a file
    ) -> None:
        self.data = data.resolve()
        self.seconds = seconds
        self.roll = roll
        self.refit = refit
        self._settings = {"mode": "media", "data": str(self.data), "memory": memory}
        # Threads of a numeric library reserve address space that the limit is not meant for.
        self._environ = {
            **safe(os.environ if environ is None else environ),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        self._name = name
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._fits = asyncio.Semaphore(FITS)
        self._child: Child | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return self._child.pid if self._child and self._child.alive else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Starts the child ahead of its first picture. Raises EngineDied."""
        async with self._turn:
            await self._ready()

    async def picture(self, data: bytes, filename: str) -> Picture:
        """The picture in `data`, normalised and kept.

        Raises BadRequest naming `filename` and the fault, EngineError when the disk is full.
        """
        name = shown(filename)
        raw = self.data / "incoming" / self._name()
        async with self._turn:
            tries = 2 if self.pid else 1  # a child that waited may have died of something else
            try:
                await self._ready()
                await asyncio.to_thread(raw.write_bytes, data)
                value = await self._looked(raw.name, name, tries)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise EngineError("The disk is full. The owner of this bot must make room.") from error
            finally:
                raw.unlink(missing_ok=True)
        return Picture(**value)

    async def _looked(self, file: str, name: str, tries: int) -> dict[str, Any]:
        """What the child says of the file; after each death but the last, a new child. Raises BadRequest."""
        child = await self._ready()
        try:
            return await self._asked(child, self.seconds, do="picture", file=file, name=name)
        except (TimeoutError, EngineDied) as error:
            log.warning("%s ended the darkroom: %r", name, error)
            if isinstance(error, EngineDied) and tries > 1:
                return await self._looked(file, name, tries - 1)
            raise BadRequest(
                "{name} is broken or takes too long to read; save it anew as PNG or JPEG.", name=name
            ) from error

    async def video(self, data: bytes, filename: str) -> Video:
        """The video in `data`, its beginning written anew and kept.

        In a child for this alone, so that no picture waits for it. Raises BadRequest naming `filename` and
        the fault, EngineError when the disk is full.
        """
        name = shown(filename)
        raw = self.data / "incoming" / self._name()
        async with self._fits:
            child = await self._born()
            try:
                await asyncio.to_thread(raw.write_bytes, data)
                value = await self._asked(child, self.roll, do="video", file=raw.name, name=name)
            except (TimeoutError, EngineDied) as error:
                log.warning("%s ended the darkroom: %r", name, error)
                raise BadRequest(
                    "{name} is broken or takes too long to read; save it anew as MP4.", name=name
                ) from error
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise EngineError("The disk is full. The owner of this bot must make room.") from error
            finally:
                raw.unlink(missing_ok=True)
                await child.kill()
        return Video(**value)

    async def fit(self, clip: Clip, limit: int) -> Clip:
        """The same clip in at most `limit` bytes, as a new file. Raises EngineError; Undeliverable when
        another try may do it.

        In a child for this alone, so that no picture waits for it, and a few at a time.
        """
        file = f"{self._name()}.mp4"
        async with self._fits:
            child = await self._born()
            try:
                film = await self._asked(
                    child, self.refit, do="fit", source=clip.file, file=file, limit=limit
                )
            except (TimeoutError, EngineDied) as error:
                raise Undeliverable("The clip could not be made smaller yet.") from error
            finally:
                await child.kill()
        return replace(clip, **{**film, "file": file, "notes": _told(clip.notes, noted(film["notes"]))})

    async def thumbnail(self, clip: Clip) -> None:
        """Makes the clip's small picture anew in the data folder's `thumbs/`. Raises EngineError."""
        async with self._turn:
            child = await self._ready()
            try:
                await self._asked(child, LOOK, do="thumbnail", source=clip.file)
            except TimeoutError as error:
                raise EngineError("The clip {file} cannot be read.", file=clip.file) from error

    async def aclose(self) -> None:
        """Ends the child; whoever still waits for a turn is sent away, with no child of their own."""
        self._closed = True
        if self._child:
            await self._child.kill()

    async def _ready(self) -> Child:
        if self._child is None or not self._child.alive:
            self._child = await self._born()
        return self._child

    async def _born(self) -> Child:
        if self._closed:
            raise EngineDied("The bot is stopping; try again in a moment.")
        for folder in ("incoming", "pictures", "clips"):
            (self.data / folder).mkdir(parents=True, exist_ok=True)
        return await Child.born(self._settings, self._environ, patience=START)

    async def _asked(self, child: Child, seconds: float, **command: Any) -> dict[str, Any]:
        """The child's answer; whatever stops it from answering in time ends the child, not the bot."""
        child.tell(id=next(self._numbers), **command)
        try:
            message = await child.hear(seconds)
        except BaseException:  # silence, death, or our own cancellation: its answer must meet nobody else
            await child.kill()
            raise
        if message["say"] == "error":
            raise Failure(**message["failure"]).error()
        value: dict[str, Any] = message["value"]
        return value


def _told(before: tuple[Note, ...], fresh: tuple[Note, ...]) -> tuple[Note, ...]:
    """All that was stepped down; what was stepped down again is told as it is now."""
    again = {note.template for note in fresh}
    return (*(note for note in before if note.template not in again), *fresh)


def shown(filename: str) -> str:
    """A person's file name as it may stand in a sentence: short, no control signs, markup or mentions."""
    last = PurePath(filename.replace("\\", "/")).name
    plain = "".join(
        " " if sign in _MARKS or unicodedata.category(sign)[0] in "CZ" else sign
        for sign in unicodedata.normalize("NFC", last)
    )
    words = " ".join(plain.split())
    if len(words) > LETTERS:
        end = PurePath(words).suffix[:6]
        words = words[: LETTERS - len(end) - 1].rstrip() + "…" + end
    return words or "The file"
