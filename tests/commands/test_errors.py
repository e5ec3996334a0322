"""What people read of an error, and what only the log does."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import aiohttp
import discord
import pytest
from discord import app_commands

from commands.echoes import BRIEF, LONG, Echoes
from commands.errors import persist, sentence
from gen.errors import LaneFull


def refusal(kind: type[discord.HTTPException], status: int, code: int) -> discord.HTTPException:
    """What discord.py raises for an answer of Discord's."""
    return kind(SimpleNamespace(status=status, reason="x"), {"code": code, "message": "no"})


@pytest.mark.parametrize(
    ("error", "words", "level"),
    [
        (LaneFull("You have {n} clips.", n=5), "You have 5 clips.", None),
        (app_commands.CommandNotFound("old", []), "This command has changed", None),
        (refusal(discord.Forbidden, 403, 50013), "Discord does not let me do that here", "WARNING"),
        (refusal(discord.HTTPException, 400, 50035), "Discord did not take my answer", "WARNING"),
        (aiohttp.ServerDisconnectedError(), "Discord did not take my answer", "WARNING"),
        (ZeroDivisionError("secret"), "Something broke inside the bot", "ERROR"),
    ],
)
def test_an_error_is_a_sentence_and_what_nobody_there_can_mend_is_logged(
    error: Exception, words: str, level: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    text = sentence("en-US", error)
    assert text.startswith(words)
    assert "secret" not in text
    assert [record.levelname for record in caplog.records] == ([level] if level else [])
    assert (level == "ERROR") == any(record.exc_info and level == "ERROR" for record in caplog.records)


async def test_a_cut_connection_is_tried_once_more_and_no_other_error_is() -> None:
    faults: list[Exception] = []
    calls = 0

    async def call() -> str:
        nonlocal calls
        calls += 1
        if faults:
            raise faults.pop(0)
        return "done"

    faults += [aiohttp.ServerDisconnectedError()]
    assert (await persist(call), calls) == ("done", 2)
    faults += [aiohttp.ServerDisconnectedError(), ConnectionResetError()]
    with pytest.raises(ConnectionResetError):
        await persist(call)
    calls, faults = 0, [refusal(discord.NotFound, 404, 10062)]
    with pytest.raises(discord.NotFound):
        await persist(call)
    assert calls == 1


def test_an_echo_is_known_for_its_time_only() -> None:
    now = 0.0
    echoes = Echoes(lambda: now)
    assert [echoes.heard("a"), echoes.heard("a"), echoes.heard("b")] == [False, True, False]
    assert [echoes.heard("r", BRIEF), echoes.heard("r", BRIEF)] == [False, True]
    now = BRIEF + 0.1
    assert [echoes.heard("r", BRIEF), echoes.heard("a")] == [False, True]
    now += LONG
    assert [echoes.heard("a"), echoes.heard("r", BRIEF)] == [False, False]
