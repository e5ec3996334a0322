"""What the core needs from outside, as Protocols."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from gen.job import Clip, Job, Picture, Request, State


@dataclass(frozen=True)
class Step:
    """The engine's real progress: never a guess from elapsed time."""

    stage: str  # "fetching", "loading", "making"; and, off the device, "smoothing", "encoding"
    done: int
    total: int
    preview: str | None = None  # file name of a small picture of the clip in the making

    @property
    def off_device(self) -> bool:
        """Whether the frames are done: the device is free for the next clip."""
        return self.stage in ("smoothing", "encoding")


Progress = Callable[[Step], None]


class Engine(Protocol):
    """Makes clips. To stop it, cancel the call: it returns the device before the cancellation goes on.

    The next clip may be asked for as soon as a step of this one says that the device is free. Raises
    EngineDied only before that: what befalls a clip whose frames are done is no word on its recipe.
    """

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str) -> Clip:
        """A clip of at most `limit` bytes. `found`, as an `Asker` has it, is what becomes of one in whose
        frames a check finds something. Raises EngineError; NotAllowed where that is to be refused."""
        ...


class Darkroom(Protocol):
    """Looks at people's files in a process of its own, with limits on memory and time."""

    async def picture(self, data: bytes, filename: str) -> Picture:
        """The picture in `data`, normalised and kept. Raises BadRequest naming `filename` and the fault."""
        ...

    async def video(self, data: bytes, filename: str) -> Picture:
        """The video in `data`, its beginning kept. Raises BadRequest naming `filename` and the fault."""
        ...

    async def fit(self, clip: Clip, limit: int) -> Clip:
        """The same clip in at most `limit` bytes, as a new file.

        Raises EngineError, or Undeliverable when another try may do it.
        """
        ...

    async def thumbnail(self, clip: Clip) -> None:
        """Makes the clip's small picture anew. Raises EngineError."""
        ...


class Subject(StrEnum):
    """Whom a ban is about."""

    USER = "user"
    GUILD = "guild"


@dataclass(frozen=True, kw_only=True)
class Ban:
    """Who may not ask for clips, why, by whose word and until when. Times are seconds since 1970."""

    kind: Subject
    subject: int
    reason: str
    actor: int
    since: float
    until: float | None  # None: until it is lifted


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something that an operator did."""

    id: int  # later acts have higher ones
    at: float
    actor: int
    deed: str
    values: Mapping[str, Any]


class Forgotten(Protocol):
    """What was erased, and the files that are to be removed now."""

    @property
    def jobs(self) -> int:
        """How many."""
        ...

    @property
    def clips(self) -> Sequence[str]:
        """Names of files in `clips/`."""
        ...

    @property
    def pictures(self) -> Sequence[str]:
        """Names of files in `pictures/` that no other job needs."""
        ...


class People(Protocol):
    """What people chose and keep, and what operators decided; durable when the call returns."""

    async def ban(
        self, kind: Subject, subject: int, *, reason: str, actor: int, until: float | None = None
    ) -> Ban:
        """Bans a user or a server, in place of an earlier ban, and writes so in the audit."""
        ...

    async def unban(self, kind: Subject, subject: int, *, actor: int) -> bool:
        """Lifts a ban and writes so in the audit; False when there was none."""
        ...

    async def bans(self) -> Sequence[Ban]:
        """All bans in force, users' first."""
        ...

    async def audit(self, actor: int, deed: str, values: Mapping[str, Any]) -> None:
        """Writes what an operator did."""
        ...

    async def audits(self, *, limit: int = 50, before: int | None = None) -> Sequence[Deed]:
        """What operators did, newest first; `before` the act of that id."""
        ...

    async def decided(self, *deeds: str) -> Sequence[Deed]:
        """All acts of those kinds, oldest first: what holds now is what was decided last."""
        ...

    async def export(self, user: int) -> dict[str, Any]:
        """All that is kept about a user, in plain values."""
        ...

    async def forget(self, user: int) -> Forgotten:
        """Erases a user's jobs, clips, words, favourites and preferences, jobs under way apart."""
        ...

    async def favourite(self, user: int, job_id: str, on: bool) -> bool:
        """Keeps a job among the user's favourites, or no longer; False when there is no such job."""
        ...

    async def keeps(self, user: int, job_id: str) -> bool:
        """Whether the job is among the user's favourites."""
        ...

    async def chosen(self) -> tuple[Mapping[int, dict[str, Any]], Mapping[int, dict[str, Any]]]:
        """The preferences of all users that have any, and the settings of all servers that have any."""
        ...

    async def prefer(self, user: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes some of a user's preferences, `None` taking one back; returns them all."""
        ...

    async def set_guild(self, guild: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes some of a server's settings, `None` taking one back; returns them all."""
        ...


class Ledger(Protocol):
    """Every change of a job, durable when the call returns."""

    async def add(self, job: Job) -> None:
        """Writes a new job."""
        ...

    async def record(self, job: Job) -> bool:
        """Writes `job` over a state it may come from; False when the table held another."""
        ...

    async def ticket(self, job_id: str, message: int | None, stands: int | None = None) -> None:
        """Writes which message is the job's ticket; None once it is at its end, and `stands`."""
        ...

    async def taken_away(self, messages: Collection[int]) -> None:
        """Writes that these messages are gone; a clip that was posted in one is no longer there."""
        ...

    async def find(self, job_id: str) -> Job | None:
        """The job of that id."""
        ...

    async def by_message(self, message: int) -> Job | None:
        """The job whose clip or ticket that message shows."""
        ...

    async def unfinished(self) -> Sequence[Job]:
        """Jobs WAITING, RUNNING or MADE, oldest first."""
        ...

    async def lingering(self) -> Sequence[Job]:
        """Ended jobs whose ticket was not brought to its end, oldest first."""
        ...

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
        ...

    async def children(self, job_id: str) -> Sequence[Job]:
        """The jobs that were rolled or remixed from that one, oldest first."""
        ...

    async def counts(self, user: int, since: float = 0.0) -> dict[State, int]:
        """How many jobs a user asked for since then, by the state they are in."""
        ...

    @property
    def people(self) -> People:
        """What people chose and keep."""
        ...

    async def pace(self) -> dict[str, tuple[float, int]]:
        """Per recipe: median seconds a clip took lately, and over how many clips."""
        ...


@dataclass(frozen=True)
class Posted:
    """Where a clip is, as ids."""

    message: int
    channel: int


class Delivery(Protocol):
    """Shows jobs to people."""

    def show(self, job: Job, step: Step | None = None) -> None:
        """Shows where `job` stands, soon: calls are merged and paced, and return at once."""
        ...

    async def post(self, job: Job) -> Posted:
        """Posts the clip of a MADE job and returns where it is, once, whatever died before.

        Raises Undeliverable.
        """
        ...

    async def take_back(self, job: Job) -> None:
        """Takes the clip of a POSTED job away again, if Discord will have it."""
        ...
