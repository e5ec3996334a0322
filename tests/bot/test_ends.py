"""Whether a service manager starts the bot again is said by its exit code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot import __main__ as program
from db.store import Store, address


def test_a_database_that_stays_locked_ends_the_program_so_that_it_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "zoetrope.db"

    async def serve(settings: object) -> None:
        async with Store.open(address(file), waits=()) as store:
            await store.write(lambda connection: None)
            with closing(sqlite3.connect(file, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                try:
                    await store.write(lambda connection: None)
                except Exception as error:
                    raise ExceptionGroup("tasks", [error]) from None

    monkeypatch.setattr("db.store.PATIENCE", 20)
    monkeypatch.setattr(program, "serve", serve)  # the way there takes Discord and a minute
    monkeypatch.setattr(program.logs, "begin", lambda settings: None)
    monkeypatch.setenv("ZOETROPE_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["bot"])
    assert program.main() == program.LATER
    assert capsys.readouterr().err == "Zoetrope ended: The database cannot be written: database is locked.\n"
