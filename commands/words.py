"""Sentences in a person's language, and a stranger's text made safe to show."""

from __future__ import annotations

from commands.catalogues import catalogue

#: Characters that a message may have.
MOST = 2000

_MARKS = frozenset("\\*_~`|<>[]")
_JOINER = "\u200d"  # holds emojis together
_GAP = "\u200b"  # no width: `@everyone` behind it mentions nobody


def say(locale: str, template: str, /, **values: object) -> str:
    """`template` in the language of `locale`, filled in; the English one where there is no other."""
    text = catalogue(locale).get(template, template)
    return text.format(**values) if values else text


def count(locale: str, one: str, many: str, number: int, /, **values: object) -> str:
    """The template for one thing or the one for `{number}` things."""
    text = catalogue(locale).get(many) or (one if number == 1 else many)
    return text.format(number=number, **values)


def quote(text: str, most: int = 300) -> str:
    """`text` on one line and shown as typed: no markdown, mention or link in it has an effect.

    At most `most` characters, the last of them an ellipsis where it was cut.
    """
    shown: list[str] = []
    room = most
    line = plain(text)
    for at in range(len(line)):
        piece = _piece(line, at)
        if len(piece) > room - (at < len(line) - 1):
            shown.append("…")
            break
        shown.append(piece)
        room -= len(piece)
    return "".join(shown)


def plain(text: str, most: int = 0) -> str:
    """`text` on one line, without what cannot be seen; at most `most` characters if given."""
    seen = "".join(
        letter for letter in " ".join(text.split()) if letter.isprintable() or letter == _JOINER
    ).strip()
    return seen if not most or len(seen) <= most else seen[: most - 1] + "…"


def fit(text: str, most: int = MOST) -> str:
    """`text`, cut where Discord would refuse it: between lines, so that no markdown is left open."""
    if len(text) <= most:
        return text
    whole, _, _ = text[: most - 1].rpartition("\n")
    return whole + "\n…" if whole else text[: most - 1] + "…"


def _piece(line: str, at: int) -> str:
    """The letter at `at`, robbed of its power."""
    letter = line[at]
    if letter in _MARKS or (letter == ":" and line.startswith("//", at + 1)):
        return "\\" + letter
    return letter + _GAP if letter == "@" else letter
