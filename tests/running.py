"""The real bot as its own process beside a stand-in of Discord, for tests that speak to it as people do."""

from __future__ import annotations

import asyncio
import io
import os
import random
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from bench.stage import shipped
from playground.server import Playground

ROOT = Path(__file__).parents[1]

#: With this in the environment (`make stories`), the bot is killed between any two steps of every story.
KILLS = "ZOETROPE_KILLS"
#: Process groups of programs that tests started and did not end yet.
LEFT: set[int] = set()


def picture(size: tuple[int, int] = (320, 240), seed: int = 1, kind: str = "PNG") -> bytes:
    """A picture with enough in it to see it move."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, (30, 60, 90))
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, r = chance.randrange(size[0]), chance.randrange(size[1]), chance.randrange(4, 30)
        colour = tuple(chance.randrange(256) for _ in range(3))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


class Bot:
    """One `python -m bot`; what it logs is kept."""

    def __init__(self, place: Playground, data: Path, config: Path | None = None) -> None:
        self.place = place
        self.data = data
        self.config = config
        self.log = data / "bot.log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts it and waits until it is connected."""
        self.data.mkdir(parents=True, exist_ok=True)
        if self.config is None:
            self.config = self.data / "settings.toml"
            self.config.write_text(shipped(), "utf-8")
        environ = {
            **os.environ,
            **self.place.environ,
            "ZOETROPE_DATA": str(self.data),
            "PYTHONUNBUFFERED": "1",
        }
        environ["ZOETROPE_CONFIG"] = str(self.config)
        known = set(self.place.socket.sessions)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", cwd=ROOT, env=environ, stdout=log, stderr=log
            )
        connected = asyncio.create_task(self.place.until(lambda: self._connected(known)))
        ended = asyncio.create_task(self.process.wait())
        await asyncio.wait({connected, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            connected.cancel()
            raise AssertionError(f"The bot ended with {self.process.returncode}:\n{self.words}")
        ended.cancel()
        await connected

    def _connected(self, known: set[str]) -> bool:
        """Whether a session that is not among the known ones has its line."""
        return any(
            one.line is not None for key, one in self.place.socket.sessions.items() if key not in known
        )

    @property
    def words(self) -> str:
        """All it logged."""
        return self.log.read_text("utf-8", "replace")

    async def kill(self) -> None:
        """`kill -9`."""
        assert self.process
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Asks it to end as a service manager does; its exit code."""
        assert self.process
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 40)

    def verify(self) -> None:
        """No exception was swallowed."""
        assert "Traceback" not in self.words, self.words


class Held:
    """A request that waits at the stand-in, which has a thread of its own, until it is let go."""

    def __init__(self) -> None:
        self._free = threading.Event()

    async def pass_by(self) -> None:
        """What the fault does."""
        await asyncio.to_thread(self._free.wait, 60)

    def let_go(self) -> None:
        """It and all that come after it go on."""
        self._free.set()


@asynccontextmanager
async def running(
    data: Path, config: Path | None = None, **settings: Any
) -> AsyncIterator[tuple[Playground, Bot]]:
    """A stand-in and a bot that is connected to it; both are judged at the end."""
    async with Playground(data / "discord", **settings) as place:
        bot = Bot(place, data / "bot", config)
        try:
            await bot.start()
            yield place, bot
            ended = bot.process is not None and bot.process.returncode is not None  # as its test meant it to
            code = await bot.stop()
            assert ended or code == 0, f"The bot ended with {code}."
            bot.verify()
        except BaseException as error:
            error.add_note("What the bot logged, at last:\n" + bot.words[-4000:])
            raise
        finally:
            if bot.process and bot.process.returncode is None:
                await bot.kill()


def clips(place: Playground, channel: int) -> list[Any]:
    """Messages of a channel that carry a video, as a bystander sees them, oldest first."""
    shown = place.world.last(channel, place.user("Mod").id, 100)
    return [one for one in shown if any(file["filename"].endswith(".mp4") for file in one["attachments"])]


async def until_clips(place: Playground, channel: int, count: int, timeout: float = 40) -> list[Any]:
    """Waits for so many clips in a channel."""
    await place.until(lambda: len(clips(place, channel)) >= count, timeout)
    return clips(place, channel)


def texts(place: Playground, channel: int) -> list[str]:
    """What a bystander reads in a channel."""
    return [one["content"] for one in place.world.last(channel, place.user("Mod").id, 100)]


def read(message: Any) -> str:
    """All that a message says, in its content or its components."""

    def said(components: list[Any]) -> list[str]:
        inner = [line for one in components for line in said(one.get("components") or [])]
        return [*(one["content"] for one in components if one["type"] == 10), *inner]

    return "\n".join([message["content"], *said(message["components"])]).strip()
