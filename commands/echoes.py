"""Echoes: Discord may send one event twice, and what it asks for is to be done once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

#: Seconds in which the same reaction is taken for its echo; a person who takes it back and sets it again is
#: slower.
BRIEF = 2.0
#: Seconds an interaction lives.
LONG = 900.0


class Echoes:
    """What was heard lately."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._heard: OrderedDict[Hashable, float] = OrderedDict()

    def heard(self, event: Hashable, within: float = LONG) -> bool:
        """Whether that event came within so many seconds already; from now on it did."""
        now = self._monotonic()
        while self._heard and now - next(iter(self._heard.values())) > LONG:
            self._heard.popitem(last=False)
        if event in self._heard and now - self._heard[event] <= within:
            return True
        self._heard[event] = now
        self._heard.move_to_end(event)
        return False
