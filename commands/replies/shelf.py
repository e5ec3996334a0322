"""A person's clips, page by page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from discord.ui import ActionRow, Item, LayoutView, Section, TextDisplay, Thumbnail

from commands import buttons
from commands.buttons import button, layout
from commands.replies import pieces
from commands.words import count, fit, plain, quote, say
from gen.job import Job, State

#: Clips on a page of /history.
PAGE = 6
#: Characters of what is said of one clip, and of a picture's words for those who do not see it.
ABOUT, SPOKEN = 600, 200
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
    pictured: Collection[str] = (),
) -> LayoutView:
    """A page of a person's clips, newest first; with `more`, a button to the older ones.

    `children` says how many clips were made from each; `pictured` has the ids of those whose `picture` is
    attached.
    """
    if not jobs:
        return layout(TextDisplay(_nothing(locale, look)))
    items: list[Item[Any]] = []
    for job in jobs:
        text = _in_history(job, locale, (children or {}).get(job.id, 0))
        items.append(_beside(job, locale, text) if job.id in pictured else TextDisplay(text))
    if look.favourites:
        tip = pieces.small(locale, say(locale, "⭐ on a clip keeps it here; taken back, no longer"))
        items.append(TextDisplay(tip))
    turns = []
    if look.before:
        newest = Look("", look.favourites, look.words)
        turns.append(button(buttons.PAGE, str(newest), say(locale, "Newest")))
    if more:
        older = Look(jobs[-1].id, look.favourites, look.words)
        turns.append(button(buttons.PAGE, str(older), say(locale, "Older")))
    if turns:
        items.append(ActionRow(*turns))
    return layout(*items)


def picture(job: Job) -> str:
    """The file name of the picture beside a clip in a history."""
    return f"{job.id}.jpg"


def _beside(job: Job, locale: str, text: str) -> Section[Any]:
    spoken = plain(pieces.name(job, locale), SPOKEN)
    thumbnail: Thumbnail[Any] = Thumbnail(
        f"attachment://{picture(job)}", description=spoken, spoiler=job.spoiler or job.delicate
    )
    return Section(text, accessory=thumbnail)


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
    return fit(f"{name}\n{pieces.small(locale, *facts)}", ABOUT)
