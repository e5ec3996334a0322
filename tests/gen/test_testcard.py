"""The test card draws the prompt, by the seed, at any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.job import Request, Task
from gen.models import testcard
from gen.recipe import Recipe

RECIPE = Recipe(name="testcard", task=Task.TEXT, family="testcard", about="", sizes={"3:2": (96, 64)})


def clip(prompt: str = "a red star", **changes: Any) -> np.ndarray:
    plain: dict[str, Any] = {"seed": 1, "width": 192, "height": 128, "frames": 6, "fps": 6}
    request = Request(recipe="testcard", task=Task.TEXT, prompt=prompt, **{**plain, **changes})
    model = testcard.Model(RECIPE, device="cpu", cache=Path())
    return model.frames(request, [], lambda done, total, frame: None)


def ink(frames: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """Where words were drawn."""
    return np.abs(frames.astype(int) - blank).max(axis=-1) > 40


def test_words_and_seed_are_seen_and_nothing_else_changes() -> None:
    assert clip().shape == (6, 128, 192, 3)
    assert np.array_equal(clip(), clip())
    assert np.abs(clip().astype(int) - clip(seed=2)).mean() > 5
    drawn = ink(clip(), clip(""))
    assert drawn.mean() > 0.02
    assert not np.array_equal(drawn, ink(clip("a blue ring"), clip("")))


def test_words_move_and_the_strength_says_how_far() -> None:
    def travel(motion: float) -> float:
        frames = ink(clip("star", motion=motion, frames=8), clip("", motion=motion, frames=8))
        rows = [np.nonzero(each)[0].mean() for each in frames]
        return float(np.ptp(rows))

    assert travel(0.0) < 0.7
    assert travel(2.0) > travel(1.0) > 1.5


@pytest.mark.parametrize("size", [(16, 16), (640, 256), (90, 160)])
@pytest.mark.parametrize("prompt", ["", "x", "wordy " * 200, "w" * 1500, "日本 🦀 \u202e", "Crème brûlée"])
def test_any_prompt_fits_any_size(size: tuple[int, int], prompt: str) -> None:
    assert clip(prompt, width=size[0], height=size[1], frames=2).shape == (2, size[1], size[0], 3)


def test_what_the_font_lacks_is_left_out_and_accents_fall_off() -> None:
    assert testcard._drawable("Crème 日本 🦀 naïve") == ["Creme", "naive"]


def test_a_loop_returns() -> None:
    frames = clip(loop=True, frames=48, motion=2.0).astype(float)
    frames = frames[:, :110]  # the bars below run in whole pixels
    step = np.abs(frames[1] - frames[0]).mean()
    assert np.abs(frames[-1] - frames[0]).mean() < 1.5 * step
    assert np.abs(frames[24] - frames[0]).mean() > 2 * step
