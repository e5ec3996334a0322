"""The options of commands take just what the flags of prompts do."""

from __future__ import annotations

from typing import Any

import pytest

from commands import options
from gen.errors import BadRequest
from gen.prompt import Ask


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("motion", options.Motion),
        ("fps", options.Fps),
        ("guidance", options.Guidance),
        ("seconds", options.Seconds),
        ("steps", options.Steps),
        ("seed", options.Seed),
    ],
)
def test_an_option_has_the_widest_range_of_its_flag(name: str, taken: Any) -> None:
    least, most = taken.min_value, taken.max_value
    step = 1 if isinstance(least, int) else 0.001
    for value in (least, most):
        assert getattr(Ask().over({name: value}), name) == value
    for value in (least - step, most + step):
        with pytest.raises(BadRequest):
            Ask().over({name: value})


def test_choices_are_what_the_flags_name() -> None:
    for move in options.CAMERA:
        assert Ask().over({"camera": move.value}).camera == (move.value,)
    for aspect in options.ASPECT:
        assert Ask().over({"aspect": aspect.value}).aspect == aspect.value
