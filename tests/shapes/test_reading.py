"""The reader of frames is right on drawn clips, and wrong ones do not pass."""

import random

import numpy as np
from numpy.typing import NDArray

from gen.shapes.draw import draw
from gen.shapes.reading import read
from gen.shapes.scene import CAMERAS, Scene, Thing, training_scene
from gen.shapes.score import Question, double, drawn, exam, mark, moving, single


def clip(scene: Scene, seed: int = 0) -> NDArray[np.uint8]:
    frames = draw([scene], random.Random(seed))[0]
    return np.asarray((frames * 255).round().byte().permute(0, 2, 3, 1))


def test_drawn_clips_are_read_right() -> None:
    """Of 40 random scenes each is; `gen.shapes.score --drawn` asks of hundreds."""
    rng = random.Random(42)
    questions = [Question("", training_scene(rng)) for _ in range(40)]
    tally = exam(drawn(questions, seed=9), questions)
    assert tally.right["all"] == 40


def test_camera_moves_are_read_right() -> None:
    questions = [*moving(16, seed=8)]
    assert {q.scene.camera for q in questions} == set(CAMERAS)
    assert exam(drawn(questions, seed=3), questions).part("camera") == 1


def test_the_exam_prompts_are_held_out_and_answerable() -> None:
    for questions in ([*single(20)], [*double(8)]):
        tally = exam(drawn(questions), questions)
        assert tally.part("all") == 1, tally


def test_a_wrong_clip_does_not_pass() -> None:
    asked = Scene((Thing("star", "red", None, "left"),), "plain", "blue")
    for wrong in (
        Scene((Thing("heart", "red", None, "left"),), "plain", "blue"),
        Scene((Thing("star", "green", None, "left"),), "plain", "blue"),
        Scene((Thing("star", "red", None, "right"),), "plain", "blue"),
        Scene((Thing("star", "red", None, "left"),), "stripes", "blue"),
        Scene((Thing("star", "red", None, "left"),), "plain", "white"),
        Scene((Thing("star", "red", None, "left"), Thing("ring", "red", None, "left")), "plain", "blue"),
    ):
        assert not all(mark(Question("", asked), read(clip(wrong))).values()), wrong


def test_size_and_noise_of_the_frames_do_not_matter() -> None:
    scene = Scene((Thing("triangle", "purple", None, "orbiting"),), "stripes", "yellow")
    frames = clip(scene).repeat(2, axis=1).repeat(2, axis=2).astype(int)
    noisy = np.clip(frames + np.random.default_rng(0).normal(0, 6, frames.shape), 0, 255).astype(np.uint8)
    assert all(mark(Question("", scene), read(noisy)).values())


def test_an_empty_clip_has_nothing_in_it() -> None:
    seen = read(np.full((16, 128, 128, 3), 250, np.uint8), camera=True)
    assert (seen.things, seen.kind, seen.colour, seen.camera) == ((), "plain", "white", "none")
