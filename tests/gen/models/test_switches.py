"""Switches are counted on tiny checkpoints: each changes what it says, and one that would not is refused."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import tiny
import tiny_video
import torch
import torch._dynamo.utils
import torch._inductor.config
from diffusers.models.attention_dispatch import _AttentionBackendRegistry

from gen.errors import EngineError
from gen.host import Host
from gen.models import animatediff, device, framepack, svd, switches, wan
from gen.recipe import Range

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
    before = switches.pieces().compiled
    with caplog.at_level(logging.INFO, "gen.models.switches"):
        made = fast.frames(request, [], silent)
        fast.frames(request, [], silent)
    count = switches.pieces().compiled - before
    assert count > 1
    (said,) = [one.message for one in caplog.records if "pieces were compiled" in one.message]
    assert said == f"fast: {count} pieces were compiled"
    assert np.abs(made.astype(int) - plain.frames(request, [], silent)).max() <= 1


async def test_at_the_start_code_is_compiled_before_anyone_asks(
    parts: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tiny.recipe("fast", family="animatediff", weights=parts, options={"compile": "eager"})
    recipe = replace(recipe, steps=Range(default=4, least=2, most=8), sizes={"1:1": (16, 16)}, clip_frames=4)
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    async with Host({"fast": recipe}, tmp_path, cache=tmp_path, environ=environ, device="cpu") as host:
        with caplog.at_level(logging.INFO, "gen.process"):
            await host.start("fast")
    assert re.search(r"fast: [1-9]\d* pieces were compiled", caplog.text)
    assert "model fast was tried ahead" in caplog.text


@pytest.fixture(scope="session")
def many(store: Path) -> dict[str, str]:
    """Blocks of four widths, each alone and in time, as Stable Diffusion 1.x has them."""
    widths = (16, 32, 48, 64)
    base = tiny.stable_diffusion(store / "many-base")
    torch.manual_seed(0)
    diffusers.UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=widths, cross_attention_dim=tiny.WIDTH,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        attention_head_dim=2, norm_num_groups=8,
    ).save_pretrained(base / "unet")  # fmt: skip
    tiny.motion(block_out_channels=widths).save_pretrained(store / "many-motion")
    return {"base": str(base), "motion": str(store / "many-motion")}


def test_no_block_of_many_falls_back(
    many: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch._dynamo.reset()
    fast = moving(many, tmp_path, compile="eager")
    request = tiny.request(fast.recipe)
    before = switches.pieces()
    with caplog.at_level(logging.INFO, "gen.models.switches"):
        for width in (16, 32):
            fast.frames(replace(request, width=width), [], silent)
    after = switches.pieces()
    assert after.compiled - before.compiled == after.met - before.met > 8  # torch's own bound
    assert "uncompiled" not in caplog.text
    said = [one.message for one in caplog.records if "pieces were compiled" in one.message]
    assert len(said) == 2  # once for each size
    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 8)
    fast.frames(replace(request, guidance=4.0), [], silent)
    fallen = ("gen.models.switches", logging.ERROR, "fast: 1 pieces run uncompiled")
    assert fallen in caplog.record_tuples


def test_compiled_code_is_found_at_the_next_start(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(switches.FOLDER, str(tmp_path / "elsewhere"))
    monkeypatch.delenv(switches.FOLDER)  # whoever set it
    monkeypatch.setattr(
        logging.getLogger("torch.__trace"), "disabled", True
    )  # pages of it, which pytest keeps
    for wanted in (0, 1):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        model = speaking(store / "kept-wan", tmp_path, compile=True)
        request = tiny.request(model.recipe, width=32, height=32, frames=5)
        model.frames(request, [], silent)
        hits = torch._dynamo.utils.counters["inductor"]
        assert (hits["fxgraph_cache_hit"], hits["fxgraph_cache_miss"]) == (wanted, 1 - wanted)
    assert list((tmp_path / switches.CODE).rglob("*.so"))


def test_without_a_compiler_the_recipe_is_named(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(switches.FOLDER, str(tmp_path / "none"))
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    torch._dynamo.reset()
    model = speaking(store / "kept-wan", tmp_path, compile=True)
    with pytest.raises(EngineError) as found:
        model.frames(tiny.request(model.recipe, width=32, height=32, frames=5), [], silent)
    said = tiny.refused(found)
    assert said.startswith("The model wan could not be compiled: InvalidCxxCompiler: No working C++ compiler")
    assert said.endswith("take the option compile out of its recipe.")


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


def test_blocks_of_framepack_are_compiled(store: Path, tmp_path: Path) -> None:
    """Its denoiser does not say which of its blocks repeat."""
    torch._dynamo.reset()
    place = tiny_video.framepack(store / "fast-framepack")
    weights = {name: place / name for name in ("base", "transformer", "eye")}
    recipe = tiny.recipe(
        "long", family="framepack", weights=weights, task="interp", options={"window": 3, "compile": "eager"}
    )
    model = framepack.Model(recipe, device="cpu", cache=tmp_path)
    kinds = sorted(type(each).__name__ for each in switches.compiled(model.pipe.transformer))
    assert kinds == ["HunyuanVideoSingleTransformerBlock", "HunyuanVideoTransformerBlock"]
    assert model.switches.compiled == 2
    before = switches.pieces()
    gray = np.full((32, 32, 3), 127, np.uint8)
    model.frames(tiny.request(recipe, width=32, height=32, frames=13, steps=1), [gray, gray], silent)
    after = switches.pieces()
    assert after.compiled - before.compiled == after.met - before.met >= 2
