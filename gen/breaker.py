"""The breaker pauses a recipe whose engine keeps dying, so that the others go on; later it is tried again."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from gen.errors import EngineDied, NotAllowed

log = logging.getLogger(__name__)

#: Deaths of the engine within `WITHIN` seconds that pause a recipe, for `REST` seconds. One request may end
#: two engines before it is given up, so that a single bad request pauses nothing.
DEATHS = 4
WITHIN = 600.0
REST = 300.0


class Breaker:
    """Closed, a recipe works. Open, it is refused. After its rest the next clip is its trial."""

    def __init__(
        self,
        *,
        deaths: int = DEATHS,
        within: float = WITHIN,
        rest: float = REST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.deaths = deaths
        self.within = within
        self.rest = rest
        self.died_in_all: Counter[str] = Counter()  # engines by recipe, since the start
        self._monotonic = monotonic
        self._lately: dict[str, deque[float]] = defaultdict(deque)
        self._until: dict[str, float] = {}  # open recipes; past that time on trial

    def died(self, recipe: str) -> None:
        """An engine died over a clip of that recipe."""
        now = self._monotonic()
        self.died_in_all[recipe] += 1
        lately = self._lately[recipe]
        lately.append(now)
        while lately[0] <= now - self.within:
            lately.popleft()
        on_trial = recipe in self._until and not self._left(recipe)
        if len(lately) >= self.deaths or on_trial:
            if not self._left(recipe):
                log.error("model %s is paused for %.0f s: its engine keeps dying", recipe, self.rest)
            self._until[recipe] = now + self.rest
            lately.clear()

    def made(self, recipe: str) -> None:
        """A clip of that recipe was made: it works."""
        self._lately.pop(recipe, None)
        if self._until.pop(recipe, None) is not None:
            log.warning("model %s works again", recipe)

    def paused(self) -> dict[str, str]:
        """Why, by recipe, for those that are paused now."""
        return {
            recipe: _REASON.format(**self._values(recipe)) for recipe in self._until if self._left(recipe)
        }

    def admit(self, recipe: str) -> None:
        """Raises NotAllowed for a clip that is asked for while its recipe is paused."""
        if self._left(recipe):
            raise NotAllowed(
                "The model {model} is paused because its engine keeps failing; "
                "take another model, or try again in about {minutes} min.",
                **self._values(recipe),
            )

    def begin(self, recipe: str) -> None:
        """Raises EngineDied for a clip whose turn comes while its recipe is paused: no engine is risked."""
        if self._left(recipe):
            raise EngineDied(
                "The model {model} was paused because its engine keeps failing; "
                "take another model, or try again in about {minutes} min.",
                **self._values(recipe),
            )

    def _left(self, recipe: str) -> float:
        """Seconds of rest that are left."""
        return max(0.0, self._until.get(recipe, 0.0) - self._monotonic()) if recipe in self._until else 0.0

    def _values(self, recipe: str) -> dict[str, object]:
        return {"model": recipe, "minutes": max(1, math.ceil(self._left(recipe) / 60))}


_REASON = "paused for about {minutes} min: its engine keeps failing"
