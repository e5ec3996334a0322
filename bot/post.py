"""The post speaks to channels by the bot's own token, and finds what it said before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import discord

from gen.job import Job

#: Messages after a job's birth that are looked through for one that carries its id.
DEPTH = 500


class Post:
    """Messages of one client. Every create carries a nonce made of the job's id, which Discord enforces."""

    def __init__(self, client: discord.Client) -> None:
        self.client = client

    async def ticket(self, job: Job, text: str, view: discord.ui.View) -> int:
        """The id of the job's ticket: the one that is in the channel already, else a new one."""
        found = await self.find(job, lambda message: not message.attachments)
        if found is not None:
            await self.edit(job.asker.channel, found, text, view)
            return found
        sent = await self.channel(job.asker.channel).send(text, view=view, nonce=f"ticket-{job.id}")
        return sent.id

    async def find(self, job: Job, fits: Callable[[discord.Message], bool]) -> int | None:
        """The id of this bot's message in the job's channel that carries the job's id and fits."""
        born = datetime.fromtimestamp(job.created, UTC) - timedelta(minutes=1)  # clocks differ
        history = self.channel(job.asker.channel).history(limit=DEPTH, after=born, oldest_first=True)
        async for message in history:
            if message.author == self.client.user and carries(message, job.id) and fits(message):
                return message.id
        return None

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
