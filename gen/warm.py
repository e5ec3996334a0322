"""The models that are loaded: one that is wanted is loaded, and others make room for it."""

from __future__ import annotations

import gc
import importlib
import logging
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen.errors import EngineError
from gen.recipe import Recipe
from gen.wire import Wire

if TYPE_CHECKING:
    from gen.models import Model, OnStep

log = logging.getLogger(__name__)

#: Brings weights into the cache; how many bytes were missing.
Fetch = Callable[[Mapping[str, Any]], int]

SMALL = 4  # models that run on any processor and are kept beside the others


class Warm:
    """The models of one device."""

    def __init__(self, wire: Wire, cache: Path, device: str, most: int) -> None:
        """`most` is how many models that want a device's memory are kept at once, where they fit."""
        self.wire = wire
        self.cache = cache
        self.most = most
        self._device = device
        self._models: OrderedDict[str, tuple[Recipe, Model]] = OrderedDict()  # the last used last

    @property
    def device(self) -> str:
        """The device's name in torch's words; a family without torch runs on the processor."""
        torch = sys.modules.get("torch")
        if self._device != "auto" or torch is None:
            return self._device if torch is not None else "cpu"
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"

    def model(self, recipe: Recipe, fetch: Fetch, step: OnStep) -> Model:
        """The recipe's model, loaded unless it is a warm one. Raises EngineError, Cancelled."""
        known, model = self._models.pop(recipe.name, (None, None))
        if model is not None and known == recipe:
            self._keep(recipe, model)
            return model
        del model
        self._make_room(recipe)
        if recipe.weights:
            fetch(recipe.weights)
        step(0, 1, None)
        module = importlib.import_module(f"gen.models.{_family(recipe.family)}")
        loaded: Model = module.Model(recipe, device=self.device, cache=self.cache)
        self._keep(recipe, loaded)
        step(1, 1, None)
        return loaded

    def drop(self, name: str) -> None:
        """Lets a model go."""
        if self._models.pop(name, None):
            self.wire.say("warm", names=list(self._models))

    def leave(self, name: str = "") -> None:
        """Lets all models but that one go, and all memory of the device that nobody holds."""
        for other in [each for each in self._models if each != name]:
            self.drop(other)
        _collect()

    def _keep(self, recipe: Recipe, model: Model) -> None:
        self._models[recipe.name] = recipe, model
        self.wire.say("warm", names=list(self._models))

    def _make_room(self, recipe: Recipe) -> None:
        """Lets models go, the longest unused first, until there are few enough and this one fits beside the
        rest. What runs on any processor takes no room and makes none: a few of those are kept."""
        large, small = (
            [name for name, (known, _) in self._models.items() if bool(known.memory) is is_large]
            for is_large in (True, False)
        )
        for name in small[: max(0, len(small) + 1 - SMALL)]:
            self.drop(name)
        while large and recipe.memory and not (len(large) < self.most and self._fits(recipe.memory)):
            name = large.pop(0)
            log.info("model %s makes room for %s", name, recipe.name)
            self.drop(name)
            _collect()

    def _fits(self, memory: float) -> bool:
        """Whether so many GiB are free on the device, as measured now."""
        if "torch" not in sys.modules:
            return True  # nothing of ours is there yet
        device = importlib.import_module("gen.models.device")
        machine = device.look(self.device)
        return bool(machine.kind == "cpu" or memory <= machine.free * device.ROOM)


def _family(name: str) -> str:
    """`name`, if there is a file of that name in gen/models/. Raises EngineError."""
    there = {file.stem for file in (Path(__file__).parent / "models").glob("[a-z]*.py")}
    if name not in there:
        raise EngineError("There is no model family {family}.", family=name)
    return name


def _collect() -> None:
    """Returns to the device all that nobody holds."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
