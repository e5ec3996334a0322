"""What a person reads when a command, a button or a reaction goes wrong."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import aiohttp
import discord
from discord import app_commands

from commands import replies
from gen.errors import ZoetropeError

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Unknown interaction: it was not answered within three seconds, or its message is gone.
EXPIRED = 10062
#: The interaction has been answered already.
ANSWERED = 40060

#: Discord's codes for an answer that comes too late: its token has died.
OVER = frozenset({10015, 50027})
#: What a call to Discord raises when Discord or the way to it fails.
UNHEARD = (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError)


def add(tree: app_commands.CommandTree[Any]) -> None:
    """Makes `explain` the tree's error handler."""

    @tree.error
    async def on_error(interaction: discord.Interaction[Any], error: app_commands.AppCommandError) -> None:
        await explain(interaction, error)


@asynccontextmanager
async def explained(interaction: discord.Interaction[Any]) -> AsyncIterator[None]:
    """Explains to the person whatever is raised inside."""
    try:
        yield
    except Exception as error:  # a bug in a button ends that press, nothing else
        await explain(interaction, error)


async def explain(interaction: discord.Interaction[Any], error: Exception) -> None:
    """Says privately what went wrong, answered or not; raises nothing of Discord's."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, discord.HTTPException) and error.code in (EXPIRED, ANSWERED):
        log.warning("interaction %s cannot be answered any more: %s", interaction.id, error)
        return
    if interaction.client.is_closed():
        log.warning("interaction %s was cut short by the end of the program: %s", interaction.id, error)
        return
    text = sentence(interaction.locale.value, error)
    try:
        await tell(interaction, text)
    except UNHEARD as unheard:
        log.warning("interaction %s was not told “%s”: %s", interaction.id, text, unheard)


def sentence(locale: str, error: Exception) -> str:
    """What the person reads; what they cannot mend is logged."""
    if isinstance(error, ZoetropeError):
        return replies.refused(error, locale)
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        return replies.outdated(locale)
    if isinstance(error, app_commands.TransformerError):
        return replies.unreadable(locale, str(error.value))
    if isinstance(error, discord.Forbidden):
        log.warning("Discord forbids: %s", error)
        return replies.forbidden(locale)
    if isinstance(error, UNHEARD):
        log.warning("Discord fails: %s", error, exc_info=error)
        return replies.unheard(locale)
    log.error("a bug", exc_info=error)
    return replies.broken(locale)


async def tell(interaction: discord.Interaction[Any], text: str) -> None:
    """Says `text` to the person alone; a public “thinking” goes."""
    begun = interaction.extras.get("begun")
    if begun == "private":
        await interaction.edit_original_response(content=text, view=None)
        return
    if begun == "public":
        # The first follow-up would fill the public answer, so that one goes before.
        with suppress(discord.NotFound):
            await interaction.delete_original_response()
    elif not interaction.response.is_done():
        await interaction.response.send_message(text, ephemeral=True)
        return
    await interaction.followup.send(text, ephemeral=True)


async def begin(interaction: discord.Interaction[Any], *, private: bool) -> None:
    """Shows “thinking”: the first answer, before anything is waited for."""

    async def defer() -> object:
        answer = await interaction.response.defer(thinking=True, ephemeral=private)
        interaction.extras["answer"] = answer and answer.message_id
        return answer

    try:
        await persist(defer)
    except discord.HTTPException as error:
        # A defer that Discord took, but failed to say so, is sent again and refused: it is answered.
        if error.code != ANSWERED:
            raise
    interaction.extras["begun"] = "private" if private else "public"


async def persist(call: Callable[[], Awaitable[T]]) -> T:
    """Calls once more when the connection was cut, as discord.py never does; for what is harmless twice."""
    try:
        return await call()
    except (aiohttp.ClientConnectionError, ConnectionError) as error:
        log.info("Discord cut the connection (%s); once more", error)
        return await call()


async def at_last(interaction: discord.Interaction[Any], text: str, answer: Awaitable[object]) -> None:
    """Awaits an answer that may come late; `text` goes by direct message when the time for it is over."""
    try:
        await answer
    except discord.HTTPException as error:
        if error.code not in OVER:
            raise
        door = await interaction.client.create_dm(interaction.user)
        await door.send(text, nonce=str(interaction.id))
