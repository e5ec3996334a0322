"""/help: how to begin."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import replies
from commands.house import House


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command."""
    del house

    @tree.command(name="help", description="How to begin: three examples, the flags, the buttons")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def help_(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(replies.help_(interaction.locale.value), ephemeral=True)
