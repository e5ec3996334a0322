"""The panels of /settings and /prefer, in every language, as long as they can be: Discord takes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from discord.ui import LayoutView

from commands.catalogues import LANGUAGES
from commands.replies import panel
from gen.job import Task
from gen.layers import CHANNELS, Effective, Layer, Policy, resolve
from gen.recipe import Recipe, shipped
from playground import components
from playground.refusal import Form

SHIPPED = shipped(Path(__file__).parents[2] / "config.toml")
RECIPES: dict[str, Recipe] = {
    **SHIPPED,
    **{f"text-{number}": replace(SHIPPED["testcard"], name=f"text-{number}") for number in range(40)},
    "follow": replace(SHIPPED["testcard"], name="follow", task=Task.VIDEO),
}
OFFERED = {task: [one.name for one in RECIPES.values() if one.task is task and one.on] for task in Task}
MODELS = Policy({"text": "testcard", "image": "camera", "interp": "flow", "video": "follow"})
CHOSEN: dict[Layer, dict[str, Any]] = {
    Layer.GUILD: {"channels": [2**63 + one for one in range(CHANNELS)], "seconds": 7.5, "waiting": 100},
    Layer.USER: {"suffix": f"-neg {'*' * 1500} -ar 16:9", "language": "zh-CN", "text": "text-39"},
}


def standing(force: Effective, layer: Layer) -> panel.Standing:
    return panel.Standing(
        force=force, above=force, chosen=CHOSEN[layer], allows=lambda name, value: True, recipes=RECIPES
    )


def parts(view: LayoutView) -> list[dict[str, Any]]:
    """Its components, once the stand-in has judged them as Discord would."""
    form = Form()
    components.check(form, view.to_components(), v2=True, files=set())
    form.check()
    return [part for _, part in components.walk(view.to_components())]


@pytest.mark.parametrize("language", ["en-US", *LANGUAGES])
def test_panels_fit_where_discord_shows_them(language: str) -> None:
    force = resolve(MODELS, CHOSEN, offered=OFFERED)
    pages = [panel.settings(standing(force, Layer.GUILD), language, page) for page in panel.PAGES]
    for view in [panel.prefer(standing(force, Layer.USER), language), *pages]:
        found = parts(view)
        menus = [part["options"] for part in found if part["type"] == components.SELECT]
        assert all(sum(option["default"] for option in menu) == 1 for menu in menus)  # what is so is shown
        labels = [part["label"] for part in found if part["type"] == components.BUTTON]
        assert labels and all(len(label) <= 20 for label in labels)
    lines = panel.in_force(force, language, guild=True)
    assert len(lines) == len(panel.NAMES) and len("\n".join(lines)) < 1700


def test_a_menu_offers_only_what_holds() -> None:
    force = resolve(MODELS, {}, offered=OFFERED)
    few = replace(
        standing(force, Layer.GUILD), chosen={}, allows=lambda name, value: name != "waiting" or value <= 4
    )
    found = parts(panel.settings(few, "en-US", "limits"))
    menu = next(part for part in found if part.get("custom_id") == "settings:waiting")
    assert [option["value"] for option in menu["options"]] == ["-", "1", "2", "3", "4"]
    assert menu["options"][0]["default"]
