"""The engine's bad days, seen from the channel: the real bot, its real child, an honest word for all."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from bench.stage import recipe, shipped
from playground.server import Playground
from tests.running import Bot, clips, running, texts, until_clips

#: What each recipe does to its engine; `shaky` hangs in long clips only.
RECIPES = (
    recipe("peckish", oom_at=2, oom_times=1)
    + recipe("hungry", oom_at=2)
    + recipe("greedy", oom_at=12)
    + recipe("spoiled").replace("options = {  }", 'options = { step_seconds = "CUDA error: device lost" }')
    + recipe("deadly", die_at=2)
    + recipe("shaky", hang_at=20)
    + recipe("slow", step_seconds=0.2)
)
#: A child that says nothing for so many seconds, of a recipe whose steps are known, hangs.
STALL = "stall = 1.0"


def settings(folder: Path) -> Path:
    path = folder / "config.toml"
    text = shipped()
    assert "stall = 120.0" in text
    path.write_text(text.replace("stall = 120.0", STALL) + RECIPES, "utf-8")
    return path


def engine(bot: Bot) -> int:
    """The process id of the bot's engine."""
    assert bot.process
    for child in Path(f"/proc/{bot.process.pid}/task/{bot.process.pid}/children").read_text().split():
        if b'"engine"' in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("no engine runs")


async def ask(place: Playground, who: str, model: str, prompt: str = "a red star") -> Any:
    return await place.person(who).slash(
        place.channel("clips"), "animate", {"prompt": prompt, "model": model}
    )


async def told(place: Playground, *words: str) -> None:
    """Waits until all of these stand in the channel."""
    channel = place.channel("clips")
    await place.until(lambda: all(any(word in text for text in texts(place, channel)) for word in words), 60)


async def test_each_ends_in_a_clip_or_an_honest_word(tmp_path: Path) -> None:
    async with running(tmp_path, settings(tmp_path)) as (place, bot):
        channel = place.channel("clips")
        await ask(place, "Ada", "peckish")  # memory runs out once: made at the second try
        await ask(place, "Ben", "hungry")
        await ask(place, "Ada", "spoiled")
        await ask(place, "Mod", "deadly")
        await until_clips(place, channel, 1)
        await told(
            place, "needs more memory than the device has", "The device failed", "stopped in the middle"
        )
        assert bot.words.count("the engine died (1 of 2): The device failed") == 1  # born again, once more
        assert bot.words.count("the engine died (2 of 2)") == 2
        assert "(model deadly) ended 2 engines and is given up" in bot.words
        assert "out of memory" in bot.words
        # Half as many frames fit: a shorter clip, and its card says so.
        await ask(place, "Ben", "greedy", "a red star -seconds 2")
        await until_clips(place, channel, 2)
        await told(place, "8 frames instead of 16, which the device's memory could not hold")
        # A hang is cut short where the recipe's usual step is known.
        await ask(place, "Ada", "shaky")
        await until_clips(place, channel, 3)
        await ask(place, "Ada", "shaky", "a long red star -seconds 4")
        await told(place, "stopped answering")
        assert bot.words.count("is silent for too long while making; killed") == 2
        bot.log.write_text(bot.words.replace("Traceback", "traceback"))  # the spoiled engine's own: meant
        await ask(place, "Ben", "peckish", "and life goes on")
        await until_clips(place, channel, 4)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are Linux's")
async def test_a_full_disk_is_said_leaves_nothing_and_passes(tmp_path: Path) -> None:
    async with running(tmp_path, settings(tmp_path)) as (place, bot):
        channel = place.channel("clips")
        await ask(place, "Ada", "slow", "the first")
        await until_clips(place, channel, 1)
        pid, kept = engine(bot), {file.name for file in (bot.data / "clips").iterdir()}
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (500, most))  # no file grows beyond 500 bytes
        await ask(place, "Ada", "slow", "no room")
        await told(place, "The disk is full")
        assert {file.name for file in (bot.data / "clips").iterdir()} == kept
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        await ask(place, "Ada", "slow", "room again")
        await until_clips(place, channel, 2)
        assert engine(bot) == pid


async def test_an_engine_that_dies_once_costs_nobody_a_clip(tmp_path: Path) -> None:
    async with running(tmp_path, settings(tmp_path)) as (place, bot):
        channel = place.channel("clips")
        await ask(place, "Ada", "slow", "a red star -seconds 4")
        await told(place, "step")
        os.kill(engine(bot), signal.SIGKILL)
        await until_clips(place, channel, 1)
        assert "the engine died (1 of 2)" in bot.words


async def test_a_crash_loop_pauses_its_model_and_no_other(tmp_path: Path) -> None:
    async with running(tmp_path, settings(tmp_path)) as (place, bot):
        channel = place.channel("clips")
        await ask(place, "Ada", "deadly", "one")
        await ask(place, "Ben", "deadly", "two")
        await ask(place, "Mod", "deadly", "three")
        await place.until(lambda: len([t for t in texts(place, channel) if "engine" in t.lower()]) == 3, 60)
        assert bot.words.count("the engine died (") == 4  # the third met the breaker, and no engine
        assert "model deadly is paused for 300 s" in bot.words
        deed = await ask(place, "Ada", "deadly", "four")
        answer = await deed.message()
        assert answer["flags"] & 64
        assert "The model deadly is paused because its engine keeps failing" in answer["content"]
        await ask(place, "Ada", "peckish", "five")
        await until_clips(place, channel, 1)
        assert len(clips(place, channel)) == 1
