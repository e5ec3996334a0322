"""The board keeps tickets true: place, estimate, progress and a picture of each job, edited when changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import nsmallest
from pathlib import Path

import aiohttp
import discord

from bot.post import UNKNOWN_MESSAGE, Post
from commands.errors import OVER
from commands.replies import REROLL
from gen.job import ENDED, Job, State
from gen.outlook import Place
from gen.ports import Ledger, Step

log = logging.getLogger(__name__)

#: The words and buttons of a ticket.
Draw = Callable[[Job, Place | None], tuple[str, discord.ui.View]]

#: Seconds between two looks at the line, and between two edits of one ticket.
LOOK = 1.0
PACE = 3.0
#: Tickets drawn in one pass, so that a long line never holds the loop.
DRAWN = 50
#: Discord's answer when a message more than an hour old was edited too often, and the pause it asks for;
#: so long a channel that forbids is left alone, too.
TOO_MANY_OLD_EDITS = 30046
OLD_PAUSE = 300.0
#: Seconds between two tries to edit a ticket whose job goes on, at most.
SLACK = 15.0
#: Seconds for which a ticket's last words are tried again, with growing waits; then they are left to the next
#: start. Tries in a channel that forbids, and to put a clip's reaction on.
HOUR = 3600.0
TRIES = 5
REACTIONS = 3
#: Waits, in seconds, before further tries to send a ticket the way it was asked for: it fills “thinking”.
AGAIN = (1.0, 3.0, 9.0)
#: A line of so many clips is played through anew for each new ticket; a longer one once a LOOK for all.
SHORT = 100


@dataclass
class Ticket:
    """A job's message in the line."""

    job: Job
    message: int | None = None
    shown: str = ""
    picture: str | None = None  # the file of the picture that it shows, "" for none; None: who knows
    due: float = 0.0  # not edited before then, by the monotonic clock
    free: asyncio.Event = field(default_factory=asyncio.Event)  # no request for it is under way
    tries: int = 0  # in vain, one after the other
    failing: float | None = None  # since when its last words are tried in vain, by the monotonic clock
    reacted: bool = False  # the clip has its reaction

    def __post_init__(self) -> None:
        self.free.set()


class Board:
    """`commands.house.Board`, and the half of `gen.ports.Delivery` that shows."""

    def __init__(
        self,
        post: Post,
        ledger: Ledger,
        places: Callable[[], list[Place]],
        draw: Draw,
        *,
        previews: Path | None = None,  # the folder with pictures of clips in the making
        again: Sequence[float] = AGAIN,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.post = post
        self.ledger = ledger
        self.places = places
        self.draw = draw
        self.tickets: dict[str, Ticket] = {}
        self.previews = previews
        self.again = again
        self._line: dict[str, Place] = {}  # by job, as of a moment ago
        self._played = -LOOK  # that moment
        self._monotonic = monotonic
        self._changed = asyncio.Event()
        self._channels: set[int] = set()  # with a request under way

    async def open(self, job: Job, send: Callable[[str, discord.ui.View], Awaitable[int]]) -> None:
        """Sends a new job's ticket by `send`, which answers with the message's id, and keeps it true."""
        ticket = self.tickets.setdefault(job.id, Ticket(job))
        ticket.free.clear()
        ticket.picture = ""
        try:
            text, view = self.draw(ticket.job, self._place(job))
            await self._opened(ticket, await self._persist(job, partial(send, text, view)), text)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("job %s: its ticket was not sent (%s); it is sent anew", job.id, error)
        finally:
            ticket.free.set()

    async def _persist(self, job: Job, send: Callable[[], Awaitable[int]]) -> int:
        """Sends until Discord takes it or says that it never will; sent twice, a ticket is one message."""
        for wait in self.again:
            try:
                return await send()
            except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
                if isinstance(error, discord.HTTPException) and 400 <= error.status < 429:
                    raise
                log.info("job %s: its ticket is not sent yet: %s", job.id, error)
            await asyncio.sleep(wait)
        return await send()

    def _place(self, job: Job) -> Place | None:
        """Where a new job stands. In a long line, many that come at once are told a moment later."""
        if len(self._line) < SHORT or self._monotonic() - self._played >= LOOK:
            self._play()
        return self._line.get(job.id)

    def _play(self) -> None:
        self._line = {place.job.id: place for place in self.places()}
        self._played = self._monotonic()

    def show(self, job: Job, step: Step | None = None) -> None:
        """Remembers where `job` stands; the ticket follows at its own pace, with the steps of then."""
        del step
        ticket = self.tickets.get(job.id)
        if ticket is None and job.state in (State.POSTED, State.FAILED):
            # For the clip's reaction; or its ticket was deleted, and a failure is to be said all the same.
            ticket = self.tickets[job.id] = Ticket(job)
        if ticket is None:
            return
        ticket.job = job
        if job.state in ENDED:
            ticket.due, ticket.tries, ticket.failing = 0.0, 0, None
            self._changed.set()

    async def leave(self, user: int) -> None:
        """Says no more of that person's jobs: their tickets are about to be deleted."""
        for ticket in [one for one in self.tickets.values() if one.job.asker.user == user]:
            self.tickets.pop(ticket.job.id, None)
            await ticket.free.wait()

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
        due = [
            ticket
            for ticket in self.tickets.values()
            if ticket.due <= now and ticket.free.is_set() and ticket.job.asker.channel not in self._channels
        ]
        if not due:
            return
        if now - self._played >= LOOK:
            self._play()
        for ticket in nsmallest(DRAWN, due, key=_urgency):
            if ticket.job.asker.channel in self._channels:
                continue
            place = self._line.get(ticket.job.id)
            try:
                text, view = self.draw(ticket.job, place)
            except Exception:  # as in `_update`
                self._drop(ticket)
                continue
            picture = _picture(ticket, place) if self.previews else None
            if text == ticket.shown and picture is None and ticket.job.state not in ENDED:
                ticket.due = now + LOOK  # the others' turn
                continue
            ticket.free.clear()
            self._channels.add(ticket.job.asker.channel)
            group.create_task(self._update(ticket, text, view, picture), name=f"ticket-{ticket.job.id}")

    async def _update(self, ticket: Ticket, text: str, view: discord.ui.View, picture: str | None) -> None:
        channel = ticket.job.asker.channel
        try:
            await self._try(ticket, text, view, picture)
        except Exception:
            # A bug ends this ticket alone. It would end the board, and the bot with it; and the next start
            # would take up the same job, and end by it again.
            self._drop(ticket)
        finally:
            ticket.free.set()
            self._channels.discard(channel)
            self._changed.set()

    def _drop(self, ticket: Ticket) -> None:
        """Lets go of a ticket that met a bug; the job goes on. Called while the error is handled."""
        log.exception("job %s: its ticket met a bug and is left as it is", ticket.job.id)
        self.tickets.pop(ticket.job.id, None)

    async def _try(self, ticket: Ticket, text: str, view: discord.ui.View, picture: str | None) -> None:
        """Brings the ticket up to date, or puts it off."""
        try:
            await self._bring(ticket, text, view, picture)
        except discord.NotFound as error:
            if error.code == UNKNOWN_MESSAGE and ticket.message and ticket.job.state is State.FAILED:
                ticket.message, ticket.due = None, 0.0  # deleted, and yet the failure is to be said: anew
            else:  # the job goes on without
                await self._close(ticket)
        except discord.Forbidden:
            if ticket.tries + 1 >= TRIES:
                log.warning("job %s: its channel is closed to its ticket", ticket.job.id)
                self.tickets.pop(ticket.job.id, None)
            else:
                self._put_off(ticket, OLD_PAUSE)
        except discord.HTTPException as error:
            if error.code in OVER:  # nobody reads a ticket there any more; the clip goes to its owner
                await self._close(ticket)
                return
            self._put_off(ticket, OLD_PAUSE if error.code == TOO_MANY_OLD_EDITS else PACE)
        except (aiohttp.ClientError, OSError):
            self._put_off(ticket, PACE)

    async def _bring(self, ticket: Ticket, text: str, view: discord.ui.View, picture: str | None) -> None:
        """Makes the message say `text` and, unless that is None, show `picture`: sent, edited or, once the
        clip is there, taken away."""
        job = ticket.job
        if job.state is State.POSTED:
            await self._react(ticket)
            if ticket.message is not None and ticket.message != job.message:  # an answer becomes the clip
                await self.post.delete(job, ticket.message)
        elif ticket.message is None:
            await self._opened(ticket, await self.post.ticket(job, text, view), text)
        else:
            pictures = await asyncio.to_thread(self._read, picture)
            await self.post.edit(job, ticket.message, text, view, pictures)
            ticket.shown = text
            if pictures is not None:
                ticket.picture = picture
        ticket.due, ticket.tries = self._monotonic() + PACE, 0
        if job.state in ENDED and ticket.job is job:
            await self._close(ticket, None if job.state is State.POSTED else ticket.message)

    def _read(self, picture: str | None) -> list[bytes] | None:
        """The file of that name, no file for "", and None where the message is to show what it does: for no
        name, or when a newer picture has taken the file's place."""
        if picture is None or self.previews is None:
            return None
        if not picture:
            return []
        try:
            return [(self.previews / Path(picture).name).read_bytes()]
        except FileNotFoundError:
            return None

    async def _react(self, ticket: Ticket) -> None:
        """Puts the reaction that rolls again under the clip. Until the ticket is gone it is done again after
        a death: a second time changes nothing."""
        job = ticket.job
        if ticket.reacted or job.message is None or ticket.tries >= REACTIONS:
            return
        if job.asker.answer and job.channel == job.asker.channel:
            return  # the bot is no member there
        try:
            await self.post.react(job.channel, job.message, REROLL)
        except (discord.Forbidden, discord.NotFound) as error:
            log.info("job %s: its clip takes no reaction: %s", job.id, error)  # the button is there
        ticket.reacted = True

    async def _close(self, ticket: Ticket, stands: int | None = None) -> None:
        """Nothing is to be said of the job any more; the message that `stands` says how it ended."""
        if ticket.job.state in ENDED:
            await self.ledger.ticket(ticket.job.id, None, stands)
        self.tickets.pop(ticket.job.id, None)  # once it is written: `leave` waits for that

    async def _opened(self, ticket: Ticket, message: int, text: str) -> None:
        ticket.message, ticket.shown, ticket.picture = message, text, ""
        ticket.due = self._monotonic() + PACE if ticket.job.state not in ENDED else 0.0
        await self.ledger.ticket(ticket.job.id, message)

    def _put_off(self, ticket: Ticket, least: float) -> None:
        """Tries again later: soon while the job goes on, ever later for its last words."""
        now, ended = self._monotonic(), ticket.job.state in ENDED
        ticket.tries += 1
        wait = min(PACE * 2 ** min(ticket.tries - 1, 10), OLD_PAUSE if ended else SLACK)
        ticket.due = now + max(least, wait)
        if not ended:
            return
        ticket.failing = now if ticket.failing is None else ticket.failing
        if now - ticket.failing > HOUR:
            log.warning("job %s: its ticket could not be brought up to date", ticket.job.id)
            del self.tickets[ticket.job.id]


def _picture(ticket: Ticket, place: Place | None) -> str | None:
    """The file of the picture that the ticket is to show now, "" for none, None where nothing changes.

    The last one stays until the clip takes its place; a clip that does not come takes it away.
    """
    state = ticket.job.state
    if state in (State.MADE, State.POSTED):
        return None
    step = place.step if place and state is State.RUNNING else None
    wanted = (step.preview or "") if step else ""
    return None if wanted == ticket.picture else wanted


def _urgency(ticket: Ticket) -> tuple[int, float]:
    """What ended first, then what has no ticket yet, then what runs, then the one not edited longest."""
    if ticket.job.state in ENDED:
        return 0, ticket.due
    if ticket.message is None:
        return 1, ticket.due
    return (2 if ticket.job.state is State.RUNNING else 3), ticket.due
