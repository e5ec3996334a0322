"""Application commands: what a definition may hold (as the API checks it), and its limits."""

import re

from playground.records import Command, Json
from playground.refusal import Form, Refusal
from playground.snowflake import Snowflakes

CHAT, USER, MESSAGE = 1, 2, 3
# How many commands of each type one scope may have.
MOST = {CHAT: 100, USER: 5, MESSAGE: 5}
MOST_OPTIONS = MOST_CHOICES = 25
MOST_CHARACTERS = 8000
NAME = re.compile(r"^[-_'\w]{1,32}$")
LOCALES = frozenset(
    [
        "id",
        "da",
        "de",
        "en-GB",
        "en-US",
        "es-ES",
        "es-419",
        "fr",
        "hr",
        "it",
        "lt",
        "hu",
        "nl",
        "no",
        "pl",
        "pt-BR",
        "ro",
        "fi",
        "sv-SE",
        "vi",
        "tr",
        "cs",
        "el",
        "bg",
        "ru",
        "uk",
        "hi",
        "th",
        "zh-CN",
        "ja",
        "zh-TW",
        "ko",
    ]
)
DEFAULTS: Json = {
    "name_localizations": None,
    "description": "",
    "description_localizations": None,
    "default_member_permissions": None,
    "contexts": None,
    "integration_types": [0],
    "nsfw": False,
}
Path = tuple[str | int, ...]


def check(body: Json) -> None:
    """Refuses (50035, with the tree of what is wrong) a definition that Discord would refuse."""
    form = Form()
    _check(form, (), body)
    form.check()


def check_all(bodies: list[Json]) -> None:
    """The same for a whole scope, with the number of commands and their names."""
    form = Form()
    seen: set[tuple[int, str]] = set()
    for index, body in enumerate(bodies):
        _check(form, (index,), body)
        mark = (int(body.get("type") or CHAT), str(body.get("name")))
        if mark in seen:
            form.wrong((index,), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Command name is taken")
        seen.add(mark)
    form.check()
    for kind, most in MOST.items():
        if sum(one == kind for one, _ in seen) > most:
            raise Refusal(30032, message=f"Maximum number of application commands reached ({most})")


def _check(form: Form, path: Path, body: Json) -> None:
    kind = int(body.get("type") or CHAT)
    if kind not in MOST:
        form.wrong((*path, "type"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3}.")
        return
    _name(form, path, body, chat=kind == CHAT)
    if kind == CHAT:
        form.length((*path, "description"), body.get("description") or "", 1, 100)
        _localized(form, (*path, "description_localizations"), body.get("description_localizations"), 100)
        _options(form, (*path, "options"), body.get("options") or [])
    elif body.get("description"):
        form.wrong((*path, "description"), "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_NOT_ALLOWED",
                   "Context menu commands cannot have description")  # fmt: skip
    if _characters(body) > MOST_CHARACTERS:
        form.wrong(path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")


def _name(form: Form, path: Path, body: Json, *, chat: bool) -> None:
    name = body.get("name") or ""
    form.length((*path, "name"), name, 1, 32)
    names = {"name": name, **(body.get("name_localizations") or {})}
    _localized(form, (*path, "name_localizations"), body.get("name_localizations"), 32)
    for key, value in names.items() if chat else ():
        at = (*path, "name") if key == "name" else (*path, "name_localizations", key)
        if isinstance(value, str) and value and not (NAME.match(value) and value == value.lower()):
            form.wrong(at, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _localized(form: Form, path: Path, texts: Json | None, most: int) -> None:
    for locale, text in (texts or {}).items():
        if locale not in LOCALES:
            form.wrong((*path, locale), "BASE_TYPE_CHOICES", "Locale is not known.")
        form.length((*path, locale), text, 1, most)


def _options(form: Form, path: Path, options: list[Json]) -> None:
    if len(options) > MOST_OPTIONS:
        form.wrong(path, "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_OPTIONS} or fewer in length.")
    names = [one.get("name") for one in options]
    optional = False
    for index, option in enumerate(options):
        at = (*path, index)
        _name(form, at, option, chat=True)
        form.length((*at, "description"), option.get("description") or "", 1, 100)
        _localized(form, (*at, "description_localizations"), option.get("description_localizations"), 100)
        if names.count(option.get("name")) > 1:
            form.wrong(
                (*at, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name is taken"
            )
        if option.get("required") and optional:
            form.wrong(at, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                       "Required options must be placed before non-required options")  # fmt: skip
        optional = optional or not option.get("required")
        _option(form, at, option)


def _option(form: Form, path: Path, option: Json) -> None:
    kind = option.get("type")
    if kind not in range(1, 12):
        form.wrong((*path, "type"), "BASE_TYPE_CHOICES", "Value must be one of 1 to 11.")
    if kind in (1, 2):
        _options(form, (*path, "options"), option.get("options") or [])
    choices = option.get("choices") or []
    if len(choices) > MOST_CHOICES:
        form.wrong((*path, "choices"), "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_CHOICES} or fewer in length.")
    if choices and option.get("autocomplete"):
        form.wrong((*path, "autocomplete"), "APPLICATION_COMMAND_AUTOCOMPLETE_CHOICES",
                   "Options with choices cannot be autocompleted")  # fmt: skip
    check_choices(form, (*path, "choices"), choices, kind)


def check_choices(form: Form, path: Path, choices: list[Json], kind: object) -> None:
    """Choices of a definition, or suggestions of an autocomplete, for an option of type `kind`."""
    for index, choice in enumerate(choices):
        form.length((*path, index, "name"), choice.get("name"), 1, 100)
        _localized(form, (*path, index, "name_localizations"), choice.get("name_localizations"), 100)
        value = choice.get("value")
        if kind == 3:
            form.length((*path, index, "value"), value, 0, 100)
        elif isinstance(value, bool) or not isinstance(value, int if kind == 4 else (int, float)):
            form.wrong((*path, index, "value"), "NUMBER_TYPE_COERCE", f'Value "{value}" is not a number.')


def _characters(body: Json) -> int:
    """The size that Discord counts: names, descriptions and values, the longest localisation of each."""
    texts = 0
    for key in ("name", "description"):
        localized = (body.get(f"{key}_localizations") or {}).values()
        texts += max((len(str(one)) for one in (body.get(key) or "", *localized)), default=0)
    texts += len(body["value"]) if isinstance(body.get("value"), str) else 0
    return texts + sum(_characters(one) for key in ("options", "choices") for one in body.get(key) or [])


def overwrite(old: list[Command], bodies: list[Json], guild_id: int | None, ids: Snowflakes) -> list[Command]:
    """The scope's new commands: same type and name keep their id, and their version if unchanged."""
    known = {(int(one.definition["type"]), str(one.definition["name"])): one for one in old}
    return [_renew(known, body, guild_id, ids) for body in bodies]


def _renew(
    known: dict[tuple[int, str], Command], body: Json, guild_id: int | None, ids: Snowflakes
) -> Command:
    definition = {**DEFAULTS, **{key: value for key, value in body.items() if key != "id"}}
    needs = definition["default_member_permissions"]
    definition["default_member_permissions"] = None if needs is None else str(needs)
    definition["integration_types"] = definition["integration_types"] or [0]
    definition["type"] = int(body.get("type") or CHAT)
    if guild_id is None:
        definition.setdefault("dm_permission", True)
    before = known.get((definition["type"], str(definition["name"])))
    if before is not None and before.definition == definition:
        return before
    return Command(before.id if before else ids.next(), guild_id, ids.next(), definition)
