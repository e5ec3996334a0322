"""The tables, in SQL that SQLite and Postgres both speak."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: The newest revision in `migrations/versions`: a database that has it needs no migration.
REVISION = "0001"

#: Every constraint has a name, so that a later migration can change it on either database.
NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}

Plain = dict[str, Any]


class Table(DeclarativeBase):
    """Discord's ids are 64-bit integers; times are seconds since 1970; a dict is stored as JSON."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {Plain: JSON}  # noqa: RUF012  SQLAlchemy reads it from the class


class User(Table):
    """Someone who asked for a clip or set a preference."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    since: Mapped[float]
    preferences: Mapped[Plain] = mapped_column(default=dict)


class Guild(Table):
    """A server the bot was used in."""

    __tablename__ = "guilds"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    since: Mapped[float]
    settings: Mapped[Plain] = mapped_column(default=dict)


class JobRow(Table):
    """A job as it stands."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "state", "created"),  # what is unfinished
        Index(None, "user_id", "created"),  # a user's history
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"))
    guild_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("guilds.id"))
    channel_id: Mapped[int] = mapped_column(BigInteger)
    asker: Mapped[Plain]  # what else is known of who asked: locale, tier, limit …
    recipe: Mapped[str] = mapped_column(String(64))
    request: Mapped[Plain]
    words: Mapped[str] = mapped_column(Text)
    folded: Mapped[str] = mapped_column(Text)  # the words without case, for search in any language
    parent: Mapped[str | None] = mapped_column(
        String(64), ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    created: Mapped[float]
    started: Mapped[float | None]
    ended: Mapped[float | None]
    ticket: Mapped[int | None] = mapped_column(BigInteger, index=True)
    message: Mapped[int | None] = mapped_column(BigInteger, index=True)
    failure: Mapped[Plain | None] = mapped_column(JSON(none_as_null=True))


class ClipRow(Table):
    """The file a job made."""

    __tablename__ = "clips"
    __table_args__ = (Index(None, "recipe", "made"),)

    job_id: Mapped[str] = mapped_column(
        String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    recipe: Mapped[str] = mapped_column(String(64))
    file: Mapped[str] = mapped_column(String(255), index=True)
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    took: Mapped[float]  # seconds
    made: Mapped[float] = mapped_column(index=True)
    swept: Mapped[float | None]  # when the file was removed for its age
    clip: Mapped[Plain]


class Favourite(Table):
    """A clip that someone keeps."""

    __tablename__ = "favourites"

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"), primary_key=True)
    job_id: Mapped[str] = mapped_column(
        String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    since: Mapped[float]


class Tally(Table):
    """All that stays of a job whose owner had it forgotten: enough to count."""

    __tablename__ = "tallies"
    __table_args__ = (Index(None, "user_id", "created"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    created: Mapped[float]


class BanRow(Table):
    """A user or server that may not ask for clips."""

    __tablename__ = "bans"

    kind: Mapped[str] = mapped_column(String(8), primary_key=True)  # "user" or "guild"
    subject: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[float]
    until: Mapped[float | None]


class DeedRow(Table):
    """What an operator did; only ever added to."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float] = mapped_column(index=True)
    actor: Mapped[int] = mapped_column(BigInteger)
    deed: Mapped[str] = mapped_column(String(64))
    details: Mapped[Plain]
