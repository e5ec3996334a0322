"""A recipe: a named way to make clips, as data; the only judge of what a user asks of it."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gen.check import Check, named
from gen.check import load as load_checks
from gen.errors import BadRequest, Misconfigured
from gen.job import Picture, Request, Task, Video
from gen.prompt import FIELDS, NAME, SEEDS, Ask

#: Frames each second that a clip may have once frames are interpolated.
FASTEST = 60

#: Pictures that a task wants; a video counts as one.
PICTURES: Mapping[Task, int] = {Task.TEXT: 0, Task.IMAGE: 1, Task.INTERP: 2, Task.VIDEO: 1}


#: Tasks that want words.
SPOKEN = (Task.TEXT, Task.VIDEO)


@dataclass(frozen=True)
class Range:
    """What a number may be, and what it is when nobody says."""

    default: float
    least: float
    most: float

    def take(self, name: str, value: float | None, recipe: str) -> float:
        """`value`, or the default. Raises BadRequest naming flag, value and range."""
        if value is None:
            return self.default
        if not self.least <= value <= self.most:
            raise BadRequest(
                "{model} takes -{flag} from {least} to {most}, not {value}.",
                model=recipe, flag=FIELDS[name].name,
                least=f"{self.least:g}", most=f"{self.most:g}", value=f"{value:g}",
            )  # fmt: skip
        return value


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Task, model family, weights, defaults and limits. A range that is absent has no effect here."""

    name: str
    task: Task
    family: str  # the file in gen/models/
    about: str  # one line for people
    on: bool = True
    gated: bool = False  # its licence must be accepted on the hub first
    bound: bool = False  # its licence forbids some of what is lawful, such as earning with it
    licence: str = "MIT"
    memory: float = 0.0  # GiB of device memory it is comfortable with; 0 runs on any CPU
    compute: float = 0.0  # of NVIDIA's and AMD's cards, the compute capability that it wants
    download: float = 0.0  # GiB that are fetched once, about
    weights: Mapping[str, Any] = field(default_factory=dict)  # hub names or folders, by part
    check: Check | None = None  # looks at the frames that came out
    options: Mapping[str, Any] = field(default_factory=dict)  # what only its family understands
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # aspect to pixels, first is default
    long: int = 0  # instead of sizes: long side, at the picture's own aspect
    multiple: int = 2  # sides are multiples of this
    clip_frames: int = 0  # fixed number of frames; 0 follows from seconds
    frame_multiple: int = 1  # frames are multiples of this …
    frame_extra: int = 0  # … and so many more
    seconds: Range | None = None
    fps: Range | None = None
    motion: Range | None = None
    guidance: Range | None = None
    steps: Range | None = None
    negative: bool = False
    camera: bool = False
    prompted: bool = True  # its prompt has an effect
    vocabulary: str = ""  # the only words it knows: "shapes" for those of gen/vocabulary.py
    loops: bool = False
    smooth: int = 1  # frames interpolated by this factor unless asked otherwise

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe that `asdict` took apart; its maker has judged it."""
        whole = {**values, "task": Task(values["task"])}
        for key in ("seconds", "fps", "motion", "guidance", "steps"):
            whole[key] = Range(**whole[key]) if whole[key] else None
        whole["sizes"] = {aspect: (size[0], size[1]) for aspect, size in whole["sizes"].items()}
        whole["check"] = Check(**whole["check"]) if whole["check"] else None
        return cls(**whole)

    def request(self, ask: Ask, pictures: Sequence[Picture], seed: int) -> Request:
        """What an engine is to make; `seed` is taken when none was asked for. Raises BadRequest."""
        if len(pictures) != PICTURES[self.task]:
            raise BadRequest(
                "The model {model} takes another number of pictures: {count}, not {given}.",
                model=self.name, count=PICTURES[self.task], given=len(pictures),
            )  # fmt: skip
        if self.task in SPOKEN and not ask.prompt:
            raise BadRequest("The prompt has no words; say what is to be seen.")
        fps = round(self._take("fps", ask.fps, 8))
        smooth = self._smooth(ask.smooth, fps)
        width, height = self._size(ask.aspect, pictures)
        return Request(
            recipe=self.name,
            task=self.task,
            prompt=ask.prompt,
            negative=(ask.negative or "") if self.negative else "",
            seed=(seed if ask.seed is None else ask.seed) % SEEDS,
            images=tuple(picture.name for picture in pictures),
            width=width,
            height=height,
            frames=self._frames(ask, fps, pictures),
            fps=fps,
            steps=round(self._take("steps", ask.steps, 1)),
            guidance=self._take("guidance", ask.guidance, 1.0),
            motion=self._take("motion", ask.motion, 1.0),
            camera=(ask.camera or ()) if self.camera else (),
            loop=bool(ask.loop) and self.loops,
            smooth=smooth,
        )

    def unused(self, ask: Ask) -> list[str]:
        """Flags that were asked for and have no effect with this recipe, for the asker to read."""
        idle = {
            "negative": not self.negative,
            "camera": not self.camera,
            "loop": not self.loops,
            "seconds": bool(self.clip_frames) or self.seconds is None,
            "aspect": len(self.sizes) == 1 and ask.aspect not in self.sizes,
            **{name: getattr(self, name) is None for name in ("fps", "motion", "guidance", "steps")},
        }
        asked = (name for name, value in ask.asked().items() if value is not False)
        return [FIELDS[name].name for name in asked if idle.get(name, False)]

    def _take(self, name: str, value: float | None, otherwise: float) -> float:
        span: Range | None = getattr(self, name)
        return otherwise if span is None else span.take(name, value, self.name)

    def _smooth(self, asked: int | None, fps: int) -> int:
        smooth = asked or self.smooth
        while asked is None and smooth > 1 and fps * smooth > FASTEST:
            smooth //= 2  # nobody asked for it: as smooth as can be shown
        if fps * smooth > FASTEST:
            raise BadRequest(
                "-smooth {value} makes {fps} frames each second, and {most} are the most; ask for fewer.",
                value=smooth, fps=fps * smooth, most=FASTEST,
            )  # fmt: skip
        return smooth

    def _frames(self, ask: Ask, fps: int, pictures: Sequence[Picture]) -> int:
        """As many as are asked for, and no more than a video has that is followed."""
        there = min((one.seconds * fps for one in pictures if isinstance(one, Video)), default=math.inf)
        if self.clip_frames:
            return max(1, int(min(there + 1e-6, self.clip_frames)))
        wanted = min(self._take("seconds", ask.seconds, 1.0) * fps, there) - self.frame_extra
        return max(1, round(wanted / self.frame_multiple)) * self.frame_multiple + self.frame_extra

    def _size(self, aspect: str | None, pictures: Sequence[Picture]) -> tuple[int, int]:
        own = pictures[0].width / pictures[0].height if pictures else None
        if self.sizes:
            if aspect is None and own is not None:
                return min(self.sizes.values(), key=lambda size: abs(math.log(size[0] / size[1] / own)))
            if len(self.sizes) == 1:
                return next(iter(self.sizes.values()))
            if aspect is not None and aspect not in self.sizes:
                raise BadRequest(
                    "{model} takes -ar {aspects}, not {value}.",
                    model=self.name, aspects=", ".join(self.sizes), value=aspect,
                )  # fmt: skip
            return self.sizes[aspect] if aspect else next(iter(self.sizes.values()))
        ratio = _ratio(aspect) if aspect else min(max(own or 1.0, 0.25), 4.0)
        long = min(self.long, max(pictures[0].width, pictures[0].height)) if pictures else self.long
        long = max(long, self.long // 2)  # a tiny picture is enlarged to half the size
        sides = (long, long / ratio) if ratio >= 1 else (long * ratio, long)
        width, height = (max(1, round(side / self.multiple)) * self.multiple for side in sides)
        return width, height


def _ratio(aspect: str) -> float:
    wide, high = aspect.split(":")
    return int(wide) / int(high)


def load(
    tables: Mapping[str, Any], checks: Mapping[str, Any] = {}, *, where: str = "config.toml"
) -> dict[str, Recipe]:
    """The recipes of the `[recipe.*]` tables, which may name `[check.*]` tables.

    Raises Misconfigured naming key, value and what was wanted.
    """
    if not isinstance(tables, Mapping):
        raise Misconfigured("{where}: recipe must be tables, [recipe.NAME].", where=where)
    looks = load_checks(checks, where=where)
    return {name: _recipe(name, table, looks, f"{where}: recipe.{name}") for name, table in tables.items()}


def shipped(path: Path) -> dict[str, Recipe]:
    """The recipes of the settings file at `path`. Raises Misconfigured."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured("{file}: {fault}", file=str(path), fault=str(error)) from error
    return load(tables.get("recipe", {}), tables.get("check", {}), where=path.name)


def pick(recipes: Mapping[str, Recipe], task: Task, name: str) -> Recipe:
    """The recipe of that name, for that task, turned on. Raises BadRequest naming what there is."""
    fitting = [recipe.name for recipe in recipes.values() if recipe.task is task and recipe.on]
    if name in fitting:
        return recipes[name]
    if not fitting:
        raise BadRequest(
            "The model {model} cannot be used: no model that makes such clips is turned on here. "
            "Ask the bot's operator to turn one on.",
            model=name,
        )
    there = ", ".join(fitting)
    if name not in recipes:
        raise BadRequest(
            "There is no model {model}; for this command there are: {there}.", model=name, there=there
        )
    if not recipes[name].on:
        raise BadRequest(
            "The model {model} is not turned on here; there are: {there}.", model=name, there=there
        )
    raise BadRequest(
        "The model {model} is for another command; here there are: {there}.", model=name, there=there
    )


def sources(weights: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every weight that a recipe's table names, however deep: tables with `repo`, and perhaps more."""
    for value in weights.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield {"repo": each}
            elif "repo" in each:
                yield each
            else:
                yield from sources(each)


def pinned(source: Mapping[str, Any]) -> str:
    """A source in words: its repository, file and revision."""
    where = "/".join(filter(None, (source["repo"], source.get("file"))))
    return f"{where}@{source['revision']}" if source.get("revision") else where


def heavy(recipes: Mapping[str, Recipe]) -> frozenset[str]:
    """Those whose model takes its time to load."""
    return frozenset(recipe.name for recipe in recipes.values() if recipe.memory)


def task_of(recipes: Mapping[str, Recipe], name: str) -> Task:
    """The task of a model that is turned on. Raises BadRequest naming what there is."""
    if name in recipes:
        return pick(recipes, recipes[name].task, name).task
    there = ", ".join(recipe.name for recipe in recipes.values() if recipe.on)
    if not there:
        raise BadRequest(
            "There is no model {model}, and none is turned on here. Ask the bot's operator to turn one on.",
            model=name[:60],
        )
    raise BadRequest("There is no model {model}; there are: {there}.", model=name[:60], there=there)


def first(recipes: Mapping[str, Recipe], task: Task) -> str:
    """The first recipe for the task that is turned on. Raises BadRequest."""
    name = next((recipe.name for recipe in recipes.values() if recipe.task is task and recipe.on), None)
    if name is None:
        raise BadRequest("No model here makes a clip of that; ask the bot's operator to turn one on.")
    return name


_KEYS = {item.name: item for item in fields(Recipe) if item.name != "name"}
_NEEDED = ("task", "family", "about")
#: The least that each number may be, in a range or alone.
_LEAST: Mapping[str, float] = {
    "seconds": 0.1, "fps": 1, "motion": 0, "guidance": 0, "steps": 1, "smooth": 1, "memory": 0, "compute": 0,
    "download": 0, "long": 16, "multiple": 2, "clip_frames": 0, "frame_multiple": 1, "frame_extra": 0,
}  # fmt: skip


def _recipe(name: str, table: Mapping[str, Any], checks: Mapping[str, Check], where: str) -> Recipe:
    if not NAME.fullmatch(name):
        raise Misconfigured(
            "{where}: a recipe's name has a to z, 0 to 9, dots and hyphens, at most 40 of them.", where=where
        )
    if not isinstance(table, Mapping):
        raise Misconfigured("{where} is {value}; it must be a table.", where=where, value=repr(table))
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 3) or sorted(_KEYS)
            raise Misconfigured(
                "{where}.{key} is unknown; there are {keys}.", where=where, key=key, keys=", ".join(near)
            )
        at = f"{where}.{key}"
        values[key] = named(checks, value, at) if key == "check" else _value(key, value, at)
    if missing := [key for key in _NEEDED if not values.get(key)]:
        raise Misconfigured("{where}: {keys} must be set.", where=where, keys=", ".join(missing))
    if not values.get("sizes") and not values.get("long"):
        raise Misconfigured("{where}: sizes or long must be set.", where=where)
    return Recipe(name=name, **values)


def _value(key: str, value: Any, where: str) -> Any:
    read, wanted = _KINDS.get(key) or _KINDS[str(_KEYS[key].type)]
    least = _LEAST.get(key)
    try:
        return read(value, least)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise Misconfigured(
            "{where} is {value}; it must be {wanted}.",
            where=where, value=repr(value), wanted=wanted + ("" if least is None else f", from {least:g}"),
        ) from error  # fmt: skip


def _just(kind: Any) -> Callable[[Any, float | None], Any]:
    def read(value: Any, least: float | None) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(value)
        if least is not None and value < least:
            raise ValueError(value)
        return value

    return read


def _even(value: Any, least: float | None) -> int:
    if value % 2:
        raise ValueError(value)
    return int(_just(int)(value, least))


def _number(value: Any, least: float | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    if least is not None and value < least:
        raise ValueError(value)
    return float(value)


def _range(value: Any, least: float | None) -> Range:
    span = Range(**{key: _number(number, least) for key, number in value.items()})
    if not span.least <= span.default <= span.most:
        raise ValueError(value)
    return span


def _weights(value: Any, _: float | None) -> dict[str, Any]:
    for each in value.values():
        for one in each if isinstance(each, list) else [each]:
            if isinstance(one, dict) and "repo" not in one:
                _weights(one, None)
            elif not isinstance(one, str):
                _source(one)
    return dict(value)


def _source(value: Mapping[str, Any]) -> None:
    """One weight's table: a key that is misspelt would leave it without what it was to have."""
    if not all(isinstance(each, _SOURCE[key]) for key, each in value.items()):
        raise ValueError(value)
    if value.get("file") and not value["file"].endswith(".safetensors"):
        raise ValueError(value)


_SOURCE: Mapping[str, Any] = {
    "repo": str, "revision": str, "file": str, "allow": list, "scale": int | float
}  # fmt: skip


def _sizes(value: Any, _: float | None) -> dict[str, tuple[int, int]]:
    return {aspect: _pixels(aspect, size) for aspect, size in value.items()}


def _pixels(aspect: str, size: Sequence[Any]) -> tuple[int, int]:
    _ratio(aspect)
    width, height = (_even(side, 16) for side in size)
    return width, height


#: By a recipe's key or its annotation: how its value is read, and what is wanted in words.
_KINDS: Mapping[str, tuple[Callable[[Any, float | None], Any], str]] = {
    "weights": (
        _weights,
        "a repository or folder for each part, or its table of repo, revision, file (.safetensors), allow",
    ),
    "multiple": (_even, "an even number"),
    "Task": (lambda value, _: Task(value), "one of " + ", ".join(Task)),
    "str": (_just(str), "text"),
    "bool": (_just(bool), "true or false"),
    "int": (_just(int), "a whole number"),
    "float": (_number, "a number"),
    "Range | None": (_range, "a table of default, least and most, all three"),
    "Mapping[str, Any]": (_just(dict), "a table"),
    "Mapping[str, tuple[int, int]]": (_sizes, 'a table of aspects and even sides, as "16:9" = [640, 360]'),
}
