"""A person's clips, page by page."""

from __future__ import annotations

from collections.abc import Sequence

from discord.ui import View

from commands import buttons
from commands.buttons import button, row
from commands.replies import pieces
from commands.words import fit, say
from gen.job import Job, State

#: Clips on a page of /history.
PAGE = 6


def history(jobs: Sequence[Job], locale: str, *, more: bool = False) -> tuple[str, View]:
    """A page of a person's clips, newest first; with `more`, a button to the older ones."""
    if not jobs:
        return say(locale, "You have no clips yet; /animate makes one."), row()
    lines = [_in_history(job, locale) for job in jobs]
    older = button(buttons.OLDER, repr(jobs[-1].created), say(locale, "Older")) if more else None
    return fit("\n".join(lines)), row(*[older] if older else [])


def _in_history(job: Job, locale: str) -> str:
    """One clip of a history, in two lines."""
    states = {
        State.WAITING: say(locale, "waiting"),
        State.RUNNING: say(locale, "being made"),
        State.MADE: say(locale, "made, not yet sent"),
        State.FAILED: say(locale, "failed"),
        State.CANCELLED: say(locale, "cancelled"),
    }
    there = pieces.link(job)
    name = f"[{pieces.title(job, 80)}]({there})" if there else pieces.title(job, 80)
    state = states.get(job.state, "")
    when = f"<t:{int(job.created)}:R>"
    facts = (state, when, job.request.recipe, pieces.seed(job), pieces.number(job))
    return f"{name}\n{pieces.small(locale, *facts)}"
