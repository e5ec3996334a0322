"""A picture of a few clips, frame beside frame: `python -m gen.shapes.strip docs/shapes.png` draws it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gen.shapes.reading import Frames
from gen.shapes.score import GUIDANCE, STEPS, WEIGHTS, maker, pipeline

PROMPTS = (
    "a red star moving left on blue stripes",
    "a yellow heart bouncing on a purple background",
    "a green square spinning on a white background",
    "a red circle moving up and a blue triangle growing on a yellow background",
)


def strip(clips: Sequence[Frames], frames: int = 8, side: int = 96) -> Frames:
    """One row a clip, `frames` of its frames from the first to the last: (rows * side, frames * side, 3)."""
    rows = []
    for clip in clips:
        picked = np.linspace(0, len(clip) - 1, frames).round().astype(int)
        rows.append(
            np.hstack([cv2.resize(clip[i], (side, side), interpolation=cv2.INTER_AREA) for i in picked])
        )
    return np.asarray(np.vstack(rows), np.uint8)


def main(file: Path, weights: Path = WEIGHTS) -> None:
    """Makes the clips with the full recipe and writes the picture."""
    make = maker(pipeline(weights, lightning=False), weights, STEPS, GUIDANCE)
    picture = strip([make(prompt, seed, None) for seed, prompt in enumerate(PROMPTS)])
    if not cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{file} could not be written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
