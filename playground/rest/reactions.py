"""Reactions: add, take away, list, clear."""

from playground import shape
from playground.api import Answer, Api, Call, Route
from playground.permissions import Can
from playground.records import Json
from playground.refusal import Refusal
from playground.rest.messages import own
from playground.rest.places import see


def _emoji(call: Call) -> Json:
    """The path's emoji; a plain word is none (10014)."""
    text = call.params["emoji_name"]
    found = shape.emoji(text)
    if (
        found["id"] is None
        and text.replace("\ufe0f", "").isascii()
        and not text.startswith(tuple("0123456789#*"))
    ):
        raise Refusal(10014)
    return found


async def add(api: Api, call: Call) -> Answer:
    message, emoji = own(api, call, Can.READ_MESSAGE_HISTORY), _emoji(call)
    if api.world.reaction(message, emoji) is None:
        see(api, message.channel_id, Can.ADD_REACTIONS)
    api.world.react(message, emoji, api.world.bot_id)
    return None


async def remove_own(api: Api, call: Call) -> Answer:
    api.world.unreact(own(api, call), _emoji(call), api.world.bot_id)
    return None


async def remove(api: Api, call: Call) -> Answer:
    api.world.unreact(own(api, call, Can.MANAGE_MESSAGES), _emoji(call), call.id("user_id"))
    return None


async def clear(api: Api, call: Call) -> Answer:
    api.world.clear_reactions(own(api, call, Can.MANAGE_MESSAGES))
    return None


async def clear_one(api: Api, call: Call) -> Answer:
    api.world.clear_reactions(own(api, call, Can.MANAGE_MESSAGES), _emoji(call))
    return None


async def who(api: Api, call: Call) -> Answer:
    message, emoji = own(api, call), _emoji(call)
    row = api.world.reaction(message, emoji)
    after, limit = int(call.query.get("after", 0)), int(call.query.get("limit", 25))
    users = sorted(one for one in (row["users"] if row else []) if one > after)
    return [shape.user(api.world.users[one]) for one in users[:limit]]


ALL = "/channels/{channel_id}/messages/{message_id}/reactions"
ONE = f"{ALL}/{{emoji_name}}"
ROUTES = (
    Route("PUT", f"{ONE}/@me", add, "reactions"),
    Route("DELETE", f"{ONE}/@me", remove_own, "reactions"),
    Route("DELETE", f"{ONE}/{{user_id}}", remove, "reactions"),
    Route("DELETE", ONE, clear_one, "reactions"),
    Route("DELETE", ALL, clear, "reactions"),
    Route("GET", ONE, who),
)
