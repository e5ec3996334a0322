"""A real discord.py client on a real playground: nothing between them is replaced."""

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands

from playground import fixtures
from playground.server import Playground

place, swallowed = fixtures.place, fixtures.swallowed
pytest_runtest_makereport = fixtures.pytest_runtest_makereport


class Bot(discord.AutoShardedClient):
    """A small bot; tests hang their handlers on it before it starts."""

    def __init__(self, intents: discord.Intents) -> None:
        super().__init__(
            intents=intents, allowed_mentions=discord.AllowedMentions.none(), guild_ready_timeout=0.01
        )
        self.tree = app_commands.CommandTree(self)
        self.heard: list[tuple[str, Any]] = []
        self._heard_more = asyncio.Event()
        self.connected: asyncio.Task[None] | None = None

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self.heard.append((event, args[0] if args else None))
        super().dispatch(event, *args, **kwargs)
        self._heard_more.set()

    def all(self, event: str) -> list[Any]:
        """The first argument of each such event so far."""
        return [first for name, first in self.heard if name == event]

    async def hears(self, event: str, times: int = 1) -> list[Any]:
        """Waits until so many such events came."""
        await self.until(lambda: len(self.all(event)) >= times)
        return self.all(event)

    async def until(self, predicate: Callable[[], object]) -> None:
        """Waits until it is true; looks again at every event."""
        async with asyncio.timeout(40):
            while not predicate():
                self._heard_more.clear()
                await self._heard_more.wait()


def point(place: Playground, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(discord.http.Route, "BASE", place.api)
    patch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(place.gateway))
    patch.setattr(discord.Asset, "BASE", place.cdn)


@pytest.fixture
async def bot(place: Playground, swallowed: list[str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    """Not started yet: see `start`. At the end it is closed, and must have swallowed nothing."""
    point(place, monkeypatch)
    intents = discord.Intents(
        guilds=True, guild_messages=True, guild_reactions=True, dm_messages=True, dm_reactions=True
    )
    bot = Bot(intents)
    yield bot
    await bot.close()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's pauses before it tries again are cut short; the playground's own are not."""
    real = asyncio.sleep

    async def sleep(seconds: float, result: Any = None) -> Any:
        here = threading.current_thread() is threading.main_thread()
        return await real(min(seconds, 0.01) if here else seconds, result)

    monkeypatch.setattr(asyncio, "sleep", sleep)


Start = Callable[[], Any]


@pytest.fixture
async def start(place: Playground, bot: Bot) -> AsyncIterator[Start]:
    """Logs in, connects, syncs the tree, and returns when the bot is ready."""
    tasks: list[asyncio.Task[None]] = []

    async def go() -> Bot:
        await bot.login(place.token)
        await bot.tree.sync()
        bot.connected = asyncio.create_task(bot.connect(), name="bot")
        tasks.append(bot.connected)
        waiting = asyncio.create_task(bot.wait_until_ready())
        await asyncio.wait({waiting, tasks[0]}, timeout=40, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            waiting.cancel()
            tasks[0].result()
        assert waiting.done()
        return bot

    yield go
    await bot.close()
    await asyncio.gather(*tasks, return_exceptions=True)


class Wire:
    """Plain HTTP to the playground, for what a well-behaved client would not send."""

    def __init__(self, place: Playground, session: aiohttp.ClientSession) -> None:
        self.place, self.session = place, session

    async def __call__(
        self, method: str, path: str, body: Any = None, *, files: Any = (), token: str | None = None
    ) -> tuple[int, Any]:
        status, answer, _ = await self.whole(method, path, body, files=files, token=token)
        return status, answer

    async def whole(
        self, method: str, path: str, body: Any = None, *, files: Any = (), token: str | None = None
    ) -> tuple[int, Any, Any]:
        headers = {"Authorization": f"Bot {token or self.place.token}"}
        data: Any = None
        if files:
            data = aiohttp.FormData(quote_fields=False)
            data.add_field("payload_json", json.dumps(body or {}))
            for index, (name, content) in enumerate(files):
                data.add_field(f"files[{index}]", io.BytesIO(content), filename=name)
        elif body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
        async with self.session.request(method, self.place.api + path, data=data, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None, answer.headers


@pytest.fixture
async def wire(place: Playground) -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as session:
        yield Wire(place, session)
