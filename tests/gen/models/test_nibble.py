"""Text encoders of 4 bits: as the library's own loading makes them, of the size foretold, and a rung."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import tiny_video
import torch
from torch import Tensor
from transformers import BitsAndBytesConfig, T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

from gen.models import animatediff, device, nibble, wan
from gen.models.device import Machine

WORDS = torch.tensor([[3, 4, 5, 6, 7, 1]])
KINDS = [(UMT5EncoderModel, UMT5Config), (T5EncoderModel, T5Config)]


def encoder(kind: Any = UMT5EncoderModel, config: Any = UMT5Config) -> Any:
    """Two layers whose sides are blocks of weights that share a scale."""
    torch.manual_seed(0)
    sides = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    return kind(config(vocab_size=30, feed_forward_proj="gated-gelu", **sides)).eval()


@torch.no_grad()
def read(model: Any) -> Tensor:
    return model(WORDS).last_hidden_state


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_reads_as_the_librarys_own_loading_does(kind: Any, dtype: torch.dtype, tmp_path: Path) -> None:
    encoder(*kind).save_pretrained(tmp_path)
    ours = kind[0].from_pretrained(tmp_path, dtype=dtype).eval()
    wide, sides = read(ours), nibble.size(ours)
    assert nibble.narrow(ours, "cpu") == 2 * 6  # all but `wo`, which asks for its weights' type
    narrow = read(ours)
    assert 0.01 < (narrow - wide).abs().mean() / wide.abs().mean() < 0.4
    how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    theirs = kind[0].from_pretrained(tmp_path, dtype=dtype, quantization_config=how).eval()
    for layer in theirs.modules():
        layer.support_avx512bf16_for_cpu = False  # else some processors round in a way of their own
    assert torch.equal(narrow, read(theirs))
    scales = (each.quant_state.absmax for each in ours.parameters() if hasattr(each, "quant_state"))
    there = sum(each.numel() * each.element_size() for each in (*ours.parameters(), *scales))
    assert sides * device.GIB == there
    assert nibble.narrow(ours, "cpu") == 0  # it is already
    assert nibble.widen(ours) == 12
    assert torch.equal(narrow, read(ours))
    assert not hasattr(ours.encoder.block[0].layer[0].SelfAttention.q.weight, "quant_state")


def test_where_it_cannot_be_had(caplog: pytest.LogCaptureFixture) -> None:
    assert nibble.works("cpu")
    with caplog.at_level(logging.INFO):
        assert not nibble.works("cuda:99")
    assert "no 4-bit text encoders here: " in caplog.text


def speaking(store: Path, cache: Path) -> wan.Model:
    """A tiny Wan whose text encoder is its largest part, on a processor that passes for a small card."""
    folder = tiny_video.wan(store / "wan-reader")
    encoder().save_pretrained(folder / "text_encoder")
    tiny_video.wan_transformer(text_dim=64).save_pretrained(folder / "transformer")
    recipe = tiny.recipe("wan", family="wan", weights={"base": folder}, sizes={"1:1": [32, 32]})
    model = wan.Model(recipe, device="cpu", cache=cache)
    model.place.machine = Machine("cuda", "a card", 1, 1)
    return model


def test_a_clip_is_made_with_it_where_memory_runs_out(store: Path, tmp_path: Path) -> None:
    model = speaking(store, tmp_path)
    request = tiny.request(model.recipe, width=32, height=32, frames=5)
    wanted = model.frames(request, [], lambda *_: None)
    tries: list[str] = []
    clips: dict[str, Any] = {}

    def work() -> None:
        tries.append(rung := model.place.rung)
        model.prompts = type(model.prompts)(model._encode)  # nothing is kept from the rung before
        clips[rung] = model._frames(request, [], lambda *_: None)
        if rung != "small":
            raise torch.OutOfMemoryError("CUDA out of memory")

    model.place.run(work)
    assert tries == ["whole", "parts", "lean", "layers", "small"]
    assert np.array_equal(wanted, clips["whole"]) and np.array_equal(wanted, clips["parts"])
    rough = np.abs(clips["lean"].astype(int) - wanted)
    assert 0 < rough.mean() < 8
    assert (
        np.abs(clips["layers"].astype(int) - clips["lean"]).max() <= 1
    )  # it read as well as four bits let it
    (note,) = json.loads((tmp_path / "rungs.json").read_text()).values()
    assert note["rung"] == "small"


def test_it_is_no_rung_where_another_part_is_the_largest(store: Path, tmp_path: Path) -> None:
    base = tiny.stable_diffusion(store / "reader-base")
    tiny.motion().save_pretrained(store / "reader-motion")
    parts = {"base": str(base), "motion": str(store / "reader-motion")}
    recipe = tiny.recipe("moving", family="animatediff", weights=parts)
    place = animatediff.Model(recipe, device="cpu", cache=tmp_path).place
    assert not place.has("lean")
    assert speaking(store, tmp_path).place.has("lean")
