"""The studio: all that a user can ask of Zoetrope, whoever carries the words."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gen import layers
from gen.choices import Choices
from gen.courier import Courier
from gen.errors import EngineDied, EngineError, NotAllowed, NotFound, Refused
from gen.force import Force
from gen.job import Asker, Clip, Job, Picture, Request, State, Task
from gen.layers import Effective, Policy, Words
from gen.outlook import Place, places
from gen.pace import Pace
from gen.ports import Darkroom, Ledger
from gen.prompt import SEEDS, Ask, parse
from gen.queue import Queue
from gen.recipe import PICTURES, Recipe, first, pick
from gen.shelf import Shelf
from gen.worker import LIVES, Worker

log = logging.getLogger(__name__)

#: Judges what is asked, under a policy of words, and pictures that an earlier job kept, before anything is
#: done: what may be made of it, and the words that were left out. Raises Refused.
Preflight = Callable[[Ask, Words, Sequence[str]], tuple[Ask, tuple[str, ...]]]

#: Smaller copies of clips that are kept for whoever asks next.
FITTED = 64

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: none is taken for another


@dataclass(frozen=True)
class Upload:
    """A file that a person sent."""

    name: str
    data: bytes


class Studio:
    """Takes requests, keeps the line, answers questions. Texts are refused with Refused errors."""

    def __init__(
        self,
        *,
        recipes: Mapping[str, Recipe],
        defaults: Mapping[Task, str],
        queue: Queue,
        worker: Worker,
        courier: Courier,
        ledger: Ledger,
        darkroom: Darkroom,
        shelf: Shelf,
        chance: random.Random,
        preflight: Preflight = lambda ask, words, pictures: (ask, ()),
        policy: Policy = layers.NONE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.recipes = recipes
        self.defaults = defaults  # both change when the operator has them read anew
        self.queue = queue
        self.worker = worker
        self.courier = courier
        self.ledger = ledger
        self.darkroom = darkroom
        self.shelf = shelf
        self.chance = chance
        self.preflight = preflight
        self.choices = Choices(ledger)
        self.laws = Force(policy, self.choices, recipes, defaults, queue)
        self.now = now
        self.since = now()
        self._fitted: dict[
            tuple[str, int], Clip
        ] = {}  # smaller copies, by clip and bytes, the last used last
        self._fitting = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether anything is in the line, being made, or on its way for the first time."""
        there = len(self.queue) or self.worker.runs or not self.worker.ended.empty() or self.courier.trying
        return bool(there)

    @property
    def pace(self) -> Pace:
        """How long clips take here."""
        return self.worker.pace

    def force(self, user: int, guild: int | None, tier: str = "everyone", **said: object) -> Effective:
        """What is in force for that person there, as `Force.of` has it."""
        return self.laws.of(user, guild, tier, **said)

    def _force_of(self, asker: Asker) -> Effective:
        return self.force(asker.user, asker.guild, asker.tier)

    # --- asking for clips

    def read(
        self,
        task: Task,
        text: str,
        options: Mapping[str, object],
        asker: Asker,
        *,
        model: str | None = None,
        force: Effective | None = None,
    ) -> tuple[Recipe, Ask, tuple[str, ...]]:
        """What is asked, judged without any waiting: grammar, model, ranges, bounds, words, the asker's seat;
        and the words that were left out.

        `model` is meant where the text names none; without it, the one in force. `force` is what holds where
        the person asks, when the clip goes elsewhere.
        """
        force = force or self._force_of(asker)
        ask = parse(text).over(options)
        name = ask.model or model or force.model(task).value or first(self.recipes, task)
        recipe = pick(self.recipes, task, name)

        def judge(ask: Ask) -> Request:
            return recipe.request(ask, [_UNSEEN] * PICTURES[task], 0)

        ask = layers.fill(ask, force, recipe, judge)
        layers.measure(judge(ask), recipe, force)
        ask, left_out = self.preflight(ask, force.words.value, ())
        self.worker.breaker.admit(recipe.name)
        self.queue.can_take(asker.user, asker.guild, asker.tier)
        return recipe, ask, left_out

    async def submit(
        self,
        task: Task,
        text: str,
        options: Mapping[str, object],
        uploads: Sequence[Upload],
        asker: Asker,
        *,
        force: Effective | None = None,
    ) -> Job:
        """A new job, durable and in the line. Raises Refused before anything is kept."""
        recipe, ask, left_out = self.read(task, text, options, asker, force=force)
        with self.queue.take(asker.user, asker.guild, asker.tier):
            look = self.darkroom.video if task is Task.VIDEO else self.darkroom.picture
            pictures = [await look(upload.data, upload.name) for upload in uploads]
            request = recipe.request(ask, pictures, self.chance.randrange(SEEDS))
            job = await self._write(request, str(ask), asker, left_out=left_out)
        self.queue.put(job)
        return job

    async def reroll(self, job_id: str, asker: Asker, *, force: Effective | None = None) -> Job:
        """The same request with a new seed, a child of that job. Raises Refused."""
        parent = await self.find(job_id)
        old, asker = parent.request, _inherited(parent, asker)
        recipe, force = pick(self.recipes, old.task, old.recipe), force or self._force_of(asker)
        layers.measure(old, recipe, force)
        self.worker.breaker.admit(recipe.name)
        again = Ask(prompt=old.prompt, negative=old.negative or None)
        again, left_out = self.preflight(again, force.words.value, old.images)
        typed, _ = self.preflight(_unseeded(parent), force.words.value, old.images)
        request = replace(
            old, seed=self._other_seed(old.seed), prompt=again.prompt, negative=again.negative or ""
        )
        with self.queue.take(asker.user, asker.guild, asker.tier):
            job = await self._write(request, str(typed), asker, parent.id, left_out)
        self.queue.put(job)
        return job

    async def remix(self, job_id: str, text: str, asker: Asker, *, force: Effective | None = None) -> Job:
        """Another text with the same pictures, by the same model unless the text names one; a child of that
        job. Raises Refused."""
        parent = await self.find(job_id)
        old, asker = parent.request, _inherited(parent, asker)
        recipe, ask, left_out = self.read(old.task, text, {}, asker, model=old.recipe, force=force)
        with self.queue.take(asker.user, asker.guild, asker.tier):
            pictures = [await asyncio.to_thread(self.shelf.picture, name) for name in old.images]
            request = recipe.request(ask, pictures, self.chance.randrange(SEEDS))
            job = await self._write(request, str(ask), asker, parent.id, left_out)
        self.queue.put(job)
        return job

    # --- the line

    async def cancel(self, job_id: str, *, user: int, any_owner: bool = False) -> Job:
        """Ends a waiting or running job of that user (or, for a moderator, of anyone).

        Returns the job as it then is: CANCELLED, or what it had become already. Raises NotFound, NotAllowed.
        """
        job = await self.find(job_id)
        if job.asker.user != user and not any_owner:
            raise NotAllowed("That clip is someone else's; only they or a moderator can cancel it.")
        if waiting := self.queue.remove(job_id):
            ended = await self._written(waiting.cancelled(self.now()))
            self.worker.ended.put_nowait(ended)
            return ended
        return await self.worker.stop(job_id) or await self.find(job_id)

    def places(self) -> list[Place]:
        """The whole line in order, the jobs in the making first."""
        return list(places(self.worker, self.queue, self.now()))

    def promise(self, recipe: str, asker: Asker, within: float) -> None:
        """Raises NotAllowed when a clip that is asked for now is, as far as is known, not ready `within` so
        many seconds."""
        if self.queue.paused:
            raise NotAllowed(
                "The line is paused ({reason}), and where I am no member I can answer for 15 minutes only: "
                "ask later, or in my direct messages.",
                reason=self.queue.paused,
            )
        now = self.now()
        request = Request(recipe=recipe, task=Task.TEXT, seed=0, width=2, height=2, frames=1, fps=1)
        mine = Job(id="", request=request, asker=asker, created=now)
        line = places(self.worker, self.queue, now, mine)
        ends = next(place.ends for place in line if place.job is mine) - now
        if ends > within:
            raise NotAllowed(
                "Your clip would be ready in about {minutes} minutes, and where I am no member I can answer "
                "for 15 minutes only: ask later, or in my direct messages.",
                minutes=math.ceil(ends / 60),
            )

    def place(self, job_id: str) -> Place | None:
        """Where that job stands; None when it is not in the line."""
        return next((place for place in self.places() if place.job.id == job_id), None)

    # --- what was made

    async def find(self, job_id: str) -> Job:
        """The job of that id. Raises NotFound."""
        job = await self.ledger.find(job_id)
        if job is None:
            raise NotFound("There is no clip {id} here.", id=job_id[:40])
        return job

    async def seen(self, job_id: str, user: int) -> Job:
        """The job of that id. Raises NotFound, for someone else's whose clip was taken away, too."""
        job = await self.find(job_id)
        if job.withdrawn and job.asker.user != user:
            raise NotFound("There is no clip {id} here.", id=job_id[:40])
        return job

    async def by_message(self, message: int) -> Job | None:
        """The job whose clip or ticket that message shows."""
        return await self.ledger.by_message(message)

    async def history(
        self,
        user: int,
        *,
        limit: int = 10,
        before: float | Job | None = None,
        words: str = "",
        favourites: bool = False,
    ) -> Sequence[Job]:
        """A user's jobs, newest first: before a time or a job, with all these words, or only favourites."""
        return await self.ledger.history(user, limit=limit, before=before, words=words, favourites=favourites)

    async def children(self, job_id: str) -> Sequence[Job]:
        """The jobs that were rolled or remixed from that one, oldest first."""
        return await self.ledger.children(job_id)

    async def counts(self, user: int) -> Mapping[State, int]:
        """How many jobs a user ever asked for, by what became of them."""
        return await self.ledger.counts(user)

    async def keep(self, user: int, job_id: str, on: bool | None = None) -> bool:
        """Puts a job among the user's favourites or takes it away; None turns it over. Whether it now is one.

        Raises NotFound.
        """
        wanted = not await self.keeps(user, job_id) if on is None else on
        if wanted:
            await self.seen(job_id, user)
        if not await self.ledger.people.favourite(user, job_id, wanted):
            raise NotFound("There is no clip {id} here.", id=job_id[:40])
        return wanted

    async def keeps(self, user: int, job_id: str) -> bool:
        """Whether a job is among the user's favourites."""
        return await self.ledger.people.keeps(user, job_id)

    async def taken_away(self, *messages: int) -> None:
        """The messages are gone: clips that were posted in them are no longer shown anywhere."""
        await self.ledger.taken_away(messages)

    async def file(self, job: Job, limit: int) -> Path | None:
        """The job's clip in at most `limit` bytes; None when its file is gone. Raises EngineError."""
        if job.clip is None or (path := self.shelf.clip(job.clip)) is None:
            return None
        if job.clip.size <= limit:
            return path
        return self.shelf.clip(await self._smaller(job.clip, limit))

    async def thumbnail(self, job: Job) -> Path | None:
        """A small JPEG of the job's clip, made now where there is none yet; None when its clip is gone."""
        if job.clip is None or self.shelf.clip(job.clip) is None:
            return None
        if self.shelf.thumbnail(job.clip) is None:
            try:
                await self.darkroom.thumbnail(job.clip)
            except EngineError as error:
                log.warning("job %s has no thumbnail: %s", job.id, error)
        return self.shelf.thumbnail(job.clip)

    async def _smaller(self, clip: Clip, limit: int) -> Clip:
        """The clip in at most `limit` bytes: made once for all who ask, one after the other."""
        async with self._fitting:
            fitted = self._fitted.pop((clip.file, limit), None)
            if fitted is None or self.shelf.clip(fitted) is None:
                fitted = await self.darkroom.fit(clip, limit)
            self._fitted[clip.file, limit] = fitted
            if len(self._fitted) > FITTED:
                oldest = self._fitted.pop(next(iter(self._fitted)))
                await asyncio.to_thread(self.shelf.remove, [oldest.file], [])
            return fitted

    # --- what is kept about a person

    async def export(self, user: int) -> tuple[dict[str, Any], dict[str, Path]]:
        """All that is kept about a person in plain values, and the files of their clips by name."""
        data = await self.ledger.people.export(user)
        files = (job["clip"]["file"] for job in data["jobs"] if job.get("clip"))
        return data, {name: self.shelf.data / "clips" / Path(name).name for name in files}

    async def withdraw(self, user: int) -> None:
        """Cancels all that a person has in the line or under way."""
        for place in self.places():
            if place.job.asker.user == user:
                await self.cancel(place.job.id, user=user)

    async def forget(self, user: int) -> int:
        """Cancels what is under way, erases all that is kept about a person; how many jobs that were."""
        await self.withdraw(user)
        gone = await self.ledger.people.forget(user)
        self.choices.forget(user)
        fitted = [self._fitted.pop(key).file for key in list(self._fitted) if key[0] in gone.clips]
        await asyncio.to_thread(self.shelf.remove, [*gone.clips, *fitted], gone.pictures)
        return gone.jobs

    # --- life

    async def resume(self) -> list[Job]:
        """Rebuilds the line from the ledger after any death; the jobs that go on, as they now are."""
        await self.choices.load()
        self.worker.pace = Pace(await self.ledger.pace())
        jobs = await self.ledger.unfinished()
        return [await self._take_up(job) for job in sorted(jobs, key=_first_come)]

    async def run(self) -> None:
        """Makes and delivers until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.worker.serve(), name="worker")
            group.create_task(self.courier.serve(), name="courier")

    async def _take_up(self, job: Job) -> Job:
        if job.state is State.RUNNING and job.attempts > LIVES:
            fault = EngineDied("The bot stopped {count} times while it made this clip.", count=job.attempts)
            job = await self._written(job.failed(fault, self.now()))
        elif job.state is State.RUNNING:
            job = await self._written(job.waiting())
        if job.state is State.WAITING:
            self.queue.put(job)
        else:
            self.worker.ended.put_nowait(job)
        return job

    async def _written(self, job: Job) -> Job:
        """`job` once it is written, or what another hand has written before."""
        return job if await self.ledger.record(job) else await self.find(job.id)

    async def _write(
        self,
        request: Request,
        words: str,
        asker: Asker,
        parent: str | None = None,
        left_out: tuple[str, ...] = (),
    ) -> Job:
        """A new job, durable."""
        job = Job(
            id="".join(self.chance.choices(_LETTERS, k=10)),
            request=request,
            asker=asker,
            words=words,
            left_out=left_out,
            parent=parent,
            created=self.now(),
        )
        await self.ledger.add(job)
        return job

    def _other_seed(self, seed: int) -> int:
        return (seed + self.chance.randrange(1, SEEDS)) % SEEDS


def _unseeded(job: Job) -> Ask:
    """What was typed, without its seed; of words that an older grammar took, the prompt alone."""
    try:
        return replace(parse(job.words), seed=None)
    except Refused:
        return Ask(prompt=job.request.prompt)


def _inherited(parent: Job, asker: Asker) -> Asker:
    """Whose clip comes of another: what was hidden stays so."""
    return replace(asker, spoiler=asker.spoiler or parent.spoiler)


def _first_come(job: Job) -> tuple[bool, float]:
    """What had begun goes first, as it began, then what came first."""
    return job.started is None, job.started or job.created


_UNSEEN = Picture(name="", width=1024, height=1024)
