"""The line in words, and the clips that can be taken out of it."""

from __future__ import annotations

from collections.abc import Sequence

from commands.replies import pieces
from commands.words import count, fit, plain, say
from gen.job import Job, State
from gen.outlook import Place

#: Clips in /queue.
LINES = 12


def queue(places: Sequence[Place], user: int, locale: str, *, paused: str = "", closed: str = "") -> str:
    """The line as `user` may see it: their own clips by name, others' without; why it stands still or takes
    nothing new, if so."""
    halts = pieces.halts(locale, paused, closed)
    if not places and halts:
        return "\n".join([say(locale, "Nobody is waiting."), *halts])
    if not places:
        return say(locale, "Nobody is waiting; a clip that you ask for now starts at once.")
    lines = [count(locale, "**One clip is in the line**", "**{number} clips are in the line**", len(places))]
    lines += halts
    mine = {number for number, place in enumerate(places, 1) if place.job.asker.user == user}
    shown = [pair for pair in enumerate(places, 1) if pair[0] <= LINES or pair[0] in mine][: 2 * LINES]
    lines += [_in_line(number, place, user, locale, bool(paused)) for number, place in shown]
    if more := len(places) - len(shown):
        lines.append(pieces.small(locale, count(locale, "and one more", "and {number} more", more)))
    if not mine:
        lines.append(pieces.small(locale, say(locale, "None of them is yours")))
    lines.append(
        pieces.small(
            locale,
            say(locale, "People are served in turn, so one person's many clips never hold up another's"),
        )
    )
    return fit("\n".join(lines))


def suggestion(job: Job, locale: str) -> str:
    """One clip in a list to choose from, at most 100 characters."""
    state = pieces.state(locale, job.state)
    parts = (plain(pieces.name(job, locale), 70), state, job.id)
    return plain(" · ".join(part for part in parts if part), 100)


def stopped(job: Job, locale: str) -> str:
    """What became of a clip that was to be cancelled."""
    name = pieces.title(job, 200)
    if job.state is State.CANCELLED:
        return say(locale, "{name} is cancelled; it does not count against your limit.", name=name)
    if job.state in (State.MADE, State.POSTED):
        return say(locale, "{name} is made already.", name=name)
    return say(locale, "{name} has ended already.", name=name)


def _in_line(number: int, place: Place, user: int, locale: str, paused: bool) -> str:
    """One clip of the line; in one that stands still nobody knows when it is ready."""
    job = place.job
    mine = job.asker.user == user
    name = f"{pieces.title(job, 60)} (`{job.id}`)" if mine else say(locale, "someone's clip")
    at = pieces.at(place.ends)
    if job.state is State.RUNNING:
        doing = pieces.doing(locale, place.step) if mine else say(locale, "being made")
        return say(locale, "{n}\\. {name} · {doing} · ready {at}", n=number, name=name, doing=doing, at=at)
    if paused:
        return f"{number}\\. {name}"
    return say(locale, "{n}\\. {name} · ready {at}", n=number, name=name, at=at)
