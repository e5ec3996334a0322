"""The options that commands share: what they are called, what they take, what is suggested."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import discord
from discord.app_commands import Choice, Range

from commands.house import House
from commands.words import say
from gen.job import Task
from gen.prompt import ASPECTS, LONGEST, MOVES, SEEDS

#: What Discord's client shows beside each option, at most 100 characters.
ABOUT = {
    "prompt": "What is to be seen; flags such as -camera zoom in may follow the words",
    "image": "The picture to set in motion",
    "video": "A video whose motion the clip follows, from its beginning",
    "first": "The picture the clip begins with",
    "last": "The picture the clip ends with",
    "model": "Which model makes the clip",
    "camera": "How the camera moves",
    "motion": "How strong the motion is, 0 to 4",
    "aspect": "Width to height",
    "seconds": "How long the clip plays",
    "fps": "Frames each second, 8 to 24",
    "negative": "What the clip is to avoid",
    "seed": "The same seed makes the same clip",
    "guidance": "How closely the prompt is followed, 1 to 25",
    "steps": "Denoising steps, 1 to 100: more is slower and finer",
    "loop": "The clip returns to its first frame",
    "private": "Answer by direct message instead of in this channel",
}

# The widest ranges of `gen.prompt`; what a model takes is narrower, and its recipe says so.
Words = Range[str, 0, LONGEST]
Motion = Range[float, 0.0, 4.0]
Fps = Range[int, 8, 24]
Guidance = Range[float, 1.0, 25.0]
Seconds = Range[float, 0.5, 20.0]
Steps = Range[int, 1, 100]
Seed = Range[int, 0, SEEDS - 1]

CAMERA = [Choice(name=move, value=move) for move in MOVES]
ASPECT = [Choice(name=aspect, value=aspect) for aspect in ASPECTS]

#: Characters that a suggestion may have, and clips that are looked through for it.
SUGGESTED = 100
LATELY = 60

C = TypeVar("C", bound=Callable[..., Any])

Suggest = Callable[[discord.Interaction[Any], str], Coroutine[Any, Any, list[Choice[str]]]]


def about(*names: str) -> dict[str, str]:
    """The descriptions of those options."""
    return {name: ABOUT[name] for name in names}


def without(*names: str) -> Callable[[C], C]:
    """A command as if it had no options of those names: they are neither shown nor taken."""

    def hide(callback: C) -> C:
        whole = inspect.signature(callback)
        kept = [one for name, one in whole.parameters.items() if name not in names]
        callback.__signature__ = whole.replace(parameters=kept)  # type: ignore[attr-defined]  # PEP 362 has it
        return callback

    return hide


def models(house: House, *tasks: Task, **attached: Task) -> Suggest:
    """Suggests the models that are turned on for the tasks; once there is an attachment, for its option's."""

    async def suggest(interaction: discord.Interaction[Any], typed: str) -> list[Choice[str]]:
        given = {task for name, task in attached.items() if getattr(interaction.namespace, name, None)}
        fitting = given or set(tasks)
        return [
            Choice(
                name=f"{recipe.name}: {say(interaction.locale.value, recipe.about)}"[:100], value=recipe.name
            )
            for recipe in house.studio.recipes.values()
            if recipe.on and recipe.task in fitting and typed.lower() in recipe.name.lower()
        ][:25]

    return suggest


def prompts(house: House, *tasks: Task) -> Suggest:
    """Suggests what the person asked for lately with those tasks, flags and all, as far as it fits.

    What is being typed comes first: the key that takes the first suggestion must not change it.
    """

    async def suggest(interaction: discord.Interaction[Any], typed: str) -> list[Choice[str]]:
        jobs = await house.studio.history(interaction.user.id, limit=LATELY, words=typed)
        words = dict.fromkeys([typed.strip(), *(job.words for job in jobs if job.request.task in tasks)])
        return [Choice(name=one, value=one) for one in words if 0 < len(one) <= SUGGESTED][:25]

    return suggest
