"""All commands, buttons and reactions, added to a client."""

from __future__ import annotations

from functools import partial
from typing import Any

import discord
from discord import app_commands

from commands import animate, cancel, errors, history, img2vid, interp, queue, reroll
from commands.house import House


def register(client: discord.Client, tree: app_commands.CommandTree[Any], house: House) -> None:
    """Everything that people can type, press and react with."""
    for command in (animate, img2vid, interp, cancel, queue, history, reroll):
        command.add(tree, house)
    errors.add(tree)

    async def first(interaction: discord.Interaction[Any]) -> bool:
        return not house.echoes.heard(interaction.id)

    tree.interaction_check = first  # type: ignore[method-assign]  # the tree is the client's own, not ours to subclass
    # bot.client.Client hands every reaction to this.
    client.reacted = partial(reroll.reacted, house, client)  # type: ignore[attr-defined]  # it is its own field
