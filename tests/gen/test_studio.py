"""All that a user can ask: refused before anything is kept, or durable and in the line."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from db.ledger import Ledger
from gen import encode
from gen.courier import Courier
from gen.darkroom import Darkroom
from gen.errors import BadRequest, EngineError, LaneFull, NotAllowed, NotFound
from gen.job import Asker, Clip, Job, Picture, Request, State, Task
from gen.ports import Posted, Progress, Step
from gen.queue import Queue, Tier
from gen.recipe import shipped
from gen.shelf import Shelf
from gen.studio import Studio, Upload
from gen.worker import Worker

RECIPES = shipped(Path(__file__).parents[2] / "config.toml")
DEFAULTS = {Task.TEXT: "testcard", Task.IMAGE: "camera", Task.INTERP: "flow"}
ANN = Asker(user=1, channel=10, guild=7)
BOB = Asker(user=2, channel=10, guild=7)
SEEDS = itertools.count()
PHOTO = Upload("photo.png", b"320x200")


@dataclass
class Hands:
    """An engine that makes a clip whenever it is told to go."""

    asked: list[Request] = field(default_factory=list)
    begun: asyncio.Queue[Progress] = field(default_factory=asyncio.Queue)
    go: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    after: float = 0.0  # seconds of each clip's time in which it did not need the device

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str) -> Clip:
        self.asked.append(request)
        self.begun.put_nowait(progress)
        await self.go.acquire()
        name = f"{request.seed}-{len(self.asked)}.mp4"
        return Clip(
            file=name, width=64, height=64, frames=8, fps=8, size=1000, took=4.0, after=self.after
        )  # fmt: skip


@dataclass
class Sizes:
    """A darkroom for files that only say how large they are."""

    seen: int = 0

    async def picture(self, data: bytes, filename: str) -> Picture:
        self.seen += 1
        await asyncio.sleep(0)
        try:
            width, height = (int(side) for side in data.split(b"x"))
        except ValueError:
            raise BadRequest("{file} is no picture.", file=filename) from None
        return Picture(name=f"{data.decode()}.png", width=width, height=height)

    async def fit(self, clip: Clip, limit: int) -> Clip:
        return replace(clip, size=limit)

    async def thumbnail(self, clip: Clip) -> None:
        raise EngineError("There is nothing to see in {file}.", file=clip.file)


@dataclass
class Channel:
    """A delivery into a list."""

    posted: list[Job] = field(default_factory=list)
    ended: asyncio.Queue[Job] = field(default_factory=asyncio.Queue)

    def show(self, job: Job, step: Step | None = None) -> None:
        if job.state not in (State.WAITING, State.RUNNING):
            self.ended.put_nowait(job)

    async def take_back(self, job: Job) -> None:
        """Nothing is forgotten here."""

    async def post(self, job: Job) -> Posted:
        self.posted.append(job)
        return Posted(500 + len(self.posted), job.asker.channel)


class House:
    """Everything, as the bot wires it."""

    def __init__(self, ledger: Ledger, tier: Tier, now: Callable[[], float], data: Path = Path()) -> None:
        self.ledger = ledger
        self.engine, self.darkroom, self.channel = Hands(), Sizes(), Channel()
        self.queue = Queue({"everyone": tier})
        self.worker = Worker(self.queue, self.engine, ledger, patience=60.0, show=self.channel.show, now=now)
        self.studio = Studio(
            recipes=RECIPES,
            defaults=DEFAULTS,
            queue=self.queue,
            worker=self.worker,
            courier=Courier(self.worker.ended, self.channel, ledger, now=now),
            ledger=ledger,
            darkroom=self.darkroom,
            shelf=Shelf(data),
            chance=random.Random(next(SEEDS)),
            now=now,
        )

    async def animate(self, text: str, asker: Asker = ANN, **options: object) -> Job:
        return await self.studio.submit(Task.TEXT, text, options, [], asker)

    async def next_end(self) -> Job:
        async with asyncio.timeout(40):
            return await self.channel.ended.get()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.studio.run())
        try:
            yield
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await self.queue.aclose()


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with Ledger.open(tmp_path / "zoetrope.sqlite") as ledger:
        yield ledger


@pytest.fixture
def house(ledger: Ledger) -> House:
    return House(ledger, Tier(waiting=3, rate=100), lambda: 1000.0)


async def test_from_a_prompt_to_a_message(house: House) -> None:
    job = await house.animate("a red star -seed 7 -motion 3", aspect="1:1")
    assert job.words == "a red star -motion 3 -ar 1:1 -seed 7"
    assert await house.ledger.find(job.id) == job
    async with house.open():
        house.engine.go.release()
        posted = await house.next_end()
    assert (posted.id, posted.state, posted.message) == (job.id, State.POSTED, 501)
    assert await house.studio.find(job.id) == posted
    assert await house.studio.by_message(501) == posted
    assert await house.studio.history(1) == [posted]
    assert house.engine.asked == [job.request]
    assert (job.request.seed, job.request.width, job.request.height) == (7, 480, 480)


async def test_a_clip_has_a_thumbnail_while_its_file_is_there(ledger: Ledger, tmp_path: Path) -> None:
    house = House(ledger, Tier(waiting=3, rate=100), lambda: 1000.0, tmp_path)
    await house.animate("a red star")
    async with house.open():
        house.engine.go.release()
        job = await house.next_end()
    assert job.clip
    assert await house.studio.thumbnail(job) is None
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / job.clip.file).touch()
    assert await house.studio.thumbnail(job) is None  # nothing is to be seen in it
    (tmp_path / "thumbs").mkdir()
    thumb = tmp_path / "thumbs" / Path(job.clip.file).with_suffix(".jpg").name
    thumb.touch()
    assert await house.studio.thumbnail(job) == thumb
    await house.studio.forget(ANN.user)
    assert not thumb.exists()
    assert await house.studio.thumbnail(job) is None


async def test_pictures_go_through_the_darkroom(house: House) -> None:
    job = await house.studio.submit(Task.IMAGE, "-camera zoom in", {}, [PHOTO], ANN)
    assert job.request.images == ("320x200.png",)
    assert job.request.camera == ("zoom in",)
    assert job.request.width > job.request.height


@pytest.mark.parametrize(
    ("task", "text", "options", "uploads", "said"),
    [
        (Task.TEXT, "a star -fps 99", {}, [], "-fps takes"),
        (Task.TEXT, "a star", {"motion": 9.0}, [], "-motion takes"),
        (Task.TEXT, "a star -model camera", {}, [], "another command"),
        (Task.TEXT, "-seed 5", {}, [], "no words"),
        (Task.TEXT, "a star -seconds 20", {}, [], "testcard takes -seconds from 0.5 to 10, not 20"),
        (Task.IMAGE, "", {}, [Upload("notes.png", b"%PDF")], "notes.png is no picture"),
        (Task.INTERP, "", {}, [PHOTO], "2, not 1"),
    ],
)
async def test_a_refusal_keeps_nothing(
    house: House, task: Task, text: str, options: dict[str, object], uploads: list[Upload], said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        await house.studio.submit(task, text, options, uploads, ANN)
    assert await house.studio.history(1) == []
    assert len(house.queue) == 0
    house.queue.take(1, 7, "everyone").__enter__()  # no seat is lost
    house.queue.take(1, 7, "everyone").__enter__()
    house.queue.can_take(1, 7, "everyone")


async def test_many_commands_at_once_share_no_seat_and_no_darkroom(house: House) -> None:
    asked = [house.studio.submit(Task.IMAGE, "", {}, [PHOTO], ANN) for _ in range(20)]
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(end, Job) for end in ends) == 3
    assert sum(isinstance(end, LaneFull) for end in ends) == 17
    assert house.darkroom.seen == 3
    assert len(await house.ledger.unfinished()) == 3


async def test_a_reroll_is_the_same_with_another_seed(house: House) -> None:
    parent = await house.animate("a star -seed 7 -motion 2")
    child = await house.studio.reroll(parent.id, BOB)
    assert child.parent == parent.id
    assert child.asker == BOB
    assert child.words == "a star -motion 2"
    assert child.request.seed != 7
    assert replace(child.request, seed=7) == parent.request
    grandchild = await house.studio.reroll(child.id, BOB)
    assert grandchild.request.seed not in (7, child.request.seed)


async def test_the_longest_request_can_be_rolled_again(house: House) -> None:
    parent = await house.animate("x" * 1500, negative="y" * 1500, seed=4_294_967_295)
    assert (await house.studio.reroll(parent.id, ANN)).request.prompt == "x" * 1500


async def test_a_remix_says_something_else_with_the_same_picture(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (320, 200)).save(tmp_path / "pictures" / "320x200.png")
    house = House(ledger, Tier(waiting=3), lambda: 1000.0, tmp_path)
    parent = await house.studio.submit(Task.IMAGE, "the sea -camera zoom in -seed 7", {}, [PHOTO], ANN)
    child = await house.studio.remix(parent.id, "the sea -camera zoom out -seed 7", BOB)
    assert (child.parent, child.asker, child.request.seed) == (parent.id, BOB, 7)
    assert child.request == replace(parent.request, camera=("zoom out",))
    assert await house.studio.children(parent.id) == [child]
    with pytest.raises(BadRequest, match="-motion takes"):
        await house.studio.remix(parent.id, "the sea -motion 9", BOB)
    (tmp_path / "pictures" / "320x200.png").unlink()
    with pytest.raises(BadRequest, match="no longer kept; send it again"):
        await house.studio.remix(parent.id, "the sea", BOB)
    assert len(house.queue) == 2


async def test_a_remix_keeps_the_model_unless_it_names_another(house: House) -> None:
    other = replace(RECIPES["testcard"], name="other")
    house.studio.recipes = {**RECIPES, "other": other}
    parent = await house.animate("a star -model other")
    assert (await house.studio.remix(parent.id, "a moon", ANN)).request.recipe == "other"
    assert (await house.studio.remix(parent.id, "a moon -model testcard", ANN)).request.recipe == "testcard"


async def test_a_favourite_is_turned_on_and_off(house: House) -> None:
    job = await house.animate("a star")
    assert await house.studio.keep(2, job.id)
    assert [one.id for one in await house.studio.history(2, favourites=True)] == [job.id]
    assert not await house.studio.keep(2, job.id)
    assert not await house.studio.keep(2, job.id, False)
    with pytest.raises(NotFound):
        await house.studio.keep(2, "nonesuch")


async def test_a_clip_is_found_on_the_shelf_while_it_is_kept(ledger: Ledger, tmp_path: Path) -> None:
    house = House(ledger, Tier(), lambda: 1000.0, tmp_path)
    job = await house.animate("a star")
    assert await house.studio.file(job, 10_000) is None
    clip = Clip(file="x.mp4", width=64, height=64, frames=8, fps=8, size=3, took=4.0)
    made = job.running(1001.0).made(clip)
    assert await house.studio.file(made, 10_000) is None
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "x.mp4").write_bytes(b"abc")
    assert await house.studio.file(made, 10_000) == tmp_path / "clips" / "x.mp4"


async def test_a_smaller_copy_is_made_once_for_all_who_ask(ledger: Ledger, tmp_path: Path) -> None:
    """With a real darkroom and a real clip."""
    house = House(ledger, Tier(), lambda: 1000.0, tmp_path)
    (tmp_path / "clips").mkdir()
    rough = np.random.default_rng(1).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    film = encode.write(rough, 12, tmp_path / "clips" / "x.mp4", limit=10**8, about={})
    job = await house.animate("a star")
    running = job.running(1001.0)
    assert await ledger.record(running)
    made = running.made(Clip(file="x.mp4", width=96, height=64, frames=12, fps=12, size=film.size, took=4.0))
    assert await ledger.record(made)
    async with Darkroom(tmp_path, environ=os.environ) as house.studio.darkroom:
        half = film.size // 2
        first, second = await asyncio.gather(house.studio.file(made, half), house.studio.file(made, half))
        assert first and first == second and first.stat().st_size <= half
        assert len(list((tmp_path / "clips").iterdir())) == 2
        first.unlink()  # as housekeeping may
        third = await house.studio.file(made, half)
        assert third and third.is_file() and third != first
    assert await house.studio.forget(ANN.user) == 1
    assert not list((tmp_path / "clips").iterdir())


async def test_a_reroll_of_words_that_are_no_longer_understood_is_of_the_prompt(house: House) -> None:
    parent = await house.animate("a star")
    old = replace(parent, id="oldwords00", words="a star -warp 9")
    await house.studio.ledger.add(old)
    child = await house.studio.reroll(old.id, BOB)
    assert (child.words, child.request.prompt) == ("a star", "a star")


async def test_a_reroll_takes_the_pressers_own_seat(house: House) -> None:
    parent = await house.animate("a star")
    for _ in range(2):
        await house.studio.reroll(parent.id, ANN)
    with pytest.raises(LaneFull):
        await house.studio.reroll(parent.id, ANN)
    await house.studio.reroll(parent.id, BOB)
    with pytest.raises(NotFound, match="There is no clip nowhere here"):
        await house.studio.reroll("nowhere", BOB)


# --- the line


async def test_a_waiting_job_is_cancelled_by_its_owner_or_a_moderator(house: House) -> None:
    one, two = await house.animate("one"), await house.animate("two")
    with pytest.raises(NotAllowed):
        await house.studio.cancel(one.id, user=2)
    assert (await house.studio.cancel(one.id, user=1)).state is State.CANCELLED
    assert (await house.studio.cancel(two.id, user=2, any_owner=True)).state is State.CANCELLED
    assert await house.ledger.unfinished() == []
    async with house.open():
        assert {(await house.next_end()).id for _ in range(2)} == {one.id, two.id}
        assert (await house.studio.cancel(one.id, user=1)).state is State.CANCELLED  # said twice
    assert house.engine.asked == []


async def test_a_running_job_is_cancelled(house: House) -> None:
    async with house.open():
        job, other = await house.animate("one"), await house.animate("two", BOB)
        await house.engine.begun.get()
        assert (await house.studio.cancel(job.id, user=1)).state is State.CANCELLED
        assert (await house.next_end()).state is State.CANCELLED
        house.engine.go.release()
        assert (await house.next_end()).id == other.id
    assert [posted.id for posted in house.channel.posted] == [other.id]


async def test_a_cancel_at_every_moment_of_a_job_ends_it_once(ledger: Ledger) -> None:
    seen = set()
    for moment in range(40):
        house = House(ledger, Tier(), lambda: 1000.0)
        house.engine.go.release()
        async with house.open():
            job = await house.animate("a star")
            for _ in range(moment):
                await asyncio.sleep(0)
            said = await house.studio.cancel(job.id, user=1)
            ended = await house.next_end()
        seen.add(ended.state)
        assert ended.state in (State.CANCELLED, State.POSTED)
        assert (
            said.state is State.CANCELLED
            if ended.state is State.CANCELLED
            else said.state is not State.WAITING
        )
        assert len(house.channel.posted) == (ended.state is State.POSTED)
        assert await ledger.find(job.id) == ended
    assert State.CANCELLED in seen


async def test_places_are_the_line_as_it_is_served(house: House) -> None:
    async with house.open():
        jobs = [await house.animate("a"), await house.animate("b"), await house.animate("c", BOB)]
        progress = await house.engine.begun.get()
        places = house.studio.places()
        assert [place.job.id for place in places] == [jobs[0].id, jobs[2].id, jobs[1].id]
        assert [place.ahead for place in places] == [0, 1, 2]
        assert [(place.starts, place.ends) for place in places] == [(1000, 1020), (1020, 1040), (1040, 1060)]
        assert house.studio.place(jobs[1].id) == places[2]
        assert house.studio.place("nowhere") is None
        progress(Step("making", 3, 4))
        assert house.studio.places()[0].step == Step("making", 3, 4)
        house.engine.go.release()
        await house.next_end()
        await house.engine.begun.get()
        assert [place.ends for place in house.studio.places()] == [1004, 1008]  # learned from the first


async def test_the_next_clip_does_not_wait_for_a_file(ledger: Ledger) -> None:
    clock = [1000.0]
    house = House(ledger, Tier(waiting=10), lambda: clock[0])
    house.engine.after = 1.0  # of the four seconds that a clip takes
    async with house.open():
        await house.animate("the first, by which the pace is learned")
        await house.engine.begun.get()
        house.engine.go.release()
        await house.next_end()
        one, two = await house.animate("one"), await house.animate("two")
        three = await house.animate("three", BOB)
        progress = await house.engine.begun.get()
        places = house.studio.places()
        assert [place.job.id for place in places] == [one.id, three.id, two.id]
        assert [(place.ahead, place.starts, place.ends) for place in places] == [
            (0, 1000, 1004), (1, 1003, 1007), (2, 1006, 1010),
        ]  # fmt: skip
        clock[0] = 1003.0
        progress(Step("encoding", 0, 8))
        await house.engine.begun.get()  # the next one's frames
        places = house.studio.places()
        assert [place.job.id for place in places] == [one.id, three.id, two.id]
        assert [(place.ahead, place.starts, place.ends) for place in places] == [
            (0, 1000, 1004), (0, 1003, 1007), (2, 1006, 1010),
        ]  # fmt: skip
        assert [place.job.state for place in places] == [State.RUNNING, State.RUNNING, State.WAITING]
        house.studio.promise("testcard", ANN, 14.0)
        with pytest.raises(NotAllowed, match="ready in about 1 minutes"):
            house.studio.promise("testcard", ANN, 9.0)


async def test_where_files_take_longer_than_frames_they_set_the_pace(ledger: Ledger) -> None:
    house = House(ledger, Tier(waiting=10), lambda: 1000.0)
    house.engine.after = 3.0  # of the four seconds that a clip takes
    async with house.open():
        await house.animate("the first, by which the pace is learned")
        await house.engine.begun.get()
        house.engine.go.release()
        await house.next_end()
        for name in "abc":
            await house.animate(name)
        await house.engine.begun.get()
        assert [place.ends for place in house.studio.places()] == [1004, 1007, 1010]


async def test_the_clip_in_the_lab_and_the_next_one_are_both_taken_up_after_a_stop(ledger: Ledger) -> None:
    ticks = itertools.count(1000)
    before = House(ledger, Tier(waiting=10), lambda: float(next(ticks)))
    async with before.open():
        one, two = await before.animate("one"), await before.animate("two")
        progress = await before.engine.begun.get()
        progress(Step("encoding", 1, 8))
        await before.engine.begun.get()
    after = House(ledger, Tier(), lambda: 2000.0)
    resumed = await after.studio.resume()
    assert [(job.id, job.state) for job in resumed] == [(one.id, State.WAITING), (two.id, State.WAITING)]
    async with after.open():
        after.engine.go.release()
        after.engine.go.release()
        ends = [await after.next_end() for _ in range(2)]
    assert [(end.id, end.state, end.attempts) for end in ends] == [
        (one.id, State.POSTED, 1), (two.id, State.POSTED, 1),
    ]  # fmt: skip


# --- life


async def test_the_line_is_rebuilt_after_a_stop(ledger: Ledger) -> None:
    ticks = itertools.count(1000)
    before = House(ledger, Tier(waiting=10), lambda: float(next(ticks)))
    async with before.open():
        jobs = [await before.animate("a"), await before.animate("b"), await before.animate("c", BOB)]
        await before.engine.begun.get()
    made = Job(id="made", request=jobs[0].request, asker=BOB, created=990.0)
    await ledger.add(made)
    clip = Clip(file="a.mp4", width=64, height=64, frames=8, fps=8, size=10, took=3.0)
    assert await ledger.record(made.running(991.0))
    assert await ledger.record(made.running(991.0).made(clip))

    after = House(ledger, Tier(waiting=1), lambda: 2000.0)
    resumed = await after.studio.resume()
    assert [job.id for job in resumed] == ["made", jobs[0].id, jobs[1].id, jobs[2].id]
    assert [job.state for job in resumed] == [State.MADE, State.WAITING, State.WAITING, State.WAITING]
    for _ in jobs:
        after.engine.go.release()
    async with after.open():
        ends = [await after.next_end() for _ in range(4)]
    assert {end.state for end in ends} == {State.POSTED}
    assert [job.id for job in after.channel.posted].count("made") == 1
    assert len(after.channel.posted) == 4
    assert [request.prompt for request in after.engine.asked] == ["a", "c", "b"]
    assert await ledger.unfinished() == []


async def test_a_clip_that_ends_the_bot_again_and_again_is_given_up(ledger: Ledger) -> None:
    await House(ledger, Tier(), lambda: 1000.0).animate("a star")
    runs = 0
    while True:
        house = House(ledger, Tier(), lambda: 1000.0)
        (job,) = await house.studio.resume()
        async with house.open():
            if job.state is State.FAILED:
                ended = await house.next_end()
                break
            await house.engine.begun.get()
        # Asked to stop, it puts the job back; killed, it would not have.
        assert [one.state for one in await ledger.unfinished()] == [State.WAITING]
        assert await ledger.record(job.running(1000.0))
        runs += 1
    assert runs == 3
    assert ended.failure and str(ended.failure.error()) == "The bot stopped 3 times while it made this clip."
    assert ended.attempts == 3
    assert await ledger.unfinished() == []
