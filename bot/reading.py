"""A second reading of the settings file, for its recipes alone, while the bot runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bot.machine import Chooser
from bot.settings import load


async def again(path: Path, environ: Mapping[str, str], chooser: Chooser) -> dict[str, list[str]]:
    """Settles what the file now has; the names of recipes by what became of them.

    Clips that are being made are not touched: the engine's process is told the recipe with each request, and
    loads anew what changed. Raises Misconfigured for a file that would not start the bot: all is as it was.
    """
    read = await asyncio.to_thread(load, path, environ)
    old = dict(chooser.recipes)
    chooser.settle(read)
    new = chooser.recipes
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
    }
