"""A database's connections: several that read, and one that writes for everybody."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError

from gen.errors import Misconfigured, Unwritten

log = logging.getLogger(__name__)

T = TypeVar("T")
Deed = Callable[[Connection], T]

#: Writes that may share one commit. More would make the first of them wait for too many others.
BATCH = 256

#: Reads at a time. They share one interpreter, so that more would only take turns more often.
READERS = 3

FULL = "synchronous = FULL"  # a commit survives a power loss
NORMAL = "synchronous = NORMAL"  # it survives the end of the process
KEYS = "foreign_keys = ON"

#: Milliseconds that a write waits for another process, such as a backup or a person's own SQL.
PATIENCE = 10_000

#: Seconds before each further try of a write that met a full disk or a lock: about a minute in all.
WAITS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 20.0)


@dataclass(eq=False)
class _Write:
    deed: Deed[Any]
    lasting: bool
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Store:
    """Reads side by side; writes in one queue.

    All writes that wait when a commit ends share the next one, so that many callers cost one flush of the
    disk, and each still returns only when its own write is durable. When a shared commit fails, each of its
    writes is done again alone: every caller gets its own result or its own error. A disk that is full or a
    database that another program holds is waited for, by all writers, before they are told.
    """

    def __init__(self, url: URL, *, waits: Sequence[float] = WAITS) -> None:
        self.url = url
        self.waits = waits
        self.commits = 0  # since the start, to be measured
        self._readers = lane(url, begin="BEGIN", pragmas=("query_only = ON",), size=READERS)
        self._writer = lane(url, begin="BEGIN IMMEDIATE", pragmas=(KEYS, FULL))
        self._hasty = lane(url, begin="BEGIN IMMEDIATE", pragmas=(KEYS, NORMAL))
        self._queue: asyncio.Queue[_Write | None] = asyncio.Queue()
        self._closed = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: URL, *, waits: Sequence[float] = WAITS) -> AsyncIterator[Store]:
        """Connections to `url`; at the end all that waits is written."""
        store = cls(url, waits=waits)
        task = asyncio.create_task(store._serve(), name="database writer")
        try:
            yield store
        finally:
            store._closed.set()
            store._queue.put_nowait(None)
            await task
            await store._readers.close()
            await store._writer.close()
            await store._hasty.close()

    async def read(self, deed: Deed[T]) -> T:
        """What `deed` returns, all of it as of one moment. Raises Unwritten."""
        try:
            return await self._readers.run(deed)
        except DBAPIError as error:
            if not _unusable(error):
                raise
            raise Unwritten("The database cannot be read: {fault}.", fault=str(error.orig)) from error

    async def write(self, deed: Deed[T], *, lasting: bool = True) -> T:
        """What `deed` returns, once it is durable; whatever it raises undoes it alone.

        `deed` runs in a thread, and perhaps twice, the first time undone. A caller that is cancelled has
        written all the same. A write that is not `lasting` does not wait for the disk: it outlives the
        process, but perhaps not a power loss. Raises Unwritten when a minute of tries was in vain.
        """
        if self._closed.is_set():
            raise RuntimeError("the database is closed")
        write = _Write(deed, lasting)
        self._queue.put_nowait(write)
        result: T = await write.done
        return result

    async def _serve(self) -> None:
        while (write := await self._queue.get()) is not None:
            batch = [write]
            while len(batch) < BATCH and not self._queue.empty():
                if (write := self._queue.get_nowait()) is None:
                    self._queue.put_nowait(None)  # the end: found again once this batch is written
                    break
                batch.append(write)
            if not await self._commit(batch, last=len(batch) == 1):
                for write in batch:
                    await self._commit([write], last=True)

    async def _commit(self, batch: list[_Write], *, last: bool) -> bool:
        """Writes all of `batch` or nothing; on the `last` try the callers get the error."""
        way = self._writer if any(write.lasting for write in batch) else self._hasty
        try:
            results = await self._persist(way, batch)
        except Unwritten as error:  # nothing to do with who wrote
            _fail(batch, error)
            return True
        except Exception as error:  # a deed's own, a bug's: each belongs to its caller
            if last:
                _fail(batch, error)
            return last
        self.commits += 1
        for write, result in zip(batch, results, strict=True):
            if not write.done.done():
                write.done.set_result(result)
        return True

    async def _persist(self, way: Lane, batch: list[_Write]) -> list[Any]:
        """What the deeds return. A database that cannot be written now is tried again for about a minute;
        when the store closes, once more. Raises Unwritten."""
        for wait in (*self.waits, None):
            try:
                return await way.run(lambda connection: [write.deed(connection) for write in batch])
            except DBAPIError as error:
                if not _unusable(error):
                    raise
                if wait is None or self._closed.is_set():
                    fault = str(error.orig)
                    raise Unwritten("The database cannot be written: {fault}.", fault=fault) from error
                log.warning("the database cannot be written (%s); tried again in %g s", error.orig, wait)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._closed.wait()
        raise AssertionError("unreachable")


def _fail(batch: list[_Write], error: Exception) -> None:
    for write in batch:
        if not write.done.done():
            write.done.set_exception(error)


def _unusable(error: DBAPIError) -> bool:
    """Whether the database itself is at fault, and not what was asked of it."""
    if isinstance(error.orig, sqlite3.OperationalError):
        return error.orig.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR  # no such table, and the like
    return isinstance(error, OperationalError | InterfaceError) or (
        type(error.orig) is sqlite3.DatabaseError  # a file that is damaged, or no database
    )


class Lane(Protocol):
    """Connections of one kind."""

    async def run(self, deed: Deed[T]) -> T:
        """What `deed` returns, in a transaction of its own."""
        ...

    async def close(self) -> None:
        """Ends all connections."""
        ...


class Threads:
    """SQLite in threads of its own: one hop to and fro for a whole transaction.

    The same through aiosqlite hops for every statement, cursor and fetch: three times the work, measured.
    """

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="database")

    async def run(self, deed: Deed[T]) -> T:
        """What `deed` returns, in a transaction of its own."""

        def transaction() -> T:
            with self._engine.begin() as connection:
                return deed(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads, transaction)

    async def close(self) -> None:
        """Ends all connections."""
        self._threads.shutdown(wait=True)  # nothing runs any more: each run was awaited
        self._engine.dispose()


class Tasks:
    """A database whose driver is itself asynchronous."""

    def __init__(self, url: URL, size: int, begin: str, pragmas: tuple[str, ...]) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine  # 0.1 s that SQLite in threads need not wait

        self._engine = create_async_engine(url, json_serializer=_json, pool_size=size, max_overflow=0)
        _prepare(self._engine.sync_engine, begin, pragmas)

    async def run(self, deed: Deed[T]) -> T:
        """What `deed` returns, in a transaction of its own."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(deed)

    async def close(self) -> None:
        """Ends all connections."""
        await self._engine.dispose()


def lane(url: URL, *, begin: str, pragmas: tuple[str, ...] = (), size: int = 1) -> Lane:
    """`size` connections; on SQLite with these pragmas, and transactions that start with `begin`."""
    if url.get_dialect().is_async:
        return Tasks(url, size, begin, pragmas)
    engine = create_engine(url, json_serializer=_json, pool_size=size, max_overflow=0)
    _prepare(engine, begin, pragmas)
    return Threads(engine, size)


def _prepare(engine: Engine, begin: str, pragmas: tuple[str, ...]) -> None:
    """Python's sqlite3 begins a transaction late and as a reader, to be refused the write: we begin it."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {PATIENCE}",
            "journal_mode = WAL",
            "cache_size = -512",  # KiB of each connection; the system keeps the file in memory anyway
            "secure_delete = ON",  # what someone had forgotten is overwritten, not only unlinked
            *pragmas,
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def address(where: str | Path) -> URL:
    """The database's URL; a bare path is an SQLite file, and Postgres is spoken to by asyncpg."""
    if isinstance(where, Path) or "://" not in where:
        return URL.create("sqlite", database=str(where))
    url = make_url(where)
    return url.set(drivername="postgresql+asyncpg") if url.drivername == "postgresql" else url


def file_of(url: URL) -> Path | None:
    """The file of an SQLite database."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


def ours(error: Exception, url: URL) -> Exception:
    """A database that cannot be used, as the operator's error; anything else stays what it is."""
    if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError | ProgrammingError):
        return error
    reason = str(error.orig)
    return Misconfigured(
        "The database {database} cannot be used: {reason}. {fix}",
        database=str(file_of(url) or url.render_as_string(hide_password=True)),
        reason=reason,
        fix=next((fix for sign, fix in FIXES.items() if sign in reason), "See that the bot may use it."),
    )


FIXES = {
    "unable to open": "See that its folder exists and that the bot may write there.",
    "readonly": "See that the bot may write to the file and to its folder.",
    "not a database": "Move that file away, or put a backup in its place.",
    "malformed": "Stop the bot and put a backup in its place.",
    "locked": "Another program holds it: close that program.",
    "is full": "Free some space on that disk.",
    "disk I/O": "See that the disk is healthy and has space.",
}


def _json(value: object) -> str:
    """Compact; a value that JSON has no word for is written as its text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
