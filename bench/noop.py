"""The real bot with an engine that makes nothing: `python -m bench.noop` copies one clip for every job."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

import bot.__main__ as program
from gen.host import Host
from gen.job import Clip, Request
from gen.ports import Progress, Step


class NoopHost(Host):
    """Makes its first clip in earnest, and hands on links to it from then on."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._first: Clip | None = None
        self._links = 0

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str = "refuse") -> Clip:
        """A clip at once."""
        if self._first is None:
            self._first = await super().make(request, progress, limit=limit)
            return self._first
        self._links += 1
        name = f"noop{self._links}.mp4"
        os.link(self.data / "clips" / self._first.file, self.data / "clips" / name)
        progress(Step("making", 1, 1))
        return replace(self._first, file=name, took=0.001)


if __name__ == "__main__":
    program.Host = NoopHost  # type: ignore[attr-defined]  # where the program names its engine
    sys.exit(program.main())
