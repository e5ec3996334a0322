"""Clips drawn by code, for measuring interpolation: textured layers that move as things in videos do."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Field = NDArray[np.float32]
Pose = tuple[float, float, float, float]  # x and y in pixels, zoom, turn in radians


def texture(height: int, width: int, seed: int) -> Field:
    """Colours with detail at every size, falling off as in photographs, with hard edges between patches."""
    dice = np.random.default_rng(seed)
    tint = dice.uniform(60, 190, 3).astype(np.float32)
    picture = np.zeros((height, width, 3), np.float32) + tint
    for cell in (128, 64, 32, 16, 8, 4, 2):
        coarse = dice.normal(0, 1, (height // cell + 3, width // cell + 3, 3)).astype(np.float32)
        coarse = 0.7 * coarse[..., :1] + 0.3 * coarse
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 4.0 * cell**0.45
    for _ in range(max(6, height * width // 12000)):
        corner = dice.uniform((0, 0), (width, height))
        points = (corner + dice.uniform(-45, 45, (4, 2))).astype(np.int32)
        shade = (dice.normal(0, 45, 3) + picture[int(corner[1]) % height, int(corner[0]) % width]).tolist()
        cv2.fillConvexPoly(picture, cv2.convexHull(points), shade, cv2.LINE_AA)
    soft: Field = cv2.GaussianBlur(picture, (0, 0), 0.7)
    return soft


def blob(size: int, seed: int) -> Field:
    """size × size × 1, 0–1: the outline of some thing."""
    dice = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * math.pi, 90, endpoint=False)
    waves = sum(dice.uniform(-0.12, 0.12) * np.cos(k * angles + dice.uniform(0, 6)) for k in range(2, 7))
    radius = size * 0.34 * (1 + waves)
    points = size / 2 + np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)
    mask = np.zeros((size, size), np.float32)
    cv2.fillPoly(mask, [points.astype(np.int32)], 1.0, cv2.LINE_AA)
    soft: Field = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None]
    return soft


def placed(layer: Field, pose: Pose, size: tuple[int, int]) -> Field:
    """The layer with its middle at the pose's place in a picture of size (width, height)."""
    x, y, zoom, turn = pose
    cosine, sine = zoom * math.cos(turn), zoom * math.sin(turn)
    middle_x, middle_y = layer.shape[1] / 2, layer.shape[0] / 2
    matrix = np.array([
        [cosine, -sine, x - cosine * middle_x + sine * middle_y],
        [sine, cosine, y - sine * middle_x - cosine * middle_y],
    ])  # fmt: skip
    drawn: Field = cv2.warpAffine(layer, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    return drawn if drawn.ndim == 3 else drawn[..., None]


class Scene:
    """A ground and things over it, each with its own course (a pose for each moment, in frames)."""

    def __init__(self, seed: int, size: tuple[int, int] = (320, 192), things: int = 2) -> None:
        self.size = size
        self.ground = texture(size[1] * 2, size[0] * 2, seed)
        self.things = [
            (texture(90, 90, seed + 10 + index), blob(90, seed + 20 + index)) for index in range(things)
        ]

    def at(self, ground: Pose, *things: Pose) -> Field:
        """One picture."""
        picture = placed(self.ground, ground, self.size)
        for (skin, mask), pose in zip(self.things, things, strict=False):
            cover = np.clip(placed(mask, pose, self.size), 0, 1)
            picture = picture * (1 - cover) + placed(skin, pose, self.size) * cover
        return picture


def clip(shot: Callable[[float], Field], frames: int = 17, shutter: int = 1, noise: float = 1.0) -> Pixels:
    """frames × height × width × 3; `shutter` moments of half a frame make each, `noise` levels lie on it."""
    dice = np.random.default_rng(7)
    made = []
    for index in range(frames):
        picture = np.mean([shot(index + 0.5 * part / shutter) for part in range(shutter)], axis=0)
        picture = picture + dice.normal(0, noise, picture.shape)
        made.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return np.stack(made)


def pan() -> Pixels:
    """The camera pans, near things pass faster than the ground (parallax)."""
    scene = Scene(1)
    return clip(
        lambda t: scene.at((200 - 3 * t, 96, 1, 0), (260 - 6 * t, 70, 1, 0), (120 - 5 * t, 140, 1, 0))
    )


def things() -> Pixels:
    """The camera stands, two things cross its view and cover ground and each other."""
    scene = Scene(2)
    return clip(lambda t: scene.at(
        (160, 96, 1, 0), (60 + 7 * t, 80 + 2 * t, 1, 0.02 * t), (250 - 5 * t, 110, 1, -0.03 * t)
    ))  # fmt: skip


def zoom() -> Pixels:
    """The camera moves in and turns."""
    scene = Scene(3, things=0)
    return clip(lambda t: scene.at((160, 96, 1.02**t, 0.012 * t)))


def swing() -> Pixels:
    """Things swing: their speed changes all the time, and the shutter blurs them."""
    scene = Scene(4)
    return clip(lambda t: scene.at(
        (160 + 4 * math.sin(t / 3), 96, 1, 0),
        (160 + 70 * math.sin(t / 5), 90, 1, 0.3 * math.sin(t / 5)),
        (80, 100 + 40 * math.cos(t / 4), 1, 0),
    ), shutter=4)  # fmt: skip


def ripple() -> Pixels:
    """The whole picture bends, as water or cloth does."""
    scene = Scene(5, things=0)
    still = scene.at((160, 96, 1, 0))
    x, y = np.meshgrid(np.arange(320, dtype=np.float32), np.arange(192, dtype=np.float32))

    def shot(t: float) -> Field:
        bent_x = x + 5 * np.sin(y / 23 + t / 4).astype(np.float32)
        bent_y = y + 4 * np.sin(x / 31 - t / 5).astype(np.float32)
        bent: Field = cv2.remap(still, bent_x, bent_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        return bent

    return clip(shot)


def dusk() -> Pixels:
    """The light goes while the camera pans, and the sensor is noisy."""
    scene = Scene(6)
    return clip(
        lambda t: (
            scene.at((150 + 2 * t, 96, 1, 0), (90 + 4 * t, 90, 1, 0), (230, 60 + 3 * t, 1, 0))
            * (1 - 0.025 * t)
        ),
        noise=5.0,
    )


CLIPS: dict[str, Callable[[], Pixels]] = {
    "pan": pan, "things": things, "zoom": zoom, "swing": swing, "ripple": ripple, "dusk": dusk,
}  # fmt: skip
