"""A gallery on a real ledger, a real data folder and a stand-in of Discord, for tests that visit it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.gallery.door import BACK, Door
from bot.gallery.hall import Hall
from bot.gallery.links import Links
from bot.gallery.seals import Seals, key
from bot.gallery.site import Site, served
from bot.settings import Discord
from db.ledger import Ledger
from gen.job import Asker, Clip, Job, Request, Task
from gen.shelf import Shelf
from playground.server import Playground

GUILD, OPEN, SECRET_ROOM = 77, 701, 702
FILM = bytes(range(256)) * 40


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Visit:
    """A browser, as far as a server can tell: it keeps cookies, and sends its page's origin."""

    room: Room
    session: aiohttp.ClientSession

    async def get(self, path: str, **more: Any) -> tuple[int, Any, Any]:
        """Status, headers, and the body: JSON as values, a clip as bytes."""
        async with self.session.get(self.room.base + path, allow_redirects=False, **more) as answer:
            kind = answer.headers.get("Content-Type", "")
            body = await (answer.json() if "json" in kind else answer.read())
            return answer.status, answer.headers, body

    async def post(self, path: str, body: Any = None, origin: str | None = "") -> int:
        """The status; `origin` is the gallery's own unless said otherwise."""
        headers = {} if origin is None else {"Origin": origin or self.room.base}
        async with self.session.post(self.room.base + path, json=body, headers=headers) as answer:
            return answer.status

    async def ids(self, list_: str, words: str = "") -> list[str]:
        """What hangs there."""
        status, _, page = await self.get(f"/api/clips?list={list_}&words={words}")
        assert status == 200, page
        return [clip["id"] for clip in page["clips"]]

    async def begin(self) -> str:
        """Presses “Sign in”; where Discord is asked."""
        status, headers, _ = await self.get("/sign-in")
        assert status == 302
        return str(headers["Location"])

    async def agree(self, address: str, name: str) -> str:
        """Presses “Authorize” on Discord's page; where the browser goes on to, without the host."""
        place = self.room.place
        form = {"person": str(place.user(name).id), "deed": "authorize"}
        async with self.session.post(
            address, data=form, headers={"Origin": place.url}, allow_redirects=False
        ) as answer:
            assert answer.status == 302, await answer.text()
            there = urlsplit(answer.headers["Location"])
        assert f"{there.scheme}://{there.netloc}" == self.room.base
        return f"{there.path}?{there.query}"

    async def enter(self, name: str) -> None:
        """Signs in."""
        status, headers, _ = await self.get(await self.agree(await self.begin(), name))
        assert (status, headers["Location"]) == (303, "/mine")


@dataclass
class Room:
    """The gallery, and what tests hang in it."""

    place: Playground
    ledger: Ledger
    data: Path
    base: str
    door: Door
    links: Links
    clock: Clock
    stack: AsyncExitStack
    open: set[int] = field(default_factory=lambda: {OPEN})
    count: int = 0

    async def hang(
        self, name: str = "Ada", words: str = "a red star", *, made: bool = True, **changes: Any
    ) -> Job:
        """A clip that was posted in an open channel, unless said otherwise."""
        self.count += 1
        known = ("channel", "guild", "private", "restricted", "spoiler")
        asker = {key: changes.pop(key) for key in known if key in changes}
        request = Request(
            recipe="testcard", task=Task.TEXT, prompt=words, seed=7, width=64, height=48, frames=8, fps=8
        )
        one = Job(
            id=f"clip{self.count}",
            request=request,
            asker=Asker(user=self.place.user(name).id, **{"channel": OPEN, "guild": GUILD, **asker}),
            words=words,
            created=self.clock.now + self.count,
            **changes,
        )
        await self.ledger.add(one)
        if not made:
            return one
        clip = Clip(file=f"{one.id}-file.mp4", width=64, height=48, frames=8, fps=8, size=len(FILM), took=1.0)
        (self.data / "clips").mkdir(exist_ok=True)
        (self.data / "clips" / clip.file).write_bytes(FILM)
        for turn in (one.running(1.0), one.running(1.0).made(clip)):
            assert await self.ledger.record(turn)
        posted = turn.posted(9000 + self.count, self.clock.now)
        assert await self.ledger.record(posted)
        return posted

    async def show(self, name: str, on: bool | None = True) -> None:
        """Someone chooses whether everyone sees their clips."""
        await self.ledger.people.prefer(self.place.user(name).id, {"public": on})

    async def visit(self, name: str = "") -> Visit:
        """A browser; signed in, if a name is given."""
        jar = aiohttp.CookieJar(unsafe=True)  # an address of numbers may have cookies, too
        session = await self.stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        visit = Visit(self, session)
        if name:
            await visit.enter(name)
        return visit


@asynccontextmanager
async def hung(tmp_path: Path, place: Playground) -> AsyncIterator[Room]:
    """A gallery that is open."""
    clock, port = Clock(), free_port()
    base = f"http://127.0.0.1:{port}"
    place.world.consents.redirects.append(base + BACK)
    seals = Seals(key(tmp_path), clock)
    links = Links(base, seals, days=7)
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger.open(tmp_path / "zoetrope.db", clock=clock))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        discord = replace(Discord(), api=place.api)
        client, secret = place.world.application_id, place.world.consents.secret
        door = Door(session, discord, seals, base=base, client_id=lambda: client, secret=secret)
        room = Room(place, ledger, tmp_path, base, door, links, clock, stack)
        hall = Hall(
            ledger.gallery,
            ledger.people,
            Shelf(tmp_path),
            {},
            is_open=lambda guild, channel: guild == GUILD and channel in room.open,
            thumbnail=_thumbnail(Shelf(tmp_path)),
        )
        await stack.enter_async_context(served(Site(base, door, hall, links), "127.0.0.1", port))
        yield room


def _thumbnail(shelf: Shelf) -> Any:
    async def found(job: Job) -> Path | None:
        return shelf.thumbnail(job.clip) if job.clip else None

    return found
