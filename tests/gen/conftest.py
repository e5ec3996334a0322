"""What the tests of the engine's processes share: requests, recipes, a host, a darkroom."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from gen.darkroom import Darkroom
from gen.host import Host
from gen.job import Request, Task
from gen.recipe import Recipe

#: Options of the test card, each as a recipe of its own name.
MOODS: dict[str, dict[str, Any]] = {
    "quick": {},
    "slow": {"step_seconds": 0.05},
    "sleepy": {"load_seconds": 30},
    "compiled": {"compile": True, "step_seconds": 0.05},
    "compiled slowly": {"compile": True, "step_seconds": 2},
    "compiled badly": {"compile": True, "step_seconds": "no number"},
    "hangs": {"hang_at": 3},
    "dies": {"die_at": 3},
    "hungry": {"oom_at": 3},
    "narrow": {"oom_at": 12},
    "peckish": {"oom_at": 3, "oom_times": 1},
    "confused": {"step_seconds": "no number"},
}


def asked(recipe: str = "quick", **changes: Any) -> Request:
    """A small clip of the test card."""
    plain: dict[str, Any] = {"task": Task.TEXT, "prompt": "a red star", "seed": 1, "width": 96, "height": 64}
    return Request(recipe=recipe, **{**plain, "frames": 8, "fps": 8, **changes})


def recipes() -> dict[str, Recipe]:
    """The test card in all its moods, and the camera."""
    cards = {
        name: Recipe(
            name=name, task=Task.TEXT, family="testcard", about="", options=options, sizes={"3:2": (96, 64)}
        )
        for name, options in MOODS.items()
    }
    lost = Recipe(name="lost", task=Task.TEXT, family="child", about="", sizes={"3:2": (96, 64)})
    return {
        **cards,
        "lost": lost,
        "camera": Recipe(name="camera", task=Task.IMAGE, family="camera", about="", long=768),
    }


@pytest_asyncio.fixture
async def hosts(tmp_path: Path) -> AsyncIterator[Callable[..., Host]]:
    """Makes hosts over one data folder, and ends them."""
    made: list[Host] = []

    def make(**options: Any) -> Host:
        host = Host(recipes(), tmp_path, cache=tmp_path / "weights", environ=os.environ, **options)
        made.append(host)
        return host

    yield make
    for host in made:
        await host.aclose()


@pytest_asyncio.fixture
async def darkroom(tmp_path: Path) -> AsyncIterator[Darkroom]:
    """A darkroom over the same folder."""
    async with Darkroom(tmp_path, environ=os.environ) as room:
        yield room
