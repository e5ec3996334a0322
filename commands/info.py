"""/info: my clips in the line, my limits, and how this machine does."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import replies
from commands.errors import begin
from commands.house import House
from commands.replies import Standing


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command."""

    @tree.command(name="info", description="Show your limits, and how fast this machine is")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def info(interaction: discord.Interaction[Any]) -> None:
        await begin(interaction, private=True)
        studio, user = house.studio, interaction.user
        tier = house.desk.tier(user)
        standing = Standing(
            tier=tier,
            rules=studio.queue.tiers.get(tier) or studio.queue.tiers["everyone"],
            waiting=len(studio.queue.waiting(user.id)),
            counts=await studio.counts(user.id),
            line=len(studio.places()),
            paused=studio.queue.paused,
            closed=studio.queue.closed,
            pace=studio.pace.known,
            since=studio.since,
            force=studio.force(user.id, interaction.guild_id, tier),
            guild=interaction.guild_id is not None,
        )
        text = replies.info(standing, interaction.locale.value)
        await interaction.edit_original_response(content=text)
