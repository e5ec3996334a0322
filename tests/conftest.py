"""The order of all tests: the longest one first, so that it runs beside the others and not after them."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the kill matrix first; the rest stays as it was."""
    items.sort(key=lambda item: item.path.name != "test_kill_matrix.py")
