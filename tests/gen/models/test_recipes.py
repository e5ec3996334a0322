"""Every shipped recipe for a GPU makes a clip with its own options, from a tiny checkpoint of its family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streams
import tiny
import tiny_control
import tiny_video
from safetensors.torch import save_file

from gen.job import Picture, Request, Task, Video
from gen.models import device
from gen.prompt import MOVES, parse
from gen.recipe import PICTURES, Recipe, shipped

# Of diffusers' own Euler scheduler with this numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHIPPED = shipped(Path(__file__).parents[3] / "config.toml")
GPU = {name: recipe for name, recipe in SHIPPED.items() if recipe.memory >= 1}


@pytest.fixture(scope="module")
def place(store: Path) -> Callable[[str, Callable[[Path], Any]], Path]:
    """Builds a checkpoint at its first use."""
    there: set[str] = set()

    def get(name: str, build: Callable[[Path], Any]) -> Path:
        if name not in there:
            build(store / f"shared-{name}")
            there.add(name)
        return store / f"shared-{name}"

    return get


def _file(folder: Path) -> None:
    folder.mkdir()
    save_file(dict(tiny.motion().state_dict()), folder / "tiny.safetensors")


def small(recipe: Recipe, place: Callable[..., Path]) -> Recipe:
    """The recipe with the weights it names made tiny, part by part."""
    sd, mover = place("sd", tiny.stable_diffusion), tiny.motion()
    lora = place("lora", lambda folder: tiny.motion_lora(folder / "tiny.safetensors", mover, seed=1))
    builds: dict[str, Any] = {
        "motion": lambda: place("motion", mover.save_pretrained),
        "lightning": lambda: place("lightning", _file) / "tiny.safetensors",
        "sparse": lambda: place("sparse", tiny_video.sparse),
        "control": lambda: place("control", tiny_control.control),
        "depth": lambda: place("depth", tiny_control.depth),
        "person": lambda: place("person", tiny_control.person),
        "pose": lambda: place("pose", tiny_control.pose),
        "lora": lambda: {"zoom in": str(lora)},
        "always": lambda: [{"repo": str(lora), "scale": each["scale"]} for each in recipe.weights["always"]],
        "text": lambda: sd,
        "transformer": lambda: place("framepack", tiny_video.framepack) / "transformer",
        "eye": lambda: place("framepack", tiny_video.framepack) / "eye",
    }
    bases: dict[str, Callable[[], Path]] = {
        "animatediff": lambda: sd,
        "svd": lambda: place("svd", tiny_video.svd),
        "t2isvd": lambda: place("svd", tiny_video.svd),
        "ltx": lambda: place("ltx", tiny_video.ltx),
        "framepack": lambda: place("framepack", tiny_video.framepack) / "base",
        "wan": lambda: _wan(recipe, place),
    }
    builds["base"] = bases[recipe.family]
    weights = {part: builds[part]() for part in recipe.weights}
    if "lightning" in weights:
        weights["motion"] = builds[
            "motion"
        ]()  # says how the tiny file is built; the real one is of v2's size
    return replace(recipe, weights={part: _text(value) for part, value in weights.items()})


def _wan(recipe: Recipe, place: Callable[..., Path]) -> Path:
    if recipe.task is Task.TEXT or "5b" in recipe.name:
        kind = {"wan-14b": "two", "wan-5b": "middle", "wan-5b-i2v": "middle"}.get(recipe.name, "2.1")
        return place(f"wan-{kind}", lambda folder: tiny_video.wan(folder, kind))
    places = 10 if recipe.task is Task.INTERP else None
    return place(f"wan-{recipe.task}", lambda folder: tiny_video.wan_image(folder, places=places))


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def built(name: str, place: Callable[..., Path], cache: Path) -> Any:
    """The model of a recipe, made tiny."""
    recipe = small(GPU[name], place)
    return import_module(f"gen.models.{recipe.family}").Model(recipe, device="cpu", cache=cache)


def asked(recipe: Recipe) -> tuple[Request, list[Any]]:
    """A small clip of the recipe, and what it is made of."""
    pictures = [Picture(name=f"{number}.png", width=64, height=40) for number in range(PICTURES[recipe.task])]
    if recipe.task is Task.VIDEO:
        pictures = [Video(name="a.mp4", width=64, height=40, seconds=0.5)]
    words = "a red star" + (" -camera zoom in" if recipe.camera else "")
    request = recipe.request(parse(words), pictures, 7)
    few = request.steps if request.steps <= 8 else 2
    frames = recipe.frame_multiple + recipe.frame_extra if recipe.frame_extra else 4
    side = max(32, recipe.multiple)
    request = replace(request, width=side, height=side, frames=frames, steps=few)
    one = (frames, 40, 64, 3) if recipe.task is Task.VIDEO else (40, 64, 3)
    return request, [np.full(one, 90 * number, np.uint8) for number in range(len(pictures))]


@pytest.mark.parametrize("name", GPU)
def test_a_clip(name: str, place: Callable[..., Path], tmp_path: Path) -> None:
    model = built(name, place, tmp_path)
    request, shown = asked(model.recipe)
    heard: list[tuple[int, int]] = []
    clip = model.frames(request, shown, lambda done, total, _: heard.append((done, total)))
    assert clip.shape == (request.frames, request.height, request.width, 3)
    assert clip.dtype == np.uint8
    assert heard[-1][0] == heard[-1][1] > request.steps


@pytest.mark.parametrize(
    "name",
    ["animatediff", "animatediff-sparse", "animatediff-depth", "wan-14b", "wan-i2v", "ltx-i2v", "framepack"],
)
def test_a_clip_where_layers_come_and_go(
    name: str, place: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what it is on the highest rung, or much like it with a denoiser of 8 bits."""
    streams.act(monkeypatch)
    model = built(name, place, tmp_path)
    request, shown = asked(model.recipe)
    wanted = model.frames(request, shown, lambda *_: None)
    for rung, far in (("layers", 0.01), ("small", 30.0)):  # where weights lie in memory rounds a byte or two
        device.put(model.pipe, rung, "cpu:0")
        off = np.abs(model.frames(request, shown, lambda *_: None).astype(float) - wanted).mean()
        assert off <= far, rung


def test_what_people_get_when_they_say_nothing() -> None:
    for recipe in GPU.values():
        pictures = [Picture(name="a.png", width=64, height=40)] * PICTURES[recipe.task]
        request = recipe.request(parse("a red star"), pictures, 7)
        assert not recipe.on  # an operator turns it on
        assert request.width % recipe.multiple == request.height % recipe.multiple == 0
        assert (request.frames - recipe.frame_extra) % recipe.frame_multiple == 0
        assert 1 <= request.frames / request.fps <= 6, recipe.name
        for width, height in recipe.sizes.values():
            assert width % max(8, recipe.multiple) == height % max(8, recipe.multiple) == 0, recipe.name


def test_every_move_has_a_lora() -> None:
    assert set(GPU["animatediff"].weights["lora"]) == set(MOVES)
