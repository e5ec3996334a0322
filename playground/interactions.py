"""The life of an interaction: asked by a person, told to the bot, answered within its deadlines or failed."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from playground import shape
from playground.events import Event
from playground.records import EPHEMERAL, GROUP, LOADING, Interaction, Json, Message
from playground.refusal import Form, Refusal

if TYPE_CHECKING:
    from playground.world import World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
PONG, SAY, THINK, THINK_UPDATE, UPDATE, SUGGEST, OPEN = 1, 4, 5, 6, 7, 8, 9
# Which answers each type of interaction may get.
ANSWERS = {
    COMMAND: (SAY, THINK, OPEN),
    COMPONENT: (SAY, THINK, THINK_UPDATE, UPDATE, OPEN),
    AUTOCOMPLETE: (SUGGEST,),
    MODAL: (SAY, THINK, THINK_UPDATE, UPDATE),
}
NO_ANSWER = "The application did not respond"


class Interactions:
    """All interactions of a world, by id and by token."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._born: dict[int, float] = {}
        self._tokens = {one.token: one for one in world.interactions.values()}
        for one in world.interactions.values():
            if one.state == "pending":
                one.state = "failed"

    def resume(self) -> None:
        """Starts the clocks of what an earlier run answered, or lets it expire. Needs the world's loop."""
        for one in self.world.interactions.values():
            if one.state == "answered" and one.type != AUTOCOMPLETE and one.id not in self._timers:
                left = max(self.world.token_lives - self._age(one), 0)
                self._timers[one.id] = asyncio.get_running_loop().call_later(left, self._expire, one)

    # Asking

    def ask(
        self, kind: int, user_id: int, channel_id: int, data: Json, source: Message | None = None,
        trigger: Json | None = None,
    ) -> Interaction:  # fmt: skip
        """Sends an interaction to the bot and starts its clock."""
        world = self.world
        one = Interaction(
            world.ids.next(), secrets.token_urlsafe(48), kind, user_id, channel_id,
            world.channels[channel_id].guild_id, data, world.clock(),
            source.id if source else None, trigger=trigger,
        )  # fmt: skip
        world.keep(one)
        loop = asyncio.get_running_loop()
        self._tokens[one.token] = one
        self._born[one.id] = loop.time()
        self._timers[one.id] = loop.call_later(world.answer_within, self._fail, one)
        self._tell("INTERACTION_CREATE", one, asked(one))
        body = payload(world, one)
        # To the bot, wherever it was asked: it need be no member there.
        home = None if world.away(channel_id) else one.guild_id
        world.tell(Event("INTERACTION_CREATE", lambda viewer: body, home, None, people=False))
        return one

    def _fail(self, one: Interaction) -> None:
        if one.state != "pending":
            return
        one.state = "failed"
        self.world.keep(one)
        self._tell("INTERACTION_FAILURE", one, {**asked(one), "text": NO_ANSWER})

    def _tell(self, name: str, one: Interaction, body: Json) -> None:
        if one.type != AUTOCOMPLETE:
            self.world.tell(Event(name, lambda viewer: body, only=one.user_id, bot=False))

    # Answering

    def open(self, interaction_id: int, token: str) -> Interaction:
        """The interaction that may be answered now; 10062 when unknown or late, 40060 when answered."""
        one = self.world.interactions.get(interaction_id)
        if one is None or one.token != token:
            raise Refusal(10062)
        if one.state == "answered":
            raise Refusal(40060)
        if one.state == "failed" or self._age(one) > self.world.answer_within:
            raise Refusal(10062)
        return one

    def _age(self, one: Interaction) -> float:
        """Seconds since it was asked; by the wall clock only for what an earlier run left."""
        born = self._born.get(one.id)
        return self.world.clock() - one.born if born is None else asyncio.get_running_loop().time() - born

    def settle(self, one: Interaction, answer: int, message: Message | None = None) -> None:
        """The interaction got its first answer."""
        timer = self._timers.pop(one.id, None)
        if timer is not None:
            timer.cancel()
        one.state, one.answer = "answered", answer
        one.message_id = message.id if message else None
        self.world.keep(one)
        if one.type != AUTOCOMPLETE:
            loop = asyncio.get_running_loop()
            self._timers[one.id] = loop.call_later(self.world.token_lives, self._expire, one)
        self._tell("INTERACTION_SUCCESS", one, {"id": str(one.id)})

    def open_modal(self, one: Interaction, data: Json) -> None:
        one.modal = {"id": str(one.id), **data}
        self.settle(one, OPEN)
        body = one.modal
        self.world.tell(Event("INTERACTION_MODAL_CREATE", lambda viewer: body, only=one.user_id, bot=False))

    def _expire(self, one: Interaction) -> None:
        """The token died; who is still “thinking” is told so."""
        self._timers.pop(one.id, None)
        message = self.world.messages.get(one.message_id or 0)
        if message is not None and message.flags & LOADING:
            message.content, message.flags = NO_ANSWER, message.flags & ~LOADING
            self.world.edit(message)

    # After the first answer

    def by_token(self, application_id: int, token: str) -> Interaction:
        """The answered interaction of a webhook's token: 10015 when unknown, 50027 when it died."""
        one = self._tokens.get(token)
        if application_id != self.world.application_id or one is None or one.state != "answered":
            raise Refusal(10015)
        if self._age(one) > self.world.token_lives:
            raise Refusal(50027)
        return one

    def message_of(self, one: Interaction, message_id: str) -> Message:
        """A message that this token may touch: `@original`, or the id of one of its own."""
        wanted = one.message_id if message_id == "@original" else int(message_id)
        if wanted is None or wanted not in (one.message_id, one.source_message_id, *one.followups):
            raise Refusal(10008)
        found = self.world.messages.get(wanted)
        if found is None:
            raise Refusal(10008)
        return found

    def new_message(self, one: Interaction, flags: int) -> Message:
        """An empty message of the bot in answer to an interaction, private if `flags` say so."""
        world = self.world
        message = Message(
            world.ids.next(), one.channel_id, world.bot_id, flags=flags & (EPHEMERAL | LOADING),
            application_id=world.application_id, only=one.user_id if flags & EPHEMERAL else None,
        )  # fmt: skip
        message.interaction = self.metadata(one)
        target = one.message_id if one.answer is not None else one.source_message_id
        if one.type == COMMAND and one.answer is None:
            message.type = 20 if one.data.get("type", 1) == 1 else 23
        elif target is not None and target in world.messages:
            message.type = 19
            place = {"type": 0, "channel_id": str(one.channel_id), "message_id": str(target)}
            message.reference = place | ({"guild_id": str(one.guild_id)} if one.guild_id else {})
        if one.answer is not None and one.message_id is not None:
            message.interaction["original_response_message_id"] = str(one.message_id)
        return message

    def metadata(self, one: Interaction) -> Json:
        """What a message tells of the interaction it answers (`user_id` and `name` are ours)."""
        body: Json = {
            "id": str(one.id),
            "type": one.type,
            "user_id": str(one.user_id),
            "name": self._name(one),
            "authorizing_integration_owners": authorized(self.world, one),
        }
        if one.type == COMPONENT:
            body["interacted_message_id"] = str(one.source_message_id)
        if one.type == COMMAND and one.data.get("target_id"):
            body["target_message_id"] = str(one.data["target_id"])
        if one.type == MODAL and one.trigger is not None:
            body["triggering_interaction_metadata"] = one.trigger
        return body

    def _name(self, one: Interaction) -> str:
        parts, options = [str(one.data.get("name", ""))], one.data.get("options") or []
        while options and options[0]["type"] in (1, 2):
            parts.append(options[0]["name"])
            options = options[0].get("options") or []
        return " ".join(parts)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


def owners(world: World, user_id: int, channel_id: int, definition: Json) -> Json:
    """By which installations a person can call a command in a channel: the guild's (0) and their own (1).

    Empty where they cannot. In private with the bot, the guild's counts as the one of guild 0.
    """
    kinds = definition.get("integration_types") or [0]
    found: Json = {}
    if 0 in kinds and not world.away(channel_id):
        found["0"] = str(world.channels[channel_id].guild_id or 0)
    if 1 in kinds and world.users[user_id].installed:
        found["1"] = str(user_id)
    return found


def authorized(world: World, one: Interaction) -> Json:
    """By which installations an interaction came about; one on a message, by those that the message did."""
    source = world.messages.get(one.source_message_id or 0)
    if source is not None and source.interaction is not None:
        return dict(source.interaction["authorizing_integration_owners"])
    command = (
        world.commands.get(int(one.data.get("id") or 0)) if one.type in (COMMAND, AUTOCOMPLETE) else None
    )
    if command is not None:
        return owners(world, one.user_id, one.channel_id, command.definition)
    return {"1": str(one.user_id)} if world.away(one.channel_id) else {"0": str(one.guild_id or 0)}


def check_answer(one: Interaction, answer: object) -> int:
    """The answer's type, or 50035 where this interaction cannot be answered so."""
    if not isinstance(answer, int) or answer not in ANSWERS[one.type]:
        form = Form()
        allowed = ", ".join(str(kind) for kind in ANSWERS[one.type])
        form.wrong(("type",), "BASE_TYPE_CHOICES", f"Value must be one of {{{allowed}}}.")
        form.check()
    assert isinstance(answer, int)  # noqa: S101 -- narrows the type
    return answer


def asked(record: Interaction) -> Json:
    """An interaction as its asker's client knows it."""
    return {
        "id": str(record.id),
        "type": record.type,
        "channel_id": str(record.channel_id),
        "name": record.data.get("name"),
        "message_id": str(record.source_message_id) if record.source_message_id else None,
    }


def payload(world: World, record: Interaction) -> Json:
    """An interaction as INTERACTION_CREATE gives it to the bot."""
    place = world.channels[record.channel_id]
    body: Json = {
        "id": str(record.id),
        "application_id": str(world.application_id),
        "type": record.type,
        "data": record.data,
        "channel_id": str(place.id),
        "channel": shape.channel(world, place)
        | {"permissions": str(world.permissions(record.user_id, place.id))},
        "token": record.token,
        "version": 1,
        "locale": world.users[record.user_id].locale,
        "app_permissions": str(
            world.permissions(record.user_id if world.away(place.id) else world.bot_id, place.id)
        ),
        "entitlements": [],
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": authorized(world, record),
        "context": 0 if record.guild_id else 2 if place.type == GROUP else 1,
        "attachment_size_limit": world.file_limit(record.guild_id, promised=True),
    }
    source = world.messages.get(record.source_message_id or 0)
    if source is not None:
        body["message"] = shape.message(world, source, world.bot_id)
    if record.guild_id is None:
        return body | {"user": shape.user(world.users[record.user_id])}
    home = world.guilds[record.guild_id]
    own = shape.member(world, world.members[record.guild_id, record.user_id])
    return body | {
        "guild_id": str(home.id),
        "guild": {"id": str(home.id), "locale": home.locale, "features": []},
        "guild_locale": home.locale,
        "member": own | {"permissions": str(world.permissions(record.user_id, place.id))},
    }
