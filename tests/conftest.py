"""The order of all tests, the longest one first, their threads, and the end of what a failed one left."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from tests.running import KILLS, LEFT

# Before torch is there: tests run beside each other, and their models are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the kill matrix first; the rest stays as it was. Stories with kills take as long as they take."""
    items.sort(key=lambda item: item.path.name != "test_kill_matrix.py")
    if KILLS in os.environ:
        for item in items:
            item.add_marker(pytest.mark.timeout(3000), append=False)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """A program that a failed test left would slow down all others."""
    while LEFT:
        with suppress(ProcessLookupError):
            os.killpg(LEFT.pop(), signal.SIGKILL)
