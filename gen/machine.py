"""What this machine has room for: which model each command takes when nobody names one, and why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from gen.errors import Misconfigured
from gen.job import Task
from gen.recipe import Recipe, sources

#: What a command's default is called that follows the machine.
AUTO = "auto"
#: Bytes of disk that stay free when weights are fetched.
SPARE = 2 * 2**30
ROOT = Path(__file__).resolve().parent.parent
#: Where Linux (and Linux in Windows) shows NVIDIA's and AMD's cards.
SIGNS = ("dev/nvidiactl", "dev/kfd", "dev/dxg")


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the engine's process finds to make clips with. Memory in GiB, 0 on a processor."""

    h264: bool = True
    torch: str = ""  # its version; "" without torch
    kind: str = "cpu"  # "cuda" (AMD's too), "mps" or "cpu"
    name: str = "the processor"
    free: float = 0.0
    total: float = 0.0
    capability: tuple[int, int] = (0, 0)  # compute capability; (0, 0) where there is none
    dtype: str = ""  # what transformers compute in
    slim: bool = False  # whether text encoders can be kept in 4 bits on it

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Device:
        """From plain values."""
        return cls(**{**values, "capability": tuple(values.get("capability", (0, 0)))})


class Verdict(StrEnum):
    """What stands between a model and its use here."""

    FITS = "fits"
    SMALL = "small"  # the card has not the memory
    OLD = "old"  # the card computes too slowly in the numbers that the model wants
    LICENCE = "licence"  # its licence binds, and the operator has not turned it on
    FETCH = "fetch"  # more is to be fetched than "auto" fetches unasked
    DISK = "disk"  # the disk has no room for its weights


@dataclass(frozen=True)
class Judged:
    """A model of the table."""

    recipe: Recipe
    least: float  # GiB of free device memory from which it is taken
    verdict: Verdict
    fetch: float  # GiB yet to be fetched, about


@dataclass(frozen=True)
class Table:
    """What "auto" takes of each task: the first of these models that fits, best first, each with the GiB of
    free device memory from which it does; and how many GiB it may fetch unasked."""

    models: Mapping[Task, Mapping[str, float]] = field(default_factory=dict)
    fetch: float = 0.0

    @classmethod
    def read(cls, table: Any, recipes: Mapping[str, Recipe], where: str) -> Table:
        """The table of that name in a settings file. Raises Misconfigured naming key, value and what was
        wanted."""
        if not isinstance(table, dict):
            raise Misconfigured("{where} must be a table.", where=where)
        if unknown := table.keys() - {"fetch", *Task}:
            raise Misconfigured(
                "{where} is unknown; there are {keys}.",
                where=f"{where}.{min(unknown)}", keys=", ".join(("fetch", *Task)),
            )  # fmt: skip
        fetch = _gib(table.get("fetch", 0.0), f"{where}.fetch")
        return cls({task: _list(table.get(task, {}), task, recipes, where) for task in Task}, fetch)


@dataclass(frozen=True)
class Choice:
    """What a command takes when nobody names a model."""

    task: Task
    name: str
    auto: bool  # by the table; else the operator said so
    judged: tuple[Judged, ...]  # all models of its table

    @property
    def taken(self) -> Judged | None:
        """The one that is taken, if it is of the table."""
        return next((one for one in self.judged if one.recipe.name == self.name), None)


@dataclass(frozen=True)
class Plan:
    """What all commands take on this machine, and the recipes, with what was taken turned on."""

    device: Device
    choices: Mapping[Task, Choice]
    recipes: Mapping[str, Recipe]
    looking: bool = False  # the card is not known yet

    def defaults(self) -> dict[Task, str]:
        """The recipe of each task when nobody names one."""
        return {task: choice.name for task, choice in self.choices.items()}


def plan(
    recipes: Mapping[str, Recipe],
    defaults: Mapping[Task, str],
    table: Table,
    device: Device,
    *,
    cache: Path,
    disk: float,
) -> Plan:
    """What is taken on a machine with that device. `cache` is the weights' folder, `disk` its free GiB.

    A model that is off is taken all the same when it is of the table, its licence binds nobody and little is
    to be fetched: it is turned on by that. Where none fits, the first that is on and needs no card.
    """
    choices = {
        task: _choice(recipes, task, defaults.get(task, AUTO), table, device, cache, disk) for task in Task
    }
    names = {choice.name for choice in choices.values()}
    used = {name: replace(one, on=one.on or name in names) for name, one in recipes.items()}
    return Plan(device, choices, used)


def has_card(setting: str, system: str, processor: str, root: Path = Path("/")) -> bool:
    """Whether it is worth loading torch to look for a card. `setting` is `engine.device`; `system` and
    `processor` are `sys.platform` and `platform.machine()`."""
    if setting != AUTO:
        return setting != "cpu"
    if system == "darwin":
        return processor == "arm64"
    return system == "win32" or any((root / sign).exists() for sign in SIGNS)


def fetched(recipe: Recipe, cache: Path) -> bool:
    """Whether all weights are here, as far as folders tell."""
    return all(_is_here(source["repo"], cache) for source in sources(recipe.weights))


def room(folder: Path) -> float:
    """GiB that the disk has for a folder, which need not be there yet."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free / 2**30


def _is_here(repo: str, cache: Path) -> bool:
    if (ROOT / repo).exists():
        return True
    folder = cache / f"models--{repo.replace('/', '--')}"
    return any(folder.glob("snapshots/*/*")) and not any(folder.glob("blobs/*.partial"))


def _choice(
    recipes: Mapping[str, Recipe],
    task: Task,
    named: str,
    table: Table,
    device: Device,
    cache: Path,
    disk: float,
) -> Choice:
    judged = tuple(
        _judge(recipes[name], least, table.fetch, device, cache, disk)
        for name, least in table.models.get(task, {}).items()
    )
    if named != AUTO:
        return Choice(task, named, False, judged)
    fitting = (one.recipe for one in judged if one.verdict is Verdict.FITS)
    first = next(iter([*fitting, *_plain(recipes, task)]), None)
    return Choice(task, first.name if first else "", True, judged)


def _plain(recipes: Mapping[str, Recipe], task: Task) -> Iterator[Recipe]:
    """What is taken where nothing of the table fits."""
    on = [recipe for recipe in recipes.values() if recipe.task is task and recipe.on]
    yield from (recipe for recipe in on if not recipe.memory)
    yield from on


def _judge(recipe: Recipe, least: float, unasked: float, device: Device, cache: Path, disk: float) -> Judged:
    fetch = 0.0 if fetched(recipe, cache) else recipe.download
    if device.free < least:
        verdict = Verdict.SMALL
    elif device.kind == "cuda" and _number(device.capability) < recipe.compute:
        verdict = Verdict.OLD
    elif (recipe.gated or recipe.bound) and not recipe.on:
        verdict = Verdict.LICENCE
    elif fetch > unasked and not recipe.on:
        verdict = Verdict.FETCH
    elif fetch and fetch + SPARE / 2**30 > disk:  # as the fetch itself judges
        verdict = Verdict.DISK
    else:
        verdict = Verdict.FITS
    return Judged(recipe, least, verdict, fetch)


def _number(capability: tuple[int, int]) -> float:
    return capability[0] + capability[1] / 10


def _list(value: Any, task: Task, recipes: Mapping[str, Recipe], where: str) -> dict[str, float]:
    if not isinstance(value, dict):
        raise Misconfigured(
            "{where} is {value}; it must be {wanted}.",
            where=f"{where}.{task}", value=repr(value), wanted="a table of models and GiB, best first",
        )  # fmt: skip
    for name in value:
        if name not in recipes or recipes[name].task is not task:
            raise Misconfigured(
                "{where} names “{name}”, which is no recipe of that task.", where=f"{where}.{task}", name=name
            )
    return {name: _gib(least, f"{where}.{task}.{name}") for name, least in value.items()}


def _gib(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**20:
        raise Misconfigured(
            "{where} is {value}; it must be {wanted}.", where=where, value=repr(value), wanted="GiB, from 0"
        )
    return float(value)
