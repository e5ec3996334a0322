"""Cancel by command, button and reaction, of waiting and running clips: at once, for nothing, and alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from playground import places
from playground.permissions import Can
from tests.bot.conftest import Scene, Stage
from tests.running import picture

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Seconds of a step of the endless test card.
STEP = 0.25


async def _endless(scene: Scene) -> Any:
    """A clip that is never done, alone in the line; its ticket."""
    deed = await scene.ask("for ever", model="endless")
    return await deed.message()


async def _running(scene: Scene) -> Any:
    """The same, once the engine is in its steps."""
    ticket = await _endless(scene)
    await scene.until_text("step")
    return ticket


async def _cancel(scene: Scene, ticket: Any, way: str) -> None:
    """Cancels by one of the three ways."""
    if way == "command":
        deed = await scene.person.slash(scene.channel, "cancel")
        assert "is cancelled; it does not count against your limit." in (await deed.message())["content"]
    elif way == "button":
        buttons = [child["custom_id"] for row in ticket["components"] for child in row["components"]]
        await scene.person.press(int(ticket["id"]), next(one for one in buttons if one.startswith("cancel:")))
    else:
        await scene.person.react(int(ticket["id"]), "❌")


@pytest.mark.parametrize("way", ["command", "button", "reaction"])
async def test_a_running_clip_stops_within_a_step_and_the_next_is_untouched(stage: Stage, way: str) -> None:
    scene, next_one = await stage.scene(), await stage.scene()
    await next_one.ask("the same -seed 5")
    [before] = await next_one.until_done()
    ticket = await _running(scene)
    await next_one.ask("the same -seed 5")  # waits behind it
    began = time.monotonic()
    await _cancel(scene, ticket, way)
    await scene.until_text("Cancelled")
    assert time.monotonic() - began < STEP + 1.0  # a second for two processes on a busy machine
    [_, after] = await next_one.until_done(2)
    assert _bytes(stage, before) == _bytes(stage, after)  # the frame that was cancelled is in no other clip
    assert scene.clips() == []


def _bytes(stage: Stage, clip: Any) -> bytes:
    return stage.place.store.path(int(clip["attachments"][0]["id"])).read_bytes()


@pytest.mark.parametrize("way", ["command", "button", "reaction"])
async def test_a_waiting_clip_leaves_the_line_at_once(stage: Stage, way: str) -> None:
    first, scene = await stage.scene(), await stage.scene()
    blocker = await _endless(first)
    ticket = await (await scene.ask("never made")).message()
    await _cancel(scene, ticket, way)
    await scene.until_text("Cancelled")
    deed = await scene.person.slash(scene.channel, "queue")
    assert "**One clip is in the line**" in (await deed.message())["content"]
    await _cancel(first, blocker, "button")
    await first.until_text("Cancelled")
    assert scene.clips() == []


async def test_cancelled_clips_cost_no_quota(stage: Stage) -> None:
    first, scene = await stage.scene(), await stage.scene()
    blocker = await _endless(first)
    for count in (5, 10):
        tickets = [await (await scene.ask(f"clip {n}")).message() for n in range(5)]  # all that may wait
        refused = await (await scene.ask("one too many")).message()
        assert "You already have 5 clips waiting" in refused["content"] and refused["flags"] & 64
        for ticket in tickets:
            await _cancel(scene, ticket, "button")
        await stage.place.until(
            lambda count=count: sum("Cancelled" in text for text in scene.texts()) == count
        )
    await scene.ask("made at last")
    await _cancel(first, blocker, "button")
    await stage.place.until(lambda: len(scene.clips()) == 1)


async def test_a_stranger_s_cross_is_an_opinion_a_moderator_s_an_order(stage: Stage) -> None:
    scene = await stage.scene()
    ticket = await _endless(scene)
    stranger = (await stage.scene()).person
    await stranger.react(int(ticket["id"]), "❌")
    buttons = [child["custom_id"] for row in ticket["components"] for child in row["components"]]
    deed = await stranger.press(int(ticket["id"]), buttons[0])
    await deed.settled()
    await stage.place.until(lambda: any("someone else's" in one["content"] for one in deed.followups))
    assert not any("Cancelled" in text for text in scene.texts())
    await stage.place.person("Mod").react(int(ticket["id"]), "❌")
    await scene.until_text("Cancelled")


async def test_who_moderates_elsewhere_only_cannot_cancel_here(stage: Stage) -> None:
    scene, other = await stage.scene(), await stage.scene()
    ticket = await _endless(scene)
    rows = [child["custom_id"] for row in ticket["components"] for child in row["components"]]
    clip = rows[0].split(":")[1]
    world, host = stage.place.world, other.person
    user, there = world.users[host.id], world.channels[other.channel]
    await stage.place.do(places.allow, there, user, Can.MANAGE_MESSAGES)
    refused = await host.slash(other.channel, "cancel", {"clip": clip})
    assert "someone else's" in (await refused.message())["content"]
    await stage.place.do(places.allow, world.channels[scene.channel], user, Can.MANAGE_MESSAGES)
    done = await host.slash(other.channel, "cancel", {"clip": clip})
    assert "cancelled" in (await done.message())["content"]
    await scene.until_text("Cancelled")


async def test_the_picture_of_a_cancelled_clip_is_still_there_for_another_try(stage: Stage) -> None:
    first, scene = await stage.scene(), await stage.scene()
    blocker = await _endless(first)
    image = ("photo.png", picture())
    deed = await scene.person.slash(scene.channel, "img2vid", {"image": image, "seconds": 1})
    await _cancel(scene, await deed.message(), "command")
    await _cancel(first, blocker, "command")
    await scene.person.slash(scene.channel, "img2vid", {"image": image, "seconds": 1})
    await stage.place.until(lambda: len(scene.clips()) == 1)
