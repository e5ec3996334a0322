"""Which channels a gallery may show everyone: by a real client, as Discord tells of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import discord
import pytest

from bot.client import Client
from bot.gallery.hall import everyones
from playground import fixtures, places
from playground.permissions import Can
from playground.server import Playground
from tests.playground.conftest import point

place = fixtures.place
pytest_runtest_makereport = fixtures.pytest_runtest_makereport


async def test_what_all_members_see_is_open_and_nothing_else(
    place: Playground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point(place, monkeypatch)
    guild, world = place.guild, place.world
    hidden = await place.do(places.add_channel, guild, "staff")
    await place.do(places.allow, hidden, world.roles[guild.id], deny=Can.VIEW_CHANNEL)
    adult = await place.do(places.add_channel, guild, "adult")
    await place.do(places.restrict, adult)
    seen = await place.do(places.add_thread, place.place("clips"), "talk", place.user("Ada"))
    unseen = await place.do(places.add_thread, hidden, "staff talk", place.user("Ada"))
    async with Client() as client:
        await client.enter(place.token)
        connected = asyncio.create_task(client.listen(), name="client")
        await asyncio.wait_for(client.wait_until_ready(), 40)
        clips = place.channel("clips")
        assert everyones(client, guild.id, clips) and everyones(client, guild.id, seen.id)
        for channel in (hidden.id, adult.id, unseen.id, 12345):
            assert not everyones(client, guild.id, channel)
        assert not everyones(client, 12345, clips)
        changed = asyncio.create_task(client.wait_for("guild_channel_update", timeout=40))
        await asyncio.sleep(0)  # it listens
        await place.do(places.restrict, place.place("clips"))  # it becomes age-restricted
        await changed
        assert not everyones(client, guild.id, clips) and not everyones(client, guild.id, seen.id)
        await client.close()
        connected.cancel()
        await asyncio.gather(connected, return_exceptions=True)
    assert isinstance(client, discord.Client)
