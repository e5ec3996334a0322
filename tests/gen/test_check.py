"""Checks in the settings: read, named by recipes, refused by key, value and what was wanted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from gen.check import Check, load
from gen.errors import Misconfigured
from gen.recipe import Recipe, shipped
from gen.recipe import load as load_recipes
from tests.running import ROOT

GOOD: dict[str, Any] = {"family": "classifier", "weights": {"base": "some/repo"}, "labels": {"nsfw": 1}}
CARD: dict[str, Any] = {"task": "text", "family": "testcard", "about": "x", "long": 64}


def test_a_recipe_has_the_check_that_it_names() -> None:
    recipes = load_recipes(
        {"a": {**CARD, "check": "mine"}, "b": CARD, "c": {**CARD, "check": ""}}, {"mine": GOOD}
    )
    mine = Check(name="mine", family="classifier", weights={"base": "some/repo"}, labels={"nsfw": 1.0})
    assert recipes["a"].check == mine
    assert recipes["b"].check is recipes["c"].check is None
    assert Recipe.from_dict(asdict(recipes["a"])) == recipes["a"]  # as the engine's process hears of it


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"famly": "x"}, r"check\.mine\.famly is unknown; there are family"),
        ({"family": 3}, r"check\.mine\.family is 3; it must be text"),
        ({"labels": ["nsfw"]}, r"check\.mine\.labels is \['nsfw'\]; it must be a table"),
        ({"labels": {}}, r"check\.mine: labels must be set"),
        ({"labels": {"nsfw": "much"}}, r"check\.mine\.labels\.nsfw is 'much'; it must be a number"),
        ({"labels": {"nsfw": float("nan")}}, r"check\.mine\.labels\.nsfw is nan; it must be a number"),
        ({"weights": {}, "family": ""}, r"check\.mine: family, weights must be set"),
    ],
)
def test_a_fault_names_key_value_and_what_was_wanted(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        load({"mine": {**GOOD, **change}})


def test_tables_must_be_tables() -> None:
    with pytest.raises(Misconfigured, match="check must be tables"):
        load(3)
    with pytest.raises(Misconfigured, match=r"check\.x is 3; it must be a table"):
        load({"x": 3})


@pytest.mark.parametrize("name", ["other", 3, ["mine"]])
def test_a_check_that_is_not_there_is_refused(name: object) -> None:
    with pytest.raises(Misconfigured, match=r"recipe\.a\.check is .*; there are mine"):
        load_recipes({"a": {**CARD, "check": name}}, {"mine": GOOD})


def test_none_is_shipped_turned_on() -> None:
    assert not [recipe.name for recipe in shipped(ROOT / "config.toml").values() if recipe.check]
