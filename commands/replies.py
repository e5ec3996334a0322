"""Every word for users: pure functions of a job, its place, an error and a language."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from discord.ui import Button, View

from commands import buttons
from commands.buttons import button, row
from commands.words import count, fit, plain, quote, say
from gen.errors import Refused, ZoetropeError
from gen.job import ENDED, Job, State, Task
from gen.ports import Step
from gen.prompt import Ask, parse
from gen.recipe import Recipe
from gen.studio import Place

#: The reaction that rolls a clip again, and the others that mean the same.
REROLL = "\N{CLOCKWISE RIGHTWARDS AND LEFTWARDS OPEN CIRCLE ARROWS}"
REROLLS = frozenset({REROLL, "\N{ANTICLOCKWISE DOWNWARDS AND UPWARDS OPEN CIRCLE ARROWS}"})
#: The reaction that cancels or deletes.
DROP = "\N{CROSS MARK}"

#: Promised times are rounded up to these seconds, so that a message is not edited for every flutter, and lie
#: so much later than expected, so that none has passed before the next edit.
GRAIN = 5
LAG = 3
#: Cells of a progress bar.
CELLS = 10
#: Clips on a page of /history.
PAGE = 6
#: Clips in /queue.
LINES = 12


# --- a job in its channel


def ticket(
    job: Job,
    place: Place | None = None,
    step: Step | None = None,
    *,
    idle: Sequence[str] = (),
    paused: str = "",
) -> tuple[str, View]:
    """The message that shows where a job stands.

    `idle` is what was asked for without effect; `paused` is why the line stands still, if it does.
    """
    if job.state is State.FAILED:
        return failed(job)
    locale = job.asker.locale
    lines = [_head(job), _standing(job, place, step, paused)]
    if job.state not in ENDED:
        lines.append(_small(locale, job.request.recipe, _seed(job), _id(job)))
        lines += _without(locale, idle)
    going = job.state in (State.WAITING, State.RUNNING)
    return fit("\n".join(lines)), row(*[cancel_button(job)] if going else [])


def card(job: Job, *, idle: Sequence[str] = ()) -> tuple[str, View]:
    """The clip's message: whose, what, and all it takes to make it again."""
    locale = job.asker.locale
    lines = [f"<@{job.asker.user}> {title(job)}", _small(locale, *_facts(job))]
    flags = quote(str(replace(asked(job), prompt="", seed=None, model=None)))
    parent = say(locale, "rolled again from {id}", id=f"`{job.parent}`") if job.parent else ""
    lines.append(_small(locale, flags, _took(job), parent, _id(job)))
    if job.clip and job.clip.note:
        lines.append(_small(locale, quote(job.clip.note)))
    lines += _without(locale, idle)
    return fit("\n".join(lines)), row(reroll_button(job), delete_button(job))


def failed(job: Job) -> tuple[str, View]:
    """A job without a clip: what happened, and the way out."""
    locale = job.asker.locale
    error = job.failure.error() if job.failure else ZoetropeError("It ended without a clip.")
    free = say(locale, "It does not count against your limit")
    lines = [_head(job), refused(error, locale), _small(locale, free, _id(job))]
    again = [] if isinstance(error, Refused) else [reroll_button(job, say(locale, "Try again"))]
    return fit("\n".join(lines)), row(*again)


def title(job: Job, most: int = 400) -> str:
    """The prompt in bold; where there is none, what is done."""
    return f"**{quote(_name(job, job.asker.locale), most)}**"


def file_name(job: Job) -> str:
    """The clip's file name: lower-case letters, digits, hyphens and dots of ASCII, and one underscore."""
    slug = _slug(job.request.prompt) or _slug(job.request.recipe) or "clip"
    return f"{slug}_seed{job.request.seed}.mp4"


def asked(job: Job) -> Ask:
    """What was typed, read again."""
    try:
        return parse(job.words)
    except Refused:  # typed under an older grammar
        return Ask(prompt=job.request.prompt)


def idle(job: Job, recipes: Mapping[str, Recipe]) -> list[str]:
    """What was asked for and has no effect with the job's recipe: flags, and perhaps the prompt's words."""
    recipe = recipes.get(job.request.recipe)
    if recipe is None:
        return []
    ask = asked(job)
    flags = [f"-{flag}" for flag in recipe.unused(ask)]
    return [say(job.asker.locale, "the prompt"), *flags] if ask.prompt and not recipe.prompted else flags


def link(job: Job) -> str | None:
    """Where the job's clip is, or its ticket while it has none."""
    message = job.message if job.state is State.POSTED else job.ticket
    if message is None:
        return None
    guild = "@me" if job.asker.private or not job.asker.guild else job.asker.guild
    return f"https://discord.com/channels/{guild}/{job.asker.channel}/{message}"


# --- buttons


def reroll_button(job: Job, label: str | None = None) -> Button[Any]:
    """Rolls the clip again."""
    return button(buttons.REROLL, job.id, label or say(job.asker.locale, "Reroll"), REROLL)


def cancel_button(job: Job) -> Button[Any]:
    """Takes the job out of the line, or stops it."""
    return button(buttons.CANCEL, job.id, say(job.asker.locale, "Cancel"), DROP)


def delete_button(job: Job) -> Button[Any]:
    """Deletes the clip's message."""
    return button(buttons.DELETE, job.id, say(job.asker.locale, "Delete"), DROP)


# --- private answers


def refused(error: ZoetropeError, locale: str) -> str:
    """What happened and the way out."""
    shown = {
        name: quote(value, 400) if isinstance(value, str) else value for name, value in error.values.items()
    }
    return fit(say(locale, error.template, **shown))


def queue(places: Sequence[Place], user: int, locale: str, *, paused: str = "") -> str:
    """The line as `user` may see it: their own clips by name, others' without."""
    if not places:
        return say(locale, "Nobody is waiting; a clip that you ask for now starts at once.")
    lines = [count(locale, "**One clip is in the line**", "**{number} clips are in the line**", len(places))]
    if paused:
        lines.append(say(locale, "The line is paused: {reason}", reason=quote(paused)))
    mine = [place.ahead for place in places if place.job.asker.user == user]
    shown = [place for place in places if place.ahead < LINES or place.ahead in mine][: 2 * LINES]
    lines += [_in_line(place, user, locale) for place in shown]
    if more := len(places) - len(shown):
        lines.append(_small(locale, count(locale, "and one more", "and {number} more", more)))
    if not mine:
        lines.append(_small(locale, say(locale, "None of them is yours")))
    lines.append(
        _small(
            locale,
            say(locale, "People are served in turn, so one person's many clips never hold up another's"),
        )
    )
    return fit("\n".join(lines))


def history(jobs: Sequence[Job], locale: str, *, more: bool = False) -> tuple[str, View]:
    """A page of a person's clips, newest first; with `more`, a button to the older ones."""
    if not jobs:
        return say(locale, "You have no clips yet; /animate makes one."), row()
    lines = [_in_history(job, locale) for job in jobs]
    older = button(buttons.OLDER, repr(jobs[-1].created), say(locale, "Older")) if more else None
    return fit("\n".join(lines)), row(*[older] if older else [])


def suggestion(job: Job, locale: str) -> str:
    """One clip in a list to choose from, at most 100 characters."""
    state = say(locale, "being made") if job.state is State.RUNNING else say(locale, "waiting")
    return plain(f"{plain(_name(job, locale), 70)} · {state} · {job.id}", 100)


def stopped(job: Job, locale: str) -> str:
    """What became of a clip that was to be cancelled."""
    name = title(job, 200)
    if job.state is State.CANCELLED:
        return say(locale, "{name} is cancelled; it does not count against your limit.", name=name)
    if job.state in (State.MADE, State.POSTED):
        return say(locale, "{name} is made already.", name=name)
    return say(locale, "{name} has ended already.", name=name)


def reading(locale: str) -> str:
    """Stands for a moment where a private ticket will be."""
    return say(locale, "One moment: your clip is being taken into the line.")


def sent_privately(locale: str, channel: int) -> str:
    """Says where the clip will be."""
    return say(locale, "Your clip comes as a direct message: <#{channel}>", channel=channel)


def outdated(locale: str) -> str:
    """Discord still shows what is no more."""
    return say(locale, "This command has changed; reload Discord, then use it again.")


def unreadable(locale: str, value: str) -> str:
    """An option that discord.py cannot read."""
    return say(
        locale, "“{value}” cannot be read here; choose one of the suggestions.", value=quote(value, 100)
    )


def forbidden(locale: str) -> str:
    """Discord forbids the bot something."""
    return say(locale, "Discord does not let me do that here; ask a moderator to check my permissions.")


def unheard(locale: str) -> str:
    """Discord did not do its part."""
    return say(locale, "Discord did not take my answer; try again in a moment.")


def broken(locale: str) -> str:
    """A bug."""
    return say(
        locale, "Something broke inside the bot; the operator's log says what. Try again, or tell them."
    )


# --- pieces


def _head(job: Job) -> str:
    return f"{title(job)} · <@{job.asker.user}>"


def _name(job: Job, locale: str) -> str:
    """The prompt, or what is done where there is none; not yet safe to show."""
    if words := plain(job.request.prompt):
        return words
    if job.request.task is Task.INTERP:
        return say(locale, "One picture into the other")
    return say(locale, "A picture in motion")


def _slug(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:40].strip("-")


def _small(locale: str, *parts: str) -> str:
    """One line in small print."""
    del locale  # some languages will want another dot between
    return "-# " + " · ".join(part for part in parts if part)


def _seed(job: Job) -> str:
    return say(job.asker.locale, "seed {seed}", seed=f"`{job.request.seed}`")


def _id(job: Job) -> str:
    return say(job.asker.locale, "id {id}", id=f"`{job.id}`")


def _took(job: Job) -> str:
    if job.clip is None:
        return ""
    return say(job.asker.locale, "made in {time}", time=_time(job.asker.locale, job.clip.took))


def _time(locale: str, seconds: float) -> str:
    if seconds < 90:
        return say(locale, "{seconds} s", seconds=f"{seconds:.1f}" if seconds < 10 else round(seconds))
    return say(locale, "{minutes} min", minutes=f"{seconds / 60:.1f}")


def _facts(job: Job) -> list[str]:
    """Seed, model, size, length."""
    locale = job.asker.locale
    facts = [_seed(job), job.request.recipe]
    if clip := job.clip:
        facts.append(f"{clip.width} × {clip.height}")
        facts.append(say(locale, "{seconds} s", seconds=f"{round(clip.seconds, 2):g}"))
        facts.append(say(locale, "{fps} fps", fps=clip.fps))
    return facts


def _without(locale: str, idle: Sequence[str]) -> list[str]:
    return [_small(locale, say(locale, "no effect here: {idle}", idle=", ".join(idle)))] if idle else []


def _at(moment: float) -> str:
    """A time that ticks by itself."""
    return f"<t:{math.ceil((moment + LAG) / GRAIN) * GRAIN}:R>"


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
        doing = _doing(locale, step or (place.step if place else None))
        return say(locale, "{doing} · ready {at}", doing=doing, at=_at(place.ends)) if place else doing
    if paused:
        return say(locale, "The line is paused: {reason}", reason=quote(paused))
    if place is None:
        return say(locale, "In the line.")
    ahead = count(
        locale, "One clip is ahead of yours", "{number} clips are ahead of yours", place.ahead
    ) if place.ahead else say(locale, "Yours is next")  # fmt: skip
    return say(locale, "{ahead} · ready {at}", ahead=ahead, at=_at(place.ends))


def _doing(locale: str, step: Step | None) -> str:
    """The engine's real progress, in words and as a bar."""
    if step is None:
        return say(locale, "Starting")
    done, total = min(step.done, step.total), step.total
    if step.stage == "making" and total:
        filled = done * CELLS // total
        bar = "▰" * filled + "▱" * (CELLS - filled)
        return say(locale, "{bar} step {done} of {total}", bar=f"`{bar}`", done=done, total=total)
    if step.stage == "fetching":
        if total:
            return say(locale, "Fetching the model, {percent} %", percent=done * 100 // total)
        return say(locale, "Fetching the model")
    words = {
        "loading": say(locale, "Loading the model"),
        "making": say(locale, "Making"),
        "encoding": say(locale, "Encoding"),
    }
    return words.get(step.stage) or say(locale, "At work")


def _in_line(place: Place, user: int, locale: str) -> str:
    """One clip of the line."""
    job = place.job
    name = f"{title(job, 60)} (`{job.id}`)" if job.asker.user == user else say(locale, "someone's clip")
    number, at = place.ahead + 1, _at(place.ends)
    if job.state is State.RUNNING:
        doing = _doing(locale, place.step) if job.asker.user == user else say(locale, "being made")
        return say(locale, "{n}\\. {name} · {doing} · ready {at}", n=number, name=name, doing=doing, at=at)
    return say(locale, "{n}\\. {name} · ready {at}", n=number, name=name, at=at)


def _in_history(job: Job, locale: str) -> str:
    """One clip of a history, in two lines."""
    states = {
        State.WAITING: say(locale, "waiting"),
        State.RUNNING: say(locale, "being made"),
        State.MADE: say(locale, "made, not yet sent"),
        State.FAILED: say(locale, "failed"),
        State.CANCELLED: say(locale, "cancelled"),
    }
    there = link(job)
    name = f"[{title(job, 80)}]({there})" if there else title(job, 80)
    state = states.get(job.state, "")
    when = f"<t:{int(job.created)}:R>"
    return f"{name}\n{_small(locale, state, when, job.request.recipe, _seed(job), _id(job))}"
