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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import diffusers
import numpy as np
import torch

from bench.beside import line
from bench.checkpoints import BUILDS
from gen.errors import EngineError
from gen.host import Host
from gen.job import Picture, Request, Task
from gen.models import device as devices
from gen.models import pipe as pipes
from gen.prompt import parse
from gen.recipe import PICTURES, Recipe, shipped

CONFIG = Path(__file__).parent.parent / "config.toml"
NAMES = ("animatediff-lightning", "animatediff", "svd", "wan-1.3b")
JOBS = 20
KINDS = {
    "animatediff": diffusers.AnimateDiffPipeline,
    "svd": diffusers.StableVideoDiffusionPipeline,
    "wan": diffusers.WanPipeline,
}


class Stop(BaseException):
    """A cancel."""


def silent(*_: Any) -> None:
    """Nobody watches."""


class Case:
    """One recipe with random weights, on one device."""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        self.device, self.tiny = device, device == "cpu"
        shape = shipped(CONFIG)[name]
        dtype = devices.look(device).brain if shape.family == "wan" else devices.look(device).half
        weights = BUILDS[shape.family](folder / "weights", tiny=self.tiny, device=device, dtype=dtype)
        if "lightning" not in shape.weights:
            weights.pop("lightning", None)
        self.recipe: Recipe = replace(shape, weights=weights, on=True)
        self.cache = folder / "cache"
        self.pictures = [np.full((576, 1024, 3), 127, np.uint8)] * PICTURES[shape.task]
        self.request = self._request()
        empty(device)

    def _request(self) -> Request:
        given = [Picture(name="a.png", width=1024, height=576)] * len(self.pictures)
        request = self.recipe.request(parse("a red star"), given, 1)
        small = {"width": 64, "height": 64, "frames": 5, "steps": min(2, request.steps)}
        return replace(request, **small) if self.tiny else request  # type: ignore[arg-type]  # all are ints

    def model(self, **options: Any) -> Any:
        """The family's model, loaded by its own loader; `options` are added to its recipe's."""
        module = import_module(f"gen.models.{self.recipe.family}")
        recipe = replace(self.recipe, options={**self.recipe.options, **options})
        return module.Model(recipe, device=self.device, cache=self.cache)

    def plain(self) -> Callable[[], Any]:
        """The call that a user of diffusers would write, with the same scheduler, size and steps."""
        request, kind = self.request, KINDS[self.recipe.family]
        dtype = (
            devices.look(self.device).brain if self.recipe.family == "wan" else devices.look(self.device).half
        )
        more: dict[str, Any] = {}
        if self.recipe.family == "animatediff":
            motion = diffusers.MotionAdapter.from_pretrained(self.recipe.weights["motion"], dtype=dtype)
            more = {"motion_adapter": motion, "feature_extractor": None}
        made = kind.from_pretrained(self.recipe.weights["base"], dtype=dtype, **more).to(self.device)
        pipes.schedule(made, self.recipe.options)
        made.set_progress_bar_config(disable=True)
        size = {"height": request.height, "width": request.width, "num_frames": request.frames}
        told: dict[str, Any] = {"prompt": request.prompt, "guidance_scale": request.guidance}
        if self.pictures:
            image = pipes.images(self.pictures, request.width, request.height)[0]
            told = {"image": image, "max_guidance_scale": request.guidance}
        return lambda: made(**told, **size, num_inference_steps=request.steps, output_type="pil").frames


def rows(case: Case) -> Iterator[tuple[str, dict[str, float]]]:
    """Seconds a clip and peak GiB: the plain call, ours, and ours further down the ladder; then a cancel."""
    plain = case.plain()
    yield "plain", timed(case, plain)
    del plain
    empty(case.device)
    yield from own_rows(case, case.model())
    empty(case.device)
    for name, options in levers(case):
        try:
            yield from switched(case, name, options)
        except EngineError as error:  # refused: it would change nothing, or is not to be had here
            print(f"{case.recipe.name:<22} {name}: {error}")
        empty(case.device)


def levers(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """Options that are tried one by one beside none. Without a GPU, what proves the script at no cost."""
    if case.tiny:
        yield from (("compile", {"compile": "eager"}), ("attention", {"attention": "_native_math"}))
        return
    yield "compile", {"compile": True}
    for backend in ("_native_cudnn", "_native_flash", "flash", "_flash_3", "sage"):
        yield f"attention {backend}", {"attention": backend}


def switched(case: Case, name: str, options: dict[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """Ours with a switch on: on how many blocks, what the first clip takes, and what the next ones do."""
    model = case.model(**options)
    blocks = model.switches.compiled or model.switches.attention
    again, began = rerolls(case.request), time.perf_counter()
    model.frames(next(again), case.pictures, silent)
    first = time.perf_counter() - began
    figures = timed(case, lambda: model.frames(next(again), case.pictures, silent))
    yield f"ours, {name}", {**figures, "first": first, "blocks": float(blocks)}


def own_rows(case: Case, model: Any) -> Iterator[tuple[str, dict[str, float]]]:
    """Those of our own."""
    again = rerolls(case.request)
    rung = model.place.rung
    yield f"ours ({rung})", timed(case, lambda: model.frames(next(again), case.pictures, silent))
    if case.recipe.prompted:  # no embedding is kept from before
        yield "other words", timed(case, lambda: model.frames(worded(next(again)), case.pictures, silent))
    yield "cancel", {"seconds": cancelled(case, model)}
    if case.device != "cpu":
        yield "memory runs out", starved(case, model)
        for rung in filter(model.place.has, devices.RUNGS[1:]):
            yield from lower(case, model, rung)


def lower(case: Case, model: Any, rung: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Ours at that rung, in new words each time: else the text encoder would have nothing to do there."""
    devices.put(model.pipe, rung, case.device)
    model.place.rung = rung
    empty(case.device)
    again = map(worded, rerolls(case.request)) if case.recipe.prompted else rerolls(case.request)
    figures = timed(case, lambda: model.frames(next(again), case.pictures, silent))
    if model.place.rung == rung:  # else memory ran out, and it went further down by itself
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
    """The median of a few runs after one that warms up."""
    work()
    if case.device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    took = []
    for _ in range(1 if case.tiny else times):
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
    before = model.place.rung
    empty(case.device)
    total = torch.cuda.get_device_properties(0).total_memory / devices.GIB
    torch.cuda.set_per_process_memory_fraction(sum(devices.weigh(model.pipe).values()) * 1.1 / total)
    try:
        began = time.perf_counter()
        model.frames(case.request, case.pictures, silent)
        if model.place.rung == before:
            print(f"{case.recipe.name:<22} memory did not run out")
        rung = devices.RUNGS.index(model.place.rung)
        return {"seconds": time.perf_counter() - began, "rung": rung}
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        (case.cache / "rungs.json").unlink(missing_ok=True)


async def back_to_back(case: Case, folder: Path) -> dict[str, dict[str, float]]:
    """Jobs through the engine's own processes: how much of the time the model was at work, with each clip's
    file made beside the next clip's frames, and before them."""
    count, found = 3 if case.tiny else JOBS, {}
    async with Host(
        {case.recipe.name: case.recipe},
        folder,
        cache=case.cache,
        environ=os.environ,
        device=case.device,
        idle=0,
    ) as host:
        await host.make(case.request, silent, limit=25 * 2**20)
        for name, beside in (("back to back", True), ("one by one", False)):
            requests = [replace(case.request, seed=number) for number in range(count)]
            share = await line(host, requests, limit=25 * 2**20, beside=beside)
            found[name] = {"seconds": share.seconds, "busy": share.busy}
    return found


def empty(device: str) -> None:
    """Returns all that nobody holds."""
    gc.collect()
    devices.empty(device)


@contextmanager
def built(name: str, device: str) -> Iterator[tuple[Case, Path]]:
    """A case in a folder of its own, gone afterwards."""
    with TemporaryDirectory() as place:
        yield Case(name, Path(place), device), Path(place)


def beside(plain: dict[str, float], figures: dict[str, float]) -> str:
    """How many clips are made in the time of the plain call's one."""
    return f"   {plain['seconds'] / figures['seconds']:.2f} × plain" if "peak_gib" in figures else ""


def measured(name: str, device: str) -> dict[str, dict[str, float]]:
    """All rows of one recipe. Raises EngineError, torch's OutOfMemoryError."""
    with built(name, device) as (case, folder):
        table = dict(rows(case))
        if case.recipe.task is Task.TEXT:  # the others want a picture in the data folder
            empty(device)  # the engine's process has the card for itself
            table |= asyncio.run(back_to_back(case, folder))
    return table


def main() -> None:
    """Prints the table, and keeps it as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu")
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--json", type=Path, help="keep the figures in this file, too")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine = devices.look(device)
    print(
        f"{machine.name}, {machine.total:.0f} GiB" if device == "cuda" else "no GPU: tiny sizes, no figures"
    )
    found: dict[str, Any] = {"device": machine.name}
    for name in options.only:
        try:
            table = found[name] = measured(name, device)
        except (EngineError, torch.OutOfMemoryError) as error:  # the other families go on
            print(f"{name:<22} left out: {error}")
            continue
        for row, figures in table.items():
            words = "   ".join(f"{key} {value:.3f}" for key, value in figures.items())
            print(f"{name:<22} {row:<18} {words}{beside(table['plain'], figures)}", flush=True)
        if options.json:  # with each family: a later one may take the machine down
            options.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
