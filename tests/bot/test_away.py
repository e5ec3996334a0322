"""Where the bot is no member: brought along by a person, it answers there while it may."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from playground import places
from playground.filling import Impossible
from tests.bot.conftest import CHANGED, Scene, Stage, configured
from tests.running import read, running
from tests.speaking import PRIVATE, button, pressed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def abroad(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("abroad")
    async with running(folder, configured(folder, CHANGED)) as (place, bot):
        yield Stage(place, bot)


async def scene_in(stage: Stage, *, installed: bool = True) -> Scene:
    """A server without the bot, and someone there who brought it along."""
    owner = stage.place.user("Ben")
    guild = await stage.place.do(places.add_guild, f"Elsewhere {stage.count}", owner, with_bot=False)
    scene = await stage.scene(guild)
    if installed:
        await stage.place.do(places.install, stage.place.world.users[scene.person.id])
    return scene


def seen(scene: Scene, channel: int | None = None) -> list[Any]:
    return scene.place.world.last(channel or scene.channel, scene.person.id, 50)


async def until_clips(scene: Scene, count: int, channel: int | None = None, timeout: float = 40) -> list[Any]:
    def found() -> list[Any]:
        return [one for one in seen(scene, channel) if one["attachments"]]

    await scene.place.until(lambda: len(found()) >= count, timeout)
    return found()


async def test_who_did_not_bring_it_along_is_offered_nothing(abroad: Stage) -> None:
    scene = await scene_in(abroad, installed=False)
    with pytest.raises(Impossible, match="no command animate"):
        await scene.ask()
    scene = await scene_in(abroad)
    with pytest.raises(Impossible, match="no command admin"):
        await scene.person.slash(scene.channel, "admin status")


async def test_the_answer_becomes_the_clip_and_its_buttons_work(abroad: Stage) -> None:
    scene = await scene_in(abroad)
    await scene.ask("a red star", seed=7)
    [clip] = await until_clips(scene, 1)
    assert len(seen(scene)) == 1
    assert "**a red star**" in clip["content"] and "reactions" not in clip
    assert set(clip["interaction_metadata"]["authorizing_integration_owners"]) == {"1"}
    other = await abroad.place.do(places.add_person, "bystander", abroad.place.world.guilds[_guild(scene)])
    stranger = abroad.place.person("bystander")
    assert stranger.id == other.id
    info = await (await stranger.press(int(clip["id"]), button(clip, "info"))).message()
    assert "Seed: `7`" in info["content"]
    await pressed(stranger, clip, "reroll")
    clips = await until_clips(scene, 2)
    assert clips[1]["content"].startswith(f"<@{stranger.id}>")
    await pressed(scene.person, clip, "delete")
    await abroad.place.until(lambda: len(seen(scene)) == 1)


def _guild(scene: Scene) -> int:
    return int(scene.place.world.channels[scene.channel].guild_id or 0)


async def test_it_works_in_a_private_channel_among_people(abroad: Stage) -> None:
    scene = await scene_in(abroad)
    world = abroad.place.world
    group = await abroad.place.do(
        places.add_group, "we two", world.users[scene.person.id], abroad.place.user("Cyd")
    )
    scene.channel = group.id
    await scene.ask("a boat")
    await until_clips(scene, 1)
    deed = await scene.person.slash(group.id, "history")
    assert "a boat" in read(await deed.message())


async def test_among_people_only_the_owner_deletes_a_clip_and_a_private_one_stays_private(
    abroad: Stage,
) -> None:
    scene = await scene_in(abroad)
    world, ben = abroad.place.world, abroad.place.person("Ben")
    group = await abroad.place.do(
        places.add_group, "we two", world.users[scene.person.id], world.users[ben.id]
    )
    scene.channel = group.id
    await scene.ask("a boat")
    [clip] = await until_clips(scene, 1)
    deed = await pressed(ben, clip, "delete")
    await abroad.place.until(lambda: deed.followups)
    assert "someone else's" in deed.followups[0]["content"] and deed.followups[0]["flags"] & PRIVATE
    assert [one["id"] for one in seen(scene)] == [clip["id"]]
    await pressed(scene.person, clip, "delete")
    await abroad.place.until(lambda: not seen(scene))

    await scene.ask("a secret", private=True)
    [secret] = await until_clips(scene, 1, await scene.person.direct())
    job = button(secret, "info").partition(":")[2]
    shown = await (await scene.person.slash(group.id, "show", {"clip": job})).message()
    assert shown["attachments"] and shown["flags"] & PRIVATE


async def test_after_a_kill_the_clip_still_comes_once(abroad: Stage) -> None:
    scene = await scene_in(abroad)
    await scene.ask("at work", model="slow", seconds=5)
    await abroad.place.until(lambda: any("step" in one["content"] for one in seen(scene)), 30)
    await abroad.bot.kill()
    abroad.place.expect(429, "*")  # the new process does not know what the old one used up
    await abroad.bot.start()
    [clip] = await until_clips(scene, 1)
    assert "**at work**" in clip["content"]
    await scene.ask("next")
    await until_clips(scene, 2)
    assert len(seen(scene)) == 2


async def test_cancelled_by_its_button(abroad: Stage) -> None:
    scene = await scene_in(abroad)
    deed = await scene.ask("for ever", model="endless")
    await pressed(scene.person, await deed.message(), "cancel")
    await abroad.place.until(lambda: any("Cancelled" in one["content"] for one in seen(scene)))


async def test_what_would_come_too_late_is_refused_with_the_reason(abroad: Stage) -> None:
    crowd = [await abroad.scene() for _ in range(10)]
    tickets = []
    for one in crowd:
        for _ in range(5):  # a model that was never measured counts 20 s
            tickets.append((one, await (await one.ask("for ever", model="endless")).message()))
    scene = await scene_in(abroad)
    await scene.ask("first in turn", model="endless")
    refused = await (await scene.ask("second", model="endless")).message()
    assert "for 15 minutes only" not in refused["content"], "fairness lets it come in time"
    for number in range(3):
        refused = await (await scene.ask(f"more {number}", model="endless")).message()
    for one, ticket in tickets:
        await pressed(one.person, ticket, "cancel")
    for message in seen(scene):
        if message["components"]:
            await pressed(scene.person, message, "cancel")
    assert "minutes, and where I am no member I can answer for 15 minutes only" in refused["content"]
    private = await scene.ask("privately", private=True)
    assert "[direct message]" in (await private.message())["content"]
    await until_clips(scene, 1, await scene.person.direct(), 60)


async def test_a_clip_that_is_too_late_comes_by_direct_message_or_is_kept(abroad: Stage) -> None:
    scene, closed = await scene_in(abroad), await scene_in(abroad)
    await closed.person.close_direct()
    abroad.place.expect(401, "/webhooks/*")
    abroad.place.expect(403, "/channels/*")
    for one in (closed, scene):  # when the second clip is there, the first was tried
        deed = await one.ask("a slow boat", model="slow")
        await deed.message()
    lives = abroad.place.world.token_lives
    abroad.place.world.token_lives = 0.0
    try:
        [clip] = await until_clips(scene, 1, await scene.person.direct())
        assert "**a slow boat**" in clip["content"]
    finally:
        abroad.place.world.token_lives = lives
    began = time.monotonic()
    while True:
        text = read(await (await closed.person.slash(closed.channel, "history")).message())
        if "kept; it could not be sent" in text:
            break
        assert time.monotonic() - began < 40, text
    job = text.split("id `")[1].split("`")[0]
    shown = await (await closed.person.slash(closed.channel, "show", {"clip": job})).message()
    assert shown["attachments"]
