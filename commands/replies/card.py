"""The message that shows a clip."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from discord.ui import View

from commands.buttons import row
from commands.replies import pieces
from commands.words import fit, quote, say
from gen.job import Job


def card(job: Job, *, idle: Sequence[str] = ()) -> tuple[str, View]:
    """The clip's message: whose, what, and all it takes to make it again."""
    locale = job.asker.locale
    lines = [f"<@{job.asker.user}> {pieces.title(job)}", pieces.small(locale, *pieces.facts(job))]
    flags = quote(str(replace(pieces.asked(job), prompt="", seed=None, model=None)))
    parent = say(locale, "rolled again from {id}", id=f"`{job.parent}`") if job.parent else ""
    lines.append(pieces.small(locale, flags, pieces.took(job), parent, pieces.number(job)))
    if job.clip and job.clip.note:
        lines.append(pieces.small(locale, quote(job.clip.note)))
    lines += pieces.without(locale, idle)
    return fit("\n".join(lines)), row(pieces.reroll_button(job), pieces.delete_button(job))


def file_name(job: Job) -> str:
    """The clip's file name: lower-case letters, digits, hyphens and dots of ASCII, and one underscore."""
    slug = _slug(job.request.prompt) or _slug(job.request.recipe) or "clip"
    return f"{slug}_seed{job.request.seed}.mp4"


def _slug(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:40].strip("-")
