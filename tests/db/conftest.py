"""Databases in real files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from db.ledger import Ledger


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 5_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with this version's tables, to copy: migrating once is enough."""
    file = tmp_path_factory.mktemp("fresh") / "zoetrope.db"

    async def create() -> None:
        async with Ledger.open(file):
            pass

    asyncio.run(create())
    return file


@pytest.fixture
def file(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(fresh, tmp_path / "zoetrope.db"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(file: Path, clock: Callable[[], float]) -> AsyncIterator[Ledger]:
    async with Ledger.open(file, clock=clock) as opened:
        yield opened
