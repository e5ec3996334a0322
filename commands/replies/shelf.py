"""A person's clips, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from discord.ui import View

from commands import buttons
from commands.buttons import button, row
from commands.replies import pieces
from commands.words import count, fit, quote, say
from gen.job import Job, State

#: Clips on a page of /history.
PAGE = 6
#: Characters of the words that a history is searched for: they travel in its buttons.
SEARCH = 60


@dataclass(frozen=True)
class Look:
    """What of a person's clips is looked at; `str()` is what a button carries."""

    before: str = ""  # id of the last clip of the page before; none on the newest page
    favourites: bool = False
    words: str = ""

    def __str__(self) -> str:
        return f"{self.before}.{'f' if self.favourites else 'a'}.{self.words}"

    @classmethod
    def read(cls, text: str) -> Self:
        """What `str` wrote."""
        before, kind, words = [*text.split(".", 2), "", ""][:3]
        return cls(before, kind == "f", words)


def history(
    jobs: Sequence[Job],
    locale: str,
    *,
    more: bool = False,
    look: Look = Look(),
    children: Mapping[str, int] | None = None,
) -> tuple[str, View]:
    """A page of a person's clips, newest first; with `more`, a button to the older ones.

    `children` says how many clips were made from each.
    """
    if not jobs:
        return _nothing(locale, look), row()
    lines = [_in_history(job, locale, (children or {}).get(job.id, 0)) for job in jobs]
    if look.favourites:
        lines.append(pieces.small(locale, say(locale, "⭐ on a clip keeps it here; taken back, no longer")))
    turns = []
    if look.before:
        newest = Look("", look.favourites, look.words)
        turns.append(button(buttons.PAGE, str(newest), say(locale, "Newest")))
    if more:
        older = Look(jobs[-1].id, look.favourites, look.words)
        turns.append(button(buttons.PAGE, str(older), say(locale, "Older")))
    return fit("\n".join(lines)), row(*turns)


def _nothing(locale: str, look: Look) -> str:
    if look.before:
        return say(locale, "There are no older ones.")
    if look.words:
        return say(locale, "None of your clips has the words “{words}”.", words=quote(look.words, 100))
    if look.favourites:
        return say(locale, "You have no favourites yet; ⭐ on a clip keeps it here.")
    return say(locale, "You have no clips yet; /animate makes one.")


def _in_history(job: Job, locale: str, children: int) -> str:
    """One clip of a history, in two lines."""
    there = pieces.link(job)
    told = pieces.spoken(job, locale)
    name = f"[{pieces.title(told, 60)}]({there})" if there else pieces.title(told, 60)
    kept = job.clip is not None and job.state is State.FAILED  # Discord would not take it
    state = say(locale, "kept; it could not be sent") if kept else pieces.state(locale, job.state)
    parent = say(locale, "from {id}", id=f"`{job.parent}`") if job.parent else ""
    came = count(locale, "1 made from it", "{number} made from it", children) if children else ""
    when = f"<t:{int(job.created)}:R>"
    facts = (state, when, job.request.recipe, pieces.seed(told), parent, came, pieces.number(told))
    return f"{name}\n{pieces.small(locale, *facts)}"
