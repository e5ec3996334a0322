"""Copies of the SQLite file, taken while the bot works, and the way back."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gen.errors import Misconfigured


@dataclass(frozen=True)
class Copy:
    """A database file that was read through and found whole."""

    file: Path
    revision: str | None  # of its tables; None before the first migration
    jobs: int
    size: int  # bytes


def backup(source: Path, target: Path) -> Copy:
    """Copies the database as of now into the new file `target`, while others write on.

    The copy appears under its name only when it is whole and on the disk. Raises Misconfigured.
    """
    if not source.is_file():
        raise Misconfigured("There is no database at {file}: check ZOETROPE_DATA.", file=str(source))
    if target.exists():
        raise Misconfigured("{file} exists already: name a new file for the backup.", file=str(target))
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        clone(source, part)
        found = inspect(part)
        _settle(part, target)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise Misconfigured(
            "{source} could not be copied to {file}: {reason}. See that the folder exists and has room.",
            source=str(source), file=str(target), reason=_reason(error),
        ) from error  # fmt: skip
    return Copy(target, found.revision, found.jobs, found.size)


def restore(copy: Path, target: Path) -> Copy:
    """Puts `copy` in the place of the database `target`, whose files stay beside it as `….before-restore`.

    The bot must not be running. A copy of an older version is migrated at the next start.
    Raises Misconfigured.
    """
    found = inspect(copy)
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        clone(copy, part)
        for tail in ("-shm", "-wal", ""):  # the write-ahead log belongs to the old file alone
            old = target.with_name(target.name + tail)
            if old.exists():
                old.replace(target.with_name(target.name + ".before-restore" + tail))
        _settle(part, target)
    except (sqlite3.Error, OSError) as error:
        raise Misconfigured(
            "{file} could not be restored: {reason}. See that the folder exists and has room.",
            file=str(target), reason=_reason(error),
        ) from error  # fmt: skip
    return Copy(target, found.revision, found.jobs, found.size)


def inspect(file: Path) -> Copy:
    """What `file` holds, once every page and every reference was checked. Raises Misconfigured."""
    if not file.is_file():
        raise Misconfigured("There is no file {file}.", file=str(file))
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            faults = [text for (text,) in database.execute("PRAGMA integrity_check(3)") if text != "ok"]
            for table, _, missing, _ in database.execute("PRAGMA foreign_key_check"):
                faults.append(f"{table} refers to a missing {missing}")
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if faults or "jobs" not in tables:
                raise sqlite3.DatabaseError("; ".join(faults[:3]) or "it holds no jobs table")
            jobs = database.execute("SELECT count(*) FROM jobs").fetchone()[0]
            revision = None
            if "alembic_version" in tables:
                row = database.execute("SELECT version_num FROM alembic_version").fetchone()
                revision = row[0] if row else None
    except sqlite3.Error as error:
        raise Misconfigured(
            "{file} is not a whole database of Zoetrope: {reason}.", file=str(file), reason=_reason(error)
        ) from error
    return Copy(file, revision, jobs, file.stat().st_size)


def tidy(file: Path) -> None:
    """Gives the space of deleted rows back to the disk and refreshes what the planner knows.

    Writers wait meanwhile: about a second per 100 MB. Raises Misconfigured.
    """
    try:
        with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as database:
            database.execute("VACUUM")
            database.execute("PRAGMA optimize")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise Misconfigured(
            "{file} could not be tidied: {reason}.", file=str(file), reason=_reason(error)
        ) from error


def clone(source: Path, target: Path) -> None:
    """Writes all that `source` holds over `target`, as one transaction. Raises sqlite3.Error."""
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as here,
        closing(sqlite3.connect(target, timeout=30)) as there,
    ):
        here.backup(there)
        if target.name.endswith(".part"):
            there.execute("PRAGMA journal_mode = DELETE")  # one file, with no log beside it


def _settle(part: Path, target: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).rstrip(".")
