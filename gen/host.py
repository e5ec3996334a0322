"""An engine in a process of its own: started, heard, cancelled, killed when it hangs, and born again."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import json
import logging
import os
import signal
import sys
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, cast

from gen.errors import EngineDied, EngineError
from gen.job import Clip, Failure, Request
from gen.machine import Device
from gen.ports import Progress, Step
from gen.recipe import Recipe
from gen.shelf import thumbnail

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
    cancel: float = 5.0  # from a cancel to its acknowledgement, at the least; three usual steps at the most


class Child:
    """A process of `gen.child`, spoken to in JSON lines."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._in = cast(asyncio.StreamWriter, process.stdin)  # all three are pipes
        self._out = cast(asyncio.StreamReader, process.stdout)
        self._err = cast(asyncio.StreamReader, process.stderr)
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
        async with asyncio.timeout(seconds):
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


class Host:
    """An `Engine` whose models live in a child."""

    def __init__(
        self,
        recipes: Mapping[str, Recipe],
        data: Path,
        *,
        cache: Path,
        environ: Mapping[str, str],
        device: str = "auto",
        warm: int = 1,  # models that are kept loaded, where they fit
        idle: float = 600.0,  # seconds after a clip until the child ends and frees the device; 0: never
        patience: Patience = Patience(),
        name: Callable[[], str] = lambda: uuid.uuid4().hex,  # of a clip's file
    ) -> None:
        self.recipes = recipes
        self.data = data.resolve()
        self.patience = patience
        self.idle = idle
        self._environ = {
            "PYTORCH_ALLOC_CONF": "expandable_segments:True",
            "PYTORCH_ENABLE_MPS_FALLBACK": "1",  # what Apple's has not, the processor does
            # Threads that spin while they wait make a clip ten times slower on a processor that others use.
            "OMP_WAIT_POLICY": "PASSIVE",
            **safe(environ),
        }
        self._settings = {
            "mode": "engine", "data": str(self.data), "cache": str(cache.resolve()), "device": device,
            "warm": warm,
        }  # fmt: skip
        self._name = name
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._child: Child | None = None
        self._rest: asyncio.Task[None] | None = None
        self._usual: dict[str, float] = {}  # the longest step of each recipe so far

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def warm(self) -> tuple[str, ...]:
        """Recipes whose model the child has loaded, the last used last."""
        return self._child.warm if self._child and self._child.alive else ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def start(self, name: str = "") -> None:
        """Starts the child ahead of its first clip, and has it load that recipe's model if its weights are
        here. Raises EngineError."""
        async with self._turn:
            child = await self._ready()
            if name:
                await self._told(child, name, lambda step: None, do="load")

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str = "refuse") -> Clip:
        """A clip of at most `limit` bytes, judged by its recipe's check. Raises EngineError, NotAllowed.

        Cancelled, it returns once the child has let the job go or is dead: the device is free then.
        """
        recipe = self.recipes.get(request.recipe)
        if recipe is None:
            raise EngineError("The model {model} is no longer here.", model=request.recipe)
        async with self._turn:
            if self._rest:
                self._rest.cancel()
            child = await self._ready()
            number, file = next(self._numbers), f"{self._name()}.mp4"
            child.tell(
                id=number, do="make", request=request.to_dict(), recipe=asdict(recipe), file=file,
                limit=limit, found=found,
            )  # fmt: skip
            try:
                return Clip.from_dict(await self._heard(child, number, recipe.name, progress))
            except asyncio.CancelledError:
                await self._stop(child, number, self._grace(recipe.name))
                for folder, name in (("clips", file), ("thumbs", thumbnail(file))):
                    (self.data / folder / name).unlink(missing_ok=True)
                raise
            finally:
                for preview in (self.data / "previews").glob(f"{Path(file).stem}-*.jpg"):
                    preview.unlink(missing_ok=True)
                if self.idle:
                    self._rest = asyncio.create_task(self._sleep(), name="the engine's rest")

    async def fetch(self, name: str, progress: Progress) -> int:
        """How many bytes of that recipe's weights were missing, and now are here. Raises EngineError."""
        async with self._turn:
            value = await self._told(await self._ready(), name, progress, do="fetch")
        return int(value["size"])

    async def _told(self, child: Child, name: str, progress: Progress, *, do: str) -> dict[str, Any]:
        """What came of a command about a recipe; cancelled, it ends the child, which can begin it anew."""
        number = next(self._numbers)
        child.tell(id=number, do=do, recipe=asdict(self.recipes[name]))
        try:
            return await self._heard(child, number, name, progress)
        except asyncio.CancelledError:
            await child.kill()
            raise

    async def describe(self) -> Device:
        """What there is to make clips with; no model is loaded. Raises EngineError."""
        async with self._turn:
            child = await self._ready()
            child.tell(id=next(self._numbers), do="describe")
            try:
                message = await child.hear(self.patience.first)
            except BaseException as error:  # its late answer must meet nobody else
                await child.kill()
                if isinstance(error, TimeoutError):
                    raise EngineDied("The engine stopped answering and was started anew.") from error
                raise
        if message["say"] == "error":
            raise Failure(**message["failure"]).error()
        return Device.of(message["value"])

    async def aclose(self) -> None:
        """Ends the child at once: nothing in it is worth a wait, what it was doing is done anew."""
        if self._rest:
            self._rest.cancel()
            await asyncio.wait([self._rest])
        if self._child:
            await self._child.kill()

    async def _ready(self) -> Child:
        """The living child, or a new one. Raises EngineDied."""
        if self._child is None or not self._child.alive:
            for folder in ("clips", "pictures", "previews"):
                (self.data / folder).mkdir(parents=True, exist_ok=True)
            self._child = await Child.born(
                self._settings, self._environ, patience=self.patience.start, nice=NICE
            )
        return self._child

    async def _heard(self, child: Child, number: int, recipe: str, progress: Progress) -> dict[str, Any]:
        """Hears the child out; what it was told to do came to that."""
        loop = asyncio.get_running_loop()
        stage, longest, last, between = "starting", 0.0, loop.time(), False
        while True:
            try:
                message = await child.hear(self._silence(recipe, stage, longest if between else None))
            except TimeoutError as error:
                log.error("child %d is silent for too long while %s; killed", child.pid, stage)
                await child.kill()
                raise EngineDied("The engine stopped answering and was started anew.") from error
            now = loop.time()
            if stage == "making":
                longest = max(longest, now - last)
            last = now
            match message["say"]:
                case "progress" if message["id"] == number:
                    stage = message["stage"]
                    between = stage == "making" and 0 < message["done"] < message["total"]
                    progress(Step(stage, message["done"], message["total"], message["preview"]))
                case "done":
                    if longest:
                        self._usual[recipe] = max(longest, self._usual.get(recipe, 0.0))
                    value: dict[str, Any] = message["value"]
                    return value
                case "error":
                    fault = Failure(**message["failure"]).error()
                    if isinstance(fault, EngineDied):
                        await child.kill()
                    raise fault

    def _silence(self, recipe: str, stage: str, longest: float | None) -> float:
        """Seconds that the child may say nothing; `longest` is its longest step while it is between two."""
        usual, patience = self._usual.get(recipe), self.patience
        cold = stage in ("fetching", "loading") or (stage == "starting" and recipe not in self.warm)
        if cold or (usual is None and longest is None):
            return patience.first
        if usual is None:
            known = max(patience.unsure, patience.least, patience.times * (longest or 0.0))
            return min(patience.first, known)
        return max(patience.least, patience.times * usual)

    def _grace(self, recipe: str) -> float:
        return max(self.patience.cancel, 3 * self._usual.get(recipe, 0.0))

    async def _stop(self, child: Child, number: int, seconds: float) -> None:
        """Has the child let the job go within so many seconds, or kills it."""
        child.tell(id=number, do="cancel")
        try:
            async with asyncio.timeout(seconds):
                while (await child.hear(seconds))["say"] == "progress":
                    pass
        except EngineDied:
            return
        except TimeoutError:
            log.warning("child %d did not let go within %.1f s; killed", child.pid, seconds)
            await child.kill()
        except asyncio.CancelledError:  # a second one: whoever waits for us will not any longer
            await child.kill()
            raise

    async def _sleep(self) -> None:
        """Ends the child after a while without work: that alone frees the device's context."""
        await asyncio.sleep(self.idle)
        async with self._turn:
            if self._child:
                log.info("child %d had nothing to do for %.0f s", self._child.pid, self.idle)
                await self._child.end()


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
