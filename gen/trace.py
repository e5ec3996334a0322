"""Which job is worked on here and now, for the log: it follows every task that the work starts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_JOB: ContextVar[str] = ContextVar("job", default="")


@contextmanager
def work_on(job_id: str) -> Iterator[None]:
    """Whatever is logged inside is about that job."""
    token = _JOB.set(job_id)
    try:
        yield
    finally:
        _JOB.reset(token)


class Named(logging.Filter):
    """Gives each record the id of its job, as `record.job`; "" outside of any."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything pass."""
        record.job = _JOB.get()
        return True
