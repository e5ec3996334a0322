"""A command as a client fills it in: options checked against the definition, files uploaded, ids resolved."""

from collections.abc import Mapping
from typing import Any

from playground import draft, shape
from playground.records import Command, Json
from playground.world import World

SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, FILE = range(1, 12)
MOST_TEXT = 6000


class Impossible(Exception):
    """What a person's client would not let them do; the text says why."""


def fill(
    world: World, command: Command, path: list[str], given: Mapping[str, Any], channel_id: int,
    focused: str | None = None,
) -> Json:  # fmt: skip
    """An interaction's `data` for a slash command called with `given` options.

    path: the subcommand's names below the command's. focused: the option being typed (autocomplete),
    for which what is still missing or out of bounds does not matter.
    """
    level: list[Json] = command.definition.get("options") or []
    wraps: list[Json] = []
    for name in path:
        option = next((one for one in level if one["name"] == name and one["type"] in (1, 2)), None)
        if option is None:
            raise Impossible(f"/{command.definition['name']} has no subcommand {name}.")
        wraps.append({"type": option["type"], "name": name})
        level = option.get("options") or []
    filling = Filling(world, channel_id, focused)
    options = filling.options(level, given)
    for wrap in reversed(wraps):
        options = [{**wrap, "options": options}]
    data: Json = {"id": str(command.id), "name": command.definition["name"], "type": 1}
    if options:
        data["options"] = options
    if filling.resolved:
        data["resolved"] = filling.resolved
    return data | ({"guild_id": str(command.guild_id)} if command.guild_id else {})


def resolve(world: World, channel_id: int, select: Json, values: list[str]) -> Json:
    """What the values of a select menu of users (5), roles (6), either (7) or channels (8) name."""
    filling = Filling(world, channel_id, None)
    kind = {5: USER, 6: ROLE, 7: MENTIONABLE, 8: CHANNEL}[select["type"]]
    for value in values:
        filling.name({"name": "The menu", "type": kind, "channel_types": select.get("channel_types")}, value)
    return filling.resolved


class Filling:
    """Turns what a person gives into what is sent, and collects what that names in `resolved`."""

    def __init__(self, world: World, channel_id: int, focused: str | None) -> None:
        self.world = world
        self.channel_id = channel_id
        self.focused = focused
        self.resolved: Json = {}

    def options(self, level: list[Json], given: Mapping[str, Any]) -> list[Json]:
        known = {one["name"] for one in level if one["type"] > GROUP}
        strange = set(given) - known
        if strange:
            raise Impossible(f"There is no option {sorted(strange)}; there are {sorted(known)}.")
        if len(known) < len(level):
            raise Impossible("A subcommand must be chosen.")
        if self.focused is not None and self.focused not in known:
            raise Impossible(f"There is no option {self.focused}.")
        filled = []
        for option in level:
            value = given.get(option["name"])
            if self.focused is not None and option["type"] == FILE:
                continue  # a file is not sent while suggestions are asked for
            if value is None and option.get("required") and self.focused is None:
                raise Impossible(f"The option {option['name']} is required.")
            if value is not None or self.focused == option["name"]:
                filled.append(self._option(option, "" if value is None else value))
        return filled

    def _option(self, option: Json, value: Any) -> Json:
        body: Json = {"name": option["name"], "type": option["type"]}
        if self.focused is not None:
            focus = {"focused": True} if self.focused == option["name"] else {}
            return body | {"value": value} | focus
        return body | {"value": self._value(option, value)}

    def _value(self, option: Json, value: Any) -> Any:
        name, kind = option["name"], option["type"]
        choices = {one["value"] for one in option.get("choices") or []}
        if choices and value not in choices:
            raise Impossible(f"{name} must be one of {sorted(choices)}, not {value!r}.")
        if kind == STRING:
            return self._text(option, value)
        if kind in (INTEGER, NUMBER):
            return self._number(option, value)
        if kind == BOOLEAN:
            if not isinstance(value, bool):
                raise Impossible(f"{name} must be True or False, not {value!r}.")
            return value
        if kind == FILE:
            return self.file(name, value)
        return self.name(option, value)

    def _text(self, option: Json, value: Any) -> str:
        low, high = option.get("min_length") or 0, option.get("max_length") or MOST_TEXT
        if not isinstance(value, str) or not low <= len(value) <= high:
            raise Impossible(f"{option['name']} must be a text of {low} to {high} characters.")
        if not value.strip() and option.get("required"):
            raise Impossible(f"The option {option['name']} is required.")
        return value

    def _number(self, option: Json, value: Any) -> int | float:
        whole = option["type"] == INTEGER
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise Impossible(f"{option['name']} must be a {'whole ' if whole else ''}number, not {value!r}.")
        low, high = option.get("min_value"), option.get("max_value")
        least, most = -(2**53) if low is None else low, 2**53 if high is None else high
        if not least <= value <= most:
            raise Impossible(f"{option['name']} must be {least} to {most}, not {value}.")
        return int(value) if whole else float(value)

    def file(self, name: str, value: Any) -> str:
        """Uploads (name, bytes) or (name, bytes, content type) for this interaction; gives its id."""
        if not isinstance(value, tuple) or not isinstance(value[1], bytes):
            raise Impossible(f"{name} must be a file: (name, bytes).")
        guild_id = self.world.channels[self.channel_id].guild_id
        if len(value[1]) > self.world.file_limit(guild_id, promised=True):
            raise Impossible(f"{value[0]} is too large to upload.")
        file = draft.file_of(self.world, self.channel_id, *value)
        file.ephemeral = True
        self.world.store.write(file.id, value[1])
        self.world.keep(file)
        self._resolve("attachments", file.id, shape.attachment(self.world, file))
        return str(file.id)

    def name(self, option: Json, value: Any) -> str:
        """A user, channel, role or either; resolved as Discord resolves them."""
        world, kind = self.world, option["type"]
        number = int(value)
        guild_id = world.channels[self.channel_id].guild_id or 0
        if kind in (USER, MENTIONABLE) and number in world.users:
            self._resolve("users", number, shape.user(world.users[number]))
            member = world.members.get((guild_id, number))
            if member is not None:
                bits = str(world.permissions(number, self.channel_id))
                body = shape.member(world, member, with_user=False) | {"permissions": bits}
                self._resolve("members", number, body)
        elif kind == CHANNEL and number in world.channels:
            channel = world.channels[number]
            if option.get("channel_types") and channel.type not in option["channel_types"]:
                raise Impossible(f"{option['name']} does not take this type of channel.")
            bits = str(world.permissions(world.bot_id, number))
            self._resolve("channels", number, shape.channel(world, channel) | {"permissions": bits})
        elif kind in (ROLE, MENTIONABLE) and number in world.roles:
            self._resolve("roles", number, shape.role(world.roles[number]))
        else:
            raise Impossible(f"{option['name']} does not name anything here: {value!r}.")
        return str(number)

    def _resolve(self, group: str, number: int, body: Json) -> None:
        self.resolved.setdefault(group, {})[str(number)] = body
