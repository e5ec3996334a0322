"""Discord's ids: 42 bits of milliseconds since 2015, then a counter, so that they sort by time."""

import threading
from collections.abc import Callable

EPOCH_MS = 1_420_070_400_000


class Snowflakes:
    """Makes ids that grow strictly, whatever the clock does.

    `clock` gives seconds since 1970. Any thread may ask.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        fresh = (int(self.clock() * 1000) - EPOCH_MS) << 22
        with self._lock:
            self._last = max(fresh, self._last + 1)
            return self._last

    def skip_past(self, used: int) -> None:
        """Never give `used`, or anything below it, again (ids that were read from disk)."""
        with self._lock:
            self._last = max(self._last, used)


def seconds(snowflake: int) -> float:
    """When an id was made, in seconds since 1970."""
    return ((snowflake >> 22) + EPOCH_MS) / 1000
