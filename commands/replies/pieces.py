"""What messages are put together from: names, facts, times, links and buttons of one job."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from discord.ui import Button

from commands import buttons
from commands.buttons import button
from commands.replies.panel import VALUES
from commands.words import fit, plain, quote, say
from gen import vocabulary
from gen.errors import Refused, ZoetropeError
from gen.job import Job, State, Task
from gen.ports import Step
from gen.prompt import Ask, parse
from gen.recipe import Recipe

#: The reaction that rolls a clip again, and the others that mean the same.
REROLL = "\N{CLOCKWISE RIGHTWARDS AND LEFTWARDS OPEN CIRCLE ARROWS}"
REROLLS = frozenset({REROLL, "\N{ANTICLOCKWISE DOWNWARDS AND UPWARDS OPEN CIRCLE ARROWS}"})
#: The reaction that cancels or deletes.
DROP = "\N{CROSS MARK}"
#: The reactions that send a clip by direct message, and that keep it among one's favourites.
LETTER = "\N{ENVELOPE}"
STAR = "\N{WHITE MEDIUM STAR}"
#: The marks of buttons that are no reactions.
REMIX = "\N{TWISTED RIGHTWARDS ARROWS}"
INFO = "\N{INFORMATION SOURCE}"

#: Promised times are rounded up to these seconds, so that a message is not edited for every flutter, and lie
#: so much later than expected, so that none has passed before the next edit.
GRAIN = 5
LAG = 3
#: Words that are named of those that were left out.
LEFT_OUT = 8
#: Cells of a progress bar.
CELLS = 10


def spoken(job: Job, locale: str) -> Job:
    """The job as it is told to someone of another language than its owner's."""
    return replace(job, asker=replace(job.asker, locale=locale))


def title(job: Job, most: int = 400) -> str:
    """The prompt in bold; where there is none, what is done."""
    return f"**{quote(name(job, job.asker.locale), most)}**"


def name(job: Job, locale: str) -> str:
    """The prompt, or what is done where there is none; not yet safe to show."""
    if words := plain(job.request.prompt):
        return words
    if job.request.task is Task.INTERP:
        return say(locale, "One picture into the other")
    return say(locale, "A picture in motion")


def head(job: Job) -> str:
    return f"{title(job)} · <@{job.asker.user}>"


def by(job: Job) -> str:
    return say(job.asker.locale, "by {user}", user=f"<@{job.asker.user}>")


def small(locale: str, *parts: str) -> str:
    """One line in small print."""
    del locale  # some languages will want another dot between
    return "-# " + " · ".join(part for part in parts if part)


def seed(job: Job) -> str:
    return say(job.asker.locale, "seed {seed}", seed=f"`{job.request.seed}`")


def number(job: Job) -> str:
    return say(job.asker.locale, "id {id}", id=f"`{job.id}`")


def took(job: Job) -> str:
    if job.clip is None:
        return ""
    return say(job.asker.locale, "made in {time}", time=time(job.asker.locale, job.clip.took))


def time(locale: str, seconds: float) -> str:
    if seconds < 90:
        return say(locale, "{seconds} s", seconds=f"{seconds:.1f}" if seconds < 10 else round(seconds))
    return say(locale, "{minutes} min", minutes=f"{seconds / 60:.1f}")


def mib(size: int) -> str:
    """Bytes as MiB."""
    return f"{max(size / 2**20, 0.01):.3g}"


def facts(job: Job) -> list[str]:
    """Seed, model, size, length."""
    locale = job.asker.locale
    facts = [seed(job), job.request.recipe]
    if clip := job.clip:
        facts.append(f"{clip.width} × {clip.height}")
        facts.append(say(locale, "{seconds} s", seconds=f"{round(clip.seconds, 2):g}"))
        facts.append(say(locale, "{fps} fps", fps=clip.fps))
    return facts


def state(locale: str, state: State) -> str:
    """Where a job stands, in a word or two; nothing where its clip is there."""
    words = {
        State.WAITING: say(locale, "waiting"),
        State.RUNNING: say(locale, "being made"),
        State.MADE: say(locale, "made, not yet sent"),
        State.FAILED: say(locale, "failed"),
        State.CANCELLED: say(locale, "cancelled"),
    }
    return words.get(state, "")


def remarks(job: Job, recipe: Recipe | None) -> list[str]:
    """What is to be said of the request and the recipe that makes it: flags without effect, and perhaps the
    prompt's words; words that the model does not know."""
    if recipe is None:
        return []
    ask, locale = asked(job), job.asker.locale
    idle = [f"-{flag}" for flag in recipe.unused(ask)]
    if ask.prompt and not recipe.prompted:
        idle.insert(0, say(locale, "the prompt"))
    lines = [say(locale, "no effect here: {idle}", idle=", ".join(idle))] if idle else []
    if recipe.vocabulary == "shapes" and not vocabulary.known(ask.prompt):
        lines.append(
            say(
                locale,
                "{model} knows a few words only: {shapes}, their colours, motions and backgrounds; "
                "try “a red star moving left on blue stripes”",
                model=recipe.name, shapes=", ".join(vocabulary.SHAPE_WORDS),
            )
        )  # fmt: skip
    return [small(locale, line) for line in lines]


def notes(job: Job) -> list[str]:
    """What was stepped down to make the clip, if anything."""
    locale = job.asker.locale
    told = [quote(say(locale, note.template, **note.values)) for note in job.clip.notes] if job.clip else []
    return [small(locale, *told)] if told else []


def halts(locale: str, paused: str, closed: str) -> list[str]:
    """Why the line stands still, and why it takes nothing new, if so."""
    lines = [say(locale, "The line is paused: {reason}", reason=quote(paused))] if paused else []
    if closed:
        lines.append(say(locale, "No new clips are taken at present: {reason}", reason=quote(closed)))
    return lines


def left_out(job: Job) -> list[str]:
    """Which words that were typed are not in the prompt, behind a spoiler: others read it too."""
    if not job.left_out:
        return []
    words = ", ".join(f"||{quote(word, 60)}||" for word in job.left_out[:LEFT_OUT])
    more = f" … ({len(job.left_out)})" if len(job.left_out) > LEFT_OUT else ""
    return [small(job.asker.locale, say(job.asker.locale, "left out: {words}", words=words + more))]


def at(moment: float) -> str:
    """A time that ticks by itself."""
    return f"<t:{math.ceil((moment + LAG) / GRAIN) * GRAIN}:R>"


def doing(locale: str, step: Step | None) -> str:
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
            size = f"{total / 1024:.1f} GiB" if total >= 1024 else f"{total} MiB"
            percent = done * 100 // total
            return say(locale, "Fetching the model, {percent} % of {size}", percent=percent, size=size)
        return say(locale, "Fetching the model")
    words = {
        "loading": say(locale, "Loading the model"),
        "making": say(locale, "Making"),
        "smoothing": say(locale, "Smoothing the motion"),
        "encoding": say(locale, "Encoding"),
    }
    return words.get(step.stage) or say(locale, "At work")


def asked(job: Job) -> Ask:
    """What was typed, read again."""
    try:
        return parse(job.words)
    except Refused:  # typed under an older grammar
        return Ask(prompt=job.request.prompt)


def link(job: Job) -> str | None:
    """Where the job's clip is, or its ticket when it has none."""
    message = job.message or job.ticket
    if message is None:
        return None
    elsewhere = job.channel != job.asker.channel  # its owner's direct messages
    guild = "@me" if elsewhere or job.asker.private or not job.asker.guild else job.asker.guild
    return f"https://discord.com/channels/{guild}/{job.channel}/{message}"


def refused(error: ZoetropeError, locale: str) -> str:
    """What happened and the way out."""
    shown = {name: _shown(locale, name, value) for name, value in error.values.items()}
    return fit(say(locale, error.template, **shown))


def _shown(locale: str, name: str, value: object) -> object:
    """A value of an error; what a flag takes, what a policy is and how Discord names a permission are
    translated; a time ticks."""
    if name == "until":
        return f"<t:{value}:R>"
    if not isinstance(value, str) or name == "channels":
        return value
    if name == "mildest":
        setting, _, policy = value.partition(".")
        return say(locale, VALUES[setting, policy])
    if name == "permissions":
        return ", ".join(say(locale, one) for one in value.split(", "))
    return say(locale, value) if name == "takes" else quote(value, 400)


def reroll_button(job: Job, label: str | None = None) -> Button[Any]:
    """Rolls the clip again."""
    return button(buttons.REROLL, job.id, label or say(job.asker.locale, "Reroll"), REROLL)


def cancel_button(job: Job) -> Button[Any]:
    """Takes the job out of the line, or stops it."""
    return button(buttons.CANCEL, job.id, say(job.asker.locale, "Cancel"), DROP)


def delete_button(job: Job) -> Button[Any]:
    """Deletes the clip's message."""
    return button(buttons.DELETE, job.id, say(job.asker.locale, "Delete"), DROP)


def remix_button(job: Job) -> Button[Any]:
    """Opens the prompt and the flags, to be changed."""
    return button(buttons.REMIX, job.id, say(job.asker.locale, "Remix"), REMIX)


def letter_button(job: Job) -> Button[Any]:
    """Sends the clip by direct message."""
    return button(buttons.LETTER, job.id, say(job.asker.locale, "DM me"), LETTER)


def favourite_button(job: Job) -> Button[Any]:
    """Keeps the clip among the presser's favourites, or no longer."""
    return button(buttons.FAVOURITE, job.id, say(job.asker.locale, "Keep"), STAR)


def info_button(job: Job) -> Button[Any]:
    """Shows all it takes to make the clip again."""
    return button(buttons.INFO, job.id, say(job.asker.locale, "Info"), INFO)
