"""The machine that the bot runs on: its card, and what each command takes on it, in the operator's words."""

from __future__ import annotations

import asyncio
import json
import logging
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from bot.settings import Settings
from gen.errors import EngineError
from gen.host import Host
from gen.job import Task
from gen.machine import SPARE, Choice, Device, Judged, Plan, Verdict, has_card, plan, room
from gen.recipe import Recipe, sources

log = logging.getLogger(__name__)

#: Seconds that torch may take to say what the card is.
PATIENCE = 120.0
#: Where the card that was seen last is kept, in the data folder: to look takes longer than to connect.
FILE = "machine.json"
COMMANDS = {
    Task.TEXT: "/animate", Task.IMAGE: "/img2vid", Task.INTERP: "/interp", Task.VIDEO: "/animate video:",
}  # fmt: skip


class Chooser:
    """Settles what commands take, in the recipes and defaults that all others read."""

    def __init__(self, recipes: dict[str, Recipe], defaults: dict[Task, str]) -> None:
        self.recipes = recipes
        self.defaults = defaults
        self.device = Device()
        self.looking = False  # for a card that no earlier run has seen
        self.plan = Plan(self.device, {}, recipes)

    def begin(self, settings: Settings) -> None:
        """Settles by the card that was here at the last start, until `look` has seen what is here now."""
        if has_card(settings.engine.device, sys.platform, platform.machine()):
            known = _remembered(settings)
            self.device, self.looking = known or Device(), known is None
        self.settle(settings)

    async def look(self, settings: Settings, engine: Host) -> None:
        """Asks the engine's process for the card, where there may be one; then settles."""
        if has_card(settings.engine.device, sys.platform, platform.machine()):
            self.device = await _seen(engine)
            self.looking = False
            _remember(settings, self.device)
        self.settle(settings)
        for line in summary(self.plan):
            log.info("%s", line)

    def settle(self, settings: Settings) -> None:
        """Fills the recipes and defaults anew."""
        self.plan = replace(planned(settings, self.device), looking=self.looking)
        self.recipes.clear()
        self.recipes.update(self.plan.recipes)
        self.defaults.update(self.plan.defaults())


async def _seen(engine: Host) -> Device:
    """The card that is here now; none where that cannot be told."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await engine.describe()
    except (EngineError, TimeoutError) as error:
        log.warning("the card could not be looked at: %s", error or "no answer")
        return Device()


def _remembered(settings: Settings) -> Device | None:
    """What the last look at this setting's card saw."""
    try:
        values = json.loads((settings.data / FILE).read_text("utf-8"))
        return Device.of(values["device"]) if values["setting"] == settings.engine.device else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _remember(settings: Settings, device: Device) -> None:
    values = {"setting": settings.engine.device, "device": asdict(device)}
    fresh = (settings.data / FILE).with_suffix(".new")
    try:
        fresh.write_text(json.dumps(values, indent=1), "utf-8")
        fresh.replace(settings.data / FILE)  # whoever is killed meanwhile leaves the old one
    except OSError as error:  # the next start looks before it knows
        log.warning("the card could not be noted: %s", error)


def planned(settings: Settings, device: Device) -> Plan:
    """What is taken with that device."""
    return plan(
        settings.recipe, settings.defaults(), settings.auto, device,
        cache=weights(settings.data), disk=room(settings.data),
    )  # fmt: skip


def weights(data: Path) -> Path:
    """The folder that they are fetched into."""
    return data / "weights"


def summary(plan: Plan) -> Iterator[str]:
    """A line for each command: what it takes, and why."""
    for choice in plan.choices.values():
        if choice.name:
            yield f"{COMMANDS[choice.task]} takes {choice.name}: {_why(choice, plan)}"
        else:
            yield f"{COMMANDS[choice.task]} takes nothing: no model for it is turned on"


def report(plan: Plan) -> Iterator[str]:
    """The same, each followed by lines of what else there is, and what it would take."""
    for choice, line in zip(plan.choices.values(), summary(plan), strict=True):
        yield line
        others = [one for one in choice.judged if one.recipe.name != choice.name and one.recipe.memory]
        small = [one for one in others if one.verdict is Verdict.SMALL]
        for one in others:
            if one not in small:
                yield f"  {one.recipe.name}: {'; '.join(_other(one, plan.device))}"
        if small:
            names = ", ".join(f"{one.recipe.name} ({one.least:g} GiB)" for one in small)
            yield f"  too large for this machine, by the GiB wanted free on its card: {names}"


def _why(choice: Choice, plan: Plan) -> str:
    taken = choice.taken
    fetch = f"; {_fetching(taken)}" if taken and taken.fetch else ""
    if not choice.auto:
        return f"default.{choice.task} says so{fetch}"
    if taken is None or taken.verdict is not Verdict.FITS:
        return "nothing of [auto] fits this machine"
    if not taken.least:
        return f"it runs on any processor, and {_no_better(choice, plan.device)}"
    room = f"wants {taken.least:g} GiB free, {plan.device.free:.1f} are"
    return f"the best of [auto] that {plan.device.name} has room for ({room}){fetch}"


def _no_better(choice: Choice, device: Device) -> str:
    if device.kind == "cpu":
        return "torch found no graphics card" if device.torch else "there is no graphics card"
    waits = [one for one in choice.judged if one.verdict in (Verdict.LICENCE, Verdict.FETCH, Verdict.DISK)]
    return "others that fit wait for you" if waits else f"{device.name} has no room for another"


def _fetching(one: Judged) -> str:
    return (
        f"about {one.fetch:g} GiB are fetched with its first clip, "
        f"or before by `python -m gen --fetch {one.recipe.name}`"
    )


def _other(one: Judged, device: Device) -> Iterator[str]:
    """What another model would take."""
    recipe = one.recipe
    match one.verdict:
        case Verdict.OLD:
            has = ".".join(map(str, device.capability))
            yield f"wants compute capability {recipe.compute:g}, this card has {has}"
            return
        case Verdict.DISK:
            spare = SPARE / 2**30
            wanted = f"about {one.fetch:g} GiB beside {spare:g} to spare"
            yield f"fits the card, but the disk has no room for {wanted}"
            return
        case Verdict.FITS:
            yield f"fits too ({one.least:g} GiB)"
        case _:
            yield f"would fit ({one.least:g} GiB)"
    if recipe.bound or recipe.gated:
        yield f"licence: {recipe.licence}"
    if recipe.gated:
        yield f"accept it at {', '.join(pages(recipe))} and set HF_TOKEN"
    if one.fetch:
        yield f"about {one.fetch:g} GiB to fetch: python -m gen --fetch {recipe.name}"
    if not recipe.on:
        yield f"on = true in [recipe.{_key(recipe.name)}] offers it"


def pages(recipe: Recipe) -> list[str]:
    """Where the licences of a recipe's weights are accepted."""
    return [f"https://huggingface.co/{source['repo']}" for source in sources(recipe.weights)]


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name
