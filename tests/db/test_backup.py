"""A copy taken while the bot works is whole, and comes back."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from db.backup import backup, inspect, restore, tidy
from db.ledger import Ledger
from db.tables import REVISION
from gen.errors import Misconfigured
from tests.db.ledger_jobs import job


async def test_a_backup_in_the_middle_of_writing_is_whole(ledger: Ledger, file: Path, tmp_path: Path):
    await asyncio.gather(*(ledger.add(job(number)) for number in range(200)))
    writing = [asyncio.create_task(ledger.add(job(number))) for number in range(200, 1_200)]
    copy = await asyncio.to_thread(backup, file, tmp_path / "copy.db")
    await asyncio.gather(*writing)
    assert 200 <= copy.jobs <= 1_200
    assert (copy.revision, copy.file) == (REVISION, tmp_path / "copy.db")
    assert copy == inspect(tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy.db?*"))  # one file, with nothing beside it
    assert len(await ledger.unfinished()) == 1_200


async def test_a_restored_backup_is_the_database_of_then(file: Path, tmp_path: Path):
    async with Ledger.open(file) as ledger:
        await ledger.add(job(1))
        then = await ledger.unfinished()
        backup(file, tmp_path / "copy.db")
        await ledger.add(job(2))
        await ledger.record(job(1).cancelled(2.0))
    assert restore(tmp_path / "copy.db", file).jobs == 1
    async with Ledger.open(file) as ledger:
        assert await ledger.unfinished() == then
    assert inspect(tmp_path / "zoetrope.db.before-restore").jobs == 2  # nothing is thrown away


async def test_a_log_beside_a_killed_database_is_no_part_of_the_restored_one(file: Path, tmp_path: Path):
    backup(file, tmp_path / "copy.db")
    async with Ledger.open(file) as ledger:
        await ledger.add(job(1))
        for tail in ("", "-wal", "-shm"):  # as kill -9 leaves them
            (tmp_path / f"killed.db{tail}").write_bytes(Path(f"{file}{tail}").read_bytes())
    assert (tmp_path / "killed.db-wal").stat().st_size > 0
    restore(tmp_path / "copy.db", tmp_path / "killed.db")
    async with Ledger.open(tmp_path / "killed.db") as ledger:
        assert await ledger.unfinished() == []
    assert inspect(tmp_path / "killed.db.before-restore").jobs == 1


async def test_a_damaged_copy_is_not_restored(ledger: Ledger, file: Path, tmp_path: Path):
    await asyncio.gather(*(ledger.add(job(number)) for number in range(100)))
    copy = backup(file, tmp_path / "copy.db").file
    pages = bytearray(copy.read_bytes())
    pages[len(pages) // 2 : len(pages) // 2 + 4096] = b"\xaa" * 4096
    copy.write_bytes(pages)
    for call in (lambda: inspect(copy), lambda: restore(copy, file)):
        with pytest.raises(Misconfigured, match=r"copy\.db is not a whole database"):
            call()
    assert len(await ledger.unfinished()) == 100


def test_a_file_is_never_written_over(file: Path, tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(Misconfigured, match="exists already: name a new file"):
        backup(file, tmp_path / "letter.txt")
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_what_cannot_be_copied_is_named(file: Path, tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"no database at .*nothing\.db"):
        backup(tmp_path / "nothing.db", tmp_path / "copy.db")
    with pytest.raises(Misconfigured, match="unable to open database file"):
        backup(file, tmp_path / "nowhere" / "copy.db")
    with pytest.raises(Misconfigured, match="There is no file"):
        restore(tmp_path / "nothing.db", file)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE notes (text)")
    with pytest.raises(Misconfigured, match="holds no jobs"):
        inspect(tmp_path / "other.db")


async def test_tidying_gives_space_back(file: Path):
    async with Ledger.open(file) as ledger:
        await asyncio.gather(*(ledger.add(job(number).cancelled(2.0)) for number in range(1_000)))
        tidy(file)
        before = file.stat().st_size
        assert (await ledger.people.forget(job().asker.user)).jobs == 1_000
        await asyncio.to_thread(tidy, file)
        assert file.stat().st_size < before / 3
        assert await ledger.unfinished() == []


async def test_what_was_forgotten_is_not_in_the_file_either(file: Path):
    async with Ledger.open(file) as ledger:
        await ledger.add(job(1, words="zebrafish").cancelled(2.0))
        tidy(file)
        assert b"zebrafish" in file.read_bytes()
        await ledger.people.forget(job().asker.user)
    assert b"zebrafish" not in file.read_bytes()  # once its log was written back
