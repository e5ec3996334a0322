"""What a person types: the words of a prompt, then flags.

    text    = [ words ] { flag }
    flag    = dash name [ value ]      at the start of the text or after white space
    dash    = one or two hyphens or dashes of any script (a phone turns two hyphens into one long dash)
    name    = a letter, then all up to the next white space
              (so a hyphen inside a word, or before a digit or a space, is no flag)
    value   = all words up to the next flag

    -camera   zoom in|out, pan up|down|left|right (two that do not conflict), rotate clockwise|cw|
              counterclockwise|ccw|anticlockwise|acw; one kind at a time
    -motion   0 to 4, strength of the motion             -ar       16:9 9:16 1:1 5:2 4:5 4:3
    -fps      8 to 24, frames each second                -neg      words that the clip is to avoid (also -no)
    -gs       5 to 25, guidance scale                    -seed     0 to 4294967295
    -guidance 1 to 25, the same for models that want less
    -seconds  0.5 to 20                                  -steps    1 to 100, denoising steps
    -model    name of a recipe                           -smooth   1, 2 or 4, frames interpolated
    -loop     the clip returns to its first frame; stands alone, or before "no"

Control characters are spaces. A recipe may allow less than the range here and says so itself. The camera,
-motion, -fps, -gs, -ar, -neg and -seed are Pika's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gen.errors import BadRequest

LONGEST = 1500  # characters of a prompt's words, and of those to avoid
DIGITS = 4  # that a number keeps after its point
SEEDS = 2**32
ASPECTS = ("16:9", "9:16", "1:1", "5:2", "4:5", "4:3")
MOVES = (
    "zoom in",
    "zoom out",
    "pan up",
    "pan down",
    "pan left",
    "pan right",
    "rotate clockwise",
    "rotate counterclockwise",
)

_FLAG = re.compile(r"(?<!\S)[-‐-―−－]{1,2}([A-Za-z]\S*)")  # hyphens and dashes, the minus, the wide hyphen
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")  # of a recipe
_NUMBER = re.compile(r"(?=\.?[0-9])[0-9]{0,12}(\.[0-9]{0,20})?")
_FORBIDDEN = {"Cc", "Cs"}  # control characters, halves of a character
_DIRECTIONS: Mapping[str, Mapping[str, str]] = {
    "zoom": {"in": "in", "out": "out"},
    "pan": {word: word for word in ("up", "down", "left", "right")},
    "rotate": {
        **dict.fromkeys(("clockwise", "cw"), "clockwise"),
        **dict.fromkeys(("counterclockwise", "ccw", "anticlockwise", "acw"), "counterclockwise"),
    },
}
_OPPOSED = ({"up", "down"}, {"left", "right"})


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a person asked for; None leaves it to the recipe. `str()` prints what `parse` reads."""

    prompt: str = ""
    camera: tuple[str, ...] | None = None
    motion: float | None = None
    fps: int | None = None
    guidance: float | None = None
    aspect: str | None = None
    negative: str | None = None
    seed: int | None = None
    seconds: float | None = None
    steps: int | None = None
    model: str | None = None
    smooth: int | None = None
    loop: bool | None = None

    def over(self, options: Mapping[str, object]) -> Ask:
        """The same with a command's options, which beat the flags. Raises BadRequest."""
        given = {name: value for name, value in options.items() if value is not None}
        if unknown := set(given) - set(FIELDS):
            raise ValueError(f"no such options: {sorted(unknown)}")
        return replace(self, **{name: _read(FIELDS[name], _plain(value)) for name, value in given.items()})

    def asked(self) -> dict[str, Any]:
        """Only what was asked for, without the prompt."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name != "prompt")
        return {name: value for name, value in pairs if value is not None}

    def __str__(self) -> str:
        words = [self.prompt] if self.prompt else []
        for name, value in self.asked().items():
            words += [f"-{FIELDS[name].name}", *_print(name, value)]
        return " ".join(words)


def parse(text: str) -> Ask:
    """The prompt and the flags in `text`. Raises BadRequest naming flag, value and range."""
    text = _spaced(text)
    marks = list(_FLAG.finditer(text))
    words = " ".join((text[: marks[0].start()] if marks else text).split())
    if len(words) > LONGEST:
        raise BadRequest(
            "The prompt has {count} characters; {most} are allowed.", count=len(words), most=LONGEST
        )
    found: dict[str, Any] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        flag = _flag(mark[1])
        if flag.field in found:
            raise BadRequest("-{flag} stands twice; leave one.", flag=flag.name)
        value = " ".join(text[mark.end() : following.start() if following else len(text)].split())
        found[flag.field] = _read(flag, value)
    return Ask(prompt=words, **found)


def unflagged(text: str) -> str:
    """`text` as mere words: what would be read as a flag loses its dashes."""
    while _FLAG.search(text):
        text = _FLAG.sub(r"\1", text)
    return text


@dataclass(frozen=True)
class Flag:
    """A flag: its name in a prompt, the field of `Ask` it sets, what it takes, and how that is read."""

    name: str
    field: str
    takes: str
    read: Callable[[str], Any]  # raises ValueError when it is not what `takes` says
    others: tuple[str, ...] = ()


def _flag(name: str) -> Flag:
    for flag in FLAGS:
        if name.lower() in (flag.name, *flag.others):
            return flag
    raise BadRequest(
        "-{flag} is no flag I know; there are {flags}.",
        flag=name[:40],
        flags=", ".join(f"-{flag.name}" for flag in FLAGS),
    )


def _read(flag: Flag, value: str) -> Any:
    try:
        return flag.read(value)
    except ValueError:
        pass
    if not value:
        raise BadRequest("-{flag} needs a value: {takes}.", flag=flag.name, takes=flag.takes)
    raise BadRequest(
        "-{flag} takes {takes}, not “{value}”.", flag=flag.name, takes=flag.takes, value=_short(value)
    )


def _spaced(text: str) -> str:
    """Control characters are spaces."""
    return "".join(" " if unicodedata.category(letter) in _FORBIDDEN else letter for letter in text)


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:59] + "…"


def _plain(value: object) -> str:
    """An option's value as it would stand in a prompt."""
    if isinstance(value, bool):
        return "" if value else "no"
    if isinstance(value, float):
        return f"{round(value, DIGITS):.15g}"
    return " ".join(_spaced(str(value)).split())


def _print(name: str, value: Any) -> list[str]:
    """The words of a flag's value, as `parse` reads them."""
    if name == "camera":
        return [value[0].split()[0], *(move.split()[1] for move in value)]
    return [text] if (text := _plain(value)) else []


def _moves(text: str) -> tuple[str, ...]:
    kind, *ways = text.lower().replace(",", " ").split() or [""]
    named = [_DIRECTIONS.get(kind, {}).get(way) for way in ways]
    most = 2 if kind == "pan" else 1
    if not named or len(named) > most or None in named or len(set(named)) < len(named):
        raise ValueError(text)
    if any(pair == set(named) for pair in _OPPOSED):
        raise ValueError(text)
    return tuple(sorted((f"{kind} {way}" for way in named), key=MOVES.index))


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = round(float(text), DIGITS) if _NUMBER.fullmatch(text) else -1.0
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else -1
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return read


def _words(text: str) -> str:
    if not text or len(text) > LONGEST or _FLAG.search(text):
        raise ValueError(text)
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text.lower()):
        raise ValueError(text)
    return text.lower()


def _switch(text: str) -> bool:
    if text.lower() not in ("", "no"):
        raise ValueError(text)
    return not text


FLAGS: tuple[Flag, ...] = (
    Flag(
        "camera",
        "camera",
        "zoom in|out, pan up|down|left|right (two that do not conflict) or rotate cw|ccw",
        _moves,
    ),
    Flag("motion", "motion", "a number from 0 to 4", _number(0, 4)),
    Flag("fps", "fps", "a whole number from 8 to 24", _whole(8, 24)),
    Flag("gs", "guidance", "a number from 5 to 25", _number(5, 25)),
    Flag("guidance", "guidance", "a number from 1 to 25", _number(1, 25), ("cfg",)),
    Flag("ar", "aspect", "one of " + ", ".join(ASPECTS), _one_of(*ASPECTS), ("aspect",)),
    Flag("neg", "negative", f"up to {LONGEST} characters of words to avoid", _words, ("no", "negative")),
    Flag("seed", "seed", f"a whole number from 0 to {SEEDS - 1}", _whole(0, SEEDS - 1)),
    Flag("seconds", "seconds", "a number from 0.5 to 20", _number(0.5, 20)),
    Flag("steps", "steps", "a whole number from 1 to 100", _whole(1, 100)),
    Flag("model", "model", "the name of a model", _name),
    Flag("smooth", "smooth", "1, 2 or 4", lambda text: int(_one_of("1", "2", "4")(text))),
    Flag("loop", "loop", "no value, or “no”", _switch),
)
FIELDS: Mapping[str, Flag] = {flag.field: flag for flag in FLAGS}
