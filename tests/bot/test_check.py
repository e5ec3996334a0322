"""`python -m bot check` says a line for each finding, and for what is wrong, the fix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot import check
from bot.settings import Settings, load
from gen.errors import ZoetropeError
from gen.machine import Device
from playground.server import Playground
from tests.running import ROOT

CONFIG = ROOT / "config.toml"


def settings(data: Path, **environ: str) -> Settings:
    return load(CONFIG, {"ZOETROPE_DATA": str(data), **environ})


async def test_all_is_well(tmp_path: Path) -> None:
    lines: list[str] = []
    async with Playground() as place:
        code = await check.report(CONFIG, {**place.environ, "ZOETROPE_DATA": str(tmp_path)}, lines.append)
        token = place.token
    assert code == 0, lines
    assert [line.split()[0] for line in lines] == ["settings", *check.FINDINGS]
    assert all(line[11:].startswith("ok: ") for line in lines), lines
    assert "Discord knows it as zoetrope" in lines[1]
    assert not any(token in line for line in lines)


async def test_a_token_that_is_missing_wrong_or_cannot_be_tried(tmp_path: Path) -> None:
    find = check.FINDINGS["token"]
    with pytest.raises(ZoetropeError, match="DISCORD_TOKEN is not set; make a bot"):
        await find(settings(tmp_path))
    async with Playground() as place:
        here = settings(tmp_path, **place.environ)
        place.expect(401)
        with pytest.raises(ZoetropeError, match="does not accept DISCORD_TOKEN; copy it anew"):
            await find(replace(here, token="wrong"))
        place.faults.add("GET", "/users/@me", 503)
        with pytest.raises(ZoetropeError, match="Discord cannot be reached: 503"):
            await find(here)
    with pytest.raises(ZoetropeError, match="Discord cannot be reached"):
        await find(here)  # nobody is there any more


async def test_what_is_wrong_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    taken = tmp_path / "data"
    taken.write_text("a file where the folder should be")
    lines: list[str] = []
    code = await check.report(CONFIG, {"ZOETROPE_DATA": str(taken)}, lines.append)
    assert code == 1
    said = {line.split()[0]: line[11:] for line in lines}
    assert said["settings"].startswith("ok")
    assert said["folders"].endswith("data cannot be written; set ZOETROPE_DATA.")
    assert "cannot be used" in said["database"]
    assert said["disk"].startswith("ok")
    assert "Not a directory" in said["engine"]
    assert not any("Traceback" in line for line in lines)


async def test_a_settings_file_that_cannot_be_read_is_the_only_finding(tmp_path: Path) -> None:
    lines: list[str] = []
    assert await check.report(tmp_path / "none.toml", {}, lines.append) == 1
    assert lines == ["settings   none.toml is missing; the project ships one."]


async def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    here = settings(tmp_path)
    with pytest.raises(ZoetropeError, match=r"\d+ MiB are free and 1125899906842624 are wanted"):
        await check.FINDINGS["disk"](replace(here, files=replace(here.files, room=2**50)))


async def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "zoetrope.db").write_bytes(b"not a database " * 100)
    with pytest.raises(ZoetropeError, match=r"not a database\. Move that file away"):
        await check.FINDINGS["database"](settings(tmp_path))


def test_the_engine_in_one_line() -> None:
    bare = Device(torch="", kind="cpu", name="cpu", total=0.0, free=0.0, h264=True)
    assert check.engine(bare) == "no torch, cpu, H.264"
    card = Device(torch="2.9", kind="cuda", name="cuda:0 NVIDIA H100", total=79.6, free=70.25, h264=True)
    assert check.engine(card) == "torch 2.9, cuda:0 NVIDIA H100, 70.2 of 79.6 GiB free, H.264"
    with pytest.raises(ZoetropeError, match=r"install av from requirements\.txt"):
        check.engine(replace(bare, h264=False))
