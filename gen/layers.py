"""Layers: what the operator, a server, a person and a command choose, each only within the one above.

What a server and a person chose is stored as plain values, by the names of `SETTINGS`. `resolve` makes of all
layers the values in force, each with the layer that it comes from. A value that cannot be read, one that the
operator no longer offers, and one that its layer may not choose count as not chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from gen.errors import BadRequest, NotAllowed
from gen.job import Job, Request, Task
from gen.prompt import FIELDS, NAME, Ask, parse
from gen.recipe import Range, Recipe

T = TypeVar("T")

#: Channels that a server may name: what a menu of Discord's holds.
CHANNELS = 25
#: Bounds of the bounds: clips, and seconds that a clip plays.
CLIPS = (1, 1000)
SECONDS = (0.5, 60.0)

TASKS = frozenset(task.value for task in Task)

Plain = Mapping[str, Any]


class Layer(StrEnum):
    """Who chose, from the outermost inwards."""

    OPERATOR = "operator"
    GUILD = "guild"
    USER = "user"
    COMMAND = "command"


class Words(StrEnum):
    """What becomes of a prompt with words that are not wanted; the mildest first."""

    OFF = "off"  # it is made as it stands
    SOFTEN = "soften"  # it is made with other words
    REFUSE = "refuse"


class Nsfw(StrEnum):
    """What becomes of a clip that is not for everyone; the mildest first. `verdict` reads it."""

    SPOILER = "spoiler"  # it stands behind a spoiler; in age-restricted channels openly
    RESTRICT = "restrict"  # it stands in age-restricted channels only
    REFUSE = "refuse"  # it stands nowhere


class Spoiler(StrEnum):
    """Which clips stand behind a spoiler, whatever they show; the mildest first."""

    OFF = "off"
    OPEN = "open"  # all of channels that are not age-restricted
    ALL = "all"


class Verdict(StrEnum):
    """What is done with a clip."""

    SHOW = "show"
    SPOILER = "spoiler"
    REFUSE = "refuse"


def verdict(nsfw: Nsfw, *, restricted: bool) -> Verdict:
    """What is done with a clip that is not for everyone, in a channel that is age-restricted or not."""
    if nsfw is Nsfw.REFUSE:
        return Verdict.REFUSE
    if restricted:
        return Verdict.SHOW
    return Verdict.SPOILER if nsfw is Nsfw.SPOILER else Verdict.REFUSE


def hidden(spoiler: Spoiler, *, restricted: bool) -> bool:
    """Whether a clip stands behind a spoiler, whatever it shows."""
    return spoiler is Spoiler.ALL or (spoiler is Spoiler.OPEN and not restricted)


def veiled(job: Job, force: Effective, *, restricted: bool) -> bool:
    """Whether a clip that is shown where that is in force stands behind a spoiler. Raises NotAllowed where it
    is not shown."""
    judged = verdict(force.nsfw.value, restricted=restricted)
    if job.delicate and judged is Verdict.REFUSE:
        raise NotAllowed("That clip is not for everyone, and not shown in this channel.")
    hides = job.delicate and judged is Verdict.SPOILER
    return job.spoiler or hides or hidden(force.spoiler.value, restricted=restricted)


@dataclass(frozen=True)
class Value(Generic[T]):
    """A value in force, and the layer that it comes from."""

    value: T
    origin: Layer


@dataclass(frozen=True, kw_only=True)
class Effective:
    """All that is in force for someone somewhere; a field for each of `SETTINGS`."""

    text: Value[str]
    image: Value[str]
    interp: Value[str]
    video: Value[str]
    suffix: Value[str]
    private: Value[bool]
    public: Value[bool]
    language: Value[str]
    channels: Value[tuple[int, ...]]
    spoiler: Value[Spoiler]
    nsfw: Value[Nsfw]
    words: Value[Words]
    seconds: Value[float]
    waiting: Value[int]
    rate: Value[int]
    line: Value[int]

    def model(self, task: Task) -> Value[str]:
        """The recipe of a task when nobody names one."""
        value: Value[str] = getattr(self, task.value)
        return value


@dataclass(frozen=True)
class Policy:
    """The operator's: what differs from `OPERATOR`, and the mildest that servers may choose."""

    defaults: Plain = field(default_factory=dict)
    floors: Plain = field(default_factory=dict)


NONE = Policy()


@dataclass(frozen=True)
class Setting:
    """Which layers below the operator may choose it, how a stored value is read, how a wish is held.

    `read` raises ValueError, TypeError or BadRequest for what is no such value. `hold` is given what is in
    force above and the wish, and answers with either.
    """

    by: tuple[Layer, ...]
    read: Callable[[Any], Any]
    hold: Callable[[Any, Any], Any] = lambda above, wish: wish


def suffix(text: Any) -> str:
    """Default flags in their plain form, as `Ask` prints them. Raises BadRequest as a prompt does."""
    ask = parse(str(text))
    if ask.prompt:
        raise BadRequest("Default flags begin with a flag; “{words}” is none.", words=ask.prompt[:60])
    if ask.model:
        raise BadRequest("Default flags have no -model; choose the model beside them.")
    return str(ask)


def _model(name: Any) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(name)
    return str(name)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _language(tag: Any) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[A-Za-z0-9]{2,4})?", tag):
        raise ValueError(tag)
    return str(tag)


def _ids(values: Any) -> tuple[int, ...]:
    ids = tuple(dict.fromkeys(int(value) for value in values))
    if isinstance(values, str) or len(ids) > CHANNELS or not all(0 < one < 2**64 for one in ids):
        raise ValueError(values)
    return ids


def _bound(kind: Callable[[Any], float], least: float, most: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(value)
        return kind(value)

    return read


def _lower(above: float, wish: float) -> float:
    """Of two bounds; 0 is none."""
    return min(above, wish) if above else wish


GUILD, USER, COMMAND = Layer.GUILD, Layer.USER, Layer.COMMAND
SETTINGS: Mapping[str, Setting] = {
    "text": Setting((GUILD, USER, COMMAND), _model),  # the models: by `Task`
    "image": Setting((GUILD, USER, COMMAND), _model),
    "interp": Setting((GUILD, USER, COMMAND), _model),
    "video": Setting((GUILD, USER, COMMAND), _model),
    "suffix": Setting((USER,), suffix),  # flags that stand where a prompt has none of that name
    "private": Setting((USER, COMMAND), _switch),  # clips come by direct message
    "public": Setting((USER,), _switch),  # clips may be in a public list
    "language": Setting((USER,), _language),  # of answers; else what Discord says
    "channels": Setting((GUILD,), _ids),  # the only ones that clips are made in; none: all
    "spoiler": Setting((GUILD,), Spoiler),
    "nsfw": Setting((GUILD,), Nsfw),
    "words": Setting((GUILD,), Words),
    "seconds": Setting((GUILD,), _bound(float, *SECONDS), _lower),  # that a clip may play; 0: no bound
    "waiting": Setting((GUILD,), _bound(int, *CLIPS), _lower),  # clips of one person that wait at once
    "rate": Setting((GUILD,), _bound(int, *CLIPS), _lower),  # of one person that are released each period
    "line": Setting((GUILD,), _bound(int, *CLIPS), _lower),  # clips of the server that wait at once
}
#: The operator's, where nothing else is said; the models are always said, but for videos.
OPERATOR: Plain = {
    "video": "",  # the first that is turned on
    "suffix": "", "private": False, "public": False, "language": "", "channels": (),
    "spoiler": Spoiler.OFF, "nsfw": Nsfw.SPOILER, "words": Words.REFUSE,
    "seconds": 0.0, "waiting": 0, "rate": 0, "line": 0,
}  # fmt: skip


def resolve(
    policy: Policy, chosen: Mapping[Layer, Plain], *, offered: Mapping[Task, Collection[str]]
) -> Effective:
    """What is in force. `policy` has the three models at least; `offered` are those that may be chosen."""
    base = {**OPERATOR, **policy.defaults}
    return Effective(
        **{
            name: _settle(name, setting, base[name], chosen, offered, policy.floors)
            for name, setting in SETTINGS.items()
        }
    )


def _settle(
    name: str,
    setting: Setting,
    value: Any,
    chosen: Mapping[Layer, Plain],
    offered: Mapping[Task, Collection[str]],
    floors: Plain,
) -> Value[Any]:
    origin = Layer.OPERATOR
    for layer in setting.by:
        try:
            wish = setting.read(chosen.get(layer, {})[name])
        except (KeyError, ValueError, TypeError, BadRequest):
            continue
        if name in TASKS and wish not in offered[Task(name)]:
            continue
        if name in floors and wish != stricter(wish, floors[name]):
            value, origin = floors[name], Layer.OPERATOR
        elif setting.hold(value, wish) == wish:
            value, origin = wish, layer
    return Value(value, origin)


def check(name: str, value: Any, above: Effective, floors: Plain) -> Any:
    """`value` as it is stored, for a layer below `above`. Raises BadRequest for what would not hold."""
    setting = SETTINGS[name]
    try:
        wish = setting.read(value)
    except (ValueError, TypeError) as error:
        raise BadRequest("“{value}” cannot be chosen here.", value=str(value)[:60]) from error
    if name in floors and wish != stricter(wish, floors[name]):
        raise BadRequest(
            "The mildest that the operator allows here: {mildest}.", mildest=f"{name}.{floors[name].value}"
        )
    if setting.hold(most := getattr(above, name).value, wish) != wish:
        raise BadRequest("The operator allows at most {most} here.", most=f"{most:g}")
    return list(wish) if isinstance(wish, tuple) else wish


def bound(chosen: Plain, name: str) -> int:
    """A bound of clips as a layer chose it by itself; 0 where it did not."""
    try:
        return int(SETTINGS[name].read(chosen[name]))
    except (KeyError, ValueError, TypeError):
        return 0


def stricter(one: T, other: T) -> T:
    """The stricter of two policies of a kind."""
    order = list(type(one))  # type: ignore[call-overload]  # a StrEnum of this file, the mildest first
    return max(one, other, key=order.index)


# --- a clip under what is in force


def fill(ask: Ask, force: Effective, recipe: Recipe, judge: Callable[[Ask], Request]) -> Ask:
    """`ask` with the default flags that it leaves open and the recipe takes, held within ranges and bounds.

    `judge` makes the request, or raises BadRequest. What was asked for itself is never changed: it is for
    `judge` and `measure` to refuse.
    """
    mine, typed = parse(force.suffix.value), ask.seconds is not None
    idle = set(recipe.unused(mine))
    for name, wish in mine.asked().items():
        if getattr(ask, name) is None and FIELDS[name].name not in idle:
            ask = _with(ask, name, _within(getattr(recipe, name, None), wish), judge)
    most, span = force.seconds.value, recipe.seconds
    if most and span and not typed and not recipe.clip_frames:
        ask = _with(ask, "seconds", most, judge) if most < (ask.seconds or span.default) else ask
    return ask


def _with(ask: Ask, name: str, value: Any, judge: Callable[[Ask], Request]) -> Ask:
    """`ask` with that value, where such a thing can be said and made."""
    try:
        changed = parse(str(replace(ask, **{name: value})))
        judge(changed)
    except BadRequest:
        return ask
    return changed


def _within(span: object, wish: Any) -> Any:
    if not isinstance(span, Range):
        return wish
    return type(wish)(min(max(wish, span.least), span.most))


def measure(request: Request, recipe: Recipe, force: Effective) -> None:
    """Raises NotAllowed when the clip plays longer than the server allows.

    What the model cannot make exactly may be longer by the least that it can.
    """
    most = force.seconds.value
    grain = recipe.frame_multiple + recipe.frame_extra
    if most and request.frames > most * request.fps + grain:
        raise NotAllowed(
            "Clips of this server play for at most {most} s, not {seconds} s; ask for fewer with -seconds, "
            "or for another model.",
            most=f"{most:g}", seconds=f"{round(request.frames / request.fps, 2):g}",
        )  # fmt: skip


def place(force: Effective, channels: Sequence[int]) -> None:
    """Raises NotAllowed when clips are not made there; `channels` are it, its parent and its category."""
    allowed = force.channels.value
    if allowed and not set(allowed).intersection(channels):
        raise NotAllowed(
            "Clips are not made in this channel. Where they are: {channels}.", channels=_mentions(allowed)
        )


def _mentions(ids: Iterable[int]) -> str:
    return " ".join(f"<#{one}>" for one in ids)
