"""The way between two pictures: dense optical flow both ways, how far it can be trusted, and frames along it.

The flow is OpenCV's DIS (Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search,
ECCV 2016). A frame is the mean that squared error asks for: of the flows' warps, each weighed by how
well its two ends agree, and of a plain dissolve where they do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gen.models import Pixels

Field = NDArray[np.float32]

LEAST = 24  # pixels of the short side below which there is no flow to speak of, only a dissolve
SEARCHES = (
    (5, 2, 0),
    (8, 3, 1),
)  # patch size, stride, finest scale: small patches for edges, large for noise
SIDES = (-1.0, 1.0, -1.0, 1.0)  # of half way, to which each flow sways
NOISE = 30.0  # squared levels: a difference between two ends that says nothing
SOFTNESS = 0.5  # how sharply the better flow is preferred
WINDOW = 2.0  # pixels of half size: the neighbourhood that judges a match (sigma)
SWAY = 0.08  # of the way: how unevenly things are expected to move
SWAY_MOST = 1.5  # pixels of it at most, so that a large motion leaves no ghost
BANDS = (1.0, 4.0)  # sigmas in pixels that split a picture into bands of detail
LIGHT = (28.0, 48.0)  # levels of another light: up to the first flows are believed, from the second never
STRAY = 0.35  # of a motion's length, plus 3 pixels: by so much may the two flows differ and be believed


@dataclass(frozen=True)
class Way:
    """What is known half way between two pictures. Maps are float32 and of half the pictures' size."""

    flows: tuple[Field, ...]  # height × width × 2 each: pixels of full size from first to last
    shares: tuple[Field, ...]  # of each flow; the rest belongs to the dissolve
    detail: tuple[Field, ...]  # of each band, finest first: the share of its detail that both ends show


def way(first: Pixels, last: Pixels) -> Way | None:
    """The way between two pictures of one size, or None where only a dissolve is left."""
    alike = _alike(first, last)
    if min(first.shape[:2]) < LEAST or alike == 0.0:
        return None
    flows = tuple(_flows(first, last))
    ends = [_ends(first, last, _full(flow, first), 0.5) for flow in flows]
    apart = np.stack([_apart(one, other) for one, other in [*ends, (first, last)]])
    trust = _trust(flows, apart) * np.float32(alike)
    shares = _shares(apart, trust)
    return Way(flows, shares, _detail(first, last, shares, ends, trust))


def frame(first: Pixels, last: Pixels, path: Way | None, moment: float) -> Pixels:
    """The picture at `moment`: 0 is the first, 1 the last, and both are given back as they came."""
    if moment <= 0.0 or moment >= 1.0:
        return (first if moment <= 0.0 else last).copy()
    mixed = cv2.addWeighted(first, 1.0 - moment, last, moment, 0.0, dtype=cv2.CV_32F)
    if path is None:
        return _levels(mixed)
    between = 4.0 * moment * (1.0 - moment)  # 0 at both ends, 1 half way
    total = np.zeros_like(mixed)
    rest = np.ones(first.shape[:2], np.float32)
    for flow, share, side in zip(path.flows, path.shares, SIDES, strict=True):
        here, weight = _at(flow, share, moment)
        here, weight = _full(here, first), _full(weight, first)
        one, other = _ends(first, last, here, moment, side * between)
        warped = cv2.addWeighted(one, 1.0 - moment, other, moment, 0.0, dtype=cv2.CV_32F)
        cv2.accumulate(cv2.multiply(warped, cv2.merge([weight] * 3)), total)
        rest -= weight
    cv2.accumulate(cv2.multiply(mixed, cv2.merge([rest] * 3)), total)
    return _levels(_sifted(total, path.detail, between))


def _flows(first: Pixels, last: Pixels) -> Iterator[Field]:
    """Flows from first to last as seen half way: each search's forward one and its backward one."""
    one, other = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (first, last))
    for size, stride, finest in SEARCHES:
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        search.setPatchSize(size)
        search.setPatchStride(stride)
        search.setFinestScale(finest)
        yield _half(_moved(search.calc(one, other, None), 0.5))
        yield _half(_moved(-search.calc(other, one, None), -0.5))


def _moved(flow: Field, share: float) -> Field:
    """The flow seen where its content is after `share` of its own length (a fixed point of the lookup)."""
    grid, moved = _grid(*flow.shape[:2]), flow
    for _ in range(4):
        moved = cv2.remap(flow, grid - share * moved, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


def _at(flow: Field, share: Field, moment: float) -> tuple[Field, Field]:
    """Flow and share, known half way, at another moment."""
    if abs(moment - 0.5) < 1e-6:
        return flow, share
    grid, moved = _grid(*flow.shape[:2]), flow
    reach = (moment - 0.5) / 2.0  # maps are of half size, flows are not
    for _ in range(2):
        where = grid - reach * moved
        moved = cv2.remap(flow, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved, cv2.remap(share, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _ends(
    first: Pixels, last: Pixels, flow: Field, moment: float, sway: float = 0.0
) -> tuple[Pixels, Pixels]:
    """Both pictures as they look at `moment`, or a little before or after it by `sway`."""
    grid = _grid(*flow.shape[:2])
    early = moment * flow
    if sway:
        length: Field = np.sqrt(_dot(flow, flow)) + np.float32(1e-3)
        early += flow * (sway * _sway(length) / length)[..., None]
    one = cv2.remap(first, grid - early, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    other = cv2.remap(last, grid + (flow - early), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return one, other


def _sway(length: Field) -> Field:
    """How many pixels before or after half way something may be that moves by `length` pixels in all."""
    swayed: Field = np.minimum(SWAY * length, SWAY_MOST)
    return swayed


def _shares(apart: Field, trust: Field) -> tuple[Field, ...]:
    """How much each flow is believed, 0–1 at each place; what is left to 1 is the dissolve's."""
    best = apart.min(axis=0)
    belief = np.exp(-SOFTNESS * (apart - best) / (best + NOISE))
    belief /= belief.sum(axis=0)
    return tuple(each * trust for each in belief[:-1])


def _apart(one: Pixels, other: Pixels) -> Field:
    """Squared difference in levels around each place, at half size."""
    gap = _half(one) - _half(other)
    return _soft(_dot(gap, gap) / 3.0, WINDOW)


def _trust(flows: tuple[Field, ...], apart: Field) -> Field:
    """0 where the two flows contradict each other and explain little: pictures with nothing in common."""
    best, still = apart.min(axis=0), apart[-1]
    gap, length = (np.sqrt(_dot(each, each)) for each in (flows[0] - flows[1], flows[0]))
    stray = _soft(np.minimum(gap / (3.0 + STRAY * length), 2.0), 12.0)
    left = _soft(best, 12.0) / (_soft(still, 12.0) + NOISE)
    doubt = np.clip(stray - 0.5, 0.0, 1.0) * np.clip((left - 0.2) / 0.3, 0.0, 1.0)
    trust: Field = np.clip(1.0 - 2.0 * doubt, 0.0, 1.0)
    return trust


def _detail(
    first: Pixels,
    last: Pixels,
    shares: tuple[Field, ...],
    ends: list[tuple[Pixels, Pixels]],
    trust: Field,
) -> tuple[Field, ...]:
    """For each band the share of the mean's detail to keep, by how far both ends show the same.

    Wiener's filter: of two views of one signal, each with noise of its own, that correlate by r, the mean
    is the signal's best estimate when it is multiplied by 2r / (1 + r). What only dissolves stays sharp.
    """
    rest = 1.0 - np.sum(shares, axis=0)
    sides = []
    for index, still in enumerate((first, last)):
        side = still * _full(rest, first)[..., None]
        for share, pair in zip(shares, ends, strict=True):
            side += pair[index] * _full(share, first)[..., None]
        sides.append(side)
    kept: list[Field] = []
    one, other = sides
    for sigma in BANDS:
        low = _soft(one, sigma), _soft(other, sigma)
        a, b = one - low[0], other - low[1]
        window = WINDOW * max(1.0, sigma)
        both = _soft(_half(_dot(a, b)), window)
        power = _soft(_half(_dot(a, a) + _dot(b, b)), window)
        alike = np.clip(2.0 * both / (power + 0.01), 0.0, 1.0)
        lost = trust * (1.0 - alike) / (1.0 + alike)
        kept.append((1.0 - lost).astype(np.float32, copy=False))
        one, other = low
    return tuple(kept)


def _sifted(mean: Field, detail: tuple[Field, ...], amount: float) -> Field:
    """The picture without the detail that its two ends do not share."""
    out = mean.copy()
    for sigma, kept in zip(BANDS, detail, strict=True):
        low = _soft(mean, sigma)
        lost = _full(amount * (1.0 - kept), mean)
        cv2.subtract(out, cv2.multiply(cv2.subtract(mean, low), cv2.merge([lost] * 3)), dst=out)
        mean = low
    return out


def _alike(first: Pixels, last: Pixels) -> float:
    """1 for two pictures under one light, 0 for day and night: there, a flow would match colours, not things.

    Light is told by each channel's levels in their order, wherever they are: motion leaves those alone.
    """
    one, other = (
        np.sort(
            cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32), 0
        )
        for picture in (first, last)
    )
    apart = float(np.abs(one - other).mean())
    return float(np.clip((LIGHT[1] - apart) / (LIGHT[1] - LIGHT[0]), 0.0, 1.0))


def _dot(one: Field, other: Field) -> Field:
    """Sum over the channels of the product, height × width."""
    total: Field = np.einsum("hwc,hwc->hw", one, other)
    return total


def _soft(values: Field, sigma: float) -> Field:
    if sigma >= 2.0 and min(values.shape[:2]) > 8 * sigma:  # so soft that half the size tells as much
        return _full(_soft(_half(values), sigma / 2.0), values)
    soft: Field = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return soft


def _half(values: Field | Pixels) -> Field:
    """At half size, in float32."""
    size = (max(1, values.shape[1] // 2), max(1, values.shape[0] // 2))
    half: Field = cv2.resize(values, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
    return half


def _full(values: Field, like: Pixels | Field) -> Field:
    """At the size of `like`."""
    full: Field = cv2.resize(values, (like.shape[1], like.shape[0]), interpolation=cv2.INTER_LINEAR)
    return full


def _levels(values: Field) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> Field:
    """height × width × 2: each place's own x and y."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    grid = np.dstack([x, y])
    grid.flags.writeable = False
    return grid
