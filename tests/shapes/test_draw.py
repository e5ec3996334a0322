"""Drawn clips: seeded, of the right size, and never of a combination that is held out."""

import random

import torch

from gen.shapes.draw import draw
from gen.shapes.scene import CAMERAS, COLOURS, FRAMES, MOTIONS, SHAPES, SIDE, Scene, Thing, asked, held_out


def test_the_same_seed_draws_the_same_clip() -> None:
    scene, _ = asked(random.Random(3), camera=0.5)
    one, two = draw([scene], random.Random(5)), draw([scene], random.Random(5))
    assert one.shape == (1, FRAMES, 3, SIDE, SIDE)
    assert torch.equal(one, two)
    assert not torch.equal(one, draw([scene], random.Random(6)))


def test_a_few_frames_are_those_of_the_whole_clip() -> None:
    scene = Scene(
        (Thing("star", "red", "big", "spinning"), Thing("ring", "blue", None, "up")),
        "dots",
        "white",
        "zoom-in",
    )
    whole, few = draw([scene], random.Random(1)), draw([scene], random.Random(1), [2, 9])
    assert torch.equal(whole[:, [2, 9]], few)


def test_a_batch_draws_each_scene_as_if_alone() -> None:
    scenes = [asked(random.Random(i))[0] for i in range(6)]
    batch = draw(scenes, random.Random(0))
    assert batch.min() >= 0
    assert batch.max() <= 1
    assert all(not torch.equal(batch[0], other) for other in batch[1:])


def test_a_tenth_of_the_combinations_is_held_out() -> None:
    triples = held_out()
    assert len(triples) == 53 == len(SHAPES) * len(COLOURS) * len(MOTIONS) // 10 + 1
    rng = random.Random(0)
    scenes = [asked(rng, camera=0.3, two=0.5)[0] for _ in range(3000)]
    seen = {(t.shape, t.colour, t.motion) for scene in scenes for t in scene.things}
    assert not seen & triples
    assert len(seen) > 350
    assert {scene.camera for scene in scenes} == {None, *CAMERAS}


def test_no_object_wears_the_colour_of_its_ground() -> None:
    rng = random.Random(1)
    for _ in range(500):
        scene, _ = asked(rng, two=0.5)
        assert scene.colour not in {thing.colour for thing in scene.things}
        assert scene.colour in COLOURS


def test_objects_stay_in_the_picture() -> None:
    for size in ("small", "medium", "big"):
        for motion in MOTIONS:
            scene = Scene((Thing("circle", "red", size, motion),), "plain", "white")
            edge = draw([scene], random.Random(2))[0].clone()
            edge[:, :, 1:-1, 1:-1] = 0.98
            assert edge.min() > 0.9, (size, motion)
