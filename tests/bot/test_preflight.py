"""What is refused is refused before any work: at once, in private, with the fix; nothing is left."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.preflight import MIB, Preflight, demand
from gen.errors import BadRequest, NotAllowed
from gen.layers import Words
from gen.prompt import Ask
from playground import places
from playground.permissions import Can
from tests.bot.conftest import Scene, Stage
from tests.running import picture

STAR = Ask(prompt="a star")

seen = pytest.mark.asyncio(loop_scope="module")


async def refused(scene: Scene, deed: Any, began: float) -> str:
    """What the person alone was told, within a second, while the channel saw nothing."""
    before = len(scene.texts())

    def told() -> list[Any]:
        return [one for one in (deed.original, *deed.followups) if one and not one["flags"] & 128]

    await scene.place.until(lambda: bool(told()))
    assert time.monotonic() - began < 1
    answer = told()[-1]
    assert answer["flags"] & 64, answer
    assert len(scene.texts()) <= before
    text: str = answer["content"]
    return text


@seen
@pytest.mark.parametrize(
    ("right", "name"),
    [
        (Can.SEND_MESSAGES, "Send Messages"),
        (Can.ATTACH_FILES, "Attach Files"),
        (Can.READ_MESSAGE_HISTORY, "Read Message History"),
        (Can.VIEW_CHANNEL, "View Channel"),
    ],
)
async def test_a_missing_permission_is_named(stage: Stage, right: Can, name: str) -> None:
    scene, place = await stage.scene(), stage.place
    channel, me = place.world.channels[scene.channel], place.world.users[place.world.bot_id]
    await place.do(places.allow, channel, me, deny=right)
    began = time.monotonic()
    text = await refused(scene, await scene.ask(), began)
    assert "ask a moderator to give me" in text and name in text
    assert scene.texts() == []


@seen
async def test_a_thread_has_a_permission_of_its_own(stage: Stage) -> None:
    scene, place = await stage.scene(), stage.place
    channel, me = place.world.channels[scene.channel], place.world.users[place.world.bot_id]
    owner = place.world.users[scene.person.id]
    thread = await place.do(places.add_thread, channel, "a thread", owner)
    await place.do(places.allow, channel, me, deny=Can.SEND_MESSAGES_IN_THREADS)
    inside = Scene(place, thread.id, scene.person)
    began = time.monotonic()
    assert "Send Messages in Threads" in await refused(inside, await inside.ask(), began)
    await place.do(places.allow, channel, me)
    await inside.ask()
    await inside.until_done()


@seen
async def test_a_missing_reaction_is_a_note_once_and_no_refusal(stage: Stage) -> None:
    scene, place = await stage.scene(), stage.place
    channel, me = place.world.channels[scene.channel], place.world.users[place.world.bot_id]
    await place.do(places.allow, channel, me, deny=Can.ADD_REACTIONS)
    place.expect(50013, f"/channels/{scene.channel}/messages/*/reactions/*")
    first = await scene.ask()
    await place.until(lambda: bool(first.followups))
    [note] = first.followups
    assert note["flags"] & 64 and "a moderator can give me Add Reactions" in note["content"]
    await place.until(lambda: len(scene.clips()) == len(scene.texts()) == 1)
    second = await scene.ask()
    await place.until(lambda: len(scene.clips()) == len(scene.texts()) == 2)
    assert second.followups == []


@seen
async def test_a_button_and_a_reaction_are_held_to_the_same_permissions(stage: Stage) -> None:
    scene, place = await stage.scene(), stage.place
    await scene.ask()
    [clip] = await scene.until_done()
    channel, me = place.world.channels[scene.channel], place.world.users[place.world.bot_id]
    await place.do(places.allow, channel, me, deny=Can.ATTACH_FILES)
    buttons = [child["custom_id"] for row in clip["components"] for child in row["components"]]
    again = next(one for one in buttons if one.startswith("reroll:"))
    began = time.monotonic()
    assert "Attach Files" in await refused(scene, await scene.person.press(int(clip["id"]), again), began)
    await scene.person.react(int(clip["id"]), "🔁")
    door = await scene.person.direct()
    await place.until(lambda: bool(place.world.last(door, scene.person.id, 10)))
    [word] = await scene.direct()
    assert "Attach Files" in word["content"]
    assert len(scene.texts()) == 1


@seen
@pytest.mark.parametrize("prompt", ["a PLUMS' garden", "Purple\n  Rain", "ｐｌｕｍ", "pl\u200bum"])
async def test_words_are_refused_without_being_repeated(stage: Stage, prompt: str) -> None:
    scene = await stage.scene()
    began = time.monotonic()
    text = await refused(scene, await scene.ask(prompt), began)
    assert "not allowed on this bot" in text
    assert "plum" not in text.casefold() and "purple" not in text.casefold()
    assert scene.texts() == []


@seen
async def test_a_picture_that_was_swept_is_missed_at_the_press(stage: Stage) -> None:
    scene = await stage.scene()
    image = picture(seed=99)
    await scene.person.slash(scene.channel, "img2vid", {"image": ("a.png", image), "seconds": 1})
    [clip] = await scene.until_done()
    for path in (stage.bot.data / "pictures").iterdir():
        path.unlink()
    buttons = [child["custom_id"] for row in clip["components"] for child in row["components"]]
    again = next(one for one in buttons if one.startswith("reroll:"))
    began = time.monotonic()
    text = await refused(scene, await scene.person.press(int(clip["id"]), again), began)
    assert text.startswith("The picture of that clip is no longer kept; send it again")
    assert len(scene.clips()) == 1


def test_a_full_disk_takes_no_clips(tmp_path: Path) -> None:
    Preflight(tmp_path, room=500, free=lambda _: 500 * MIB)(STAR, Words.REFUSE)
    with pytest.raises(NotAllowed, match="disk is nearly full"):
        Preflight(tmp_path, room=500, free=lambda _: 500 * MIB - 1)(STAR, Words.REFUSE)
    with pytest.raises(NotAllowed, match="disk is nearly full"):
        Preflight(tmp_path, room=2**40)(STAR, Words.REFUSE)  # what the real disk has not


def test_pictures_must_be_kept(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").touch()
    judge = Preflight(tmp_path, room=0)
    judge(STAR, Words.REFUSE, ["a.png"])
    with pytest.raises(BadRequest, match="no longer kept"):
        judge(STAR, Words.REFUSE, ["a.png", "b.png"])


def test_all_that_is_missing_is_named_at_once() -> None:
    has = discord.Permissions(view_channel=True)
    with pytest.raises(NotAllowed, match="Send Messages, Attach Files, Read Message History in this channel"):
        demand(has, thread=False)
    with pytest.raises(NotAllowed, match="Attach Files, Read Message History, Send Messages in Threads"):
        demand(has, thread=True)
    demand(discord.Permissions.all(), thread=True)
