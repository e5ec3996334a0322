"""A second reading of the settings file, for its recipes alone, while the bot runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bot.settings import load
from gen.job import Task
from gen.recipe import Recipe


async def again(
    path: Path, environ: Mapping[str, str], recipes: dict[str, Recipe], defaults: dict[Task, str]
) -> dict[str, list[str]]:
    """Fills `recipes` and `defaults` with what the file now has; the names of recipes by what became of them.

    Clips that are being made are not touched: the engine's process is told the recipe with each request, and
    loads anew what changed. Raises Misconfigured for a file that would not start the bot: all is as it was.
    """
    read = await asyncio.to_thread(load, path, environ)
    new, old = read.recipe, dict(recipes)
    became = {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
    }
    recipes.clear()
    recipes.update(new)
    defaults.update(read.defaults())
    return became
