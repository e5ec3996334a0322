"""Channels, threads, guild members, users, and the way to the gateway."""

from playground import places, shape
from playground.api import Answer, Api, Call, Route
from playground.permissions import Can
from playground.records import DIRECT, TEXT, THREAD, Channel, Json
from playground.refusal import Form, Refusal


def see(api: Api, channel_id: int, *wanted: Can) -> Channel:
    """The channel, where the bot may see it and has what is wanted; else 10003, 50001 or 50013."""
    world = api.world
    channel = world.channels.get(channel_id)
    if channel is None or (channel.guild_id and (channel.guild_id, world.bot_id) not in world.members):
        raise Refusal(50001 if channel else 10003)
    held = world.permissions(world.bot_id, channel_id)
    if not held & Can.VIEW_CHANNEL:
        raise Refusal(50001)
    if any(held & one != one for one in wanted):
        raise Refusal(50013)
    return channel


async def get_channel(api: Api, call: Call) -> Answer:
    return shape.channel(api.world, see(api, call.id("channel_id")))


async def remove_channel(api: Api, call: Call) -> Answer:
    channel = see(api, call.id("channel_id"))
    if channel.type != DIRECT:
        see(api, channel.id, Can.MANAGE_THREADS if channel.type == THREAD else Can.MANAGE_CHANNELS)
        places.remove_channel(api.world, channel)
    return shape.channel(api.world, channel)


async def type_in(api: Api, call: Call) -> Answer:
    channel = see(api, call.id("channel_id"), Can.SEND_MESSAGES)
    api.world.type_in(channel.id, api.world.bot_id)
    return None


async def add_thread(api: Api, call: Call) -> Answer:
    """A public thread, under a channel or from a message; the message's id is then the thread's."""
    channel = see(api, call.id("channel_id"), Can.CREATE_PUBLIC_THREADS)
    if channel.type != TEXT:
        raise Refusal(50024)
    form = Form()
    form.length(("name",), call.json.get("name") or "", 1, 100)
    form.check()
    if "message_id" in call.params:
        api.world.message(channel.id, call.id("message_id"))
    thread = places.add_thread(api.world, channel, call.json["name"], api.world.users[api.world.bot_id])
    return shape.channel(api.world, thread)


async def get_member(api: Api, call: Call) -> Answer:
    guild_id, user_id = call.id("guild_id"), call.id("user_id")
    if (guild_id, api.world.bot_id) not in api.world.members:
        raise Refusal(50001 if guild_id in api.world.guilds else 10004)
    member = api.world.members.get((guild_id, user_id))
    if member is None:
        raise Refusal(10007 if user_id in api.world.users else 10013)
    return shape.member(api.world, member)


async def get_me(api: Api, call: Call) -> Answer:
    """The bot; by a person's token that person, without what the scope `identify` leaves out."""
    world = api.world
    user = world.users[call.user_id or world.bot_id]
    private: Json = {"mfa_enabled": False, "locale": user.locale, "verified": True, "email": None}
    if call.user_id is not None:
        private = {"mfa_enabled": False, "locale": user.locale}
    return shape.user(user) | private


async def get_user(api: Api, call: Call) -> Answer:
    user = api.world.users.get(call.id("user_id"))
    if user is None:
        raise Refusal(10013)
    return shape.user(user)


async def open_direct(api: Api, call: Call) -> Answer:
    user = api.world.users.get(int(call.json.get("recipient_id") or 0))
    if user is None:
        raise Refusal(10013)
    if user.bot:
        raise Refusal(50007)
    return shape.channel(api.world, places.direct(api.world, user))


async def get_gateway(api: Api, call: Call) -> Answer:
    return {"url": api.gateway.url}


async def get_gateway_bot(api: Api, call: Call) -> Answer:
    left = max(1000 - api.gateway.identifies, 0)
    starts = {"total": 1000, "remaining": left, "reset_after": 86_400_000, "max_concurrency": 1}
    return {"url": api.gateway.url, "shards": api.gateway.shards, "session_start_limit": starts}


ROUTES = (
    Route("GET", "/channels/{channel_id}", get_channel),
    Route("DELETE", "/channels/{channel_id}", remove_channel),
    Route("POST", "/channels/{channel_id}/typing", type_in, "typing"),
    Route("POST", "/channels/{channel_id}/threads", add_thread, status=201),
    Route("POST", "/channels/{channel_id}/messages/{message_id}/threads", add_thread, status=201),
    Route("GET", "/guilds/{guild_id}/members/{user_id}", get_member, major=("guild_id",)),
    Route("GET", "/users/@me", get_me, scope="identify"),
    Route("GET", "/users/{user_id}", get_user),
    Route("POST", "/users/@me/channels", open_direct),
    Route("GET", "/gateway", get_gateway, open=True),
    Route("GET", "/gateway/bot", get_gateway_bot),
)
