"""Old clips, too many of them, and files that nobody knows go; history, favourites and work in hand stay."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.__main__ import main
from bot.housekeeping import DAY, MIB, TIDY, YOUNG, Housekeeper, Swept
from db.ledger import Ledger
from gen.errors import Undeliverable
from gen.job import Asker, Clip, Job, Request, State, Task
from tests.bot.conftest import Scene, configured
from tests.running import ROOT, Held, read, running

NOW = 1_000 * DAY


class Home:
    """A data folder with its ledger; `now` is the time of what is written."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.now = NOW
        for folder in ("clips", "thumbs", "pictures", "previews", "incoming", "reels"):
            (data / folder).mkdir()
        self.ledger: Ledger

    def keeper(self, *, days: int = 0, clips: int = 0, database: Path | None = None) -> Housekeeper:
        file = database or self.data / "zoetrope.db"
        return Housekeeper(self.data, file, self.ledger, days=days, clips=clips, now=lambda: self.now)

    def file(self, name: str, size: int = 1000) -> Path:
        """A file that is old enough to be an orphan."""
        path = self.data / name
        path.write_bytes(bytes(size))
        os.utime(path, (self.now - YOUNG - 1,) * 2)
        return path

    async def job(
        self, name: str, days: float, state: State = State.POSTED, size: int = 1000, picture: str = ""
    ) -> Job:
        """A job of so many days ago, with its files."""
        self.now = NOW - days * DAY
        request = Request(
            recipe="testcard", task=Task.IMAGE, seed=1, width=64, height=64, frames=8, fps=8,
            images=(picture or f"{name}.png",),
        )  # fmt: skip
        job = Job(id=name, request=request, asker=Asker(user=1, channel=2), created=self.now)
        await self.ledger.add(job)
        if not (self.data / "pictures" / request.images[0]).exists():
            self.file(f"pictures/{request.images[0]}")
        if state is not State.WAITING:
            job = job.running(self.now)
            await self.ledger.record(job)
        if state not in (State.WAITING, State.RUNNING, State.CANCELLED):
            clip = Clip(file=f"{name}.mp4", width=64, height=64, frames=8, fps=8, size=size, took=1.0)
            self.file(f"clips/{name}.mp4", size)
            self.file(f"thumbs/{name}.jpg", 10)
            job = job.made(clip)
            await self.ledger.record(job)
        match state:
            case State.POSTED:
                job = job.posted(99, self.now)
            case State.FAILED:
                job = job.failed(Undeliverable("Nobody takes it."), self.now)
            case State.CANCELLED:
                job = job.cancelled(self.now)
        await self.ledger.record(job)
        self.now = NOW
        return job

    def names(self, folder: str) -> set[str]:
        return {path.name.partition(".")[0] for path in (self.data / folder).iterdir()}


@pytest_asyncio.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    one = Home(tmp_path)
    async with Ledger.open(tmp_path / "zoetrope.db", clock=lambda: one.now) as one.ledger:
        yield one


async def test_files_go_after_their_days_and_history_stays(home: Home) -> None:
    await home.job("old", 31)
    await home.job("kept", 31, State.FAILED)
    await home.job("young", 29)
    await home.job("loved", 31)
    await home.job("made", 31, State.MADE)
    await home.job("waiting", 31, State.WAITING)
    await home.job("cancelled", 31, State.CANCELLED)
    await home.job("shared", 31, picture="young.png")
    assert await home.ledger.people.favourite(7, "loved", True)
    swept = await home.keeper(days=30).sweep()
    assert home.names("clips") == home.names("thumbs") == {"young", "loved", "made"}
    assert home.names("pictures") == {"young", "loved", "made", "waiting"}
    assert swept == Swept(clips=3, pictures=3)
    assert len(await home.ledger.history(1, limit=20)) == 8
    old = await home.ledger.find("old")
    assert old and old.clip and old.clip.file == "old.mp4"
    assert await home.keeper(days=30).sweep() == Swept()


async def test_the_oldest_go_first_when_there_are_too_many(home: Home) -> None:
    for day in range(6, 0, -1):
        await home.job(f"day{day}", day, size=MIB // 2)
    await home.ledger.people.favourite(7, "day6", True)
    await home.job("made", 9, State.MADE, size=MIB // 2)
    assert await home.keeper(clips=2).sweep() == Swept(clips=3)
    assert home.names("clips") == {"day6", "made", "day1", "day2"}


async def test_nothing_goes_that_must_stay_however_little_room_is_given(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    await home.job("loved", 3, size=2 * MIB)
    await home.ledger.people.favourite(7, "loved", True)
    assert await home.keeper(clips=1).sweep() == Swept()
    assert home.names("clips") == {"loved"}
    assert "more than files.clips" in caplog.text


async def test_files_that_no_job_knows_go_when_they_are_an_hour_old(home: Home) -> None:
    await home.job("known", 1)
    for folder in ("clips", "thumbs", "pictures", "previews", "incoming", "reels"):
        home.file(f"{folder}/orphan.bin")
        (home.data / folder / "new.bin").write_bytes(b"a request is under way")
    os.utime(home.data / "clips" / "new.bin", (NOW - YOUNG + 1,) * 2)
    assert await home.keeper().sweep() == Swept(orphans=6)
    assert home.names("clips") == home.names("pictures") == {"known", "new"}
    assert home.names("thumbs") == {"known", "new"}
    assert home.names("previews") == home.names("incoming") == home.names("reels") == {"new"}
    assert (home.data / "zoetrope.db").exists()


async def test_a_death_between_the_file_and_the_ledger_is_made_good(home: Home) -> None:
    await home.job("old", 31)
    (home.data / "clips" / "old.mp4").unlink()  # and then the power went
    assert (await home.keeper(days=30).sweep()).clips == 1
    assert await home.ledger.clip_files() == set()


async def test_the_database_is_tidied_once_a_week(home: Home) -> None:
    for number in range(300):
        await home.job(f"job{number}", 1, State.WAITING, picture="one.png")
    await home.ledger.people.forget(1)
    with closing(sqlite3.connect(home.data / "zoetrope.db")) as database:
        database.execute("DELETE FROM jobs")
        database.commit()
    home.now = time.time()
    assert await home.keeper().tidy()
    with closing(sqlite3.connect(home.data / "zoetrope.db")) as database:
        assert database.execute("PRAGMA freelist_count").fetchone() == (0,)
    home.now += TIDY - 60
    assert not await home.keeper().tidy()
    home.now += 120
    assert await home.keeper().tidy()


async def test_a_house_that_cannot_be_swept_is_tried_again(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    broken = home.file("broken.db")
    keeper = asyncio.create_task(home.keeper(database=broken).serve(first=0, every=0))
    async with asyncio.timeout(40):
        while caplog.text.count("the house was not swept") < 2:  # noqa: ASYNC110 -- a log sets no event
            await asyncio.sleep(0.01)
    keeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeper


async def _bot(data: Path, place: Any, *arguments: str) -> tuple[int, str]:
    environ = {**os.environ, **place.environ, "ZOETROPE_DATA": str(data)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *arguments, cwd=ROOT, env=environ,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    words, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, words.decode()


async def test_a_backup_is_taken_while_the_bot_works_and_put_back_when_it_is_stopped(tmp_path: Path) -> None:
    async with running(tmp_path, configured(tmp_path)) as (place, bot):
        scene, copy = Scene(place, place.channel("clips"), place.person("Ada")), tmp_path / "copy.db"
        held = Held()
        place.faults.add("POST", f"/channels/{scene.channel}/messages", held.pass_by)
        await (await scene.ask("under way", model="slow", seconds=2)).message()
        code, words = await _bot(bot.data, place, "backup", str(copy))
        held.let_go()
        assert code == 0 and "1 jobs" in words, read
        await scene.until_done()
        await scene.ask("after the backup")
        await scene.until_done(2)
        code, words = await _bot(bot.data, place, "restore", str(copy))
        assert code == 78 and "Another bot already runs on the data folder" in words
        await bot.stop()
        place.world.nonce_lives = 0  # days later, nothing else stands against a second clip
        place.expect(429, f"/channels/{scene.channel}/*")  # the new process does not know what was used up
        place.expect(10008, f"/channels/{scene.channel}/*")  # the ticket that the copy knows is gone
        code, words = await _bot(bot.data, place, "restore", str(copy))
        assert code == 0 and "1 jobs" in words, read
        await bot.start()
        # The job was under way when the copy was taken: it is taken up again, and found where it was posted.
        rolled = f"/channels/{scene.channel}/messages/{scene.clips()[0]['id']}/reactions/*"
        await place.until(lambda: len(place.journal.requests(rolled, "PUT")) == 2)
        text = read(await (await scene.person.slash(scene.channel, "history")).message())
        assert f"/{scene.channel}/{scene.clips()[0]['id']})" in text
        assert "after the backup" not in text
        assert len(scene.clips()) == 2


@pytest.mark.parametrize("arguments", [("backup",), ("serve", "x"), ("feed",)])
def test_a_call_that_is_not_understood_is_explained(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bot", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "usage: python -m bot" in capsys.readouterr().err
