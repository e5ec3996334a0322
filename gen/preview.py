"""Pictures of a clip in the making: when one is due, what it may cost, and its file."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from gen import encode

if TYPE_CHECKING:
    from gen.models import Pixels, Preview

log = logging.getLogger(__name__)

#: Seconds between two pictures at the least: no ticket is edited more often.
EVERY = 2.5
#: Of a clip's time so far, what all its pictures may take together, the next one included.
SHARE = 0.03
#: Seconds that a picture is taken to cost before one of that recipe was made.
UNKNOWN = 0.1
#: Pixels of a picture, at most: three frames side by side, or a single one.
BOX = (768, 256)


class Previews:
    """The pictures of one clip. Each has a name of its own; the last but one stays for who is reading it."""

    def __init__(
        self,
        folder: Path,
        name: str,
        recipe: str,
        costs: MutableMapping[str, float],  # seconds of a picture, by recipe; what is learnt here is kept
        *,
        on: bool = True,
        now: Callable[[], float] = time.monotonic,
        settle: Callable[[], None] | None = None,
    ) -> None:
        self.folder = folder
        self.name = name
        self.recipe = recipe
        self.costs = costs
        self.on = on
        self.cost = 0.0  # of all so far, in seconds
        self._now = now
        self._settle = settle or settled
        self._began = self._shown = now()
        self._count = 0
        self._waiting: Pixels | None = None

    @property
    def file(self) -> str | None:
        """The name of the newest picture."""
        return self._file(self._count) if self._count else None

    def offer(self, preview: Preview | None) -> None:
        """Takes a picture, or a way to make one. One that comes too early is shown later, unless a newer one
        replaces it; one that is yet to be made is not made then."""
        if not self.on:
            return
        if self.due():
            preview = preview if preview is not None else self._waiting
            self._waiting = None
            if preview is not None:
                self._show(preview)
        elif preview is not None:
            self._waiting = None if callable(preview) else preview

    def due(self) -> bool:
        """Whether it is time for another, and all of them stay within their share."""
        now = self._now()
        cost = self.cost + self.costs.get(self.recipe, UNKNOWN)
        return now - self._shown >= EVERY and cost <= SHARE * (now - self._began)

    def _show(self, preview: Preview) -> None:
        self._settle()  # what the device still has to do is no cost of ours
        began = self._now()
        pixels = preview() if callable(preview) else preview
        if pixels is None:
            return
        try:
            encode.preview(pixels, self.folder / self._file(self._count + 1), box=BOX)
        except OSError as error:  # a full disk: the clip may end by it, but not for a picture's sake
            log.warning("the clip in the making is not shown: %s", error)
            self.on = False
            return
        self._count += 1
        (self.folder / self._file(self._count - 2)).unlink(missing_ok=True)
        self._shown = self._now()
        self.costs[self.recipe] = self._shown - began
        self.cost += self._shown - began

    def _file(self, number: int) -> str:
        return f"{self.name}-{number}.jpg"


def settled() -> None:
    """Waits until the device has done all that it was told; torch is not imported for it."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()
