"""Housekeeping: old clips and orphaned files go, the database is tidied, copied and put back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from bot import lock
from bot.settings import Settings
from db import backup
from db.ledger import Ledger
from gen.errors import ZoetropeError
from gen.job import Job
from gen.shelf import Shelf, thumbnail

log = logging.getLogger(__name__)

#: Seconds from the start to the first sweep, and from one to the next.
FIRST = 60.0
EVERY = 3600.0
#: Seconds for which a file that no job knows is left alone: its job may be about to be written.
YOUNG = 3600.0
#: Seconds between two tidyings of the database, which its writers must wait for.
TIDY = 7 * 86_400.0
DAY = 86_400.0
MIB = 2**20
#: Folders of the data folder whose files nobody names longer than a request lasts.
PASSING = ("incoming", "previews", "reels")


@dataclass(frozen=True)
class Swept:
    """What a sweep removed."""

    clips: int = 0  # that were old, or more than may be kept
    pictures: int = 0  # of jobs whose clips are gone
    orphans: int = 0  # files that no job knows


class Housekeeper:
    """Sweeps one data folder. History stays: what goes are files, and what is said of them."""

    def __init__(
        self,
        data: Path,
        database: Path,
        ledger: Ledger,
        *,
        days: int,  # for which files are kept; 0 keeps them all
        clips: int,  # MiB that all clips may have; 0 is no bound
        now: Callable[[], float] = time.time,
    ) -> None:
        self.data = data
        self.database = database
        self.ledger = ledger
        self.days = days
        self.clips = clips
        self.now = now

    async def serve(self, first: float = FIRST, every: float = EVERY) -> None:
        """Sweeps until cancelled; what cannot be removed now is removed another time."""
        wait = first
        while True:
            await asyncio.sleep(wait)
            wait = every
            try:
                swept = await self.sweep()
                await self.tidy()
            except (OSError, ZoetropeError) as error:
                log.warning("the house was not swept: %s", error)
            else:
                if swept != Swept():
                    log.info("swept: %s", swept)

    async def sweep(self) -> Swept:
        """Removes what is too old, too much, or nobody's. Raises OSError, Misconfigured."""
        old = await self._old() if self.days else 0
        much = await self._too_much() if self.clips else 0
        since = self.now() - self.days * DAY if self.days else 0.0
        known = await self.ledger.picture_files()
        kept = await self.ledger.picture_files(since)
        pictures = await self._remove(self.data / "pictures", known - kept)
        clips = await self.ledger.clip_files()
        orphans = await self._orphans("clips", clips)
        orphans += await self._orphans("thumbs", {thumbnail(clip) for clip in clips})
        orphans += await self._orphans("pictures", known)
        for folder in PASSING:
            orphans += await self._orphans(folder, ())
        return Swept(old + much, pictures, orphans)

    async def tidy(self) -> bool:
        """Gives the database's free space back, once a week; whether it was time. Raises Misconfigured."""
        mark = self.data / "tidied"
        if mark.exists() and self.now() - mark.stat().st_mtime < TIDY:
            return False
        await asyncio.to_thread(backup.tidy, self.database)
        mark.touch()
        return True

    async def _old(self) -> int:
        """Clips whose days are over."""
        count = 0
        while jobs := await self.ledger.posted_clips(self.now() - self.days * DAY):
            count += await self._drop(jobs)
        return count

    async def _too_much(self) -> int:
        """The oldest clips, until the rest fits."""
        over = await asyncio.to_thread(_weigh, self.data / "clips") - self.clips * MIB
        count = 0
        while over > 0 and (jobs := await self.ledger.posted_clips(self.now(), limit=100)):
            gone: list[Job] = []
            for job in jobs:
                if over <= 0:
                    break
                gone.append(job)
                over -= job.clip.size if job.clip else 0
            count += await self._drop(gone)
        if over > 0:
            log.warning("the clips that are kept have %d MiB more than files.clips", over // MIB + 1)
        return count

    async def _drop(self, jobs: Iterable[Job]) -> int:
        """Removes their clips' files, then writes so: a death in between removes them once more."""
        files = {job.id: job.clip.file for job in jobs if job.clip}
        await asyncio.to_thread(Shelf(self.data).remove, files.values(), ())
        await self.ledger.swept(files)
        return len(files)

    async def _remove(self, folder: Path, names: Collection[str]) -> int:
        """Removes those of the names that are there, unless they were wanted a moment ago."""
        return await asyncio.to_thread(_sweep, folder, names, self.now() - YOUNG)

    async def _orphans(self, folder: str, known: Collection[str]) -> int:
        there = await asyncio.to_thread(_names, self.data / folder)
        return await self._remove(self.data / folder, there.difference(known))


def copy(settings: Settings, file: Path) -> str:
    """Copies the database into a new file, while the bot may work; what was done. Raises Misconfigured."""
    done = backup.backup(settings.database, file)
    return f"{done.file}: {done.jobs} jobs, {done.size / MIB:.1f} MiB"


def put_back(settings: Settings, file: Path) -> str:
    """Puts a copy in the place of the database of a bot that is stopped. Raises Misconfigured."""
    with lock.hold(settings.data):
        done = backup.restore(file, settings.database)
    return f"{done.file}: {done.jobs} jobs; what was there before stays beside it as ….before-restore"


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()


def _weigh(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in _names(folder))


def _sweep(folder: Path, names: Collection[str], before: float) -> int:
    count = 0
    for name in names:
        path = folder / name
        if path.is_file() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            count += 1
    return count
