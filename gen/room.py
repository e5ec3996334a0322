"""The room where people's files are read and clips are made smaller, within limits that the system holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gen import encode, footage, media
from gen.shelf import thumbnail
from gen.wire import Wire

WRITTEN = 256 * 2**20  # bytes of a file


class Room:
    """Reads people's files and refits clips, within limits that the operating system holds."""

    def __init__(self, wire: Wire, data: Path) -> None:
        self.wire = wire
        self.data = data

    def picture(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The picture's values. Raises BadRequest."""
        _seconds_left(10)
        raw = (self.data / "incoming" / Path(command["file"]).name).read_bytes()
        try:
            return asdict(media.keep(raw, command["name"], self.data / "pictures"))
        except MemoryError as error:
            raise media.too_large(command["name"]) from error

    def video(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The video's values. Raises BadRequest."""
        _seconds_left(60)
        raw = (self.data / "incoming" / Path(command["file"]).name).read_bytes()
        try:
            return asdict(footage.keep(raw, command["name"], self.data / "pictures"))
        except MemoryError as error:
            raise media.too_large(command["name"], pixels=footage.PIXELS, side=footage.SIDE) from error

    def fit(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """What was written. Raises EngineError, Cancelled."""
        _seconds_left(300)
        clips = self.data / "clips"
        film = encode.fit(
            clips / Path(command["source"]).name, clips / Path(command["file"]).name,
            limit=command["limit"], step=lambda done, total: self.wire.check(command["id"]),
        )  # fmt: skip
        return asdict(film)

    def thumbnail(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the small picture of a clip. Raises EngineError."""
        _seconds_left(30)
        source = self.data / "clips" / Path(command["source"]).name
        encode.thumbnail(source, self.data / "thumbs" / thumbnail(source.name))
        return {}


def limit(memory: int) -> None:
    """Bounds that the operating system holds: address space, size of a file, no core, few open files."""
    import resource  # where there is one: not on Windows

    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, WRITTEN),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))


def _seconds_left(seconds: int) -> None:
    """From now on so many seconds of the processor, then the end."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (round(used.ru_utime + used.ru_stime) + seconds, most))
