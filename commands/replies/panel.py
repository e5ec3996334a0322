"""The panels of /settings and /prefer: the values in force, where each comes from, and menus to change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from discord import ButtonStyle, ChannelType, Object, SelectDefaultValue, SelectDefaultValueType, SelectOption
from discord.ui import (
    ActionRow,
    Button,
    ChannelSelect,
    Container,
    Item,
    LayoutView,
    Section,
    Select,
    TextDisplay,
)  # fmt: skip

from commands import buttons
from commands.words import fit, plain, quote, say
from gen.job import Task
from gen.layers import CHANNELS, TASKS, Effective, Layer, Nsfw, Spoiler, Value, Words
from gen.recipe import Recipe

#: What each setting is called.
NAMES: Mapping[str, str] = {
    "text": "Model of /animate",
    "image": "Model of /img2vid",
    "interp": "Model of /interp",
    "video": "Model of /animate with a video",
    "suffix": "Default flags",
    "private": "Your clips come",
    "public": "The public list",
    "language": "Language of answers",
    "channels": "Clips are made in",
    "spoiler": "Behind a spoiler",
    "nsfw": "Clips not for everyone",
    "words": "Prompts with unwanted words",
    "seconds": "Longest clip",
    "waiting": "Clips of one person that wait",
    "rate": "Clips of one person that leave the line each period",
    "line": "Clips of this server that wait",
}
#: What values that are no figures or names are called, by setting.
VALUES: Mapping[tuple[str, object], str] = {
    ("private", True): "by direct message",
    ("private", False): "in the channel",
    ("public", True): "shows your clips",
    ("public", False): "is without your clips",
    ("spoiler", Spoiler.OFF): "no clip",
    ("spoiler", Spoiler.OPEN): "every clip outside age-restricted channels",
    ("spoiler", Spoiler.ALL): "every clip",
    ("nsfw", Nsfw.SPOILER): "stand behind a spoiler",
    ("nsfw", Nsfw.RESTRICT): "are posted in age-restricted channels only",
    ("nsfw", Nsfw.REFUSE): "are not posted",
    ("words", Words.OFF): "are taken as they are",
    ("words", Words.SOFTEN): "are softened",
    ("words", Words.REFUSE): "are refused",
}
#: Where a value comes from.
ORIGINS: Mapping[Layer, str] = {
    Layer.OPERATOR: "the operator's",
    Layer.GUILD: "this server's",
    Layer.USER: "yours",
    Layer.COMMAND: "this command's",
}
#: What the operator has no say in: what nobody chose is simply so.
OPEN = frozenset({"suffix", "private", "public", "language", "channels", "seconds"})
#: The languages that answers can be in, by what they call themselves.
SPOKEN = {"en-US": "English", "zh-CN": "简体中文", "ja": "日本語"}

#: The pages of /settings, with the settings on each; what a person prefers is one page.
PAGES: Mapping[str, tuple[str, ...]] = {
    "models": ("text", "image", "interp", "video"),
    "channels": ("channels", "spoiler"),
    "policies": ("nsfw", "words"),
    "limits": ("seconds", "waiting", "rate", "line"),
}
TITLES: Mapping[str, str] = {
    "models": "Models", "channels": "Channels", "policies": "Policies", "limits": "Limits",
}  # fmt: skip
#: What a menu offers of figures.
FIGURES: Mapping[str, Sequence[float]] = {
    "seconds": (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30),
    "waiting": (1, 2, 3, 4, 5, 8, 10, 15, 20, 50, 100),
    "rate": (1, 2, 3, 4, 5, 8, 10, 15, 20, 50, 100),
    "line": (1, 2, 3, 5, 8, 10, 15, 20, 50, 100, 200),
}
#: The value of a menu that takes a choice back.
NOTHING = "-"
#: Options that a menu has at most.
MOST = 25


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a panel shows: what is in force, what would be without the choice, and what may be chosen."""

    force: Effective
    above: Effective
    chosen: Mapping[str, Any]
    allows: Callable[[str, Any], bool]
    recipes: Mapping[str, Recipe]


def prefer(standing: Standing, locale: str) -> LayoutView:
    """The panel of a person's own preferences."""
    title = say(locale, "What holds for your clips here, wherever a command does not say otherwise")
    parts: list[Item[Any]] = [TextDisplay(f"### {title}")]
    parts += _menus(standing, locale, PAGES["models"], buttons.PREFER)
    change = _button(f"{buttons.FLAGS}:suffix", say(locale, "Change"))
    parts.append(Section(TextDisplay(line("suffix", standing.force, locale)), accessory=change))
    for name in ("private", "public"):
        now = getattr(standing.force, name).value
        turn = _button(f"{buttons.TURN}:{name}.{'off' if now else 'on'}", _turned(name, now, locale))
        parts.append(Section(TextDisplay(line(name, standing.force, locale)), accessory=turn))
    parts += _menus(standing, locale, ("language",), buttons.PREFER)
    return _panel(parts, [_button(f"{buttons.UNPREFER}:all", say(locale, "Take all back"))])


def settings(standing: Standing, locale: str, page: str) -> LayoutView:
    """One page of a server's settings."""
    title = say(locale, "Settings of this server: {page}", page=say(locale, TITLES[page]))
    parts: list[Item[Any]] = [TextDisplay(f"### {title}")]
    parts += _menus(standing, locale, PAGES[page], buttons.SETTINGS)
    turns = [
        _button(f"{buttons.SETTINGS_PAGE}:{one}", say(locale, TITLES[one]), now=one == page) for one in PAGES
    ]
    return _panel(parts, turns)


def in_force(force: Effective, locale: str, *, guild: bool) -> list[str]:
    """Every value in force, each on a line with where it comes from; without a server, those of none."""
    apart = {"channels", "line"} if not guild else set()
    apart |= {"video"} if not force.video.value else set()
    return [line(name, force, locale) for name in NAMES if name not in apart]


def line(name: str, force: Effective, locale: str) -> str:
    """One value in force, and where it comes from."""
    value: Value[Any] = getattr(force, name)
    shown, origin = told(name, value.value, locale), say(locale, ORIGINS[value.origin])
    if value.origin is Layer.OPERATOR and name in OPEN:
        origin = say(locale, "nobody's choice")
    return f"**{say(locale, NAMES[name])}** {shown} · {origin}"


def told(name: str, value: Any, locale: str) -> str:
    """A value in words."""
    if words := VALUES.get((name, value)):
        return say(locale, words)
    if name == "channels":
        return " ".join(f"<#{one}>" for one in value) or say(locale, "every channel")
    if name == "suffix":
        return quote(value, 300) or say(locale, "none")
    if name == "language":
        return SPOKEN.get(value) or say(locale, "as Discord tells")
    if name == "seconds":
        return say(locale, "{seconds} s", seconds=f"{value:g}") if value else say(locale, "no bound")
    if name in ("waiting", "rate", "line"):
        return f"{value}" if value else say(locale, "no bound")
    return str(value) or say(locale, "the first that is turned on")


def _menus(standing: Standing, locale: str, names: Sequence[str], deed: str) -> Iterator[Item[Any]]:
    for name in names:
        if name == "video" and not _offered(standing, name):
            continue
        yield TextDisplay(fit(line(name, standing.force, locale), 1000))
        menu = _channels if name == "channels" else _menu
        yield ActionRow(menu(standing, locale, name, f"{deed}:{name}"))


def _menu(standing: Standing, locale: str, name: str, about: str) -> Select[Any]:
    """All that may be chosen; first, to choose nothing."""
    now = standing.chosen.get(name)
    nothing = say(
        locale, "No choice here: {value}", value=told(name, getattr(standing.above, name).value, locale)
    )
    options = [SelectOption(label=plain(nothing, 100), value=NOTHING, default=now is None)]
    allowed = [value for value in _offered(standing, name) if standing.allows(name, value)]
    if len(allowed) >= MOST:  # the chosen one is never cut off
        allowed.sort(key=lambda value: value != now)
    for value in allowed:
        about_model = standing.recipes[value].about if name in TASKS else ""
        options.append(
            SelectOption(
                label=plain(told(name, value, locale), 100),
                value=f"{value}",
                description=plain(say(locale, about_model), 100) if about_model else None,
                default=value == now,
            )
        )
    return Select(custom_id=about, options=options[:MOST], placeholder=say(locale, NAMES[name]))


def _offered(standing: Standing, name: str) -> list[Any]:
    if name in TASKS:
        return [one.name for one in standing.recipes.values() if one.on and one.task is Task(name)]
    if name == "language":
        return list(SPOKEN)
    if name in FIGURES:
        now = standing.chosen.get(name)
        return sorted({*FIGURES[name], *([now] if isinstance(now, int | float) else [])})
    return [value for setting, value in VALUES if setting == name]


def _channels(standing: Standing, locale: str, name: str, about: str) -> ChannelSelect[Any]:
    kind = SelectDefaultValueType.channel
    return ChannelSelect(
        custom_id=about,
        channel_types=[
            ChannelType.text,
            ChannelType.news,
            ChannelType.forum,
            ChannelType.voice,
            ChannelType.category,
        ],
        placeholder=say(locale, "Every channel, unless you choose some"),
        min_values=0,
        max_values=CHANNELS,
        default_values=[
            SelectDefaultValue(id=Object(one).id, type=kind) for one in standing.force.channels.value
        ],
    )


def _turned(name: str, now: bool, locale: str) -> str:
    """What a press makes of a switch."""
    if name == "private":
        return say(locale, "In the channel") if now else say(locale, "By direct message")
    return say(locale, "Leave the list") if now else say(locale, "Join the list")


def _button(custom_id: str, label: str, *, now: bool = False) -> Button[Any]:
    style = ButtonStyle.primary if now else ButtonStyle.secondary
    return Button(custom_id=custom_id, label=label, style=style, disabled=now)


def _panel(parts: Sequence[Item[Any]], row: Sequence[Button[Any]]) -> LayoutView:
    """Drawn and forgotten, as `commands.buttons.rows` is."""
    view = LayoutView(timeout=None)
    view.add_item(Container(*parts, ActionRow(*row)))
    view.stop()
    return view
