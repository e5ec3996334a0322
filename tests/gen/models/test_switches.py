"""Switches are counted on tiny checkpoints: each changes what it says, and one that would not is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import tiny_video
import torch
from diffusers.models.attention_dispatch import _AttentionBackendRegistry

from gen.errors import EngineError
from gen.models import animatediff, device, svd, switches, wan

#: Tracing code is slow on a machine that others use.
pytestmark = pytest.mark.timeout(600)


def silent(*_: Any) -> None:
    """Nobody watches."""


@pytest.fixture(scope="session")
def parts(store: Path) -> dict[str, str]:
    tiny.motion().save_pretrained(store / "fast-motion")
    base = tiny.stable_diffusion(store / "fast-base")
    return {"base": str(base), "motion": str(store / "fast-motion")}


def moving(parts: dict[str, str], cache: Path, **options: Any) -> animatediff.Model:
    recipe = tiny.recipe("fast", family="animatediff", weights=parts, options=options)
    return animatediff.Model(recipe, device="cpu", cache=cache)


def speaking(folder: Path, cache: Path, **options: Any) -> wan.Model:
    if not folder.exists():
        tiny_video.wan(folder)
    recipe = tiny.recipe(
        "wan", family="wan", weights={"base": folder}, options=options, sizes={"1:1": [32, 32]}
    )
    return wan.Model(recipe, device="cpu", cache=cache)


def test_without_options_nothing_is_turned(parts: dict[str, str], tmp_path: Path) -> None:
    model = moving(parts, tmp_path)
    assert (model.switches.compiled, model.switches.attention) == (0, 0)
    assert not switches.compiled(model.pipe.unet)


def test_blocks_are_compiled_and_make_the_same_clip(
    parts: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch._dynamo.reset()
    plain, fast = moving(parts, tmp_path), moving(parts, tmp_path, compile="eager")
    assert fast.switches.compiled == len(switches.compiled(fast.pipe.unet)) > 5
    request = tiny.request(plain.recipe)
    before = switches.graphs()
    with caplog.at_level(logging.INFO, "gen.models.switches"):
        made = fast.frames(request, [], silent)
        fast.frames(request, [], silent)
    assert switches.graphs() > before
    (said,) = [one.message for one in caplog.records if "pieces were compiled" in one.message]
    assert said == f"fast: {switches.graphs() - before} pieces were compiled"
    assert np.abs(made.astype(int) - plain.frames(request, [], silent)).max() <= 1


def test_code_that_was_never_compiled_is_an_error_in_the_log(
    parts: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fast = moving(parts, tmp_path, compile="eager")
    for part in switches.denoisers(fast.pipe):
        device.loosen(part)  # as if the library had passed over the blocks
    fast.frames(tiny.request(fast.recipe), [], silent)
    assert ("gen.models.switches", logging.ERROR, "fast: 0 pieces were compiled") in caplog.record_tuples


def test_a_rung_below_takes_compiled_code_away(parts: dict[str, str], tmp_path: Path) -> None:
    fast = moving(parts, tmp_path, compile="eager")
    wanted = fast.frames(tiny.request(fast.recipe), [], silent)
    device.put(fast.pipe, "layers", "cpu")
    assert not switches.compiled(fast.pipe.unet)
    assert np.abs(fast.frames(tiny.request(fast.recipe), [], silent).astype(int) - wanted).max() <= 1


def test_nothing_is_compiled_at_a_rung_below(
    parts: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = moving(parts, tmp_path)
    turned = switches.Switches(model.pipe, {"compile": True}, name="fast", rung="layers", cache=tmp_path)
    assert turned.compiled == 0
    assert "fast: nothing is compiled at the rung layers" in caplog.text


def test_every_video_model_has_blocks_that_compile(store: Path, tmp_path: Path) -> None:
    one = speaking(store / "fast-wan", tmp_path, compile="eager")
    assert one.switches.compiled == len(one.pipe.transformer.blocks)
    place = store / "fast-svd"
    tiny_video.svd(place)
    recipe = tiny.recipe(
        "svd", family="svd", task="image", weights={"base": place}, options={"compile": "eager"}
    )
    two = svd.Model(recipe, device="cpu", cache=tmp_path)
    kinds = {type(module).__name__ for module in switches.compiled(two.pipe.unet)}
    assert kinds == {"BasicTransformerBlock", "TemporalBasicTransformerBlock"}


def test_attention_is_switched_in_one_model_and_in_no_other(store: Path, tmp_path: Path) -> None:
    before = _AttentionBackendRegistry._active_backend
    plain = speaking(store / "fast-wan", tmp_path)
    other = speaking(store / "fast-wan", tmp_path, attention="_native_math")
    assert other.switches.attention == 2 * len(other.pipe.transformer.blocks)  # to itself and to the words
    assert _AttentionBackendRegistry._active_backend == before
    backends = {
        each.processor._attention_backend
        for each in plain.pipe.transformer.modules()
        if hasattr(each, "processor")
    }
    assert backends == {None}
    request = tiny.request(plain.recipe, width=32, height=32, frames=5)
    made = other.frames(request, [], silent)
    assert np.abs(made.astype(int) - plain.frames(request, [], silent)).max() <= 1


def test_a_switch_without_effect_is_refused_by_name(
    parts: dict[str, str], store: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="The option attention changes nothing in the model fast; take"):
        moving(parts, tmp_path, attention="native")
    with pytest.raises(EngineError, match="The attention swift is not to be had here"):
        speaking(store / "fast-wan", tmp_path, attention="swift")
    with pytest.raises(EngineError, match="The attention flash is not to be had here"):
        speaking(store / "fast-wan", tmp_path, attention="flash")  # its package is not here
    with pytest.raises(EngineError, match="is code from a hub, which is not run"):
        speaking(store / "fast-wan", tmp_path, attention="flash_hub")
