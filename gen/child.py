"""The engine's own process, spoken to in JSON lines: it makes clips, or reads people's files.

    in    {"id", "do": "make", "request", "recipe", "file", "limit", "found"}  only started with mode "engine"
          {"id", "do": "fetch", "recipe"}                                only started with mode "engine"
          {"id", "do": "describe"}                                       only started with mode "engine"
          {"id", "do": "picture", "file", "name"}                        only started with mode "media"
          {"id", "do": "video", "file", "name"}                          only started with mode "media"
          {"id", "do": "fit", "source", "file", "limit"}                 only started with mode "media"
          {"id", "do": "thumbnail", "source"}                            only started with mode "media"
          {"do": "cancel", "id"}
    out   {"say": "ready", "pid"}  {"say": "log", "level", "text"}
          {"say": "progress", "id", "stage", "done", "total", "preview"}
          {"say": "done", "id", "value"}  {"say": "cancelled", "id"}  {"say": "error", "id", "failure"}
          {"say": "warm", "names"}, when it changed: whose models are loaded, the last used last

When its input ends, whoever started it is gone: it ends at once, so that no orphan holds the card.
"""

from __future__ import annotations

import errno
import gc
import importlib
import importlib.util
import json
import logging
import os
import queue
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from gen import encode, footage, media
from gen.check import Check
from gen.errors import EngineDied, EngineError, OutOfMemory, ZoetropeError
from gen.job import Clip, Failure, Request, Task
from gen.models import checks
from gen.models.screen import Screen
from gen.preview import Previews
from gen.recipe import Range, Recipe
from gen.shelf import thumbnail

if TYPE_CHECKING:
    from gen.models import Model, OnStep, Pixels, Preview

log = logging.getLogger("gen.child")

Do = Callable[[Mapping[str, Any]], dict[str, Any]]

SMALL = 4  # models that run on any processor and are kept beside the others
FEWEST = 8  # frames that are still a clip, where memory allows no more
POISONED = 70  # exit code after an error that spoils the device's context
WRITTEN = 256 * 2**20  # bytes of a file in mode "media"
_SPOILED = ("CUDA error", "CUDNN_STATUS", "cuDNN error", "CUBLAS_STATUS", "HIP error", "device-side assert")


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


class Engine:
    """Keeps models warm and makes clips with them."""

    def __init__(self, wire: Wire, data: Path, cache: Path, device: str, most: int) -> None:
        """`most` is how many models that want a device's memory are kept at once, where they fit."""
        self.wire = wire
        self.data = data
        self.cache = cache
        self.device = device
        self.most = most
        self._warm: OrderedDict[str, tuple[dict[str, Any], Model]] = OrderedDict()  # the last used last
        self._screen = Screen(cache)
        self._costs: dict[str, float] = {}  # seconds that a recipe's preview takes

    def make(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The clip's values. Raises ZoetropeError, Cancelled."""
        began = time.monotonic()
        request, recipe = Request.from_dict(command["request"]), command["recipe"]
        report = Report(self.wire, command["id"], self._previews(command))
        check = _check(recipe)
        if check:  # before all else: one that cannot be asked lets nothing be made
            self._screen.load(check, lambda named: self._fetch(named, report.step("fetching")))
        frames = self._frames(request, recipe, report)
        found = self._screen.look(check, frames, command["found"]) if check else ()
        film = self._film(frames, request, command, report)
        if len(frames) < request.frames:  # the model's own, before any were put between them
            short = (
                f"{len(frames)} frames instead of {request.frames}, which the device's memory could not hold"
            )
            film = replace(film, note="; ".join(filter(None, (short, film.note))))
        took = round(time.monotonic() - began, 3)
        return Clip(file=command["file"], took=took, found=found, **asdict(film)).to_dict()

    def load(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Loads a recipe's model ahead of its first clip, if its weights are here. Raises EngineError."""
        recipe, report = command["recipe"], Report(self.wire, command["id"])
        weights = importlib.import_module("gen.models.weights") if recipe["weights"] else None
        if weights is None or not weights.wanted(recipe["weights"], self.cache):
            self._model(recipe, report)
        return {}

    def fetch(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """How many bytes of a recipe's weights were brought here. Raises EngineError, Cancelled."""
        report = Report(self.wire, command["id"])
        size = self._fetch(command["recipe"]["weights"], report.step("fetching"))
        if check := _check(command["recipe"]):
            size += self._fetch(checks.weights(check.weights), report.step("fetching"))
        return {"size": size}

    def describe(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """What there is to make clips with; no model is loaded. Memory in GiB. Raises EngineError."""
        found: dict[str, Any] = {"h264": encode.can(), "torch": "", "kind": "cpu", "name": "the processor"}
        if importlib.util.find_spec("torch") is None:
            return {**found, "free": 0.0, "total": 0.0}
        try:
            device = importlib.import_module("gen.models.device")
            machine = device.look(self._device())
        except (ImportError, OSError, RuntimeError, AssertionError) as error:  # torch's own, all four
            raise EngineError("torch is there but does not work: {fault}.", fault=error) from error
        found |= {key: getattr(machine, key) for key in ("kind", "name", "free", "total", "capability")}
        dtype = str(machine.brain).removeprefix("torch.")
        slim = machine.kind != "cpu" and importlib.import_module("gen.models.nibble").works(self._device())
        return {**found, "torch": sys.modules["torch"].__version__, "dtype": dtype, "slim": slim}

    def _frames(self, request: Request, recipe: Mapping[str, Any], report: Report) -> Pixels:
        """The model's frames; where memory runs out a second try, and a third for half as many."""
        pictures = [self._picture(name, request) for name in request.images]
        fewer = _fewer(request, recipe)
        for wanted in (request, request, *([fewer] if fewer else [])):
            try:
                return self._model(recipe, report).frames(wanted, pictures, report.step("making"))
            except ZoetropeError as error:
                if not isinstance(error, OutOfMemory):
                    raise
                log.warning("out of memory: %s", error)
            except Exception as error:
                if not _is_memory(error):
                    self._drop(recipe["name"])  # who knows what it is in the middle of
                    raise
                log.warning("out of memory: %s", error)
            self._leave(recipe["name"])  # outside the except block: its traceback holds on to the frames
        self._leave()
        raise OutOfMemory(
            "This clip needs more memory than the device has; ask for fewer seconds or a smaller size."
        )

    def _previews(self, command: Mapping[str, Any]) -> Previews:
        """Of the clip in the making. Where a check is to see the frames first, nobody sees any before."""
        recipe, name = command["recipe"], Path(command["file"]).stem
        on = _check(recipe) is None or command["found"] == "show"
        return Previews(self.data / "previews", name, recipe["name"], self._costs, on=on)

    def _picture(self, name: str, request: Request) -> Pixels:
        """A picture, or of a video what is shown in each of the clip's frames."""
        file = self.data / "pictures" / Path(name).name
        try:
            if file.suffix == ".mp4" and file.exists():
                return footage.load(file, request.frames, request.fps)
            return media.load(file)
        except FileNotFoundError as error:
            raise EngineError("The picture of this clip is gone; attach it again.") from error

    def _film(
        self, frames: Pixels, request: Request, command: Mapping[str, Any], report: Report
    ) -> encode.Film:
        """The frames, interpolated where asked, as a file. Apart from `_frames`: it needs no device."""
        fps = request.fps
        if request.smooth > 1 and len(frames) > 1:
            from gen.models.flow import smooth  # cv2 is loaded where it is wanted only

            pair = report.step("making")
            frames = smooth(frames, request.smooth, lambda done, total: pair(done, total, None))
            fps *= request.smooth
        step = report.step("encoding")
        step(0, len(frames), None)
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

    def _model(self, recipe: Mapping[str, Any], report: Report) -> Model:
        """The recipe's model, loaded unless it is a warm one."""
        name = recipe["name"]
        known, model = self._warm.pop(name, (None, None))
        if model is not None and known == recipe:
            self._keep(recipe, model)
            return model
        del model
        self._make_room(recipe)
        if recipe["weights"]:
            self._fetch(recipe["weights"], report.step("fetching"))
        step = report.step("loading")
        step(0, 1, None)
        module = importlib.import_module(f"gen.models.{_family(recipe['family'])}")
        loaded: Model = module.Model(_recipe(recipe), device=self._device(), cache=self.cache)
        self._keep(recipe, loaded)
        step(1, 1, None)
        return loaded

    def _fetch(self, named: Mapping[str, Any], step: OnStep) -> int:
        """Brings weights here ahead of loading, so that a long download is seen to go on, in MiB; how many
        bytes were missing. Raises EngineError, Cancelled."""
        weights = importlib.import_module("gen.models.weights")  # families without any need none of it
        if pieces := weights.wanted(named, self.cache):
            step(0, sum(piece.size for piece in pieces) >> 20, None)
            weights.fetch(pieces, self.cache, lambda done, total: step(done >> 20, total >> 20, None))
        return sum(piece.size for piece in pieces)

    def _device(self) -> str:
        """The device's name in torch's words; a family without torch runs on the processor."""
        torch = sys.modules.get("torch")
        if self.device != "auto" or torch is None:
            return self.device if torch is not None else "cpu"
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"

    def _make_room(self, recipe: Mapping[str, Any]) -> None:
        """Lets models go, the longest unused first, until there are few enough and this one fits beside the
        rest. What runs on any processor takes no room and makes none: a few of those are kept."""
        large, small = (
            [name for name, (known, _) in self._warm.items() if bool(known["memory"]) is is_large]
            for is_large in (True, False)
        )
        for name in small[: max(0, len(small) + 1 - SMALL)]:
            self._drop(name)
        while large and recipe["memory"] and not (len(large) < self.most and self._fits(recipe["memory"])):
            name = large.pop(0)
            log.info("model %s makes room for %s", name, recipe["name"])
            self._drop(name)
            _collect()

    def _fits(self, memory: float) -> bool:
        """Whether so many GiB are free on the device, as measured now."""
        if "torch" not in sys.modules:
            return True  # nothing of ours is there yet
        device = importlib.import_module("gen.models.device")
        machine = device.look(self._device())
        return bool(machine.kind == "cpu" or memory <= machine.free * device.ROOM)

    def _leave(self, name: str = "") -> None:
        """Lets all models but that one go, and all memory of the device that nobody holds."""
        for other in [each for each in self._warm if each != name]:
            self._drop(other)
        _collect()

    def _keep(self, recipe: Mapping[str, Any], model: Model) -> None:
        self._warm[recipe["name"]] = dict(recipe), model
        self.wire.say("warm", names=list(self._warm))

    def _drop(self, name: str) -> None:
        if self._warm.pop(name, None):
            self.wire.say("warm", names=list(self._warm))


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


class Room:
    """Reads people's files and refits clips, within limits that the operating system holds."""

    def __init__(self, wire: Wire, data: Path) -> None:
        self.wire = wire
        self.data = data

    def picture(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The picture's values. Raises BadRequest."""
        _seconds_left(10)
        raw = (self.data / "incoming" / Path(command["file"]).name).read_bytes()
        try:
            return asdict(media.keep(raw, command["name"], self.data / "pictures"))
        except MemoryError as error:
            raise media.too_large(command["name"]) from error

    def video(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The video's values. Raises BadRequest."""
        _seconds_left(60)
        raw = (self.data / "incoming" / Path(command["file"]).name).read_bytes()
        try:
            return asdict(footage.keep(raw, command["name"], self.data / "pictures"))
        except MemoryError as error:
            raise media.too_large(command["name"], pixels=footage.PIXELS, side=footage.SIDE) from error

    def fit(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """What was written. Raises EngineError, Cancelled."""
        _seconds_left(300)
        clips = self.data / "clips"
        film = encode.fit(
            clips / Path(command["source"]).name, clips / Path(command["file"]).name,
            limit=command["limit"], step=lambda done, total: self.wire.check(command["id"]),
        )  # fmt: skip
        return asdict(film)

    def thumbnail(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the small picture of a clip. Raises EngineError."""
        _seconds_left(30)
        source = self.data / "clips" / Path(command["source"]).name
        encode.thumbnail(source, self.data / "thumbs" / thumbnail(source.name))
        return {}


def main(settings: Mapping[str, Any]) -> None:
    """Serves commands until the input ends."""
    wire, data = Wire(), Path(settings["data"])
    logging.basicConfig(level=settings["log"], handlers=[Log(wire)])
    does: dict[str, Do]
    if settings["mode"] == "media":
        _limit(settings["memory"])
        room = Room(wire, data)
        does = {
            "picture": room.picture, "video": room.video, "fit": room.fit, "thumbnail": room.thumbnail,
        }  # fmt: skip
    else:
        _hold_back()
        engine = Engine(wire, data, Path(settings["cache"]), settings["device"], settings.get("warm", 1))
        does = {"make": engine.make, "load": engine.load, "fetch": engine.fetch, "describe": engine.describe}
    wire.say("ready", pid=os.getpid())
    while True:
        command = wire.next()
        _serve(wire, command, does[command["do"]])


def _hold_back() -> None:
    """Hides packages from libraries that load them wherever they are: by the first they run code from a hub,
    the second takes a second (`gen/models/nibble.py` has it all the same)."""
    for name in ("kernels", "bitsandbytes"):
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to forbid an import


def _serve(wire: Wire, command: Mapping[str, Any], do: Do) -> None:
    """Does one command and says how it ended. A bug is logged with its traceback: a process is a border."""
    try:
        value = do(command)
    except Cancelled:
        wire.say("cancelled", id=command["id"])
    except Exception as error:
        fault = _fault(error)
        wire.say("error", id=command["id"], failure=asdict(Failure.of(fault)))
        if isinstance(fault, EngineDied):
            os._exit(POISONED)
    else:
        wire.say("done", id=command["id"], value=value)


def _fault(error: Exception) -> ZoetropeError:
    """`error` in our own words."""
    if isinstance(error, ZoetropeError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return EngineError("The disk is full. The owner of this bot must make room.")
    log.error("a bug", exc_info=error)
    if _spoiled(error):
        return EngineDied("The device failed; its engine is started anew.")
    return EngineError("The engine failed on this clip; the operator's log says why.")


def _limit(memory: int) -> None:
    """Bounds that the operating system holds: address space, size of a file, no core, few open files."""
    import resource  # where there is one: not on Windows

    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, WRITTEN),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))


def _seconds_left(seconds: int) -> None:
    """From now on so many seconds of the processor, then the end."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (round(used.ru_utime + used.ru_stime) + seconds, most))


def _family(name: str) -> str:
    """`name`, if there is a file of that name in gen/models/. Raises EngineError."""
    there = {file.stem for file in (Path(__file__).parent / "models").glob("[a-z]*.py")}
    if name not in there:
        raise EngineError("There is no model family {family}.", family=name)
    return name


def _recipe(values: Mapping[str, Any]) -> Recipe:
    """The recipe that `asdict` took apart; its maker has judged it."""
    whole = dict(values)
    for key in ("seconds", "fps", "motion", "guidance", "steps"):
        whole[key] = Range(**whole[key]) if whole[key] else None
    whole["sizes"] = {aspect: (size[0], size[1]) for aspect, size in whole["sizes"].items()}
    whole["check"] = _check(values)
    return Recipe(**{**whole, "task": Task(whole["task"])})


def _check(recipe: Mapping[str, Any]) -> Check | None:
    """The check of the recipe that `asdict` took apart."""
    values = recipe.get("check")
    return Check(**values) if values else None


def _fewer(request: Request, recipe: Mapping[str, Any]) -> Request | None:
    """The request with half its frames, as the recipe counts them; None where that would be no clip."""
    multiple, extra = recipe.get("frame_multiple", 1), recipe.get("frame_extra", 0)
    frames = (request.frames // 2 - extra) // multiple * multiple + extra
    return replace(request, frames=frames) if frames >= FEWEST and not recipe.get("clip_frames") else None


def _collect() -> None:
    """Returns to the device all that nobody holds."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _is_memory(error: Exception) -> bool:
    """Whether memory ran out, in Python's or torch's words; torch is not imported to ask."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _spoiled(error: Exception) -> bool:
    """Whether the device's context is beyond use: any error of CUDA's but out-of-memory."""
    text = str(error)
    return type(error).__name__ == "AcceleratorError" or any(words in text for words in _SPOILED)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
