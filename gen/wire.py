"""The child's end of the pipe: commands in, progress and log out, and the word that a job was cancelled."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from gen.models import OnStep, Preview
    from gen.preview import Previews


class Cancelled(BaseException):
    """The job was cancelled; not an Exception, so that no library takes it for a fault of its own."""


class Wire:
    """Commands in, messages out; standard output is left to whatever libraries print, and goes to the log."""

    def __init__(self) -> None:
        self._out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._in: TextIO = os.fdopen(os.dup(0), "r", encoding="utf-8")
        os.dup2(2, 1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        self._turn = threading.Lock()
        self._commands: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._stopped: set[int] = set()
        threading.Thread(target=self._listen, name="wire", daemon=True).start()

    def say(self, what: str, **values: Any) -> None:
        """Sends one message; with nobody there to read it, ends the process."""
        line = json.dumps({"say": what, **values}, default=str) + "\n"
        try:
            with self._turn:
                self._out.write(line)
                self._out.flush()
        except BrokenPipeError:
            os._exit(0)

    def next(self) -> dict[str, Any]:
        """The next command, whenever it comes."""
        return self._commands.get()

    def check(self, number: int) -> None:
        """Raises Cancelled when the command of that number was cancelled."""
        if number in self._stopped:
            raise Cancelled

    def _listen(self) -> None:
        try:
            for line in self._in:
                command = json.loads(line)
                if command["do"] == "cancel":
                    self._stopped.add(command["id"])
                else:
                    self._commands.put(command)
        finally:
            os._exit(0)


class Log(logging.Handler):
    """Sends the log over the wire: there it stands in order with the job that it speaks of."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record, its traceback included."""
        self.wire.say("log", level=record.levelno, text=self.format(record))


class Report:
    """Progress of one command: real steps, at times with a small picture."""

    def __init__(self, wire: Wire, number: int, previews: Previews | None = None) -> None:
        self.wire = wire
        self.number = number
        self.previews = previews

    def step(self, stage: str) -> OnStep:
        """What a model calls after each step; it raises Cancelled."""

        def tell(done: int, total: int, preview: Preview | None) -> None:
            self.wire.check(self.number)
            file = None
            if self.previews:
                self.previews.offer(preview)
                file = self.previews.file
            self.wire.say("progress", id=self.number, stage=stage, done=done, total=total, preview=file)

        return tell
