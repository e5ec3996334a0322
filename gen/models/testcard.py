"""A test card: the prompt's words float over slow colours drawn by the seed; tests use it as their engine."""

from __future__ import annotations

import colorsys
import math
import os
import random
import signal
import threading
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels
    from gen.recipe import Recipe

Field = NDArray[np.float32]
WORDS = 24  # drawn at most
BARS = (
    (235, 235, 235), (235, 235, 16), (16, 235, 235), (16, 235, 16),
    (235, 16, 235), (235, 16, 16), (16, 16, 235),
)  # fmt: skip


@dataclass(frozen=True)
class Word:
    """One word as a mask, where it rests, and how it floats."""

    mask: Field  # height × width, 0–1
    x: float
    y: float
    phase: float


class Model:
    """Needs no weights and no device. Its recipe's options make it misbehave, for the tests of all others:

    load_seconds, step_seconds: loading, and each frame, takes so long · hang_at, die_at, oom_at: the frame at
    which it stops answering, is killed, or runs out of memory · oom_times: how often the latter (every time)
    """

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self._options: Mapping[str, Any] = recipe.options
        self._ooms = 0
        time.sleep(float(self._options.get("load_seconds", 0)))

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3. The same request gives the same pixels."""
        size = (request.width, request.height)
        dice = random.Random(request.seed)
        ground = _Ground(size, dice)
        words = _words(request.prompt, size, dice)
        clip = np.empty((request.frames, request.height, request.width, 3), np.uint8)
        for index in range(request.frames):
            self._misbehave(index)
            turns = index / request.frames * (1.0 if request.loop else 0.8)
            canvas = ground.at(turns, request.motion)
            for word in words:
                _float(canvas, word, turns, request.motion)
            _clock(canvas, turns)
            clip[index] = canvas
            step(index + 1, request.frames, clip[index])
        return clip

    def _misbehave(self, index: int) -> None:
        options = self._options
        time.sleep(float(options.get("step_seconds", 0)))
        if options.get("hang_at") == index:
            threading.Event().wait()
        if options.get("die_at") == index:
            os.kill(os.getpid(), signal.SIGKILL)
        if options.get("oom_at") == index and self._ooms < options.get("oom_times", math.inf):
            self._ooms += 1
            raise MemoryError("asked for by the recipe's option oom_at")


class _Ground:
    """What lies behind the words: two colours that flow into each other, a circle, a row of colour bars."""

    def __init__(self, size: tuple[int, int], dice: random.Random) -> None:
        width, height = size
        self.unit = min(size) / 360
        hue, turn = dice.random(), dice.choice((0.11, -0.11, 0.42))
        self.low = _colour(hue, 0.75, 0.30)
        self.high = _colour(hue + turn, 0.60, 0.80)
        self.waves = [
            (dice.randint(1, 2) * dice.choice((1, -1)), dice.uniform(0, 2 * math.pi)) for _ in range(3)
        ]
        self.y, self.x = np.mgrid[:height, :width].astype(np.float32) / np.float32(max(size))
        self.lines = self._lines(size)
        self.bars = _bars(width, max(2, round(height * 0.045)))

    def at(self, turns: float, motion: float) -> Pixels:
        """The ground after so many turns (0–1) of its slow wheel: the same at 0 and at 1."""
        wheel = 2 * math.pi * turns
        (a, p), (b, q), (c, r) = self.waves
        sway = 0.35 + 0.15 * motion
        bend = 1.6 * np.sin(3.0 * self.y + p + sway * math.sin(a * wheel))
        mix = np.sin(5.0 * self.x + bend + q + b * wheel)
        mix += np.sin(4.0 * self.y - 2.0 * self.x + r + sway * math.cos(c * wheel))
        share = (0.5 + 0.25 * mix)[..., None].astype(np.float32)
        canvas = self.low + (self.high - self.low) * share
        canvas += (255 - canvas) * self.lines
        pixels: Pixels = canvas.astype(np.uint8)
        height = self.bars.shape[0]
        pixels[-height:] = np.roll(self.bars, round(turns * self.bars.shape[1]), axis=1)
        return pixels

    def _lines(self, size: tuple[int, int]) -> Field:
        """The card's circle and grid, faint."""
        width, height = size
        image = Image.new("L", (width * 2, height * 2))
        pen = ImageDraw.Draw(image)
        gap = min(size) / 3
        for index in range(-6, 7):
            x, y = width + index * gap, height + index * gap
            pen.line((x, 0, x, height * 2), 26, max(1, round(2 * self.unit)))
            pen.line((0, y, width * 2, y), 26, max(1, round(2 * self.unit)))
        reach = min(size) * 0.86
        ring = (width - reach, height - reach, width + reach, height + reach)
        pen.ellipse(ring, outline=70, width=max(2, round(6 * self.unit)))
        small = image.resize(size, Image.Resampling.BOX)
        return (np.asarray(small, np.float32) / np.float32(255))[..., None]


def _colour(hue: float, saturation: float, value: float) -> Field:
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), np.float32) * 255


def _bars(width: int, height: int) -> Pixels:
    column = np.arange(width) * len(BARS) // width
    row = np.array(BARS, np.uint8)[column] // 2 + 60
    return np.ascontiguousarray(np.broadcast_to(row, (height, width, 3)))


def _words(prompt: str, size: tuple[int, int], dice: random.Random) -> list[Word]:
    """The prompt's words in centred lines, as large as fits."""
    width, height = size
    texts = _drawable(prompt)
    for points in range(max(8, height // 4), 6, -2):
        font = ImageFont.load_default(points)
        lines = _lines(texts, font, width * 0.86)
        leading = points * 1.3
        fits = all(font.getlength(text) <= width * 0.86 for text in texts)
        if fits and len(lines) * leading <= height * 0.66:
            break
    words = []
    top = (height - len(lines) * leading) / 2 + leading / 2 - height * 0.02
    for row, line in enumerate(lines):
        x = (width - font.getlength(" ".join(line))) / 2
        for text in line:
            wide = font.getlength(text)
            words.append(Word(_mask(text, font), x + wide / 2, top + row * leading, dice.uniform(0, 6.28)))
            x += wide + font.getlength(" ")
    return words


def _lines(texts: Sequence[str], font: Any, width: float) -> list[list[str]]:
    lines: list[list[str]] = []
    for text in texts:
        if lines and font.getlength(" ".join([*lines[-1], text])) <= width:
            lines[-1].append(text)
        else:
            lines.append([text])
    return lines


def _drawable(prompt: str) -> list[str]:
    """The prompt's words in characters that the font has; an accent it lacks is left off its letter."""
    font = ImageFont.load_default(24)
    missing = bytes(font.getmask("\U0010fffe"))

    def has(sign: str) -> bool:
        return bytes(font.getmask(sign)) not in (missing, b"")

    def drawn(word: str) -> str:
        return "".join(
            sign if has(sign) else "".join(filter(has, unicodedata.normalize("NFKD", sign)))
            for sign in unicodedata.normalize("NFC", word)
        )

    words = [text for word in prompt.split() if (text := drawn(word)[:32])]
    return words if len(words) <= WORDS else [*words[:WORDS], "..."]


def _mask(text: str, font: Any) -> Field:
    """The text's ink with a margin of a third of a line, so that its shadow and its float stay inside."""
    left, _, right, _ = font.getbbox(text, anchor="mm")
    pad = max(4, round(font.size / 3))
    wide, high = math.ceil(max(-left, right)) + pad, math.ceil(font.size * 0.6) + pad
    image = Image.new("L", (2 * wide, 2 * high))
    ImageDraw.Draw(image).text((wide, high), text, fill=255, font=font, anchor="mm")
    return np.asarray(image, np.float32) / np.float32(255)


def _float(canvas: Pixels, word: Word, turns: float, motion: float) -> None:
    """Draws the word with a soft shadow, swaying on a small circle of its own, to parts of a pixel."""
    high, wide = word.mask.shape
    wheel = 2 * math.pi * turns + word.phase
    reach = high * 0.07 * motion
    x, y = word.x + 0.4 * reach * math.cos(wheel) - wide / 2, word.y + reach * math.sin(2 * wheel) - high / 2
    column, row = math.floor(x), math.floor(y)
    matrix = np.array([[1, 0, x - column], [0, 1, y - row]])
    ink: Field = cv2.warpAffine(word.mask, matrix, (wide + 1, high + 1))
    depth = max(1, round(high * 0.04))
    shade: Field = cv2.GaussianBlur(np.roll(ink, (depth, depth), (0, 1)), (0, 0), depth) * 0.6
    up, left = max(0, -row), max(0, -column)
    place = canvas[max(0, row) : max(0, row + high + 1), max(0, column) : max(0, column + wide + 1)]
    down, right = up + place.shape[0], left + place.shape[1]
    ink, shade = ink[up:down, left:right, None], shade[up:down, left:right, None]
    dark = place * (1 - shade)
    place[:] = (dark + (252 - dark) * ink).astype(np.uint8)


def _clock(canvas: Pixels, turns: float) -> None:
    """A small dial at the top right whose hand goes round once: time can be seen passing."""
    height, width = canvas.shape[:2]
    reach = min(height, width) * 0.055
    x, y = width - 2 * reach, 2 * reach
    fine = 16  # cv2 draws at sixteenths of a pixel when told so by shift
    centre = (round(x * fine), round(y * fine))
    thick = max(1, round(reach / 7))
    cv2.circle(canvas, centre, round(reach * fine), (235, 235, 235), thick, cv2.LINE_AA, shift=4)
    tip = (
        round((x + 0.75 * reach * math.sin(2 * math.pi * turns)) * fine),
        round((y - 0.75 * reach * math.cos(2 * math.pi * turns)) * fine),
    )
    cv2.line(canvas, centre, tip, (250, 250, 250), thick, cv2.LINE_AA, shift=4)
