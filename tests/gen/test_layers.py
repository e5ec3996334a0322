"""Each layer only within the one above, whatever was stored; and what that means for one clip."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen import layers
from gen.errors import BadRequest, NotAllowed
from gen.job import Request, Task
from gen.layers import Effective, Layer, Nsfw, Policy, Spoiler, Verdict, Words, fill, measure, resolve
from gen.prompt import Ask, parse
from gen.recipe import Recipe, shipped

RECIPES = shipped(Path(__file__).parents[2] / "config.toml")
OFFERED = {
    Task.TEXT: ["testcard", "ltx"],
    Task.IMAGE: ["camera", "svd"],
    Task.INTERP: ["flow"],
    Task.VIDEO: ["pose"],
}
MODELS = {"text": "testcard", "image": "camera", "interp": "flow", "video": "pose"}
OWN = Policy(MODELS)
FIGURES = st.integers(-5, 2000) | st.floats(-5, 100)
PLAIN = st.none() | st.booleans() | FIGURES | st.text("-a9é", max_size=6) | st.lists(FIGURES, max_size=3)
LIKELY: dict[str, Any] = {
    "text": ["testcard", "ltx", "gone"], "image": ["camera", "svd", "flow"], "interp": ["flow"],
    "video": ["pose", "gone"],
    "suffix": ["-fps 12", "-motion 2 -loop", "-seconds 20", "a cat", "-fps 99"], "private": [True, False],
    "public": [True, False], "language": ["ja", "zh-CN"], "channels": [[], [1, 2], [2**60]],
    "spoiler": list(Spoiler), "nsfw": list(Nsfw), "words": list(Words),
    "seconds": [0.5, 3, 20.0], "waiting": [1, 4, 100], "rate": [1, 4, 100], "line": [1, 4, 100],
}  # fmt: skip
CHOSEN = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(LIKELY[name]) | PLAIN for name in layers.SETTINGS}
)
POLICIES = st.builds(
    lambda floors, words, bounds: Policy({**MODELS, "words": words, **bounds}, floors),
    st.fixed_dictionaries({}, optional={"words": st.sampled_from(Words), "nsfw": st.sampled_from(Nsfw)}),
    st.sampled_from(Words),
    st.fixed_dictionaries(
        {"waiting": st.integers(1, 9), "rate": st.integers(1, 9), "line": st.integers(0, 9)}
    ),
)
BELOW = (Layer.GUILD, Layer.USER, Layer.COMMAND)


def force(policy: Policy = OWN, **chosen: Any) -> Effective:
    by = {layer: chosen.get(layer.value, {}) for layer in BELOW}
    return resolve(policy, by, offered=OFFERED)


def test_every_setting_has_its_field_and_its_value_of_the_operator() -> None:
    assert [field.name for field in fields(Effective)] == list(layers.SETTINGS)
    assert {*layers.OPERATOR, *MODELS} == set(layers.SETTINGS)
    assert all(getattr(force(), name).origin is Layer.OPERATOR for name in layers.SETTINGS)


@given(POLICIES, CHOSEN, CHOSEN, CHOSEN)
def test_each_value_is_of_a_layer_that_chose_it_and_within_all_above(
    policy: Policy, guild: dict[str, Any], user: dict[str, Any], command: dict[str, Any]
) -> None:
    plain = json.loads(json.dumps([guild, user, command]))  # as it lies in the ledger
    by = dict(zip(BELOW, plain, strict=True))
    found = resolve(policy, by, offered=OFFERED)
    for name, setting in layers.SETTINGS.items():
        value = getattr(found, name)
        if value.origin is not Layer.OPERATOR:
            assert value.origin in setting.by
            assert setting.read(by[value.origin][name]) == value.value
    for task, offered in OFFERED.items():
        assert found.model(task).value in offered
    for name in ("waiting", "rate", "line"):
        above = policy.defaults[name]
        assert not above or 0 < getattr(found, name).value <= above
    for name, floor in policy.floors.items():
        value = getattr(found, name)
        if value.origin is Layer.GUILD:
            assert layers.stricter(value.value, floor) == value.value


@given(POLICIES, CHOSEN, CHOSEN)
def test_a_layer_below_loosens_no_bound(policy: Policy, guild: dict[str, Any], user: dict[str, Any]) -> None:
    above = resolve(policy, {Layer.GUILD: guild}, offered=OFFERED)
    below = resolve(policy, {Layer.GUILD: guild, Layer.USER: user}, offered=OFFERED)
    for name in ("channels", "spoiler", "nsfw", "words", "seconds", "waiting", "rate", "line"):
        assert getattr(below, name) == getattr(above, name)


@given(CHOSEN)
def test_what_is_taken_back_was_never_chosen(guild: dict[str, Any]) -> None:
    assert resolve(OWN, {Layer.GUILD: {}}, offered=OFFERED) == force()
    kept = resolve(OWN, {Layer.GUILD: guild}, offered=OFFERED)
    for name in guild:
        rest = {key: value for key, value in guild.items() if key != name}
        found = resolve(OWN, {Layer.GUILD: rest}, offered=OFFERED)
        assert getattr(found, name) == getattr(force(), name)
        others = [key for key in layers.SETTINGS if key != name]
        assert all(getattr(found, key) == getattr(kept, key) for key in others)


def test_the_nearer_layer_chooses_the_model_as_long_as_it_is_offered() -> None:
    both = {"guild": {"image": "svd"}, "user": {"image": "camera"}}
    assert force(guild={"image": "svd"}).image == layers.Value("svd", Layer.GUILD)
    assert force(**both).image == layers.Value("camera", Layer.USER)
    assert force(**both, command={"image": "svd"}).image == layers.Value("svd", Layer.COMMAND)
    gone = resolve(OWN, {Layer.USER: {"text": "ltx"}}, offered={**OFFERED, Task.TEXT: ["testcard"]})
    assert gone.text == layers.Value("testcard", Layer.OPERATOR)


def test_the_operators_floor_holds_against_a_milder_server() -> None:
    strict = Policy(MODELS, {"words": Words.SOFTEN, "nsfw": Nsfw.RESTRICT})
    mild = {"words": "off", "nsfw": "spoiler"}
    assert force(strict, guild=mild).words == layers.Value(Words.SOFTEN, Layer.OPERATOR)
    assert force(strict, guild=mild).nsfw == layers.Value(Nsfw.RESTRICT, Layer.OPERATOR)
    assert force(strict, guild={"words": "refuse"}).words == layers.Value(Words.REFUSE, Layer.GUILD)


def test_age_restricted_channels_relax_what_is_not_for_everyone() -> None:
    judged = {nsfw: [layers.verdict(nsfw, restricted=place) for place in (False, True)] for nsfw in Nsfw}
    assert judged == {
        Nsfw.SPOILER: [Verdict.SPOILER, Verdict.SHOW],
        Nsfw.RESTRICT: [Verdict.REFUSE, Verdict.SHOW],
        Nsfw.REFUSE: [Verdict.REFUSE, Verdict.REFUSE],
    }
    hidden = {kind: [layers.hidden(kind, restricted=place) for place in (False, True)] for kind in Spoiler}
    assert hidden == {Spoiler.OFF: [False, False], Spoiler.OPEN: [True, False], Spoiler.ALL: [True, True]}


@pytest.mark.parametrize(
    ("text", "words"),
    [("a cat -fps 12", "“a cat” is none"), ("-fps 99", "-fps takes"), ("-model flow", "no -model")],
)
def test_default_flags_are_refused_as_a_prompt_is(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        layers.suffix(text)


def test_a_clip_is_made_where_its_channel_its_parent_or_its_category_is_named() -> None:
    named = force(guild={"channels": [5]})
    layers.place(named, [9, 5])
    layers.place(force(), [9])
    with pytest.raises(NotAllowed, match="Where they are: <#5>"):
        layers.place(named, [9, 8])


# --- one clip

ASKS = st.builds(
    Ask,
    prompt=st.just("a star"),
    motion=st.none() | st.sampled_from([0.0, 2.0, 4.0]),
    fps=st.none() | st.integers(8, 24),
    aspect=st.none() | st.sampled_from(["16:9", "5:2"]),
    seconds=st.none() | st.sampled_from([0.5, 3.0, 10.0, 20.0]),
    guidance=st.none() | st.sampled_from([1.0, 9.0, 25.0]),
    negative=st.none() | st.just("fog"),
    smooth=st.none() | st.sampled_from([1, 2, 4]),
    loop=st.none() | st.booleans(),
    seed=st.none() | st.integers(0, 9),
    camera=st.none() | st.just(("pan up", "pan left")),
)
TEXTS = [recipe for recipe in RECIPES.values() if recipe.task is Task.TEXT]


def made(recipe: Recipe, ask: Ask) -> Request:
    return recipe.request(ask, [], 0)


@given(ASKS, ASKS, st.sampled_from(TEXTS), st.sampled_from([0, 0.5, 2, 4, 7.5]))
def test_default_flags_never_change_what_was_asked_nor_make_it_fail(
    ask: Ask, mine: Ask, recipe: Recipe, most: float
) -> None:
    suffix = str(replace(mine, prompt=""))
    there = force(user={"suffix": suffix}, guild={"seconds": most} if most else {})
    try:
        made(recipe, ask)
    except BadRequest as error:
        with pytest.raises(BadRequest, match="^" + str(error).split(",")[0].replace(".", r"\.")):
            made(recipe, fill(ask, there, recipe, lambda one: made(recipe, one)))
        return
    filled = fill(ask, there, recipe, lambda one: made(recipe, one))
    asked = ask.asked()
    assert {name: value for name, value in filled.asked().items() if name in asked} == asked
    assert parse(str(filled)) == filled
    request = made(recipe, filled)
    own = recipe.clip_frames == 0 and recipe.seconds is not None and recipe.seconds.least <= most
    if ask.seconds is None and (own or not most):
        measure(request, recipe, there)


def test_default_flags_are_held_within_the_recipe_and_the_server() -> None:
    card = RECIPES["testcard"]
    there = force(user={"suffix": "-seconds 20 -gs 9 -fps 16"}, guild={"seconds": 3})
    filled = fill(parse("a star -fps 8"), there, card, lambda one: made(card, one))
    assert str(filled) == "a star -fps 8 -seconds 3"  # guidance has no effect there
    assert str(fill(parse("a star"), force(guild={"seconds": 1}), card, lambda one: made(card, one))) == (
        "a star -seconds 1"
    )
    long = fill(parse("a star -seconds 9"), there, card, lambda one: made(card, one))
    with pytest.raises(NotAllowed, match="at most 3 s, not 9 s"):
        measure(made(card, long), card, there)
