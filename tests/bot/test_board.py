"""Tickets are sent until they fill their place, and a long line is not played through for each of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest

from bot.board import LOOK, PACE, SHORT, Board
from bot.client import Client
from bot.post import Post
from commands import replies
from db.ledger import Ledger
from gen.job import Asker, Job, Request, Task
from gen.outlook import Place
from tests.bot.conftest import Stage

seen = pytest.mark.asyncio(loop_scope="module")

REQUEST = Request(
    recipe="quick", task=Task.TEXT, prompt="a star", seed=1, width=64, height=64, frames=8, fps=8
)
JOB = Job(id="job", request=REQUEST, asker=Asker(user=1, channel=2), created=1_000.0)


class Line:
    """A line of so many jobs that counts how often it is looked at."""

    def __init__(self, length: int) -> None:
        self.places = [Place(replace(JOB, id=f"job{n}"), n, 0.0, 1e9 + n) for n in range(length)]
        self.looks = 0

    def __call__(self) -> list[Place]:
        self.looks += 1
        return self.places


async def opened(tmp_path: Path, line: Line, count: int, again: tuple[float, ...] = ()) -> list[str]:
    """The words of the last `count` tickets of the line, opened at one instant."""
    said: list[str] = []

    async def send(text: str, view: discord.ui.View) -> int:
        said.append(text)
        return len(said)

    def draw(job: Job, place: Place | None) -> Any:
        return replies.ticket(job, place)

    async with Client() as client, Ledger.open(tmp_path / "zoetrope.db") as ledger:
        board = Board(Post(client), ledger, line, draw, again=again, monotonic=lambda: 50.0 * LOOK)
        jobs = [place.job for place in line.places[-count:]]
        await asyncio.gather(*(board.open(job, send) for job in jobs))
    return said


async def test_a_long_line_is_played_once_for_many_tickets(tmp_path: Path) -> None:
    line = Line(5000)
    said = await opened(tmp_path, line, 200)
    assert line.looks == 1
    assert all("clips are ahead of yours" in text for text in said)


async def test_a_short_line_is_played_for_each_so_that_each_is_right(tmp_path: Path) -> None:
    line = Line(SHORT - 1)
    said = await opened(tmp_path, line, 5)
    assert line.looks == 5
    assert "94 clips are ahead of yours" in said[0]


async def test_what_discord_refuses_for_good_is_not_sent_again(tmp_path: Path) -> None:
    tries = 0

    async def send(text: str, view: discord.ui.View) -> int:
        nonlocal tries
        tries += 1
        response: Any = type("Response", (), {"status": 401, "reason": "Unauthorized"})()
        raise discord.HTTPException(response, {"code": 50027, "message": "Invalid Webhook Token"})

    async with Client() as client, Ledger.open(tmp_path / "zoetrope.db") as ledger:
        board = Board(
            Post(client), ledger, Line(1), lambda job, place: replies.ticket(job, place), again=(0.0, 0.0)
        )
        await board.open(JOB, send)
        assert tries == 1
        assert board.tickets[JOB.id].message is None  # it is sent anew, by the bot's own token

        async def cut(text: str, view: discord.ui.View) -> int:
            nonlocal tries
            tries += 1
            raise aiohttp.ServerDisconnectedError

        await board.open(replace(JOB, id="other"), cut)
        assert tries == 1 + 3


@seen
async def test_thinking_does_not_stand_however_often_the_ticket_fails(stage: Stage) -> None:
    scene = await stage.scene()
    original = "/webhooks/*/messages/@original"
    for when in ("before", "after"):
        stage.place.faults.add("PATCH", original, "reset", when=when, times=2)
    deed = await scene.ask("a stubborn ticket")
    await scene.until_done()
    assert deed.original is None  # it was the ticket, and went when the clip came
    stage.place.faults.clear()


@seen
async def test_a_ticket_that_cannot_fill_its_place_is_sent_as_a_message(stage: Stage) -> None:
    scene = await stage.scene()
    stage.place.world.token_lives, usual = 0.05, stage.place.world.token_lives
    stage.place.expect(50027, "/webhooks/*")
    stage.place.faults.add("PATCH", "/webhooks/*/messages/@original", "slow", seconds=0.3)
    await scene.ask("too late for the place", model="slow")
    await stage.place.until(lambda: len(scene.clips()) == 1)
    assert any(one.code == 50027 for one in stage.place.journal.requests("/webhooks/*"))
    stage.place.world.token_lives = usual
    stage.place.faults.clear()


@seen
async def test_a_ticket_shows_the_clip_in_the_making_and_nothing_of_one_that_does_not_come(
    stage: Stage,
) -> None:
    scene = await stage.scene()
    await scene.ask("an endless star", model="endless")
    files: dict[str, int] = {}  # how many tickets showed each picture

    def shown() -> list[Any]:
        tickets = stage.place.world.last(scene.channel, stage.place.user("Mod").id, 5)
        pictures = [file for ticket in tickets for file in ticket["attachments"]]
        files.update((file["url"], file["size"]) for file in pictures)
        return [file["filename"] for file in pictures]

    await stage.place.until(lambda: shown() == ["preview.jpg"], 40)
    await stage.place.until(lambda: shown() == ["preview.jpg"] and len(files) == 2, 40)  # it goes on
    assert all(500 < size < 60_000 for size in files.values())
    edits = [one.at for one in stage.place.journal.requests(f"/channels/{scene.channel}/*", "PATCH")]
    assert len(edits) >= 2
    assert all(later - earlier > PACE - 0.1 for earlier, later in pairwise(edits))
    await scene.person.slash(scene.channel, "cancel")
    await scene.until_text("Cancelled")
    await stage.place.until(lambda: shown() == [], 40)
    assert not list((stage.bot.data / "previews").iterdir())
