"""Who may do what where: permission bits and how roles and overwrites add up to them."""

from collections.abc import Iterable
from enum import IntFlag

from playground.records import Channel, Guild, Member, Role


class Can(IntFlag):
    """The permissions that the stand-in enforces, by Discord's bits."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    SEND_MESSAGES_IN_THREADS = 1 << 38


ALL = (1 << 53) - 1
# What a new guild grants everyone; MENTION_EVERYONE is left out, as most servers do.
EVERYONE = int(
    Can.ADD_REACTIONS | Can.VIEW_CHANNEL | Can.SEND_MESSAGES | Can.EMBED_LINKS | Can.ATTACH_FILES
    | Can.READ_MESSAGE_HISTORY | Can.USE_EXTERNAL_EMOJIS | Can.USE_APPLICATION_COMMANDS
    | Can.CREATE_PUBLIC_THREADS | Can.SEND_MESSAGES_IN_THREADS
)  # fmt: skip
# Who may not send may not do these either.
NEEDS_SENDING = int(Can.EMBED_LINKS | Can.ATTACH_FILES | Can.MENTION_EVERYONE)
# In a private channel there are no roles: both may do this.
DIRECT = int(
    Can.ADD_REACTIONS | Can.VIEW_CHANNEL | Can.SEND_MESSAGES | Can.EMBED_LINKS | Can.ATTACH_FILES
    | Can.READ_MESSAGE_HISTORY | Can.USE_EXTERNAL_EMOJIS | Can.MENTION_EVERYONE | Can.USE_APPLICATION_COMMANDS
)  # fmt: skip


def in_guild(guild: Guild, member: Member, roles: Iterable[Role]) -> int:
    """Permissions before any channel's overwrites: the union over @everyone and the member's roles."""
    if member.user_id == guild.owner_id:
        return ALL
    held = 0
    for role in roles:
        if role.id == guild.id or role.id in member.roles:
            held |= role.permissions
    return ALL if held & Can.ADMINISTRATOR else held


def in_channel(base: int, channel: Channel, guild: Guild, member: Member) -> int:
    """Permissions with the channel's overwrites, in Discord's order: @everyone, all roles, the member."""
    if base & Can.ADMINISTRATOR:
        return ALL
    allow = deny = 0
    for entry in channel.overwrites:
        target = int(entry["id"])
        if target == guild.id:
            base = base & ~int(entry["deny"]) | int(entry["allow"])
        elif entry["type"] == 0 and target in member.roles:
            allow |= int(entry["allow"])
            deny |= int(entry["deny"])
    base = base & ~deny | allow
    for entry in channel.overwrites:
        if entry["type"] == 1 and int(entry["id"]) == member.user_id:
            base = base & ~int(entry["deny"]) | int(entry["allow"])
    return base if base & Can.VIEW_CHANNEL else 0
