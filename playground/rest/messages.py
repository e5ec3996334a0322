"""Messages: post, read, edit, delete, with the bot's own token."""

from playground import draft, places, shape
from playground.api import Answer, Api, Call, Route
from playground.permissions import Can
from playground.records import DIRECT, THREAD, Channel, Json, Message
from playground.refusal import Form, Refusal
from playground.rest.places import see
from playground.snowflake import seconds
from playground.world import World

FORTNIGHT, HOUR = 14 * 86_400.0, 3600.0


def own(api: Api, call: Call, *wanted: Can) -> Message:
    """The path's message, where the bot may see it; private answers are not to be had this way (10008)."""
    channel = see(api, call.id("channel_id"), *wanted)
    message = api.world.message(channel.id, call.id("message_id"))
    if message.only is not None:
        raise Refusal(10008)
    return message


def _may_post(api: Api, channel: Channel, call: Call) -> None:
    world = api.world
    if channel.type == DIRECT and world.users[channel.recipients[0]].dms_closed:
        raise Refusal(50007)
    see(api, channel.id, Can.SEND_MESSAGES)
    if call.body.files:
        see(api, channel.id, Can.ATTACH_FILES)
    if call.json.get("embeds"):
        see(api, channel.id, Can.EMBED_LINKS)
    if (
        channel.type == THREAD
        and channel.locked
        and not world.can(world.bot_id, channel.id, Can.MANAGE_THREADS)
    ):
        raise Refusal(160005)
    if channel.type == THREAD and channel.archived:
        places.change_thread(world, channel, archived=False, locked=channel.locked)


async def create(api: Api, call: Call) -> Answer:
    world = api.world
    channel = see(api, call.id("channel_id"))
    _may_post(api, channel, call)
    nonce = call.json.get("nonce")
    if nonce is not None and call.json.get("enforce_nonce"):
        first = world.by_nonce(str(nonce))
        if first is not None:
            return shape.message(world, first, world.bot_id)
    message = Message(world.ids.next(), channel.id, world.bot_id, tts=bool(call.json.get("tts")))
    message.nonce = str(nonce) if nonce is not None else None
    if call.json.get("message_reference"):
        _refer(api, message, channel, call.json["message_reference"])
    bits = world.permissions(world.bot_id, channel.id)
    limit = world.file_limit(channel.guild_id)
    files = draft.write(world, message, call.body, limit=limit, new=True, bits=bits)
    world.post(message, *files)
    return shape.message(world, message, world.bot_id)


def _refer(api: Api, message: Message, channel: Channel, reference: Json) -> None:
    """Makes `message` a reply. What it replies to must be there, unless the sender does not mind."""
    target = int(reference["message_id"])
    found = api.world.messages.get(target)
    if found is None or found.channel_id != channel.id or found.only is not None:
        if reference.get("fail_if_not_exists", True):
            form = Form()
            form.wrong(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
            form.check()
        return
    if not api.world.can(api.world.bot_id, channel.id, Can.READ_MESSAGE_HISTORY):
        raise Refusal(160002)
    message.type = 19
    message.reference = {"type": 0, "channel_id": str(channel.id), "message_id": str(target)}
    if channel.guild_id:
        message.reference["guild_id"] = str(channel.guild_id)


async def get(api: Api, call: Call) -> Answer:
    return shape.message(api.world, own(api, call, Can.READ_MESSAGE_HISTORY), api.world.bot_id)


async def listed(api: Api, call: Call) -> Answer:
    """Newest first. Without the permission to read history there is none."""
    world = api.world
    channel = see(api, call.id("channel_id"))
    limit = int(call.query.get("limit", 50))
    if not 1 <= limit <= 100:
        form = Form()
        form.wrong(("limit",), "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
        form.check()
    if not world.can(world.bot_id, channel.id, Can.READ_MESSAGE_HISTORY):
        return []
    ids = [one for one in world.history[channel.id] if world.messages[one].only is None]
    if "before" in call.query:
        ids = [one for one in ids if one < int(call.query["before"])][-limit:]
    elif "after" in call.query:
        ids = [one for one in ids if one > int(call.query["after"])][:limit]
    elif "around" in call.query:
        middle = int(call.query["around"])
        older = [one for one in ids if one <= middle][-(limit // 2 + 1) :]
        ids = older + [one for one in ids if one > middle][: limit - len(older)]
    else:
        ids = ids[-limit:]
    return [shape.message(world, world.messages[one], world.bot_id) for one in reversed(ids)]


async def edit(api: Api, call: Call) -> Answer:
    world = api.world
    message = own(api, call)
    if message.author_id != world.bot_id:
        raise Refusal(50005)
    if call.body.files:
        see(api, message.channel_id, Can.ATTACH_FILES)
    age = world.clock() - seconds(message.id)
    if age > HOUR:
        verdict = api.limits.take("messages.edit.old", str(message.id), world.clock())
        if not verdict.passes:
            raise Refusal(30046, retry_after=round(verdict.retry_after, 3))
    change(api, message, call)
    return shape.message(world, message, world.bot_id)


def acting(world: World, message: Message) -> int:
    """The permissions with which the bot writes a message: its own, or where it is no member its asker's."""
    asker = int((message.interaction or {}).get("user_id") or 0)
    return world.permissions(asker if world.away(message.channel_id) else world.bot_id, message.channel_id)


def change(api: Api, message: Message, call: Call) -> None:
    """An edit by any way: what the body names is replaced, and the message is no longer thinking."""
    world = api.world
    channel = world.channels[message.channel_id]
    bits = acting(world, message)
    limit, before = world.file_limit(channel.guild_id), list(message.attachments)
    files = draft.write(world, message, call.body, limit=limit, new=False, bits=bits)
    message.edited = world.clock()
    world.edit(message, *files)
    world.drop_files([one for one in before if one not in message.attachments])


async def remove(api: Api, call: Call) -> Answer:
    message = own(api, call)
    if message.author_id != api.world.bot_id:
        see(api, message.channel_id, Can.MANAGE_MESSAGES)
        if api.world.channels[message.channel_id].type == DIRECT:
            raise Refusal(50024)
    api.world.remove(message)
    return None


async def remove_many(api: Api, call: Call) -> Answer:
    """Two to a hundred at once; those that are not there are passed over."""
    world = api.world
    channel = see(api, call.id("channel_id"), Can.MANAGE_MESSAGES)
    wanted = [int(one) for one in call.json.get("messages") or []]
    if not 2 <= len(wanted) <= 100:
        raise Refusal(50016)
    if any(world.clock() - seconds(one) > FORTNIGHT for one in wanted):
        raise Refusal(50034)
    for one in wanted:
        found = world.messages.get(one)
        if found is not None and found.channel_id == channel.id and found.only is None:
            world.remove(found)
    return None


LIST, ONE = "/channels/{channel_id}/messages", "/channels/{channel_id}/messages/{message_id}"
ROUTES = (
    Route("POST", LIST, create, "messages.create"),
    Route("GET", LIST, listed),
    Route("POST", f"{LIST}/bulk-delete", remove_many),
    Route("GET", ONE, get),
    Route("PATCH", ONE, edit, "messages.edit"),
    Route("DELETE", ONE, remove, "messages.delete"),
)
