"""The message that shows where a job stands."""

from __future__ import annotations

from discord.ui import View

from commands.buttons import row
from commands.replies import pieces
from commands.words import count, fit, quote, say
from gen.errors import Refused, ZoetropeError
from gen.job import ENDED, Job, State
from gen.outlook import Place
from gen.ports import Step
from gen.recipe import Recipe


def ticket(
    job: Job,
    place: Place | None = None,
    step: Step | None = None,
    *,
    recipe: Recipe | None = None,
    paused: str = "",
) -> tuple[str, View]:
    """The message that shows where a job stands.

    `recipe` is the one that makes it; `paused` is why the line stands still, if it does.
    """
    if job.state is State.FAILED:
        return failed(job)
    locale = job.asker.locale
    lines = [pieces.head(job), _standing(job, place, step, paused)]
    if job.state not in ENDED:
        lines.append(pieces.small(locale, job.request.recipe, pieces.seed(job), pieces.number(job)))
        lines += pieces.remarks(job, recipe) + pieces.left_out(job)
    going = job.state in (State.WAITING, State.RUNNING)
    return fit("\n".join(lines)), row(*[pieces.cancel_button(job)] if going else [])


def failed(job: Job) -> tuple[str, View]:
    """A job without a clip: what happened, and the way out."""
    locale = job.asker.locale
    error = job.failure.error() if job.failure else ZoetropeError("It ended without a clip.")
    free = say(locale, "It does not count against your limit")
    lines = [pieces.head(job), pieces.refused(error, locale), pieces.small(locale, free, pieces.number(job))]
    lines += pieces.left_out(job)
    again = [] if isinstance(error, Refused) else [pieces.reroll_button(job, say(locale, "Try again"))]
    return fit("\n".join(lines)), row(*again)


def _standing(job: Job, place: Place | None, step: Step | None, paused: str) -> str:
    """Where it stands, in words."""
    locale = job.asker.locale
    if job.state is State.CANCELLED:
        return say(locale, "Cancelled; it does not count against your limit.")
    if job.state is State.MADE:
        return say(locale, "The clip is made and on its way here.")
    if job.state is State.POSTED:
        return say(locale, "The clip is here.")
    if job.state is State.RUNNING:
        doing = pieces.doing(locale, step or (place.step if place else None))
        return say(locale, "{doing} · ready {at}", doing=doing, at=pieces.at(place.ends)) if place else doing
    if paused:
        return say(locale, "The line is paused: {reason}", reason=quote(paused))
    if place is None:
        return say(locale, "In the line.")
    ahead = count(
        locale, "One clip is ahead of yours", "{number} clips are ahead of yours", place.ahead
    ) if place.ahead else say(locale, "Yours is next")  # fmt: skip
    return say(locale, "{ahead} · ready {at}", ahead=ahead, at=pieces.at(place.ends))
