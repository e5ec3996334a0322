"""Jobs, written before anyone hears of them: `gen.ports.Ledger` on a database."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)  # fmt: skip
from sqlalchemy.exc import IntegrityError

from db.gallery import Gallery
from db.migrate import upgrade
from db.people import NEW, People
from db.rows import JOBS, changes_of, clip_of, job_of, values_of
from db.store import Store, address
from db.tables import ClipRow, Favourite, Guild, JobRow, Tally, User
from gen.job import BEFORE, ENDED, Clip, Job, State

log = logging.getLogger(__name__)

#: A recipe's pace is the median of so many clips: a calm figure that still follows changes.
LATELY = 30

UNFINISHED = tuple(state.value for state in State if state not in ENDED)


class Ledger:
    """Every change of a job, durable when the call returns. What people chose and did is under
    `people`, what a gallery may hang under `gallery`."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.store = store
        self.people = People(store, clock)
        self.gallery = Gallery(store)
        self._clock = clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls, where: str | Path, *, clock: Callable[[], float] = time.time
    ) -> AsyncIterator[Ledger]:
        """The ledger in the SQLite file or at the URL `where`, brought up to date. Raises Misconfigured."""
        url = address(where)
        await upgrade(url)
        async with Store.open(url) as store:
            yield cls(store, clock)

    async def add(self, job: Job) -> None:
        """Writes a new job, and who asked and where if they are new. ValueError when its id is taken.

        A parent that was forgotten meanwhile is left out.
        """
        values, now = values_of(job), self._clock()
        try:
            await self.store.write(lambda connection: _add(connection, values, now))
        except IntegrityError as error:
            raise ValueError(f"job {job.id} is written already") from error

    async def record(self, job: Job) -> bool:
        """Writes `job` over a state it may come from; False when the table held another.

        State, attempts, times, message, failure and clip are written; the ticket has `ticket`. RUNNING alone
        does not wait for the disk: a power loss may put the job back to WAITING, from where it is made.
        """
        now, lasting = self._clock(), job.state is not State.RUNNING
        written = await self.store.write(lambda connection: _record(connection, job, now), lasting=lasting)
        if written:
            log.debug("job %s is %s", job.id, job.state.value)
        return written

    async def ticket(self, job_id: str, message: int | None, stands: int | None = None) -> None:
        """Writes which message is the job's ticket, whatever its state; None when it was brought to its end.

        `stands` is a ticket that stays, to say how a job without a clip in the channel ended: the job's
        message.
        """
        values = {"job": job_id, "ticket": message}
        await self.store.write(lambda connection: _ticket(connection, values, stands))

    async def taken_away(self, messages: Collection[int]) -> None:
        """Writes that these messages are gone; a clip that was posted in one is no longer there."""
        gone = JobRow.message.in_(set(messages)) & (JobRow.state == State.POSTED.value)
        statement = update(JobRow).where(gone).values(message=None)
        await self.store.write(lambda connection: connection.execute(statement).rowcount)

    async def find(self, job_id: str) -> Job | None:
        """The job of that id."""
        return await self._one(FIND, {"job": job_id})

    async def by_message(self, message: int) -> Job | None:
        """The job whose clip or ticket that message shows."""
        return await self._one(BY_MESSAGE, {"message": message})

    async def unfinished(self) -> Sequence[Job]:
        """Jobs WAITING, RUNNING or MADE, oldest first."""
        return await self._many(JOBS.where(JobRow.state.in_(UNFINISHED)).order_by(JobRow.created, JobRow.id))

    async def lingering(self) -> Sequence[Job]:
        """Ended jobs whose ticket was not brought to its end, oldest first."""
        return await self._many(
            JOBS.where(JobRow.state.not_in(UNFINISHED), JobRow.ticket.is_not(None)).order_by(
                JobRow.created, JobRow.id
            )
        )

    async def history(
        self,
        user: int,
        *,
        limit: int = 10,
        before: float | Job | None = None,
        words: str = "",
        favourites: bool = False,
    ) -> Sequence[Job]:
        """A user's jobs, newest first.

        `before` is a time, or the last job of the page before, which no job of the same instant can hide.
        Every one of `words` is somewhere in the job's words, in any case. `favourites` are the jobs that the
        user keeps, whoever asked for them, but for others' that were taken away.
        """
        if favourites:
            there = or_(JobRow.state != State.POSTED.value, JobRow.message.is_not(None))
            statement = JOBS.join(Favourite, Favourite.job_id == JobRow.id).where(
                Favourite.user_id == user, or_(JobRow.user_id == user, there)
            )
        else:
            statement = JOBS.where(JobRow.user_id == user)
        if isinstance(before, Job):
            statement = statement.where(tuple_(JobRow.created, JobRow.id) < (before.created, before.id))
        elif before is not None:
            statement = statement.where(JobRow.created < before)
        for word in words.casefold().split():
            statement = statement.where(JobRow.folded.contains(word, autoescape=True))
        return await self._many(statement.order_by(JobRow.created.desc(), JobRow.id.desc()).limit(limit))

    async def children(self, job_id: str) -> Sequence[Job]:
        """The jobs that were rolled or remixed from that one, oldest first."""
        return await self._many(JOBS.where(JobRow.parent == job_id).order_by(JobRow.created, JobRow.id))

    async def ancestors(self, job_id: str) -> Sequence[Job]:
        """The job that one was rolled or remixed from, that one's own, and so on to the first."""
        return await self.store.read(lambda connection: _ancestors(connection, job_id))

    async def pace(self) -> dict[str, tuple[float, int]]:
        """Per recipe: median seconds a clip took lately, and over how many clips."""
        return await self.store.read(_pace)

    async def counts(self, user: int, since: float = 0.0) -> dict[State, int]:
        """How many jobs a user asked for since then, by the state they are in; forgotten ones count too."""
        return await self.store.read(lambda connection: _counts(connection, user, since))

    async def posted_clips(self, older_than: float, *, limit: int = 500) -> Sequence[Job]:
        """Ended jobs whose clips were made before that time and are still on disk, oldest first.

        Clips that somebody keeps as a favourite are not among them.
        """
        kept = exists().where(Favourite.job_id == JobRow.id)
        statement = JOBS.where(
            JobRow.state.not_in(UNFINISHED), ClipRow.made < older_than, ClipRow.swept.is_(None), ~kept
        )
        return await self._many(statement.order_by(ClipRow.made).limit(limit))

    async def swept(self, job_ids: Collection[str]) -> None:
        """Writes that the files of these clips are gone."""
        now = self._clock()
        statement = update(ClipRow).where(ClipRow.job_id.in_(job_ids)).values(swept=now)
        await self.store.write(lambda connection: connection.execute(statement).rowcount)

    async def clip_files(self) -> set[str]:
        """Names of all clip files that should be on disk: any other is an orphan."""
        statement = select(ClipRow.file).where(ClipRow.swept.is_(None))
        return await self.store.read(lambda connection: set(connection.scalars(statement)))

    async def picture_files(self, since: float = 0.0) -> set[str]:
        """Names of all pictures that a job was made from or will be.

        With `since`, of those jobs that were asked for since then, are unfinished, or whose clip is on disk.
        """
        statement = select(JobRow.request)
        if since:
            clip = exists().where(ClipRow.job_id == JobRow.id, ClipRow.swept.is_(None))
            statement = statement.where(or_(JobRow.created >= since, JobRow.state.in_(UNFINISHED), clip))
        return await self.store.read(
            lambda connection: {
                name for request in connection.scalars(statement) for name in request.get("images", ())
            }
        )

    async def _one(self, statement: Select[Any], values: dict[str, Any]) -> Job | None:
        row = await self.store.read(lambda connection: connection.execute(statement, values).first())
        return None if row is None else job_of(row)

    async def _many(self, statement: Select[Any]) -> Sequence[Job]:
        return await self.store.read(
            lambda connection: [job_of(row) for row in connection.execute(statement)]
        )


# Built once: what is the same at every call is compiled at the first.
FIND = JOBS.where(JobRow.id == bindparam("job"))
BY_MESSAGE = JOBS.where(
    or_(JobRow.message == bindparam("message"), JobRow.ticket == bindparam("message"))
).limit(1)
LATEST = select(ClipRow.took).order_by(ClipRow.made.desc()).limit(LATELY)
TOOK = LATEST.where(ClipRow.recipe == bindparam("recipe"))
TICKET = update(JobRow).where(JobRow.id == bindparam("job")).values(ticket=bindparam("ticket"))
STANDS = (
    update(JobRow)
    .where(JobRow.id == bindparam("job"), JobRow.state.in_((State.FAILED.value, State.CANCELLED.value)))
    .values(message=bindparam("stands"))
)
RECORD = {
    state: update(JobRow).where(
        JobRow.id == bindparam("job"), JobRow.state.in_(sorted(before.value for before in BEFORE[state]))
    )
    for state in State
}
CLIP = update(ClipRow).where(ClipRow.job_id == bindparam("job"))
PARENT = select(JobRow.id).where(JobRow.id == bindparam("parent"))


def _add(connection: Connection, values: dict[str, Any], now: float) -> None:
    connection.execute(NEW[User], {"new": values["user_id"], "now": now})
    if values["guild_id"] is not None:
        connection.execute(NEW[Guild], {"new": values["guild_id"], "now": now})
    if values["parent"] is not None:
        values = {**values, "parent": connection.scalar(PARENT, {"parent": values["parent"]})}
    connection.execute(insert(JobRow), values)


def _ticket(connection: Connection, values: dict[str, Any], stands: int | None) -> None:
    connection.execute(TICKET, values)
    if stands is not None:
        connection.execute(STANDS, {"job": values["job"], "stands": stands})


def _record(connection: Connection, job: Job, now: float) -> bool:
    changed = connection.execute(RECORD[job.state], {"job": job.id, **changes_of(job)}).rowcount == 1
    if changed and job.clip is not None:
        _keep(connection, job, job.clip, now)
    return changed


def _ancestors(connection: Connection, job_id: str) -> list[Job]:
    # A parent is written before its child and never changes, so that this ends.
    line: list[Job] = []
    row = connection.execute(FIND, {"job": job_id}).first()
    while row is not None and row.parent is not None:
        row = connection.execute(FIND, {"job": row.parent}).one()
        line.append(job_of(row))
    return line


def _pace(connection: Connection) -> dict[str, tuple[float, int]]:
    paces = {}
    for recipe in connection.scalars(select(ClipRow.recipe).distinct()).all():
        took = connection.scalars(TOOK, {"recipe": recipe}).all()
        paces[recipe] = (median(took), len(took))
    return paces


def _counts(connection: Connection, user: int, since: float) -> dict[State, int]:
    total = dict.fromkeys(State, 0)
    for table in (JobRow, Tally):
        mine = select(table.state, func.count()).where(table.user_id == user, table.created >= since)
        for state, count in connection.execute(mine.group_by(table.state)):
            total[State(state)] += count
    return total


def _keep(connection: Connection, job: Job, clip: Clip, now: float) -> None:
    """The clip's row: new when it was made, changed when a smaller file took its place."""
    values = clip_of(job, clip)
    if connection.execute(CLIP, {"job": job.id, **values}).rowcount == 0:
        connection.execute(insert(ClipRow), {"job_id": job.id, "made": now, "swept": None, **values})
