"""Tiny checkpoints, made once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for `tiny`


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The machine is shared, and tiny tensors gain nothing from more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder they are in."""
    return tmp_path_factory.mktemp("weights")
