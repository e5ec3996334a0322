"""One picture turns into another along their optical flow; needs no weights and runs on any CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gen.models.warp import frame, way

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels
    from gen.recipe import Recipe


class Model:
    """Needs no weights and no device."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self.recipe = recipe

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3, from the first picture to the last, or there and back for a loop."""
        first, last = (fit(picture, request.width, request.height) for picture in pictures)
        clip = np.empty((request.frames, request.height, request.width, 3), np.uint8)
        path = between(first, last, moments(request.frames, loop=request.loop))
        for index, made in enumerate(path):
            clip[index] = made
            step(index + 1, request.frames, made)
        return clip


def between(first: Pixels, last: Pixels, times: Sequence[float]) -> Iterator[Pixels]:
    """The pictures at `times` (0 is the first, 1 the last: both exactly as given), one by one.

    Both are height × width × 3 and of one size. Raises ValueError where they are not.
    """
    if first.shape != last.shape:
        raise ValueError(f"{first.shape} and {last.shape} are not of one size")
    path = way(first, last)
    for moment in times:
        yield frame(first, last, path, moment)


def smooth(frames: Pixels, factor: int, step: Callable[[int, int], None] | None = None) -> Pixels:
    """The clip (frames × height × width × 3) with `factor` times as many frames, less those after the last.

    The given frames stay as they are. `step` hears how many pairs of how many are done.
    """
    if factor <= 1 or len(frames) < 2:
        return frames
    pairs = len(frames) - 1
    clip = np.empty((pairs * factor + 1, *frames.shape[1:]), np.uint8)
    times = [index / factor for index in range(factor)]
    for pair in range(pairs):
        made = between(frames[pair], frames[pair + 1], times)
        clip[pair * factor : (pair + 1) * factor] = np.stack(list(made))
        if step is not None:
            step(pair + 1, pairs)
    clip[-1] = frames[-1]
    return clip


def moments(count: int, *, loop: bool) -> list[float]:
    """When each frame is, 0–1. A loop reaches 1 half way, and the frame after its last would be its first."""
    if not loop:
        return [index / max(1, count - 1) for index in range(count)]
    there = max(1, count // 2)
    return [index / there if index <= there else (count - index) / (count - there) for index in range(count)]


def fit(picture: Pixels, width: int, height: int) -> Pixels:
    """The middle of the picture, as large as fills width × height."""
    high, wide = picture.shape[:2]
    if (wide, high) == (width, height):
        return picture
    scale = max(width / wide, height / high)
    across, down = min(wide, max(1, round(width / scale))), min(high, max(1, round(height / scale)))
    left, top = (wide - across) // 2, (high - down) // 2
    middle = np.ascontiguousarray(picture[top : top + down, left : left + across])
    kernel = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    fitted: Pixels = cv2.resize(middle, (width, height), interpolation=kernel)
    return fitted
