"""The words that Shapes knows, and which of them a prompt has; free of torch, for the bot's gentle help."""

from __future__ import annotations

import re

SHAPE_WORDS = {
    "circle": ("circle", "circle", "circle", "ball", "disc", "disk"),
    "square": ("square", "square", "square", "box", "block", "cube"),
    "triangle": ("triangle", "triangle", "triangle", "pyramid"),
    "star": ("star",),
    "heart": ("heart",),
    "ring": ("ring", "ring", "ring", "donut", "hoop"),
}
"""Nouns of each shape; a word that stands more than once is used more often in training."""

COLOUR_WORDS = {
    "red": ("red", "red", "red", "red", "crimson", "scarlet"),
    "orange": ("orange",),
    "yellow": ("yellow", "yellow", "yellow", "golden", "gold"),
    "green": ("green", "green", "green", "green", "emerald", "lime"),
    "blue": ("blue", "blue", "blue", "blue", "azure", "navy"),
    "purple": ("purple", "purple", "purple", "violet"),
    "white": ("white",),
    "black": ("black",),
}

SIZE_WORDS = {
    "small": ("small", "small", "little", "tiny"),
    "medium": ("medium", "medium-sized", "normal"),
    "big": ("big", "big", "large", "large", "huge", "giant"),
}

KIND_WORDS = {
    "plain": ("plain", "solid", "flat"),
    "gradient": ("gradient", "gradient", "shaded"),
    "stripes": ("stripes", "striped", "stripe", "lines"),
    "dots": ("dots", "dotted", "spotted", "dot", "spots", "polka"),
}

MOTION_WORDS = {
    "still": ("still", "static", "motionless", "standing", "resting"),
    "left": ("left", "leftward", "leftwards"),
    "right": ("right", "rightward", "rightwards"),
    "up": ("up", "upward", "upwards", "rising", "rises", "rise", "ascending"),
    "down": ("down", "downward", "downwards", "falling", "falls", "fall", "sinking", "descending"),
    "diagonal": ("diagonal", "diagonally"),
    "spinning": ("spinning", "spins", "rotating", "rotates", "spin", "rotate", "twirling", "turning"),
    "growing": ("growing", "grows", "grow", "expanding", "enlarging", "bigger", "larger"),
    "shrinking": ("shrinking", "shrinks", "shrink", "smaller"),
    "bouncing": ("bouncing", "bounces", "bounce", "jumping", "jumps", "jump", "hopping"),
    "orbiting": ("orbiting", "orbits", "orbit", "circling", "circles"),
}

CAMERA_WORDS = (
    "camera",
    "zoom",
    "zooms",
    "zooming",
    "pan",
    "pans",
    "panning",
    "tilt",
    "tilts",
    "rolling",
    "rolls",
    "dolly",
)

GROUPS = {
    "shapes": SHAPE_WORDS,
    "colours": COLOUR_WORDS,
    "sizes": SIZE_WORDS,
    "backgrounds": KIND_WORDS,
    "motions": MOTION_WORDS,
}


def known(prompt: str) -> set[str]:
    """The words of the prompt that mean something to Shapes, in lower case; plurals count as their
    singular."""
    words = set(re.findall(r"[a-z]+(?:-[a-z]+)*", prompt.lower()))
    words |= {word.removesuffix("s") for word in words}
    everything = set(CAMERA_WORDS)
    for group in GROUPS.values():
        everything.update(*group.values())
    return words & everything


def vocabulary() -> dict[str, tuple[str, ...]]:
    """The main word of each thing that Shapes can show, by group: what help should list."""
    return {name: tuple(group) for name, group in GROUPS.items()}
