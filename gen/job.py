"""What is asked for, what is made, and the states a job passes through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from gen.errors import KINDS, EngineError, ZoetropeError


class Task(StrEnum):
    """What an engine is given."""

    TEXT = "text"  # a prompt
    IMAGE = "image"  # one picture, and perhaps a prompt
    INTERP = "interp"  # a first and a last picture, and perhaps a prompt
    VIDEO = "video"  # a video whose motion is followed, and a prompt


@dataclass(frozen=True, kw_only=True)
class Request:
    """All that an engine needs, and nothing about who asked: plain values that survive any journey."""

    recipe: str
    task: Task
    prompt: str = ""
    negative: str = ""
    seed: int
    images: tuple[
        str, ...
    ] = ()  # names of normalised PNGs, or a video's MP4, in the data folder's `pictures/`
    width: int  # pixels, even
    height: int  # pixels, even
    frames: int
    fps: int
    steps: int = 1
    guidance: float = 1.0
    motion: float = 1.0  # strength, 0–4
    camera: tuple[str, ...] = ()  # moves of `gen.prompt.MOVES`
    loop: bool = False  # the clip returns to its first frame
    smooth: int = 1  # frames are interpolated by this factor after the model

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Request:
        """The request `to_dict` came from; keys of an older or newer version are left out."""
        known = {key: value for key, value in values.items() if key in cls.__dataclass_fields__}
        known["task"] = Task(known["task"])
        for key in ("images", "camera"):
            known[key] = tuple(known.get(key, ()))
        return cls(**known)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A person's picture, decoded, upright, flattened to RGB and kept as PNG."""

    name: str  # file name in the data folder's `pictures/`: the digest of its pixels
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Video(Picture):
    """A person's video, its beginning kept as MP4 beside the pictures; its name says how it plays."""

    seconds: float

    @classmethod
    def of(cls, name: str) -> Video:
        """The video that is kept under that name. Raises ValueError when none ever was."""
        found = _VIDEO.fullmatch(name)
        if found is None:
            raise ValueError(name)
        width, height, thousandths = map(int, found.groups())
        return cls(name=name, width=width, height=height, seconds=thousandths / 1000)


_VIDEO = re.compile(r"[0-9a-f]{32}-(\d+)x(\d+)-(\d+)\.mp4")


@dataclass(frozen=True)
class Note:
    """Something that was stepped down to make a clip: an English template, translated where it is shown."""

    template: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)  # by the names in the template

    def __str__(self) -> str:
        return self.template.format(**self.values) if self.values else self.template


@dataclass(frozen=True, kw_only=True)
class Reel:
    """Frames that were made, as they are until a clip's file is made of them."""

    file: str  # file name in the data folder's `reels/`: RGB, a byte each, frame after frame
    frames: int
    width: int
    height: int
    took: float  # seconds from the engine's start to the last frame
    notes: tuple[Note, ...] = ()  # what was stepped down to make them
    found: tuple[str, ...] = ()  # what the recipe's check found in them

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reel:
        """The reel that `asdict` took apart."""
        return cls(**{**values, "notes": noted(values["notes"]), "found": tuple(values["found"])})


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A file that was made."""

    file: str  # file name in the data folder's `clips/`
    width: int
    height: int
    frames: int
    fps: int
    size: int  # bytes
    took: float  # seconds that the engine and the lab worked on it
    after: float = 0.0  # of these, the lab's: the device was free for the next clip
    notes: tuple[Note, ...] = ()  # what was stepped down to make it
    found: tuple[str, ...] = ()  # what the recipe's check found in its frames
    channel: int | None = None  # its owner's direct messages, when it is there for want of the asked channel

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.frames / self.fps

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Clip:
        """The clip `to_dict` came from; keys of an older or newer version are left out."""
        known = {key: value for key, value in values.items() if key in cls.__dataclass_fields__}
        notes = noted(known.get("notes", ()))
        if words := values.get("note"):  # a sentence: so clips were written before they had notes
            notes = (*notes, Note(words))
        return cls(**{**known, "notes": notes, "found": tuple(known.get("found", ()))})


def noted(notes: Iterable[Mapping[str, Any]]) -> tuple[Note, ...]:
    """The notes that `asdict` took apart."""
    return tuple(Note(**note) for note in notes)


@dataclass(frozen=True)
class Failure:
    """Why a job failed: an error as plain values."""

    kind: str
    template: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, error: ZoetropeError) -> Failure:
        """`error` as values that can be stored and sent."""
        plain = {name: _plain(value) for name, value in error.values.items()}
        return cls(type(error).__name__, error.template, plain)

    def error(self) -> ZoetropeError:
        """The error again."""
        return KINDS.get(self.kind, EngineError)(self.template, **self.values)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else str(value)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The one message that can be changed where the bot is no member, by a key that dies soon."""

    token: str = field(repr=False)
    message: int
    until: float  # seconds since 1970


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asked and where, as ids: a live Discord object dies, an id does not."""

    user: int
    channel: int
    guild: int | None = None
    locale: str = "en-US"
    tier: str = "everyone"
    limit: int = 10 * 2**20  # bytes a file may have in that channel
    private: bool = False  # the channel is the asker's direct messages
    restricted: bool = False  # the channel is age-restricted
    spoiler: bool = False  # clips stand behind a spoiler in that channel, whatever they show
    answer: Answer | None = None  # where the bot is no member: all that it can reach there
    found: str = "refuse"  # what becomes of a clip in which a check finds something, by `gen.layers.Verdict`


class State(StrEnum):
    """Where a job stands. MADE is not POSTED: what Discord refused is posted later, never made again."""

    WAITING = "waiting"  # written, in its owner's lane
    RUNNING = "running"  # an engine has it
    MADE = "made"  # the clip's file is on disk
    POSTED = "posted"  # the clip's message is in the channel
    FAILED = "failed"  # with a reason, costs no quota
    CANCELLED = "cancelled"  # by its owner or a moderator, costs no quota


#: The states a job may come from. The ledger's UPDATE carries them, so the table refuses a wrong turn.
BEFORE: Mapping[State, frozenset[State]] = {
    State.WAITING: frozenset({State.RUNNING}),
    State.RUNNING: frozenset({State.WAITING}),
    State.MADE: frozenset({State.RUNNING}),
    State.POSTED: frozenset({State.MADE}),
    State.FAILED: frozenset({State.WAITING, State.RUNNING, State.MADE}),
    State.CANCELLED: frozenset({State.WAITING, State.RUNNING}),
}

ENDED = frozenset({State.POSTED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request, who asked, and where it stands. Times are seconds since 1970."""

    id: str
    request: Request
    asker: Asker
    words: str = ""  # the prompt as it was typed, flags and all
    left_out: tuple[str, ...] = ()  # words that were typed and not wanted
    parent: str | None = None  # the job this one was rolled or remixed from
    state: State = State.WAITING
    attempts: int = 0  # engines that took it up
    created: float
    started: float | None = None  # of one that waits: before the bot was stopped
    ended: float | None = None
    ticket: int | None = None  # message that shows its place and progress
    message: int | None = None  # message that shows its clip, or says how it ended without
    clip: Clip | None = None
    failure: Failure | None = None

    @property
    def channel(self) -> int:
        """Where its message is."""
        return (self.clip and self.clip.channel) or self.asker.channel

    @property
    def withdrawn(self) -> bool:
        """Whether its clip was posted and taken away: from then on it is there for its owner alone."""
        return self.state is State.POSTED and self.message is None

    @property
    def spoiler(self) -> bool:
        """Whether its clip stands behind a spoiler wherever it is shown."""
        return self.asker.spoiler or (self.delicate and self.asker.found != "show")

    @property
    def delicate(self) -> bool:
        """Whether a check found something in its clip."""
        return bool(self.clip and self.clip.found)

    def running(self, now: float) -> Job:
        """An engine takes it up."""
        return self._to(State.RUNNING, started=now, attempts=self.attempts + 1)

    def waiting(self) -> Job:
        """Back into the line: its engine or the whole bot died under it."""
        return self._to(State.WAITING, started=None)

    def put_back(self) -> Job:
        """Back into the line: the bot ends in good order, and holds nothing against it. That it had begun
        stays, so that it goes first at the next start."""
        return self._to(State.WAITING, attempts=self.attempts - 1)

    def made(self, clip: Clip) -> Job:
        """The clip is on disk."""
        return self._to(State.MADE, clip=clip)

    def posted(self, message: int, now: float, channel: int | None = None) -> Job:
        """The clip is in its channel, or in another one where that was closed."""
        elsewhere = channel if channel != self.asker.channel else None
        clip = replace(self.clip, channel=elsewhere) if self.clip else None
        return self._to(State.POSTED, message=message, ended=now, clip=clip)

    def failed(self, error: ZoetropeError, now: float) -> Job:
        """It ends without a clip, and says why."""
        return self._to(State.FAILED, failure=Failure.of(error), ended=now)

    def cancelled(self, now: float) -> Job:
        """It ends because someone who may said so."""
        return self._to(State.CANCELLED, ended=now)

    def forgotten(self) -> Job:
        """It ends without a clip, wherever it stood: the ledger no longer has it."""
        return replace(self, state=State.CANCELLED, clip=None)

    def ticketed(self, message: int | None) -> Job:
        """The same state, with the ticket's message."""
        return replace(self, ticket=message)

    def _to(self, state: State, **changes: Any) -> Job:
        if self.state not in BEFORE[state]:
            raise ValueError(f"job {self.id}: {self.state} cannot become {state}")
        return replace(self, state=state, **changes)
