"""The engine in its own process: it makes frames with warm models, and keeps them for the lab."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen import encode, footage, media
from gen.errors import EngineError, OutOfMemory, ZoetropeError
from gen.job import Note, Reel, Request
from gen.models import checks
from gen.models.screen import Screen
from gen.preview import Previews
from gen.prompt import Ask
from gen.recipe import PICTURES, Recipe
from gen.warm import Warm
from gen.wire import Report, Wire

if TYPE_CHECKING:
    from gen.models import Model, OnStep, Pixels

log = logging.getLogger(__name__)

FEWEST = 8  # frames that are still a clip, where memory allows no more


class Engine:
    """Makes frames."""

    def __init__(self, wire: Wire, data: Path, cache: Path, device: str, most: int) -> None:
        """`most` is how many models that want a device's memory are kept at once, where they fit."""
        self.wire = wire
        self.data = data
        self.cache = cache
        self.warm = Warm(wire, cache, device, most)
        self._screen = Screen(cache)
        self._costs: dict[str, float] = {}  # seconds that a recipe's preview takes

    def make(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The reel's values. Raises ZoetropeError, Cancelled."""
        began = time.monotonic()
        request, recipe = Request.from_dict(command["request"]), Recipe.from_dict(command["recipe"])
        report = Report(self.wire, command["id"], self._previews(recipe, command))
        if recipe.check:  # before all else: one that cannot be asked lets nothing be made
            self._screen.load(recipe.check, lambda named: self._fetch(named, report.step("fetching")))
        frames = self._frames(request, recipe, report)
        # Before anything is kept: what is refused was never there.
        found = self._screen.look(recipe.check, frames, command["found"]) if recipe.check else ()
        notes: tuple[Note, ...] = ()
        if len(frames) < request.frames:  # the model's own, before any are put between them
            notes = (
                Note(
                    "{frames} frames instead of {wanted}, which the device's memory could not hold",
                    {"frames": len(frames), "wanted": request.frames},
                ),
            )
        file = Path(command["reel"]).name
        _keep(frames, self.data / "reels" / file)
        count, height, width = frames.shape[:3]
        took = round(time.monotonic() - began, 3)
        return asdict(
            Reel(file=file, frames=count, width=width, height=height, took=took, notes=notes, found=found)
        )

    def load(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Loads a recipe's model ahead of its first clip, if its weights are here, and tries it where it is
        compiled. Raises EngineError, Cancelled."""
        recipe, report = Recipe.from_dict(command["recipe"]), Report(self.wire, command["id"])
        weights = importlib.import_module("gen.models.weights") if recipe.weights else None
        if weights is None or not weights.wanted(recipe.weights, self.cache):
            self._try(recipe, self._model(recipe, report), report)
        return {}

    def fetch(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """How many bytes of a recipe's weights were brought here. Raises EngineError, Cancelled."""
        recipe, report = Recipe.from_dict(command["recipe"]), Report(self.wire, command["id"])
        size = self._fetch(recipe.weights, report.step("fetching"))
        if recipe.check:
            size += self._fetch(checks.weights(recipe.check.weights), report.step("fetching"))
        return {"size": size}

    def describe(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """What there is to make clips with; no model is loaded. Memory in GiB. Raises EngineError."""
        found: dict[str, Any] = {"h264": encode.can(), "torch": "", "kind": "cpu", "name": "the processor"}
        if importlib.util.find_spec("torch") is None:
            return {**found, "free": 0.0, "total": 0.0}
        try:
            device = importlib.import_module("gen.models.device")
            machine = device.look(self.warm.device)
        except (ImportError, OSError, RuntimeError, AssertionError) as error:  # torch's own, all four
            raise EngineError("torch is there but does not work: {fault}.", fault=error) from error
        found |= {key: getattr(machine, key) for key in ("kind", "name", "free", "total", "capability")}
        dtype = str(machine.brain).removeprefix("torch.")
        slim = machine.kind != "cpu" and importlib.import_module("gen.models.nibble").works(self.warm.device)
        return {**found, "torch": sys.modules["torch"].__version__, "dtype": dtype, "slim": slim}

    def _try(self, recipe: Recipe, model: Model, report: Report) -> None:
        """Makes a clip for nobody with a model that is compiled, which its first clip does: of the size and
        length that nobody has to ask for, at the fewest steps. Nothing of it is kept or counted."""
        if not recipe.options.get("compile") or PICTURES[recipe.task]:
            return
        began, steps = time.monotonic(), round(recipe.steps.least) if recipe.steps else None
        request = recipe.request(Ask(prompt="a", steps=steps), (), 0)
        try:
            model.frames(request, [], report.step("loading"))
        except Exception:
            self.warm.drop(recipe.name)  # who knows what it is in the middle of
            raise
        log.info("model %s was tried ahead in %.0f s", recipe.name, time.monotonic() - began)

    def _frames(self, request: Request, recipe: Recipe, report: Report) -> Pixels:
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
                if not is_memory(error):
                    self.warm.drop(recipe.name)  # who knows what it is in the middle of
                    raise
                log.warning("out of memory: %s", error)
            self.warm.leave(recipe.name)  # outside the except block: its traceback holds on to the frames
        self.warm.leave()
        raise OutOfMemory(
            "This clip needs more memory than the device has; ask for fewer seconds or a smaller size."
        )

    def _previews(self, recipe: Recipe, command: Mapping[str, Any]) -> Previews:
        """Of the clip in the making. Where a check is to see the frames first, nobody sees any before."""
        on = recipe.check is None or command["found"] == "show"
        name = Path(command["reel"]).stem
        return Previews(self.data / "previews", name, recipe.name, self._costs, on=on)

    def _picture(self, name: str, request: Request) -> Pixels:
        """A picture, or of a video what is shown in each of the clip's frames."""
        file = self.data / "pictures" / Path(name).name
        try:
            if file.suffix == ".mp4" and file.exists():
                return footage.load(file, request.frames, request.fps)
            return media.load(file)
        except FileNotFoundError as error:
            raise EngineError("The picture of this clip is gone; attach it again.") from error

    def _model(self, recipe: Recipe, report: Report) -> Model:
        fetching = report.step("fetching")
        return self.warm.model(recipe, lambda named: self._fetch(named, fetching), report.step("loading"))

    def _fetch(self, named: Mapping[str, Any], step: OnStep) -> int:
        """Brings weights here ahead of loading, so that a long download is seen to go on, in MiB; how many
        bytes were missing. Raises EngineError, Cancelled."""
        weights = importlib.import_module("gen.models.weights")  # families without any need none of it
        if pieces := weights.wanted(named, self.cache):
            step(0, sum(piece.size for piece in pieces) >> 20, None)
            weights.fetch(pieces, self.cache, lambda done, total: step(done >> 20, total >> 20, None))
        return sum(piece.size for piece in pieces)


def is_memory(error: Exception) -> bool:
    """Whether memory ran out, in Python's or torch's words; torch is not imported to ask."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _keep(frames: Pixels, file: Path) -> None:
    """The frames' bytes. Gone with a power failure, as the job is made anew then: no fsync."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as reel:
        for frame in frames:
            reel.write(frame.tobytes())


def _fewer(request: Request, recipe: Recipe) -> Request | None:
    """The request with half its frames, as the recipe counts them; None where that would be no clip."""
    multiple, extra = recipe.frame_multiple, recipe.frame_extra
    frames = (request.frames // 2 - extra) // multiple * multiple + extra
    return replace(request, frames=frames) if frames >= FEWEST and not recipe.clip_frames else None
