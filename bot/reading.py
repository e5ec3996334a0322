"""A second reading of the settings file, for its recipes and the words file alone, while the bot runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bot import lexicon
from bot.lexicon import Lexicon
from bot.machine import Chooser
from bot.preflight import Preflight
from bot.settings import Settings, load


def unwanted(settings: Settings) -> Lexicon:
    """The words that are not wanted. Raises Misconfigured."""
    return lexicon.read(settings.lexicon) if settings.lexicon else lexicon.NOTHING


async def again(
    path: Path, environ: Mapping[str, str], chooser: Chooser, preflight: Preflight
) -> dict[str, list[str]]:
    """Settles what the files now have; the names of recipes by what became of them, and of "words" how many
    there are, if they differ.

    Clips that are being made are not touched: the engine's process is told the recipe with each request, and
    loads anew what changed. Raises Misconfigured for a file that would not start the bot: all is as it was.
    """
    read = await asyncio.to_thread(load, path, environ)
    words = await asyncio.to_thread(unwanted, read)
    old, before = dict(chooser.recipes), preflight.lexicon
    chooser.settle(read)
    preflight.lexicon = words
    new = chooser.recipes
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
        "words": [str(len(words))] if words.entries != before.entries else [],
    }
