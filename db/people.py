"""What people chose, keep and may; what operators did; and what is known of one person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)  # fmt: skip

from db.rows import JOBS, exported, job_of
from db.store import Store
from db.tables import BanRow, ClipRow, DeedRow, Favourite, Guild, JobRow, Tally, User
from gen.job import State
from gen.ports import Ban, Deed, Subject

Plain = dict[str, Any]

DEEDS = select(DeedRow.id, DeedRow.at, DeedRow.actor, DeedRow.deed, DeedRow.details)


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was erased, and the files that are to be removed now."""

    jobs: int
    clips: tuple[str, ...]  # file names in the data folder's `clips/`
    pictures: tuple[str, ...]  # file names in `pictures/` that no other job needs


class People:
    """Choices, favourites, bans, the audit and privacy, durable when the call returns."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def favourite(self, user: int, job_id: str, on: bool) -> bool:
        """Keeps a job among the user's favourites, or no longer; False when there is no such job."""
        now = self._clock()
        return await self._store.write(lambda connection: _favourite(connection, user, job_id, on, now))

    async def keeps(self, user: int, job_id: str) -> bool:
        """Whether the job is among the user's favourites."""
        mine = select(Favourite.since).where(Favourite.user_id == user, Favourite.job_id == job_id)
        return await self._store.read(lambda connection: connection.scalar(mine) is not None)

    async def preferences(self, user: int) -> Plain:
        """What the user prefers; empty when nothing was chosen."""
        return await self._store.read(lambda connection: _chosen(connection, User, user))

    async def prefer(self, user: int, changes: Mapping[str, Any]) -> Plain:
        """Changes some of a user's preferences, `None` taking one back; returns them all."""
        now = self._clock()
        return await self._store.write(lambda connection: _choose(connection, User, user, changes, now))

    async def guild_settings(self, guild: int) -> Plain:
        """What the server's managers set; empty when nothing was."""
        return await self._store.read(lambda connection: _chosen(connection, Guild, guild))

    async def set_guild(self, guild: int, changes: Mapping[str, Any]) -> Plain:
        """Changes some of a server's settings, `None` taking one back; returns them all."""
        now = self._clock()
        return await self._store.write(lambda connection: _choose(connection, Guild, guild, changes, now))

    async def chosen(self) -> tuple[Mapping[int, Plain], Mapping[int, Plain]]:
        """The preferences of all users that have any, and the settings of all servers that have any."""
        return await self._store.read(lambda connection: (_all(connection, User), _all(connection, Guild)))

    async def ban(
        self, kind: Subject, subject: int, *, reason: str, actor: int, until: float | None = None
    ) -> Ban:
        """Bans a user or a server, in place of an earlier ban, and writes so in the audit."""
        ban = Ban(kind=kind, subject=subject, reason=reason, actor=actor, since=self._clock(), until=until)
        await self._store.write(lambda connection: _ban(connection, ban))
        return ban

    async def unban(self, kind: Subject, subject: int, *, actor: int) -> bool:
        """Lifts a ban and writes so in the audit; False when there was none."""
        now = self._clock()
        return await self._store.write(lambda connection: _unban(connection, kind, subject, actor, now))

    async def banned(self, user: int, guild: int | None = None) -> Ban | None:
        """The ban that is in force for a user in that server; the user's own before the server's."""
        about = (BanRow.kind == Subject.USER.value) & (BanRow.subject == user)
        if guild is not None:
            about |= (BanRow.kind == Subject.GUILD.value) & (BanRow.subject == guild)
        bans = await self._bans(about)
        return bans[0] if bans else None

    async def bans(self) -> Sequence[Ban]:
        """All bans in force, users' first."""
        return await self._bans(literal(True))

    async def audit(self, actor: int, deed: str, values: Mapping[str, Any]) -> None:
        """Writes what an operator did."""
        now = self._clock()
        await self._store.write(lambda connection: _audit(connection, now, actor, deed, values))

    async def audits(self, *, limit: int = 50, before: int | None = None) -> Sequence[Deed]:
        """What operators did, newest first; `before` the act of that id.

        By the row and not by the time, which two acts may share and a clock may set back.
        """
        statement = DEEDS if before is None else DEEDS.where(DeedRow.id < before)
        return await self._deeds(statement.order_by(DeedRow.id.desc()).limit(limit))

    async def decided(self, *deeds: str) -> Sequence[Deed]:
        """All acts of those kinds, oldest first: what holds now is what was decided last."""
        return await self._deeds(DEEDS.where(DeedRow.deed.in_(deeds)).order_by(DeedRow.id))

    async def export(self, user: int) -> Plain:
        """All that is kept about a user, in plain values."""
        return await self._store.read(lambda connection: _export(connection, user))

    async def forget(self, user: int) -> Forgotten:
        """Erases a user's jobs, clips, words, favourites and preferences; only counts stay.

        Jobs WAITING or RUNNING stay: cancel them first. Bans and the audit are the operator's, and stay.
        """
        return await self._store.write(lambda connection: _forget(connection, user))

    async def _deeds(self, statement: Any) -> Sequence[Deed]:
        return await self._store.read(
            lambda connection: [
                Deed(id=row.id, at=row.at, actor=row.actor, deed=row.deed, values=row.details)
                for row in connection.execute(statement)
            ]
        )

    async def _bans(self, about: Any) -> Sequence[Ban]:
        statement = select(*BanRow.__table__.columns).where(
            about, or_(BanRow.until.is_(None), BanRow.until > self._clock())
        )
        rows = await self._store.read(
            lambda connection: connection.execute(
                statement.order_by(BanRow.kind.desc(), BanRow.since, BanRow.subject)
            ).all()
        )
        return [Ban(**{**row._mapping, "kind": Subject(row.kind)}) for row in rows]


# A user's or a server's row, when it is new: one statement that both databases know.
NEW = {
    table: insert(table).from_select(
        ["id", "since", column],
        select(
            bindparam("new", type_=table.id.type),
            bindparam("now", type_=table.since.type),
            literal({}, type_=getattr(table, column).type),
        ).where(~exists().where(table.id == bindparam("new"))),
    )
    for table, column in ((User, "preferences"), (Guild, "settings"))
}


def _chosen(connection: Connection, table: type[User | Guild], subject: int) -> Plain:
    column = User.preferences if table is User else Guild.settings
    chosen: Plain | None = connection.scalar(select(column).where(table.id == subject))
    return chosen or {}


def _all(connection: Connection, table: type[User | Guild]) -> dict[int, Plain]:
    column = User.preferences if table is User else Guild.settings
    some = select(table.id, column).where(cast(column, Text) != "{}")
    return {row[0]: row[1] for row in connection.execute(some)}


def _choose(
    connection: Connection, table: type[User | Guild], subject: int, changes: Mapping[str, Any], now: float
) -> Plain:
    connection.execute(NEW[table], {"new": subject, "now": now})
    chosen = {**_chosen(connection, table, subject), **changes}
    chosen = {key: value for key, value in chosen.items() if value is not None}
    column = "preferences" if table is User else "settings"
    connection.execute(update(table).where(table.id == subject).values({column: chosen}))
    return chosen


def _favourite(connection: Connection, user: int, job_id: str, on: bool, now: float) -> bool:
    if connection.scalar(select(JobRow.id).where(JobRow.id == job_id)) is None:
        return False
    mine = (Favourite.user_id == user) & (Favourite.job_id == job_id)
    if not on:
        connection.execute(delete(Favourite).where(mine))
    elif connection.scalar(select(Favourite.since).where(mine)) is None:
        connection.execute(NEW[User], {"new": user, "now": now})
        connection.execute(insert(Favourite), {"user_id": user, "job_id": job_id, "since": now})
    return True


def _audit(connection: Connection, at: float, actor: int, deed: str, values: Mapping[str, Any]) -> None:
    connection.execute(insert(DeedRow), {"at": at, "actor": actor, "deed": deed, "details": dict(values)})


def _ban(connection: Connection, ban: Ban) -> None:
    connection.execute(delete(BanRow).where(BanRow.kind == ban.kind.value, BanRow.subject == ban.subject))
    values = {"kind": ban.kind.value, "subject": ban.subject, "reason": ban.reason, "until": ban.until}
    connection.execute(insert(BanRow), {**values, "actor": ban.actor, "since": ban.since})
    _audit(connection, ban.since, ban.actor, "ban", values)


def _unban(connection: Connection, kind: Subject, subject: int, actor: int, now: float) -> bool:
    lifted = connection.execute(
        delete(BanRow).where(BanRow.kind == kind.value, BanRow.subject == subject)
    ).rowcount
    if lifted:
        _audit(connection, now, actor, "unban", {"kind": kind.value, "subject": subject})
    return lifted == 1


def _export(connection: Connection, user: int) -> Plain:
    jobs = connection.execute(JOBS.where(JobRow.user_id == user).order_by(JobRow.created, JobRow.id))
    kept = connection.execute(
        select(Favourite.job_id, Favourite.since).where(Favourite.user_id == user).order_by(Favourite.since)
    )
    forgotten = connection.execute(
        select(Tally.state, Tally.created).where(Tally.user_id == user).order_by(Tally.created)
    )
    return {
        "user": user,
        "since": connection.scalar(select(User.since).where(User.id == user)),
        "preferences": _chosen(connection, User, user),
        "jobs": [exported(job_of(row)) for row in jobs],
        "favourites": [{"job": row.job_id, "since": row.since} for row in kept],
        "forgotten": [{"state": row.state, "created": row.created} for row in forgotten],
    }


def _forget(connection: Connection, user: int) -> Forgotten:
    under_way = (State.WAITING.value, State.RUNNING.value)
    gone = (JobRow.user_id == user) & JobRow.state.not_in(under_way)
    mine = select(JobRow.id).where(gone)
    clips = connection.scalars(
        select(ClipRow.file).where(ClipRow.job_id.in_(mine), ClipRow.swept.is_(None))
    ).all()
    pictures = _pictures(connection, gone)
    if pictures:
        pictures -= _pictures(connection, ~gone)
    counted = select(JobRow.user_id, JobRow.state, JobRow.created).where(gone)
    connection.execute(insert(Tally).from_select(["user_id", "state", "created"], counted))
    for statement in (
        delete(Favourite).where(or_(Favourite.user_id == user, Favourite.job_id.in_(mine))),
        delete(ClipRow).where(ClipRow.job_id.in_(mine)),
        update(JobRow).where(JobRow.parent.in_(mine)).values(parent=None),
    ):
        connection.execute(statement)
    jobs = connection.execute(delete(JobRow).where(gone)).rowcount
    connection.execute(update(User).where(User.id == user).values(preferences={}))
    connection.execute(delete(User).where(User.id == user, ~exists().where(JobRow.user_id == user)))
    return Forgotten(jobs=jobs, clips=tuple(sorted(clips)), pictures=tuple(sorted(pictures)))


def _pictures(connection: Connection, which: Any) -> set[str]:
    requests = connection.scalars(select(JobRow.request).where(which))
    return {name for request in requests for name in request.get("images", ())}
