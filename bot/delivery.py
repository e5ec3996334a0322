"""Delivery posts clips: once, by the bot's own token, as small as the channel wants, whatever died before."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import discord

from bot.board import Board
from bot.gallery.links import Links
from bot.post import Post, Way
from commands import replies
from commands.errors import OVER
from gen.errors import EngineDied, EngineError, NotAllowed, Undeliverable, Unreachable
from gen.job import Clip, Job, State
from gen.ports import Darkroom, Posted, Step
from gen.recipe import Recipe

log = logging.getLogger(__name__)

#: Discord's codes: the file is too large; the channel or its server is gone, or closed to us, or it is of
#: direct messages that their owner does not take.
TOO_LARGE = 40005
CLOSED = frozenset({10003, 10004, 50001, 50007, 50013, 160005})
#: What a clip must shrink to, as a part of its size, when Discord takes less than it promised.
SHRINK = 0.7
#: How often a clip is made smaller before it is kept instead.
SHRINKS = 5
#: Bytes that every channel takes: what a larger clip shrinks to first.
USUAL_LIMIT = 10 * 2**20


class Delivery:
    """`gen.ports.Delivery` on Discord."""

    def __init__(
        self,
        post: Post,
        board: Board,
        darkroom: Darkroom,
        clips: Path,
        recipes: Mapping[str, Recipe],
        *,
        veils: Callable[[Job], bool],
        links: Links | None = None,  # to whole files, where a gallery gives them
        now: Callable[[], float] = time.time,
    ) -> None:
        """`veils` says whether a clip stands behind a spoiler in its owner's direct messages, or raises
        NotAllowed."""
        self._post = post
        self.board = board
        self.darkroom = darkroom
        self.clips = clips
        self.recipes = recipes
        self.veils = veils
        self.links = links
        self._since = now()
        self._fresh: set[str] = set()  # jobs that are this process's own and were not yet sent

    def show(self, job: Job, step: Step | None = None) -> None:
        """Shows where `job` stands, soon."""
        if job.state is State.RUNNING and job.created >= self._since:
            self._fresh.add(job.id)
        elif job.state in (State.FAILED, State.CANCELLED):
            self._fresh.discard(job.id)
        self.board.show(job, step)

    async def post(self, job: Job) -> Posted:
        """Where the clip's message is, looked for before it is sent unless it cannot be there yet.

        Its reaction is the board's to add: a busy channel may take seconds for that, and the clip is there.
        Raises Undeliverable, or Unreachable when no other try can help.
        """
        looked_for = job.id not in self._fresh
        self._fresh.discard(job.id)
        try:
            return await self._anywhere(job, looked_for)
        except FileNotFoundError as error:
            raise Unreachable("The clip's file is no longer there.") from error
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            raise Undeliverable("Discord did not take the clip: {fault}.", fault=_fault(error)) from error

    async def take_back(self, job: Job) -> None:
        """Deletes the clip's message; if that does not work, it stays."""
        if job.message is None:
            return
        answer = job.asker.answer if job.channel == job.asker.channel else None  # else direct messages
        asker = replace(job.asker, channel=job.channel, answer=answer)
        try:
            await self._post.delete(replace(job, asker=asker), job.message)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            log.warning("job %s: its clip stays in channel %s: %s", job.id, job.channel, error)

    async def _anywhere(self, job: Job, looked_for: bool) -> Posted:
        """Posts into the job's channel or, where that is gone or closed, to its owner."""
        try:
            return Posted(await self._into(job, looked_for), job.asker.channel)
        except discord.HTTPException as error:
            if error.code not in CLOSED | OVER:
                raise
            log.warning("job %s: channel %s is closed to the bot: %s", job.id, job.asker.channel, error)
        return await self._to_owner(job)

    async def _into(self, job: Job, looked_for: bool) -> int:
        """Posts into the job's channel."""
        found = await self._post.clip(job) if looked_for else None
        return found or (await self._send(job, self._post.way(job))).id

    async def _to_owner(self, job: Job) -> Posted:
        """One try by direct message."""
        try:
            if job.asker.private:
                raise Unreachable("Your direct messages are closed to me; the clip is kept in /history.")
            spoiler = self.veils(job)  # it was made for an age-restricted channel, perhaps
            channel = await self._post.client.create_dm(discord.Object(job.asker.user))
            mine = replace(job.asker, channel=channel.id, private=True, answer=None, spoiler=spoiler)
            there = replace(job, asker=mine)
            message = await self._into(there, True)
        except NotAllowed as refused:
            raise Unreachable(
                "The channel is closed to me, and a clip that is not for everyone does not go into direct "
                "messages; it is kept in /history."
            ) from refused
        except discord.Forbidden as closed:
            raise Unreachable(
                "The channel is closed to me, and so are your direct messages; the clip is kept in /history."
            ) from closed
        with suppress(discord.HTTPException, aiohttp.ClientError):  # the button is there all the same
            await self._post.react(channel.id, message, replies.REROLL)
        return Posted(message, channel.id)

    async def _send(self, job: Job, way: Way) -> discord.Message:
        """The clip's message; a clip that is too large is made smaller, more than once if need be, and where
        there is a gallery, the message has a link to it as it is."""
        clip, most = job.clip, job.asker.limit
        if clip is None:
            raise ValueError(f"job {job.id} has no clip")
        if clip.size <= most:
            try:
                return await self._upload(job, way)
            except discord.HTTPException as error:
                if not _too_large(error):
                    raise
            most = int(min(clip.size * SHRINK, USUAL_LIMIT))
        for _ in range(SHRINKS):
            log.info("job %s: %d bytes are too many for channel %s", job.id, clip.size, job.asker.channel)
            try:
                if (sent := await self._smaller(job, clip, most, way)) is None:
                    break
                return sent
            except discord.HTTPException as error:
                if not _too_large(error):
                    raise
            most = int(min(most * SHRINK, USUAL_LIMIT))
        if self.links:
            return await self._say(job, way, clip)
        raise Unreachable("The clip does not get small enough for this channel; it is kept in /history.")

    async def _smaller(self, job: Job, clip: Clip, size: int, way: Way) -> discord.Message | None:
        """The message of the clip in at most `size` bytes, a file for this try alone; None when it does not
        get that small."""
        try:
            smaller = await self.darkroom.fit(clip, size)
        except EngineDied as error:
            raise Undeliverable("The clip could not be made smaller yet.") from error
        except EngineError as error:
            log.info("job %s: %s", job.id, error)
            return None
        try:
            return await self._upload(replace(job, clip=smaller), way, clip)
        finally:
            (self.clips / smaller.file).unlink(missing_ok=True)

    async def _upload(self, job: Job, way: Way, whole: Clip | None = None) -> discord.Message:
        """The clip's message with its file; `whole` is the clip that this one was made from."""
        path = self.clips / (job.clip.file if job.clip else "")
        file = await asyncio.to_thread(
            discord.File, path, filename=replies.file_name(job), spoiler=job.spoiler
        )
        try:
            return await self._say(job, way, whole, [file])
        finally:
            file.close()

    async def _say(
        self,
        job: Job,
        way: Way,
        whole: Clip | None,
        files: Sequence[discord.File] = (),
    ) -> discord.Message:
        """The clip's message, with a link to the whole clip, if that is another and there is a gallery."""
        link = self.links.to(job.id) if self.links and whole else None
        full = ""
        if link and whole:
            full = replies.whole(job, link.address, link.until, whole.size, alone=not files)
        text, view = replies.card(job, recipe=self.recipes.get(job.request.recipe), full=full)
        return await way.send(
            text,
            files=files,
            view=view,
            nonce=f"clip-{job.id}",
            allowed_mentions=discord.AllowedMentions(users=[discord.Object(job.asker.user)]),
        )


def _too_large(error: discord.HTTPException) -> bool:
    return error.status == 413 or error.code == TOO_LARGE


def _fault(error: Exception) -> str:
    """What went wrong, in words; a cut connection has none of its own."""
    return (getattr(error, "text", "") or str(error) or type(error).__name__).rstrip(".")
