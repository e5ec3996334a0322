"""Delivery posts clips: once, by the bot's own token, as small as the channel wants, whatever died before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp
import discord

from bot.board import Board
from bot.post import Post
from commands import replies
from gen.errors import EngineError, Undeliverable, Unreachable
from gen.job import Job, State
from gen.ports import Darkroom, Step
from gen.recipe import Recipe

log = logging.getLogger(__name__)

#: Discord's codes: the file is too large; the channel is gone or closed to us.
TOO_LARGE = 40005
CLOSED = frozenset({10003, 50001, 50013})
#: What a clip must shrink to, as a part of its size, when Discord takes less than it promised.
SHRINK = 0.7
#: How often a clip is made smaller before it is kept instead.
SHRINKS = 4


class Delivery:
    """`gen.ports.Delivery` on Discord."""

    def __init__(
        self, post: Post, board: Board, darkroom: Darkroom, clips: Path, recipes: Mapping[str, Recipe]
    ) -> None:
        self._post = post
        self.board = board
        self.darkroom = darkroom
        self.clips = clips
        self.recipes = recipes
        self._fresh: set[str] = set()  # jobs that ran in this process and were not yet sent

    def show(self, job: Job, step: Step | None = None) -> None:
        """Shows where `job` stands, soon."""
        if job.state is State.RUNNING:
            self._fresh.add(job.id)
        elif job.state in (State.FAILED, State.CANCELLED):
            self._fresh.discard(job.id)
        self.board.show(job, step)

    async def post(self, job: Job) -> int:
        """The id of the clip's message, looked for before it is sent unless it cannot be there yet.

        Raises Undeliverable, or Unreachable when no other try can help.
        """
        looked_for = job.id not in self._fresh
        self._fresh.discard(job.id)
        try:
            return await self._into(job, looked_for)
        except discord.Forbidden as error:
            return await self._to_owner(job, error)
        except discord.NotFound as error:
            if error.code != 10003:
                raise Undeliverable("Discord did not take the clip: {fault}.", fault=error.text) from error
            return await self._to_owner(job, error)
        except FileNotFoundError as error:
            raise Unreachable("The clip's file is no longer there.") from error
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            raise Undeliverable("Discord did not take the clip: {fault}.", fault=str(error)) from error

    async def _into(self, job: Job, looked_for: bool) -> int:
        """Posts into the job's channel."""
        channel = self._post.channel(job.asker.channel)
        found = await self._post.find(job, _is_clip) if looked_for else None
        message = found or (await self._send(job, channel)).id
        await self._react(channel.get_partial_message(message))
        return message

    async def _to_owner(self, job: Job, error: discord.HTTPException) -> int:
        """One try by direct message, when the channel is gone or closed."""
        log.warning("job %s: channel %s is closed to the bot: %s", job.id, job.asker.channel, error)
        try:
            door = await self._post.client.fetch_user(job.asker.user)
            channel = await door.create_dm()
            there = replace(job, asker=replace(job.asker, channel=channel.id, private=True))
            return await self._into(there, True)
        except (discord.Forbidden, discord.NotFound) as closed:
            raise Unreachable(
                "The channel is closed to me, and so are your direct messages; the clip is kept in /history."
            ) from closed

    async def _send(self, job: Job, channel: discord.PartialMessageable) -> discord.Message:
        """The clip's message; a clip that is too large is made smaller, more than once if need be."""
        clip = job.clip
        if clip is None:
            raise ValueError(f"job {job.id} has no clip")
        for _ in range(SHRINKS):
            try:
                return await self._upload(replace(job, clip=clip), channel)
            except discord.HTTPException as error:
                if error.status != 413 and error.code != TOO_LARGE:
                    raise
                log.info("job %s: %d bytes are too many for channel %s", job.id, clip.size, job.asker.channel)
            try:
                clip = await self.darkroom.fit(clip, int(clip.size * SHRINK))
            except EngineError as error:
                raise Undeliverable("The clip does not get small enough for this channel.") from error
        raise Undeliverable("The clip does not get small enough for this channel.")

    async def _upload(self, job: Job, channel: discord.PartialMessageable) -> discord.Message:
        text, view = replies.card(job, idle=replies.idle(job, self.recipes))
        path = self.clips / (job.clip.file if job.clip else "")
        file = await asyncio.to_thread(discord.File, path, filename=replies.file_name(job))
        try:
            return await channel.send(
                text,
                file=file,
                view=view,
                nonce=f"clip-{job.id}",
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(job.asker.user)]),
            )
        finally:
            file.close()

    async def _react(self, message: discord.PartialMessage) -> None:
        try:
            await message.add_reaction(replies.REROLL)
        except (discord.HTTPException, aiohttp.ClientError) as error:
            log.info(
                "message %s takes no reaction: %s", message.id, error
            )  # the button is there all the same


def _is_clip(message: discord.Message) -> bool:
    return bool(message.attachments)
