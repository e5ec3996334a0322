"""What a Shapes clip can show: the vocabulary, a scene made of it, and the scenes that training never
sees."""

from __future__ import annotations

import random
from dataclasses import dataclass

SIDE = 128
FRAMES = 16

SHAPES = ("circle", "square", "triangle", "star", "heart", "ring")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
SIZES = ("small", "medium", "big")
KINDS = ("plain", "gradient", "stripes", "dots")
PATTERNS = ("stripes", "dots")
"""Grounds on which one sees the camera move."""
MOTIONS = (
    "still", "left", "right", "up", "down", "diagonal",
    "spinning", "growing", "shrinking", "bouncing", "orbiting",
)  # fmt: skip
CAMERAS = (
    "zoom-in", "zoom-out", "pan-left", "pan-right",
    "tilt-up", "tilt-down", "rolling-clockwise", "rolling-anticlockwise",
)  # fmt: skip

RGB = {
    "red": (220, 30, 30),
    "orange": (255, 140, 0),
    "yellow": (255, 225, 0),
    "green": (20, 160, 50),
    "blue": (30, 70, 230),
    "purple": (140, 40, 180),
    "white": (250, 250, 250),
    "black": (15, 15, 15),
}
"""The eight colours as an object or a plain background wears them."""

TONES = {
    "red": ((240, 110, 110), (140, 15, 20)),
    "orange": ((255, 190, 110), (185, 90, 0)),
    "yellow": ((255, 243, 150), (205, 175, 0)),
    "green": ((110, 205, 130), (10, 100, 30)),
    "blue": ((120, 150, 245), (15, 40, 145)),
    "purple": ((190, 120, 220), (85, 20, 115)),
    "white": ((255, 255, 255), (180, 180, 185)),
    "black": ((85, 85, 90), (0, 0, 0)),
}
"""A lighter and a darker tone of each colour: a gradient runs from the first to the second, top to bottom."""

MARKS = {colour: TONES[colour][0 if colour in ("black", "yellow") else 1] for colour in COLOURS}
"""The tone of stripes and dots on a background of the colour; they cover less than half of it."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object; `None` means that the prompt leaves it open."""

    shape: str | None = None
    colour: str | None = None
    size: str | None = None
    motion: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One or two objects before a background, and what the camera does."""

    things: tuple[Thing, ...]
    kind: str | None = None
    colour: str | None = None
    camera: str | None = None


def held_out() -> frozenset[tuple[str, str, str]]:
    """The shape, colour and motion triples that no stage of training draws or names: 53 of 528.

    Rule: all triples in the order of SHAPES, COLOURS, MOTIONS, shuffled by `random.Random(2026)`, the
    first tenth.
    A spinning circle or ring looks still, so such triples are neither trained nor asked for.
    """
    triples = [(s, c, m) for s in SHAPES for c in COLOURS for m in MOTIONS]
    random.Random(2026).shuffle(triples)
    return frozenset(triples[: len(triples) // 10 + 1])


def shows(shape: str | None, motion: str | None) -> bool:
    """Whether the motion can be seen on the shape."""
    return not (motion == "spinning" and shape in ("circle", "ring"))


_OUTLINES = (*SHAPES, "ring")
_LESSONS = (*MOTIONS, *("spinning",) * 5)
"""Shapes and motions as often as they are picked: holes and outlines that turn are the hardest to learn.
A circle or ring that would spin is picked anew."""


def _thing(rng: random.Random, banned: frozenset[tuple[str, str, str]]) -> Thing:
    while True:
        shape, colour, motion = rng.choice(_OUTLINES), rng.choice(COLOURS), rng.choice(_LESSONS)
        if (shape, colour, motion) not in banned and shows(shape, motion):
            return Thing(shape, colour, rng.choice((*SIZES, "medium", "medium")), motion)


def training_scene(rng: random.Random, camera: float = 0.0, two: float = 0.3) -> Scene:
    """A complete scene without held-out triples: `camera` and `two` are the odds of a camera move, of
    two objects."""
    banned = held_out_once()
    things = [_thing(rng, banned)]
    if rng.random() < two:
        other = _thing(rng, banned)
        while (other.shape, other.colour) == (things[0].shape, things[0].colour):
            other = _thing(rng, banned)
        things.append(other)
    colour = rng.choice([c for c in COLOURS if c not in {t.colour for t in things}])
    move = rng.choice(CAMERAS) if rng.random() < camera else None
    kind = rng.choice(PATTERNS if move and rng.random() < 0.85 else KINDS)
    return Scene(tuple(things), kind, colour, move)


_HELD_OUT = held_out()


def held_out_once() -> frozenset[tuple[str, str, str]]:
    """`held_out()`, worked out once."""
    return _HELD_OUT


def stated(scene: Scene, rng: random.Random) -> Scene:
    """What a caption says of a complete scene: ordinary things often go unsaid, others now and then."""
    things = []
    for thing in scene.things:
        shape = None if rng.random() < 0.03 else thing.shape
        colour = None if rng.random() < 0.04 and shape else thing.colour
        size = None if thing.size == "medium" and rng.random() < 0.85 else thing.size
        motion = None if thing.motion == "still" and rng.random() < 0.5 else thing.motion
        things.append(Thing(shape, colour, size, motion))
    kind = None if scene.kind == "plain" and rng.random() < 0.8 else scene.kind
    return Scene(tuple(things), kind, scene.colour, scene.camera)


def unasked(scene: Scene) -> Scene:
    """The scene before the ground that a prompt gets when it names none: plain white, or black behind
    white."""
    worn = {thing.colour for thing in scene.things}
    return Scene(
        scene.things, "plain", next(c for c in ("white", "black", "blue") if c not in worn), scene.camera
    )


def asked(rng: random.Random, camera: float = 0.0, two: float = 0.3) -> tuple[Scene, Scene]:
    """A complete scene for training, and what its caption may say."""
    scene = training_scene(rng, camera, two)
    said = stated(scene, rng)
    odds, bare = rng.random(), 0.05 if scene.camera else 0.15
    if odds < bare:
        scene = unasked(scene)
        said = Scene(said.things, None, None, scene.camera)
    elif odds < bare + 0.05:
        said = Scene(said.things, scene.kind, None if scene.kind != "plain" else scene.colour, scene.camera)
    return scene, said
