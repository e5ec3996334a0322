"""A process of `gen.child`: started, spoken to in JSON lines, stopped, and killed when it hangs."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gen.errors import EngineDied

log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent
#: Beside a busy processor the bot answers first.
NICE = 5
_LINE = 2**20  # bytes of a message, at most


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds of silence before a child is taken for hung."""

    start: float = 60.0  # of a new process until it says ready
    first: float = 900.0  # while weights load, and for a recipe whose usual step is not known yet …
    unsure: float = 120.0  # … at the least, between two steps of such a recipe's first clip
    least: float = 60.0  # for one whose usual step is known, at the least …
    times: float = 20.0  # … and so many times its longest step so far
    film: float = 60.0  # between two frames of a clip's file
    cancel: float = 5.0  # from a cancel to its acknowledgement, at the least; three usual steps at the most


class Child:
    """A process of `gen.child`, spoken to in JSON lines."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._in = cast(asyncio.StreamWriter, process.stdin)  # all three are pipes
        self._out = cast(asyncio.StreamReader, process.stdout)
        self._err = cast(asyncio.StreamReader, process.stderr)
        self._ear = asyncio.Lock()  # whoever kills it while another hears it wants the rest of its output too
        self._context = contextvars.copy_context()  # that of whoever spoke to it last
        self.warm: tuple[str, ...] = ()  # recipes whose model is loaded, the last used last
        self._drain = asyncio.create_task(self._print(), name=f"prints of child {process.pid}")

    @classmethod
    async def born(
        cls, settings: Mapping[str, Any], environ: Mapping[str, str], *, patience: float, nice: int = 0
    ) -> Child:
        """A child that has said it is ready; so much nicer than we are from its first moment on, since what
        it imports takes a second of the processor. Raises EngineDied."""
        level = logging.getLevelName(log.getEffectiveLevel())
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gen.child", json.dumps({"log": level, **settings}),
                stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LINE, cwd=_ROOT, env=dict(environ),
                start_new_session=True,  # Ctrl-C is for the bot; the child ends when its input does
            )  # fmt: skip
        except OSError as error:
            raise EngineDied("The engine could not be started: {fault}.", fault=error) from error
        _be_nice(process.pid, nice)
        child = cls(process)
        try:
            await child.hear(patience)
        except TimeoutError as error:
            await child.kill()
            raise EngineDied("The engine did not start within {seconds} s.", seconds=patience) from error
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self._process.returncode is None and not self._out.at_eof()

    def tell(self, **command: Any) -> None:
        """Sends a command; a child that is gone is noticed by `hear`."""
        self._context = contextvars.copy_context()
        with suppress(ConnectionError, RuntimeError):
            self._in.write(json.dumps(command).encode() + b"\n")

    async def hear(self, seconds: float) -> dict[str, Any]:
        """The next message. Raises TimeoutError after so long without one, EngineDied when it has ended.

        What it logs goes into our log on the way, in the caller's context: that of the job at hand.
        """
        async with asyncio.timeout(seconds), self._ear:
            while (line := await self._out.readline()).endswith(b"\n"):  # half a line is a death
                message: dict[str, Any] = json.loads(line)
                match message["say"]:
                    case "log":
                        log.log(message["level"], "child %d: %s", self.pid, message["text"])
                    case "warm":
                        self.warm = tuple(message["names"])
                    case _:
                        return message
        await self.kill()
        log.warning("child %d ended with %s", self.pid, self._process.returncode)
        raise EngineDied("The engine stopped in the middle of its work.")

    async def stop(self, number: int, seconds: float) -> None:
        """Has it let the command of that number go within so many seconds, or kills it."""
        self.tell(id=number, do="cancel")
        try:
            async with asyncio.timeout(seconds):
                while (await self.hear(seconds))["say"] == "progress":
                    pass
        except EngineDied:
            return
        except TimeoutError:
            log.warning("child %d did not let go within %.1f s; killed", self.pid, seconds)
            await self.kill()
        except asyncio.CancelledError:  # a second one: whoever waits for us will not any longer
            await self.kill()
            raise

    async def kill(self) -> None:
        """Ends it now with all that it started, whatever it does."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._gone()

    async def end(self, seconds: float = 5.0) -> None:
        """Lets it end by closing its input; kills it when it does not."""
        self._in.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone()
        if self.alive:
            await self.kill()

    async def _gone(self) -> None:
        """Waits for the process, its log, and what is left in its output."""
        await self._process.wait()
        self._in.close()
        async with self._ear:
            await self._out.read()
        await asyncio.wait([self._drain])  # awaited itself, it would be cancelled with us

    async def _print(self) -> None:
        """What it prints, line by line, into the log: libraries' chatter, and a crash's last words."""
        rest = b""
        while chunk := await self._err.read(2**16):
            *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in filter(None, lines):
                self._note(line)
            rest = rest[-_LINE:]
        if rest:
            self._note(rest)

    def _note(self, line: bytes) -> None:
        """Logs a line as of the job that the process was last told of."""
        self._context.run(log.info, "child %d: %s", self.pid, line.decode(errors="replace"))


def _be_nice(pid: int, by: int) -> None:
    """Lets a process, and all that it will start, yield to others. Windows has other words for it."""
    if by and sys.platform != "win32":
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + by)
        with suppress(OSError):  # where Linux shares the processor by session first, as desktops do
            Path(f"/proc/{pid}/autogroup").write_text(str(by), "ascii")


def safe(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the bot's own secrets."""
    return {key: value for key, value in environ.items() if not key.startswith("DISCORD_")}
