"""A ticket's bad days: bugs, deletions, deaths, a Discord that is away; the end is said all the same."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.stage import recipe, shipped
from bot.board import DRAWN, HOUR, PACE, Board, Ticket
from bot.client import Client
from bot.post import Post
from commands import replies
from db.ledger import Ledger
from gen.job import Job, State
from playground.server import Playground
from tests.bot.test_board import JOB, Line
from tests.running import Bot, Held, clips, running

MODELS = recipe("slow", step_seconds=0.2) + recipe("hungry", oom_at=2)


def settings(folder: Path) -> Path:
    path = folder / "config.toml"
    path.write_text(shipped() + MODELS, "utf-8")
    return path


async def test_a_bug_in_a_ticket_ends_that_ticket_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def sent(text: str, view: Any) -> int:
        return 7

    def draw(job: Job, place: Any) -> Any:
        if job.id == "odd":
            raise ValueError("no words for it")
        return replies.ticket(job, place)

    async with Client() as client, Ledger.open(tmp_path / "zoetrope.db") as ledger:
        board = Board(Post(client), ledger, Line(1), draw)
        good = replace(JOB, id="good")
        await board.open(good, sent)
        # What cannot be drawn, and what meets a client that was never connected: a bug in a request.
        board.adopt([replace(JOB, id="odd"), replace(JOB, id="lost", asker=replace(JOB.asker, channel=3))])
        serving = asyncio.create_task(board.serve())
        async with asyncio.timeout(40):
            while set(board.tickets) != {"good"} and not serving.done():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        assert not serving.done()
        assert set(board.tickets) == {"good"}
        assert caplog.text.count("Traceback") >= 2
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving


async def test_a_long_line_that_stands_still_is_drawn_in_turns(tmp_path: Path) -> None:
    drawn: list[str] = []

    def draw(job: Job, place: Any) -> Any:
        drawn.append(job.id)
        return "the same", replies.ticket(job, place)[1]

    line, now = Line(3 * DRAWN), 100.0
    async with Client() as client, Ledger.open(tmp_path / "zoetrope.db") as ledger:
        board = Board(Post(client), ledger, line, draw, monotonic=lambda: now)
        jobs = [place.job for place in line.places]
        board.tickets = {job.id: Ticket(job, message=1, shown="the same") for job in jobs}
        async with asyncio.TaskGroup() as group:
            for number in (1, 2, 3):
                board._refresh(group)
                assert len(drawn) == number * DRAWN
        assert sorted(drawn) == sorted(board.tickets)  # each had its turn before any had two


async def test_last_words_are_tried_for_an_hour_with_growing_waits(tmp_path: Path) -> None:
    now = 0.0
    async with Client() as client, Ledger.open(tmp_path / "zoetrope.db") as ledger:
        board = Board(Post(client), ledger, Line(1), replies.ticket, monotonic=lambda: now)
        ticket = board.tickets[JOB.id] = Ticket(replace(JOB, state=State.FAILED), message=1)
        waits = []
        while JOB.id in board.tickets:
            board._put_off(ticket, PACE)
            waits.append(ticket.due - now)
            now = ticket.due
        assert waits == sorted(waits)
        assert HOUR < sum(waits[:-1]) < HOUR + 600
        assert len(waits) < 30


async def test_a_failure_is_said_though_its_ticket_was_deleted_and_goes_with_the_persons_data(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, settings(tmp_path)) as (place, _):
        place.expect(10008, "/channels/*/messages/*")
        ada, channel = place.person("Ada"), place.channel("clips")
        await ada.slash(channel, "animate", {"prompt": "first", "model": "slow", "seconds": 2.0})
        await ada.slash(channel, "animate", {"prompt": "a dark plum", "model": "hungry"})

        def about() -> list[Any]:
            said = place.world.last(channel, place.user("Mod").id, 100)
            return [one for one in said if "a dark plum" in one["content"] and one["components"]]

        await place.until(lambda: len(about()) == 1)
        await place.person("Mod").delete(int(about()[0]["id"]))
        await place.until(lambda: any("memory" in one["content"] for one in about()))
        assert len(about()) == 1

        await ada.slash(channel, "privacy delete")

        def asked() -> list[Any]:
            said = place.world.last(channel, ada.id, 100)
            return [one for one in said if f"forget:{ada.id}" in str(one["components"])]

        await place.until(lambda: bool(asked()))
        await ada.press(int(asked()[0]["id"]), f"forget:{ada.id}")
        await place.until(lambda: not about())


async def test_a_clip_on_its_way_up_goes_with_the_persons_data(tmp_path: Path) -> None:
    async with running(tmp_path, settings(tmp_path)) as (place, _):
        ada, channel = place.person("Ada"), place.channel("clips")
        held = Held()
        path = f"/channels/{channel}/messages"
        place.faults.add("POST", path, held.pass_by, when="after")
        await ada.slash(channel, "animate", {"prompt": "a dark plum"})
        await place.until(lambda: clips(place, channel))
        deed = await ada.slash(channel, "privacy delete")
        message = await deed.message()
        await ada.press(int(message["id"]), f"forget:{ada.id}")
        ledger = tmp_path / "bot" / "zoetrope.db"
        await place.until(lambda: not count(ledger))
        assert clips(place, channel)
        held.let_go()
        await place.until(lambda: not clips(place, channel))
        said = place.world.last(channel, ada.id, 100)
        assert not [one for one in said if "a dark plum" in one["content"]]


def count(ledger: Path) -> int:
    """How many jobs are written."""
    with closing(sqlite3.connect(ledger)) as connection:
        return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])


async def test_a_death_at_the_private_door_leaves_no_moment_behind(tmp_path: Path) -> None:
    async with running(tmp_path, settings(tmp_path)) as (place, bot):
        ada, channel = place.person("Ada"), place.channel("clips")
        door = await ada.direct()

        def said() -> list[str]:
            return [one["content"] for one in place.world.last(door, ada.id, 50)]

        def die() -> bool:
            assert bot.process
            bot.process.kill()
            return True

        place.faults.add("PATCH", f"/channels/{door}/messages/*", die)
        await ada.slash(channel, "animate", {"prompt": "a", "private": True, "model": "slow", "seconds": 2.0})
        assert bot.process
        await bot.process.wait()
        place.faults.clear()
        before = [int(one["id"]) for one in await ada.history(door)]
        assert len(before) == 1  # the knock
        await bot.start()
        await place.until(lambda: any("step" in text or "ready" in text for text in said()))
        assert [int(one["id"]) for one in await ada.history(door)] == before
        await place.until(lambda: len(said()) == 1 and "One moment" not in said()[0])


async def test_a_clip_that_waited_in_a_busy_channel_is_found_after_a_death(tmp_path: Path) -> None:
    async with running(tmp_path, settings(tmp_path)) as (place, bot):
        ada, channel = place.person("Ada"), place.channel("clips")
        place.world.nonce_lives = 0.0  # Discord remembers nonces for minutes, a job may wait for hours
        await ada.slash(channel, "animate", {"prompt": "long awaited", "model": "slow", "seconds": 2.0})

        def die() -> bool:
            assert bot.process
            bot.process.kill()
            return True

        place.faults.add("POST", f"/channels/{channel}/messages", die, when="after")
        for number in range(600):
            await ada.say(channel, f"talk {number}")
        assert bot.process
        assert bot.process.returncode is None
        await bot.process.wait()
        place.faults.clear()
        await bot.start()
        await place.until(lambda: bool(place.journal.requests("*/reactions/*", "PUT")))
        assert len(clips(place, channel)) == 1


async def test_a_bug_behind_a_reaction_is_logged_and_said(tmp_path: Path) -> None:
    async with Playground(tmp_path / "discord") as place:
        bot = Bot(place, tmp_path / "bot", settings(tmp_path))
        try:
            await bot.start()
            ada, channel = place.person("Ada"), place.channel("clips")
            await ada.slash(channel, "animate", {"prompt": "a star", "model": "slow"})
            await place.until(lambda: bool(place.journal.requests("*/reactions/*", "PUT")))
            with closing(sqlite3.connect(tmp_path / "bot" / "zoetrope.db")) as ledger:
                ledger.execute("UPDATE jobs SET request = '{}'")  # as no version of the program writes it
                ledger.commit()
            await ada.react(int(clips(place, channel)[0]["id"]), "🔁")
            door = await ada.direct()
            await place.until(lambda: bool(place.world.last(door, ada.id, 5)))
            assert "Something broke inside the bot" in place.world.last(door, ada.id, 5)[0]["content"]
            assert "Traceback" in bot.words
            assert await bot.stop() == 0
        finally:
            if bot.process and bot.process.returncode is None:
                await bot.kill()
