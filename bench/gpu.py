"""`python -m bench.gpu`: clips of real size on this machine's GPU, beside the plain calls of diffusers.

Weights are random: a clip shows nothing and costs what a real one costs. Without a GPU everything is tiny,
which proves the script and measures nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench import plain
from bench.beside import line
from bench.checkpoints import BUILDS
from gen.errors import EngineError
from gen.host import Host
from gen.job import Picture, Request
from gen.models import device as devices
from gen.models import pipe as pipes
from gen.ports import Step
from gen.prompt import parse
from gen.recipe import PICTURES, Recipe, shipped

CONFIG = Path(__file__).parent.parent / "config.toml"
#: At least one of each family.
NAMES = ("animatediff-lightning", "animatediff", "svd", "t2i-svd", "wan-1.3b", "ltx", "framepack")
JOBS, FEWER = 20, 5
#: Seconds from which a clip is a long one: it is timed once, and fewer are made back to back.
LONG = 15.0
LIMIT = 25 * 2**20  # bytes of a clip's file
#: Of tiny clips: frames at least, and steps at most of a model that was not taught to make do with few.
FRAMES, STEPS, FEW = 5, 2, 8


Rows = Iterator[tuple[str, dict[str, float]]]


class Stop(BaseException):
    """A cancel."""


def silent(*_: Any) -> None:
    """Nobody watches."""


class Case:
    """One recipe with random weights, on one device."""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        self.device, self.tiny = device, device == "cpu"
        shape = shipped(CONFIG)[name]
        dtype = plain.numbers(shape.family, device)
        weights = BUILDS[shape.family](folder / "weights", tiny=self.tiny, device=device, dtype=dtype)
        if "lightning" not in shape.weights:
            weights.pop("lightning", None)
        self.recipe: Recipe = replace(shape, weights=weights, on=True)
        self.cache = folder / "cache"
        self.pictures = [np.full((576, 1024, 3), 127, np.uint8)] * PICTURES[shape.task]
        self.request = self._request()
        for picture, file in zip(self.pictures, self.request.images, strict=True):  # for the engine's process
            (folder / "pictures").mkdir(exist_ok=True)
            Image.fromarray(picture).save(folder / "pictures" / file)
        empty(device)

    def _request(self) -> Request:
        given = [Picture(name="a.png", width=1024, height=576)] * len(self.pictures)
        request = self.recipe.request(parse("a red star"), given, 1)
        if not self.tiny:
            return request
        many, extra = self.recipe.frame_multiple, self.recipe.frame_extra
        frames = -(-(FRAMES - extra) // many) * many + extra
        steps = request.steps if request.steps <= FEW else STEPS
        return replace(request, width=64, height=64, frames=frames, steps=steps)

    def model(self, **options: Any) -> Any:
        """The family's model, loaded by its own loader; `options` are added to its recipe's."""
        module = import_module(f"gen.models.{self.recipe.family}")
        recipe = replace(self.recipe, options={**self.recipe.options, **options})
        return module.Model(recipe, device=self.device, cache=self.cache)

    def plain(self) -> Callable[[], Any]:
        """The call that a user of diffusers would write."""
        return plain.call(self.recipe, self.request, self.pictures, self.device)


def rows(case: Case) -> Rows:
    """Seconds a clip and peak GiB: the plain call, ours, ours further down the ladder, and with each switch.

    What ends one of them early is printed, and the others go on.
    """
    name = case.recipe.name
    for what, some in (("plain", plain_rows), ("ours", own_rows), ("further down", walk)):
        if some is not walk or case.device != "cpu":
            yield from shielded(name, what, some(case))
        empty(case.device)
    for what, options in levers(case):
        yield from shielded(name, what, switched(case, what, options))
        empty(case.device)


def shielded(name: str, what: str, some: Rows) -> Rows:
    """Rows of the recipe `name`; what ends them early is printed beside `what` they are about."""
    try:
        yield from some
    except EngineError as error:  # refused: it would change nothing, or is not to be had here
        print(f"{name:<22} {what}: {error}", flush=True)
    except Exception as error:
        print(f"{name:<22} {what} goes no further: {type(error).__name__}: {error}", flush=True)
        if not isinstance(error, torch.OutOfMemoryError):
            traceback.print_exc()


def plain_rows(case: Case) -> Rows:
    """The plain call."""
    yield "plain", timed(case, case.plain())


def levers(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """Options that are tried one by one beside none. Without a GPU, what proves the script at no cost."""
    if case.tiny:
        yield from (("compile", {"compile": "eager"}), ("attention", {"attention": "_native_math"}))
        return
    yield "compile", {"compile": True}
    for backend in ("_native_cudnn", "_native_flash", "flash", "_flash_3", "sage"):
        yield f"attention {backend}", {"attention": backend}


def switched(case: Case, name: str, options: dict[str, Any]) -> Rows:
    """Ours with a switch on: on how many blocks, what the first clip takes, and what the next ones do."""
    model = case.model(**options)
    switches = filming(model).switches
    blocks = switches.compiled or switches.attention
    again, began = rerolls(case.request), time.perf_counter()
    model.frames(next(again), case.pictures, silent)
    first = time.perf_counter() - began
    figures = timed(case, lambda: model.frames(next(again), case.pictures, silent))
    yield f"ours, {name}", {**figures, "first": first, "blocks": float(blocks)}


def own_rows(case: Case) -> Rows:
    """Those of our own."""
    model, again = case.model(), rerolls(case.request)
    yield (
        f"ours ({filming(model).place.rung})",
        timed(case, lambda: model.frames(next(again), case.pictures, silent)),
    )
    if case.recipe.prompted:  # no embedding is kept from before
        yield "other words", timed(case, lambda: model.frames(worded(next(again)), case.pictures, silent))
    yield "cancel", {"seconds": cancelled(case, model)}
    if case.device != "cpu":
        yield "memory runs out", starved(case, model)


def walk(case: Case) -> Rows:
    """Ours at each rung from the second down: a model of its own, since one that was starved may have been
    narrowed. Where memory runs out it goes down by itself, and rungs that it passed are left out."""
    model = case.model()
    place = filming(model).place
    for rung in devices.RUNGS[1:]:
        if place.has(rung) and devices.RUNGS.index(rung) >= devices.RUNGS.index(place.rung):
            yield from lower(case, model, rung)


def filming(model: Any) -> Any:
    """The model that makes the clip: of two, the second."""
    return getattr(model, "second", model)


def lower(case: Case, model: Any, rung: str) -> Rows:
    """Ours at that rung, in new words each time: else the text encoder would have nothing to do there."""
    place = filming(model).place
    devices.put(place.pipe, rung, case.device)
    place.rung = rung
    empty(case.device)
    again = map(worded, rerolls(case.request)) if case.recipe.prompted else rerolls(case.request)
    figures = timed(case, lambda: model.frames(next(again), case.pictures, silent))
    (case.cache / "rungs.json").unlink(missing_ok=True)
    if place.rung == rung:  # else memory ran out, and it went further down by itself
        yield f"ours ({rung})", figures


def worded(request: Request) -> Request:
    """The request in words that were not said before: they are encoded anew."""
    return replace(request, prompt=f"{request.prompt} {request.seed}")


def rerolls(request: Request) -> Iterator[Request]:
    """The same request with one seed after the other, as rerolls are."""
    while True:
        yield request
        request = replace(request, seed=request.seed + 1)


def timed(case: Case, work: Callable[[], Any], times: int = 3) -> dict[str, float]:
    """The median of a few runs, of a long one a single run, after one that warms up."""
    start = time.perf_counter()
    work()
    if case.device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    took, once = [], case.tiny or time.perf_counter() - start > LONG
    for _ in range(1 if once else times):
        began = time.perf_counter()
        work()
        if case.device == "cuda":
            torch.cuda.synchronize()
        took.append(time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() / devices.GIB if case.device == "cuda" else 0.0
    return {"seconds": sorted(took)[len(took) // 2], "peak_gib": peak}


def cancelled(case: Case, model: Any) -> float:
    """Seconds from a cancel that comes just after a step to its being obeyed."""
    asked = 0.0

    def step(done: int, total: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise Stop
        asked = time.perf_counter()

    try:
        model.frames(case.request, case.pictures, step)
    except Stop:
        return time.perf_counter() - asked
    raise AssertionError("the cancel was not heard")


def starved(case: Case, model: Any) -> dict[str, float]:
    """A clip on a device that has only as much memory as the weights take: it must step down and finish.

    What torch holds in reserve is given back before, else the clip would find all it wants there. What the
    ladder noted is taken away after, else all that is loaded later would begin further down.
    """
    place = filming(model).place
    before = place.rung
    empty(case.device)
    total = torch.cuda.get_device_properties(0).total_memory / devices.GIB
    torch.cuda.set_per_process_memory_fraction(sum(devices.weigh(place.pipe).values()) * 1.1 / total)
    try:
        began = time.perf_counter()
        model.frames(case.request, case.pictures, silent)
        if place.rung == before:
            print(f"{case.recipe.name:<22} memory did not run out")
        rung = devices.RUNGS.index(place.rung)
        return {"seconds": time.perf_counter() - began, "rung": rung}
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        (case.cache / "rungs.json").unlink(missing_ok=True)


def job_rows(case: Case, folder: Path) -> Rows:
    """Those of jobs through the engine's own processes."""
    yield from asyncio.run(back_to_back(case, folder)).items()


async def back_to_back(case: Case, folder: Path) -> dict[str, dict[str, float]]:
    """Jobs through the engine's own processes: the first one from their start, then how much of the time the
    model was at work, with each clip's file made beside the next clip's frames, and before them."""
    found: dict[str, dict[str, float]] = {}
    async with Host(
        {case.recipe.name: case.recipe},
        folder,
        cache=case.cache,
        environ=os.environ,
        device=case.device,
        idle=0,
    ) as host:
        found["first clip"] = await started(host, case.request)
        began = time.perf_counter()
        await host.make(case.request, silent, limit=LIMIT)
        count = 3 if case.tiny else JOBS if time.perf_counter() - began < LONG else FEWER
        for name, beside in (("back to back", True), ("one by one", False)):
            requests = [replace(case.request, seed=number) for number in range(count)]
            share = await line(host, requests, limit=LIMIT, beside=beside)
            found[name] = {"seconds": share.seconds, "busy": share.busy, "jobs": float(count)}
    return found


async def started(host: Host, request: Request) -> dict[str, float]:
    """Seconds from the engine's start to its first clip, and to the model's being loaded: all that comes
    before the first step."""
    loaded = 0.0

    def progress(step: Step) -> None:
        nonlocal loaded
        if step.stage == "loading" and step.done:
            loaded = time.perf_counter() - began

    began = time.perf_counter()
    await host.make(request, progress, limit=LIMIT)
    return {"seconds": time.perf_counter() - began, "load": loaded}


def empty(device: str) -> None:
    """Returns all that nobody holds."""
    gc.collect()
    devices.empty(device)


@contextmanager
def built(name: str, device: str) -> Iterator[tuple[Case, Path]]:
    """A case in a folder of its own, gone afterwards."""
    with TemporaryDirectory() as place:
        yield Case(name, Path(place), device), Path(place)


def beside(usual: dict[str, float] | None, figures: dict[str, float]) -> str:
    """How many clips are made in the time of the plain call's one."""
    if usual is None or "peak_gib" not in figures:
        return ""
    return f"   {usual['seconds'] / figures['seconds']:.2f} × plain"


def measured(name: str, device: str) -> Rows:
    """All rows of one recipe, as they come."""
    with built(name, device) as (case, folder):
        yield from rows(case)
        empty(device)  # the engine's process has the card for itself
        yield from shielded(name, "jobs", job_rows(case, folder))


def main() -> None:
    """Prints the table, and keeps it as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu")
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--json", type=Path, help="keep the figures in this file, too")
    options = parser.parse_args()
    pipes.quiet()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine = devices.look(device)
    print(
        f"{machine.name}, {machine.total:.0f} GiB" if device == "cuda" else "no GPU: tiny sizes, no figures"
    )
    found: dict[str, Any] = {"device": machine.name}
    for name in options.only:
        table = found[name] = {}
        for row, figures in shielded(name, "the recipe", measured(name, device)):
            table[row] = figures
            words = "   ".join(f"{key} {value:.3f}" for key, value in figures.items())
            print(f"{name:<22} {row:<18} {words}{beside(table.get('plain'), figures)}", flush=True)
            if options.json:  # with each row: a later one may take the machine down
                options.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
