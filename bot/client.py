"""Discord's client: the fewest intents, commands synced only when they changed, no cache of messages."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import discord
from discord import app_commands
from yarl import URL

from bot.settings import Discord
from gen.errors import Misconfigured, ZoetropeError

log = logging.getLogger(__name__)

#: The gateway's answer to a token that is no longer valid.
AUTHENTICATION_FAILED = 4004
#: The status of an answer that asks for patience; discord.py gives up after five in a row.
TOO_MANY = 429

AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu
Reacted = Callable[[discord.RawReactionActionEvent], Awaitable[None]]
Removed = Callable[[set[int]], Awaitable[None]]


class Unheard(ZoetropeError):
    """Discord cannot be reached when the program starts: another start may help."""


class Client(discord.AutoShardedClient):
    """One connection to Discord, in as many shards as it asks for."""

    def __init__(self, *, silence: float = 60.0, removals: bool = False) -> None:
        """`silence` is for how many seconds Discord may say nothing before the connection is made anew. With
        `removals`, it hears of messages, and hands on those that were deleted."""
        intents = discord.Intents.none()
        intents.guilds = True
        intents.guild_reactions = True
        intents.dm_reactions = True
        intents.guild_messages = intents.dm_messages = removals
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            heartbeat_timeout=silence,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
        )
        self.tree: app_commands.CommandTree[Client] = app_commands.CommandTree(self)
        self.reacted: Reacted | None = None
        self.removed: Removed | None = None

    async def on_ready(self) -> None:
        """Says that the bot hears."""
        log.info("ready as %s in %d servers", self.user, len(self.guilds))

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        """Hands on reactions of others; the bot hears its own, too."""
        if self.reacted and self.user and event.user_id != self.user.id:
            await self.reacted(event)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Hands on that a message is gone, whoever deleted it."""
        if self.removed:
            await self.removed({event.message_id})

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Hands on that messages are gone."""
        if self.removed:
            await self.removed(event.message_ids)

    async def enter(self, token: str) -> None:
        """Logs in. Raises Misconfigured for a token Discord does not know, Unheard when it does not hear."""
        try:
            with _heard():
                await self.login(token)
        except discord.LoginFailure as error:
            raise Misconfigured(
                "Discord does not accept DISCORD_TOKEN; copy it anew from the bot's developer page."
            ) from error

    async def listen(self) -> None:
        """Stays connected until cancelled. Raises Misconfigured when the token was revoked, Unheard when
        Discord does not say where its gateway is."""
        try:
            with _heard():
                await self.connect()
        except discord.ConnectionClosed as error:
            if error.code == AUTHENTICATION_FAILED:
                raise Misconfigured(
                    "Discord revoked DISCORD_TOKEN; copy the new one from the bot's developer page."
                ) from error
            raise

    async def sync(self, mark: Path) -> bool:
        """Publishes the commands if they differ from those that `mark` remembers; whether it did.

        Raises Unheard when Discord does not hear.
        """
        payload = [await self._payload(command) for command in self.tree.get_commands()]
        known = f"{discord.http.Route.BASE} {self.application_id} {json.dumps(payload, sort_keys=True)}"
        digest = hashlib.sha256(known.encode()).hexdigest()
        if digest == _remembered(mark):
            return False
        with _heard():
            await self.tree.sync()
        _remember(mark, digest)
        log.info("%d commands were published", len(payload))
        return True

    async def _payload(self, command: AnyCommand) -> dict[str, Any]:
        if translator := self.tree.translator:
            return await command.get_translated_payload(self.tree, translator)
        return command.to_dict(self.tree)


@contextmanager
def _heard() -> Iterator[None]:
    """Raises Unheard for whatever lies between the bot and Discord."""
    try:
        yield
    except (aiohttp.ClientError, OSError, discord.GatewayNotFound, discord.HTTPException) as error:
        if isinstance(error, discord.HTTPException) and error.status < 500 and error.status != TOO_MANY:
            raise
        # Why there is no gateway is told by the error beneath.
        told = error.__cause__ or error if isinstance(error, discord.GatewayNotFound) else error
        fault = str(told).rstrip(".") or type(told).__name__
        raise Unheard("Discord cannot be reached: {fault}. Try again in a while.", fault=fault) from error


def _remembered(mark: Path) -> str:
    return mark.read_text("ascii").strip() if mark.exists() else ""


def _remember(mark: Path, digest: str) -> None:
    mark.write_text(digest, "ascii")


def direct(discord_: Discord) -> None:
    """Points discord.py to the addresses in the settings; process-wide, before any client is made."""
    if discord_.real:
        return
    discord.http.Route.BASE = discord_.api
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = URL(discord_.gateway)
    discord.Asset.BASE = discord_.cdn
