"""The cutter makes files of frames that are done: interpolated where asked, encoded, a thumbnail beside."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gen import encode
from gen.job import Reel, Request
from gen.shelf import thumbnail
from gen.wire import Report, Wire

if TYPE_CHECKING:
    from gen.models import Pixels

log = logging.getLogger(__name__)

#: Bytes of memory beside the frames: libraries, the encoder's own, stacks of its threads.
BESIDE = 3 * 2**30
#: Bytes of a file beside what its frames are: what is said of the clip.
SAID = 2**20


class Cutter:
    """Works in one data folder."""

    def __init__(self, wire: Wire, data: Path) -> None:
        self.wire = wire
        self.data = data

    def film(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """What was written, and in how many seconds. Raises EngineError, Cancelled."""
        began = time.monotonic()
        reel, request = Reel.from_dict(command["reel"]), Request.from_dict(command["request"])
        report = Report(self.wire, command["id"])
        _bound(math.prod(_shape(reel)) * request.smooth)
        film = self._written(self._frames(reel), request, command, report)
        return {**asdict(film), "took": round(time.monotonic() - began, 3)}

    def _frames(self, reel: Reel) -> Pixels:
        """The frames, read as they are needed."""
        return np.memmap(self.data / "reels" / Path(reel.file).name, np.uint8, "r", shape=_shape(reel))

    def _written(
        self, frames: Pixels, request: Request, command: Mapping[str, Any], report: Report
    ) -> encode.Film:
        fps, step = request.fps, report.step("encoding")
        if request.smooth > 1 and len(frames) > 1:
            from gen.models.flow import smooth  # cv2 is loaded where it is wanted only

            pair = report.step("smoothing")
            frames = smooth(frames, request.smooth, lambda done, total: pair(done, total, None))
            fps *= request.smooth
        film = encode.write(
            frames, fps, self.data / "clips" / Path(command["file"]).name,
            limit=command["limit"], about=request.to_dict(), step=lambda done, total: step(done, total, None),
        )  # fmt: skip
        thumb = self.data / "thumbs" / thumbnail(command["file"])
        try:
            encode.preview(frames[len(frames) // 2], thumb, box=encode.THUMBNAIL)
        except OSError as error:  # the clip is there; the darkroom makes its picture when one is wanted
            log.warning("no thumbnail was kept: %s", error)
        return film


def _shape(reel: Reel) -> tuple[int, int, int, int]:
    return reel.frames, reel.height, reel.width, 3


def _bound(frames: int) -> None:
    """Bounds that the operating system holds, by the bytes of all frames: memory, size of a file, no core."""
    if sys.platform != "linux":
        return  # others count memory otherwise
    import resource

    for what, most in (
        (resource.RLIMIT_DATA, BESIDE + 2 * frames),
        (resource.RLIMIT_FSIZE, SAID + frames),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hardest = resource.getrlimit(what)
        bound = most if hardest == resource.RLIM_INFINITY else min(most, hardest)
        resource.setrlimit(what, (bound, hardest))
