"""The optical flow engine: its ends, its gain, its fall back, its sizes, its cancel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from bench.clips import CLIPS, texture
from bench.flow import dissolve, measured, psnr
from gen.models.flow import Model, between, fit, moments, smooth


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def picture(seed: int, height: int = 96, width: int = 128) -> np.ndarray:
    return np.clip(texture(height, width, seed), 0, 255).astype(np.uint8)


def request(**values: Any) -> Any:
    return SimpleNamespace(**{"width": 96, "height": 64, "frames": 5, "loop": False} | values)


def model() -> Model:
    return Model(SimpleNamespace(name="flow"), device="cpu", cache=Path())  # type: ignore[arg-type]  # unread


def nothing(done: int, total: int, preview: object) -> None:
    pass


def test_ends_are_the_given_pictures() -> None:
    first, last = picture(1), picture(2)
    made = list(between(first, last, [0.0, 0.3, 1.0]))
    assert (made[0] == first).all()
    assert (made[2] == last).all()
    assert made[1].shape == first.shape
    assert made[1].dtype == np.uint8


def test_given_pictures_are_left_as_they_were() -> None:
    first, last = picture(1), picture(2)
    before = first.copy(), last.copy()
    for made in between(first, last, [0.0, 0.5, 1.0]):
        made[:] = 0
    assert (first == before[0]).all()
    assert (last == before[1]).all()


def test_same_pictures_make_the_same_bytes() -> None:
    first, last = picture(3), np.roll(picture(3), 4, axis=1)
    runs = [b"".join(made.tobytes() for made in between(first, last, [0.25, 0.5])) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("name", "gap", "gain", "over"),
    [("pan", 4, 10.0, -1.5), ("things", 4, 5.0, 0.1), ("zoom", 8, 9.0, 1.0), ("swing", 2, 5.0, 0.1),
     ("ripple", 4, 5.0, 0.1), ("dusk", 2, 3.5, 0.2)],
)  # fmt: skip
def test_gain_over_a_dissolve_and_over_a_plain_blend(name: str, gap: int, gain: float, over: float) -> None:
    frames = CLIPS[name]()
    rows = [measured(frames[at], frames[at + gap // 2], frames[at + gap]) for at in (0, 16 - gap)]
    base, plain, ours, _ = np.mean(rows, axis=0)
    assert ours - base >= gain
    assert ours - plain >= over


def test_a_moving_thing_is_where_it_should_be_at_each_moment() -> None:
    ground, thing = picture(4, 128, 192), picture(5, 64, 64)

    def at(x: int) -> np.ndarray:
        made = ground.copy()
        made[32:96, x : x + 64] = thing
        return made

    for moment, made in zip((0.25, 0.5, 0.75), between(at(50), at(66), [0.25, 0.5, 0.75]), strict=True):
        real = at(round(50 + 16 * moment))
        assert psnr(made, real) > psnr(dissolve(at(50), at(66)), real) + 3.0


def test_unrelated_pictures_dissolve() -> None:
    first, last = picture(6, 192, 256), picture(7, 192, 256)[::-1].copy()
    (made,) = between(first, last, [0.5])
    assert psnr(made, dissolve(first, last)) > 27.0


def test_light_that_changes_alone_is_a_dissolve() -> None:
    first = picture(8)
    last = (first * 0.6).astype(np.uint8)
    (made,) = between(first, last, [0.5])
    assert psnr(made, (first * 0.8).astype(np.uint8)) > 34.0


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (24, 24), (25, 31), (26, 700), (600, 25), (9, 300)])
def test_sizes_of_every_kind(shape: tuple[int, int]) -> None:
    first = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    made = list(between(first, first[::-1].copy(), [0.0, 0.4, 1.0]))
    assert {each.shape for each in made} == {first.shape}


def test_flat_pictures() -> None:
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    (made,) = between(black, white, [0.5])
    assert abs(int(made.min()) - 128) <= 1
    assert abs(int(made.max()) - 128) <= 1


def test_sizes_that_differ_are_refused_by_the_core() -> None:
    with pytest.raises(ValueError, match="not of one size"):
        list(between(picture(1), picture(1, 64, 64), [0.5]))


@pytest.mark.parametrize("size", [(128, 96), (96, 128), (128, 128), (64, 20), (300, 300)])
def test_fit_keeps_the_middle(size: tuple[int, int]) -> None:
    marked = np.zeros((90, 150, 3), np.uint8)
    cv2.circle(marked, (75, 45), 6, (255, 255, 255), -1)
    fitted = fit(marked, *size)
    assert fitted.shape == (size[1], size[0], 3)
    rows, columns = np.nonzero(fitted[..., 0] > 127)
    assert abs(rows.mean() - (size[1] - 1) / 2) <= 2.5
    assert abs(columns.mean() - (size[0] - 1) / 2) <= 2.5
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2  # not stretched


def test_clip_runs_from_the_first_picture_to_the_last_and_says_so() -> None:
    told: list[tuple[int, int]] = []
    first, last = picture(1, 64, 96), picture(2, 200, 100)
    clip = model().frames(request(), [first, last], lambda done, total, _: told.append((done, total)))
    assert clip.shape == (5, 64, 96, 3)
    assert (clip[0] == first).all()
    assert (clip[-1] == fit(last, 96, 64)).all()
    assert told == [(index, 5) for index in range(1, 6)]


@pytest.mark.parametrize("count", [2, 3, 8, 9])
def test_loop_returns_without_a_frame_twice(count: int) -> None:
    times = moments(count, loop=True)
    assert len(times) == count
    assert times[0] == 0.0
    assert max(times) == 1.0
    assert times[-1] > 0.0
    assert all(a != b for a, b in zip(times, [*times[1:], times[0]], strict=True))


def test_loop_shows_both_pictures() -> None:
    first, last = picture(1, 64, 96), picture(2, 64, 96)
    clip = model().frames(request(frames=6, loop=True), [first, last], nothing)
    assert (clip[0] == first).all()
    assert (clip[3] == last).all()
    assert not (clip[5] == first).all()


def test_cancel_ends_it_at_once_and_leaves_the_model_fit() -> None:
    class Stop(BaseException):
        pass

    told: list[int] = []

    def step(done: int, total: int, preview: object) -> None:
        told.append(done)
        if done == 2:
            raise Stop

    ready, pictures = model(), [picture(1, 64, 96), picture(2, 64, 96)]
    with pytest.raises(Stop):
        ready.frames(request(), pictures, step)
    assert told == [1, 2]
    assert ready.frames(request(), pictures, nothing).shape == (5, 64, 96, 3)


def test_single_frame_is_the_first_picture() -> None:
    first = picture(1, 64, 96)
    assert (model().frames(request(frames=1), [first, picture(2)], nothing)[0] == first).all()


def test_smooth_keeps_the_given_frames_and_fills_between() -> None:
    clip = CLIPS["pan"]()[:5:2]
    told: list[tuple[int, int]] = []
    made = smooth(clip, 2, lambda done, total: told.append((done, total)))
    real = CLIPS["pan"]()[:5]
    assert made.shape == real.shape
    assert (made[::2] == clip).all()
    assert psnr(made[1], real[1]) > psnr(dissolve(clip[0], clip[1]), real[1]) + 8.0
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize(("count", "factor", "wanted"), [(1, 4, 1), (3, 1, 3), (3, 4, 9)])
def test_smooth_counts(count: int, factor: int, wanted: int) -> None:
    assert len(smooth(np.stack([picture(seed, 32, 48) for seed in range(count)]), factor)) == wanted


def test_day_and_night_dissolve() -> None:
    noon = np.random.default_rng(5).integers(120, 255, (96, 128, 3), np.uint8)
    noon = cv2.GaussianBlur(noon, (0, 0), 4)
    night = (noon // 5)[:, ::-1].copy()
    [middle] = between(noon, night, [0.5])
    assert np.abs(middle.astype(int) - (noon.astype(int) + night) / 2).max() <= 1
