"""Scenes put into words in many ways; of what Shapes knows, the words say exactly what the scene states."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from gen.shapes.scene import Scene, Thing
from gen.vocabulary import COLOUR_WORDS, KIND_WORDS, SHAPE_WORDS, SIZE_WORDS

WAYS = (
    "moving", "moves", "moving", "moves", "going", "goes", "heading", "heads", "sliding", "slides",
    "drifting", "flying", "flies", "travelling", "traveling", "floating", "gliding", "running", "that moves",
    "which moves", "travels",
)  # fmt: skip
SIDES = {
    "left": ("left", "left", "to the left", "to the left", "leftward", "leftwards", "towards the left",
             "toward the left", "from right to left", "to the left side", "across to the left"),
    "right": ("right", "right", "to the right", "to the right", "rightward", "rightwards",
              "towards the right", "toward the right", "from left to right", "to the right side",
              "across to the right"),
    "up": ("up", "up", "upward", "upwards", "to the top", "towards the top", "from bottom to top"),
    "down": ("down", "down", "downward", "downwards", "to the bottom", "towards the bottom",
             "from top to bottom"),
    "diagonal": ("diagonally", "diagonally", "diagonally", "along a diagonal", "on a diagonal",
                 "diagonally across the screen", "in a diagonal line", "diagonally down",
                 "diagonally downwards", "down and to the right", "from the top left to the bottom right"),
    "orbiting": ("in a circle", "in circles", "round and round", "around in a circle", "around the center",
                 "in an orbit", "in a circular path", "along a circle", "around the middle"),
}  # fmt: skip
DEEDS = {
    "still": ("still", "standing still", "not moving", "static", "motionless", "staying still",
              "that does not move", "holding still", "stays still", "resting", "is still", "stationary",
              "does not move", "at rest", "staying in place", "without moving"),
    "up": ("rising", "rises", "ascending"),
    "down": ("falling", "falls", "sinking", "dropping", "descending"),
    "left": (), "right": (),
    "diagonal": ("diagonal motion", "in diagonal motion"),
    "spinning": ("spinning", "spinning", "spins", "rotating", "rotates", "is spinning", "spinning around",
                 "turning around", "twirling", "that spins", "rotating in place", "spinning in place",
                 "turning", "spinning clockwise", "rotating clockwise", "rotates around itself",
                 "spins counterclockwise", "rotating anticlockwise", "spins around"),
    "growing": ("growing", "growing", "grows", "getting bigger", "getting larger", "expanding", "expands",
                "becoming bigger", "is growing", "that grows", "gets bigger", "growing in size", "enlarging",
                "growing larger", "scaling up", "enlarges"),
    "shrinking": ("shrinking", "shrinking", "shrinks", "getting smaller", "gets smaller", "becoming smaller",
                  "contracting", "is shrinking", "that shrinks", "shrinking in size", "scaling down"),
    "bouncing": ("bouncing", "bouncing", "bounces", "bouncing up and down", "jumping", "jumping up and down",
                 "is bouncing", "that bounces", "hopping", "jumps", "jumps up and down",
                 "bounces up and down"),
    "orbiting": ("orbiting", "orbiting", "orbits", "circling", "circles around", "is orbiting",
                 "orbiting around", "orbiting the center", "that orbits", "circling around"),
}  # fmt: skip
VERBS = {
    "still": ("stand still",), "left": ("move left", "go to the left"), "right": ("move right", "go right"),
    "up": ("rise", "move up", "go up"), "down": ("fall", "move down", "go down"),
    "diagonal": ("move diagonally",), "spinning": ("spin", "spin", "rotate"),
    "growing": ("grow", "get bigger"), "shrinking": ("shrink", "get smaller"),
    "bouncing": ("bounce", "bounce", "jump"), "orbiting": ("orbit", "move in a circle"),
}  # fmt: skip
"""What one is made to do (“make a star spin”), or several do."""
BEFORE = {
    "still": ("still", "static", "motionless", "stationary"),
    "left": ("left-moving",), "right": ("right-moving",),
    "up": ("rising",), "down": ("falling",), "diagonal": ("diagonally moving",),
    "spinning": ("spinning", "rotating"), "growing": ("growing", "expanding"), "shrinking": ("shrinking",),
    "bouncing": ("bouncing", "jumping"), "orbiting": ("orbiting", "circling"),
}  # fmt: skip
MOVES = {
    "zoom-in": ("zooms in", "zoom in", "zooming in", "zooms in", "zoom in", "zooming in", "moves closer",
                "moving closer", "dolly in", "pushes in"),
    "zoom-out": ("zooms out", "zoom out", "zooming out", "zooms out", "zoom out", "zooming out",
                 "moves away", "moving away", "dolly out", "pulls back"),
    "pan-left": ("pans left", "pan left", "panning left", "pans to the left", "pan to the left",
                 "moves left", "moving to the left"),
    "pan-right": ("pans right", "pan right", "panning right", "pans to the right", "pan to the right",
                  "moves right", "moving to the right"),
    "tilt-up": ("tilts up", "tilt up", "tilting up", "pans up", "pan up", "panning up", "moves up",
                "moving up"),
    "tilt-down": ("tilts down", "tilt down", "tilting down", "pans down", "pan down", "panning down",
                  "moves down", "moving down"),
    "rolling-clockwise": ("rolls clockwise", "rotates clockwise", "rolling clockwise", "rotate clockwise",
                          "rotating clockwise", "roll clockwise"),
    "rolling-anticlockwise": ("rolls anticlockwise", "rotates anticlockwise", "rolling anticlockwise",
                              "rotates counterclockwise", "rolls counterclockwise",
                              "rotate counterclockwise", "rotating counterclockwise", "roll anticlockwise",
                              "rotates counter-clockwise", "rolls counter-clockwise"),
}  # fmt: skip
GROUNDS = {"gradient": ("gradient", "gradient"), "stripes": ("stripes", "stripes", "lines"),
           "dots": ("dots", "dots", "polka dots", "spots")}  # fmt: skip
"""What a background that is not plain consists of."""
PATTERNED = {"gradient": ("gradient", "gradient", "shaded"), "stripes": ("striped", "stripes", "stripe"),
             "dots": ("dotted", "dots", "dot", "polka dot", "spotted")}  # fmt: skip
"""What such a background is called."""
LENSES = ("camera {}", "the camera {}", "with the camera {}", ", camera {}", "camera: {}", "{}")
"""Ways to say whose move it is; the last is not for words that could as well be an object's."""
AMBIGUOUS = ("rotat", "mov", "push", "pull")
"""How words begin that could as well be an object's."""
LATER = (", {},", " in {}", ", colored {},", ", coloured {},", " that is {}", ", which is {},")
"""Ways to say a colour after its object."""
PLACES = (" on the left", " on the right", " in the middle", " in the center", " at the top")
"""Places that a caption may name for one object; Shapes passes them over."""
OPENINGS = (
    "a video of", "an animation of", "a clip of", "video of", "show me", "a short clip showing", "animate",
    "make", "please make", "there is", "an animated", "a movie of", "a scene with", "create", "draw",
    "i want", "a gif of", "generate", "imagine", "a picture of", "a view of", "footage of",
)  # fmt: skip
NOTHING = """
beautiful bright shiny glowing cute neon nice pretty simple lovely funny colorful colourful cool amazing
cinematic realistic detailed 4k hd smooth slow slowly quickly fast gently very really quality high best
masterpiece dog cat house tree sky sea mountain car dancing happy sad dream space city night day sun moon
photo style anime art please now again perfect minimal modern abstract geometric shape object thing
screen loop looping animation frame dramatic lighting trending epic vivid vibrant clean flat vector
cartoon render studio light dark soft warm cold water fire robot man woman person walking running in the
with of at for from over under through forever while
"""
FILLERS = NOTHING.split()
"""Words that mean nothing here, to be mixed in."""


def caption(scene: Scene, rng: random.Random, noise: float = 0.25) -> str:
    """One way to say the scene; `noise` is how often unknown words, capitals and marks are mixed in."""
    parts = [_things(scene.things, rng)]
    ground = _ground(scene, rng)
    ahead = bool(ground) and rng.random() < 0.12
    if ahead:
        parts.insert(0, ground + rng.choice((",", ",", ":", "")))
    elif ground:
        parts.append(ground)
    if scene.camera:
        move = rng.choice(MOVES[scene.camera])
        words = rng.choice(LENSES[:-1] if move.startswith(AMBIGUOUS) else LENSES).format(move)
        if rng.random() < 0.8:
            parts.append(words)
        else:
            named = not ahead and scene.things and scene.things[0].shape
            onto = ("", "", ",", ":", " over", " on") if named else ("", "", ",", ":")
            parts.insert(0, words + rng.choice(onto))
    if rng.random() < 0.2 and parts:
        parts.insert(0, rng.choice(OPENINGS))
    if rng.random() < noise:
        parts.insert(rng.randrange(len(parts) + 1), " ".join(_filler(rng) for _ in range(rng.randint(1, 4))))
    text = rng.choice((" ", " ", " ", ", ")).join(part for part in parts if part)
    return _dressed(text, rng) if rng.random() < noise else text


def _dressed(text: str, rng: random.Random) -> str:
    tails: tuple[Callable[[str], str], ...] = (
        str.upper,
        str.capitalize,
        str.title,
        lambda t: t + ".",
        lambda t: t + "!",
        lambda t: t.replace(" a ", " the "),
        lambda t: t + ", high quality",
        lambda t: " ".join(w for w in t.split() if w not in ("a", "an", "the")),
    )
    return rng.choice(tails)(text)


def _filler(rng: random.Random) -> str:
    if rng.random() < 0.8:
        return rng.choice(FILLERS)
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 7)))


def _things(things: tuple[Thing, ...], rng: random.Random) -> str:
    if not things:
        return ""
    if len(things) == 1:
        return _lone(things[0], rng)
    first, second = things
    if first.motion == second.motion and first.motion not in (None, "still") and rng.random() < 0.6:
        plain = [_thing(Thing(t.shape, t.colour, t.size), rng) for t in things]
        if rng.random() < 0.3:
            return f"{plain[0]} and {plain[1]} {rng.choice(('', 'both '))}{rng.choice(VERBS[first.motion])}"
        return (
            f"{plain[0]} and {plain[1]} {rng.choice(('both ', 'both ', 'both are ', 'are both '))}"
            + _motion(first.motion, rng, bare=True)
        )
    link = rng.choice(
        (" and ", " and ", " and ", " and ", ", and ", ", ", " next to ", " while ", " beside ", " with ")
    )
    alike = first.shape == second.shape and (first.motion is None) == (second.motion is None)
    if first.shape and alike and _plain(first) and _plain(second) and rng.random() < 0.4:
        noun = rng.choice(SHAPE_WORDS[first.shape])
        ones = " and ".join(_one(thing, rng) for thing in things)
        return f"two {noun}{'es' if noun.endswith('x') else 's'}, {ones}"
    sides = (" on the left", " on the right") if rng.random() < 0.1 else ("", "")
    return _thing(first, rng, sides[0]) + link + _thing(second, rng, sides[1])


def _lone(thing: Thing, rng: random.Random) -> str:
    if thing.motion and rng.random() < 0.07:
        return f"{_thing(replace(thing, motion=None), rng)} {rng.choice(VERBS[thing.motion])}"
    return _thing(thing, rng, rng.choice(PLACES) if rng.random() < 0.04 else "")


def _plain(thing: Thing) -> bool:
    return thing.colour is not None and thing.size is None


def _one(thing: Thing, rng: random.Random) -> str:
    return f"one {thing.colour}" + (f" {_motion(thing.motion, rng, bare=True)}" if thing.motion else "")


def _motion(motion: str, rng: random.Random, bare: bool = False) -> str:
    choices = [f"{rng.choice(WAYS)} {side}" for side in SIDES.get(motion, ())[:]]
    if not bare and motion in ("left", "right", "up", "down") and rng.random() < 0.05:
        return motion
    deeds = DEEDS[motion]
    if deeds and (not choices or rng.random() < (0.6 if motion == "orbiting" else 0.3)):
        return rng.choice(deeds)
    return rng.choice(choices)


def _thing(thing: Thing, rng: random.Random, place: str = "") -> str:
    size = rng.choice(SIZE_WORDS[thing.size]) if thing.size else ""
    colour = rng.choice(COLOUR_WORDS[thing.colour]) if thing.colour else ""
    noun = (
        rng.choice(SHAPE_WORDS[thing.shape]) if thing.shape else rng.choice(("", "shape", "thing", "object"))
    )
    later = rng.choice(LATER) if colour and noun and rng.random() < 0.07 else ""
    adjectives = [size, "" if later else colour]
    if rng.random() < 0.15:
        adjectives.reverse()
    before, after = "", ""
    if thing.motion and rng.random() < 0.15:
        before = rng.choice(BEFORE[thing.motion])
    elif thing.motion:
        after = _motion(thing.motion, rng)
    extra = rng.choice(FILLERS[:22]) if rng.random() < 0.06 else ""
    words = (
        [before, extra, *adjectives, noun]
        if rng.random() < 0.6
        else [*adjectives[:1], before, *adjectives[1:], noun]
    )
    phrase = " ".join(word for word in words if word)
    article = rng.choice(("a", "a", "a", "a", "the", "one", ""))
    if article == "a" and phrase[:1] in "aeiou":
        article = "an"
    phrase += later.format(colour) + place
    if later.startswith(" that is") and after:
        after = f"and {after}"
    elif after and rng.random() < 0.08:
        phrase += ","
    return " ".join(part for part in (article if phrase else "", phrase, after) if part)


def _stated_ground(kind: str | None, colour: str, rng: random.Random) -> str:
    start = rng.choice(("background", "background:", "the background is", "and the background is", "bg"))
    if kind in (None, "plain"):
        return f"{start} {rng.choice(('', '', 'plain ', 'solid '))}{colour}"
    return f"{start} {colour} {rng.choice(GROUNDS[kind])}"


def _ground(scene: Scene, rng: random.Random) -> str:
    if not (scene.kind or scene.colour):
        return ""
    colour = rng.choice(COLOUR_WORDS[scene.colour]) if scene.colour else ""
    place = rng.choice(("on", "on", "on", "over", "against", "in front of", "with", "before", "across"))
    noun = rng.choice(("background", "background", "background", "backdrop", "wall", "field", "bg"))
    if colour and rng.random() < 0.1:
        return _stated_ground(scene.kind, colour, rng)
    if scene.kind in (None, "plain"):
        plain = rng.choice(KIND_WORDS["plain"]) if scene.kind and (not colour or rng.random() < 0.4) else ""
        words = [word for word in (plain, colour) if word]
        rng.shuffle(words)
        short = scene.colour and not plain and rng.random() < 0.15
        return f"{place} {colour}" if short else f"{place} a {' '.join(words)} {noun}"
    kind, nouns = rng.choice(PATTERNED[scene.kind]), GROUNDS[scene.kind]
    forms = (
        f"{place} {colour} {rng.choice(nouns)}",
        f"{place} a {colour} {kind} {noun}",
        f"{place} a {kind} {colour} {noun}",
        f"{place} a {noun} of {colour} {rng.choice(nouns)}",
        f"{place} a {colour} {noun} with {rng.choice(nouns)}",
        f"{colour} {rng.choice(nouns)} {noun}",
        f"with {colour} {rng.choice(nouns)} behind",
    )
    return " ".join(rng.choices(forms, (4, 4, 3, 2, 2, 1, 1))[0].split())
