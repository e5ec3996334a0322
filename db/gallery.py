"""What a gallery may hang: clips whose files are kept and whose messages were not taken away."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, or_, select, tuple_

from db.rows import JOBS, job_of
from db.store import Store
from db.tables import ClipRow, Favourite, JobRow, User
from gen.job import Job, State

#: A clip is there while its file is, and, once it was posted, while nobody has deleted its message.
THERE = and_(
    ClipRow.job_id.is_not(None),
    ClipRow.swept.is_(None),
    or_(
        JobRow.state.in_((State.MADE.value, State.FAILED.value)),
        (JobRow.state == State.POSTED.value) & JobRow.message.is_not(None),
    ),
)
#: The preference of those who show their clips to everyone; nobody does who has not said so.
OPTED_IN = User.preferences["public"].as_boolean().is_(True)
#: Not asked for in private.
OPEN = JobRow.asker["private"].as_boolean().is_(False)
#: Clips of a family that are told of.
FAMILY = 100

#: Where a page ends: the last job's time, in seconds since 1970, and its id.
Place = tuple[float, str]


class Gallery:
    """Reads one database. Who may see what is asked of `bot.gallery`, but for what each list is about."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, job_id: str) -> Job | None:
        """The job of that id, while its clip is there."""
        jobs = await self._jobs(JOBS.where(JobRow.id == job_id, THERE))
        return jobs[0] if jobs else None

    async def mine(self, user: int, words: str, before: Place | None, limit: int) -> Sequence[Job]:
        """A person's own clips with all these words, newest first, older than `before`."""
        return await self._jobs(_page(JOBS.where(JobRow.user_id == user, THERE), words, before, limit))

    async def kept(self, user: int, words: str, before: Place | None, limit: int) -> Sequence[Job]:
        """The clips that a person keeps: their own, and others' that were not private."""
        kept = exists().where(Favourite.job_id == JobRow.id, Favourite.user_id == user)
        seen = or_(JobRow.user_id == user, OPEN)
        return await self._jobs(_page(JOBS.where(kept, seen, THERE), words, before, limit))

    async def shown(self, words: str, before: Place | None, limit: int) -> Sequence[Job]:
        """Clips that were posted in servers, of people who show theirs to everyone."""
        owner = exists().where(User.id == JobRow.user_id, OPTED_IN)
        posted = (JobRow.state == State.POSTED.value) & JobRow.guild_id.is_not(None)
        return await self._jobs(_page(JOBS.where(posted, owner, OPEN, THERE), words, before, limit))

    async def showing(self, users: Collection[int]) -> frozenset[int]:
        """Those of the users who show their clips to everyone."""
        statement = select(User.id).where(User.id.in_(set(users)), OPTED_IN)
        return await self._store.read(lambda connection: frozenset(connection.scalars(statement)))

    async def keeping(self, user: int, job_ids: Collection[str]) -> frozenset[str]:
        """Those of the jobs that the user keeps."""
        statement = select(Favourite.job_id).where(
            Favourite.user_id == user, Favourite.job_id.in_(set(job_ids))
        )
        return await self._store.read(lambda connection: frozenset(connection.scalars(statement)))

    async def family(self, job_id: str) -> Sequence[Job]:
        """The first ancestor of that job and all that came from it, generation by generation, whether a clip
        is there or not; of a large family the first `FAMILY`."""
        return await self._store.read(lambda connection: _family(connection, job_id))

    async def there(self, job_ids: Collection[str]) -> frozenset[str]:
        """Those of the jobs whose clips are there."""
        statement = (
            select(JobRow.id).join(ClipRow, ClipRow.job_id == JobRow.id).where(JobRow.id.in_(set(job_ids)))
        )
        return await self._store.read(
            lambda connection: frozenset(connection.scalars(statement.where(THERE)))
        )

    async def _jobs(self, statement: Select[Any]) -> Sequence[Job]:
        return await self._store.read(
            lambda connection: [job_of(row) for row in connection.execute(statement)]
        )


def _page(statement: Select[Any], words: str, before: Place | None, limit: int) -> Select[Any]:
    for word in words.casefold().split():
        statement = statement.where(JobRow.folded.contains(word, autoescape=True))
    if before is not None:
        statement = statement.where(tuple_(JobRow.created, JobRow.id) < before)
    return statement.order_by(JobRow.created.desc(), JobRow.id.desc()).limit(limit)


def _family(connection: Connection, job_id: str) -> list[Job]:
    def found(where: Any) -> list[Job]:
        statement = JOBS.where(where).order_by(JobRow.created, JobRow.id).limit(FAMILY)
        return [job_of(row) for row in connection.execute(statement)]

    generation = found(JobRow.id == job_id)
    while generation and generation[0].parent is not None:  # a parent is older than its child: this ends
        generation = found(JobRow.id == generation[0].parent)
    family: list[Job] = []
    while generation and len(family) < FAMILY:
        family += generation
        generation = found(JobRow.parent.in_([job.id for job in generation]))
    return family[:FAMILY]
