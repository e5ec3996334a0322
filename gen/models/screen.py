"""The screen on which a check sees frames before anyone does: a clip passes, is hidden, or is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen.errors import EngineError, Misconfigured, NotAllowed
from gen.models import checks

if TYPE_CHECKING:
    from gen.check import Check
    from gen.models import Pixels

log = logging.getLogger(__name__)


class Screen:
    """Keeps one check warm."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._warm: tuple[Check, checks.Judge] | None = None

    def load(self, check: Check, fetch: Callable[[Mapping[str, Any]], object]) -> None:
        """Makes the check ready; `fetch` brings weights into the cache.

        Raises EngineError, which names no cause: that is the operator's, and in the log.
        """
        if self._warm and self._warm[0] == check:
            return
        self._warm = None
        try:
            fetch(checks.weights(check.weights))
            self._warm = check, checks.load(check, self.cache)
        except (EngineError, Misconfigured) as error:
            log.error("check %s cannot be asked, so that no clip passes: %s", check.name, error)
            raise EngineError(
                "The check that looks at this model's clips cannot be loaded, so none is made; "
                "the operator's log says why."
            ) from error

    def look(self, check: Check, frames: Pixels, policy: str) -> tuple[str, ...]:
        """What is found in the first, the middle and the last of `frames`.

        Raises NotAllowed unless `policy` is to show a clip in which something is found, or to hide it.
        """
        if self._warm is None or self._warm[0] != check:
            raise ValueError(f"check {check.name} is not loaded")
        found = self._found(check, self._warm[1], frames)
        if found and policy not in ("show", "spoiler"):
            log.warning("check %s: the clip is refused", check.name)
            raise NotAllowed(
                "The check of this model found “{found}” in the clip, and that is not shown here; "
                "the clip was not kept.",
                found=", ".join(found),
            )
        return tuple(found)

    def _found(self, check: Check, judge: checks.Judge, frames: Pixels) -> list[str]:
        seen = sorted({0, len(frames) // 2, len(frames) - 1})
        found: list[str] = []
        for frame, scores in zip(seen, judge.scores([frames[index] for index in seen]), strict=True):
            # Not “at least”: what is no number counts as found.
            here = [label for label, least in check.labels.items() if not scores[label] < least]
            for label in here:
                log.warning("check %s: %s %.3f in frame %d", check.name, label, scores[label], frame)
            found += [label for label in here if label not in found]
        return found
