"""The device that models run on: what it is, what fits, and a ladder of ways to need less of it."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import torch
from diffusers import ModelMixin
from diffusers.hooks import HookRegistry
from torch import nn

from gen.errors import OutOfMemory
from gen.models import nibble

log = logging.getLogger(__name__)

T = TypeVar("T")

GIB = 2**30
#: The ladder, fastest first: all weights on the device · one part at a time · the same, and text encoders'
#: weights in 4 bits · a few layers at a time, fetched ahead · the same, and the denoiser's as 8-bit floats.
RUNGS = ("whole", "parts", "lean", "layers", "small")
#: Of the free memory, what weights and work may take together.
ROOM = 0.92
#: GiB that one part's layers hold on the device when they come and go.
LAYERS = 1.5
#: So much more must be free than when memory ran out for a higher rung to be tried again.
AMPLE = 1.1
#: What diffusers hangs on a part whose layers come and go: the last two only until its first run is over.
HOOKS = ("group_offloading", "layer_execution_tracker", "lazy_prefetch_group_offloading")
SHORT = "This clip needs more memory than the device has; ask for fewer seconds or a smaller size."
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class Machine:
    """A device as torch sees it. `kind` is "cuda" (AMD's too), "mps" or "cpu"; memory in GiB."""

    kind: str
    name: str
    free: float
    total: float
    capability: tuple[int, int] = (0, 0)

    @property
    def half(self) -> torch.dtype:
        """For Stable Diffusion's family, which was trained to run in it; a processor is faster without."""
        return torch.float32 if self.kind == "cpu" else torch.float16

    @property
    def brain(self) -> torch.dtype:
        """For transformers, whose values overflow half precision; cards before Ampere only emulate it."""
        return torch.float32 if self.kind == "cpu" else torch.bfloat16


def look(device: str) -> Machine:
    """The device of that name ("cuda", "cuda:1", "mps", "cpu"), with what is free of it now."""
    kind = torch.device(device).type
    if kind == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return Machine(
            kind, torch.cuda.get_device_name(device), free / GIB, total / GIB,
            torch.cuda.get_device_capability(device),
        )  # fmt: skip
    if kind == "mps":
        most = torch.mps.recommended_max_memory() / GIB
        return Machine(kind, "Apple", most - torch.mps.driver_allocated_memory() / GIB, most)
    return Machine("cpu", "the processor", 0.0, 0.0)


def brisk(device: str) -> AbstractContextManager[object]:
    """Within it a processor that has bfloat16 multiplies in it: a decoder takes two thirds of the time, and
    bytes differ by one, seldom by two or three."""
    able = torch.cpu.get_capabilities()
    if torch.device(device).type == "cpu" and (able.get("avx512_bf16") or able.get("amx_bf16")):
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def weigh(pipe: Any) -> dict[str, float]:
    """GiB of each part's weights as they are loaded."""
    return {
        name: sum(each.numel() * each.element_size() for each in part.parameters()) / GIB
        for name, part in _modules(pipe).items()
    }


def choose(
    machine: Machine, parts: dict[str, float], memory: float, slim: Callable[[], Mapping[str, float]] = dict
) -> str:
    """The fastest rung that fits. `memory` is what the recipe wants with all weights on the device.

    `slim` says GiB of the text encoders in 4 bits, where that helps; asked late, since it may take seconds.
    """
    if machine.kind == "cpu":
        return RUNGS[0]
    work, room = _work(parts, memory), machine.free * ROOM
    if sum(parts.values()) + work <= room:
        return "whole"
    if largest(parts, work) <= room:
        return "parts"
    if (narrow := slim()) and largest({**parts, **narrow}, work) <= room:
        return "lean"
    return "layers" if LAYERS + work <= room or machine.kind != "cuda" else "small"


def largest(parts: Mapping[str, float], work: float) -> float:
    """GiB that the part wants that wants most, with what it computes."""
    return max(weight + (0.5 if "encoder" in name else work) for name, weight in parts.items())


def _work(parts: Mapping[str, float], memory: float) -> float:
    """GiB of what is computed between the weights, but not by encoders."""
    return max(0.5, memory - sum(parts.values()))


class Place:
    """A pipeline on its device, at a rung that it only ever leaves downwards."""

    def __init__(self, pipe: Any, device: str, *, memory: float, notes: Path, name: str) -> None:
        """`notes` is a folder in which the rung that worked is kept; `name` is the recipe's."""
        self.pipe = pipe
        self.device = device
        self.machine = look(device)
        self._notes = notes / "rungs.json"
        versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}"
        self._key = f"{self.machine.name}: {name} ({versions})"
        self._memory = memory
        self.rung = choose(self.machine, weigh(pipe), memory, lambda: self.slim)
        if RUNGS.index(self.rung) < RUNGS.index(known := self._known()):
            self.rung = known if self.has(known) else self._below(known) or self.rung
        put(pipe, self.rung, device)
        log.info("%s: %s on %s, %.1f GiB free", name, self.rung, self.machine.name, self.machine.free)

    def run(self, work: Callable[[], T]) -> T:
        """What `work` makes, a rung further down each time that memory runs out. Raises OutOfMemory."""
        while True:
            try:
                return work()
            except (MemoryError, RuntimeError) as error:
                if not is_short(error):
                    raise
                log.warning("out of memory at the rung %s: %.200s", self.rung, error)
            if not self._step_down():  # outside the except block: its traceback holds on to tensors
                raise OutOfMemory(SHORT)

    def leave(self) -> None:
        """Makes room for another pipeline; on lower rungs there is nothing that stays on the device."""
        if self.rung == "whole" and self.machine.kind != "cpu":
            self.pipe.to("cpu")
            empty(self.machine.kind)

    def enter(self) -> None:
        """Takes its room again."""
        if self.rung == "whole" and self.machine.kind != "cpu":
            self.pipe.to(self.device)

    @cached_property
    def slim(self) -> Mapping[str, float]:
        """GiB of the text encoders in 4 bits; nothing where that does not help or is not to be had here."""
        parts = weigh(self.pipe)
        narrow = {name: nibble.size(part) for name, part in nibble.readers(self.pipe).items()}
        work = _work(parts, self._memory)
        helps = largest({**parts, **narrow}, work) < largest(parts, work)
        return narrow if helps and nibble.works(self.device) else {}

    def has(self, rung: str) -> bool:
        """Whether this pipeline has that rung on this device."""
        if rung == "lean":
            return bool(self.slim)
        return rung != "small" or self.machine.kind == "cuda"  # Apple's cards have no 8-bit floats

    def _known(self) -> str:
        """The rung that memory was enough for before, on this card, with this much free."""
        note = _read(self._notes).get(self._key)
        if not isinstance(note, dict) or note.get("rung") not in RUNGS:
            return RUNGS[0]
        return str(note["rung"]) if self.machine.free <= note.get("free", 0.0) * AMPLE else RUNGS[0]

    def _below(self, rung: str) -> str | None:
        """The next one down that there is."""
        return next(filter(self.has, RUNGS[RUNGS.index(rung) + 1 :]), None)

    def _step_down(self) -> bool:
        """Takes the next rung, if this device has one, and remembers it."""
        below = self._below(self.rung)
        if below is None or self.machine.kind == "cpu":
            return False
        self.pipe.maybe_free_model_hooks()
        gc.collect()
        empty(self.machine.kind)
        self.rung = below
        put(self.pipe, self.rung, self.device)
        note = {"rung": self.rung, "free": round(self.machine.free, 1)}
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._notes.with_suffix(".new")
        fresh.write_text(json.dumps({**_read(self._notes), self._key: note}, indent=1), "utf-8")
        fresh.replace(self._notes)  # whoever is killed meanwhile leaves the old one
        return True


def put(pipe: Any, rung: str, device: str) -> None:
    """Moves `pipe` to that rung from wherever it is; weights that were narrowed are no more exact for it."""
    target = torch.device(device)
    settle(pipe)
    for part in _modules(pipe).values():
        if rung != "whole":
            loosen(part)
        if rung != "lean":
            nibble.widen(part)
    if rung == "whole":
        pipe.to(device)
        return
    pipe.to("cpu")
    if rung == "lean":
        count = sum(nibble.narrow(part, device) for part in nibble.readers(pipe).values())
        log.info("the weights of %d layers of the text encoder are kept in 4 bits", count)
    if rung in ("parts", "lean"):
        pipe.enable_model_cpu_offload(device=target)
        return
    if rung == "small":
        shrink(pipe)
    # Streams are NVIDIA's and AMD's; elsewhere layers come and go one after the other.
    pipe.enable_group_offload(
        onload_device=target, offload_device=torch.device("cpu"), offload_type="leaf_level",
        use_stream=target.type == "cuda",
    )  # fmt: skip


def settle(pipe: Any) -> None:
    """Takes off all that moves weights to and fro. Layers come to rest on the processor, as they are kept
    there: of a clip that ended early some are on the device, or still on their way to it."""
    pipe.remove_all_hooks()
    for part in _modules(pipe).values():
        for group in [hook.group for hook in _hooks(part, HOOKS[0])]:
            group.offload_()
        for name in HOOKS:
            HookRegistry.check_if_exists_or_initialize(part).remove_hook(name, recurse=True)


def loosen(part: nn.Module) -> int:
    """Takes compiled code away, since weights that come and go cut it to pieces; from how many modules."""
    modules = [module for module in part.modules() if module._compiled_call_impl is not None]
    for module in modules:
        module._compiled_call_impl = None
    return len(modules)


def shrink(pipe: Any) -> int:
    """Keeps the denoisers' weights as 8-bit floats that are widened for use; of how many it does so now."""
    count = 0
    for name, part in pipe.components.items():
        if not name.startswith(("unet", "transformer")) or not isinstance(part, ModelMixin):
            continue
        if not any(_hooks(part, "layerwise_casting")):
            part.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=part.dtype)
            count += 1
    return count


def _modules(pipe: Any) -> dict[str, nn.Module]:
    """The parts that have weights."""
    return {name: part for name, part in pipe.components.items() if isinstance(part, nn.Module)}


def _hooks(part: nn.Module, name: str) -> Iterator[Any]:
    """Diffusers' hooks of that name, on the part and on all that is in it."""
    registries = (getattr(module, "_diffusers_hook", None) for module in part.modules())
    return (hook for registry in registries if registry and (hook := registry.get_hook(name)))


def is_short(error: Exception) -> bool:
    """Whether memory ran out, on whatever device."""
    short = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return short or any(words in str(error).lower() for words in _SIGNS)


def empty(kind: str) -> None:
    """Returns to the device what torch keeps in reserve."""
    if kind == "cuda":
        torch.cuda.empty_cache()
    elif kind == "mps":
        torch.mps.empty_cache()


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
