"""One bot for a whole file of tests: each test is a scene of its own channel and people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from commands.replies import REROLL
from playground import places
from playground.person import Person
from playground.records import Guild
from playground.server import Playground
from tests.running import ROOT, Bot, clips, running, texts

#: Small test cards: one is made at once, one in a second, one never while a test waits.
RECIPES = """
[recipe.quick]
task = "text"
family = "testcard"
about = "Made at once"
sizes = { "1:1" = [160, 160] }
seconds = { default = 0.5, least = 0.5, most = 10 }
fps = { default = 8, least = 8, most = 24 }

[recipe.slow]
task = "text"
family = "testcard"
about = "Takes a second"
sizes = { "1:1" = [160, 160] }
seconds = { default = 1, least = 0.5, most = 10 }
fps = { default = 8, least = 8, most = 24 }
options = { step_seconds = 0.12 }

[recipe.endless]
task = "text"
family = "testcard"
about = "Takes minutes"
sizes = { "1:1" = [160, 160] }
seconds = { default = 10, least = 10, most = 10 }
fps = { default = 24, least = 24, most = 24 }
options = { step_seconds = 0.25 }
"""


#: What is changed in the shipped settings.
CHANGED = {'text = "auto"': 'text = "quick"', 'file = ""': 'file = "words.txt"'}
#: What is unwanted.
WORDS = "plum*\npurple rain => grey rain\n"


def configured(folder: Path, changed: Mapping[str, str] = CHANGED) -> Path:
    """The shipped settings, changed, with the small test cards."""
    text = (ROOT / "config.toml").read_text("utf-8")
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "config.toml"
    path.write_text(text + RECIPES, "utf-8")
    (folder / "words.txt").write_text(WORDS, "utf-8")
    return path


@dataclass
class Scene:
    """A channel, and a person who asks there."""

    place: Playground
    channel: int
    person: Person

    async def ask(self, prompt: str = "a red star", **options: Any) -> Any:
        """/animate; what became of it."""
        return await self.person.slash(self.channel, "animate", {"prompt": prompt, **options})

    def clips(self) -> list[Any]:
        """The clips in the channel, as the person sees them."""
        return clips(self.place, self.channel)

    def texts(self) -> list[str]:
        """What stands in the channel."""
        return texts(self.place, self.channel)

    async def until_text(self, words: str, timeout: float = 30) -> None:
        """Waits until something in the channel says so."""
        await self.place.until(lambda: any(words in text for text in self.texts()), timeout)

    async def until_done(self, count: int = 1, timeout: float = 45) -> list[Any]:
        """Waits until there are so many clips, each with its reaction, and nothing else; the clips."""

        def done() -> bool:
            found = self.clips()
            rolled = sum(_rolls(one) for one in found)
            return len(found) >= count and rolled >= count and len(self.texts()) == len(found)

        await self.place.until(done, timeout)
        assert len(self.clips()) == count
        return self.clips()

    async def direct(self) -> list[Any]:
        """What the bot wrote to the person alone."""
        channel = await self.person.direct()
        return await self.person.history(channel)


@dataclass
class Stage:
    """A stand-in and a bot; `scene` opens a channel with a newcomer."""

    place: Playground
    bot: Bot
    count: int = 0

    async def scene(self, guild: Guild | None = None) -> Scene:
        """A new channel of the guild, and a new person who asks there."""
        self.count += 1
        guild = guild or self.place.guild
        person = await self.place.do(places.add_person, f"guest{self.count}", guild)
        channel = await self.place.do(places.add_channel, guild, f"scene-{self.count}")
        return Scene(self.place, channel.id, Person(self.place.world, person.id))


def _rolls(message: Any) -> bool:
    return any(one["emoji"]["name"] == REROLL for one in message.get("reactions", []))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One bot for the module."""
    folder = tmp_path_factory.mktemp("stage")
    async with running(folder, configured(folder)) as (place, bot):
        yield Stage(place, bot)
