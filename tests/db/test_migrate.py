"""A migration brings a database to this version, or leaves it as it was."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from db.backup import inspect
from db.ledger import Ledger
from db.migrate import SCRIPTS, upgrade
from db.store import address
from db.tables import REVISION, Table
from gen.errors import Misconfigured
from tests.db.ledger_jobs import job

NEXT = """
from alembic import op
import sqlalchemy as sa

revision = "9999"
down_revision = "{below}"


def upgrade():
{deeds}
"""

ADD = 'op.add_column("jobs", sa.Column("later", sa.Integer(), nullable=True))'
SPOIL = "op.execute(\"UPDATE jobs SET words = 'spoilt'\")"


def scripts(tmp_path: Path, deeds: Iterable[str]) -> Path:
    """This version's revisions and one more."""
    folder = Path(shutil.copytree(SCRIPTS, tmp_path / "migrations"))
    body = "\n".join(f"    {deed}" for deed in deeds)
    (folder / "versions" / "9999_next.py").write_text(NEXT.format(below=REVISION, deeds=body))
    return folder


def dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return list(database.iterdump())


@pytest.fixture
async def full(file: Path) -> Path:
    """A database with jobs in it."""
    async with Ledger.open(file) as ledger:
        await asyncio.gather(*(ledger.add(job(number)) for number in range(5)))
    return file


async def test_an_empty_folder_gets_this_version(tmp_path: Path):
    file = tmp_path / "zoetrope.db"
    async with Ledger.open(file) as ledger:
        await ledger.add(job())
    assert [path.name for path in tmp_path.iterdir()] == ["zoetrope.db"]  # no copy of nothing
    assert inspect(file).revision == REVISION


def test_the_revisions_make_the_tables_that_the_code_knows(fresh: Path):
    head = ScriptDirectory.from_config(config())
    assert head.get_current_head() == REVISION
    engine = create_engine(f"sqlite:///{fresh}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    return made


@pytest.mark.parametrize("table", Table.metadata.sorted_tables, ids=str)
def test_postgres_would_take_every_table(table):
    statement = str(CreateTable(table).compile(dialect=postgresql.dialect()))
    assert "AUTOINCREMENT" not in statement
    for column in table.columns:
        if column.name in {"user_id", "guild_id", "channel_id", "message", "ticket", "actor", "subject"}:
            assert f"{column.name} BIGINT" in statement


async def test_a_database_of_this_version_is_left_alone(full: Path):
    before = full.read_bytes()
    await upgrade(address(full))
    assert full.read_bytes() == before


async def test_a_migration_keeps_a_copy_of_what_was(full: Path, tmp_path: Path):
    before = dump(full)
    await upgrade(address(full), scripts=scripts(tmp_path, [ADD, SPOIL]), head="9999")
    assert inspect(full).revision == "9999"
    with closing(sqlite3.connect(full)) as database:
        assert database.execute("SELECT DISTINCT words, later FROM jobs").fetchall() == [("spoilt", None)]
    assert dump(full.with_name("zoetrope.db.before-9999")) == before


@pytest.mark.parametrize(
    "deeds",
    [
        [ADD, SPOIL, 'raise RuntimeError("half way")'],
        [ADD, 'op.execute("INSERT INTO nowhere VALUES (1)")'],
        [
            SPOIL,
            'op.execute("COMMIT")',
            'op.execute("DROP TABLE clips")',
            "1 / 0",
        ],  # not undone by a rollback
        ['op.execute("DELETE FROM users")'],  # leaves jobs without their users
    ],
    ids=["raises", "bad SQL", "commits and raises", "breaks references"],
)
async def test_a_failed_migration_leaves_the_database_as_it_was(full: Path, tmp_path: Path, deeds):
    before = dump(full)
    folder = scripts(tmp_path, deeds)
    with pytest.raises(Misconfigured, match="It is as it was") as refusal:
        await upgrade(address(full), scripts=folder, head="9999")
    assert str(full) in str(refusal.value)
    assert dump(full) == before
    assert not list(tmp_path.glob("*before*"))
    async with Ledger.open(full) as ledger:  # and the version before still works on it
        await ledger.add(job(9))
        assert len(await ledger.unfinished()) == 6


async def test_a_failed_first_migration_leaves_an_empty_file_empty(tmp_path: Path):
    file = tmp_path / "zoetrope.db"
    with pytest.raises(ZeroDivisionError):
        await upgrade(address(file), scripts=scripts(tmp_path, [ADD, "1 / 0"]), head="9999")
    assert dump(file) == ["BEGIN TRANSACTION;", "COMMIT;"]


async def test_a_newer_database_is_refused(full: Path, tmp_path: Path):
    await upgrade(address(full), scripts=scripts(tmp_path, [ADD]), head="9999")
    before = dump(full)
    with pytest.raises(Misconfigured, match=r"newer version \(revision 9999\): update Zoetrope"):
        async with Ledger.open(full):
            raise AssertionError("it opened")
    assert dump(full) == before
    assert [path.name for path in tmp_path.glob("*before*")] == ["zoetrope.db.before-9999"]


async def test_another_programs_database_is_left_as_it_was(tmp_path: Path):
    file = tmp_path / "notes.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE users (name TEXT)")
        database.execute("INSERT INTO users VALUES ('someone')")
        database.commit()
    before = dump(file)
    with pytest.raises(Misconfigured, match="already exists"):
        async with Ledger.open(file):
            raise AssertionError("it opened")
    assert dump(file) == before
