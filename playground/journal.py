"""What was asked and told, in order, for reading when a test failed, and what must not stay unsaid."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass
class Entry:
    """One line: `kind` is "request", "event", "gateway", "unlawful" or "note"; `text` says the rest."""

    at: float
    kind: str
    text: str
    status: int = 0
    code: int = 0
    path: str = ""
    injected: bool = False

    def __str__(self) -> str:
        return f"{self.at:9.3f}  {self.kind:<8} {self.text}"


@dataclass
class Expectation:
    """A refusal that a test means to see: of a code, on paths that match."""

    code: int
    path: str = "*"
    seen: int = 0


@dataclass
class Journal:
    """Keeps the last `size` entries. `stir` is called after each."""

    size: int = 5000
    stir: Callable[[], None] = lambda: None
    entries: deque[Entry] = field(default_factory=deque)
    expected: list[Expectation] = field(default_factory=list)
    unanswered_expected: bool = False
    _start: float = field(default_factory=time.monotonic)

    def add(
        self, kind: str, text: str, *, status: int = 0, code: int = 0, path: str = "", injected: bool = False
    ) -> Entry:
        entry = Entry(time.monotonic() - self._start, kind, text, status, code, path, injected)
        self.entries.append(entry)
        while len(self.entries) > self.size:
            self.entries.popleft()
        self.stir()
        return entry

    def expect(self, code: int, path: str = "*") -> Expectation:
        """Refusals with Discord's `code` (or the HTTP status) on this path are no fault from now on."""
        expectation = Expectation(code, path)
        self.expected.append(expectation)
        return expectation

    def _is_expected(self, entry: Entry) -> bool:
        for one in self.expected:
            if one.code in (entry.code, entry.status) and fnmatchcase(entry.path, one.path):
                one.seen += 1
                return True
        return False

    def wrongs(self) -> list[str]:
        """What makes a test's end a failure: refusals nobody expected, unknown routes, bad shapes."""
        found = [entry for entry in self.entries if entry.kind == "unlawful"]
        for entry in self.entries:
            refused = entry.kind == "request" and (400 <= entry.status < 500 or entry.status == 501)
            if refused and not entry.injected and not self._is_expected(entry):
                found.append(entry)
        return [str(entry) for entry in found]

    def requests(self, path: str = "*", method: str = "*") -> list[Entry]:
        """The requests so far whose "METHOD /path" match both patterns."""
        pattern = f"{method} {path}"
        return [
            one
            for one in self.entries
            if one.kind == "request" and fnmatchcase(f"{one.text.split(' ', 1)[0]} {one.path}", pattern)
        ]

    def __str__(self) -> str:
        return "\n".join(str(entry) for entry in self.entries)
