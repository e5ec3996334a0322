"""Clips without Discord: `python -m gen "a prompt" -o clip.mp4`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import secrets
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from gen.darkroom import Darkroom
from gen.errors import BadRequest, Misconfigured, ZoetropeError
from gen.host import Host
from gen.job import Clip, Picture, Request, Task
from gen.machine import AUTO, Device, Table, has_card, room
from gen.machine import plan as plan_
from gen.ports import Step
from gen.prompt import SEEDS, parse
from gen.recipe import PICTURES, Recipe, load, pick, pinned, sources
from gen.shelf import thumbnail

ROOT = Path(__file__).resolve().parent.parent
NO_LIMIT = 2**40  # bytes


@dataclass(frozen=True)
class Shelf:
    """What the settings file says about making clips."""

    recipes: Mapping[str, Recipe]
    default: Mapping[Task, str]  # recipe by task, or "auto"
    device: str
    auto: Table

    @classmethod
    def read(cls, path: Path) -> Shelf:
        """The shelf in the file at `path`. Raises Misconfigured."""
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Misconfigured("{file} cannot be read: {fault}.", file=path.name, fault=error) from error
        recipes = load(tables.get("recipe", {}), tables.get("check", {}), where=path.name)
        device = tables.get("engine", {}).get("device", AUTO)
        auto = Table.read(tables.get("auto", {}), recipes, f"{path.name}: auto")
        return cls(recipes, tables.get("default", {}), device, auto)

    async def pick(self, task: Task, name: str | None, data: Path, environ: Mapping[str, str]) -> Recipe:
        """The recipe of that name, or the task's own: where it follows the machine, a card is looked for.
        Raises BadRequest, EngineError."""
        if name or self.default.get(task, AUTO) != AUTO:
            return pick(self.recipes, task, name or self.default[task])
        device = Device()
        if has_card(self.device, sys.platform, platform.machine()):
            async with self.host(data, environ) as host:
                device = await host.describe()
        plan = plan_(self.recipes, {}, self.auto, device, cache=data / "weights", disk=room(data))
        return pick(plan.recipes, task, plan.choices[task].name)

    def host(self, data: Path, environ: Mapping[str, str]) -> Host:
        """An engine."""
        return Host(self.recipes, data, cache=data / "weights", environ=environ, device=self.device)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code: 0, 1 with one line that says why, or 78 when the settings are wrong."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level="INFO" if options.verbose else "ERROR", format="%(levelname)s %(message)s")
    try:
        shelf = Shelf.read(options.config)
        if options.recipes:
            print(listing(shelf.recipes))
            return 0
        if options.fetch:
            print(asyncio.run(_fetch(shelf, options.fetch, _data(environ), environ)))
            return 0
        return asyncio.run(_run(options, shelf, environ))
    except ZoetropeError as error:
        print(error, file=sys.stderr)
        return 78 if isinstance(error, Misconfigured) else 1
    except KeyboardInterrupt:
        return 130


def listing(recipes: Mapping[str, Recipe]) -> str:
    """Names, tasks, and what each needs, as a table."""
    takes = {
        Task.TEXT: "a prompt",
        Task.IMAGE: "a picture",
        Task.INTERP: "two pictures",
        Task.VIDEO: "a video",
    }
    rows = [("name", "takes", "family", "device memory", "to fetch", "licence", "", "weights")]
    for recipe in recipes.values():
        memory = f"{recipe.memory:g} GiB" if recipe.memory else "any processor"
        words = takes[recipe.task] + (" and a prompt" if recipe.prompted and PICTURES[recipe.task] else "")
        off = "" if recipe.on else " (off)"
        weights = ", ".join(dict.fromkeys(map(pinned, sources(recipe.weights)))) or "none"
        fetch = f"{recipe.download:g} GiB" if recipe.download else ""
        needs = (recipe.family, memory, fetch, recipe.licence)
        rows.append((recipe.name + off, words, *needs, recipe.about, weights))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _data(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("ZOETROPE_DATA") or ROOT / "data")


async def _fetch(shelf: Shelf, name: str, data: Path, environ: Mapping[str, str]) -> str:
    """Brings a recipe's weights into the cache; what came of it. Raises BadRequest, EngineError."""
    if name not in shelf.recipes:
        raise BadRequest("There is no recipe {name}; see --recipes.", name=name)
    bar, said = Bar(sys.stderr), False

    def show(step: Step) -> None:
        nonlocal said
        if not said:  # before the first byte
            wants = f"{name} wants {step.total / 1024:.1f} GiB; {room(data):.0f} GiB of disk are free"
            print(wants, file=sys.stderr, flush=True)
            said = True
        bar.show(step)

    async with shelf.host(data, environ) as host:
        try:
            size = await host.fetch(name, show)
        finally:
            bar.clear()
    return f"{name}: {size / 2**20:.1f} MiB were fetched" if size else f"{name}: all weights are here"


async def _run(options: argparse.Namespace, shelf: Shelf, environ: Mapping[str, str]) -> int:
    data = _data(environ)
    task, files = _task(options)
    given = {"seed": options.seed, "model": options.recipe}
    ask = parse(" ".join(options.prompt)).over(given)
    recipe = await shelf.pick(task, ask.model, data, environ)
    for name in recipe.unused(ask):
        print(f"-{name} has no effect with {recipe.name}.", file=sys.stderr)
    pictures = await _pictures(task, files, data, environ)
    request = recipe.request(ask, pictures, secrets.randbelow(SEEDS))
    if options.explain:
        print(json.dumps(request.to_dict(), indent=2, ensure_ascii=False))
        return 0
    if not options.output.parent.is_dir():
        raise BadRequest("There is no folder {folder}.", folder=options.output.parent)
    limit = round(options.limit * 2**20) if options.limit else NO_LIMIT
    clip = await _make(shelf, request, data, limit, environ)
    shutil.move(data / "clips" / clip.file, options.output)
    (data / "thumbs" / thumbnail(clip.file)).unlink(missing_ok=True)
    print(_said(clip, request, options.output))
    return 0


def _task(options: argparse.Namespace) -> tuple[Task, list[Path]]:
    """What is to be made of which files."""
    ends = [file for file in (options.first, options.last) if file]
    if len(ends) == 1 or sum(map(bool, (ends, options.image, options.video))) > 1:
        raise BadRequest("Give --first and --last together, or --image or --video alone.")
    if options.video:
        return Task.VIDEO, [options.video]
    if ends:
        return Task.INTERP, ends
    return (Task.IMAGE, [options.image]) if options.image else (Task.TEXT, [])


async def _pictures(
    task: Task, files: Sequence[Path], data: Path, environ: Mapping[str, str]
) -> list[Picture]:
    if not files:
        return []
    async with Darkroom(data, environ=environ) as darkroom:
        look = darkroom.video if task is Task.VIDEO else darkroom.picture
        return [await look(_bytes(file), file.name) for file in files]


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadRequest("{file} cannot be read: {fault}.", file=file, fault=error.strerror) from error


async def _make(shelf: Shelf, request: Request, data: Path, limit: int, environ: Mapping[str, str]) -> Clip:
    bar = Bar(sys.stderr)
    async with shelf.host(data, environ) as host:
        try:
            return await host.make(request, bar.show, limit=limit)
        finally:
            bar.clear()


class Bar:
    """A progress bar in one line of a terminal; elsewhere nothing."""

    WIDTH = 30

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self._on = out.isatty()

    def show(self, step: Step) -> None:
        """Draws how far the step's stage is."""
        if self._on:
            full = self.WIDTH * step.done // max(step.total, 1)
            bar = "#" * full + "." * (self.WIDTH - full)
            self.out.write(f"\r{step.stage:<9} [{bar}] {step.done}/{step.total}\x1b[K")
            self.out.flush()

    def clear(self) -> None:
        """Leaves an empty line."""
        if self._on:
            self.out.write("\r\x1b[K")
            self.out.flush()


def _said(clip: Clip, request: Request, file: Path) -> str:
    note = f" ({'; '.join(map(str, clip.notes))})" if clip.notes else ""
    return (
        f"{file}: {request.recipe}, seed {request.seed}, {clip.width} × {clip.height}, {clip.seconds:.1f} s"
        f" at {clip.fps} fps, {clip.size / 1024:.0f} KiB, made in {clip.took:.1f} s{note}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gen",
        description="Makes a clip of a prompt, a picture, or two. Flags may stand in the prompt: -seed, …",
    )
    parser.add_argument("prompt", nargs="*", help="what is to be seen, and flags")
    parser.add_argument("-o", "--output", type=Path, default=Path("clip.mp4"), help="the file to write")
    parser.add_argument("--recipe", help="a name of --recipes instead of the default")
    parser.add_argument("--seed", type=int, help="0 to 4294967295; by chance when not given")
    parser.add_argument("--image", type=Path, help="a picture that is to move")
    parser.add_argument("--video", type=Path, help="a video whose motion is followed")
    parser.add_argument("--first", type=Path, help="the picture that the clip begins with")
    parser.add_argument("--last", type=Path, help="the picture that it ends with")
    parser.add_argument("--limit", type=float, help="MiB that the file may have")
    parser.add_argument("--explain", action="store_true", help="print the request as JSON and make nothing")
    parser.add_argument("--recipes", action="store_true", help="list the recipes and what each needs")
    parser.add_argument("--fetch", metavar="NAME", help="fetch a recipe's weights ahead and make nothing")
    parser.add_argument("--config", type=Path, default=ROOT / "config.toml", help="the settings file")
    parser.add_argument("--verbose", action="store_true", help="print the engine's log")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
