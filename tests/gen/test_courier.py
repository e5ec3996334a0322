"""The courier posts each clip once, tries again when it may help, and never holds the device."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from commands.replies import link
from db.ledger import Ledger
from gen.courier import WAITS, Courier
from gen.errors import EngineError, Undeliverable, Unreachable
from gen.job import Asker, Clip, Job, Request, State, Task
from gen.ports import Posted, Step

REQUEST = Request(
    recipe="testcard", task=Task.TEXT, prompt="a cat", seed=1, width=64, height=64, frames=8, fps=8
)
CLIP = Clip(file="a.mp4", width=64, height=64, frames=8, fps=8, size=1000, took=2.0)


@dataclass
class Channel:
    """A delivery into a list; `acts` are its bad days, the first first."""

    acts: list[Any] = field(default_factory=list)
    place: int = 2  # the channel that takes the clips
    posted: list[str] = field(default_factory=list)
    shown: list[State] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    under_way: int = 0
    most: int = 0

    def show(self, job: Job, step: Step | None = None) -> None:
        self.shown.append(job.state)
        self.heard.put_nowait(job.state)

    async def take_back(self, job: Job) -> None:
        self.posted.remove(job.id)

    async def post(self, job: Job) -> Posted:
        act = self.acts.pop(0) if self.acts else None
        if isinstance(act, Exception):
            raise act
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.heard.put_nowait("upload")
        try:
            if act:
                await self.open.wait()
        finally:
            self.under_way -= 1
        self.posted.append(job.id)
        return Posted(100 + len(self.posted), self.place)


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with Ledger.open(tmp_path / "zoetrope.sqlite") as ledger:
        yield ledger


def courier(ledger: Ledger, *acts: Any, waits: tuple[float, ...] = (0.0, 0.0)) -> tuple[Courier, Channel]:
    channel = Channel(list(acts))
    return Courier(asyncio.Queue(), channel, ledger, waits=waits, hands=2, now=lambda: 1000.0), channel


async def made(ledger: Ledger, name: str = "one") -> Job:
    job = Job(id=name, request=REQUEST, asker=Asker(user=1, channel=2), created=900.0)
    await ledger.add(job)
    running = job.running(910.0)
    ended = running.made(CLIP)
    assert await ledger.record(running)
    assert await ledger.record(ended)
    return ended


async def test_a_clip_is_posted_and_written(ledger: Ledger) -> None:
    it, channel = courier(ledger)
    posted = await it.deliver(await made(ledger))
    assert (posted.state, posted.message, posted.ended) == (State.POSTED, 101, 1000.0)
    assert await ledger.find("one") == posted
    assert channel.shown == [State.POSTED]


async def test_what_ended_without_a_clip_is_only_shown(ledger: Ledger) -> None:
    it, channel = courier(ledger)
    job = Job(id="one", request=REQUEST, asker=Asker(user=1, channel=2), created=900.0)
    await it.deliver(job.cancelled(950.0))
    await it.deliver(job.failed(EngineError("No."), 950.0))
    assert channel.posted == []
    assert channel.shown == [State.CANCELLED, State.FAILED]


async def test_it_tries_again(ledger: Ledger) -> None:
    it, channel = courier(ledger, Undeliverable("502"), ZeroDivisionError("oops"))
    assert (await it.deliver(await made(ledger))).state is State.POSTED
    assert channel.posted == ["one"]


async def test_a_clip_that_nobody_takes_is_kept(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    it, channel = courier(ledger, *[Undeliverable("502")] * 3)
    with caplog.at_level(logging.WARNING):
        kept = await it.deliver(await made(ledger))
    assert kept.state is State.MADE
    assert [job.id for job in await ledger.unfinished()] == ["one"]
    assert channel.shown == [State.MADE]
    assert caplog.text.count("not delivered yet") == 3


async def test_a_clip_that_has_no_place_left_is_not_tried_again(ledger: Ledger) -> None:
    it, channel = courier(ledger, Unreachable("The channel is gone."))
    ended = await it.deliver(await made(ledger))
    assert ended.failure and str(ended.failure.error()) == "The channel is gone."
    assert ended.clip == CLIP  # kept, and found in the history
    assert await ledger.find("one") == ended
    assert channel.posted == []


async def test_a_job_forgotten_on_the_way_is_as_the_ledger_says(ledger: Ledger) -> None:
    it, channel = courier(ledger)
    job = await made(ledger)
    elsewhere = job.posted(77, 990.0)
    assert await ledger.record(elsewhere)
    assert await it.deliver(job) == elsewhere
    assert channel.posted == ["one"]


async def test_what_was_forgotten_is_not_posted(ledger: Ledger) -> None:
    it, channel = courier(ledger, Unreachable("The clip's file is no longer there."))
    job = await made(ledger)
    await ledger.people.forget(1)
    assert (await it.deliver(job)).state is State.CANCELLED
    assert (channel.posted, channel.shown) == ([], [State.CANCELLED])  # and no failure is said
    assert channel.acts  # nor was it tried


async def test_what_was_forgotten_on_its_way_up_is_taken_back(ledger: Ledger) -> None:
    it, channel = courier(ledger, "slow")
    delivering = asyncio.create_task(it.deliver(await made(ledger)))
    async with asyncio.timeout(40):
        assert await channel.heard.get() == "upload"
    await ledger.people.forget(1)
    channel.open.set()
    assert (await delivering).state is State.CANCELLED
    assert (channel.posted, channel.shown) == ([], [State.CANCELLED])


async def test_a_clip_that_nobody_got_is_not_charged(ledger: Ledger) -> None:
    refunded: list[str] = []
    it, _ = courier(ledger, Unreachable("The channel is gone."))
    it.refund = lambda job: refunded.append(job.id)
    await it.deliver(await made(ledger))
    await it.deliver(await made(ledger, "two"))
    assert refunded == ["one"]


async def test_an_upload_holds_nothing_but_its_own_hand(ledger: Ledger) -> None:
    it, channel = courier(ledger, "slow", "slow")
    serving = asyncio.create_task(it.serve())
    jobs = [await made(ledger, name) for name in ("one", "two", "three")]
    for job in jobs:
        it.ended.put_nowait(job)
    it.ended.put_nowait(
        Job(id="x", request=REQUEST, asker=Asker(user=1, channel=2), created=1.0).cancelled(2.0)
    )
    async with asyncio.timeout(40):  # the cancelled one passes the third, which has no hand yet
        assert sorted([await channel.heard.get() for _ in range(3)]) == ["cancelled", "upload", "upload"]
    assert (channel.under_way, channel.shown, channel.posted) == (2, [State.CANCELLED], [])
    channel.open.set()
    async with asyncio.timeout(40):
        assert sorted([await channel.heard.get() for _ in range(4)]) == [
            "posted",
            "posted",
            "posted",
            "upload",
        ]
    assert sorted(channel.posted) == ["one", "three", "two"]
    assert channel.most == 2
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def test_shutdown_in_the_middle_leaves_the_clip_to_the_next_start(ledger: Ledger) -> None:
    it, channel = courier(ledger, "slow")
    serving = asyncio.create_task(it.serve())
    it.ended.put_nowait(await made(ledger))
    async with asyncio.timeout(40):
        assert await channel.heard.get() == "upload"
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert [job.state for job in await ledger.unfinished()] == [State.MADE]


def test_it_does_not_give_up_within_a_day() -> None:
    assert sum(WAITS) > 24 * 3600
    assert list(WAITS) == sorted(WAITS)


async def test_a_clip_that_went_elsewhere_is_found_there(ledger: Ledger) -> None:
    one, channel = courier(ledger)
    channel.place = 77
    await one.deliver(await made(ledger))
    found = await ledger.find("one")
    assert found is not None
    assert found.channel == 77
    assert found.asker.channel == 2
    assert link(found) == f"https://discord.com/channels/@me/77/{found.message}"
