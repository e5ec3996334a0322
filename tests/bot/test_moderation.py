"""Frames are checked before anyone sees them, and words are left out: through the whole bot."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from db.ledger import Ledger
from gen.job import Job
from playground import places
from playground.permissions import Can
from tests.bot.conftest import CHANGED, Scene, Stage, configured
from tests.gen.models import tiny_check
from tests.gen.models.tiny_check import BLUE, RED
from tests.running import read, running

pytestmark = pytest.mark.timeout(600)  # its engine loads torch, which takes a busy machine minutes
seen = pytest.mark.asyncio(loop_scope="module")

#: The camera over a picture, and the check that finds red ones; and one whose weights are gone.
CHECKED = """
[recipe.seen]
task = "image"
family = "camera"
about = "The camera, checked"
long = 96
seconds = {{ default = 0.5, least = 0.5, most = 2 }}
fps = {{ default = 8, least = 8, most = 8 }}
check = "reds"

[recipe.blind]
task = "image"
family = "camera"
about = "The camera, with a check that is not there"
long = 96
check = "lost"

[check.reds]
family = "classifier"
weights.base = "{folder}"
labels = {{ red = 0.7 }}

[check.lost]
family = "classifier"
weights.base = "weights/none/here"
labels = {{ red = 0.7 }}
"""

POLICY = {**CHANGED, 'words = "refuse" ': 'words = "soften" ', 'image = "auto"': 'image = "seen"'}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One bot for the module; the tests of a server's own policy have servers of their own."""
    folder = tmp_path_factory.mktemp("moderated")
    config = configured(folder, POLICY)
    checked = CHECKED.format(folder=tiny_check.classifier(folder / "reds"))
    config.write_text(config.read_text("utf-8") + checked, "utf-8")
    async with running(folder, config) as (place, bot):
        yield Stage(place, bot)


def drawn(colour: tuple[int, int, int], seed: int = 1) -> tuple[str, bytes]:
    """A picture of that colour, as a person sends it."""
    file = io.BytesIO()
    Image.fromarray(tiny_check.picture(colour, seed, (96, 96))).save(file, "PNG")
    return "picture.png", file.getvalue()


async def animate(scene: Scene, colour: tuple[int, int, int], **options: Any) -> Any:
    return await scene.person.slash(scene.channel, "img2vid", {"image": drawn(colour), **options})


def name(message: dict[str, Any]) -> str:
    return str(message["attachments"][0]["filename"])


async def press(scene: Scene, message: dict[str, Any], deed: str) -> Any:
    buttons = [child["custom_id"] for row in message["components"] for child in row["components"]]
    return await scene.person.press(int(message["id"]), next(one for one in buttons if one.startswith(deed)))


async def restricted(stage: Stage) -> Scene:
    """A scene in an age-restricted channel."""
    scene = await stage.scene()
    await stage.place.do(places.restrict, stage.place.world.channels[scene.channel])
    return scene


async def chosen(stage: Stage, **settings: str) -> Scene:
    """A scene in a server that has chosen these policies: a bot that starts reads what it chose."""
    owner = stage.place.world.users[stage.place.user("Mod").id]
    guild = await stage.place.do(places.add_guild, "a strict house", owner)
    await stage.bot.stop()
    async with Ledger.open(stage.bot.data / "zoetrope.db") as ledger:
        await ledger.people.set_guild(guild.id, settings)
    await stage.bot.start()
    return await stage.scene(guild)


@seen
async def test_what_nothing_is_found_in_is_posted_openly(stage: Stage) -> None:
    scene = await stage.scene()
    await animate(scene, BLUE)
    [clip] = await scene.until_done(timeout=240)
    assert not name(clip).startswith("SPOILER_")


@seen
async def test_what_is_found_stands_behind_a_spoiler_wherever_it_goes(stage: Stage) -> None:
    scene, place = await stage.scene(), stage.place
    await animate(scene, RED)
    [clip] = await scene.until_done(timeout=240)
    assert name(clip).startswith("SPOILER_picture") or name(clip).startswith("SPOILER_seen")
    job = re.search(r"id `(\w+)`", clip["content"])
    assert job
    shown = await scene.person.slash(scene.channel, "show", {"clip": job[1]})
    assert name(await shown.message()).startswith("SPOILER_")
    sent = await press(scene, clip, "letter")
    await sent.message()
    [letter] = await scene.direct()
    assert name(letter).startswith("SPOILER_")
    await press(scene, clip, "reroll")
    await place.until(lambda: len(scene.clips()) == 3, 240)
    assert all(name(one).startswith("SPOILER_") for one in scene.clips())
    assert "check reds: red 0.9" in stage.bot.words and job[1] in stage.bot.words


@seen
async def test_an_age_restricted_channel_shows_it_and_others_still_do_not(stage: Stage) -> None:
    scene = await restricted(stage)
    await animate(scene, RED)
    [clip] = await scene.until_done(timeout=240)
    assert not name(clip).startswith("SPOILER_")
    job = re.search(r"id `(\w+)`", clip["content"])
    assert job
    other = await stage.place.do(places.add_channel, stage.place.guild, "for-everyone")
    shown = await scene.person.slash(other.id, "show", {"clip": job[1]})
    assert name(await shown.message()).startswith("SPOILER_")
    await (await press(scene, clip, "letter")).message()
    [letter] = await scene.direct()
    assert name(letter).startswith("SPOILER_")
    thread = await stage.place.do(
        places.add_thread, stage.place.world.channels[scene.channel], "within",
        stage.place.world.users[scene.person.id],
    )  # fmt: skip
    inside = Scene(stage.place, thread.id, scene.person)
    await animate(inside, RED)
    [clip] = await inside.until_done(timeout=240)
    assert not name(clip).startswith("SPOILER_")


@seen
async def test_a_check_that_cannot_be_asked_lets_nothing_pass(stage: Stage) -> None:
    scene = await stage.scene()
    await animate(scene, BLUE, model="blind")
    await scene.until_text("so none is made; the operator's log says why")
    assert scene.clips() == [] and "does not count against your limit" in scene.texts()[-1]
    assert (
        "check lost cannot be asked, so that no clip passes: The weights weights/none/here are missing"
        in stage.bot.words
    )


@seen
async def test_unwanted_words_are_left_out_and_named_to_the_asker(stage: Stage) -> None:
    scene = await stage.scene()
    await scene.ask("a plum in purple rain -neg PLUMS", model="slow")
    await scene.until_text("left out: ||plum||, ||purple rain||, ||PLUMS||")
    [clip] = await scene.until_done(timeout=240)
    assert "a in grey rain" in clip["content"] and "plum" not in clip["content"].casefold()
    assert name(clip).startswith("a-in-grey-rain")


@seen
async def test_the_start_says_what_is_posted_unseen(stage: Stage) -> None:
    assert "frames are checked: seen by reds, blind by lost; posted unseen: camera, flow" in stage.bot.words
    scene = await stage.scene()
    models = await (await scene.person.slash(scene.channel, "models", {})).message()
    assert "frames checked: reds" in models["content"]


@seen
async def test_a_server_may_be_stricter_and_a_refused_clip_is_nowhere(stage: Stage) -> None:
    scene = await chosen(stage, nsfw="restrict", words="refuse")
    clips = stage.bot.data / "clips"
    kept = set(clips.iterdir())
    await animate(scene, RED)
    await scene.until_text("The check of this model found “red” in the clip", 240)
    [text] = scene.texts()
    assert "the clip was not kept" in text and "It does not count against your limit" in text
    assert set(clips.iterdir()) == kept and scene.clips() == []
    job = re.search(r"id `(\w+)`", text)
    assert job
    found = [line for line in stage.bot.words.splitlines() if job[1] in line]
    assert any("check reds: red 0.9" in line for line in found)
    assert any("check reds: the clip is refused" in line for line in found)
    deed = await scene.ask("a plum")
    assert "not allowed on this bot" in (await deed.message())["content"]
    await stage.place.do(places.restrict, stage.place.world.channels[scene.channel])
    await animate(scene, RED)
    await scene.until_text("id `")
    await stage.place.until(lambda: bool(scene.clips()), 240)
    [clip] = scene.clips()
    assert not name(clip).startswith("SPOILER_")
    number = re.search(r"id `(\w+)`", clip["content"])
    assert number
    other = await stage.place.do(
        places.add_channel, stage.place.world.guilds[guild_of(scene)], "for-everyone"
    )
    shown = await scene.person.slash(other.id, "show", {"clip": number[1]})
    assert "not shown in this channel" in (await shown.message())["content"]


async def found_in(ledger: Ledger, one: Job, channel: int) -> Job:
    """Another clip of the same person, made for an age-restricted channel, in which something was found."""
    assert one.clip
    asker = replace(one.asker, channel=channel, restricted=True, found="show")
    new = Job(id=one.id[::-1], request=one.request, asker=asker, words=one.words, created=one.created)
    await ledger.add(new)
    running = new.running(one.created)
    made = running.made(replace(one.clip, found=("red",)))
    assert await ledger.record(running) and await ledger.record(made)
    return made


async def test_what_is_for_age_restricted_channels_alone_goes_into_no_direct_messages(
    tmp_path: Path,
) -> None:
    """Not by button, by reaction, or for want of its channel. The clips are found ones from the ledger: no
    check is asked for what is made already."""
    config = configured(tmp_path, {**CHANGED, 'nsfw = "spoiler" ': 'nsfw = "restrict" '})
    async with running(tmp_path, config) as (place, bot):
        stage = Stage(place, bot)
        scene, closed = await restricted(stage), await restricted(stage)
        place.expect(50001)
        place.expect(50013)
        for one in (scene, closed):
            await one.ask("a red star")
        clips = [(await one.until_done())[0] for one in (scene, closed)]
        me = place.world.users[place.world.bot_id]
        await bot.stop()
        async with Ledger.open(bot.data / "zoetrope.db") as ledger:
            jobs = [await ledger.by_message(int(clip["id"])) for clip in clips]
            found = [await found_in(ledger, job, job.asker.channel) for job in jobs if job]
        await place.do(places.allow, place.world.channels[closed.channel], me, deny=Can.SEND_MESSAGES)
        await bot.start()
        await place.until(lambda: len(scene.clips()) == 2, 40)
        clip = scene.clips()[1]
        assert found[0].id in clip["content"] and not name(clip).startswith("SPOILER_")

        sent = await press(scene, clip, "letter")
        assert "not shown in this channel" in (await sent.message())["content"]
        await scene.person.react(int(clip["id"]), "✉️")
        door = await scene.person.direct()
        await place.until(lambda: place.world.last(door, scene.person.id, 9))
        [told] = await scene.direct()
        assert "not shown in this channel" in told["content"] and not told["attachments"]
        await press(scene, scene.clips()[0], "letter")  # in which nothing was found
        await place.until(lambda: len(place.world.last(door, scene.person.id, 9)) == 2)

        text = ""
        async with asyncio.timeout(40):
            while "kept; it could not be sent" not in text:
                text = read(await (await closed.person.slash(scene.channel, "history")).message())
        assert "a clip that is not for everyone does not go into direct messages" in bot.words
        assert await closed.direct() == []
        again = await closed.person.slash(scene.channel, "show", {"clip": found[1].id})
        assert name(await again.message())


def guild_of(scene: Scene) -> int:
    guild = scene.place.world.channels[scene.channel].guild_id
    assert guild
    return guild
