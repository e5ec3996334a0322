"""The gate that all pass who ask for anything: by command, menu, suggestion, button or form."""

from __future__ import annotations

from typing import Any

import discord
from discord import InteractionType

from commands import buttons
from commands.errors import explain
from commands.house import House
from gen.errors import Refused

#: What those who are banned may still do: their data is theirs.
PRIVACY = "privacy"
OPEN = frozenset({buttons.FORGET})
#: The command that is for operators alone, with all below it.
ADMIN = "admin"


def admit(house: House, interaction: discord.Interaction[Any]) -> None:
    """Raises NotAllowed for whoever may not ask for anything."""
    house.office.admit(interaction.user.id, interaction.guild_id)


async def passes(house: House, interaction: discord.Interaction[Any]) -> bool:
    """Whether a command, a menu or a suggestion goes on; who is refused reads why, suggestions are none."""
    if house.echoes.heard(interaction.id):
        return False
    try:
        name = str(dict(interaction.data or {}).get("name"))
        if name == ADMIN:
            house.office.demand(interaction.user.id)
        elif name != PRIVACY:
            admit(house, interaction)
    except Refused as error:
        if interaction.type is InteractionType.autocomplete:
            await interaction.response.autocomplete([])
        else:
            await explain(interaction, error)
        return False
    return True
