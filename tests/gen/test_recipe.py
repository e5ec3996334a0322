"""A recipe judges what is asked of it, and its own table names what is wrong in it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.errors import BadRequest, Misconfigured
from gen.job import Picture, Request, Task, Video
from gen.prompt import ASPECTS, SEEDS, Ask, parse
from gen.recipe import PICTURES, Recipe, first, load, pick, pinned, shipped, sources, task_of

CONFIG = Path(__file__).parents[2] / "config.toml"
RECIPES = shipped(CONFIG)
LEAST = {"task": "text", "family": "testcard", "about": "A test", "long": 512}


def recipe(**table: Any) -> Recipe:
    return load({"one": {**LEAST, **table}})["one"]


def span(default: float, least: float, most: float) -> dict[str, float]:
    return {"default": default, "least": least, "most": most}


def photo(width: int = 1024, height: int = 768) -> Picture:
    return Picture(name="a.png", width=width, height=height)


# --- asking


def test_what_a_user_of_pika_gets() -> None:
    ask = parse("a red star -camera zoom in -motion 3 -ar 16:9 -seed 7")
    one = recipe(camera=True, motion=span(1, 0, 4), sizes={"1:1": [512, 512], "16:9": [640, 360]})
    assert one.request(ask, [], 99) == Request(
        recipe="one", task=Task.TEXT, prompt="a red star", seed=7, width=640, height=360, frames=8, fps=8,
        motion=3.0, camera=("zoom in",),
    )  # fmt: skip
    assert one.unused(ask) == []


@pytest.mark.parametrize("one", RECIPES.values(), ids=list(RECIPES))
@settings(deadline=None)  # a busy machine is no fault
@given(
    width=st.integers(1, 16384),
    height=st.integers(1, 16384),
    aspect=st.none() | st.sampled_from(ASPECTS),
    seconds=st.none() | st.floats(1, 10),
    fps=st.none() | st.integers(8, 24),
)
def test_every_shipped_recipe_makes_sound_requests(
    one: Recipe, width: int, height: int, aspect: str | None, seconds: float | None, fps: int | None
) -> None:
    ask = Ask(prompt="a cat", aspect=aspect, seconds=seconds, fps=fps)
    try:
        request = one.request(ask, [photo(width, height)] * PICTURES[one.task], 5)
    except BadRequest as refusal:
        if "aspects" in refusal.values:
            assert aspect not in one.sizes
        else:
            assert refusal.values["flag"] in ("fps", "seconds")  # a range narrower than the grammar's
        return
    longest = max([one.long, *(side for size in one.sizes.values() for side in size)])
    for side in (request.width, request.height):
        assert 0 < side <= longest + one.multiple
        assert side % 2 == 0 and (one.sizes or side % one.multiple == 0)
    wanted = (seconds or (one.seconds.default if one.seconds else 1.0)) * request.fps
    assert one.clip_frames or abs(request.frames - wanted) <= max(0.5, one.frame_multiple)
    assert Request.from_dict(json.loads(json.dumps(request.to_dict()))) == request


@settings(deadline=None)  # a busy machine is no fault
@given(st.floats(0.5, 20), st.sampled_from([(1, 0), (4, 1), (8, 1), (6, 0)]))
def test_frames_are_such_as_the_model_can_make(seconds: float, rule: tuple[int, int]) -> None:
    multiple, extra = rule
    one = recipe(seconds=span(2, 0.5, 20), frame_multiple=multiple, frame_extra=extra)
    frames = one.request(Ask(prompt="x", seconds=seconds), [], 0).frames
    assert frames > extra and (frames - extra) % multiple == 0
    assert abs(frames - seconds * 8) <= multiple or frames == multiple + extra


def test_a_fixed_number_of_frames() -> None:
    one = recipe(clip_frames=25, fps=span(7, 7, 7))
    request = one.request(Ask(prompt="x", seconds=3.0), [], 0)
    assert (request.frames, request.fps) == (25, 7)
    assert one.unused(Ask(seconds=3.0)) == ["seconds"]


@pytest.mark.parametrize(
    ("size", "chosen"),
    [
        ((1600, 900), (640, 360)),
        ((900, 1600), (360, 640)),
        ((1000, 900), (480, 480)),
        ((9000, 100), (640, 360)),
    ],
)
def test_a_picture_gets_the_nearest_of_the_sizes(size: tuple[int, int], chosen: tuple[int, int]) -> None:
    one = recipe(task="image", sizes={"16:9": [640, 360], "9:16": [360, 640], "1:1": [480, 480]})
    request = one.request(Ask(), [photo(*size)], 0)
    assert (request.width, request.height) == chosen


def test_what_is_asked_for_beats_the_pictures_own_shape() -> None:
    one = recipe(task="image", long=768)
    request = one.request(Ask(aspect="9:16"), [photo(4000, 3000)], 0)
    assert (request.width, request.height) == (432, 768)


def test_a_seed_that_is_asked_for_is_kept() -> None:
    one = recipe()
    assert one.request(Ask(prompt="x", seed=0), [], 9).seed == 0
    assert one.request(Ask(prompt="x"), [], 9).seed == 9
    assert one.request(Ask(prompt="x"), [], SEEDS + 9).seed == 9


@pytest.mark.parametrize(
    ("table", "ask", "said"),
    [
        ({"fps": span(8, 8, 12)}, Ask(prompt="x", fps=24), "one takes -fps from 8 to 12, not 24."),
        ({"motion": span(1, 0, 2.5)}, Ask(prompt="x", motion=3.0), "one takes -motion from 0 to 2.5, not 3."),
        (
            {"guidance": span(7, 5, 9)},
            Ask(prompt="x", guidance=9.5),
            "one takes -guidance from 5 to 9, not 9.5.",
        ),
        (
            {"sizes": {"1:1": [64, 64], "4:3": [64, 48]}},
            Ask(prompt="x", aspect="16:9"),
            "one takes -ar 1:1, 4:3, not 16:9.",
        ),
        ({}, Ask(), "The prompt has no words; say what is to be seen."),
        (
            {"task": "interp"},
            Ask(),
            "The model one takes another number of pictures: 2, not 0.",
        ),
    ],
)
def test_a_refusal_names_model_flag_and_range(table: dict[str, Any], ask: Ask, said: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        recipe(**table).request(ask, [], 0)
    assert str(refusal.value) == said


def test_what_has_no_effect_is_told() -> None:
    ask = parse(
        "x -camera zoom in -gs 9 -neg ugly -loop -seconds 3 -fps 9 -steps 4 -motion 2 -seed 1 -ar 1:1"
    )
    idle = ["camera", "motion", "fps", "guidance", "neg", "seconds", "steps", "loop"]
    assert recipe().unused(ask) == idle
    assert recipe().unused(Ask(loop=False)) == []
    whole = {name: span(8, 0.5, 24) for name in ("motion", "seconds")}
    whole |= {name: span(8, 1, 24) for name in ("fps", "guidance", "steps")}
    assert recipe(**whole, camera=True, negative=True, loops=True).unused(ask) == []


# --- picking


def test_a_model_is_picked_by_name_for_its_command() -> None:
    recipes = load({"a": LEAST, "b": {**LEAST, "on": False}, "c": {**LEAST, "task": "image"}})
    assert pick(recipes, Task.TEXT, "a") is recipes["a"]
    for name, said in {
        "z": "There is no model z; for this command there are: a.",
        "b": "The model b is not turned on here; there are: a.",
        "c": "The model c is for another command; here there are: a.",
    }.items():
        with pytest.raises(BadRequest) as refusal:
            pick(recipes, Task.TEXT, name)
        assert str(refusal.value) == said


def test_where_no_model_is_turned_on_a_sentence_of_its_own_says_so() -> None:
    """Which has no English word among its values, where no translation would reach it."""
    off = {**LEAST, "on": False}
    recipes = load({"a": LEAST, "b": {**off, "task": "image"}})
    none = "cannot be used: no model that makes such clips is turned on here."
    for name in ("z", "a", "b"):
        with pytest.raises(BadRequest, match=f"^The model {name} {none} Ask the bot's operator") as refusal:
            pick(recipes, Task.IMAGE, name)
        assert refusal.value.values == {"model": name}
    with pytest.raises(BadRequest, match=r"^There is no model z; there are: a\.$"):
        task_of(recipes, "z")
    with pytest.raises(BadRequest, match=r"^There is no model z, and none is turned on here\b") as refusal:
        task_of(load({"b": off}), "z")
    assert refusal.value.values == {"model": "z"}


def test_a_clip_is_no_longer_than_the_video_that_it_follows() -> None:
    led = RECIPES["animatediff-pose"]

    def frames(plays: float, **asked: Any) -> int:
        video = Video(name="a.mp4", width=640, height=360, seconds=plays)
        return led.request(Ask(prompt="x", **asked), [video], 1).frames

    assert [frames(10), frames(1.5), frames(0.3), frames(10, seconds=4)] == [16, 12, 2, 32]
    assert frames(1.0, seconds=4) == 8
    fixed = replace(led, clip_frames=16)
    assert (
        fixed.request(Ask(prompt="x"), [Video(name="a.mp4", width=64, height=64, seconds=1)], 1).frames == 8
    )
    with pytest.raises(BadRequest, match="The prompt has no words"):
        led.request(Ask(prompt=""), [photo()], 1)
    assert led.request(Ask(prompt="x"), [photo(360, 640)], 1).height == 672
    with pytest.raises(BadRequest, match="No model here makes a clip of that"):
        first(RECIPES, Task.VIDEO)
    assert first(RECIPES, Task.IMAGE) == "camera"


# --- the settings' tables


def test_the_shipped_recipes_load() -> None:
    assert {one.task for one in RECIPES.values() if one.on} == set(Task) - {Task.VIDEO}
    assert {one.task for one in RECIPES.values()} == set(Task)
    assert load(tomllib.loads(CONFIG.read_text("utf-8"))["recipe"]) == RECIPES


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"fsp": 8}, ["recipe.one.fsp", "unknown", "fps"]),
        ({"zzzz": 8}, ["recipe.one.zzzz", "unknown", "seconds", "weights"]),
        ({"task": "movie"}, ["recipe.one.task", "'movie'", "one of text, image, interp"]),
        ({"family": 3}, ["recipe.one.family", "3", "text"]),
        ({"about": ""}, ["recipe.one", "about must be set"]),
        ({"on": "yes"}, ["recipe.one.on", "'yes'", "true or false"]),
        ({"long": 8}, ["recipe.one.long", "8", "whole number, from 16"]),
        ({"long": True}, ["recipe.one.long", "True", "whole number"]),
        ({"long": 512.0}, ["recipe.one.long", "512.0", "whole number"]),
        ({"multiple": 3}, ["recipe.one.multiple", "3", "even"]),
        ({"multiple": 0}, ["recipe.one.multiple", "0", "even", "from 2"]),
        ({"frame_multiple": 0}, ["recipe.one.frame_multiple", "0", "from 1"]),
        ({"clip_frames": -1}, ["recipe.one.clip_frames", "-1", "from 0"]),
        ({"memory": "8 GiB"}, ["recipe.one.memory", "'8 GiB'", "number"]),
        ({"memory": float("nan")}, ["recipe.one.memory", "nan", "number"]),
        ({"weights": "hub"}, ["recipe.one.weights", "'hub'", "table"]),
        ({"fps": 8}, ["recipe.one.fps", "8", "default, least and most"]),
        ({"fps": {"default": 8, "least": 8}}, ["recipe.one.fps", "default, least and most"]),
        ({"fps": {**span(8, 8, 9), "max": 9}}, ["recipe.one.fps", "default, least and most"]),
        ({"fps": span(25, 8, 24)}, ["recipe.one.fps", "25", "default, least and most"]),
        ({"fps": span(0, 0, 24)}, ["recipe.one.fps", "from 1"]),
        ({"seconds": {"default": "3", "least": 1, "most": 9}}, ["recipe.one.seconds", "'3'"]),
        ({"seconds": {"default": True, "least": 1, "most": 9}}, ["recipe.one.seconds", "True"]),
        ({"seconds": span(1, 1, float("inf"))}, ["recipe.one.seconds", "inf"]),
        ({"sizes": [640, 360]}, ["recipe.one.sizes", "[640, 360]", "aspects"]),
        ({"sizes": {"16:9": [641, 360]}}, ["recipe.one.sizes", "641", "even"]),
        ({"sizes": {"16:9": [640.0, 360]}}, ["recipe.one.sizes", "640.0", "even"]),
        ({"sizes": {"16:9": [640, 360, 3]}}, ["recipe.one.sizes", "even"]),
        ({"sizes": {"16:9": "ab"}}, ["recipe.one.sizes", "'ab'", "even"]),
        ({"sizes": {"wide": [640, 360]}}, ["recipe.one.sizes", "wide", "aspects"]),
        ({"sizes": {"1:0": [640, 360]}}, ["recipe.one.sizes", "1:0", "aspects"]),
    ],
)
def test_a_fault_names_key_value_and_what_was_wanted(table: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(Misconfigured) as fault:
        recipe(**table)
    for part in ("config.toml: recipe.one", *said):
        assert part in str(fault.value)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"one": 5}, "recipe.one is 5; it must be a table"),
        (5, "recipe must be tables"),
        ({"My Model": LEAST}, "recipe.My Model: a recipe's name has"),
        ({"one": {"task": "text"}}, "family, about must be set"),
        ({"one": {key: LEAST[key] for key in ("task", "family", "about")}}, "sizes or long must be set"),
    ],
)
def test_a_fault_of_a_whole_table(tables: Any, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        load(tables)


def test_a_settings_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.toml"):
        shipped(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[recipe\n")
    with pytest.raises(Misconfigured, match=r"bad\.toml"):
        shipped(tmp_path / "bad.toml")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
KEYS = st.sampled_from(sorted(Recipe.__dataclass_fields__))


@settings(deadline=None)  # a busy machine is no fault
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_table_loads_or_is_a_fault_that_reads(table: dict[str, Any]) -> None:
    try:
        one = recipe(**table)
    except Misconfigured as fault:
        assert "recipe.one" in str(fault)
        return
    assert one.request(Ask(prompt="x"), [photo()] * PICTURES[one.task], 1).frames > 0


def test_a_clip_is_not_smoothed_beyond_what_screens_show() -> None:
    camera = RECIPES["camera"]
    assert camera.request(parse("-smooth 2"), [photo()], 1).smooth == 2
    with pytest.raises(BadRequest, match="-smooth 4 makes 96 frames each second, and 60 are the most"):
        camera.request(parse("-smooth 4"), [photo()], 1)


def test_a_model_that_wants_little_guidance_can_be_told_so() -> None:
    pika, own = parse("a boat -gs 12"), parse("a boat -guidance 2")
    assert (pika.guidance, own.guidance) == (12, 2)
    lcm = recipe(guidance=span(2, 1, 3))
    assert lcm.request(own, [], 1).guidance == 2
    with pytest.raises(BadRequest, match="takes -guidance from 1 to 3, not 12"):
        lcm.request(pika, [], 1)


@pytest.mark.parametrize(
    "weights",
    [
        {"base": {"repo": "a/b", "revison": "0123"}},
        {"base": {"repo": "a/b", "revision": 3}},
        {"base": {"repo": "a/b", "file": "weights.ckpt"}},
        {"lora": {"zoom in": {"repo": "a/b", "fle": "x.safetensors"}}},
        {"always": [{"repo": "a/b", "scale": "much"}]},
        {"base": 3},
    ],
)
def test_a_weight_that_is_misspelt_is_named(weights: dict[str, object]) -> None:
    with pytest.raises(Misconfigured, match=r"recipe\.x\.weights is .*it must be a repository or folder"):
        load({"x": {**LEAST, "weights": weights}})


def test_weights_are_listed_with_their_revisions() -> None:
    weights = {
        "base": {"repo": "a/b", "revision": "0123"}, "lora": {"zoom in": "c/d"},
        "always": [{"repo": "e/f", "file": "g.safetensors", "scale": 1}],
    }  # fmt: skip
    recipe = load({"x": {**LEAST, "weights": weights}})["x"]
    assert [pinned(source) for source in sources(recipe.weights)] == ["a/b@0123", "c/d", "e/f/g.safetensors"]


def test_where_nobody_asked_a_clip_is_as_smooth_as_can_be_shown() -> None:
    one = recipe(smooth=4, fps=span(8, 8, 30))
    assert one.request(parse("x"), [], 1).smooth == 4
    assert one.request(parse("x -fps 20"), [], 1).smooth == 2
    with pytest.raises(BadRequest, match="-smooth 4 makes 80"):
        one.request(parse("x -fps 20 -smooth 4"), [], 1)
