"""A database's connections: several that read, and one that writes for everybody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Executable, Row, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gen.errors import Misconfigured

T = TypeVar("T")

#: Writes that may share one commit. More would make the first of them wait for too many others.
BATCH = 256

#: Milliseconds that a write waits for another process, such as a backup or a person's own SQL.
PATIENCE = 10_000


@dataclass(eq=False)
class _Write:
    deed: Callable[[Connection], Any]
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Store:
    """Reads side by side; writes in one queue.

    All writes that wait when a commit ends share the next one, so that many callers cost one flush of the
    disk, and each still returns only when its own write is durable. When a shared commit fails, each of its
    writes is done again alone: every caller gets its own result or its own error.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self._readers = engine(url, isolation_level="AUTOCOMMIT", pool_size=4, max_overflow=0)
        self._writer = engine(url, begin="BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
        self._queue: asyncio.Queue[_Write | None] = asyncio.Queue()
        self._closed = False
        self.commits = 0  # since the start, to be measured

    @classmethod
    @asynccontextmanager
    async def open(cls, url: URL) -> AsyncIterator[Store]:
        """Connections to `url`; at the end all that waits is written. Raises Misconfigured."""
        store = cls(url)
        task = asyncio.create_task(store._serve(), name="database writer")
        try:
            yield store
        finally:
            store._closed = True
            store._queue.put_nowait(None)
            await task
            await store._readers.dispose()
            await store._writer.dispose()

    async def read(self, statement: Executable, values: dict[str, Any] | None = None) -> Sequence[Row[Any]]:
        """All rows of a SELECT, as of its start. Raises Misconfigured."""
        try:
            async with self._readers.connect() as connection:
                return (await connection.execute(statement, values)).all()
        except DBAPIError as error:
            raise ours(error, self.url) from error

    async def write(self, deed: Callable[[Connection], T]) -> T:
        """What `deed` returns, once it is durable; whatever it raises undoes it alone.

        `deed` may be called twice, the first time undone. A caller that is cancelled has written all the same.
        """
        if self._closed:
            raise RuntimeError("the database is closed")
        write = _Write(deed)
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
        try:
            async with self._writer.begin() as connection:
                results = await connection.run_sync(lambda c: [write.deed(c) for write in batch])
        except Exception as error:  # a deed's own, a database's, a bug's: each belongs to its caller
            if last:
                for write in batch:
                    if not write.done.done():
                        write.done.set_exception(ours(error, self.url))
            return last
        self.commits += 1
        for write, result in zip(batch, results, strict=True):
            if not write.done.done():
                write.done.set_result(result)
        return True


def address(where: str | Path) -> URL:
    """The database's URL with its async driver; a bare path is an SQLite file."""
    if isinstance(where, Path) or "://" not in where:
        return URL.create("sqlite+aiosqlite", database=str(where))
    url = make_url(where)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    return url.set(drivername=drivers.get(url.drivername, url.drivername))


def file_of(url: URL) -> Path | None:
    """The file of an SQLite database."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


def engine(url: URL, *, begin: str = "", foreign_keys: bool = True, **options: Any) -> AsyncEngine:
    """An engine; on SQLite every commit reaches the disk, and a transaction starts with `begin`.

    Python's sqlite3 would begin a transaction late and as a reader, and could then be refused the write
    that it tried: we begin it ourselves. Raises Misconfigured.
    """
    made = create_async_engine(url, json_serializer=_json, **options)
    if url.get_backend_name() != "sqlite":
        return made

    @event.listens_for(made.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {PATIENCE}",
            "journal_mode = WAL",
            "synchronous = FULL",  # a commit survives a power loss, not only the end of the process
            f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
            "secure_delete = ON",  # what someone had forgotten is overwritten, not only unlinked
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    if begin:

        @event.listens_for(made.sync_engine, "begin")
        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

    return made


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
