"""Answers to interactions, and what may follow them for a quarter of an hour, by the interaction's token."""

from playground import commands, components, draft, shape
from playground.api import Answer, Api, Call, Route
from playground.draft import Body
from playground.interactions import OPEN, SAY, SUGGEST, THINK, THINK_UPDATE, UPDATE, check_answer
from playground.records import EPHEMERAL, LOADING, Attachment, Interaction, Json, Message
from playground.refusal import Form, Refusal
from playground.rest.messages import acting, change

#: Further messages that an interaction may have where the bot is no member.
FOLLOWUPS = 5


async def answer(api: Api, call: Call) -> Answer:
    """The first answer; within the deadline, once."""
    world = api.world
    one = world.asked.open(call.id("interaction_id"), call.params["interaction_token"])
    kind = check_answer(one, call.json.get("type"))
    data: Json = call.json.get("data") or {}
    message: Message | None = None
    if kind == SUGGEST:
        one.choices = _suggested(one, data)
        world.asked.settle(one, kind)
    elif kind == OPEN:
        components.check_modal(data)
        world.asked.open_modal(one, {**data, "components": components.numbered(data["components"])})
    elif kind in (UPDATE, THINK_UPDATE):
        message = _update(api, one, kind, data, call)
    else:
        message = _say(api, one, kind, data, call)
    if call.query.get("with_response", "").lower() not in ("1", "true"):
        return None
    return _response(api, one, kind, message)


def _say(api: Api, one: Interaction, kind: int, data: Json, call: Call) -> Message:
    world = api.world
    flags = (data.get("flags") or 0) & EPHEMERAL | (LOADING if kind == THINK else 0)
    message = world.asked.new_message(one, flags)
    files = [] if kind == THINK else _write(api, message, Body(data, call.body.files))
    world.post(message, *files)
    world.asked.settle(one, kind, message)
    return message


def _write(api: Api, message: Message, body: Body) -> list[tuple[Attachment, bytes]]:
    guild_id = api.world.channels[message.channel_id].guild_id
    bits = acting(api.world, message)
    limit = api.world.file_limit(guild_id)
    files = draft.write(api.world, message, body, limit=limit, new=True, bits=bits)
    for file, _ in files:
        file.ephemeral = message.only is not None
    return files


def _update(api: Api, one: Interaction, kind: int, data: Json, call: Call) -> Message:
    """The message that the component is on is edited, or will be."""
    message = api.world.messages.get(one.source_message_id or 0)
    if message is None:
        raise Refusal(10008)
    if kind == UPDATE:
        change(api, message, Call(call.params, call.query, Body(data, call.body.files)))
    api.world.asked.settle(one, kind, message)
    return message


def _suggested(one: Interaction, data: Json) -> list[Json]:
    form, choices = Form(), data.get("choices") or []
    if len(choices) > commands.MOST_CHOICES:
        form.wrong(
            ("data", "choices"),
            "BASE_TYPE_MAX_LENGTH",
            f"Must be {commands.MOST_CHOICES} or fewer in length.",
        )
    options = one.data.get("options") or []
    while options and options[0]["type"] in (1, 2):
        options = options[0].get("options") or []
    focused = next(option for option in options if option.get("focused"))
    commands.check_choices(form, ("data", "choices"), choices, focused["type"])
    form.check()
    return list(choices)


def _response(api: Api, one: Interaction, kind: int, message: Message | None) -> Json:
    about: Json = {"id": str(one.id), "type": one.type}
    if message is None:
        return {"interaction": about}
    about |= {
        "response_message_id": str(message.id),
        "response_message_loading": bool(message.flags & LOADING),
        "response_message_ephemeral": bool(message.flags & EPHEMERAL),
    }
    body: Json = {"interaction": about}
    if kind in (SAY, UPDATE):
        body["resource"] = {"type": kind, "message": shape.message(api.world, message, api.world.bot_id)}
    return body


def _asked(api: Api, call: Call) -> Interaction:
    return api.world.asked.by_token(call.id("webhook_id"), call.params["webhook_token"])


async def follow(api: Api, call: Call) -> Answer:
    """A follow-up; the first one after a deferral fills the message that says “thinking”."""
    world = api.world
    one = _asked(api, call)
    original = world.messages.get(one.message_id or 0)
    if one.answer == THINK and original is not None and original.flags & LOADING:
        files = _write(api, original, call.body)
        original.flags &= ~LOADING
        world.edit(original, *files)
        return shape.message(world, original, world.bot_id)
    if world.away(one.channel_id) and len(one.followups) >= FOLLOWUPS:
        raise Refusal(40094)
    message = world.asked.new_message(one, call.json.get("flags") or 0)
    message.flags &= ~LOADING
    files = _write(api, message, call.body)
    one.followups.append(message.id)
    world.keep(one)
    world.post(message, *files)
    return shape.message(world, message, world.bot_id)


def _message(api: Api, call: Call) -> tuple[Interaction, Message]:
    one = _asked(api, call)
    return one, api.world.asked.message_of(one, call.params.get("message_id", "@original"))


async def get(api: Api, call: Call) -> Answer:
    return shape.message(api.world, _message(api, call)[1], api.world.bot_id)


async def edit(api: Api, call: Call) -> Answer:
    _, message = _message(api, call)
    thinking = bool(message.flags & LOADING)
    if thinking:
        files = _write(api, message, call.body)
        message.flags &= ~LOADING
        api.world.edit(message, *files)
    else:
        change(api, message, call)
    return shape.message(api.world, message, api.world.bot_id)


async def remove(api: Api, call: Call) -> Answer:
    api.world.remove(_message(api, call)[1])
    return None


HOOK = "/webhooks/{webhook_id}/{webhook_token}"
MAJOR = ("webhook_token",)
ROUTES = (
    Route(
        "POST", "/interactions/{interaction_id}/{interaction_token}/callback", answer, "callback",
        ("interaction_token",), open=True,
    ),
    Route("POST", HOOK, follow, "webhook", MAJOR, open=True),
    *(
        Route(method, f"{HOOK}/messages/{name}", handler, "webhook", MAJOR, open=True)
        for name in ("@original", "{message_id}")
        for method, handler in (("GET", get), ("PATCH", edit), ("DELETE", remove))
    ),
)  # fmt: skip
