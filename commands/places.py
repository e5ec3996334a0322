"""Places: what a channel is, by ids and by Discord's own words."""

from __future__ import annotations

from typing import Any

import discord


def around(channel: object, channel_id: int) -> list[int]:
    """By which ids a server may name that channel: its own, its parent's, its category's."""
    ids: list[int | None] = [channel_id]
    if isinstance(channel, discord.Thread):
        ids.append(channel.parent_id)
        channel = channel.parent
    ids.append(getattr(channel, "category_id", None))
    return [one for one in ids if one]


def age_restricted(channel: object) -> bool:
    """Whether Discord shows the channel to adults only; a thread is as its parent is."""
    asked = getattr(channel, "is_nsfw", None)
    return bool(asked and asked())


def alone(interaction: discord.Interaction[Any]) -> bool:
    """Whether it is the person's own direct messages with the bot, which a channel among people is not."""
    return interaction.context.dm_channel
