"""The weights in the repository load the way the large ones do, and make the same clip twice."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gen.shapes.scene import CAMERAS
from gen.shapes.score import LIGHTNING, WEIGHTS, maker, pipeline
from gen.shapes.text import WIDTH

pytestmark = [
    pytest.mark.skipif(not (WEIGHTS / LIGHTNING).exists(), reason="no trained weights in weights/shapes"),
    # Raised inside diffusers, where numpy asks a tensor for an array.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
PROMPT = "a red star moving left on blue stripes"


def test_they_are_whole_small_and_safe() -> None:
    files = [file for file in WEIGHTS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 30 * 2**20
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".txt", ".md"}
    assert {folder.name for folder in (WEIGHTS / "lora").iterdir()} == set(CAMERAS)
    assert "Held out" in (WEIGHTS / "README.md").read_text("utf-8")


def test_the_folder_says_how_it_is_sampled() -> None:
    config = json.loads(Path(WEIGHTS / "base" / "scheduler" / "scheduler_config.json").read_text("utf-8"))
    assert (config["prediction_type"], config["timestep_spacing"]) == ("v_prediction", "trailing")
    assert config["rescale_betas_zero_snr"] is True


def test_the_same_seed_makes_the_same_bytes_and_another_does_not() -> None:
    make = maker(pipeline(WEIGHTS, lightning=True), WEIGHTS, 4, 1.0)
    one, two, other = make(PROMPT, 3, None), make(PROMPT, 3, None), make(PROMPT, 4, None)
    assert one.shape == (16, 128, 128, 3)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_camera_loras_change_the_clip_and_leave_no_trace() -> None:
    make = maker(pipeline(WEIGHTS, lightning=False), WEIGHTS, 2, 1.0)
    before, moved, after = make(PROMPT, 3, None), make(PROMPT, 3, "pan-left"), make(PROMPT, 3, None)
    assert not np.array_equal(before, moved)
    assert np.array_equal(before, after)


def test_a_prompt_of_unknown_words_and_a_long_one_do_not_break_it() -> None:
    pipe = pipeline(WEIGHTS, lightning=True)
    for prompt in ("", "zzyzx über 猫 🦊", "red star " * 60):
        states = pipe.encode_prompt(prompt, "cpu", 1, False)[0]
        assert states.shape == (1, pipe.tokenizer.model_max_length, WIDTH)
        assert torch.isfinite(states).all()
