"""What a person does in a client: writes, calls commands, presses, reacts; for the page and for tests."""

from collections.abc import Mapping
from typing import Any

from playground import components, draft, places, shape
from playground.deed import Deed, Ear
from playground.draft import File
from playground.filling import Filling, Impossible, fill, resolve
from playground.home import AtHome, at_home
from playground.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, owners
from playground.permissions import Can
from playground.records import (
    DIRECT,
    EPHEMERAL,
    GROUP,
    THREAD,
    Channel,
    Command,
    Json,
    Message,
)
from playground.world import World


class Person(AtHome):
    """One person's client. Methods may be awaited on any loop; what a client would refuse is `Impossible`.

    A file is (name, bytes) or (name, bytes, content type). An emoji is its character ("🔁") or "name:id".
    """

    def __init__(self, world: World, user_id: int) -> None:
        self.world = world
        self.id = user_id

    @at_home
    async def listen(self) -> Ear:
        """Begins to write down what this person's client is told."""
        return Ear(self.world, self.id)

    # Writing

    @at_home
    async def say(self, channel_id: int, content: str, reply_to: int | None = None) -> Json:
        """Writes a message; the answer is the message."""
        return self._write(channel_id, draft.Body({"content": content}), reply_to)

    @at_home
    async def attach(self, channel_id: int, *files: File, content: str = "") -> Json:
        """Writes a message with files."""
        body = draft.Body({"content": content}, dict(enumerate(files)))
        return self._write(channel_id, body, None)

    def _write(self, channel_id: int, body: draft.Body, reply_to: int | None) -> Json:
        channel = self._channel(channel_id, Can.SEND_MESSAGES)
        message = Message(self.world.ids.next(), channel_id, self.id)
        if reply_to is not None:
            place = {"type": 0, "channel_id": str(channel_id), "message_id": str(reply_to)}
            guild = {"guild_id": str(channel.guild_id)} if channel.guild_id else {}
            message.type, message.reference = 19, place | guild
        limit, bits = self.world.file_limit(channel.guild_id), self.world.permissions(self.id, channel_id)
        files = draft.write(self.world, message, body, limit=limit, new=True, bits=bits)
        self.world.post(message, *files)
        return shape.message(self.world, message, self.id)

    def _channel(self, channel_id: int, wanted: Can = Can(0)) -> Channel:  # noqa: B008 -- an immutable flag
        channel = self.world.channels.get(channel_id)
        if channel is None or not self.world.can(self.id, channel_id, Can.VIEW_CHANNEL):
            raise Impossible("There is no such channel.")
        if wanted and not self.world.can(self.id, channel_id, wanted):
            raise Impossible(f"This needs a permission here: {wanted.name}.")
        if channel.type == THREAD and channel.locked:
            raise Impossible("The thread is locked.")
        return channel

    @at_home
    async def type(self, channel_id: int) -> None:
        """Shows as typing."""
        self._channel(channel_id)
        self.world.type_in(channel_id, self.id)

    @at_home
    async def direct(self) -> int:
        """The id of the private channel with the bot, opened if need be."""
        return places.direct(self.world, self.world.users[self.id]).id

    @at_home
    async def close_direct(self, closed: bool = True) -> None:
        """Takes no private messages from the bot any more (50007), or takes them again."""
        self.world.users[self.id].dms_closed = closed
        self.world.keep(self.world.users[self.id])

    @at_home
    async def history(self, channel_id: int, limit: int = 50) -> list[Json]:
        """The channel's last messages as this person sees them, oldest first."""
        self._channel(channel_id)
        return self.world.last(channel_id, self.id, limit)

    # Commands

    def commands(self, channel_id: int, kind: int = 1) -> dict[str, Command]:
        """The commands of one type that this person's client offers in a channel, by name."""
        channel = self._channel(channel_id, Can.USE_APPLICATION_COMMANDS)
        context = {DIRECT: 1, GROUP: 2}.get(channel.type, 0)
        held = self.world.permissions(self.id, channel_id)
        found: dict[str, Command] = {}
        for one in sorted(self.world.commands.values(), key=lambda one: one.guild_id is not None):
            contexts = one.definition.get("contexts")
            needs = one.definition.get("default_member_permissions")
            fits = one.guild_id is None or one.guild_id == channel.guild_id
            fits = fits and one.definition["type"] == kind and (contexts is None or context in contexts)
            fits = fits and not (context == 1 and one.definition.get("dm_permission") is False)
            fits = fits and bool(owners(self.world, self.id, channel_id, one.definition))
            if fits and (needs is None or context or _permitted(held, int(needs))):
                found[one.definition["name"]] = one
        return found

    def _command(self, channel_id: int, name: str, kind: int) -> Command:
        offered = self.commands(channel_id, kind)
        if name not in offered:
            raise Impossible(f"There is no command {name} here; there are {sorted(offered)}.")
        return offered[name]

    @at_home
    async def slash(self, channel_id: int, name: str, options: Mapping[str, Any] | None = None) -> Deed:
        """Calls a slash command; a subcommand is called by its path: "privacy export".

        An option's value: text, number, bool, an id, or a file for an attachment.
        """
        head, *path = name.removeprefix("/").split()
        command = self._command(channel_id, head, 1)
        data = fill(self.world, command, path, options or {}, channel_id)
        return self._ask(COMMAND, channel_id, data)

    @at_home
    async def complete(
        self, channel_id: int, name: str, options: Mapping[str, Any], focused: str
    ) -> list[Json]:
        """The suggestions [{"name", "value"}] for the option `focused`, given what was typed so far.

        No answer in time is an empty list, as in a client.
        """
        head, *path = name.removeprefix("/").split()
        command = self._command(channel_id, head, 1)
        data = fill(self.world, command, path, options, channel_id, focused)
        deed = self._ask(AUTOCOMPLETE, channel_id, data)
        await self.world.until(lambda: deed.state != "pending", self.world.answer_within + 5)
        return deed.choices or []

    @at_home
    async def menu(self, channel_id: int, name: str, message_id: int) -> Deed:
        """Calls a context menu command on a message."""
        command = self._command(channel_id, name, 3)
        message = self._seen(message_id)
        resolved = {str(message.id): shape.message(self.world, message, self.world.bot_id)}
        data: Json = {"id": str(command.id), "name": name, "type": 3, "target_id": str(message.id)}
        return self._ask(COMMAND, channel_id, data | {"resolved": {"messages": resolved}})

    def _ask(
        self,
        kind: int,
        channel_id: int,
        data: Json,
        source: Message | None = None,
        trigger: Json | None = None,
    ) -> Deed:
        return Deed(self.world, self.world.asked.ask(kind, self.id, channel_id, data, source, trigger))

    # Components

    def _seen(self, message_id: int) -> Message:
        message = self.world.messages.get(int(message_id))
        if message is None or message.only not in (None, self.id):
            raise Impossible("There is no such message.")
        self._channel(message.channel_id)
        return message

    def _component(self, message: Message, custom_id: str) -> Json:
        found = components.interactive(message.components).get(custom_id)
        if found is None:
            there = sorted(components.interactive(message.components))
            raise Impossible(f"The message has no {custom_id}; it has {there}.")
        if found.get("disabled"):
            raise Impossible(f"{custom_id} is disabled.")
        return found

    @at_home
    async def press(self, message_id: int, custom_id: str) -> Deed:
        """Presses a button; one that is absent or disabled is Impossible."""
        message = self._seen(message_id)
        found = self._component(message, custom_id)
        if found["type"] != components.BUTTON:
            raise Impossible(f"{custom_id} is no button.")
        data = {"custom_id": custom_id, "component_type": found["type"], "id": found["id"]}
        return self._ask(COMPONENT, message.channel_id, data, message)

    @at_home
    async def select(self, message_id: int, custom_id: str, values: list[str]) -> Deed:
        """Chooses in a select menu."""
        message = self._seen(message_id)
        found = self._component(message, custom_id)
        _chosen(found, values)
        data = {"custom_id": custom_id, "component_type": found["type"], "id": found["id"], "values": values}
        if found["type"] != components.SELECT:
            data["resolved"] = resolve(self.world, message.channel_id, found, values)
        return self._ask(COMPONENT, message.channel_id, data, message)

    @at_home
    async def submit(self, modal: Json, values: Mapping[str, Any]) -> Deed:
        """Sends a modal, its fields by custom_id; a field not named keeps its preset value.

        A field's value: its text; for a menu the values chosen; for an upload the files.
        """
        opened = self.world.interactions.get(int(modal["id"]))
        if opened is None or opened.user_id != self.id or opened.modal is None:
            raise Impossible("There is no such modal.")
        if any((one.trigger or {}).get("id") == modal["id"] and one.state == "answered"
               for one in self.world.interactions.values()):  # fmt: skip
            raise Impossible("This modal was sent, and closed.")
        strange = set(values) - set(components.interactive(opened.modal["components"]))
        if strange:
            raise Impossible(f"The modal has no field {sorted(strange)}.")
        filling = Filling(self.world, opened.channel_id, None)
        rows = [_filled(row, values, filling) for row in opened.modal["components"]]
        data: Json = {"custom_id": opened.modal["custom_id"], "components": rows}
        if filling.resolved:
            data["resolved"] = filling.resolved
        source = self.world.messages.get(opened.source_message_id or 0)
        trigger = self.world.asked.metadata(opened)
        asker = shape.user(self.world.users[self.id])
        trigger = {key: value for key, value in trigger.items() if key not in ("user_id", "name")}
        return self._ask(MODAL, opened.channel_id, data, source, trigger | {"user": asker})

    # Reactions and deleting

    @at_home
    async def react(self, message_id: int, emoji: str) -> None:
        """Adds a reaction; a private answer can take none."""
        message = self._seen(message_id)
        if message.flags & EPHEMERAL:
            raise Impossible("A private answer can take no reaction.")
        self._channel(message.channel_id, Can.READ_MESSAGE_HISTORY)
        if self.world.reaction(message, shape.emoji(emoji)) is None:
            self._channel(message.channel_id, Can.ADD_REACTIONS)
        self.world.react(message, shape.emoji(emoji), self.id)

    @at_home
    async def unreact(self, message_id: int, emoji: str) -> None:
        self.world.unreact(self._seen(message_id), shape.emoji(emoji), self.id)

    @at_home
    async def delete(self, message_id: int) -> None:
        """Deletes an own message, or another's with Manage Messages; a private answer is dismissed."""
        message = self._seen(message_id)
        if message.author_id != self.id and message.only != self.id:
            self._channel(message.channel_id, Can.MANAGE_MESSAGES)
        self.world.remove(message)


def _permitted(held: int, needs: int) -> bool:
    """Whether a client shows a command that needs these permissions by default; 0 is for administrators."""
    return bool(held & Can.ADMINISTRATOR) or (needs != 0 and held & needs == needs)


def _chosen(select: Json, values: list[str]) -> None:
    """Whether a select menu takes these values."""
    low, high = (1 if select.get(key) is None else int(select[key]) for key in ("min_values", "max_values"))
    if not low <= len(values) <= high:
        raise Impossible(f"{select['custom_id']} takes {low} to {high} values.")
    offered = {option["value"] for option in select.get("options") or []}
    if select["type"] == components.SELECT and not set(values) <= offered:
        raise Impossible(f"{select['custom_id']} offers {sorted(offered)}.")


def _filled(row: Json, values: Mapping[str, Any], filling: Filling) -> Json:
    """One row or label of a modal as the client sends it."""
    if row["type"] == components.TEXT:
        return {"type": row["type"], "id": row["id"]}
    if row["type"] == components.LABEL:
        return {"type": row["type"], "id": row["id"], "component": _field(row["component"], values, filling)}
    return {
        "type": 1,
        "id": row["id"],
        "components": [_field(one, values, filling) for one in row["components"]],
    }


def _field(one: Json, values: Mapping[str, Any], filling: Filling) -> Json:
    body: Json = {"type": one["type"], "id": one["id"], "custom_id": one["custom_id"]}
    if one["type"] in components.SELECTS:
        preset = [option["value"] for option in one.get("options") or [] if option.get("default")]
        chosen = list(values.get(one["custom_id"], preset))
        if chosen or one.get("required", True):
            _chosen(one, chosen)
        return body | {"values": chosen}
    if one["type"] == components.UPLOAD:
        files = list(values.get(one["custom_id"], []))
        if files or one.get("required", True):
            _chosen(one, [file[0] for file in files])
        return body | {"values": [filling.file(one["custom_id"], file) for file in files]}
    if one["type"] != components.TEXT_INPUT:
        raise Impossible(f"Fields of type {one['type']} are not known here.")
    text = str(values.get(one["custom_id"], one.get("value") or ""))
    low = int(one.get("min_length") or 0)
    low = max(low, 1) if one.get("required", True) else low if text else 0
    high = int(one.get("max_length") or 4000)
    if not low <= len(text) <= high:
        raise Impossible(f"{one['custom_id']} must have {low} to {high} characters.")
    return body | {"value": text}


__all__ = ["Deed", "Ear", "File", "Impossible", "Person", "at_home"]
