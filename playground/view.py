"""The world as one person's client sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground import shape
from playground.events import Event
from playground.interactions import AUTOCOMPLETE, asked
from playground.permissions import Can
from playground.records import DIRECT, Channel, Guild, Json

if TYPE_CHECKING:
    from playground.world import World


def sees(world: World, event: Event, user_id: int) -> Json | None:
    """An event's payload for this person, or None where it is none of theirs."""
    if not event.people or event.only not in (None, user_id):
        return None
    if event.channel_id is not None and not world.can(user_id, event.channel_id, Can.VIEW_CHANNEL):
        return None
    return event.shape(user_id)


def snapshot(world: World, user_id: int, limit: int) -> Json:
    """What `World.snapshot` promises."""
    seen = [one for one in world.channels.values() if world.can(user_id, one.id, Can.VIEW_CHANNEL)]
    return {
        "me": shape.user(world.users[user_id]),
        "people": [shape.user(one) for one in world.users.values() if not one.bot],
        "bot": {"user": shape.user(world.users[world.bot_id]), "online": world.bot_online},
        "application_id": str(world.application_id),
        "guilds": [
            _guild(world, one, user_id) for one in world.guilds.values() if (one.id, user_id) in world.members
        ],
        "dms": [shape.channel(world, one) for one in seen if one.type == DIRECT],
        "commands": [shape.command(world, one) for one in world.commands.values()],
        "messages": {str(one.id): last(world, one.id, user_id, limit) for one in seen},
        "pending": [
            asked(one)
            for one in world.interactions.values()
            if one.user_id == user_id and one.state == "pending" and one.type != AUTOCOMPLETE
        ],
    }


def _guild(world: World, guild: Guild, user_id: int) -> Json:
    channels = [
        shape.channel(world, one)
        | {"permissions": str(world.permissions(user_id, one.id)), "installs": _installs(world, user_id, one)}
        for one in world.channels.values()
        if one.guild_id == guild.id and world.can(user_id, one.id, Can.VIEW_CHANNEL)
    ]
    return {"id": str(guild.id), "name": guild.name, "channels": channels}


def _installs(world: World, user_id: int, channel: Channel) -> list[int]:
    """By which installations of the bot this person can call it there: the guild's (0), their own (1)."""
    return [0] * (not world.away(channel.id)) + [1] * world.users[user_id].installed


def last(world: World, channel_id: int, viewer: int, limit: int) -> list[Json]:
    """A channel's last messages, oldest first, this person's private ones among them."""
    # Copied at one stroke: tests look from threads of their own.
    found = [world.messages.get(one) for one in list(world.history.get(channel_id, ()))]
    visible = [one for one in found if one is not None and one.only in (None, viewer)]
    return [shape.message(world, one, viewer) for one in visible[-limit:]]
