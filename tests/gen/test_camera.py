"""The camera's moves, judged by their pixels: no border, no wobble, the right way, as the seed says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gen.job import Request, Task
from gen.models import camera
from gen.prompt import MOVES
from gen.recipe import Recipe

RECIPE = Recipe(name="camera", task=Task.IMAGE, family="camera", about="", long=768)
EVERY = [(), *((name,) for name in MOVES), ("pan up", "pan left"), ("pan down", "pan right")]


def request(**changes: Any) -> Request:
    plain: dict[str, Any] = {
        "recipe": "camera", "task": Task.IMAGE, "seed": 1, "width": 192, "height": 128, "frames": 24,
        "fps": 24,
    }  # fmt: skip
    return Request(**{**plain, **changes})


def clip(picture: np.ndarray, **changes: Any) -> np.ndarray:
    model = camera.Model(RECIPE, device="cpu", cache=Path())
    return model.frames(request(**changes), [picture], lambda done, total, frame: None)


def blobs(height: int = 400, width: int = 600) -> np.ndarray:
    """Soft blobs: much to track, nothing that aliases."""
    rough = np.random.default_rng(5).integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    return np.ascontiguousarray(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC))


def framed(height: int, width: int) -> np.ndarray:
    """Blue, within a red frame one pixel wide."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = 255
    picture[1:-1, 1:-1] = (0, 0, 255)
    return picture


def shifts(frames: np.ndarray) -> np.ndarray:
    """By how many pixels (x, y) the content moved from each frame to the next."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
    window = cv2.createHanningWindow(grey[0].shape[::-1], cv2.CV_32F)
    return np.array([cv2.phaseCorrelate(a, b, window)[0] for a, b in pairwise(grey)])


def corners(moves: tuple[str, ...], shape: tuple[int, int], count: int = 25, **changes: Any) -> np.ndarray:
    """Where in the picture each frame's four corners lie: frames × 4 × (x, y)."""
    asked = request(camera=moves, frames=count, **changes)
    size = (asked.width, asked.height)
    move = camera.plan(asked.camera, asked.motion, asked.seed, shape, size)
    maps = [camera.affine(move.at(share), shape, size) for share in camera.shares(count, loop=asked.loop)]
    ends = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [*size, 1]], float)
    return np.array([ends @ each.T for each in maps])


@pytest.mark.parametrize("moves", EVERY, ids=lambda moves: "+".join(moves) or "none")
@pytest.mark.parametrize("shape", [(400, 600), (128, 192), (90, 120), (300, 1200), (1200, 300)])
@pytest.mark.parametrize("motion", [0.0, 1.0, 4.0])
def test_the_view_never_leaves_the_picture(
    moves: tuple[str, ...], shape: tuple[int, int], motion: float
) -> None:
    for seed in range(8 if not moves else 1):
        where = corners(moves, shape, motion=motion, seed=seed)
        assert where.min() >= camera.EDGE - 1e-6
        assert where[..., 0].max() <= shape[1] - camera.EDGE + 1e-6
        assert where[..., 1].max() <= shape[0] - camera.EDGE + 1e-6


@pytest.mark.parametrize("moves", EVERY, ids=lambda moves: "+".join(moves) or "none")
@pytest.mark.parametrize("shape", [(128, 192), (90, 120)])
def test_no_border_is_ever_in_view(moves: tuple[str, ...], shape: tuple[int, int]) -> None:
    for motion in (0.0, 1.0, 4.0):
        frames = clip(framed(*shape), camera=moves, motion=motion, frames=7)
        assert frames.shape == (7, 128, 192, 3)
        assert frames[..., 0].max() <= 8, (moves, motion)  # of 255


@pytest.mark.parametrize(
    ("move", "axis", "sign"),
    [("pan left", 0, 1), ("pan right", 0, -1), ("pan up", 1, 1), ("pan down", 1, -1)],
)
def test_a_pan_moves_the_content_the_other_way(move: str, axis: int, sign: int) -> None:
    moved = shifts(clip(blobs(), camera=(move,))).sum(axis=0)
    assert moved[axis] * sign > 10
    assert abs(moved[1 - axis]) < 0.5


def test_two_pans_go_askew() -> None:
    x, y = shifts(clip(blobs(), camera=("pan up", "pan left"))).sum(axis=0)
    assert x > 10
    assert y > 7


def grown(first: np.ndarray, last: np.ndarray) -> tuple[float, float]:
    """The factor and the clockwise angle in degrees that lead from the first frame to the last."""
    orb = cv2.AKAZE_create() if hasattr(cv2, "AKAZE_create") else cv2.SIFT_create()
    (one, here), (two, there) = (orb.detectAndCompute(each, None) for each in (first, last))
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING if here.dtype == np.uint8 else cv2.NORM_L2, crossCheck=True).match(
        here, there
    )
    matrix, _ = cv2.estimateAffinePartial2D(
        np.float32([one[pair.queryIdx].pt for pair in pairs]),
        np.float32([two[pair.trainIdx].pt for pair in pairs]),
    )
    return float(np.hypot(matrix[0, 0], matrix[1, 0])), float(
        np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    )


@pytest.mark.parametrize(
    ("move", "factor", "angle"),
    [
        ("zoom in", 1 + camera.ZOOM, 0.0), ("zoom out", 1 / (1 + camera.ZOOM), 0.0),
        ("rotate clockwise", 1.0, 4.5), ("rotate counterclockwise", 1.0, -4.5),
    ],
)  # fmt: skip
def test_zooms_and_turns_are_as_large_as_said(move: str, factor: float, angle: float) -> None:
    frames = clip(blobs(), camera=(move,), width=480, height=320, frames=12)
    found = grown(frames[0], frames[-1])
    assert found[0] == pytest.approx(factor, abs=0.02)
    assert found[1] == pytest.approx(angle, abs=0.4)


def tracked(frames: np.ndarray) -> np.ndarray:
    """By how many pixels (x, y) each frame's content has moved since the first, to a hundredth."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
    warp = np.eye(2, 3, dtype=np.float32)
    found = []
    for each in grey:
        until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-6)
        _, warp = cv2.findTransformECC(grey[0], each, warp, cv2.MOTION_TRANSLATION, until)
        found.append(warp[:, 2].copy())
    return np.array(found)


@pytest.mark.parametrize("moves", [("pan left",), ("pan down", "pan right")])
def test_motion_is_smooth_to_parts_of_a_pixel(moves: tuple[str, ...]) -> None:
    where = tracked(clip(blobs(), camera=moves, frames=48))
    speed = np.diff(where, axis=0)
    away = np.abs(speed).max(axis=1)
    assert away[0] < 0.1
    assert away[-1] < 0.1  # it starts and ends at rest
    assert away.max() > 0.3
    jerk = np.abs(np.diff(speed, n=2, axis=0))
    assert jerk.max() < 0.04  # pixels: an eye sees judder from a tenth


def test_fine_detail_neither_shimmers_nor_breathes() -> None:
    fine = np.random.default_rng(2).integers(0, 2, (800, 1200, 1), dtype=np.uint8) * np.uint8(255)
    frames = clip(np.repeat(fine, 3, axis=2), camera=("pan left",), frames=24).astype(float)
    contrast = frames.std(axis=(1, 2, 3))
    assert contrast.max() < 40  # 127 in the picture: finer than the clip can show, so mostly grey
    assert np.ptp(contrast) / contrast.mean() < 0.12


def test_an_ordinary_picture_stays_sharp() -> None:
    picture = blobs(256, 384)
    for x in range(20, 340, 60):
        cv2.circle(picture, (x, 120), 25, (x % 255, 255 - x % 255, 40), -1, cv2.LINE_AA)
    found = clip(picture, motion=0.0, frames=1)[0]
    wanted = cv2.resize(picture, (192, 128), interpolation=cv2.INTER_AREA)
    error = np.mean((found.astype(float)[4:-4, 4:-4] - wanted[4:-4, 4:-4]) ** 2)
    assert 10 * np.log10(255**2 / error) > 29


def test_a_loop_returns() -> None:
    frames = clip(blobs(), camera=("zoom in",), loop=True, frames=24).astype(float)
    step = np.abs(frames[1] - frames[0]).mean()
    assert np.abs(frames[-1] - frames[0]).mean() <= step * 1.5
    assert np.abs(frames[12] - frames[0]).mean() > 5 * step


def test_the_seed_varies_the_drift_and_nothing_else() -> None:
    one, again, other = (clip(blobs(), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert np.abs(one[-1].astype(float) - other[-1]).mean() > 3
    named = [clip(blobs(), seed=seed, camera=("zoom in",), frames=3) for seed in (1, 2)]
    assert np.array_equal(*named)


def test_strength_0_is_a_still() -> None:
    frames = clip(blobs(), motion=0.0, frames=5)
    assert np.array_equal(frames[0], frames[-1])


def test_each_frame_is_a_step() -> None:
    steps: list[tuple[int, int]] = []
    model = camera.Model(RECIPE, device="cpu", cache=Path())
    model.frames(request(frames=5), [blobs()], lambda done, total, frame: steps.append((done, total)))
    assert steps == [(index, 5) for index in range(1, 6)]
