"""Every way up and down the ladder, as a card goes it: layers come and go in streams."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streams
import tiny
import tiny_video
import torch

from gen.models import device, svd, t2isvd
from gen.models.device import RUNGS, Machine, Place

# Of diffusers' own Euler scheduler with this numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True)
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers come and go in streams."""
    streams.act(monkeypatch)


def hung(made: Any) -> set[str]:
    """The names of all hooks in a pipeline's parts."""
    modules = [
        each
        for part in made.components.values()
        if isinstance(part, torch.nn.Module)
        for each in part.modules()
    ]
    registries = [module._diffusers_hook for module in modules if hasattr(module, "_diffusers_hook")]
    return {name for registry in registries for name in registry.hooks}


def test_from_every_rung_to_every_other(made: Any) -> None:
    """Exact, until weights are narrowed to 8 bits; from then on all rungs show the same again."""
    wanted = tiny.picture(made)
    for start, end in permutations([rung for rung in RUNGS if rung != "small"], 2):
        for rung in (start, end):
            device.put(made, rung, "cpu:0")
            assert np.array_equal(wanted, tiny.picture(made)), (start, end)
            assert bool(hung(made)) == (rung == "layers")
    device.put(made, "small", "cpu:0")
    rough = tiny.picture(made)
    assert 0 < np.abs(rough - wanted).mean() < 0.05
    for rung in RUNGS:
        for each in (rung, "small"):
            device.put(made, each, "cpu:0")
            assert np.array_equal(rough, tiny.picture(made)), rung
            assert ("group_offloading" in hung(made)) == (each in ("layers", "small"))


@pytest.mark.parametrize("rung", ["whole", "parts"])
def test_a_clip_that_ends_in_the_middle_leaves_every_weight_whole(made: Any, rung: str) -> None:
    """Memory runs out in one layer, while the next one is on its way to the device."""
    wanted = tiny.picture(made)
    device.put(made, "layers", "cpu:0")
    tiny.picture(made)  # learns in which order layers are wanted
    handle = made.unet.mid_block.resnets[0].conv1.register_forward_pre_hook(short)
    with pytest.raises(torch.OutOfMemoryError):
        tiny.picture(made)
    handle.remove()
    device.put(made, rung, "cpu:0")
    assert np.array_equal(wanted, tiny.picture(made))


def short(*_: Any) -> None:
    """Memory runs out."""
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_memory_that_runs_out_all_the_way_down(made: Any, tmp_path: Path) -> None:
    place = Place(made, "cpu:0", memory=0.0, notes=tmp_path, name="tiny")
    place.machine = Machine("cuda", "a card", 1, 1)
    wanted, tries = tiny.picture(made), []
    handle = made.vae.decoder.conv_in.register_forward_pre_hook(
        lambda *_: short() if place.rung != "small" else None
    )

    def work() -> Any:
        tries.append(place.rung)
        return tiny.picture(made)

    rough = place.run(work)
    handle.remove()
    assert tries == ["whole", "parts", "layers", "small"]
    assert 0 < np.abs(rough - wanted).mean() < 0.05


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers that a card computes in."""
    monkeypatch.setattr(Machine, "half", torch.float16)


def down(model: Any, place: Place, pictures: list[Any]) -> None:
    """A clip on the rungs where layers come and go is what it is on the highest, or nearly so."""
    request = tiny.request(model.recipe, width=16, height=16, frames=2, steps=1)
    wanted = model.frames(request, pictures, lambda *_: None)
    assert wanted.std() > 2
    for rung, far in (("layers", 0.0), ("small", 20.0)):
        device.put(place.pipe, rung, "cpu:0")
        for _ in range(2):  # the first learns in which order layers are wanted
            off = np.abs(model.frames(request, pictures, lambda *_: None).astype(float) - wanted).mean()
            assert off <= far, rung


@pytest.mark.usefixtures("half")
def test_a_picture_comes_alive_in_layers(store: Path, tmp_path: Path) -> None:
    weights = {"base": tiny_video.svd(store / "low-svd")}
    model = svd.Model(
        tiny.recipe("tiny", family="svd", weights=weights, task="image"), device="cpu", cache=tmp_path
    )
    down(model, model.place, [np.full((32, 32, 3), (200, 90, 20), np.uint8)])
    coder = model.pipe.vae
    types = {next(part.parameters()).dtype for part in (coder.encoder, coder.quant_conv)}
    assert (types, next(coder.decoder.parameters()).dtype) == ({torch.float32}, torch.float16)


@pytest.mark.usefixtures("half")
def test_a_picture_is_painted_in_layers(store: Path, tmp_path: Path) -> None:
    weights = {"base": tiny_video.svd(store / "low-base"), "text": tiny.wide_diffusion(store / "low-wide")}
    recipe = tiny.recipe("tiny", family="t2isvd", weights=weights, options={"text_steps": 2})
    model = t2isvd.Model(recipe, device="cpu", cache=tmp_path)
    down(model, model.place, [])
