"""The language that a person chose with /prefer, in place of the one that Discord tells."""

from __future__ import annotations

from typing import Any

import discord

from commands.house import House
from commands.replies.panel import SPOKEN


def tongue(house: House, user: int, otherwise: str) -> str:
    """The person's language, as Discord names it."""
    chosen = house.studio.choices.user(user).get("language")
    return chosen if chosen in SPOKEN else otherwise


def heed(house: House, interaction: discord.Interaction[Any]) -> None:
    """Whatever is said in answer is said in that language, or in Discord's once it is taken back."""
    told = interaction.extras.setdefault("locale", interaction.locale.value)
    interaction.locale = discord.Locale(tongue(house, interaction.user.id, told))
