"""How long a person waits for the first answer to a command: ours beside a bare echo bot's, same stand-in."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.stage import ECHO, OURS, Figures, Row, config, recipe, started
from playground.deed import Deed
from playground.records import LOADING
from playground.server import Playground

#: As nice as the engine is: what compiles a model takes a whole core.
BURN = "import os; os.nice(5)\nwhile True: pass"
#: Each crashing recipe ends four engines before it is paused: enough of them crash for the whole row.
CRASHING = 12

#: Of so many bursts the median one counts: another program's second of the processor is not ours.
BURSTS = 3

#: The engine's mood in each row: the recipe that brings it about, how often it is asked for, and the word on
#: its ticket that shows it.
MOODS: Mapping[str, tuple[str, str]] = {
    "idle": ("", ""),
    "busy": (recipe("slow", step_seconds=0.5), "keep busy -seconds 10 -model slow"),
    "compiling": (recipe("loading", load_seconds=300), "keep loading -model loading"),
    "crashing": ("".join(recipe(f"crash{n}", die_at=0) for n in range(CRASHING)), "crash -model crash{n}"),
}


async def rows(say: Callable[[str], None], commands: int = 100, many: int = 1000) -> Figures:
    """p50 and p99 in milliseconds by row: `commands` at once, and `many` in the row of that name."""
    found: Figures = {}
    for count, moods in ((commands, tuple(MOODS)), (many, ("busy",))):
        name = "echo" if count == commands else f"echo_{count}"
        echo = await measure(ECHO, "idle", count)
        found |= echo.figures(f"ack.{name}")
        say(f"first answer, {count} at once, echo bot     {echo.beside(None)}")
        for mood in moods:
            row = await measure(OURS, mood, count)
            found |= row.figures(f"ack.{mood if count == commands else count}")
            say(f"first answer, {count} at once, {mood:<10}  {row.beside(echo)}")
    return found


async def measure(command: tuple[str, ...], mood: str, commands: int) -> Row:
    """Milliseconds from each command to the callback's arrival, all commands asked at once."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        place = await stack.enter_async_context(Playground(judge=False, verify=False))
        place.limits.relax()
        tables, prompt = MOODS[mood]
        settings = config(data, tables + recipe("tiny"))
        await stack.enter_async_context(started(place, command, data, settings))
        await _greet(place, command)
        if prompt:
            await _brood(place, prompt)
        if mood == "compiling":
            burner = await asyncio.create_subprocess_exec(sys.executable, "-c", BURN)
            stack.push_async_callback(burner.wait)
            stack.callback(burner.kill)
        bursts = [Row(await _burst(place, commands)) for _ in range(BURSTS if commands <= 100 else 1)]
        return sorted(bursts, key=lambda row: row.p99)[len(bursts) // 2]


async def _greet(place: Playground, command: tuple[str, ...]) -> None:
    """One command to its end: the bot and its processes are awake, as after any first minute."""
    told = place.world.messages if command == ECHO else place.world.attachments
    await place.person("Ada").slash(place.channel("clips"), "animate", {"prompt": "hello -model tiny"})
    await place.until(lambda: len(told) > 0, 60)


async def _brood(place: Playground, prompt: str) -> None:
    """Gets the engine into its mood: a job of it runs, where nobody looks."""
    ada, channel = place.person("Ada"), place.channel("clips")
    for number in range(CRASHING if "{n}" in prompt else 1):
        await ada.slash(channel, "animate", {"prompt": prompt.format(n=number)})

    def told() -> list[str]:
        return [one["content"] for one in place.world.last(channel, place.user("Ada").id, 50)]

    await place.until(lambda: any("oading" in one or "step" in one or "engine" in one for one in told()), 60)


async def _burst(place: Playground, commands: int) -> list[float]:
    people = [place.person(name) for name in ("Ada", "Ben", "Cyd", "Mod")]
    channel = place.channel("clips")
    place.journal.size = 100 * commands + 5000
    zero = time.time() - place.journal.add("note", "the bench asks").at
    deeds = await asyncio.gather(
        *(people[number % 4].slash(channel, "animate", {"prompt": str(number)}) for number in range(commands))
    )
    waiting = list(deeds)

    def answered() -> bool:
        while waiting and waiting[-1].state != "pending":
            waiting.pop()
        return not waiting

    await place.until(answered, 120)
    thinking = list(deeds)

    def told() -> bool:  # the next burst meets a bot that has done its work on this one
        while thinking and not ((thinking[-1].original or {}).get("flags", 0) & LOADING):
            thinking.pop()
        return not thinking

    await place.until(told, 120)
    return sorted(_delays(place, deeds, zero))


def _delays(place: Playground, deeds: list[Deed], zero: float) -> list[float]:
    """Milliseconds from each command to its first answer; one without counts as Discord's 3 seconds."""
    born = {str(deed.id): deed.interaction.born for deed in deeds}
    found = []
    for entry in list(place.journal.entries):
        parts = entry.path.split("/")
        if parts[1:2] == ["interactions"] and entry.status < 300 and parts[2] in born:
            found.append((zero + entry.at - born.pop(parts[2])) * 1e3)
    return found + [3000.0] * len(born)
