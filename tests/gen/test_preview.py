"""Pictures of a clip in the making cost a small share of it, by a counted clock, and never one too many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gen.preview import BOX, EVERY, SHARE, UNKNOWN, Previews

FRAME = np.full((90, 160, 3), 77, np.uint8)


class Clock:
    """Goes on only when something takes its time."""

    def __init__(self) -> None:
        self.now = 100.0

    def takes(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def previews(folder: Path, clock: Clock, costs: dict[str, float] | None = None, **more: bool) -> Previews:
    return Previews(
        folder, "a", "wan", {} if costs is None else costs, now=clock, settle=lambda: clock.takes(0.5), **more
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 9), st.floats(0, 0.5)), max_size=60), st.sampled_from([0.0, 0.01, 0.3])
)
def test_all_pictures_take_a_small_share_of_the_time(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, float]], known: float
) -> None:
    """The share is held up to the one picture that cost more than the last one let expect."""
    clock, folder = Clock(), tmp_path_factory.mktemp("previews")
    one = previews(folder, clock, {"wan": known} if known else None)
    dearest, shown, began, last = 0.0, [], clock.now, clock.now
    for work, cost in steps:
        clock.takes(work)

        def draw(cost: float = cost) -> np.ndarray:  # type: ignore[type-arg] # of bytes
            clock.takes(cost)
            shown.append(clock.now)
            return FRAME

        expected, before = one.costs.get("wan", UNKNOWN), clock.now
        due = before - last >= EVERY and one.cost + expected <= SHARE * (before - began)
        count = len(shown)
        one.offer(draw)
        assert (len(shown) > count) is due
        if due:
            last = clock.now
            dearest = max(dearest, cost - expected)
        assert one.cost <= SHARE * (clock.now - began) + dearest + 1e-9
    assert len(list(folder.iterdir())) == min(2, len(shown))


def test_a_dear_picture_is_followed_by_none_until_its_time_is_worked_off(tmp_path: Path) -> None:
    clock = Clock()
    one = previews(tmp_path, clock)
    drawn = []
    for _ in range(100):
        clock.takes(1.0)

        def draw() -> np.ndarray:  # type: ignore[type-arg] # of bytes
            drawn.append(round(clock.now - 100))
            clock.takes(0.9)
            return FRAME

        one.offer(draw)
    assert drawn == [4, 61, 91]  # a tenth of a second was expected; the next one must fit with the first
    again = previews(tmp_path, clock, one.costs)
    clock.takes(20)
    again.offer(lambda: FRAME)
    assert again.file is None  # 0.9 s are 3 % of half a minute


def test_a_picture_that_comes_too_early_is_shown_when_it_is_time(tmp_path: Path) -> None:
    clock = Clock()
    one = previews(tmp_path, clock, {"wan": 0.001})
    clock.takes(1)
    one.offer(FRAME)
    assert one.file is None
    clock.takes(EVERY)
    one.offer(None)
    assert one.file == "a-1.jpg"
    with Image.open(tmp_path / "a-1.jpg") as picture:
        assert picture.size == (160, 90)
    clock.takes(1)
    one.offer(np.zeros((800, 300, 3), np.uint8))
    clock.takes(1)
    one.offer(np.zeros((1000, 4000, 3), np.uint8))  # newer: the other is not shown any more
    clock.takes(1)
    one.offer(None)
    one.offer(None)
    assert one.file == "a-2.jpg"
    with Image.open(tmp_path / "a-2.jpg") as picture:
        assert picture.size == (BOX[0], BOX[0] // 4)
    clock.takes(9)
    one.offer(FRAME)
    assert {file.name for file in tmp_path.iterdir()} == {"a-2.jpg", "a-3.jpg"}  # one is perhaps being read


def test_what_cannot_be_shown_yet_costs_and_leaves_nothing(tmp_path: Path) -> None:
    clock = Clock()
    one = previews(tmp_path, clock)
    clock.takes(60)
    one.offer(lambda: None)
    assert (one.file, one.cost, list(tmp_path.iterdir())) == (None, 0, [])
    one.offer(FRAME)
    assert one.file == "a-1.jpg"


def test_a_full_disk_costs_the_pictures_and_not_the_clip(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "file").touch()
    one = previews(tmp_path / "file", clock)  # where no folder can be
    clock.takes(60)
    one.offer(FRAME)
    assert one.file is None


def test_a_clip_whose_frames_are_to_be_looked_at_first_shows_none(tmp_path: Path) -> None:
    clock = Clock()
    one = previews(tmp_path, clock, on=False)
    clock.takes(60)
    one.offer(FRAME)
    assert one.file is None
