"""The message that shows a clip."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from discord.ui import View

from commands.buttons import rows
from commands.replies import pieces
from commands.words import MOST, fit, plain, quote, say
from gen.job import Job
from gen.recipe import Recipe

#: Children of a clip that are named.
CHILDREN = 8
#: Characters that are left for the words of a prompt at the least.
SHORTEST = 600


def card(job: Job, *, recipe: Recipe | None = None, full: str = "") -> tuple[str, View]:
    """The clip's message: whose, what, and all it takes to make it again; `full` says where it is whole."""
    locale = job.asker.locale
    lines = [f"<@{job.asker.user}> {pieces.title(job)}", pieces.small(locale, *pieces.facts(job))]
    flags = quote(str(replace(pieces.asked(job), prompt="", seed=None, model=None)))
    parent = say(locale, "from clip {id}", id=f"`{job.parent}`") if job.parent else ""
    lines.append(pieces.small(locale, flags, pieces.took(job), parent, pieces.number(job)))
    lines += pieces.notes(job)
    lines += pieces.remarks(job, recipe)
    if full:
        lines.insert(1, full)  # not among what is cut first
    asker = job.asker
    here = asker.private or (asker.guild is None and asker.answer is None)
    return fit("\n".join(lines)), deeds(job, here=here)


def whole(job: Job, address: str, until: int, size: int, *, alone: bool) -> str:
    """Where the clip is as it was made: so many bytes, too many for the channel, and there until then.

    `alone`, without a smaller clip beside it, Discord may show what the link leads to, unless that is to
    stand behind a spoiler: an address in angle brackets is not looked up.
    """
    locale = job.asker.locale
    target = address if alone and not job.spoiler else f"<{address}>"
    link = f"[{say(locale, 'The whole clip')}]({target})"
    return f"{link} · {say(locale, '{size} MiB', size=pieces.mib(size))} · <t:{until}:R>"


def deeds(job: Job, *, here: bool) -> View:
    """What can be done with a clip, in two rows; `here`, in direct messages, it need not be sent there."""
    first = (pieces.reroll_button(job), pieces.remix_button(job), pieces.info_button(job))
    letter = [] if here else [pieces.letter_button(job)]
    return rows(first, (*letter, pieces.favourite_button(job), pieces.delete_button(job)))


def letter(job: Job, locale: str, *, link: bool, full: str = "") -> tuple[str, View]:
    """The clip as it comes by direct message, to whoever asked for it; with a link where its file is gone."""
    told = pieces.spoken(job, locale)
    lines = [pieces.title(told), pieces.small(locale, *pieces.facts(told))]
    lines.append(pieces.small(locale, pieces.by(told), pieces.took(told), pieces.number(told)))
    if full:
        lines.insert(1, full)
    if link:
        gone = say(locale, "The file is no longer kept here; Discord may still have it")
        lines.append(" · ".join(part for part in (gone, pieces.link(job)) if part))
    return fit("\n".join(lines)), deeds(told, here=True)


def parameters(job: Job, locale: str, *, recipe: Recipe | None = None, children: Sequence[str] = ()) -> str:
    """All that was asked for and made: enough to make the clip again anywhere."""
    told, request = pieces.spoken(job, locale), job.request
    there = pieces.link(job)
    title = pieces.title(told, 200)
    lines = [f"[{title}]({there})" if there else title, pieces.small(locale, pieces.by(told), *_times(told))]
    pairs = [pair for pair in _values(told, recipe) if pair[1]]
    lines += [say(locale, "{name}: {value}", name=name, value=value) for name, value in pairs]
    if family := _family(told, children):
        lines.append(pieces.small(locale, *family))
    lines += pieces.notes(told)
    again = replace(pieces.asked(job), seed=request.seed, model=request.recipe)
    text = fit("\n".join(lines), MOST - SHORTEST)
    return f"{text}\n```\n{_typed(str(again), MOST - len(text) - 9)}\n```"


def _values(job: Job, recipe: Recipe | None) -> list[tuple[str, str]]:
    """Names and values; what has no effect with the recipe is left out."""
    locale, request, clip = job.asker.locale, job.request, job.clip
    width, height = (clip.width, clip.height) if clip else (request.width, request.height)
    frames, fps = (clip.frames, clip.fps) if clip else (request.frames, request.fps)

    def shown(name: str, value: str) -> str:
        return value if recipe is None or getattr(recipe, name) is not None else ""

    return [
        (say(locale, "Model"), request.recipe),
        (say(locale, "Seed"), f"`{request.seed}`"),
        (say(locale, "To avoid"), quote(request.negative, 300)),
        (say(locale, "Size"), f"{width} × {height}"),
        (say(locale, "Length"), _length(locale, frames, fps)),
        (say(locale, "Steps"), shown("steps", str(request.steps))),
        (say(locale, "Guidance"), shown("guidance", f"{request.guidance:g}")),
        (say(locale, "Motion"), shown("motion", f"{request.motion:g}")),
        (say(locale, "Camera"), ", ".join(request.camera)),
        (say(locale, "Loop"), say(locale, "yes") if request.loop else ""),
        (say(locale, "Smoothing"), f"× {request.smooth}" if request.smooth > 1 else ""),
    ]


def _length(locale: str, frames: int, fps: int) -> str:
    seconds = f"{round(frames / fps, 2):g}"
    return say(locale, "{seconds} s · {frames} frames · {fps} fps", seconds=seconds, frames=frames, fps=fps)


def _times(job: Job) -> list[str]:
    return [f"<t:{int(job.created)}:f>", pieces.took(job), pieces.number(job)]


def _family(job: Job, children: Sequence[str]) -> list[str]:
    """Which clip it came from, and which came from it."""
    locale = job.asker.locale
    parent = say(locale, "from clip {id}", id=f"`{job.parent}`") if job.parent else ""
    shown = ", ".join(f"`{child}`" for child in children[:CHILDREN])
    more = "" if len(children) <= CHILDREN else f" … ({len(children)})"
    came = say(locale, "clips made from it: {ids}", ids=shown + more) if children else ""
    return [part for part in (parent, came) if part]


def _typed(text: str, most: int) -> str:
    """Words as they are typed, in a block of code: three backticks would end it."""
    whole = plain(text, most)
    return whole.replace("`" * 3, "'" * 3)


def file_name(job: Job) -> str:
    """The clip's file name: lower-case letters, digits, hyphens and dots of ASCII, and one underscore."""
    slug = _slug(job.request.prompt) or _slug(job.request.recipe) or "clip"
    return f"{slug}_seed{job.request.seed}.mp4"


def _slug(text: str) -> str:
    """The words that ASCII has, whole: a part of a word might be another word."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    words = re.findall(r"[a-z0-9]+", " ".join(word for word in bare.lower().split() if word.isascii()))
    slug = ""
    for word in words:
        if len(longer := f"{slug}-{word}".strip("-")) > 40:
            break
        slug = longer
    return slug
