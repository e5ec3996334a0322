"""Encoding: seconds and bytes of our MP4 beside Pillow's GIF of the same frames."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from bench.stage import Figures
from gen import encode
from gen.job import Task
from gen.models import Pixels
from gen.models.testcard import Model
from gen.prompt import Ask
from gen.recipe import Range, Recipe

CARD = Recipe(
    name="card", task=Task.TEXT, family="testcard", about="", sizes={"16:9": (640, 360)},
    seconds=Range(2, 1, 10), fps=Range(12, 8, 24),
)  # fmt: skip


async def rows(say: Callable[[str], None]) -> Figures:
    """One clip of 24 frames at 640 × 360."""
    with TemporaryDirectory() as folder:
        return await asyncio.to_thread(_rows, Path(folder), say)


def _rows(folder: Path, say: Callable[[str], None]) -> Figures:
    request = CARD.request(Ask(prompt="a red star over the sea"), [], 7)
    frames = Model(CARD, device="cpu", cache=folder).frames(request, [], lambda done, total, frame: None)
    began = time.process_time()
    film = encode.write(frames, request.fps, folder / "a.mp4", limit=10 * 2**20, about={})
    ours = time.process_time() - began
    began = time.process_time()
    size = _gif(frames, request.fps, folder / "a.gif")
    theirs = time.process_time() - began
    times, sizes = theirs / ours, size / film.size
    say(f"{ours:7.2f} s of the processor   (Pillow's GIF: {times:.1f} times the time, {sizes:.1f} the bytes)")
    return {
        "encode.cpu_s": round(ours, 3),
        "encode.bytes": film.size,
        "encode.gif_cpu_s": round(theirs, 3),
        "encode.gif_bytes": size,
    }


def _gif(frames: Pixels, fps: int, file: Path) -> int:
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(file, save_all=True, append_images=others, duration=1000 // fps, loop=0)
    return file.stat().st_size
