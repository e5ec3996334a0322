"""All commands, buttons and reactions, added to a client."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import discord
from discord import app_commands

from commands import (
    admin,
    animate,
    buttons,
    cancel,
    errors,
    favourite,
    forms,
    gate,
    help,
    history,
    img2vid,
    info,
    interp,
    letter,
    models,
    picture,
    prefer,
    privacy,
    queue,
    reactions,
    remix,
    replies,
    reroll,
    rules,
    settings,
    show,
)
from commands.house import House
from commands.presses import hearing

#: What reactions do, once set and once taken back.
ADDED: Mapping[str, reactions.Act] = {
    **dict.fromkeys(replies.REROLLS, reroll.again),
    replies.DROP: reroll.drop,
    replies.LETTER: letter.reacted,
    replies.STAR: favourite.reacted,
}
REMOVED: Mapping[str, reactions.Act] = {replies.STAR: favourite.reacted}


def register(client: discord.Client, tree: app_commands.CommandTree[Any], house: House) -> None:
    """Everything that people can type, press and react with."""
    for command in (
        animate, img2vid, interp, cancel, queue, history, show, info, models, help, picture, reroll, remix,
        letter, favourite, privacy, admin, prefer, settings,
    ):  # fmt: skip
        command.add(tree, house)
    errors.add(tree)
    client.add_dynamic_items(hearing(buttons.RULES, rules.accept, house))
    forms.hear(
        client,
        house,
        {buttons.REMIX: remix.submit, buttons.PICTURE: picture.submit, buttons.FLAGS: prefer.submit},
    )

    tree.interaction_check = partial(gate.passes, house)  # type: ignore[method-assign]  # the tree is the client's own, not ours to subclass
    # bot.client.Client hands every reaction to this.
    client.reacted = partial(reactions.reacted, house, client, ADDED)  # type: ignore[attr-defined]  # it is its own field

    @client.event
    async def on_raw_reaction_remove(event: discord.RawReactionActionEvent) -> None:
        await reactions.reacted(house, client, REMOVED, event)
