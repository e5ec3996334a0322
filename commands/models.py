"""/models: what each model does, needs and takes on this machine."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import replies
from commands.house import House
from gen.job import Task


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command."""

    @tree.command(name="models", description="Show the models: what they do, need and take on this machine")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def models(interaction: discord.Interaction[Any]) -> None:
        studio = house.studio
        force = studio.force(interaction.user.id, interaction.guild_id)
        text = replies.models(
            studio.recipes.values(),
            interaction.locale.value,
            pace=studio.pace.known,
            paused=studio.worker.breaker.paused(),
            defaults=[force.model(task).value for task in Task],
            plan=house.plan(),
        )
        await interaction.response.send_message(text, ephemeral=True)
