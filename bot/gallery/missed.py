"""What was missed: everyone's list still has clips whose messages were deleted while nobody listened."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import discord

from bot.post import Post
from db.ledger import Ledger
from gen.errors import ZoetropeError

log = logging.getLogger(__name__)

#: Discord's answer for a message that was deleted.
UNKNOWN_MESSAGE = 10008
#: Seconds between two questions, and how many newest clips are asked for.
PAUSE = 1.0
MOST = 500
BATCH = 50


async def look(post: Post, ledger: Ledger, *, pause: float = PAUSE, most: int = MOST) -> int:
    """Asks for the messages of everyone's newest clips, one by one; how many were gone."""
    await post.client.wait_until_ready()
    gone, seen, before = 0, 0, None
    try:
        while seen < most and (jobs := await ledger.gallery.shown("", before, BATCH)):
            before = (jobs[-1].created, jobs[-1].id)
            for job in jobs:
                if job.message and not await _there(post, job.channel, job.message):
                    await ledger.taken_away([job.message])
                    gone += 1
                await asyncio.sleep(pause)
            seen += len(jobs)
    except ZoetropeError as error:
        log.warning("everyone's clips were not looked through: %s", error)
    if gone:
        log.info("%d clips of everyone's list were deleted while nobody listened", gone)
    return gone


async def _there(post: Post, channel: int, message: int) -> bool:
    """Whether Discord still has the message; where it does not say, it counts as there."""
    try:
        await post.channel(channel).fetch_message(message)
    except discord.NotFound as error:
        return error.code != UNKNOWN_MESSAGE
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        log.info("message %s in channel %s is not told of: %s", message, channel, error)
    return True
