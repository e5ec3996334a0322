"""Frames read back by classical vision: which objects, which background, which motion, which camera.

Nothing here knows how clips are drawn or made: colours are compared with the palette, outlines with
templates drawn by OpenCV, and motion is followed from frame to frame.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen.shapes.scene import COLOURS, MARKS, RGB, SHAPES, SIDE, TONES

Frames = NDArray[np.uint8]
Mask = NDArray[np.uint8]
TINY = 45
"""Fewest pixels (of 128 x 128) that count as an object."""
MOVED = 8.0
"""Pixels that count as a motion."""
PATCH = 48


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as it looks through the clip."""

    shape: str
    colour: str
    motion: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a clip shows; the things are ordered from left to right."""

    things: tuple[Seen, ...]
    kind: str
    colour: str
    camera: str


def read(frames: Frames, camera: bool = False) -> Reading:
    """Reads a clip of (frames, height, width, 3) RGB bytes; the camera, which takes longest, only if
    asked for."""
    small = np.stack(
        [np.asarray(cv2.resize(f, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8) for f in frames]
    )
    labels = np.stack([_labels(f) for f in small])
    ground = int(np.bincount(labels.ravel(), minlength=len(COLOURS)).argmax())
    tracks = _tracks([_blobs(label, ground) for label in labels])
    things = tuple(Seen(_shape(track), _colour(track), _motion(track)) for track in tracks)
    kind = _kind(small, labels, ground)
    return Reading(things, kind, COLOURS[ground], _camera(small) if camera else "unread")


@functools.cache
def _palette() -> NDArray[np.uint8]:
    """The nearest colour's number for red, green and blue of 32 levels each."""
    points, owners = [], []
    for i, name in enumerate(COLOURS):
        light, dark = (np.array(tone, float) for tone in TONES[name])
        mixes = [light + (dark - light) * part for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
        for point in (np.array(RGB[name], float), np.array(MARKS[name], float), *mixes):
            points.append(point)
            owners.append(i)
    level = np.arange(32) * 8.0 + 4
    cube = np.stack(np.meshgrid(level, level, level, indexing="ij"), -1)
    apart = np.stack([((cube - point) ** 2).sum(-1) for point in points])
    return np.asarray(np.array(owners, np.uint8)[apart.argmin(0)], np.uint8)


def _labels(frame: Frames) -> NDArray[np.uint8]:
    """The nearest colour's number for every pixel."""
    levels = cv2.medianBlur(frame, 3) >> 3
    return np.asarray(_palette()[levels[..., 0], levels[..., 1], levels[..., 2]], np.uint8)


@dataclass(frozen=True, slots=True)
class Blob:
    """A connected patch of one colour in one frame."""

    mask: Mask
    colour: int
    x: float
    y: float
    area: int


def _blobs(labels: NDArray[np.uint8], ground: int) -> list[Blob]:
    """The objects of a frame: patches off the ground's colour, each with the colour of its inside."""
    off = (labels != ground).astype(np.uint8)
    off = np.asarray(cv2.morphologyEx(off, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    count, numbered, stats, centres = cv2.connectedComponentsWithStats(off)
    found = []
    for i in range(1, count):
        if stats[i, cv2.CC_STAT_AREA] < TINY:
            continue
        mask = (numbered == i).astype(np.uint8)
        inside = np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8)))
        picked = labels[inside > 0] if inside.sum() > 12 else labels[mask > 0]
        colour = int(np.bincount(picked, minlength=len(COLOURS)).argmax())
        found.append(Blob(mask, colour, float(centres[i][0]), float(centres[i][1]), int(stats[i, 4])))
    found.sort(key=lambda blob: -blob.area)
    return found[:2]


def _tracks(frames: list[list[Blob]]) -> list[list[Blob]]:
    """The same object through the frames: one track or two, as most frames have it."""
    counts = [len(blobs) for blobs in frames if blobs]
    if not counts:
        return []
    number = int(np.median(counts))
    full = [sorted(blobs[:number], key=lambda blob: blob.x) for blobs in frames if len(blobs) >= number]
    tracks = [[blob] for blob in full[0]]
    for blobs in full[1:]:
        if number == 2 and _apart(tracks, blobs[::-1]) < _apart(tracks, blobs):
            blobs = blobs[::-1]
        for track, blob in zip(tracks, blobs, strict=True):
            track.append(blob)
    return sorted(tracks, key=lambda track: float(np.mean([blob.x for blob in track])))


def _apart(tracks: list[list[Blob]], blobs: list[Blob]) -> float:
    return sum(
        math.hypot(t[-1].x - b.x, t[-1].y - b.y) + 30 * (t[-1].colour != b.colour)
        for t, b in zip(tracks, blobs, strict=True)
    )


def _colour(track: list[Blob]) -> str:
    return COLOURS[int(np.bincount([blob.colour for blob in track]).argmax())]


def _patch(mask: Mask) -> NDArray[np.float32]:
    """The mask moved to the middle of a PATCH x PATCH field and scaled to an area that all have."""
    moments = cv2.moments(mask, binaryImage=True)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    scale = math.sqrt(PATCH * PATCH * 0.22 / moments["m00"])
    half = (PATCH - 1) / 2
    move = np.array([[scale, 0, half - scale * x], [0, scale, half - scale * y]])
    soft = cv2.GaussianBlur(mask.astype(np.float32), (3, 3), 0.6)
    return np.asarray(cv2.warpAffine(soft, move, (PATCH, PATCH), flags=cv2.INTER_LINEAR) > 0.5, np.float32)


def _turned(patch: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    half = (PATCH - 1) / 2
    move = cv2.getRotationMatrix2D((half, half), -degrees, 1.0)  # OpenCV counts anticlockwise, we clockwise
    return np.asarray(cv2.warpAffine(patch, move, (PATCH, PATCH), flags=cv2.INTER_LINEAR), np.float32)


def _overlap(one: NDArray[np.float32], many: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one patch with each of many."""
    both = np.minimum(one, many).sum((-1, -2))
    return np.asarray(both / np.maximum(one, many).sum((-1, -2)), np.float32)


def _outlines() -> dict[str, Mask]:
    """A large picture of each shape, drawn with OpenCV."""
    out = {}
    for shape in SHAPES:
        field = np.zeros((200, 200), np.uint8)
        if shape in ("circle", "ring"):
            cv2.circle(field, (100, 100), 60, 1, -1)
            if shape == "ring":
                cv2.circle(field, (100, 100), 30, 0, -1)
        elif shape == "heart":
            cv2.circle(field, (78, 78), 31, 1, -1)
            cv2.circle(field, (122, 78), 31, 1, -1)
            cv2.fillPoly(field, [np.array([[56, 100], [100, 56], [144, 100], [100, 144]])], 1)
        else:
            corners = {"square": [60] * 4, "triangle": [70] * 3, "star": [70, 29] * 5}[shape]
            radii = np.array(corners, float)
            turns = np.arange(len(radii)) * 2 * math.pi / len(radii)
            points = np.stack([100 + radii * np.sin(turns), 100 - radii * np.cos(turns)], 1)
            cv2.fillPoly(field, [points.round().astype(np.int32)], 1)
        out[shape] = field
    return out


_TURNS = {"circle": 1, "ring": 1, "square": 9, "triangle": 12, "star": 8, "heart": 36}
"""Distinct turns of each template: its symmetry cut into steps of about 10 degrees."""
_FOLDS = {"circle": 1, "ring": 1, "square": 4, "triangle": 3, "star": 5, "heart": 1}


@functools.cache
def _templates() -> dict[str, NDArray[np.float32]]:
    """Patches of every shape in all its distinct turns."""
    out = {}
    for shape, field in _outlines().items():
        patch, count = _patch(field), _TURNS[shape]
        step = 360 / _FOLDS[shape] / count
        out[shape] = np.stack([_turned(patch, i * step) for i in range(count)])
    return out


def _shape(track: list[Blob]) -> str:
    """The template that fits best over the larger half of the frames."""
    large = sorted(track, key=lambda blob: -blob.area)[: max(1, (len(track) + 1) // 2)]
    totals = dict.fromkeys(SHAPES, 0.0)
    for blob in large:
        patch = _patch(blob.mask)
        for shape, templates in _templates().items():
            totals[shape] += float(_overlap(patch, templates).max())
    return max(totals, key=lambda shape: totals[shape])


def _motion(track: list[Blob]) -> str:
    """What the object does, from its centre, its area and its turning."""
    x, y = np.array([b.x for b in track]), np.array([b.y for b in track])
    area = np.array([b.area for b in track], float)
    if len(track) < 4:
        return "still"
    growth = area[-3:].mean() / area[:3].mean()
    if growth > 2 or growth < 0.5:
        return "growing" if growth > 1 else "shrinking"
    wide, tall = float(np.ptp(x)), float(np.ptp(y))
    if max(wide, tall) > MOVED:
        return _way(x, y, wide, tall)
    return "spinning" if abs(_turn(track)) > 5 else "still"


def _way(x: NDArray[np.float64], y: NDArray[np.float64], wide: float, tall: float) -> str:
    """The kind of a path that goes somewhere."""
    angles = np.unwrap(np.arctan2(y - y.mean(), x - x.mean()))
    if min(wide, tall) > MOVED and abs(angles[-1] - angles[0]) > math.radians(240):
        return "orbiting"
    walked = float(np.abs(np.diff(y)).sum())
    if tall > 2 * wide and walked > 1.7 * tall:
        return "bouncing"
    if min(wide, tall) > 0.5 * max(wide, tall):
        return "diagonal"
    if wide > tall:
        return "right" if x[-3:].mean() > x[:3].mean() else "left"
    return "down" if y[-3:].mean() > y[:3].mean() else "up"


def _turn(track: list[Blob]) -> float:
    """Degrees by which the outline turns from frame to frame, clockwise, in the middle of all pairs."""
    steps = np.arange(-24, 25, 3.0)
    turns = []
    patches = [_patch(blob.mask) for blob in track]
    for before, after in itertools.pairwise(patches):
        fits = _overlap(after, np.stack([_turned(before, step) for step in steps]))
        turns.append(float(steps[int(fits.argmax())]) if fits.max() - fits[len(steps) // 2] > 0.02 else 0.0)
    return float(np.median(turns))


def _kind(frames: Frames, labels: NDArray[np.uint8], ground: int) -> str:
    """Plain, gradient, stripes or dots, as most of five frames have it."""
    votes = [_kind_of(frames[i], labels[i] == ground) for i in np.linspace(0, len(frames) - 1, 5).astype(int)]
    return max(sorted(set(votes)), key=votes.count)


def _kind_of(frame: Frames, free: NDArray[np.bool_]) -> str:
    field = cv2.GaussianBlur(frame, (5, 5), 1.2).astype(np.float64)
    clear = cv2.erode(free.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    if clear.sum() < 500:
        clear = free
    values = field[clear] - field[clear].mean(0)
    if values.std(0).max() < 9:
        return "plain"
    y, x = np.nonzero(clear)
    plane = np.stack([x, y, np.ones_like(x)], 1).astype(float)
    left = values - plane @ np.linalg.lstsq(plane, values, rcond=None)[0]
    if (left**2).sum() < 0.35 * (values**2).sum():
        return "gradient"
    main = np.linalg.svd(np.cov(values.T))[0][:, 0]
    tone = field @ main
    gx, gy = cv2.Sobel(tone, cv2.CV_64F, 1, 0), cv2.Sobel(tone, cv2.CV_64F, 0, 1)
    xx, yy, xy = ((a * b)[clear].sum() for a, b in ((gx, gx), (gy, gy), (gx, gy)))
    return "stripes" if math.hypot(xx - yy, 2 * xy) > 0.5 * (xx + yy) else "dots"


def _camera(frames: Frames) -> str:
    """The move that the whole picture makes, or none; objects should stand still while it is read."""
    zoom, turn, across, along = 0.0, 0.0, 0.0, 0.0
    middle = np.array([(SIDE - 1) / 2, (SIDE - 1) / 2])
    for before, after in zip(frames[:-1:2], frames[2::2], strict=False):
        warp = _warp(before, after)
        if warp is None:
            continue
        zoom += math.log(max(1e-3, math.sqrt(abs(np.linalg.det(warp[:, :2])))))
        turn += math.degrees(math.atan2(warp[1, 0] - warp[0, 1], warp[0, 0] + warp[1, 1]))
        shift = warp[:, :2] @ middle + warp[:, 2] - middle
        across, along = across + shift[0], along + shift[1]
    sizes = {
        "zoom": abs(zoom) / math.log(1.3),
        "turn": abs(turn) / 15,
        "across": abs(across) / 12,
        "along": abs(along) / 12,
    }
    strongest = max(sizes, key=lambda name: sizes[name])
    if sizes[strongest] < 1:
        return "none"
    return {
        "zoom": "zoom-in" if zoom > 0 else "zoom-out",
        "turn": "rolling-clockwise" if turn > 0 else "rolling-anticlockwise",
        "across": "pan-left" if across > 0 else "pan-right",
        "along": "tilt-up" if along > 0 else "tilt-down",
    }[strongest]


def _warp(before: Frames, after: Frames) -> NDArray[np.float64] | None:
    """The affine map that carries one frame's content to where the other has it."""
    one, two = (cv2.GaussianBlur(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (7, 7), 2.0) for f in (before, after))
    if one.std() < 4:  # colours of one lightness
        one, two = (cv2.GaussianBlur(f[..., 2], (7, 7), 2.0) for f in (before, after))
    warp = np.eye(2, 3, dtype=np.float32)
    ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
    try:
        warp = cv2.findTransformECC(one, two, warp, cv2.MOTION_AFFINE, ends, None, 3)[1]
    except cv2.error:  # the frames have nothing in common, or nothing in them
        return None
    return np.asarray(warp, np.float64)
