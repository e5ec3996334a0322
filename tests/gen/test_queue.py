"""The line is fair in any order of arrivals, cancels and weights, and its forecast is what happens."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gen.errors import LaneFull, Misconfigured, NotAllowed
from gen.job import Asker, Job, Request, Task
from gen.queue import Cap, Queue, Tier
from gen.turn import OVERTAKEN, Warmth, rank

BUSY = Tier(waiting=10_000, rate=10_000)
REQUEST = Request(
    recipe="testcard", task=Task.TEXT, prompt="a cat", seed=1, width=64, height=64, frames=8, fps=8
)
IDS = itertools.count()


def a_job(user: int, tier: str = "everyone", guild: int | None = None, recipe: str = REQUEST.recipe) -> Job:
    asker = Asker(user=user, channel=1, guild=guild, tier=tier)
    request = replace(REQUEST, recipe=recipe)
    return Job(id=f"{user}-{next(IDS)}", request=request, asker=asker, created=0.0)


def second(job: Job) -> float:
    return 1.0


@dataclass
class Watch:
    """What a job has had to wait behind since it came, by user."""

    job: Job
    behind: Counter[int] = field(default_factory=Counter)


#: Models that take their time to load, and one that does not.
MODELS = ("wan", "svd", "wan", "svd", "testcard", "ltx")


class Story:
    """A queue, the clip being made, and the watches of those who have one clip in the line."""

    def __init__(
        self, weights: dict[int, float], throttled: frozenset[int] = frozenset(), *, kept: int = 0
    ) -> None:
        """`kept` is how many models are loaded at once; 0: none takes time to load."""
        self.weights = weights
        self.throttled = throttled
        self.warmth = Warmth(frozenset({"wan", "svd", "ltx"} if kept else ()), max(kept, 1))
        self.queue = Queue({str(user): self.tier(user) for user in weights}, warmth=lambda: self.warmth)
        self.watches: dict[str, Watch] = {}
        self.making: Job | None = None
        self.alive: list[Job] = []

    def tier(self, user: int) -> Tier:
        rate, period = (1, 0.003) if user in self.throttled else (10_000, 60.0)
        return Tier(10_000, rate, period, self.weights[user])

    def put(self, number: int) -> None:
        user = number % len(self.weights)
        job = a_job(user, str(user), recipe=MODELS[number // len(self.weights) % len(MODELS)])
        if not self.queue.waiting(user) and user not in self.throttled:
            self.watches[job.id] = Watch(job, Counter([self.making.asker.user] if self.making else []))
        self.queue.put(job)
        self.alive.append(job)

    def cancel(self, number: int) -> None:
        if self.alive:
            job = self.alive.pop(number % len(self.alive))
            assert self.queue.remove(job.id) == job
            self.watches.pop(job.id, None)

    def die(self) -> None:
        """The engine does; its models are gone."""
        self.making = None
        self.warmth = replace(self.warmth, names=())

    async def get(self) -> Job | None:
        if self.making:
            self.warmth = self.warmth.after(self.making)
            self.making = None
        if not self.alive:
            return None
        job = await self.queue.get()
        first = next(one for one in self.alive if one.asker == job.asker)
        assert job == first, "each lane keeps its order"
        self.alive.remove(job)
        self.making = job
        if watch := self.watches.pop(job.id, None):
            self.judge(watch)
        for watch in self.watches.values():
            watch.behind[job.asker.user] += 1
        return job

    def judge(self, watch: Watch) -> None:
        mine = min(1.0, self.weights[watch.job.asker.user])
        for user, count in watch.behind.items():
            if user != watch.job.asker.user:
                assert count <= math.ceil(self.weights[user] / mine), (watch, self.queue)

    async def play(self, deeds: list[tuple[str, int]], breath: float = 0.0) -> None:
        for deed, number in deeds:
            match deed:
                case "put":
                    self.put(number)
                case "cancel":
                    self.cancel(number)
                case "breathe":
                    await asyncio.sleep(breath)
                case "die":
                    self.die()
                case "get":
                    await self.get()

    async def end(self) -> None:
        """Nobody starves."""
        while self.alive:
            await self.get()
        assert len(self.queue) == 0
        assert not self.watches
        await self.queue.aclose()


WEIGHTS = st.sampled_from([1.0, 1.0, 1.0, 2.0, 3.0, 10.0, 1.5, 2.5, 7.3, 0.5])
KEPT = st.sampled_from([0, 1, 1, 1, 2])
PUT = st.tuples(st.just("put"), st.integers(0, 29))
GET = st.tuples(st.just("get"), st.just(0))
DEEDS = st.one_of(
    PUT,
    GET,
    PUT.map(lambda put: ("put", put[1] % 20)),
    GET,
    st.tuples(st.just("cancel"), st.integers(0, 100)),
    st.tuples(st.just("breathe"), st.just(0)),  # else all comes within one turn of the event loop
    st.tuples(st.just("die"), st.just(0)),
)
#: A line of some length, and then this and that.
DAYS = st.builds(lambda line, deeds: line + deeds, st.lists(PUT, max_size=20), st.lists(DEEDS, max_size=60))
PEOPLE = st.lists(WEIGHTS, min_size=5, max_size=5)


#: Who overtook with one clip stands no further back with the next than others do.
AHEAD = [("put", number) for number in (0, 0, 4, 9, 4, 4)] + [("get", 0)] * 3 + [("put", 0)]


@settings(max_examples=300, deadline=None)
@example([0.5, 1.0, 1.0, 1.0, 1.0], AHEAD, 1)
@given(PEOPLE, DAYS, KEPT)
def test_one_clip_waits_for_no_more_than_a_turn_of_each_other_user(
    weights: list[float], deeds: list[tuple[str, int]], kept: int
) -> None:
    async def play() -> None:
        story = Story(dict(enumerate(weights)), kept=kept)
        await story.play(deeds)
        await story.end()

    asyncio.run(play())


@settings(max_examples=200, deadline=None)
@given(PEOPLE, DAYS, KEPT)
def test_the_forecast_is_what_happens(weights: list[float], deeds: list[tuple[str, int]], kept: int) -> None:
    async def play() -> None:
        story = Story(dict(enumerate(weights)), kept=kept)
        await story.play(deeds)
        busy = 0.5 if story.making else 0.0
        foretold = list(story.queue.forecast(busy, second))
        assert [start for _, start in foretold] == pytest.approx([busy + n for n in range(len(foretold))])
        assert [job for job, _ in foretold] == [await story.get() for _ in foretold]
        await story.end()

    asyncio.run(play())


@settings(max_examples=60, deadline=None)
@given(PEOPLE, DAYS, KEPT)
def test_others_throttles_change_nothing_of_it(
    weights: list[float], deeds: list[tuple[str, int]], kept: int
) -> None:
    async def play() -> None:
        story = Story(dict(enumerate(weights)), throttled=frozenset({2, 3, 4}), kept=kept)
        await story.play(deeds, 0.001)  # some throttles open meanwhile, others do not: both are right
        await story.end()

    asyncio.run(play())


@settings(max_examples=150, deadline=None)
@given(PEOPLE, DAYS)
def test_nobody_is_overtaken_more_often_than_is_said(
    weights: list[float], deeds: list[tuple[str, int]]
) -> None:
    """By those who stand behind; and only where that saves the loading of a model."""

    async def play() -> None:
        story, passed = Story(dict(enumerate(weights)), kept=1), Counter[str]()
        for deed in deeds:
            await asyncio.sleep(0)
            free = [lane for lane in story.queue._lanes.values() if lane.jobs and lane.free]
            before = {lane.jobs[0].id: rank(lane) for lane in sorted(free, key=rank)}
            first = {lane.jobs[0].id: lane.jobs[0] for lane in free}
            await story.play([deed])
            if deed[0] == "get" and story.making and story.making.id in before:
                ahead = [name for name in before if before[name] < before[story.making.id]]
                passed.update(ahead)
                if ahead:
                    assert story.warmth.has(story.making)
                    assert not story.warmth.has(first[ahead[0]])
        assert max(passed.values(), default=0) <= OVERTAKEN
        await story.end()

    asyncio.run(play())


async def test_a_warm_model_goes_first_three_times() -> None:
    story = Story(dict.fromkeys(range(10), 1.0), kept=1)
    for number in range(10):
        story.put(number + 10 * (number == 1))  # the second wants svd, all others wan
    served = [await story.get() for _ in range(10)]
    assert [job.asker.user for job in served if job] == [0, 2, 3, 4, 1, 5, 6, 7, 8, 9]
    for number in range(6):
        story.put(number + 10 * (number % 2))
    served = [await story.get() for _ in range(6)]  # wan is warm
    assert [job.asker.user for job in served if job] == [0, 2, 4, 3, 1, 5]  # 3 had its turn before 1
    for number in (0, 11, 2, 3):
        story.put(number)
    served = [await story.get() for _ in range(4)]  # svd is warm
    assert [job.asker.user for job in served if job] == [1, 0, 2, 3]
    await story.end()


async def test_who_was_served_lately_does_not_overtake() -> None:
    story = Story({0: 1.0, 1: 1.0}, kept=1)
    for number in (0, 0, 0, 3, 3):  # the second user wants svd
        story.put(number)
    served = [await story.get() for _ in range(5)]
    assert [job.asker.user for job in served if job] == [0, 1, 0, 1, 0]
    await story.end()


async def test_overtaking_does_not_change_the_weights() -> None:
    story = Story({0: 1.0, 1: 0.5}, kept=2)
    story.put(1)
    assert await story.get()
    for number in range(12):
        story.put(10 if number % 2 else 2)  # svd and ltx in turn, each of which must be loaded
        story.put(1)
    served = [await story.get() for _ in range(9)]
    assert Counter(job.asker.user for job in served if job) == {0: 6, 1: 3}
    story.alive.clear()
    await story.queue.aclose()


async def order(queue: Queue, count: int) -> list[int]:
    return [(await asyncio.wait_for(queue.get(), 40)).asker.user for _ in range(count)]


async def test_lanes_are_served_in_turn() -> None:
    queue = Queue({"everyone": BUSY})
    for user in (1, 1, 1, 2, 2, 3):
        queue.put(a_job(user))
    assert await order(queue, 6) == [1, 2, 3, 1, 2, 1]
    assert repr(queue) == "<Queue 1@3:[] 2@2:[] 3@1:[]>"


async def test_a_weight_of_two_is_served_twice_as_often() -> None:
    queue = Queue({"everyone": BUSY, "patron": Tier(10_000, 10_000, 60.0, 2.0)})
    for _ in range(4):
        queue.put(a_job(1))
        queue.put(a_job(2, "patron"))
        queue.put(a_job(2, "patron"))
    assert Counter(await order(queue, 6)) == {1: 2, 2: 4}


async def test_an_idle_lane_saves_nothing_up() -> None:
    queue = Queue({"everyone": BUSY})
    queue.put(a_job(1))
    for _ in range(6):
        queue.put(a_job(2))
    assert await order(queue, 5) == [1, 2, 2, 2, 2]
    for _ in range(3):
        queue.put(a_job(1))
    assert await order(queue, 5) == [1, 2, 1, 2, 1]


async def test_who_comes_back_does_not_overtake_who_came_before() -> None:
    queue = Queue({"everyone": BUSY})
    queue.put(a_job(1))
    for _ in range(3):
        queue.put(a_job(2))
    assert await order(queue, 4) == [1, 2, 2, 2]
    for user in (3, 1):
        queue.put(a_job(user))
    assert await order(queue, 2) == [3, 1]


async def test_an_unknown_tier_is_everyones() -> None:
    queue = Queue({"everyone": Tier(waiting=1)})
    queue.put(a_job(1, "gone"))
    with pytest.raises(LaneFull):
        queue.can_take(1, None, "gone")


# --- seats


async def test_two_commands_cannot_share_the_last_seat() -> None:
    queue = Queue({"everyone": Tier(waiting=1)})

    async def command() -> Job:
        with queue.take(1, None, "everyone"):
            await asyncio.sleep(0)  # the job is being written
            job = a_job(1)
        queue.put(job)
        return job

    one, two = await asyncio.gather(command(), command(), return_exceptions=True)
    assert isinstance(one, Job)
    assert isinstance(two, LaneFull)
    assert str(two) == "You already have 1 clips waiting; /cancel one, or wait."
    assert queue.waiting(1) == [one]


async def test_a_seat_is_given_back_when_nothing_came_of_it() -> None:
    queue = Queue({"everyone": Tier(waiting=1)}, per_guild=1)
    with pytest.raises(RuntimeError), queue.take(1, 7, "everyone"):
        raise RuntimeError
    queue.can_take(1, 7, "everyone")


async def test_a_cancelled_or_served_job_frees_its_seat() -> None:
    queue = Queue({"everyone": Tier(waiting=2)}, per_guild=2)
    first, other = a_job(1, guild=7), a_job(1, guild=7)
    queue.put(first)
    queue.put(other)
    for user in (1, 2):
        with pytest.raises((LaneFull, NotAllowed)):
            queue.can_take(user, 7, "everyone")
    assert queue.remove(first.id) == first
    assert queue.remove(first.id) is None
    queue.can_take(1, 7, "everyone")
    queue.put(a_job(2, guild=7))
    with pytest.raises(NotAllowed, match="This server already has 2 clips waiting"):
        queue.can_take(3, 7, "everyone")
    await queue.get()
    queue.can_take(3, 7, "everyone")


async def test_a_server_is_capped_over_all_its_people_and_no_other() -> None:
    queue = Queue({"everyone": BUSY}, per_guild=2)
    queue.put(a_job(1, guild=7))
    with queue.take(2, 7, "everyone"):
        with pytest.raises(NotAllowed):
            queue.can_take(3, 7, "everyone")
        queue.can_take(3, 8, "everyone")
        queue.can_take(3, None, "everyone")


@pytest.mark.parametrize(
    "tier",
    [
        {"waiting": 0},
        {"rate": 0},
        {"period": 0.0},
        {"weight": 0.0},
        {"weight": -1.0},
        {"period": float("nan")},
    ],
)
def test_a_tier_that_serves_nobody_is_refused(tier: dict[str, float]) -> None:
    with pytest.raises(Misconfigured, match="A tier needs"):
        Tier(**tier)  # type: ignore[arg-type]  # one value of one field


# --- pausing and waiting


async def test_paused_it_serves_nothing() -> None:
    queue = Queue({"everyone": BUSY})
    queue.pause("the fan is cleaned")
    queue.put(a_job(1))
    getting = asyncio.create_task(queue.get())
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(getting), 0.05)
    assert queue.paused == "the fan is cleaned"
    queue.resume()
    assert (await asyncio.wait_for(getting, 40)).asker.user == 1


async def test_who_waits_and_is_cancelled_takes_no_job_along() -> None:
    queue = Queue({"everyone": BUSY})
    getting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put(a_job(1))
    getting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await getting
    assert len(queue) == 1
    assert (await asyncio.wait_for(queue.get(), 40)).asker.user == 1


async def test_a_job_cancelled_while_its_throttle_is_asked_is_not_served() -> None:
    queue = Queue({"everyone": BUSY})
    getting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    job, other = a_job(1), a_job(2)
    queue.put(job)
    queue.put(other)
    queue.remove(job.id)
    assert await asyncio.wait_for(getting, 40) == other


# --- throttles, in real time: asyncio-throttle has its own clock


async def timed(queue: Queue, count: int) -> list[tuple[int, float]]:
    began = time.monotonic()
    return [
        ((await asyncio.wait_for(queue.get(), 40)).asker.user, time.monotonic() - began) for _ in range(count)
    ]


async def test_a_lane_releases_no_more_than_its_rate() -> None:
    queue = Queue({"everyone": Tier(10, rate=2, period=0.2)})
    for _ in range(5):
        queue.put(a_job(1))
    times = [at for _, at in await timed(queue, 5)]
    assert times[2] >= 0.2
    assert times[4] >= 0.4
    await queue.aclose()


async def test_a_server_lets_go_fewer_of_each_persons_and_never_more_than_their_tier() -> None:
    queue = Queue({"everyone": Tier(10, rate=3, period=0.3)})
    queue.cap = lambda guild: Cap(rate={7: 1, 8: 99}[guild])
    for _ in range(2):
        queue.put(a_job(1, guild=7))
    assert [start for _, start in queue.forecast(0, lambda job: 0.0)][1] >= 0.2
    for _ in range(4):
        queue.put(a_job(2, guild=8))
    times = await timed(queue, 6)
    assert [at for user, at in times if user == 1][1] >= 0.3
    assert [at for user, at in times if user == 2][3] >= 0.3
    assert [at for user, at in times if user == 2][2] < 0.3
    await queue.aclose()


async def test_a_throttled_lane_holds_nobody_else() -> None:
    queue = Queue({"everyone": Tier(10, rate=1, period=60.0), "patron": BUSY})
    for _ in range(2):
        queue.put(a_job(1))
    for _ in range(3):
        queue.put(a_job(2, "patron"))
    assert await order(queue, 4) == [1, 2, 2, 2]
    assert [job.asker.user for job in queue.waiting(1)] == [1]
    await queue.aclose()


async def test_a_throttled_lane_saves_nothing_up() -> None:
    queue = Queue({"everyone": Tier(10, rate=2, period=0.6), "patron": BUSY})
    for _ in range(4):
        queue.put(a_job(1))
    assert await order(queue, 2) == [1, 1]
    for _ in range(12):
        queue.put(a_job(2, "patron"))
    assert await order(queue, 8) == [2] * 8
    await asyncio.sleep(0.8)  # the throttle's period and one look
    assert await order(queue, 4) == [1, 2, 1, 2]
    await queue.aclose()


async def test_the_forecast_knows_the_throttles() -> None:
    queue = Queue({"everyone": Tier(10, rate=1, period=0.6), "patron": BUSY})
    for user, tier in ((1, "everyone"), (1, "everyone"), (1, "everyone"), (2, "patron"), (2, "patron")):
        queue.put(a_job(user, tier))
    await queue.get()
    foretold = [(job.asker.user, at) for job, at in queue.forecast(0.0, lambda _: 0.0)]
    happened = await timed(queue, 4)
    assert [user for user, _ in happened] == [user for user, _ in foretold] == [2, 2, 1, 1]
    for (_, at), (_, told) in zip(happened, foretold, strict=True):
        assert told - 0.02 < at < told + 2.0  # never sooner, and later only as this machine is busy
    await queue.aclose()


async def test_the_forecast_knows_that_a_throttled_lane_saves_nothing_up() -> None:
    queue = Queue({"everyone": Tier(10, rate=2, period=3.75), "patron": BUSY})
    jobs = [a_job(1) for _ in range(4)] + [a_job(2, "patron") for _ in range(14)]
    for job in jobs:
        queue.put(job)
    await queue.get()
    foretold = [job for job, _ in queue.forecast(0.0, lambda _: 0.5)]
    assert [job.asker.user for job in foretold] == [2, 1, 2, 2, 2, 2, 2, 2, 1, 2, 1, 2, 2, 2, 2, 2, 2]
    await queue.aclose()


async def test_two_tiers_are_not_two_allowances() -> None:
    queue = Queue({"everyone": Tier(10, rate=2, period=60.0), "patron": Tier(10, rate=3, period=60.0)})
    for tier in ("everyone", "patron", "everyone"):
        queue.put(a_job(1, tier))
        if tier == "patron":
            await order(queue, 2)
    getting = asyncio.create_task(queue.get())
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(getting), 0.15)
    getting.cancel()
    await queue.aclose()


async def test_a_clip_cancelled_costs_no_release() -> None:
    queue = Queue({"everyone": Tier(10, rate=1, period=60.0)})
    for _ in range(20):
        job = a_job(1)
        queue.put(job)
        await asyncio.sleep(0)
        queue.remove(job.id)
    kept = a_job(1)
    queue.put(kept)
    assert await asyncio.wait_for(queue.get(), 40) == kept
    await queue.aclose()


async def test_a_clip_that_came_to_nothing_is_given_back() -> None:
    queue = Queue({"everyone": Tier(10, rate=2, period=60.0)})
    queue.refund(a_job(1))  # of somebody who has no lane any more
    jobs = [a_job(1) for _ in range(4)]
    for job in jobs:
        queue.put(job)
    assert [await queue.get(), await queue.get()] == jobs[:2]
    third = asyncio.create_task(queue.get())
    await asyncio.sleep(0.15)
    assert not third.done()
    assert next(queue.forecast(0.0, second))[1] == pytest.approx(60, abs=1)
    queue.refund(jobs[0])
    assert await asyncio.wait_for(third, 40) == jobs[2]
    with pytest.raises(asyncio.TimeoutError):  # one was given back, and no more
        await asyncio.wait_for(queue.get(), 0.25)
    assert next(queue.forecast(0.0, second))[1] == pytest.approx(60, abs=1)
    await queue.aclose()


async def test_resting_lanes_are_forgotten() -> None:
    queue = Queue({"everyone": Tier(10, rate=5, period=0.01)})
    for user in range(3000):
        queue.put(a_job(user))
        await queue.get()
        if user % 500 == 0:
            await asyncio.sleep(0.02)  # the throttles' period, not luck
    assert repr(queue).count("@") < 2000


@pytest.mark.parametrize("lasts", [second, lambda job: 0.0])
async def test_ten_thousand_jobs_are_foretold_in_a_moment(lasts: Callable[[Job], float]) -> None:
    queue = Queue({"everyone": BUSY})
    for number in range(10_000):
        queue.put(a_job(number % 2000))
    await asyncio.sleep(0)
    began = time.process_time()
    assert sum(1 for _ in queue.forecast(0.0, lasts)) == 10_000
    assert time.process_time() - began < 1.0
    await queue.aclose()
