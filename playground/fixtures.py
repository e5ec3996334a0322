"""For pytest: a verified playground, its journal under every failure, and what a bot swallowed.

In a conftest:

    from playground import fixtures
    place, swallowed = fixtures.place, fixtures.swallowed
    pytest_runtest_makereport = fixtures.pytest_runtest_makereport
"""

import logging
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from playground.server import Playground


@pytest.fixture
async def place() -> AsyncIterator[Playground]:
    """A fresh playground; at the end it raises for what went wrong unseen."""
    async with Playground() as place:
        yield place


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter("%(name)s: %(message)s").format(record))


@pytest.fixture
def swallowed() -> Iterator[list[str]]:
    """Errors that a client in this process only logged, and tasks that died unheard; any fails the test.

    A test that means to see one takes it out of the list.
    """
    handler = _Errors()
    loggers = [logging.getLogger("discord"), logging.getLogger("asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler.texts
    for logger in loggers:
        logger.removeHandler(handler)
    if handler.texts:
        pytest.fail("The bot swallowed:\n" + "\n".join(handler.texts))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """Adds each playground's journal to the report of a test that failed."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Playground):
                report.sections.append((f"Journal of {name}", value.tail()))
    return report
