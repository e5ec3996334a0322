"""How the world's records look on the wire: Discord's JSON objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from playground import snowflake
from playground.records import (
    DIRECT,
    EPHEMERAL,
    GROUP,
    THREAD,
    Attachment,
    Channel,
    Command,
    Guild,
    Json,
    Member,
    Message,
    Role,
    User,
)

if TYPE_CHECKING:
    from playground.world import World


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def user(record: User) -> Json:
    body: Json = {
        "id": str(record.id),
        "username": record.username,
        "global_name": record.global_name,
        "avatar": None,
        "discriminator": "0000" if record.bot else "0",
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }
    return body | {"bot": True} if record.bot else body


def member(world: World, record: Member, *, with_user: bool = True) -> Json:
    body: Json = {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": None,
        "flags": 0,
        "joined_at": iso(record.joined),
        "nick": record.nick,
        "pending": False,
        "premium_since": None,
        "roles": [str(role) for role in record.roles],
        "mute": False,
        "deaf": False,
    }
    return body | {"user": user(world.users[record.user_id])} if with_user else body


def role(record: Role) -> Json:
    return {
        "id": str(record.id),
        "name": record.name,
        "description": None,
        "permissions": str(record.permissions),
        "position": record.position,
        "color": record.color,
        "colors": {"primary_color": record.color, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def channel(world: World, record: Channel) -> Json:
    last = record.last_message_id
    body: Json = {
        "id": str(record.id),
        "type": record.type,
        "flags": 0,
        "last_message_id": str(last) if last else None,
    }
    if record.type in (DIRECT, GROUP):
        named = {"name": record.name, "icon": None, "owner_id": str(record.recipients[0])}
        return (
            body
            | (named if record.type == GROUP else {})
            | {"recipients": [user(world.users[one]) for one in record.recipients]}
        )
    body |= {
        "guild_id": str(record.guild_id),
        "name": record.name,
        "parent_id": str(record.parent_id) if record.parent_id else None,
        "rate_limit_per_user": 0,
    }
    return body | (_thread(record) if record.type == THREAD else _text(record))


def _text(record: Channel) -> Json:
    return {
        "topic": record.topic,
        "position": record.position,
        "permission_overwrites": record.overwrites,
        "nsfw": record.nsfw,
    }


def _thread(record: Channel) -> Json:
    made = iso(snowflake.seconds(record.id))
    return {
        "owner_id": str(record.owner_id),
        "thread_metadata": {
            "archived": record.archived,
            "archive_timestamp": made,
            "auto_archive_duration": 1440,
            "locked": record.locked,
            "create_timestamp": made,
        },
        "message_count": 0,
        "member_count": 1,
        "total_message_sent": 0,
    }


def guild(world: World, record: Guild) -> Json:
    """The guild as GUILD_CREATE gives it to the bot: channels it may see, and itself as a member."""
    channels = [one for one in world.channels.values() if one.guild_id == record.id]
    members = [one for (place, _), one in world.members.items() if place == record.id]
    return {
        "id": str(record.id),
        "name": record.name,
        "owner_id": str(record.owner_id),
        "preferred_locale": record.locale,
        "premium_tier": record.premium_tier,
        "premium_subscription_count": 0,
        "member_count": len(members),
        "large": False,
        "unavailable": False,
        "joined_at": iso(snowflake.seconds(record.id)),
        "features": [],
        "roles": [role(one) for one in world.roles.values() if one.guild_id == record.id],
        "channels": [channel(world, one) for one in channels if one.type != THREAD],
        "threads": [channel(world, one) for one in channels if one.type == THREAD and not one.archived],
        "members": [member(world, one) for one in members if one.user_id == world.bot_id],
        "emojis": [],
        "stickers": [],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "afk_timeout": 300,
        "afk_channel_id": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "vanity_url_code": None,
        "description": None,
        "icon": None,
        "banner": None,
        "splash": None,
        "discovery_splash": None,
        "max_members": 500_000,
        "max_presences": None,
        "application_id": None,
    }


def attachment(world: World, record: Attachment) -> Json:
    url = world.links.sign(record)
    body: Json = {
        "id": str(record.id),
        "filename": record.filename,
        "size": record.size,
        "url": url,
        "proxy_url": url,
        "content_type": record.content_type,
    }
    if record.width and record.height:
        body |= {"width": record.width, "height": record.height}
    if record.description is not None:
        body["description"] = record.description
    if record.title is not None:
        body["title"] = record.title
    return body | {"ephemeral": True} if record.ephemeral else body


def reactions(record: Message, viewer: int) -> list[Json]:
    return [
        {
            "emoji": one["emoji"],
            "count": len(one["users"]),
            "count_details": {"burst": 0, "normal": len(one["users"])},
            "burst_colors": [],
            "me_burst": False,
            "me": viewer in one["users"],
        }
        for one in record.reactions
    ]


def message(world: World, record: Message, viewer: int, *, refer: bool = True) -> Json:
    """A message as `viewer` sees it. `refer` adds the message that it answers, one level deep."""
    files = [attachment(world, world.attachments[one]) for one in record.attachments]
    body: Json = {
        "id": str(record.id),
        "channel_id": str(record.channel_id),
        "type": record.type,
        "content": record.content,
        "author": user(world.users[record.author_id]),
        "timestamp": iso(snowflake.seconds(record.id)),
        "edited_timestamp": iso(record.edited) if record.edited else None,
        "flags": record.flags,
        "tts": record.tts,
        "pinned": False,
        "mention_everyone": record.mention_everyone,
        "mentions": [user(world.users[one]) for one in record.mentions if one in world.users],
        "mention_roles": [str(one) for one in record.mention_roles],
        "attachments": files,
        "embeds": [world.links.resolve_embed(one, files) for one in record.embeds],
        "components": [world.links.resolve(one, files) for one in record.components],
    }
    if record.reactions:
        body["reactions"] = reactions(record, viewer)
    if record.nonce is not None:
        body["nonce"] = record.nonce
    if record.application_id is not None:
        body["application_id"] = str(record.application_id)
    if record.type == 20 or record.interaction is not None:
        body["webhook_id"] = str(record.application_id)
    return body | _context(world, record, viewer, refer)


def _context(world: World, record: Message, viewer: int, refer: bool) -> Json:
    """What a message points at: the interaction it answers, the message it replies to."""
    body: Json = {}
    if record.interaction is not None:
        asker = world.users[int(record.interaction["user_id"])]
        body["interaction_metadata"] = {
            **{key: value for key, value in record.interaction.items() if key not in ("user_id", "name")},
            "user": user(asker),
        }
        if record.interaction["type"] == 2:
            about = {"id": record.interaction["id"], "type": 2, "name": record.interaction["name"]}
            body["interaction"] = about | {"user": user(asker)}
    if record.reference is not None:
        body["message_reference"] = record.reference
        if refer and record.type == 19:
            other = world.messages.get(int(record.reference["message_id"]))
            body["referenced_message"] = message(world, other, viewer, refer=False) if other else None
    return body


def message_event(world: World, record: Message, viewer: int) -> Json:
    """A message as the gateway tells of it: with its guild and its author's membership, unless private."""
    body = message(world, record, viewer)
    place = world.channels.get(record.channel_id)
    if place is None or place.guild_id is None or record.flags & EPHEMERAL:
        return body
    body["guild_id"] = str(place.guild_id)
    author = world.members.get((place.guild_id, record.author_id))
    return body | {"member": member(world, author, with_user=False)} if author else body


def command(world: World, record: Command) -> Json:
    body: Json = {
        "id": str(record.id),
        "application_id": str(world.application_id),
        "version": str(record.version),
        **record.definition,
    }
    return body | {"guild_id": str(record.guild_id)} if record.guild_id else body


def emoji(text: str) -> Json:
    """An emoji as a reaction carries it, from its character or "name:id"."""
    name, _, number = text.strip("<>").removeprefix(":").rpartition(":")
    if number.isdigit() and name:
        return {"id": number, "name": name}
    return {"id": None, "name": text}
