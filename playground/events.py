"""What happens in the world, told to the gateway's sessions and to each person's page."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    name: Discord's event name (or one of the client's own, see `World.subscribe`).
    shape: gives the payload as one viewer sees it, by user id (a reaction's `me` differs).
    only: the one person who sees it. bot, people: which side hears of it at all.
    """

    name: str
    shape: Callable[[int], Json]
    guild_id: int | None = None
    channel_id: int | None = None
    only: int | None = None
    bot: bool = True
    people: bool = True


class Subscription:
    """One page's stream: `async for event in subscription`, until `close()`. Events are {"t", "d"}."""

    def __init__(
        self, leave: Callable[["Subscription"], None], sees: Callable[[Event], Json | None],
        take: Callable[[Json], None] | None = None,
    ) -> None:  # fmt: skip
        self._queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self._take = take or self._queue.put_nowait
        self._leave = leave
        self._sees = sees

    def offer(self, event: Event) -> None:
        payload = self._sees(event)
        if payload is not None:
            self._take({"t": event.name, "d": payload})

    def close(self) -> None:
        """Ends the stream; safe to call twice."""
        self._leave(self)
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Json]:
        while (event := await self._queue.get()) is not None:
            yield event
