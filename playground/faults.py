"""Bad days on demand: what a request meets instead of, or after, its effect."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

# What a fault does: an HTTP status to answer, "reset" (the connection is cut), "slow" (waits, then goes
# on), or a function, called there; it cuts the connection if it gives True.
Act = int | str | Callable[[], object]


class Cut(Exception):
    """The connection is to be cut without an answer."""


class Broken(Exception):
    """The request is to be answered with this status."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


@dataclass
class Fault:
    """One order. `hits` counts how often it struck."""

    method: str
    path: str
    do: Act
    when: str
    times: int
    skip: int
    seconds: float
    hits: int = 0

    def strikes(self, method: str, path: str, when: str) -> bool:
        if when != self.when or self.hits >= self.times:
            return False
        if self.method not in ("*", method) or not fnmatchcase(path, self.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


@dataclass
class Faults:
    """The orders that stand."""

    orders: list[Fault] = field(default_factory=list)

    def add(
        self, method: str, path: str, do: Act, *, when: str = "before", times: int = 1, skip: int = 0,
        seconds: float = 1.0,
    ) -> Fault:  # fmt: skip
        """The next `times` requests (after `skip` that pass) that match meet `do`.

        method: "POST", or "*". path: a glob on the path below the API's or CDN's base, for example
        "/channels/*/messages". when: "before" the effect, "after" it, or "during" the upload of the body
        (only for "reset" and functions). seconds: how long "slow" waits.
        """
        fault = Fault(method, path, do, when, times, skip, seconds)
        self.orders.append(fault)
        return fault

    def clear(self) -> None:
        self.orders.clear()

    def any(self, when: str) -> bool:
        return any(one.when == when and one.hits < one.times for one in self.orders)

    async def strike(self, method: str, path: str, when: str) -> bool:
        """Raises Cut or Broken, or waits, as ordered; whether any fault struck."""
        struck = False
        for fault in self.orders:
            if fault.strikes(method, path, when):
                struck = True
                await _do(fault)
        return struck


async def _do(fault: Fault) -> None:
    if isinstance(fault.do, int):
        raise Broken(fault.do)
    if fault.do == "slow":
        await asyncio.sleep(fault.seconds)
    elif fault.do == "reset":
        raise Cut
    elif callable(fault.do):
        cut = fault.do()
        if isinstance(cut, Awaitable):
            cut = await cut
        if cut is True:
            raise Cut
    else:
        raise ValueError(f"A fault cannot do {fault.do!r}")
