"""/history: my clips, newest first, page by page."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import buttons, replies
from commands.errors import begin
from commands.house import House
from commands.presses import hearing


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command and its button."""

    @tree.command(name="history", description="Show your clips, with their seeds, models and links")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def history(interaction: discord.Interaction[Any]) -> None:
        await begin(interaction, private=True)
        await _page(house, interaction, None)

    tree.client.add_dynamic_items(hearing(buttons.OLDER, older, house))


async def older(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Turns the page; `about` is the time of the last clip on it."""
    await interaction.response.defer()
    await _page(house, interaction, float(about))


async def _page(house: House, interaction: discord.Interaction[Any], before: float | None) -> None:
    jobs = await house.studio.history(interaction.user.id, limit=replies.PAGE + 1, before=before)
    more = len(jobs) > replies.PAGE
    text, view = replies.history(jobs[: replies.PAGE], interaction.locale.value, more=more)
    await interaction.edit_original_response(content=text, view=view)
