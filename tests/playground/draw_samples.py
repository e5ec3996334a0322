"""Draws the page's sample pictures anew: `python tests/playground/draw_samples.py FOLDER`."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT, FINE = 768, 512, 2
Colour = tuple[int, int, int]
Picture = NDArray[np.float32]  # (height, width, 3), 0 to 255


def sky(*stops: tuple[float, Colour]) -> Picture:
    """A vertical run of colours, each at its height (0 top, 1 bottom)."""
    rows = np.linspace(0, 1, HEIGHT * FINE)
    places = [place for place, _ in stops]
    columns = [np.interp(rows, places, [colour[one] for _, colour in stops]) for one in range(3)]
    return np.repeat(np.stack(columns, axis=1)[:, None, :], WIDTH * FINE, axis=1).astype(np.float32)


def glow(picture: Picture, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
    """Adds light around a point; all lengths are shares of the height."""
    away = distance(picture, x, y)
    light = strength * np.exp(-((away / radius) ** 2))
    picture += (np.array(colour) - picture) * np.clip(light, 0, 1)[..., None]


def disc(picture: Picture, x: float, y: float, radius: float, colour: Colour) -> None:
    edge = np.clip((radius - distance(picture, x, y)) * HEIGHT * FINE / 1.5 + 0.5, 0, 1)[..., None]
    picture += (np.array(colour) - picture) * edge


def distance(picture: Picture, x: float, y: float) -> NDArray[np.float32]:
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    return np.hypot(columns / picture.shape[0] - x, rows / picture.shape[0] - y)


def ridge(seed: int, base: float, height: float, rough: float = 1.0) -> NDArray[np.float64]:
    """A hill's edge over the width, as heights (0 top, 1 bottom)."""
    chance = np.random.default_rng(seed)
    x = np.linspace(0, 1, WIDTH * FINE)
    waves = [(1.2, 1.0), (2.7, 0.45), (6.1, 0.16 * rough), (13.0, 0.06 * rough), (31.0, 0.02 * rough)]
    edge = sum(share * np.sin(2 * np.pi * (rate * x + chance.random())) for rate, share in waves)
    return np.asarray(base - height * edge / 1.4)


def hill(picture: Picture, edge: NDArray[np.float64], top: Colour, bottom: Colour) -> None:
    rows = np.arange(HEIGHT * FINE)[:, None] / (HEIGHT * FINE)
    inside = np.clip((rows - edge[None, :]) * HEIGHT * FINE + 0.5, 0, 1)[..., None]
    depth = np.clip((rows - edge[None, :]) / 0.35, 0, 1)[..., None]
    picture += (np.array(top) * (1 - depth) + np.array(bottom) * depth - picture) * inside


def firs(picture: Picture, edge: NDArray[np.float64], colour: Colour, seed: int) -> None:
    chance = np.random.default_rng(seed)
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for x in np.sort(chance.uniform(0, WIDTH * FINE - 1, 46)):
        if (x / (WIDTH * FINE) * 3.1 + 0.2) % 1 > 0.62:
            continue
        foot, tall = edge[int(x)] * HEIGHT * FINE + 6, chance.uniform(34, 84)
        for level in range(4):
            low, half = foot - tall * level * 0.22, tall * (0.21 - 0.042 * level)
            pen.polygon([(x - half, low), (x + half, low), (x, low - tall * 0.42)], fill=colour)
    picture[:] = np.asarray(image)


def hills(night: bool) -> Picture:
    if night:
        picture = sky((0, (9, 14, 38)), (0.45, (27, 40, 84)), (0.72, (62, 74, 122)), (1, (62, 74, 122)))
        stars(picture)
        glow(picture, 1.02, 0.2, 0.34, (150, 170, 220), 0.42)
        disc(picture, 1.02, 0.2, 0.052, (244, 240, 222))
        layers = [
            ((58, 70, 118), (44, 55, 98)),
            ((38, 48, 90), (28, 36, 72)),
            ((22, 29, 60), (14, 19, 42)),
            ((11, 15, 34), (6, 8, 20)),
        ]
    else:
        picture = sky(
            (0, (76, 84, 150)),
            (0.3, (196, 118, 140)),
            (0.52, (250, 166, 104)),
            (0.7, (255, 221, 160)),
            (1, (255, 221, 160)),
        )
        clouds(picture)
        glow(picture, 0.55, 0.6, 0.42, (255, 226, 150), 0.75)
        disc(picture, 0.55, 0.57, 0.075, (255, 246, 214))
        layers = [
            ((214, 134, 128), (190, 108, 116)),
            ((158, 84, 110), (126, 62, 96)),
            ((98, 50, 86), (70, 36, 70)),
            ((48, 26, 56), (28, 14, 36)),
        ]
    for at, (top, bottom) in enumerate(layers):
        edge = ridge(11 + at, 0.62 + 0.095 * at, 0.055 + 0.012 * at, rough=1.4 - 0.3 * at)
        hill(picture, edge, top, bottom)
        if at == 3:
            firs(picture, edge, bottom, seed=5)
    return picture


def stars(picture: Picture) -> None:
    chance = np.random.default_rng(3)
    for _ in range(170):
        x, y, bright = chance.uniform(0, 1.5), chance.uniform(0, 0.6), chance.uniform(0.25, 1)
        disc(picture, x, y, 0.0011 + 0.0016 * bright**3, (int(170 + 80 * bright),) * 2 + (250,))


def clouds(picture: Picture) -> None:
    chance = np.random.default_rng(8)
    veil = np.zeros(picture.shape[:2], np.float32)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]] / picture.shape[0]
    for _ in range(26):
        x, y = chance.uniform(0, 1.5), chance.uniform(0.1, 0.42)
        wide, thin = chance.uniform(0.1, 0.34), chance.uniform(0.006, 0.018)
        veil += 0.4 * np.exp(-(((columns - x) / wide) ** 2) - (((rows - y) / thin) ** 2))
    picture += (np.array((255, 208, 176)) - picture) * np.clip(veil, 0, 0.7)[..., None]


def boat() -> Picture:
    picture = sky(
        (0, (106, 170, 186)), (0.35, (172, 212, 206)), (0.56, (248, 232, 202)), (1, (248, 232, 202))
    )
    glow(picture, 0.34, 0.34, 0.3, (255, 244, 214), 0.8)
    disc(picture, 0.34, 0.33, 0.058, (255, 252, 238))
    hill(picture, ridge(31, 0.53, 0.05), (146, 182, 184), (158, 196, 190))
    hill(picture, ridge(35, 0.565, 0.028), (92, 140, 148), (112, 158, 160))
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    sail(ImageDraw.Draw(image), 1.0 * HEIGHT * FINE, 0.665 * HEIGHT * FINE, 0.3 * HEIGHT * FINE)
    return water(np.asarray(image).astype(np.float32), line=0.6)


def sail(pen: ImageDraw.ImageDraw, x: float, y: float, size: float) -> None:
    """A small boat with two sails whose hull ends at (x, y)."""
    pen.polygon(
        [
            (x + 0.02 * size, y - size * 0.2),
            (x + 0.02 * size, y - size * 1.22),
            (x + size * 0.58, y - size * 0.26),
        ],
        fill=(250, 244, 230),
    )
    pen.polygon(
        [
            (x - 0.04 * size, y - size * 0.22),
            (x - 0.04 * size, y - size * 1.08),
            (x - size * 0.42, y - size * 0.26),
        ],
        fill=(226, 108, 78),
    )
    pen.line(
        [(x - 0.01 * size, y - size * 0.1), (x - 0.01 * size, y - size * 1.27)], fill=(92, 58, 44), width=7
    )
    pen.polygon(
        [
            (x - size * 0.5, y - size * 0.17),
            (x + size * 0.62, y - size * 0.17),
            (x + size * 0.44, y),
            (x - size * 0.38, y),
        ],
        fill=(122, 70, 50),
    )
    pen.polygon(
        [
            (x - size * 0.5, y - size * 0.17),
            (x + size * 0.62, y - size * 0.17),
            (x + size * 0.59, y - size * 0.13),
            (x - size * 0.47, y - size * 0.13),
        ],
        fill=(246, 226, 190),
    )


def water(picture: Picture, line: float) -> Picture:
    """Below `line` lies what is above it, rippled and tinted; what stands in the water keeps its foot."""
    height, width, _ = picture.shape
    result = picture.copy()
    shore, foot = int(line * height), int(0.665 * height)
    for row in range(shore, height):
        depth = (row - shore) / (height - shore)
        mirror = foot - (row - foot) if row > foot else shore - int((row - shore) * 0.6)
        shift = np.sin(row * 0.30 + 9 * depth) * (2 + 22 * depth) + np.sin(row * 0.093) * 12 * depth
        columns = np.clip(np.arange(width) + shift, 0, width - 1).astype(int)
        seen = picture[max(0, mirror)][columns]
        tint = np.array((56 - 22 * depth, 128 - 46 * depth, 142 - 36 * depth))
        here = seen * (0.66 - 0.3 * depth) + tint * (0.34 + 0.3 * depth)
        gleam = np.sin(np.arange(width) * 0.012 + row * 0.7) * np.sin(row * 1.7) > 0.93
        here[gleam] = here[gleam] * 0.75 + np.array((255, 250, 235)) * 0.25
        result[row] = here
    hull = np.abs(picture[shore:foot].astype(int) - picture[shore:foot, :1].astype(int)).sum(axis=2) > 60
    result[shore:foot][hull] = picture[shore:foot][hull]
    return result


def save(picture: Picture, path: Path) -> None:
    grain = np.random.default_rng(1).normal(0, 1.6, picture.shape[:2])[..., None]
    image = Image.fromarray((picture + grain).clip(0, 255).astype(np.uint8))
    image = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).filter(ImageFilter.UnsharpMask(1, 40))
    image.save(path, quality=84, optimize=True, progressive=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in (("hills-sunset", hills(False)), ("hills-night", hills(True)), ("boat", boat())):
        save(picture, folder / f"{name}.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
