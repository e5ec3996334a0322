"""Where the world is kept: one SQLite file and a folder of attachments, or memory and a passing folder."""

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playground.records import Json, Record


class Taken(Exception):
    """Another playground has the folder."""


class Store:
    """Rows by kind and key, and files by id. A row is on disk before `put` returns, so `kill -9` loses none.

    `folder` None keeps rows nowhere and files in a folder that goes with the store.
    """

    def __init__(self, folder: Path | None) -> None:
        self._passing = tempfile.TemporaryDirectory(prefix="playground-") if folder is None else None
        self.folder = Path(self._passing.name) if self._passing else Path(folder or ".")
        self.files = self.folder / "attachments"
        self.files.mkdir(parents=True, exist_ok=True)
        self._db = None if folder is None else self._open(self.folder / "world.sqlite3")

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS record "
                "(kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )
            db.execute("BEGIN IMMEDIATE")
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            db.close()
            if "locked" not in str(error):
                raise
            raise Taken(f"Another playground keeps its world in {path.parent}.") from None
        return db

    def put(self, *records: Record) -> None:
        if self._db is None:
            return
        rows = [(record.kind, record.key, json.dumps(record.body())) for record in records]
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def drop(self, *records: Record) -> None:
        if self._db is None:
            return
        rows = [(record.kind, record.key) for record in records]
        self._db.execute("BEGIN")
        self._db.executemany("DELETE FROM record WHERE kind = ? AND key = ?", rows)
        self._db.execute("COMMIT")

    def rows(self, kind: str) -> Iterator[Json]:
        if self._db is None:
            return
        for (body,) in self._db.execute("SELECT body FROM record WHERE kind = ?", (kind,)):
            yield json.loads(body)

    def fact(self, name: str, value: str) -> str:
        """The value kept under `name`; `value` is kept and given back the first time."""
        if self._db is None:
            return value
        self._db.execute("INSERT OR IGNORE INTO record VALUES ('fact', ?, ?)", (name, json.dumps(value)))
        query = "SELECT body FROM record WHERE kind = 'fact' AND key = ?"
        return str(json.loads(self._db.execute(query, (name,)).fetchone()[0]))

    def path(self, attachment_id: int) -> Path:
        return self.files / str(attachment_id)

    def write(self, attachment_id: int, data: bytes) -> None:
        """A file appears whole or not at all."""
        unfinished = self.files / f"{attachment_id}.part"
        unfinished.write_bytes(data)
        unfinished.replace(self.path(attachment_id))

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        if self._passing is not None:
            self._passing.cleanup()
