"""What can go wrong, by who can act.

ZoetropeError
├─ Refused        the one who asked can act: private to them, costs no quota
│  ├─ BadRequest      a value, a flag or a picture is not as it must be
│  ├─ LaneFull        too many clips of theirs are waiting already
│  ├─ NotFound        no such clip
│  └─ NotAllowed      this person, channel or server may not
├─ Failed         the next try might work; `retryable` says so
│  ├─ EngineError     the engine said no
│  │  ├─ OutOfMemory      the device has too little memory for this request
│  │  └─ EngineDied       the engine's process ended; it is born again
│  ├─ TimedOut        the job took longer than it may
│  ├─ Unwritten       the database cannot be used at present: its disk is full, or another program holds it
│  └─ Undeliverable   Discord would not take the clip; it is kept and posted later
│     └─ Unreachable      nor will it ever: the channel is gone and the owner's door is closed
└─ Misconfigured  the operator can act: printed as one line, exit code 78

A text is an English template with named values, so that the bot can translate it and the command line can
print it. It says what happened and the way out.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import ClassVar

#: What the system says of a disk that is full, or of one's share of it.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class ZoetropeError(Exception):
    """`template` with `{names}` of `values`; `str()` is the English sentence."""

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template)
        self.template = template
        self.values: Mapping[str, object] = values

    def __str__(self) -> str:
        return self.template.format(**self.values) if self.values else self.template


class Refused(ZoetropeError):
    """The one who asked can act."""


class BadRequest(Refused):
    """A value, a flag or a picture is not as it must be."""


class LaneFull(Refused):
    """Too many clips of theirs are waiting already."""


class NotFound(Refused):
    """No such clip."""


class NotAllowed(Refused):
    """This person, channel or server may not."""


class Failed(ZoetropeError):
    """Not the fault of the one who asked."""

    retryable: ClassVar[bool] = False


class EngineError(Failed):
    """The engine said no."""


class OutOfMemory(EngineError):
    """The device has too little memory for this request, even after the engine stepped down."""


class EngineDied(EngineError):
    """The engine's process ended while it made a clip."""

    retryable = True


class TimedOut(Failed):
    """The job took longer than it may."""


class Unwritten(Failed):
    """The database cannot be used at present."""

    retryable = True


class Undeliverable(Failed):
    """Discord would not take the clip; the clip is kept and posted later."""

    retryable = True


class Unreachable(Undeliverable):
    """Discord will never take the clip: the channel is gone, and the owner takes no direct messages."""

    retryable = False


class Misconfigured(ZoetropeError):
    """The operator can act."""


KINDS: Mapping[str, type[ZoetropeError]] = {
    kind.__name__: kind
    for kind in (
        Refused, BadRequest, LaneFull, NotFound, NotAllowed,
        Failed, EngineError, OutOfMemory, EngineDied, TimedOut, Unwritten, Undeliverable,
        Unreachable, Misconfigured,
    )
}  # fmt: skip
