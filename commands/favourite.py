"""The button and the reaction that keep a clip among one's favourites."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import discord
from discord import app_commands

from commands import buttons, replies
from commands.errors import begin
from commands.house import House
from commands.presses import hearing
from commands.reactions import Event
from gen.errors import NotFound
from gen.job import Job


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Hears the button."""
    tree.client.add_dynamic_items(hearing(buttons.FAVOURITE, press, house))


async def press(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Turns it over for whoever pressed. Raises NotFound."""
    await begin(interaction, private=True)
    kept = await house.studio.keep(interaction.user.id, about)
    text = replies.kept(interaction.locale.value, on=kept)
    await interaction.edit_original_response(content=text)


async def reacted(house: House, client: discord.Client, event: Event, job: Job) -> None:
    """The star says it by itself: set, the clip is kept; taken back, it is not."""
    del client
    with suppress(NotFound):  # another's that was taken away, seen in a copy
        await house.studio.keep(event.user_id, job.id, event.event_type == "REACTION_ADD")
