"""The door: many ask at once, and each hears a first answer before anyone's clip is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

#: First answers under way at once. Opening a connection for each was more than half of their cost, measured;
#: so many, kept open, answer 600 people a second where Discord takes 50 ms.
HANDS = 32
#: Seconds that work waits for others' first answers, at most: Discord gives those 3, and a stream of commands
#: without end is to stop nobody.
PATIENCE = 2.5


class Door:
    """Lets first answers go before other work."""

    def __init__(self, *, hands: int = HANDS, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._hands = asyncio.Semaphore(hands)
        self._pending = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Around a first answer."""
        self._pending += 1
        self._quiet.clear()
        try:
            async with self._hands:
                yield
        finally:
            self._pending -= 1
            if not self._pending:
                self._quiet.set()

    async def quiet(self) -> None:
        """Waits until nobody waits for a first answer, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await self._quiet.wait()
