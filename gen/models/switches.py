"""What makes a loaded model faster where its recipe says so; a switch that would change nothing is refused.

Options of a recipe: `compile` (true, or the name of one of torch's compilers), by which the denoiser's
repeated blocks are compiled; `attention`, one of diffusers' attention backends. Both are
counted once they are turned: the libraries pass over what they do not know, with a line in the log at most.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from diffusers import ModelMixin
from diffusers.models import attention_dispatch
from torch import nn

from gen.errors import EngineError

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Of models that do not say themselves which of their blocks repeat: UNets with motion or time in them, and
#: FramePack's.
BLOCKS = (
    "BasicTransformerBlock", "TemporalBasicTransformerBlock", "HunyuanVideoTransformerBlock",
    "HunyuanVideoSingleTransformerBlock",
)  # fmt: skip
DENOISERS = ("unet", "transformer", "controlnet")
#: Versions of a block's code: for each of a model's widths, for sizes, for each load. Torch's own bound is 8,
#: and beyond it blocks run uncompiled, with a line in the log.
VERSIONS = 1024
#: Where compiled code is kept, in the weights' folder: the next start finds it.
CODE = "compiled"
FOLDER = "TORCHINDUCTOR_CACHE_DIR"


class Switches:
    """Those of one loaded model; on how many modules each was turned stands in `compiled` and `attention`."""

    def __init__(self, pipe: Any, options: Mapping[str, Any], *, name: str, rung: str, cache: Path) -> None:
        """Turns on what `options` ask for, and counts. Raises EngineError for what would change nothing.

        `name` is the recipe's. At a `rung` below “whole” nothing is compiled, and the log says so: weights
        that come and go between two layers cut compiled code into pieces.
        """
        parts = denoisers(pipe)
        self.name = name
        self.compiled = self.attention = 0
        self._seen = False
        if options.get("compile"):
            backend = "inductor" if options["compile"] is True else str(options["compile"])
            self.compiled = _compile(parts, name, rung, cache, backend)
            log.info("%s: %d blocks will be compiled by %s", name, self.compiled, backend)
        if options.get("attention"):
            self.attention = _attend(parts, str(options["attention"]), name)
            log.info("%s: %d blocks attend by %s", name, self.attention, options["attention"])

    def run(self, work: Callable[[], T]) -> T:
        """What `work` makes. The log says how much code was compiled for it, and as an error what was not.

        Raises EngineError where there is nothing to compile with.
        """
        if not self.compiled:
            return work()
        before = pieces()
        try:
            made = work()
        except _faults() as error:
            fault = next(iter(str(error.__cause__ or error).splitlines()), "")[:200]
            raise EngineError(
                "The model {model} could not be compiled: {fault}. A C++ compiler and Python's headers "
                "are wanted; install them, or take the option compile out of its recipe.",
                model=self.name, fault=fault.rstrip("."),
            ) from error  # fmt: skip
        self._count(before, pieces())
        return made

    def _count(self, before: Pieces, after: Pieces) -> None:
        """Says what became of the code of a clip."""
        count, left = after.compiled - before.compiled, after.met - before.met
        if count or not self._seen:
            level = logging.INFO if count else logging.ERROR
            log.log(level, "%s: %d pieces were compiled", self.name, count)
        if left > count:
            log.error("%s: %d pieces run uncompiled", self.name, left - count)
        self._seen = True


def denoisers(pipe: Any) -> list[ModelMixin]:
    """The parts that work at every step."""
    return [
        part
        for name, part in pipe.components.items()
        if name.startswith(DENOISERS) and isinstance(part, ModelMixin)
    ]


def compiled(part: nn.Module) -> list[nn.Module]:
    """Its modules that are compiled when they are called."""
    return [module for module in part.modules() if module._compiled_call_impl is not None]


@dataclass(frozen=True)
class Pieces:
    """Of code that this process was to compile: how many it met, and compiled."""

    met: int = 0
    compiled: int = 0


def pieces() -> Pieces:
    """Those until now: more after a compiled model's first clip."""
    dynamo = sys.modules.get("torch._dynamo.utils")  # seconds to import, and without it nothing is compiled
    return Pieces(*(int(dynamo.counters["frames"][key]) for key in ("total", "ok"))) if dynamo else Pieces()


def _faults() -> tuple[type[Exception], ...]:
    """What compiling raises."""
    from torch._dynamo.exc import BackendCompilerFailed
    from torch._inductor.exc import InductorError

    return BackendCompilerFailed, InductorError


def _compile(parts: list[ModelMixin], name: str, rung: str, cache: Path, backend: str) -> int:
    if rung != "whole":
        log.warning("%s: nothing is compiled at the rung %s", name, rung)
        return 0
    config: Any = import_module("torch._dynamo.config")
    config.recompile_limit = config.accumulated_recompile_limit = (
        VERSIONS  # the whole process's, as its code is
    )
    _keep_code(cache)
    for part in parts:
        if not part._repeated_blocks:
            there = {type(module).__name__ for module in part.modules()}
            part._repeated_blocks = [block for block in BLOCKS if block in there]
        if part._repeated_blocks:
            part.compile_repeated_blocks(backend=backend)
    return _counted("compile", name, sum(len(compiled(part)) for part in parts))


def _keep_code(cache: Path) -> None:
    """Compiled code goes to the weights' folder, unless the operator said where to. By now the libraries have
    done so themselves: to the system's temporary folder, which is emptied when the machine starts."""
    usual = Path(import_module("torch._inductor.runtime.cache_dir_utils").default_cache_dir())
    if Path(os.environ.get(FOLDER, usual)) == usual.absolute():
        os.environ[FOLDER] = str(cache.resolve() / CODE)


def _attend(parts: list[ModelMixin], backend: str, name: str) -> int:
    """Each attention of the denoisers by that backend, and no other model's by accident."""
    if backend.endswith("_hub"):
        raise EngineError("The attention {backend} is code from a hub, which is not run.", backend=backend)
    registry: Any = attention_dispatch._AttentionBackendRegistry
    before = registry._active_backend
    try:
        for part in parts:
            part.set_attention_backend(backend)
    except (ValueError, RuntimeError, ImportError) as error:
        raise EngineError(
            "The attention {backend} is not to be had here: {fault}", backend=backend, fault=str(error)[:200]
        ) from error
    finally:
        registry.set_active_backend(before)  # it is the whole process's, and `reset_…` would leave it
    count = sum(
        getattr(getattr(module, "processor", None), "_attention_backend", None) == backend
        for part in parts
        for module in part.modules()
    )
    return _counted("attention", name, count)


def _counted(switch: str, name: str, count: int) -> int:
    if not count:
        raise EngineError(
            "The option {switch} changes nothing in the model {model}; take it out of its recipe.",
            switch=switch, model=name,
        )  # fmt: skip
    return count
