"""With a gallery, a clip too large for its channel comes with a link to the whole, or as a link alone."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.gallery.door import BACK
from playground import fixtures, places
from playground.person import Person
from playground.server import Playground
from tests.bot.conftest import CHANGED, _rolls, configured
from tests.bot.hanging import free_port
from tests.running import Bot, running, until_clips

pytest_runtest_makereport = fixtures.pytest_runtest_makereport

LINK = re.compile(r"\]\(<?(http://127\.0\.0\.1:\d+/full/([0-9a-z]+)\.mp4\?[^)>]+)>?\)")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[Playground, Bot]]:
    port = free_port()
    changed = {**CHANGED, "port = 0  # of the page": f"port = {port}  # of the page"}
    async with running(tmp_path, configured(tmp_path, changed)) as (place, bot):
        place.world.consents.redirects.append(f"http://127.0.0.1:{port}{BACK}")
        yield place, bot


async def fetched(address: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return answer.status, await answer.read()


async def shown(place: Playground, channel: int) -> Any:
    """The message of the clip that is linked, once it has its reaction."""

    def found() -> Any:
        told = place.world.last(channel, place.user("Mod").id, 100)
        return next((one for one in told if LINK.search(one["content"]) and _rolls(one)), None)

    return await place.until(found, 40)


async def small_guild(place: Playground, most: int) -> tuple[Person, int]:
    """Someone in a server that takes files of so many bytes, and a channel there."""
    guild = await place.do(places.add_guild, "Small", place.user("Ada"))
    guild.file_limit = most
    channel = await place.do(places.add_channel, guild, "small")
    return place.person("Ada"), channel.id


async def test_the_message_has_a_smaller_clip_and_a_link_to_the_whole(
    scene: tuple[Playground, Bot],
) -> None:
    place, bot = scene
    ada, channel = await small_guild(place, 20_000)
    await ada.slash(channel, "animate", {"prompt": "a red star", "seconds": 3})
    message = await shown(place, channel)
    [file] = message["attachments"]
    assert file["size"] <= 20_000
    link = LINK.search(message["content"])
    assert link
    assert "The whole clip" in message["content"] and re.search(r"<t:\d+:R>", message["content"])
    status, whole = await fetched(link[1])
    assert status == 200 and len(whole) > 20_000 and whole[4:8] == b"ftyp"
    kept = {path.stat().st_size for path in (bot.data / "clips").iterdir()}
    assert kept == {len(whole)}  # the smaller one was for the message alone
    assert (await fetched(link[1].replace("seal=", "seal=x")))[0] == 404
    # Whoever sees the clip again has the link, too.
    again = await (await ada.slash(channel, "show", {"clip": link[2]})).message()
    found = LINK.search(again["content"])
    assert found and again["attachments"][0]["size"] <= 20_000
    assert (await fetched(found[1]))[1] == whole
    # Deleted by Discord's own menu: the bot hears of it, and the link is closed.
    await ada.delete(int(message["id"]))
    async with asyncio.timeout(40):
        while (await fetched(link[1]))[0] != 404:  # noqa: ASYNC110 -- nothing tells when the bot has heard
            await asyncio.sleep(0.05)


async def test_a_clip_that_never_fits_comes_as_a_link_once_whatever_dies(
    scene: tuple[Playground, Bot],
) -> None:
    """The bot dies when the message is there and it does not know yet: it finds it, and sends no other."""
    place, bot = scene
    ada, channel = await small_guild(place, 600)

    def strike() -> bool:
        assert bot.process
        bot.process.kill()
        return True

    sent = place.faults.add("POST", f"/channels/{channel}/messages", strike, when="after")
    await ada.slash(channel, "animate", {"prompt": "a red star"})
    await place.until(lambda: sent.hits == 1, 40)
    assert bot.process
    await bot.process.wait()
    await bot.start()
    message = await shown(place, channel)
    assert message["attachments"] == [] and any("reroll:" in str(row) for row in message["components"])
    link = LINK.search(message["content"])
    assert link and urlsplit(link[1]).path == f"/full/{link[2]}.mp4"
    assert (await fetched(link[1]))[0] == 200  # the key outlives the process
    await place.until(lambda: len(place.world.last(channel, ada.id, 100)) == 1, 40)  # the ticket has gone
    [there] = place.world.last(channel, ada.id, 100)
    assert there["id"] == message["id"]


async def test_what_was_deleted_while_nobody_listened_leaves_everyones_list(
    scene: tuple[Playground, Bot],
) -> None:
    place, bot = scene
    ada, channel = place.person("Ada"), place.channel("clips")
    port = place.world.consents.redirects[0].split("/")[2]

    async def shown_to_everyone() -> int:
        status, body = await fetched(f"http://{port}/api/clips?list=public")
        assert status == 200
        return len(json.loads(body)["clips"])

    for prompt in ("a red star", "a blue star"):
        await ada.slash(channel, "animate", {"prompt": prompt})
    told = await until_clips(place, channel, 2)
    await (await ada.slash(channel, "prefer", {"public": True})).message()
    async with asyncio.timeout(40):
        while await shown_to_everyone() != 2:  # noqa: ASYNC110 -- the ledger hears a moment after the channel
            await asyncio.sleep(0.05)
    assert await bot.stop() == 0
    await ada.delete(int(told[0]["id"]))
    place.expect(10008)
    await bot.start()
    async with asyncio.timeout(40):
        while await shown_to_everyone() != 1:  # noqa: ASYNC110 -- nothing tells when it has looked
            await asyncio.sleep(0.05)
