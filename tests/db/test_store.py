"""One flush for many writers, and to each its own result."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from db.ledger import Ledger
from db.store import Store, address
from gen.errors import Unwritten
from tests.db.ledger_jobs import job


async def test_writers_share_a_commit(ledger: Ledger):
    before = ledger.store.commits
    await asyncio.gather(*(ledger.add(job(number)) for number in range(100)))
    assert ledger.store.commits - before <= 3
    assert len(await ledger.unfinished()) == 100


async def test_one_writer_alone_waits_for_no_other(ledger: Ledger):
    before = ledger.store.commits
    for number in range(3):
        await ledger.add(job(number))
    assert ledger.store.commits - before == 3


async def test_a_failing_write_spoils_no_other(ledger: Ledger):
    def half(connection):
        connection.execute(text("UPDATE jobs SET words = 'spoilt'"))
        raise LookupError("half way")

    await ledger.add(job(0))
    results = await asyncio.gather(
        ledger.add(job(1)), ledger.store.write(half), ledger.add(job(0)), ledger.add(job(2)),
        return_exceptions=True,
    )  # fmt: skip
    assert results[0] is None
    assert isinstance(results[1], LookupError)
    assert isinstance(results[2], ValueError)
    assert results[3] is None
    assert [found.words for found in await ledger.unfinished()] == [job().words] * 3


async def test_a_caller_that_leaves_has_written_all_the_same(ledger: Ledger):
    leaving = asyncio.create_task(ledger.add(job(1)))
    await asyncio.sleep(0)
    leaving.cancel()
    await ledger.add(job(2))
    assert leaving.cancelled()
    assert len(await ledger.unfinished()) == 2


async def test_closing_writes_what_waits(file: Path):
    async with Ledger.open(file) as first:
        writes = [asyncio.create_task(first.add(job(number))) for number in range(1_000)]
        await asyncio.sleep(0)  # each has asked, none was answered
        assert not any(write.done() for write in writes)
    await asyncio.gather(*writes)
    with pytest.raises(RuntimeError, match="closed"):
        await first.add(job(5_000))
    async with Ledger.open(file) as second:
        assert len(await second.unfinished()) == 1_000


async def test_commits_that_matter_wait_for_the_disk(ledger: Ledger):
    def level(connection):
        return connection.scalar(text("PRAGMA synchronous"))

    assert await ledger.store.write(level) == 2  # FULL
    assert await ledger.store.write(level, lasting=False) == 1  # NORMAL
    assert await asyncio.gather(ledger.store.write(level, lasting=False), ledger.store.write(level)) == [
        2,
        2,
    ]  # the stricter one decides for both
    assert await ledger.store.write(lambda c: c.scalar(text("PRAGMA journal_mode"))) == "wal"
    assert await ledger.store.write(lambda c: c.scalar(text("PRAGMA foreign_keys"))) == 1


async def test_a_read_cannot_write(ledger: Ledger):
    await ledger.add(job())
    with pytest.raises(Unwritten, match="readonly"):
        await ledger.store.read(lambda connection: connection.execute(text("DELETE FROM jobs")))
    assert len(await ledger.unfinished()) == 1


async def test_reads_go_on_while_another_program_writes(ledger: Ledger, file: Path):
    await ledger.add(job(1))
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(ledger.add(job(2)))
        assert len(await ledger.unfinished()) == 1
        assert not writing.done()
        other.execute("COMMIT")
        await writing
    assert len(await ledger.unfinished()) == 2


async def test_a_lock_that_never_ends_is_told_after_the_last_try(file: Path, monkeypatch, caplog):
    monkeypatch.setattr("db.store.PATIENCE", 20)
    async with Store.open(address(file), waits=(0.01, 0.02)) as store:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writes = [store.write(lambda connection: None) for _ in range(3)]
            faults = await asyncio.gather(*writes, return_exceptions=True)
        assert [str(fault) for fault in faults] == ["The database cannot be written: database is locked."] * 3
        assert all(isinstance(fault, Unwritten) and fault.retryable for fault in faults)
        assert await store.write(lambda connection: 7) == 7  # and it goes on
    assert [record.getMessage().split("; ")[1] for record in caplog.records[:2]] == [
        "tried again in 0.01 s",
        "tried again in 0.02 s",
    ]


async def test_a_lock_that_ends_is_waited_for(file: Path, monkeypatch, caplog):
    monkeypatch.setattr("db.store.PATIENCE", 20)
    async with Store.open(address(file), waits=[0.05] * 200) as store:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.create_task(store.write(lambda connection: 7))
            async with asyncio.timeout(10):
                while len(caplog.records) < 2:  # noqa: ASYNC110 - a line of the log sets no event
                    await asyncio.sleep(0.01)
            assert not writing.done()
            other.execute("COMMIT")
        assert await writing == 7


async def test_a_full_disk_is_waited_for(ledger: Ledger, caplog):
    async def pages(most: int) -> None:
        for way in (ledger.store._writer, ledger.store._hasty):
            await way.run(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {most}"))

    ledger.store.waits = [0.05] * 200
    await pages(1)  # no page more than there is: SQLite's own word for a full disk
    await ledger.add(job(1))
    many = asyncio.gather(*(ledger.add(job(number)) for number in range(2, 400)))
    async with asyncio.timeout(10):
        while not any("is full" in record.getMessage() for record in caplog.records):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not many.done()
    await pages(1_000_000)
    await many
    assert len(await ledger.unfinished()) == 399


async def test_closing_does_not_wait_for_a_lock_to_end(file: Path, monkeypatch, caplog):
    monkeypatch.setattr("db.store.PATIENCE", 20)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(5), Store.open(address(file), waits=[600.0]) as store:
            writing = asyncio.create_task(store.write(lambda connection: None))
            while not caplog.records:  # noqa: ASYNC110 - a line of the log sets no event
                await asyncio.sleep(0.01)
        with pytest.raises(Unwritten):
            await writing


async def test_a_mistake_in_a_statement_is_told_at_once(ledger: Ledger):
    with pytest.raises(OperationalError, match="no such table"):
        await ledger.store.write(lambda connection: connection.execute(text("DELETE FROM nowhere")))


async def test_no_thread_is_left(file: Path):
    before = set(threading.enumerate())
    async with Ledger.open(file) as opened:
        await opened.add(job())
        await opened.history(1)
    assert set(threading.enumerate()) == before


def test_a_password_is_not_shown():
    from sqlalchemy.exc import OperationalError

    from db.store import ours

    error = OperationalError("SELECT 1", {}, Exception("no route"))
    told = str(ours(error, address("postgresql://bot:hush@db.example/zoetrope")))
    assert "hush" not in told
    assert "postgresql+asyncpg://bot:***@db.example/zoetrope" in told
