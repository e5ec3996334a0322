"""A camera moves over one picture: zoom, pan, rotate, or a gentle push-in with a drift of its own."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels
    from gen.recipe import Recipe

ZOOM = 0.18  # of the picture's size, at strength 1
PAN = 0.12  # of the view's size, at strength 1
TURN = math.radians(4.5)  # at strength 1
RAMP = 0.3  # of the clip, in which the move gathers and loses speed
GRID = 2.0  # pixels of a print per clip pixel, at least
SOFT = 0.36  # clip pixels: the blur (sigma) that leaves a clip what it can show and no more
APART = 1.2  # between the steps of two prints
EDGE = 1.5  # pixels of the picture left unseen at each side, for what an interpolation reaches


@dataclass(frozen=True)
class View:
    """What the camera sees at one moment: shares of the room that the picture leaves it."""

    zoom: float  # 1 is all that fits
    across: float = 0.0  # −1 leftmost, 1 rightmost
    down: float = 0.0  # −1 topmost, 1 lowest
    turn: float = 0.0  # radians, clockwise


@dataclass(frozen=True)
class Move:
    """From one view to another."""

    first: View
    last: View

    def at(self, share: float) -> View:
        """The view after `share` (0–1) of the way; a zoom grows by equal factors in equal shares."""
        a, b = self.first, self.last
        return View(
            zoom=a.zoom * (b.zoom / a.zoom) ** share,
            across=a.across + (b.across - a.across) * share,
            down=a.down + (b.down - a.down) * share,
            turn=a.turn + (b.turn - a.turn) * share,
        )


class Model:
    """Needs no weights and no device."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self.recipe = recipe

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3. The picture fills every frame, whatever its aspect."""
        picture = pictures[0]
        shape = picture.shape[:2]
        size = (request.width, request.height)
        move = plan(request.camera, request.motion, request.seed, shape, size)
        views = [move.at(share) for share in shares(request.frames, loop=request.loop)]
        maps = [affine(view, shape, size) for view in views]
        steps = [math.sqrt(abs(float(np.linalg.det(each[:, :2])))) for each in maps]
        made = prints(picture, min(steps), max(steps))
        clip = np.empty((request.frames, request.height, request.width, 3), np.uint8)
        for index, matrix in enumerate(maps):
            clip[index] = draw(made, matrix, size)
            step(index + 1, request.frames, clip[index])
        return clip


def plan(
    names: Sequence[str], strength: float, seed: int, shape: tuple[int, int], size: tuple[int, int]
) -> Move:
    """The move of those names (`gen.prompt.MOVES`), or without names one that the seed draws.

    `shape` is the picture's height and width, `size` the clip's width and height.
    """
    if not names:
        return _drift(strength, random.Random(seed))
    kind = names[0].split()[0]
    if kind == "zoom":
        near, far = View(1.0 + ZOOM * strength), View(1.0)
        return Move(far, near) if names[0] == "zoom in" else Move(near, far)
    if kind == "rotate":
        turn = TURN * strength * (1 if names[0] == "rotate clockwise" else -1)
        zoom = cover(0.0, shape, size) / cover(turn, shape, size)
        return Move(View(zoom), View(zoom, turn=turn))
    across = ("pan right" in names) - ("pan left" in names)
    down = ("pan down" in names) - ("pan up" in names)
    zoom = _room(strength * PAN, bool(across), bool(down), shape, size)
    reach_x, reach_y = _reach(strength * PAN, zoom, shape, size)
    x, y = across * reach_x, down * reach_y
    return Move(View(zoom, -x, -y), View(zoom, x, y))


def shares(count: int, *, loop: bool) -> list[float]:
    """How far the move has gone at each frame, 0–1, starting and ending at rest.

    A loop goes there and back on a cosine, and the frame after its last would be its first.
    """
    if loop:
        return [(1 - math.cos(2 * math.pi * index / count)) / 2 for index in range(count)]
    if count == 1:
        return [0.0]
    return [_eased(index / (count - 1)) for index in range(count)]


def cover(turn: float, shape: tuple[int, int], size: tuple[int, int]) -> float:
    """Picture pixels per clip pixel of the largest view, turned by `turn`, that shows no border."""
    height, width = shape[0] - 2 * EDGE, shape[1] - 2 * EDGE
    cosine, sine = abs(math.cos(turn)), abs(math.sin(turn))
    return min(
        width / (size[0] * cosine + size[1] * sine),
        height / (size[0] * sine + size[1] * cosine),
    )


def affine(view: View, shape: tuple[int, int], size: tuple[int, int]) -> Map:
    """2 × 3: where in the picture a point of the clip lies, both from their top left corners."""
    scale = min(cover(0.0, shape, size) / view.zoom, cover(view.turn, shape, size))
    cosine, sine = math.cos(view.turn), math.sin(view.turn)
    half_x = scale * (size[0] * abs(cosine) + size[1] * abs(sine)) / 2
    half_y = scale * (size[0] * abs(sine) + size[1] * abs(cosine)) / 2
    x = shape[1] / 2 + view.across * max(0.0, shape[1] / 2 - EDGE - half_x)
    y = shape[0] / 2 + view.down * max(0.0, shape[0] / 2 - EDGE - half_y)
    # The content turns clockwise when the view turns counterclockwise over it.
    linear = scale * np.array([[cosine, sine], [-sine, cosine]])
    corner = np.array([x, y]) - linear @ (np.array(size) / 2)
    return np.column_stack([linear, corner])


def _drift(strength: float, dice: random.Random) -> Move:
    """A push-in towards somewhere off the centre, with a breath of rotation."""
    start = 1.0 + 0.03 * min(strength, 1.0)
    zoom = start * (1.0 + strength * dice.uniform(0.08, 0.15))
    angle, reach = dice.uniform(0, 2 * math.pi), dice.uniform(0.5, 0.9)
    x, y = reach * math.cos(angle), reach * math.sin(angle)
    turn = math.radians(dice.uniform(-1.0, 1.0)) * min(strength, 2.0)
    if strength == 0:
        return Move(View(1.0), View(1.0))
    return Move(View(start, -0.3 * x, -0.3 * y), View(zoom, x, y, turn))


def _room(travel: float, across: bool, down: bool, shape: tuple[int, int], size: tuple[int, int]) -> float:
    """The zoom that leaves room for a pan by `travel` of the view's size on the axes it moves along."""
    largest = cover(0.0, shape, size)
    wide = (shape[1] - 2 * EDGE) / (size[0] * (1 + travel * across))
    high = (shape[0] - 2 * EDGE) / (size[1] * (1 + travel * down))
    return largest / min(largest, wide, high)


def _reach(travel: float, zoom: float, shape: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
    """The share of the room on each axis that a pan by `travel` of the view's size takes."""
    scale = cover(0.0, shape, size) / zoom
    rooms = (
        (shape[1] - 2 * EDGE) - scale * size[0],
        (shape[0] - 2 * EDGE) - scale * size[1],
    )
    wanted = (travel * scale * size[0], travel * scale * size[1])
    x, y = (min(1.0, want / room) if room > 1e-9 else 0.0 for want, room in zip(wanted, rooms, strict=True))
    return x, y


def _eased(moment: float) -> float:
    """0–1 over 0–1: speed rises and falls by smoothstep within `RAMP` at the ends, and is even between."""
    if moment > 0.5:
        return 1.0 - _eased(1.0 - moment)
    ramp = min(moment / RAMP, 1.0)
    gone = RAMP * (ramp**3 - ramp**4 / 2) + max(0.0, moment - RAMP)
    return gone / (1.0 - RAMP)


@dataclass(frozen=True)
class Print:
    """The picture, filtered for views that take `step` of its own pixels per clip pixel."""

    pixels: Pixels
    scale: float  # its pixels per pixel of the picture
    step: float


def prints(picture: Pixels, finest: float, coarsest: float) -> list[Print]:
    """The picture for views between two steps (its pixels per clip pixel), finest first.

    Each holds no detail finer than a clip of its step can show, at `GRID` pixels per clip pixel: drawn
    from it bilinearly, detail neither shimmers nor breathes when it moves by parts of a pixel.
    """
    scale = GRID / finest
    if scale < 0.9 or scale > 1.1:
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        kernel = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        source, scale = cv2.resize(picture, size, interpolation=kernel), size[0] / picture.shape[1]
    else:
        source, scale = picture, 1.0
    count = 1 + math.ceil(math.log(coarsest / finest) / math.log(APART) - 1e-6)
    steps = [finest * (coarsest / finest) ** (index / max(1, count - 1)) for index in range(count)]
    return [Print(_soft(source, scale, step), scale, step) for step in steps]


def _soft(source: Pixels, scale: float, step: float) -> Pixels:
    """Without what a clip of that step cannot show. A picture coarser than the clip has nothing to lose."""
    if step <= 1.0:
        return source
    blur = SOFT * math.sqrt(step**2 - 1) * scale
    return source if blur < 0.2 else cv2.GaussianBlur(source, (0, 0), blur, borderType=cv2.BORDER_REFLECT_101)


def draw(made: Sequence[Print], matrix: Map, size: tuple[int, int]) -> Pixels:
    """One frame by `matrix`, from the two prints its step lies between."""
    step = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    above = next((index for index, each in enumerate(made) if each.step >= step * (1 - 1e-9)), len(made) - 1)
    if above == 0:
        return _warp(made[0], matrix, size)
    finer, coarser = made[above - 1], made[above]
    share = math.log(step / finer.step) / math.log(coarser.step / finer.step)
    mixed: Pixels = cv2.addWeighted(
        _warp(finer, matrix, size), 1 - share, _warp(coarser, matrix, size), share, 0.0
    )
    return mixed


def _warp(made: Print, matrix: Map, size: tuple[int, int]) -> Pixels:
    fine = matrix * made.scale
    fine[:, 2] += fine[:, :2] @ (0.5, 0.5) - 0.5  # a pixel's point is its centre, not its corner
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn: Pixels = cv2.warpAffine(made.pixels, fine, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return drawn
