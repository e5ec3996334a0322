"""The lexicon: words that are not wanted, read from a file; found in any guise, refused or left out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gen.errors import Misconfigured
from gen.prompt import LONGEST, unflagged

#: What stands between a pattern and the words that take the place of what it finds.
ARROW = "=>"
_LETTER = r"[^\W_]"
#: Letters that nothing is seen of, though Unicode counts them as letters: fillers of Hangul and of Khmer.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")
#: Scripts whose marks are hints that may be left out, so that they may as well be put in.
_HINTS = frozenset({"ARABIC", "HEBREW", "SYRIAC"})
_VOICED = frozenset("\u3099\u309a")  # the two marks that make another letter of kana


#: Stands between a letter of a script that writes with spaces and one of a script that does not: there a word
#: ends. It is no sign of any text's: what is not seen has gone.
_SEAM = "\0"
#: Where marks that belong to their letters stand as letters: in a block that folding leaves to nobody else.
_LETTERED = 0xFBD3
_BLOCK = 360


@dataclass(frozen=True)
class Folded:
    """A text as patterns read it, and for each of its letters where that stood in the text: from, to."""

    text: str
    places: tuple[tuple[int, int], ...]


def fold(text: str) -> Folded:
    """`text` without case and width, in one form of each letter, without what nobody sees.

    Marks (accents and their like) go unless they belong to the letter's own script and make another of it.
    """
    letters: list[str] = []
    places: list[tuple[int, int]] = []
    for at, sign in enumerate(text):
        for letter in _plain(sign):
            if _mark(letter) and not (letters and _belongs(letter, letters[-1])):
                continue
            whole = unicodedata.normalize("NFC", letters[-1] + letter) if letters else ""
            if len(whole) == 1:  # parts of one letter
                letters[-1], places[-1] = whole, (places[-1][0], at + 1)
            else:
                letters.append(letter)
                places.append((at, at + 1))
    return _seamed(letters, places)


def _seamed(letters: list[str], places: list[tuple[int, int]]) -> Folded:
    """Letters as `re` takes them for letters, with seams between scripts."""
    text: list[str] = []
    where: list[tuple[int, int]] = []
    for before, letter, place in zip(["", *letters], letters, places, strict=False):
        if before.isalnum() and letter.isalnum() and _unspaced(before) != _unspaced(letter):
            text.append(_SEAM)
            where.append((place[0], place[0]))
        text.append(chr(_LETTERED + ord(letter) % _BLOCK) if _mark(letter) else letter)
        where.append(place)
    return Folded("".join(text), tuple(where))


@lru_cache(4096)
def _plain(sign: str) -> str:
    """One sign in its plainest form; nothing of one that is not seen."""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", sign).casefold())
    return "".join(part for part in parts if (part.isprintable() and part not in _FILLERS) or part.isspace())


def _mark(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")


@lru_cache(4096)
def _belongs(mark: str, letter: str) -> bool:
    script, _, _ = unicodedata.name(mark, "?").partition(" ")
    of, _, _ = unicodedata.name(letter, "").partition(" ")
    if mark in _VOICED:
        return of in ("HIRAGANA", "KATAKANA")
    return script == of and script not in _HINTS


@dataclass(frozen=True)
class Entry:
    """A pattern, and the words in the place of what it finds."""

    pattern: str
    instead: str = ""


class Lexicon:
    """Finds its patterns, whole, in any guise; `*` stands for any letters, a space for any white space.

    Scripts that write without spaces (Chinese, Japanese …) are found anywhere.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = tuple(entries)
        self._pattern = _compiled(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def finds(self, text: str) -> bool:
        """Whether something unwanted is in the text."""
        return bool(self._pattern.search(fold(text).text))

    def soften(self, text: str) -> tuple[str, tuple[str, ...]]:
        """The text with other words for what is unwanted, or without; and what that was, as it was typed."""
        softer, left_out = self._pass(text, instead=True)
        if len(softer) > LONGEST:
            softer, left_out = self._pass(text, instead=False)
        while left_out and self.finds(softer):  # what was apart has come together
            softer, more = self._pass(softer, instead=False)
            left_out += more
        return softer, left_out

    def _pass(self, text: str, *, instead: bool) -> tuple[str, tuple[str, ...]]:
        folded, pieces, at = fold(text), [""], 0
        left_out: list[str] = []
        for hit in self._pattern.finditer(folded.text):
            start, end = folded.places[hit.start()][0], folded.places[hit.end() - 1][1]
            other = self._instead(hit[0]) if instead else ""
            pieces += [text[at : max(at, start)], f" {other} "]
            left_out.append(text[max(at, start) : end])
            at = max(at, end)
        if not left_out:
            return text, ()
        return unflagged(" ".join("".join([*pieces, text[at:]]).split())), tuple(filter(None, left_out))

    def _instead(self, found: str) -> str:
        """What takes the place of words that were found, as a folded text has them."""
        others = (one.instead for one in self.entries if one.instead and re.fullmatch(_body(one), found))
        return next(others, "")


def _compiled(entries: Iterable[Entry]) -> re.Pattern[str]:
    """Finds all of them in a folded text. One look around the many: each letter is asked once."""
    spaced, anywhere = [r"(?!)"], [r"(?!)"]  # nothing is found where nothing is unwanted
    for entry in entries:
        plain = fold(entry.pattern).text.strip()
        (anywhere if _unspaced(plain[:1]) or _unspaced(plain[-1:]) else spaced).append(_body(entry))
    return re.compile(rf"(?<!{_LETTER})(?:{'|'.join(spaced)})(?!{_LETTER})|{'|'.join(anywhere)}")


def _body(entry: Entry) -> str:
    plain = " ".join(fold(entry.pattern).text.split())
    return re.escape(plain).replace(r"\*", rf"{_LETTER}*").replace(r"\ ", r"\s+")


def _unspaced(letter: str) -> bool:
    return bool(letter) and unicodedata.east_asian_width(letter) in "WF"


#: In which nothing is unwanted.
NOTHING = Lexicon()


def read(path: Path) -> Lexicon:
    """The lexicon in a file: a pattern on each line, perhaps `=>` and other words; `#` begins a comment.

    Raises Misconfigured naming file and line.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise Misconfigured(
            "words.file: {file} cannot be read: {fault}.", file=path.name, fault=str(error)
        ) from error
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        if words := line.partition("#")[0].strip():
            pattern, _, instead = (part.strip() for part in words.partition(ARROW))
            if not any(sign.isalnum() for sign in fold(pattern).text):
                raise Misconfigured(
                    "{file}, line {number}: a pattern needs a letter.", file=path.name, number=number
                )
            entries.append(Entry(pattern, " ".join(instead.split())))
    return _sound(Lexicon(entries), path)


def _sound(lexicon: Lexicon, path: Path) -> Lexicon:
    """Raises Misconfigured where what takes a word's place is itself unwanted, or no mere words."""
    for entry in lexicon.entries:
        if lexicon.finds(entry.instead) or unflagged(entry.instead) != entry.instead:
            raise Misconfigured(
                "{file}: “{instead}” cannot take the place of other words; it is itself a flag or unwanted.",
                file=path.name, instead=entry.instead,
            )  # fmt: skip
    return lexicon
