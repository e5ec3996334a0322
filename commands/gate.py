"""The gate that all pass who ask for anything: by command, menu, suggestion, button or form."""

from __future__ import annotations

from typing import Any

import discord
from discord import InteractionType, app_commands

from commands import buttons, rules
from commands.errors import explain
from commands.house import House
from commands.tongue import heed
from gen.errors import Refused

#: What those who are banned may still do: their data is theirs.
PRIVACY = "privacy"
OPEN = frozenset({buttons.FORGET})
#: The command that is for operators alone, with all below it.
ADMIN = "admin"
#: What makes clips, and asks first for the house rules to be accepted.
CLIPS = frozenset({"animate", "img2vid", "interp"})
REROLLS = frozenset({buttons.REROLL})
FORMS = frozenset({buttons.REMIX, buttons.PICTURE})


async def _typed(interaction: discord.Interaction[Any]) -> None:
    """Does what the command does, with the options as they were typed."""
    command = interaction.command
    if isinstance(command, app_commands.Command):
        options = dict(iter(interaction.namespace))
        await command.callback(interaction, **options)  # type: ignore[call-arg]  # each command has its own


def admit(house: House, interaction: discord.Interaction[Any]) -> None:
    """Raises NotAllowed for whoever may not ask for anything."""
    house.office.admit(interaction.user.id, interaction.guild_id)


async def passes(house: House, interaction: discord.Interaction[Any]) -> bool:
    """Whether a command, a menu or a suggestion goes on; who is refused reads why, suggestions are none."""
    if house.echoes.heard(interaction.id):
        return False
    heed(house, interaction)
    try:
        name = str(dict(interaction.data or {}).get("name"))
        if name == ADMIN:
            house.office.demand(interaction.user.id)
        elif name != PRIVACY:
            admit(house, interaction)
        if name in CLIPS and interaction.type is InteractionType.application_command:
            return await rules.agreed(house, interaction, _typed)
    except Refused as error:
        if interaction.type is InteractionType.autocomplete:
            await interaction.response.autocomplete([])
        else:
            await explain(interaction, error)
        return False
    return True
