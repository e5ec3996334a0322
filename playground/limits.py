"""Discord's rate limits: fixed windows per route and channel, one over all, and storms on demand."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

Rule = tuple[int, float]
# Requests, seconds. Observed by others, not promised by Discord: a test may change any of them.
RULES: dict[str, Rule] = {
    "messages.create": (5, 5.0),
    "messages.edit": (5, 5.0),
    # Edits of one message that is over an hour old, before 30046.
    "messages.edit.old": (3, 3600.0),
    "messages.delete": (5, 1.0),
    "reactions": (1, 0.25),
    "webhook": (5, 2.0),
    "typing": (5, 5.0),
    "other": (50, 1.0),
}
GLOBAL: Rule = (50, 1.0)
# Answers of 401, 403 and 429 before the address is banned.
INVALID: Rule = (10_000, 600.0)


@dataclass
class Window:
    limit: int
    ends: float
    used: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, and what its answer says about the limit."""

    passes: bool
    headers: Mapping[str, str]
    retry_after: float = 0.0
    is_global: bool = False
    injected: bool = False


class Limits:
    """Counts requests. `rules`, `overall` and `invalid` may be changed at any time.

    `relax()` takes all limits off.
    """

    def __init__(self) -> None:
        self.rules = dict(RULES)
        self.overall = GLOBAL
        self.invalid = INVALID
        self._windows: dict[tuple[str, str], Window] = {}
        self._storm = 0
        self._storm_scope = "user"
        self._storm_wait = 0.1

    def note_invalid(self, now: float) -> None:
        """One more answer of 401, 403 or 429: too many of them ban the address."""
        self._window("invalid", "", *self.invalid, now).used += 1

    def banned(self, now: float) -> float:
        """For how many seconds the address is banned; 0 where it is not."""
        window = self._window("invalid", "", *self.invalid, now)
        return window.ends - now if window.used >= window.limit else 0.0

    def relax(self) -> None:
        """No limits, for a bench that measures something else."""
        self.rules = dict.fromkeys(RULES, (1_000_000, 1.0))
        self.overall = (1_000_000, 1.0)

    def storm(self, times: int, wait: float = 0.1, scope: str = "user") -> None:
        """The next `times` requests get a 429; scope "user", "shared" or "global"."""
        self._storm, self._storm_wait, self._storm_scope = times, wait, scope

    def take(self, rule: str, place: str, now: float, *, exempt: bool = False) -> Verdict:
        """Counts one request of a rule at a place (channel, token). `exempt` spares it the overall limit."""
        limit, per = self.rules.get(rule, self.rules["other"])
        window = self._window(rule, place, limit, per, now)
        name = hashlib.md5(rule.encode(), usedforsecurity=False).hexdigest()
        if self._storm > 0:
            self._storm -= 1
            headers = self._headers(name, window, now, self._storm_scope)
            return Verdict(False, headers, self._storm_wait, self._storm_scope == "global", True)
        if not exempt:
            overall = self._window("global", "", *self.overall, now)
            if overall.used >= overall.limit:
                headers = self._headers(name, window, now, "global")
                return Verdict(False, headers, max(overall.ends - now, 0.001), True)
            overall.used += 1
        if window.used >= window.limit:
            return Verdict(False, self._headers(name, window, now, "user"), max(window.ends - now, 0.001))
        window.used += 1
        return Verdict(True, self._headers(name, window, now))

    def _window(self, rule: str, place: str, limit: int, per: float, now: float) -> Window:
        window = self._windows.get((rule, place))
        if window is None or now >= window.ends or window.limit != limit:
            if len(self._windows) > 10_000:
                self._windows = {key: one for key, one in self._windows.items() if one.ends > now}
            window = self._windows[rule, place] = Window(limit, now + per)
        return window

    @staticmethod
    def _headers(name: str, window: Window, now: float, scope: str = "") -> dict[str, str]:
        headers = {
            "X-RateLimit-Limit": str(window.limit),
            "X-RateLimit-Remaining": str(window.limit - window.used),
            "X-RateLimit-Reset": f"{window.ends:.3f}",
            "X-RateLimit-Reset-After": f"{max(window.ends - now, 0):.3f}",
            "X-RateLimit-Bucket": name,
        }
        return headers | {"X-RateLimit-Scope": scope} if scope else headers
