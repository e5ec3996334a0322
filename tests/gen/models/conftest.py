"""Tiny checkpoints, made once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `tiny`


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder they are in."""
    return tmp_path_factory.mktemp("weights")


@pytest.fixture
def made(store: Path) -> Any:
    """A fresh pipeline for pictures."""
    import tiny

    return tiny.painter(store / "painter")
