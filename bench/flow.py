"""`python -m bench.flow [--video FILE ...]`: what the flow gains over a dissolve, beside a plain DIS blend.

Of frames 2, 4 and 8 apart the middle one is made and compared with the real one. Without files the clips
are drawn by code; the numbers of real video are the ones that count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from bench.clips import CLIPS
from gen.models.flow import between

Pixels = NDArray[np.uint8]
GAPS = (2, 4, 8)
PER_GAP = 4  # triplets of a clip, evenly spread
CUT = 25.0  # levels of mean difference between neighbours: another scene
STILL = 44.0  # dB: the dissolve is as good as the picture itself, nothing moves


def main() -> None:
    """Prints one row per clip and gap, and the means."""
    parser = argparse.ArgumentParser(prog="python -m bench.flow")
    parser.add_argument("--video", type=Path, nargs="*", default=[], help="files to measure on")
    parser.add_argument("--side", type=int, default=640, help="long side they are reduced to, in pixels")
    options = parser.parse_args()
    files = {path.stem: decoded(path, options.side) for path in options.video}
    clips = files or {name: draw() for name, draw in CLIPS.items()}
    print("PSNR of the middle frame: dB, and dB over a dissolve")
    print("clip                 gap  dissolve    plain      ours   s/pair")
    found: dict[int, list[tuple[float, float]]] = {gap: [] for gap in GAPS}
    for name, frames in clips.items():
        for gap in GAPS:
            each = [measured(*triplet) for triplet in triplets(frames, gap)]
            if not each:
                continue
            base, plain, ours, took = np.mean(each, axis=0)
            found[gap] += [(row[1] - row[0], row[2] - row[0]) for row in each]
            gains = f"{plain - base:+8.2f}  {ours - base:+8.2f} {took:8.2f}"
            print(f"{name[:20]:<20} {gap:3}  {base:8.2f} {gains}")
    rows = {str(gap): pairs for gap, pairs in found.items()} | {"all": list(chain(*found.values()))}
    for label, pairs in rows.items():
        if pairs:
            plain, ours = np.mean(pairs, axis=0)
            print(f"{'mean':<18} {label:>5}  {len(pairs):5} of it {plain:+5.2f}  {ours:+8.2f}")


def measured(first: Pixels, middle: Pixels, last: Pixels) -> tuple[float, float, float, float]:
    """PSNR of dissolve, plain blend and ours in dB, and seconds that ours took."""
    began = time.perf_counter()
    (ours,) = between(first, last, [0.5])
    took = time.perf_counter() - began
    base = psnr(dissolve(first, last), middle)
    return base, psnr(plain(first, last), middle), psnr(ours, middle), took


def triplets(frames: Pixels, gap: int) -> Iterator[tuple[Pixels, Pixels, Pixels]]:
    """First, middle and last of places evenly spread over the clip, without cuts and stills."""
    starts = [at for at in range(len(frames) - gap) if usable(frames[at : at + gap + 1])]
    for place in np.linspace(0, len(starts) - 1, min(PER_GAP, len(starts))).round().astype(int):
        at = starts[place]
        yield frames[at], frames[at + gap // 2], frames[at + gap]


def usable(frames: Pixels) -> bool:
    """Whether it is one scene in which something moves."""
    steps = [float(cv2.absdiff(a, b).mean()) for a, b in pairwise(frames)]
    if max(steps) > CUT or max(steps) > 6 * float(np.median(steps)) + 2:
        return False
    return psnr(dissolve(frames[0], frames[-1]), frames[len(frames) // 2]) < STILL


def dissolve(first: Pixels, last: Pixels) -> Pixels:
    """The mean of both."""
    return rounded((first.astype(np.float32) + last) / 2)


def plain(first: Pixels, last: Pixels) -> Pixels:
    """Both warped half way by OpenCV's DIS at its medium preset, and their mean."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (first, last)]
    height, width = grey[0].shape
    grid = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    total = np.zeros(first.shape, np.float32)
    for picture, one, other in ((first, *grey), (last, *grey[::-1])):
        where = grid - 0.5 * search.calc(one, other, None)
        total += cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return rounded(total / 2)


def psnr(made: Pixels, real: Pixels) -> float:
    """dB over all three channels."""
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((made.astype(np.float32) - real) ** 2))))


def rounded(values: NDArray[Any]) -> Pixels:
    """As 8-bit levels."""
    levels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def decoded(path: Path, side: int, most: int = 400) -> Pixels:
    """Up to `most` frames of a video file, its long side reduced to `side`."""
    kept = []
    with av.open(str(path)) as container:
        for index, image in enumerate(container.decode(video=0)):
            if index == most:
                break
            scale = min(1.0, side / max(image.width, image.height))
            size = (int(image.width * scale) // 2 * 2, int(image.height * scale) // 2 * 2)
            kept.append(cv2.resize(image.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA))
    return np.stack(kept)


if __name__ == "__main__":
    main()
