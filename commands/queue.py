"""/queue: the line, mine marked."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import replies
from commands.house import House


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command."""

    @tree.command(name="queue", description="Show the line, and where your clips stand in it")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def queue(interaction: discord.Interaction[Any]) -> None:
        text = replies.queue(
            house.studio.places(),
            interaction.user.id,
            interaction.locale.value,
            paused=house.studio.queue.paused,
            closed=house.studio.queue.closed,
        )
        await interaction.response.send_message(text, ephemeral=True)
