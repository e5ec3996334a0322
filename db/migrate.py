"""Brings a database's tables to this version, or leaves it as it was."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, text
from sqlalchemy import inspect as tables_of
from sqlalchemy.exc import DBAPIError

from db.backup import clone
from db.store import FULL, Lane, file_of, lane, ours
from db.tables import REVISION
from gen.errors import Misconfigured

log = logging.getLogger(__name__)

SCRIPTS = Path(__file__).parent / "migrations"


async def upgrade(url: URL, *, scripts: Path = SCRIPTS, head: str = REVISION) -> None:
    """Runs the revisions of `scripts` up to `head`, all in one transaction.

    An SQLite file that holds something is copied first, to a file beside it named after `head`. Whatever goes
    wrong, the old database is as it was. Raises Misconfigured.
    """
    file = file_of(url)
    # Without foreign keys: a table that is rebuilt must not cascade.
    doer = lane(url, begin="BEGIN IMMEDIATE", pragmas=(FULL,))
    try:
        found, empty = await doer.run(_found)
        if found == head:
            return
        if file is None or empty:
            await doer.run(lambda connection: _run(connection, scripts))
        else:
            await _with_copy(doer, file, found, scripts, head)
    except DBAPIError as error:
        raise ours(error, url) from error
    finally:
        await doer.close()


async def _with_copy(doer: Lane, file: Path, found: str | None, scripts: Path, head: str) -> None:
    copy = file.with_name(f"{file.name}.before-{head}")
    with closing(sqlite3.connect(file)) as watch:
        before = _version(watch)
        try:
            await doer.run(lambda connection: _run(connection, scripts, save=lambda: _save(file, copy)))
        except Exception as error:  # a revision may raise anything; the way back is the same
            if _version(watch) != before and copy.exists():  # a revision committed on its own
                clone(copy, file)
            copy.unlink(missing_ok=True)
            raise _refusal(file, found, error) from error
    log.info("the database was brought from revision %s to %s; a copy is at %s", found, head, copy)


def _save(file: Path, copy: Path) -> None:
    part = copy.with_name(copy.name + ".part")
    for old in (part, copy):
        old.unlink(missing_ok=True)
    clone(file, part)
    part.replace(copy)


def _refusal(file: Path, found: str | None, error: Exception) -> Misconfigured:
    if "Can't locate revision" in str(error):
        return Misconfigured(
            "The database {file} was written by a newer version (revision {revision}): update Zoetrope, "
            "or put a backup of this version in its place.",
            file=str(file), revision=found,
        )  # fmt: skip
    reason = str(error.orig if isinstance(error, DBAPIError) else error)
    return Misconfigured(
        "The database {file} could not be brought up to date: {reason}. It is as it was.",
        file=str(file), reason=reason,
    )  # fmt: skip


def _version(watch: sqlite3.Connection) -> int:
    """A number that changes when another connection commits."""
    number: int = watch.execute("PRAGMA data_version").fetchone()[0]
    return number


def _found(connection: Connection) -> tuple[str | None, bool]:
    """The revision, and whether there is no table at all."""
    names = tables_of(connection).get_table_names()
    if "alembic_version" not in names:
        return None, not names
    return connection.scalar(text("SELECT version_num FROM alembic_version")), False


def _run(connection: Connection, scripts: Path, save: Callable[[], None] = lambda: None) -> None:
    # Imported here: a database that is up to date starts without Alembic.
    from alembic import command
    from alembic.config import Config

    save()  # inside the transaction: nothing is written between copy and migration
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":  # which was told not to look while tables are rebuilt
        for table, _, missing, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            raise ValueError(f"{table} would refer to a missing {missing}")
