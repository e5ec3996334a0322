"""The board keeps tickets true: place, estimate and progress of each job, edited when changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import aiohttp
import discord

from bot.post import Post
from gen.job import ENDED, Job, State
from gen.ports import Ledger, Step
from gen.studio import Place

log = logging.getLogger(__name__)

#: The words and buttons of a ticket.
Draw = Callable[[Job, Place | None], tuple[str, discord.ui.View]]

#: Seconds between two looks at the line, and between two edits of one ticket.
LOOK = 1.0
PACE = 3.0
#: Discord's answer when a message more than an hour old was edited too often, and the pause it asks for.
TOO_MANY_OLD_EDITS = 30046
OLD_PAUSE = 300.0
#: Tries to write a ticket's last words before they are left unsaid.
TRIES = 5


@dataclass
class Ticket:
    """A job's message in the line."""

    job: Job
    message: int | None = None
    shown: str = ""
    due: float = 0.0  # not edited before then, by the monotonic clock
    busy: bool = False  # a request for it is under way
    tries: int = 0


class Board:
    """`commands.house.Board`, and the half of `gen.ports.Delivery` that shows."""

    def __init__(
        self,
        post: Post,
        ledger: Ledger,
        places: Callable[[], list[Place]],
        draw: Draw,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.post = post
        self.ledger = ledger
        self.places = places
        self.draw = draw
        self.tickets: dict[str, Ticket] = {}
        self._monotonic = monotonic
        self._changed = asyncio.Event()
        self._channels: set[int] = set()  # with a request under way

    async def open(self, job: Job, send: Callable[[str, discord.ui.View], Awaitable[int]]) -> None:
        """Sends a new job's ticket by `send`, which answers with the message's id, and keeps it true."""
        ticket = self.tickets.setdefault(job.id, Ticket(job))
        ticket.busy = True
        place = next((place for place in self.places() if place.job.id == job.id), None)
        text, view = self.draw(ticket.job, place)
        try:
            await self._opened(ticket, await send(text, view), text)
        except (discord.HTTPException, aiohttp.ClientError) as error:
            log.warning("job %s: its ticket was not sent (%s); it is sent again", job.id, error)
        finally:
            ticket.busy = False

    def show(self, job: Job, step: Step | None = None) -> None:
        """Remembers where `job` stands; the ticket follows at its own pace, with the steps of then."""
        del step
        ticket = self.tickets.get(job.id)
        if ticket is None:
            return
        ticket.job = job
        if job.state in ENDED:
            ticket.due = 0.0
            self._changed.set()

    def adopt(self, jobs: Iterable[Job]) -> None:
        """Takes up the tickets of jobs that an earlier run left."""
        for job in jobs:
            self.tickets.setdefault(job.id, Ticket(job, message=job.ticket))

    async def serve(self) -> None:
        """Keeps the tickets true until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._refresh(group)
                self._changed.clear()
                try:
                    async with asyncio.timeout(LOOK):
                        await self._changed.wait()
                except TimeoutError:
                    pass

    def _refresh(self, group: asyncio.TaskGroup) -> None:
        """Starts at most one request a channel, for the ticket that needs it most."""
        now = self._monotonic()
        due = [ticket for ticket in self.tickets.values() if not ticket.busy and ticket.due <= now]
        if not due:
            return
        places = {place.job.id: place for place in self.places()}
        for ticket in sorted(due, key=_urgency):
            if ticket.job.asker.channel in self._channels:
                continue
            text, view = self.draw(ticket.job, places.get(ticket.job.id))
            if text == ticket.shown and ticket.job.state not in ENDED:
                continue
            ticket.busy = True
            self._channels.add(ticket.job.asker.channel)
            group.create_task(self._update(ticket, text, view), name=f"ticket-{ticket.job.id}")

    async def _update(self, ticket: Ticket, text: str, view: discord.ui.View) -> None:
        channel = ticket.job.asker.channel
        try:
            await self._bring(ticket, text, view)
        except discord.NotFound:
            del self.tickets[ticket.job.id]  # someone deleted the ticket: the job goes on without
        except discord.HTTPException as error:
            self._put_off(ticket, OLD_PAUSE if error.code == TOO_MANY_OLD_EDITS else PACE)
        except (aiohttp.ClientError, OSError):
            self._put_off(ticket, PACE)
        finally:
            ticket.busy = False
            self._channels.discard(channel)
            self._changed.set()

    async def _bring(self, ticket: Ticket, text: str, view: discord.ui.View) -> None:
        """Makes the message say `text`: sent, edited or, once the clip is there, taken away."""
        job = ticket.job
        if ticket.message is None:
            if job.state is State.POSTED:
                del self.tickets[job.id]
                return
            await self._opened(ticket, await self.post.ticket(job, text, view), text)
        elif job.state is State.POSTED:
            await self.post.delete(job.asker.channel, ticket.message)
        else:
            await self.post.edit(job.asker.channel, ticket.message, text, view)
            ticket.shown = text
        ticket.due = self._monotonic() + PACE
        if job.state in ENDED and ticket.job is job:
            del self.tickets[job.id]
            await self.ledger.ticket(job.id, None)

    async def _opened(self, ticket: Ticket, message: int, text: str) -> None:
        ticket.message, ticket.shown = message, text
        ticket.due = self._monotonic() + PACE if ticket.job.state not in ENDED else 0.0
        await self.ledger.ticket(ticket.job.id, message)

    def _put_off(self, ticket: Ticket, wait: float) -> None:
        ticket.tries += 1
        ticket.due = self._monotonic() + wait * ticket.tries
        if ticket.job.state in ENDED and ticket.tries >= TRIES:
            log.warning("job %s: its ticket could not be brought up to date", ticket.job.id)
            del self.tickets[ticket.job.id]


def _urgency(ticket: Ticket) -> tuple[int, float]:
    """What ended first, then what has no ticket yet, then what runs, then the one not edited longest."""
    if ticket.job.state in ENDED:
        return 0, ticket.due
    if ticket.message is None:
        return 1, ticket.due
    return (2 if ticket.job.state is State.RUNNING else 3), ticket.due
