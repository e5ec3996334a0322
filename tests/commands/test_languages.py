"""Every sentence is there in every language, says the same, and fits where Discord shows it."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from babel.messages.pofile import read_po
from discord import app_commands
from discord.ui import Button, Thumbnail
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.preflight import IN_THREADS, NEEDED
from commands import replies
from commands.catalogues import FOLDER, LANGUAGES, Translator, catalogue
from commands.options import ABOUT
from commands.register import register
from commands.replies import Look, panel
from gen.errors import KINDS, BadRequest
from gen.job import Job, Note
from gen.prompt import FLAGS, MOVES
from gen.recipe import shipped

HERE = Path(__file__).parents[2]
#: Errors that only the command line and the operator's tools show.
APART = ("gen/__main__.py", "gen/shapes")


def called(node: ast.Call) -> str:
    return str(getattr(node.func, "id", getattr(node.func, "attr", "")))


def texts(node: ast.Call, room: str) -> Iterator[str]:
    """The texts for people in one call."""
    name = called(node)
    plain = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
    if name == "Note" or (name in KINDS and name != "Misconfigured"):
        yield from (one for one in plain[:1] if isinstance(one, str))
    elif room == "commands" and name in ("say", "count"):
        yield from (one for one in plain[1:3] if isinstance(one, str))
    elif room == "commands" and name in ("command", "context_menu", "describe", "Group"):
        for keyword in node.keywords:
            own = name in ("command", "Group") and keyword.arg == "name"
            if isinstance(keyword.value, ast.Constant) and not own:
                yield str(keyword.value.value)


@cache
def sources() -> frozenset[str]:
    """All texts for people in the house."""
    found = {*ABOUT.values(), *(flag.takes for flag in FLAGS), *MOVES}
    for named in (panel.NAMES, panel.VALUES, panel.ORIGINS, panel.TITLES):
        found |= {*named.values()}
    found |= {*NEEDED.values(), IN_THREADS}
    found |= {recipe.about for recipe in shipped(HERE / "config.toml").values()}
    for room in ("gen", "db", "commands", "bot"):
        for path in (HERE / room).rglob("*.py"):
            if path.relative_to(HERE).as_posix().startswith(APART):
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    found.update(texts(node, room))
    return frozenset(found)


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing_and_none_is_left_over(language: str) -> None:
    there = set(catalogue(language))
    assert sorted(sources() - there) == [], f"without a translation in commands/languages/{language}.po"
    assert sorted(there - sources()) == [], (
        f"no longer in the source, but in commands/languages/{language}.po"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_translated_twice_or_in_doubt(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        messages = read_po(file)
    assert not messages.obsolete
    assert not [message.id for message in messages if message.id and message.fuzzy]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_names_the_same_values(language: str) -> None:
    for text, translated in catalogue(language).items():
        wanted = names(text) | ({"number"} if "{number}" in translated else set())
        assert names(translated) == wanted, (text, translated)
        assert translated.count("**") % 2 == 0, translated
        assert "!" not in translated and "！" not in translated, translated


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_is_in_that_language(language: str) -> None:
    same = {"Id", "id {id}", "{fps} fps", "{size} MiB"}
    for text, translated in catalogue(language).items():
        if text in same:
            continue
        letters = [letter for letter in translated if "\u3040" <= letter <= "\u9fff"]
        assert letters or text in ("{model}: {pace}", "{name}: {value}"), translated
        kana = [letter for letter in letters if letter <= "\u30ff"]
        assert not (kana and language == "zh-CN"), translated


def lengths(data: Any, path: str = "") -> Iterator[tuple[str, int, str]]:
    """Localised texts in a command as Discord gets it, with the most characters each may have."""
    if isinstance(data, dict):
        for key in ("name", "description"):
            most = 32 if key == "name" and "value" not in data else 100
            for language, text in (data.get(f"{key}_localizations") or {}).items():
                yield f"{path}/{data.get('name')}.{key}.{language}", most, text
        for key, value in data.items():
            yield from lengths(value, f"{path}/{key}")
    elif isinstance(data, list):
        for one in data:
            yield from lengths(one, path)


async def test_commands_are_told_in_every_language_within_discords_limits() -> None:
    client = discord.Client(intents=discord.Intents.none())
    tree = app_commands.CommandTree(client)
    client.tree = tree  # type: ignore[attr-defined]
    recipes = {one.name: replace(one, on=True) for one in shipped(HERE / "config.toml").values()}
    register(client, tree, SimpleNamespace(studio=SimpleNamespace(recipes=recipes)))
    translator = Translator()
    for language in LANGUAGES:
        seen = 0
        for command in tree.get_commands():
            payload = await command.get_translated_payload(tree, translator)
            kind = payload.get("type", 1)
            told = payload.get("description_localizations" if kind == 1 else "name_localizations") or {}
            assert language in told, command.name
            for option in payload.get("options", []):
                assert language in option["description_localizations"], (command.name, option["name"])
                assert not option.get("name_localizations")
            for where, most, text in lengths(payload):
                assert 0 < len(text) <= most, where
                seen += 1
        assert seen > 50
    await client.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_forms_and_buttons_fit(language: str, job: Job) -> None:
    for title, label, note in (replies.remix_form(language), replies.picture_form(language, "x" * 200)):
        assert len(title) <= 45 and len(label) <= 45 and len(note) <= 100
    _, view = replies.card(replies.spoken(job, language))
    assert all(
        0 < len(child.label) <= 14 for child in view.children
    )  # three fit beside each other on a phone


@pytest.fixture
def job() -> Job:
    from gen.job import Asker, Clip, Request, Task

    request = Request(
        recipe="testcard", task=Task.TEXT, prompt="a star", seed=7, width=64, height=64, frames=8, fps=8
    )
    clip = Clip(file="x.mp4", width=64, height=64, frames=8, fps=8, size=9, took=4.2)
    one = Job(id="abc", request=request, asker=Asker(user=1, channel=2, guild=3), words="a star", created=1.0)
    return one.running(1.0).made(clip)


def test_a_refusal_and_a_card_are_told_in_the_persons_language(job: Job) -> None:
    error = BadRequest(
        "-{flag} takes {takes}, not “{value}”.", flag="fps", takes=FLAGS[2].takes, value="Seed"
    )
    assert replies.refused(error, "zh-CN") == "-fps 应为8 到 24 的整数，而不是“Seed”。"
    assert replies.refused(error, "ja") == "-fps に使えるのは8 から 24 の整数です。「Seed」は使えません。"
    assert replies.refused(error, "fr") == "-fps takes a whole number from 8 to 24, not “Seed”."
    text, view = replies.card(replies.spoken(job, "ja"))
    assert "シード `7` · testcard · 64 × 64 · 1 秒" in text
    assert [child.label for child in view.children][:2] == ["もう一度", "作り変える"]


def test_what_was_stepped_down_is_told_in_the_persons_language(job: Job) -> None:
    assert job.clip
    squeezed = Note(
        "{width} × {height} instead of {wide} × {high} to fit the channel's file limit",
        {"width": 48, "height": 32, "wide": 64, "high": 42},
    )
    shorter = Note(
        "{frames} frames instead of {wanted}, which the device's memory could not hold",
        {"frames": 8, "wanted": 16},
    )
    made = replace(job, clip=replace(job.clip, notes=(shorter, squeezed)))
    for language, told in {
        "en-US": f"{shorter} · {squeezed}",
        "zh-CN": "设备内存不足，16 帧减为 8 帧 · 为不超过频道的文件大小上限，从 64 × 42 缩小为 48 × 32",
        "ja": "装置のメモリに収まらないため、16 フレームを 8 フレームに減らしました · "
        "チャンネルのファイルサイズ上限に収めるため、64 × 42 を 48 × 32 に縮小しました",
    }.items():
        assert f"-# {told}" in replies.card(replies.spoken(made, language))[0].splitlines()
        assert f"-# {told}" in replies.parameters(made, language).splitlines()


@given(st.text(max_size=1500) | st.text("\\*_~`|<>[]()@:/# -!1a猫", min_size=1200, max_size=1500))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_every_answer_fits_in_every_language(job: Job, words: str) -> None:
    request = replace(
        job.request, prompt=words, negative=words, camera=("pan up", "pan left"), loop=True, smooth=4
    )
    clip = replace(job.clip, notes=(Note(words), Note("{a}", {"a": words}))) if job.clip else None
    long = replace(
        job, request=request, words=f"{words} -neg {words}", parent="0" * 10, ticket=2**63, clip=clip
    )
    for language in ("en-US", *LANGUAGES):
        told = replies.spoken(long, language)
        said = [
            replies.card(told)[0],
            replies.letter(long, language, link=True)[0],
            replies.parameters(long, language, children=["0" * 10] * 20),
            replies.returned(BadRequest("{name} is empty; send a picture.", name=words), words, language),
            replies.help_(language),
        ]
        assert all(0 < len(text) <= 2000 for text in said)
        assert all(text.count("```") in (0, 2) for text in said)
        look = Look("0" * 10, True, words[:60])
        page = replies.history([told] * 6, language, more=True, look=look, pictured=[told.id])
        assert 0 < page.content_length() <= 4000
        assert page.total_children_count <= 40
        inside = list(page.walk_children())
        assert sum(isinstance(one, Thumbnail) for one in inside) == 6
        assert all(len(one.custom_id) <= 100 for one in inside if isinstance(one, Button))
