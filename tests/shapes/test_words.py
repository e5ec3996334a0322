"""Captions say what the scene states; help knows the words."""

import random
import subprocess
import sys

from gen.shapes.caption import caption
from gen.shapes.scene import Scene, Thing, asked
from gen.vocabulary import COLOUR_WORDS, SHAPE_WORDS, known, vocabulary


def test_known_words_are_found_in_any_case_and_number() -> None:
    assert known("Two RED hearts, photorealistic!") == {"red", "heart"}
    assert known("a dog in the city") == set()
    assert "zoom" in known("zoom in on a cat")
    assert set(vocabulary()) == {"shapes", "colours", "sizes", "backgrounds", "motions"}


def test_help_needs_no_torch() -> None:
    code = "import sys, gen.vocabulary; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_caption_names_the_colours_and_shapes_that_are_stated() -> None:
    rng = random.Random(0)
    for _ in range(500):
        _, said = asked(rng, camera=0.2, two=0.4)
        text = caption(said, rng).lower()
        for thing in said.things:
            assert thing.shape is None or any(word in text for word in SHAPE_WORDS[thing.shape])
            assert thing.colour is None or any(word in text for word in COLOUR_WORDS[thing.colour])


def test_captions_of_one_scene_differ() -> None:
    scene = Scene((Thing("star", "red", "big", "left"),), "stripes", "blue")
    rng = random.Random(0)
    assert len({caption(scene, rng) for _ in range(50)}) > 40


def test_only_a_camera_that_is_named_rotates() -> None:
    rng = random.Random(0)
    texts = [
        caption(Scene((Thing("star", "red", None, "left"),), "dots", "blue", move), rng, noise=0)
        for move in ("rolling-clockwise", "rolling-anticlockwise")
        for _ in range(300)
    ]
    assert all("camera" in text for text in texts if "rotat" in text)
    assert any("rotates clockwise" in text for text in texts)
    assert any("camera" not in text and "roll" in text for text in texts)


def test_only_a_camera_that_is_named_moves_left() -> None:
    rng = random.Random(0)
    scene = Scene((Thing("star", "red"),), "dots", "blue", "pan-left")
    texts = [caption(scene, rng, noise=0) for _ in range(400)]
    assert all("camera" in text for text in texts if "mov" in text)
    assert any("camera moves left" in text for text in texts)
    assert any("camera" not in text and "pan" in text for text in texts)


def test_two_of_a_kind_are_counted_and_what_both_do_is_said_of_both() -> None:
    rng = random.Random(0)
    pair = Scene((Thing("square", "red", None, "left"), Thing("square", "blue", None, "spinning")))
    texts = [caption(pair, rng, noise=0) for _ in range(200)]
    assert any("two boxes, one red" in text for text in texts)
    assert not any("boxs" in text for text in texts)
    still = Scene((Thing("star", "red"), Thing("heart", "blue", None, "spinning")))
    assert not any(caption(still, rng, noise=0).endswith(" spin") for _ in range(400))
