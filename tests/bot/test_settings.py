"""The settings file is the reference: complete, commented, equal to the defaults; faults are named."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from bot import settings
from gen.errors import Misconfigured

SHIPPED = Path(__file__).parents[2] / "config.toml"
TABLES = {
    "default": settings.Default,
    "queue": settings.Line,
    "engine": settings.Engine,
    "files": settings.Files,
    "words": settings.Words,
    "operators": settings.Operators,
    "rules": settings.Rules,
    "gateway": settings.Gateway,
    "log": settings.Log,
    "health": settings.Health,
}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(SHIPPED.read_text("utf-8") + "\n" + text, "utf-8")
    return path


@pytest.mark.parametrize("name", TABLES)
def test_every_setting_is_in_the_shipped_file_with_its_default(name: str) -> None:
    shipped = tomllib.loads(SHIPPED.read_text("utf-8"))[name]
    kind = TABLES[name]
    defaults = {item.name: getattr(kind(), item.name) for item in fields(kind)}
    assert shipped == {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    }


def test_every_setting_of_a_tier_is_in_the_shipped_file() -> None:
    shipped = tomllib.loads(SHIPPED.read_text("utf-8"))["tier"]["everyone"]
    loaded = settings.load(SHIPPED, {}).tier["everyone"]
    assert set(shipped) == {item.name for item in fields(settings.Role)}
    assert loaded == settings.Role()


def test_every_setting_is_commented() -> None:
    lines = SHIPPED.read_text("utf-8").split("# Recipes:")[0].splitlines()
    bare = [line for line in lines if "=" in line and not line.startswith("#") and "#" not in line]
    assert bare == []


def test_the_token_comes_from_the_environment_and_never_prints() -> None:
    loaded = settings.load(SHIPPED, {"DISCORD_TOKEN": " sesame "})
    assert loaded.token == "sesame"
    assert "sesame" not in repr(loaded)


def test_the_data_folder_is_a_setting(tmp_path: Path) -> None:
    assert settings.load(SHIPPED, {"ZOETROPE_DATA": str(tmp_path)}).database == tmp_path / "zoetrope.db"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[quue]\nrate = 3", ["quue", "queue"]),
        ("[queue.rat]\n", ["queue.rat", "per_guild"]),
        ("[tier.gold]\nwieght = 3", ["tier.gold.wieght", "weight"]),
        ('[tier.gold]\nweight = "much"', ["tier.gold.weight", "much", "number"]),
        ("[tier.gold]\nweight = 0", ["tier.gold", "above 0"]),
        ("[tier.gold]\nroles = [true]", ["tier.gold.roles", "True", "whole number"]),
        ("[recipe.x]\ntask = 3", ["recipe.x.task", "3", "text, image, interp"]),
        ("a = [", ["config.toml"]),
    ],
)
def test_a_fault_names_key_value_and_what_was_wanted(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(Misconfigured) as caught:
        settings.load(written(tmp_path, text), {})
    for word in words:
        assert word in str(caught.value)


def test_a_default_must_be_a_recipe_of_that_task(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SHIPPED.read_text("utf-8").replace('image = "auto"', 'image = "flow"'), "utf-8")
    with pytest.raises(Misconfigured, match=r"default\.image is “flow”; there are camera"):
        settings.load(path, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"other\.toml is missing"):
        settings.load(tmp_path / "other.toml", {})


@pytest.mark.parametrize(
    "address", ["http://evil.example/api", "https://discord.com.evil/", "http://10.0.0.1/"]
)
def test_addresses_other_than_discords_are_loopback_only(address: str) -> None:
    given = {f"ZOETROPE_DISCORD_{key}": address for key in ("API", "GATEWAY", "CDN")}
    with pytest.raises(Misconfigured, match="must be on this machine"):
        settings.load(SHIPPED, given)


def test_addresses_come_together() -> None:
    with pytest.raises(Misconfigured, match="together"):
        settings.load(SHIPPED, {"ZOETROPE_DISCORD_API": "http://127.0.0.1:1/api"})
    given = {f"ZOETROPE_DISCORD_{key}": f"http://127.0.0.1:1/{key}" for key in ("API", "GATEWAY", "CDN")}
    assert not settings.load(SHIPPED, given).discord.real


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("gateway.silence", "0", "above 0"),
        ("queue.per_guild", "-1", "0 (no cap) or above"),
        ("engine.device", '"gpu"', '"auto", "cuda", "cuda:1", "mps" or "cpu"'),
        ("engine.patience", "0", "above 0"),
        ("engine.patience", "nan", "above 0"),
        ("engine.patience", "inf", "above 0"),
        ("engine.stall", "-1.5", "above 0"),
        ("engine.idle", "-1", "0 (never) or above"),
        ("files.upload", "0", "above 0"),
        ("files.room", "-1", "0 or above"),
        ("files.days", "-1", "0 (all are kept) or above"),
        ("files.clips", "-1", "0 (no bound) or above"),
        ("log.level", '"LOUD"', '"DEBUG", "INFO", "WARNING" or "ERROR"'),
        ("log.format", '"xml"', '"text" or "json"'),
        ("health.port", "65536", "from 0 (off) to 65535"),
        ("tier.everyone.waiting", "0", "above 0"),
        ("tier.everyone.rate", "-1", "above 0"),
        ("tier.everyone.period", "0", "above 0"),
        ("tier.everyone.weight", "inf", "above 0"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, key: str, value: str, wanted: str) -> None:
    *table, name = key.split(".")
    head, tail = SHIPPED.read_text("utf-8").split(f"\n[{'.'.join(table)}]")
    line = re.compile(rf"^{name} = [^ \n]+", re.MULTILINE)
    assert line.search(tail)
    path = tmp_path / "config.toml"
    path.write_text(f"{head}\n[{'.'.join(table)}]{line.sub(f'{name} = {value}', tail, count=1)}", "utf-8")
    with pytest.raises(Misconfigured) as caught:
        settings.load(path, {})
    shown = f"“{value[1:-1]}”" if value[0] == '"' else value
    assert re.fullmatch(
        rf"config\.toml: {re.escape(key)} is {re.escape(shown)}(\.0)?; it must be {re.escape(wanted)}\.",
        str(caught.value),
    )


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:1"])
def test_every_device_that_torch_names_is_taken(tmp_path: Path, device: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SHIPPED.read_text("utf-8").replace('device = "auto"', f'device = "{device}"'), "utf-8")
    assert settings.load(path, {}).engine.device == device
