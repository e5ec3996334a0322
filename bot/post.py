"""The post speaks to channels by the bot's own token, and finds what it said before."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

import discord

from bot.gallery.links import path
from commands import replies
from gen.job import ENDED, Answer, Job

#: A channel's newest messages that are looked through for one that carries a job's id.
DEPTH = 2000
#: The name of a picture of a clip in the making.
PREVIEW = "preview.jpg"
#: Seconds that clocks differ.
SKEW = 60.0
#: Discord's answer when a message was deleted.
UNKNOWN_MESSAGE = 10008


class Post:
    """Messages of one client. Every create carries a nonce made of the job's id, which Discord enforces."""

    def __init__(self, client: discord.Client, *, now: Callable[[], float] = time.time) -> None:
        self.client = client
        self._since = now()

    async def ticket(self, job: Job, text: str, view: discord.ui.View) -> int:
        """The id of the job's ticket: the one that is in the channel already, else a new one."""
        if job.asker.answer:
            await self.edit(job, job.asker.answer.message, text, view)
            return job.asker.answer.message

        def fits(message: discord.Message) -> bool:
            if job.asker.private and self._abandoned(message, job):
                return True
            return carries(message, job.id) and not shows(message, job.id)

        found = await self._newest(job, job.created, fits)
        if found is not None:
            await self.edit(job, found, text, view, [])
            return found
        # An end is said anew when its ticket was deleted: to the ticket's own nonce, Discord would answer
        # with the message that is gone.
        nonce = f"ended-{job.id}" if job.state in ENDED else f"ticket-{job.id}"
        return (await self.channel(job.asker.channel).send(text, view=view, nonce=nonce)).id

    async def clip(self, job: Job) -> int | None:
        """The id of the message in the job's channel that shows its clip: none is older than its making."""
        if job.asker.answer:
            return await self._answered(job, job.asker.answer)
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

    async def _answered(self, job: Job, answer: Answer) -> int | None:
        """The id of the answer, if it shows the clip."""
        with suppress(discord.NotFound):  # deleted; or its key is no longer known, as sending will find
            message = await self._webhook(answer).fetch_message(answer.message)
            return message.id if shows(message, job.id) else None
        return None

    async def edit(
        self,
        job: Job,
        message: int,
        text: str,
        view: discord.ui.View,
        pictures: Sequence[bytes] | None = None,
    ) -> None:
        """Makes a message of the job's channel say `text` and show these JPEGs; None leaves what it shows."""
        files: Any = discord.utils.MISSING
        if pictures is not None:
            files = [discord.File(io.BytesIO(data), PREVIEW, spoiler=job.spoiler) for data in pictures]
        if job.asker.answer:
            await self._webhook(job.asker.answer).edit_message(
                message, content=text, view=view, attachments=files,
                allowed_mentions=discord.AllowedMentions.none(),
            )  # fmt: skip
            return
        one = self.channel(job.asker.channel).get_partial_message(message)
        await one.edit(content=text, view=view, attachments=files)

    async def react(self, channel: int, message: int, emoji: str) -> None:
        """Puts a reaction under a message; the second time changes nothing."""
        await self.channel(channel).get_partial_message(message).add_reaction(emoji)

    async def delete(self, job: Job, message: int) -> None:
        """Takes a message of the job's channel away."""
        if job.asker.answer:
            await self._webhook(job.asker.answer).delete_message(message)
            return
        await self.channel(job.asker.channel).get_partial_message(message).delete()

    def way(self, job: Job) -> Way:
        """Where the job's clip is sent."""
        answer = job.asker.answer
        return Reply(self._webhook(answer), answer.message) if answer else self.channel(job.asker.channel)

    def _webhook(self, answer: Answer) -> discord.Webhook:
        return discord.Webhook.partial(self.client.application_id or 0, answer.token, client=self.client)

    def channel(self, channel: int) -> discord.PartialMessageable:
        """A channel, a thread or direct messages, by id."""
        return self.client.get_partial_messageable(channel)


class Way(Protocol):
    """Where a clip can be sent."""

    async def send(
        self,
        content: str,
        *,
        files: Sequence[discord.File],
        view: discord.ui.View,
        nonce: str,
        allowed_mentions: discord.AllowedMentions,
    ) -> discord.Message:
        """The message that shows the clip."""
        ...


class Reply:
    """An interaction's answer, which becomes the clip: after a death it shows by itself whether it did, and
    none of the five further messages is spent that Discord allows where the bot is no member."""

    def __init__(self, webhook: discord.Webhook, message: int) -> None:
        self._webhook = webhook
        self._message = message

    async def send(
        self,
        content: str,
        *,
        files: Sequence[discord.File],
        view: discord.ui.View,
        nonce: str,
        allowed_mentions: discord.AllowedMentions,
    ) -> discord.Message:
        """As `Way`; where the answer was deleted, a further message."""
        del nonce  # an edit is harmless twice
        try:
            return await self._webhook.edit_message(
                self._message,
                content=content,
                attachments=files,
                view=view,
                allowed_mentions=allowed_mentions,
            )
        except discord.NotFound as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
        for file in files:
            file.reset()
        return await self._webhook.send(
            content, files=files, view=view, allowed_mentions=allowed_mentions, wait=True
        )


def carries(message: discord.Message, job_id: str) -> bool:
    """Whether a button of the message belongs to that job."""
    rows = (row for row in message.components if isinstance(row, discord.ActionRow))
    return any((child.custom_id or "").endswith(f":{job_id}") for row in rows for child in row.children)


def shows(message: discord.Message, job_id: str) -> bool:
    """Whether the message has a clip: its file, or, where none was small enough, a link to it. A ticket has a
    picture at most."""
    filmed = any(file.filename.endswith(".mp4") for file in message.attachments)
    return filmed or f"{path(job_id)}?" in message.content
