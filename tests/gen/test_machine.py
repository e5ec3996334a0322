"""What a machine takes, by stated cards: the table, its bounds, and the words for it. No card is needed."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import machine
from bot.settings import load
from gen.errors import Misconfigured
from gen.job import Task
from gen.machine import AUTO, Device, Plan, Table, Verdict, has_card, plan
from gen.recipe import Recipe, shipped, sources

CONFIG = Path(__file__).parents[2] / "config.toml"
RECIPES = shipped(CONFIG)
TABLE = Table.read(tomllib.loads(CONFIG.read_text("utf-8"))["auto"], RECIPES, "config.toml: auto")
AUTOS = dict.fromkeys(Task, AUTO)


def card(free: float, capability: tuple[int, int] = (9, 0), **other: Any) -> Device:
    plain: dict[str, Any] = {
        "torch": "2.13.0", "kind": "cuda", "name": "NVIDIA Card", "free": free, "total": free + 1,
        "capability": capability, "dtype": "bfloat16",
    }  # fmt: skip
    return Device(**{**plain, **other})


def on(*names: str) -> dict[str, Recipe]:
    return {name: replace(one, on=one.on or name in names) for name, one in RECIPES.items()}


def planned(device: Device, *names: str, cache: Path = Path("/nowhere"), disk: float = 1000.0) -> Plan:
    return plan(on(*names), AUTOS, TABLE, device, cache=cache, disk=disk)


def here(cache: Path, *names: str) -> Path:
    """A cache that has those recipes' weights, as far as folders tell."""
    for name in names:
        for source in sources(RECIPES[name].weights):
            snapshot = cache / f"models--{source['repo'].replace('/', '--')}" / "snapshots" / "0123"
            snapshot.mkdir(parents=True, exist_ok=True)
            (snapshot / "model_index.json").write_text("{}")
    return cache


@pytest.mark.parametrize(
    ("device", "turned_on", "taken"),
    [
        (Device(), (), ("shapes-lightning", "camera", "flow")),
        (Device(), ("svd", "wan-14b"), ("shapes-lightning", "camera", "flow")),
        (card(4.0), (), ("shapes-lightning", "camera", "flow")),
        (card(7.5), (), ("animatediff-lightning", "camera", "flow")),
        (card(11.0), (), ("animatediff-lightning", "camera", "flow")),
        (card(23.4), (), ("animatediff-lightning", "camera", "flow")),
        (card(23.4), ("wan-1.3b", "svd"), ("wan-1.3b", "svd", "flow")),
        (card(23.4, (7, 5)), ("wan-1.3b", "svd"), ("animatediff-lightning", "svd", "flow")),
        (card(78.0), ("wan-5b", "ltx-i2v", "ltx-interp"), ("wan-5b", "ltx-i2v", "ltx-interp")),
        (card(139.0), ("wan-14b", "wan-i2v", "wan-flf2v"), ("wan-14b", "wan-i2v", "wan-flf2v")),
        (card(20.0, (0, 0), kind="mps"), (), ("animatediff-lightning", "camera", "flow")),
        (card(23.0, (11, 0), name="AMD Radeon"), ("wan-1.3b",), ("wan-1.3b", "camera", "flow")),
    ],
)  # fmt: skip
def test_what_is_taken(device: Device, turned_on: tuple[str, ...], taken: tuple[str, ...]) -> None:
    made = planned(device, *turned_on)
    led = "animatediff-pose" if device.free >= 10 else ""  # the only one of the table that follows a video
    assert tuple(made.defaults().values()) == (*taken, led)
    taken = (*taken, *filter(None, [led]))
    assert all(made.recipes[name].on for name in taken)  # offered by being taken
    others = {name for name, one in made.recipes.items() if one.on} - set(taken)
    assert others == {name for name, one in on(*turned_on).items() if one.on} - set(taken)


def verdicts(made: Plan, task: Task = Task.TEXT) -> dict[str, Verdict]:
    return {one.recipe.name: one.verdict for one in made.choices[task].judged}


def test_nothing_large_is_fetched_unasked_and_what_is_here_is_used(tmp_path: Path) -> None:
    assert verdicts(planned(card(78.0)))["wan-5b"] is Verdict.FETCH
    cache = here(tmp_path, "wan-5b")
    made = planned(card(78.0), cache=cache)
    assert made.defaults()[Task.TEXT] == "wan-5b"
    assert made.choices[Task.TEXT].judged[1].fetch == 0.0
    blobs = next(cache.glob("models--*")) / "blobs"
    blobs.mkdir()
    (blobs / "0123.partial").write_bytes(b"half")  # broken off: it is not all here
    assert verdicts(planned(card(78.0), cache=cache))["wan-5b"] is Verdict.FETCH


def test_no_licence_is_accepted_for_the_operator(tmp_path: Path) -> None:
    cache = here(tmp_path, *RECIPES)
    made = planned(card(20.0), cache=cache)
    assert verdicts(made, Task.IMAGE) == {
        "wan-i2v": Verdict.SMALL, "wan-5b-i2v": Verdict.SMALL, "ltx-i2v": Verdict.SMALL,
        "svd-xt": Verdict.LICENCE, "svd": Verdict.LICENCE, "camera": Verdict.FITS,
    }  # fmt: skip
    assert made.defaults()[Task.IMAGE] == "camera"
    for name, one in made.recipes.items():
        if one.gated:
            assert one.bound, name


@pytest.mark.parametrize("disk", [20.0, 28.5])
def test_the_disk_has_a_say(disk: float) -> None:
    """And just the same one as when the weights are fetched, which leaves some of it free."""
    made = planned(card(23.0), "wan-1.3b", disk=disk)
    assert verdicts(made)["wan-1.3b"] is Verdict.DISK
    assert made.defaults()[Task.TEXT] == "animatediff-lightning"


def test_a_disk_with_room(tmp_path: Path) -> None:
    assert verdicts(planned(card(23.0), "wan-1.3b", disk=29.5))["wan-1.3b"] is Verdict.FITS
    cache = here(tmp_path, "wan-1.3b")
    assert verdicts(planned(card(23.0), "wan-1.3b", disk=0.1, cache=cache))["wan-1.3b"] is Verdict.FITS


def test_what_the_operator_named_is_taken_whatever_fits() -> None:
    made = plan(RECIPES, {**AUTOS, Task.TEXT: "testcard"}, TABLE, card(78.0), cache=Path("/no"), disk=900.0)
    assert made.defaults()[Task.TEXT] == "testcard"
    assert not made.choices[Task.TEXT].auto
    assert verdicts(made)["animatediff-lightning"] is Verdict.FITS


def test_without_a_table_the_first_that_needs_no_card() -> None:
    made = plan(on("svd"), AUTOS, Table(), card(78.0), cache=Path("/no"), disk=900.0)
    assert tuple(made.defaults().values()) == ("shapes-lightning", "camera", "flow", "")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"txt": {}}, ["auto.txt is unknown", "fetch, text, image, interp"]),
        ({"fetch": "much"}, ["auto.fetch is 'much'", "GiB, from 0"]),
        ({"text": {"wan-2b": 3}}, ["auto.text names “wan-2b”"]),
        ({"text": {"svd": 3}}, ["auto.text names “svd”"]),
        ({"text": {"testcard": -1}}, ["auto.text.testcard is -1"]),
        ({"text": ["testcard"]}, ["auto.text is ['testcard']", "best first"]),
        (3, ["auto must be a table"]),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_read(table: Any, words: list[str]) -> None:
    with pytest.raises(Misconfigured) as caught:
        Table.read(table, RECIPES, "config.toml: auto")
    for word in words:
        assert word in str(caught.value)


def test_where_a_card_is_looked_for(tmp_path: Path) -> None:
    assert not has_card("auto", "linux", "x86_64", tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "kfd").touch()
    assert has_card("auto", "linux", "x86_64", tmp_path)
    assert not has_card("cpu", "linux", "x86_64", tmp_path)
    assert has_card("cuda:1", "linux", "x86_64", tmp_path / "none")
    assert has_card("auto", "darwin", "arm64", tmp_path / "none")
    assert not has_card("auto", "darwin", "x86_64", tmp_path / "none")


def test_each_is_given_the_room_it_wants() -> None:
    """The table's GiB beside what recipes say: at the least, the model's parts come and go one by one."""
    for task, models in TABLE.models.items():
        assert list(models.values()) == sorted(models.values(), reverse=True), task
        for name, least in models.items():
            recipe = RECIPES[name]
            assert bool(least) == bool(recipe.memory) == bool(recipe.download), name
            assert 0.45 * recipe.memory <= least <= 2 * recipe.memory, name


def test_the_operator_reads_what_was_taken_and_what_else_there_is() -> None:
    lines = list(machine.report(planned(card(23.4), "svd")))
    text = "\n".join(lines)
    assert lines[0] == (
        "/animate takes animatediff-lightning: the best of [auto] that NVIDIA Card has room for"
        " (wants 6.5 GiB free, 23.4 are); about 5 GiB are fetched with its first clip, or before by"
        " `python -m gen --fetch animatediff-lightning`"
    )
    assert (
        "  wan-1.3b: would fit (22 GiB); about 27 GiB to fetch: python -m gen --fetch wan-1.3b;"
        ' on = true in [recipe."wan-1.3b"] offers it'
    ) in lines
    assert (
        "  svd-xt: would fit (16 GiB); licence: Stability AI Community; accept it at"
        " https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt and set HF_TOKEN;"
        " about 8.5 GiB to fetch: python -m gen --fetch svd-xt; on = true in [recipe.svd-xt] offers it"
    ) in lines
    assert "/img2vid takes svd: the best of [auto]" in text
    assert (
        "too large for this machine, by the GiB wanted free on its card: wan-14b (90 GiB), wan-5b (40 GiB)"
        in text
    )


def test_the_operator_reads_why_nothing_better_was_taken() -> None:
    assert next(machine.summary(planned(Device()))) == (
        "/animate takes shapes-lightning: it runs on any processor, and there is no graphics card"
    )
    assert "torch found no graphics card" in next(machine.summary(planned(Device(torch="2.13.0"))))
    assert "NVIDIA Card has no room for another" in next(machine.summary(planned(card(3.0))))
    turing = list(machine.report(planned(card(23.4, (7, 5)))))
    assert "  wan-1.3b: wants compute capability 8, this card has 7.5" in turing
    assert any(
        "/img2vid takes camera: it runs on any processor, and others that fit wait for you" in one
        for one in turing
    )
    full = list(machine.report(planned(card(23.4), "wan-1.3b", disk=20.0)))
    assert "  wan-1.3b: fits the card, but the disk has no room for about 27 GiB beside 2 to spare" in full


def test_the_settings_carry_the_table(tmp_path: Path) -> None:
    settings = load(CONFIG, {"ZOETROPE_DATA": str(tmp_path)})
    assert settings.auto == TABLE
    assert machine.planned(settings, card(8.0)).defaults()[Task.TEXT] == "animatediff-lightning"
