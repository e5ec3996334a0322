"""What people type, press and react with, against the real bot: real discord.py, ledger, line and engine.

One bot serves all tests of this file; each test speaks of clips of its own.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from playground.server import Playground
from tests.running import Bot, picture, read, running
from tests.speaking import (
    PRIVATE,
    button,
    buttons,
    clip,
    clips_of,
    history,
    made,
    newcomer,
    pressed,
    refusal,
    shown,
    ticket_of,
    until_clip,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = " -seconds 10 -fps 24"  # some seconds of work


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Playground, Bot]]:
    async with running(tmp_path_factory.mktemp("house")) as pair:
        yield pair


@pytest.fixture
def place(house: tuple[Playground, Bot]) -> Playground:
    return house[0]


@pytest.fixture
def channel(place: Playground) -> int:
    return place.channel("clips")


# --- making clips


async def test_a_prompt_becomes_a_clip_that_mentions_its_owner_and_the_ticket_goes(
    place: Playground, channel: int
) -> None:
    ada = place.person("Ada")
    deed = await ada.slash(channel, "animate", {"prompt": "a *red* star -ar 1:1 -seed 7 -gs 7"})
    ticket = await deed.message()
    assert ticket["content"].startswith(r"**a \*red\* star** · <@")
    assert ticket["mentions"] == [] or ticket["flags"] == 0
    assert [one.split(":")[0] for one in buttons(ticket)] == ["cancel"]

    message = await until_clip(place, channel, ada, "star")
    assert [one["id"] for one in message["mentions"]] == [str(ada.id)]
    assert message["attachments"][0]["filename"] == "a-red-star_seed7.mp4"
    assert "seed `7` · testcard · 480 × 480" in message["content"]
    deeds = ["reroll", "remix", "info", "letter", "keep", "delete"]
    assert [one.split(":")[0] for one in buttons(message)] == deeds
    await place.until(lambda: deed.original is None)


async def test_nobody_is_mentioned_by_what_is_typed(place: Playground, channel: int) -> None:
    ada, ben = place.person("Ada"), place.person("Ben")
    deed = await ada.slash(channel, "animate", {"prompt": f"@everyone look <@{ben.id}> ping"})
    ticket = await deed.message()
    assert not ticket["mention_everyone"]
    message = await until_clip(place, channel, ada, "look")
    assert not message["mention_everyone"]
    assert [one["id"] for one in message["mentions"]] == [str(ada.id)]


async def test_a_prompt_with_an_image_is_a_picture_in_motion(place: Playground, channel: int) -> None:
    ada = place.person("Ada")
    await ada.slash(
        channel,
        "animate",
        {"prompt": "by the sea", "image": ("photo.png", picture()), "camera": "zoom out", "seconds": 1.0},
    )
    message = await until_clip(place, channel, ada, "by the sea")
    assert " · camera · " in message["content"]
    assert "-camera zoom out" in message["content"]


async def test_img2vid_needs_no_words(place: Playground, channel: int) -> None:
    ada = place.person("Ada")
    await ada.slash(channel, "img2vid", {"image": ("photo.jpg", picture(kind="JPEG")), "seconds": 1.0})
    message = await until_clip(place, channel, ada, "A picture in motion")
    assert re.fullmatch(r"camera_seed\d+\.mp4", message["attachments"][0]["filename"])


async def test_interp_turns_one_picture_into_the_other(place: Playground, channel: int) -> None:
    ada = place.person("Ada")
    first, last = ("a.png", picture(seed=1)), ("b.webp", picture(seed=2, kind="WEBP"))
    await ada.slash(channel, "interp", {"first": first, "last": last, "seconds": 1.0, "loop": True})
    message = await until_clip(place, channel, ada, "One picture into the other")
    assert " · flow · " in message["content"]
    assert "-loop" in message["content"]


async def test_a_private_clip_comes_by_direct_message_and_leaves_no_trace_in_the_channel(
    place: Playground, channel: int
) -> None:
    ben = place.person("Ben")
    deed = await ben.slash(channel, "animate", {"prompt": "a secret", "private": True})
    direct = await ben.direct()
    message = await until_clip(place, direct, ben, "a secret")
    assert buttons(message)
    answer = await deed.message()
    assert answer["flags"] & PRIVATE
    assert (
        answer["content"]
        == f"Your clip comes as a [direct message](https://discord.com/channels/@me/{direct})."
    )
    await place.until(lambda: len(shown(place, direct, ben)) == 1)  # the ticket has gone
    assert not any("secret" in one["content"] for one in shown(place, channel, place.person("Ada")))

    await pressed(ben, message, "reroll")
    await place.until(lambda: sum(bool(one["attachments"]) for one in shown(place, direct, ben)) == 2)


async def test_all_works_in_direct_messages(place: Playground) -> None:
    pia = await newcomer(place, "Pia")
    direct = await pia.direct()
    message = await made(place, direct, pia, "just us")
    await pia.react(int(message["id"]), "🔁")
    await place.until(lambda: clips_of(place, direct, pia, "just us") == 2)
    assert "/channels/@me/" in await history(pia, direct)


async def test_a_private_clip_is_refused_where_direct_messages_are_closed(
    place: Playground, channel: int
) -> None:
    eve = await newcomer(place, "Eve")
    await eve.close_direct()
    place.expect(50007)
    deed = await eve.slash(channel, "animate", {"prompt": "a secret", "private": True})
    assert "direct messages are closed" in (await deed.message())["content"]
    assert (await history(eve, channel)) == "You have no clips yet; /animate makes one."


# --- refusals


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": "a star -fps 99"}, "-fps takes a whole number from 8 to 24, not “99”."),
        ({"prompt": "a star -zoom"}, "-zoom is no flag I know"),
        ({"prompt": "-seed 7"}, "The prompt has no words"),
        ({"prompt": "a star", "model": "nonesuch"}, "There is no model nonesuch"),
        ({"prompt": "a star", "model": "camera"}, "The model camera is for another command"),
        ({"prompt": "a star", "model": "@everyone"}, "-model takes the name of a model"),
        ({"prompt": "a star", "seconds": 20.0}, "testcard takes -seconds from 0.5 to 10, not 20."),
        ({"prompt": "a", "image": ("notes.pdf", b"%PDF-1.7", "application/pdf")}, "notes.pdf is no picture"),
        ({"prompt": "a", "image": ("empty.png", b"")}, "empty.png is empty"),
    ],
)
async def test_what_cannot_be_made_is_refused_at_once_and_in_private(
    place: Playground, channel: int, options: dict[str, Any], words: str
) -> None:
    deed = await place.person("Mod").slash(channel, "animate", options)
    text = await refusal(place, deed)
    assert text.startswith(words)
    assert "!" not in text
    assert (await history(place.person("Mod"), channel)).startswith("You have no clips yet")


async def test_a_broken_picture_is_refused_in_private_and_the_thinking_goes(
    place: Playground, channel: int
) -> None:
    cyd = place.person("Mod")
    good, bad = ("a.png", picture()), ("b.png", b"%PDF-1.7 no picture at all")
    before = len(shown(place, channel, place.person("Ada")))
    deed = await cyd.slash(channel, "interp", {"first": good, "last": bad})
    assert "b.png" in await refusal(place, deed, late=True)
    assert len(shown(place, channel, place.person("Ada"))) == before
    deed = await cyd.slash(channel, "img2vid", {"image": bad, "private": True})
    await place.until(lambda: deed.original and "b.png" in deed.original["content"])
    assert shown(place, await cyd.direct(), cyd) == []
    assert (await history(cyd, channel)).startswith("You have no clips yet")


async def test_a_channel_where_the_bot_may_not_speak_is_refused_by_name(place: Playground) -> None:
    deed = await place.person("Ada").slash(place.channel("quiet"), "animate", {"prompt": "a star"})
    assert "Send Messages" in await refusal(place, deed)


# --- the line


async def test_a_full_lane_is_refused_shown_and_emptied(place: Playground, channel: int) -> None:
    fay = await newcomer(place, "Fay")
    ben = place.person("Ben")
    for number in range(7):
        deed = await fay.slash(channel, "animate", {"prompt": f"long {number}{LONG}"})
        await deed.settled()
        if deed.original and deed.original["flags"] & PRIVATE:
            break
        await deed.message()
    assert "You already have 5 clips waiting" in await refusal(place, deed)

    line = await (await fay.slash(channel, "queue")).message()
    assert line["flags"] & PRIVATE
    assert "**long 1**" in line["content"]
    theirs = (await (await ben.slash(channel, "queue")).message())["content"]
    assert "long" not in theirs
    assert "someone's clip" in theirs
    assert "None of them is yours" in theirs

    offered = await fay.complete(channel, "cancel", {}, "clip")
    assert len(offered) >= 5
    assert offered[0]["name"].startswith(f"long {number - 1} · waiting · ")
    assert await ben.complete(channel, "cancel", {}, "clip") == []
    assert len(await fay.complete(channel, "cancel", {"clip": "long 3"}, "clip")) == 1

    deed = await fay.slash(channel, "cancel")
    assert (await deed.message())["content"].startswith(f"**long {number - 1}** is cancelled")
    third = next(one for one in offered if one["name"].startswith("long 3"))
    deed = await fay.slash(channel, "cancel", {"clip": third["value"]})
    assert (await deed.message())["content"].startswith("**long 3** is cancelled")

    stranger = await ben.slash(channel, "cancel", {"clip": offered[1]["value"]})
    assert "someone else's" in (await stranger.message())["content"]
    moderator = await place.person("Mod").slash(channel, "cancel", {"clip": offered[1]["value"]})
    assert "is cancelled" in (await moderator.message())["content"]

    for _ in range(6):
        deed = await fay.slash(channel, "cancel")
        if "no clip in the line" in (await deed.message())["content"]:
            break
    assert "no clip in the line" in (await deed.message())["content"]
    await place.until(lambda: not any("long" in one["content"] and "ahead" in one["content"]
                                      for one in shown(place, channel, fay)))  # fmt: skip


async def test_the_button_on_a_ticket_cancels_for_its_owner_alone(place: Playground, channel: int) -> None:
    gil = await newcomer(place, "Gil")
    deed = await gil.slash(channel, "animate", {"prompt": f"a slow boat{LONG}"})
    ticket = await deed.message()
    stranger = await pressed(place.person("Ben"), ticket, "cancel")
    await place.until(lambda: stranger.followups)
    assert stranger.followups[0]["flags"] & PRIVATE
    assert "someone else's" in stranger.followups[0]["content"]
    await pressed(gil, ticket, "cancel")
    cancelled = "Cancelled; it does not count"
    await place.until(lambda: deed.original and cancelled in deed.original["content"])
    assert deed.original
    assert buttons(deed.original) == []


async def test_a_cross_on_a_ticket_cancels_for_owner_and_moderator(place: Playground, channel: int) -> None:
    hal = await newcomer(place, "Hal")
    deed = await hal.slash(channel, "animate", {"prompt": f"a slow train{LONG}"})
    ticket = await deed.message()
    await place.person("Ben").react(int(ticket["id"]), "❌")
    await place.person("Mod").react(int(ticket["id"]), "❌")
    await place.until(lambda: deed.original and "Cancelled;" in deed.original["content"])


# --- after the clip


async def test_anyone_rolls_a_clip_again_by_button_or_reaction(place: Playground, channel: int) -> None:
    ada, ben, ivy = place.person("Ada"), place.person("Ben"), await newcomer(place, "Ivy")
    parent = await made(place, channel, ada, "rolling stone")
    deed = await pressed(ben, parent, "reroll")
    assert (await deed.message())["content"].startswith(f"**rolling stone** · <@{ben.id}>")
    await ivy.react(int(parent["id"]), "🔄")
    bens = await until_clip(place, channel, ben, "rolling stone")
    ivys = await until_clip(place, channel, ivy, "rolling stone")
    names = {one["attachments"][0]["filename"] for one in (parent, bens, ivys)}
    assert len(names) == 3
    job = button(parent, "reroll").split(":")[1]
    assert f"from clip `{job}`" in ivys["content"]


async def test_a_reroll_that_is_refused_by_reaction_is_told_by_direct_message(
    place: Playground, channel: int
) -> None:
    parent = await made(place, channel, place.person("Ada"), "a still pond")
    joy = await newcomer(place, "Joy")
    for number in range(7):
        deed = await joy.slash(channel, "animate", {"prompt": f"joy {number}{LONG}"})
        await deed.settled()
    direct = await joy.direct()
    await joy.react(int(parent["id"]), "🔁")
    await place.until(lambda: shown(place, direct, joy))
    assert "You already have 5 clips waiting" in shown(place, direct, joy)[0]["content"]
    for _ in range(7):
        await (await (await joy.slash(channel, "cancel")).settled()).message()


async def test_only_owner_and_moderator_delete_a_clip(place: Playground, channel: int) -> None:
    ada, ben, mod = place.person("Ada"), place.person("Ben"), place.person("Mod")
    message = await made(place, channel, ben, "sand castle")
    kim = await newcomer(place, "Kim")
    deed = await pressed(kim, message, "delete")
    await place.until(lambda: deed.followups)
    assert "someone else's" in deed.followups[0]["content"]
    await kim.react(int(message["id"]), "❌")
    await pressed(ben, message, "delete")
    await place.until(lambda: clip(place, channel, ben, "sand castle") is None)
    other = await made(place, channel, ada, "sand dune")
    await mod.react(int(other["id"]), "❌")
    await place.until(lambda: clip(place, channel, ada, "sand dune") is None)


async def test_history_has_links_and_pages(place: Playground, channel: int) -> None:
    lee = await newcomer(place, "Lee")
    message = await made(place, channel, lee, "leaf 0")
    link = f"[**leaf 0**](https://discord.com/channels/{place.guild.id}/{channel}/{message['id']})"
    assert link in await history(lee, channel)
    for number in range(1, 7):
        await lee.slash(channel, "animate", {"prompt": f"leaf {number}", "seconds": 0.5})
        await until_clip(place, channel, lee, f"leaf {number}")
    deed = await lee.slash(channel, "history")
    first = await deed.message()
    assert "leaf 6" in read(first)
    assert "leaf 0" not in read(first)
    await lee.press(int(first["id"]), buttons(first)[0])
    await place.until(lambda: deed.original and link in read(deed.original))
    assert deed.original
    assert "leaf 1" not in read(deed.original)
    assert buttons(deed.original) == ["page:.a."]


async def test_models_are_suggested_for_the_task(place: Playground, channel: int) -> None:
    ada = place.person("Ada")
    names = [one["value"] for one in await ada.complete(channel, "animate", {"prompt": "x"}, "model")]
    assert "testcard" in names
    assert "camera" not in names
    names = [one["value"] for one in await ada.complete(channel, "img2vid", {"model": "cam"}, "model")]
    assert names == ["camera"]
    assert [one["value"] for one in await ada.complete(channel, "interp", {}, "model")] == ["flow"]


# --- bad days


@pytest.mark.parametrize(("do", "code"), [(502, 40060), ("reset", 40060)])
async def test_an_answer_that_discord_took_but_did_not_confirm_is_an_answer(
    place: Playground, channel: int, do: int | str, code: int
) -> None:
    ada = place.person("Ada")
    place.expect(code)
    place.faults.add("POST", "/interactions/*/callback", do, when="after")
    await made(place, channel, ada, f"stubborn {do}")
    assert sum(f"stubborn {do}" in one["content"] for one in shown(place, channel, ada)) == 1


async def test_a_ticket_whose_connection_is_cut_is_sent_again(place: Playground, channel: int) -> None:
    place.faults.add("PATCH", "/webhooks/*/messages/@original", "reset", when="before")
    deed = await place.person("Ada").slash(channel, "animate", {"prompt": "a torn rope"})
    assert (await deed.message())["content"].startswith("**a torn rope**")
    await until_clip(place, channel, place.person("Ada"), "a torn rope")


async def test_an_event_that_comes_twice_is_obeyed_once(place: Playground, channel: int) -> None:
    nan = await newcomer(place, "Nan")
    await place.socket.duplicate(1)
    message = await made(place, channel, nan, "an echo")
    await place.socket.duplicate(1)
    await nan.react(int(message["id"]), "🔁")
    await place.until(lambda: ticket_of(place, channel, nan, "an echo"))
    await place.socket.duplicate(1)
    deed = await pressed(nan, message, "reroll")
    await deed.message()
    await place.until(lambda: clips_of(place, channel, nan, "an echo") == 3)
    text = await history(nan, channel)
    assert text.count("an echo") == 3


async def test_an_answer_that_comes_too_late_makes_no_job(place: Playground, channel: int) -> None:
    oli = await newcomer(place, "Oli")
    place.expect(10062)
    place.journal.unanswered_expected = True
    place.faults.add("POST", "/interactions/*/callback", "slow", seconds=0.6)
    place.world.answer_within = 0.3
    deed = await oli.slash(channel, "animate", {"prompt": "too late"})
    await deed.settled()
    assert deed.state == "failed"
    place.world.answer_within = 3.0
    refused = await place.until(lambda: [one for one in place.journal.entries if one.code == 10062])
    assert len(refused) == 1
    assert (await history(oli, channel)).startswith("You have no clips yet")


async def test_buttons_and_reactions_outlive_the_bot(
    house: tuple[Playground, Bot], place: Playground, channel: int
) -> None:
    ada, max_ = place.person("Ada"), await newcomer(place, "Max")
    message = await made(place, channel, ada, "phoenix")
    place.expect(10008, "/channels/*/messages/*")  # killed before it noted that the ticket has gone
    await house[1].kill()
    await house[1].start()
    await pressed(max_, message, "reroll")
    await until_clip(place, channel, max_, "phoenix")
    await ada.react(int(message["id"]), "❌")
    await place.until(lambda: clip(place, channel, ada, "phoenix") is None)
