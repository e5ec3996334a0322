"""Scenes drawn as clips: signed distances in torch, whole batches at once, on any device."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gen.shapes.scene import FRAMES, MARKS, RGB, SHAPES, SIDE, TONES, Scene, Thing

RADIUS = {1: {"small": 15.0, "medium": 22.0, "big": 30.0}, 2: {"small": 12.0, "medium": 17.0, "big": 21.0}}
"""Radius in pixels by the number of objects and the size."""
PERIOD = 32.0
"""Distance of stripes, and of dots, in pixels."""


@dataclass(frozen=True, slots=True)
class Path:
    """Where an object is: centre, radius and angle, each a list over FRAMES."""

    x: list[float]
    y: list[float]
    radius: list[float]
    angle: list[float]


def path(thing: Thing, place: int, of: int, rng: random.Random) -> Path:
    """The way of object `place` among `of` objects through the clip; `rng` shakes place and size a little."""
    shake = 7.0 if of == 1 else 2.5
    radius = RADIUS[of][thing.size or "medium"] * rng.uniform(0.93, 1.07)
    x = (64.0 if of == 1 else (33.0, 95.0)[place]) + rng.uniform(-shake, shake)
    y = 64.0 + rng.uniform(-shake, shake)
    room = 62.0 - radius
    far_x, far_y = (
        min(32.0, (room if of == 1 else 29.0 - radius) - (abs(x - 64.0) if of == 1 else 0.0)),
        min(32.0, room - abs(y - 64.0)),
    )
    motion = thing.motion or "still"
    xs, ys, rs, angles = [], [], [], []
    for frame in range(FRAMES):
        t = frame / (FRAMES - 1)
        turn = 2 * math.pi * frame / FRAMES
        dx, dy = _offset(motion, t, turn, far_x, far_y)
        grow = {"growing": 0.45 + 0.8 * t, "shrinking": 1.25 - 0.8 * t}.get(motion, 1.0)
        xs.append(x + dx)
        ys.append(y + dy)
        rs.append(radius * grow)
        angles.append(math.pi * t if motion == "spinning" else 0.0)
    return Path(xs, ys, rs, angles)


def _offset(motion: str, t: float, turn: float, far_x: float, far_y: float) -> tuple[float, float]:
    """How far the object is from its place: `t` runs from 0 to 1, `turn` once round."""
    along = 2 * t - 1
    small = min(far_x, far_y, 28.0)
    return {
        "left": (-far_x * along, 0.0),
        "right": (far_x * along, 0.0),
        "up": (0.0, -far_y * along),
        "down": (0.0, far_y * along),
        "diagonal": (small * along, small * along),
        "bouncing": (0.0, far_y * 0.9 * (1 - 2 * abs(math.sin(turn)))),
        "orbiting": (small * math.sin(turn), -small * math.cos(turn)),
    }.get(motion, (0.0, 0.0))


def lens(camera: str | None) -> list[tuple[float, float, float, float]]:
    """(zoom, angle, pan x, pan y) of each frame. The camera moves, so the picture moves the other way:
    in pan-left it goes right, in tilt-up down. In rolling-clockwise the picture turns clockwise."""
    views = []
    for frame in range(FRAMES):
        t = frame / (FRAMES - 1)
        along = 2 * t - 1
        zoom = 2.0 ** (along * 0.5 * {"zoom-in": 1, "zoom-out": -1}.get(camera or "", 0))
        angle = (
            math.radians(24)
            * along
            * {"rolling-clockwise": 1, "rolling-anticlockwise": -1}.get(camera or "", 0)
        )
        pan_x = 20.0 * along * {"pan-right": 1, "pan-left": -1}.get(camera or "", 0)
        pan_y = 20.0 * along * {"tilt-down": 1, "tilt-up": -1}.get(camera or "", 0)
        views.append((zoom, angle, pan_x, pan_y))
    return views


def draw(
    scenes: Sequence[Scene],
    rng: random.Random,
    frames: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Clips of complete scenes: (scenes, frames, 3, 128, 128), 0 to 1; `frames` picks some of sixteen."""
    return draw_parts(scenes, rng, frames, device)[0]


def draw_parts(
    scenes: Sequence[Scene],
    rng: random.Random,
    frames: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """Clips as `draw` makes them, and how much of each pixel is an object's, in one channel."""
    picked = list(range(FRAMES)) if frames is None else list(frames)
    shape = (len(scenes), len(picked))
    views = torch.tensor([[lens(scene.camera)[f] for f in picked] for scene in scenes], device=device)
    x, y, scale = _world(views.flatten(0, 1))
    shifts = torch.tensor([[rng.uniform(-4, 4), rng.uniform(-4, 4)] for _ in scenes], device=device)
    picture = _background(scenes, len(picked), x, y, scale, shifts.repeat_interleave(len(picked), 0))
    covers = torch.zeros_like(picture[:, :1])
    for place in range(2):
        rows = [i for i, scene in enumerate(scenes) if len(scene.things) > place]
        if not rows:
            continue
        things = [scenes[i].things[place] for i in rows]
        ways = [path(t, place, len(scenes[i].things), rng) for t, i in zip(things, rows, strict=True)]
        row = torch.tensor(rows, device=device)[:, None] * shape[1]
        at = (row + torch.arange(shape[1], device=device)).flatten()
        cover = _cover(things, ways, picked, x[at], y[at], scale[at])
        colour = _colours([RGB[thing.colour or "red"] for thing in things], len(picked), x.device)
        picture[at] += (colour - picture[at]) * cover
        covers[at] = torch.maximum(covers[at], cover)
    return picture.view(*shape, 3, SIDE, SIDE), covers.view(*shape, 1, SIDE, SIDE)


def _world(views: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where in the world each pixel of each view looks, and the view's scale: (n, side, side) twice,
    (n, 1, 1)."""
    zoom, angle, pan_x, pan_y = (views[:, i, None, None] for i in range(4))
    line = torch.arange(SIDE, device=views.device) + 0.5 - SIDE / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    cos, sin = torch.cos(angle), torch.sin(angle)
    world_x = (x * cos + y * sin) / zoom + pan_x + SIDE / 2
    world_y = (y * cos - x * sin) / zoom + pan_y + SIDE / 2
    return world_x, world_y, zoom


def _colours(table: Sequence[tuple[int, int, int]], repeat: int, device: torch.device) -> Tensor:
    return (torch.tensor(table, device=device) / 255.0).repeat_interleave(repeat, 0)[:, :, None, None]


def _background(
    scenes: Sequence[Scene], frames: int, x: Tensor, y: Tensor, scale: Tensor, shifts: Tensor
) -> Tensor:
    names = [scene.colour or "black" for scene in scenes]
    base = _colours([RGB[n] for n in names], frames, x.device)
    mark = _colours([MARKS[n] for n in names], frames, x.device)
    light = _colours([TONES[n][0] for n in names], frames, x.device)
    dark = _colours([TONES[n][1] for n in names], frames, x.device)
    picture = base.expand(-1, -1, SIDE, SIDE).clone()
    kinds = [scene.kind or "plain" for scene in scenes for _ in range(frames)]
    for kind in ("gradient", "stripes", "dots"):
        at = torch.tensor([i for i, k in enumerate(kinds) if k == kind], dtype=torch.long, device=x.device)
        if not len(at):
            continue
        if kind == "gradient":
            down = (y[at] / SIDE).clamp(0, 1)[:, None]
            picture[at] = light[at] + (dark[at] - light[at]) * down
            continue
        distance = (_stripes if kind == "stripes" else _dots)(x[at], y[at], shifts[at])
        cover = (0.5 - distance * scale[at]).clamp(0, 1)[:, None]
        picture[at] = base[at] + (mark[at] - base[at]) * cover
    return picture


def _stripes(x: Tensor, y: Tensor, shift: Tensor) -> Tensor:
    across = (x + y) * math.sqrt(0.5) + shift[:, :1, None] + PERIOD * 0.2
    return ((across % PERIOD) - PERIOD / 2).abs() - PERIOD * 0.2


def _dots(x: Tensor, y: Tensor, shift: Tensor) -> Tensor:
    dx = ((x + shift[:, :1, None]) % PERIOD) - PERIOD / 2
    dy = ((y + shift[:, 1:, None]) % PERIOD) - PERIOD / 2
    return torch.hypot(dx, dy) - 8.0


def _cover(
    things: Sequence[Thing],
    ways: Sequence[Path],
    frames: Sequence[int],
    x: Tensor,
    y: Tensor,
    scale: Tensor,
) -> Tensor:
    """How much of each pixel one object covers, a row for each of its frames: (rows, 1, side, side)."""
    spots = torch.tensor(
        [[(w.x[f], w.y[f], w.radius[f], w.angle[f]) for f in frames] for w in ways], device=x.device
    )
    centre_x, centre_y, radius, angle = (spots.flatten(0, 1)[:, i, None, None] for i in range(4))
    dx, dy = (x - centre_x) / radius, (y - centre_y) / radius
    cos, sin = torch.cos(angle), torch.sin(angle)
    u, v = dx * cos + dy * sin, dy * cos - dx * sin
    distance = torch.empty_like(u)
    shapes = [thing.shape for thing in things for _ in frames]
    for shape in sorted({shape or SHAPES[0] for shape in shapes}):
        at = torch.tensor([i for i, s in enumerate(shapes) if (s or SHAPES[0]) == shape], device=x.device)
        distance[at] = DISTANCES[shape](u[at], v[at])
    return (0.5 - distance * radius * scale).clamp(0, 1)[:, None]


def _polygon(corners: Sequence[tuple[float, float]]) -> Callable[[Tensor, Tensor], Tensor]:
    """Signed distance to a closed polygon, after Inigo Quilez's 2D distance functions."""

    def distance(u: Tensor, v: Tensor) -> Tensor:
        nearest = torch.full_like(u, 1e9)
        inside = torch.ones_like(u)
        for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
            ex, ey, wx, wy = bx - ax, by - ay, u - ax, v - ay
            along = ((wx * ex + wy * ey) / (ex * ex + ey * ey)).clamp(0, 1)
            nearest = torch.minimum(nearest, (wx - ex * along) ** 2 + (wy - ey * along) ** 2)
            crossed = ((ay <= v) & (by > v) & (ex * wy > ey * wx)) | (
                (ay > v) & (by <= v) & (ex * wy < ey * wx)
            )
            inside = torch.where(crossed, -inside, inside)
        return nearest.sqrt() * inside

    return distance


def _ngon(radii: Sequence[float]) -> list[tuple[float, float]]:
    turns = [2 * math.pi * i / len(radii) for i in range(len(radii))]
    return [(r * math.sin(a), -r * math.cos(a)) for r, a in zip(radii, turns, strict=True)]


def _heart(u: Tensor, v: Tensor) -> Tensor:
    """Two discs over a square on its corner, about its centre of mass; exact near the outline, where it
    matters."""
    u, v, side = u.abs(), v - HEART_RISE, 0.62
    disc = torch.hypot(u - side * math.sqrt(0.5), v + side * math.sqrt(0.5)) - side
    square = (u + v.abs()) * math.sqrt(0.5) - side
    return torch.minimum(disc, square)


HEART_RISE = 0.275


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "circle": lambda u, v: torch.hypot(u, v) - 0.95,
    "square": lambda u, v: torch.maximum(u.abs(), v.abs()) - 0.84,
    "triangle": _polygon(_ngon([1.2, 1.2, 1.2])),
    "star": _polygon(_ngon([1.15, 0.48] * 5)),
    "heart": _heart,
    "ring": lambda u, v: (torch.hypot(u, v) - 0.76).abs() - 0.26,
}
"""Signed distance of each shape of radius 1 about (0, 0), y down."""
