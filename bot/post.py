"""The post speaks to channels by the bot's own token, and finds what it said before."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import discord

from bot.gallery.links import path
from commands import replies
from gen.job import ENDED, Job

#: A channel's newest messages that are looked through for one that carries a job's id.
DEPTH = 2000
#: Seconds that clocks differ.
SKEW = 60.0


class Post:
    """Messages of one client. Every create carries a nonce made of the job's id, which Discord enforces."""

    def __init__(self, client: discord.Client, *, now: Callable[[], float] = time.time) -> None:
        self.client = client
        self._since = now()

    async def ticket(self, job: Job, text: str, view: discord.ui.View) -> int:
        """The id of the job's ticket: the one that is in the channel already, else a new one."""

        def fits(message: discord.Message) -> bool:
            if job.asker.private and self._abandoned(message, job):
                return True
            return carries(message, job.id) and not shows(message, job.id)

        found = await self._newest(job, job.created, fits)
        if found is not None:
            await self.edit(job.asker.channel, found, text, view)
            return found
        # An end is said anew when its ticket was deleted: to the ticket's own nonce, Discord would answer
        # with the message that is gone.
        nonce = f"ended-{job.id}" if job.state in ENDED else f"ticket-{job.id}"
        return (await self.channel(job.asker.channel).send(text, view=view, nonce=nonce)).id

    async def clip(self, job: Job) -> int | None:
        """The id of the message in the job's channel that shows its clip: none is older than its making."""
        return await self._newest(
            job, job.started or job.created, lambda one: carries(one, job.id) and shows(one, job.id)
        )

    async def _newest(self, job: Job, since: float, fits: Callable[[discord.Message], bool]) -> int | None:
        """The id of this bot's newest message in the job's channel that fits."""
        oldest = datetime.fromtimestamp(since - SKEW, UTC)
        async for message in self.channel(job.asker.channel).history(limit=DEPTH):
            if message.created_at < oldest:
                return None
            if message.author == self.client.user and fits(message):
                return message.id
        return None

    def _abandoned(self, message: discord.Message, job: Job) -> bool:
        """Whether an earlier run knocked with it at the person's door, and died before it was a ticket."""
        since = datetime.fromtimestamp(self._since, UTC)
        earlier = job.created < self._since and message.created_at < since
        return earlier and message.content == replies.reading(job.asker.locale)

    async def edit(self, channel: int, message: int, text: str, view: discord.ui.View) -> None:
        """Makes a message say `text`."""
        await self.channel(channel).get_partial_message(message).edit(content=text, view=view)

    async def react(self, channel: int, message: int, emoji: str) -> None:
        """Puts a reaction under a message; the second time changes nothing."""
        await self.channel(channel).get_partial_message(message).add_reaction(emoji)

    async def delete(self, channel: int, message: int) -> None:
        """Takes a message away."""
        await self.channel(channel).get_partial_message(message).delete()

    def channel(self, channel: int) -> discord.PartialMessageable:
        """A channel, a thread or direct messages, by id."""
        return self.client.get_partial_messageable(channel)


def carries(message: discord.Message, job_id: str) -> bool:
    """Whether a button of the message belongs to that job."""
    rows = (row for row in message.components if isinstance(row, discord.ActionRow))
    return any((child.custom_id or "").endswith(f":{job_id}") for row in rows for child in row.children)


def shows(message: discord.Message, job_id: str) -> bool:
    """Whether the message has a clip: its file, or, where none was small enough, a link to it."""
    return bool(message.attachments) or f"{path(job_id)}?" in message.content
