"""Operators: the line held and emptied, people kept out by every way, recipes read anew, all written."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from playground import places
from playground.components import interactive
from playground.filling import Impossible
from playground.person import Deed, Person
from playground.server import Playground
from playground.world import World
from tests.bot.conftest import CHANGED, Scene, Stage, configured
from tests.running import read, running
from tests.speaking import button, pressed

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOLD = "\n[tier.gold]\nroles = []\nwaiting = 9\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A bot with one operator: Ada."""
    folder = tmp_path_factory.mktemp("office")
    async with Playground(folder / "discord") as place:
        ada = place.user("Ada").id
    config = configured(folder, {**CHANGED, "users = []": f"users = [{ada}]"})
    config.write_text(config.read_text("utf-8") + GOLD, "utf-8")
    async with running(folder, config) as (place, bot):
        yield Stage(place, bot)


def operator(stage: Stage) -> Person:
    return stage.place.person("Ada")


async def order(stage: Stage, act: str, **options: Any) -> str:
    """What the operator's command is answered with."""
    deed = await operator(stage).slash(stage.place.channel("clips"), f"admin {act}", options)
    answer = await deed.message()
    assert answer["flags"] & 64, "told to all"
    return str(answer["content"])


async def told(scene: Scene, name: str, **options: Any) -> str:
    return read(await (await scene.person.slash(scene.channel, name, options)).message())


async def test_it_is_hidden_from_others_and_refused_where_it_cannot_be(office: Stage) -> None:
    scene = await office.scene()
    with pytest.raises(Impossible, match="no command admin"):
        await scene.person.slash(scene.channel, "admin status")
    direct = await scene.person.direct()
    for act, options in (("status", {}), ("pause", {"reason": "me"}), ("log", {})):
        answer = await (await scene.person.slash(direct, f"admin {act}", options)).message()
        assert f"operators.users = [{scene.person.id}]" in answer["content"]
    assert await scene.person.complete(direct, "admin cancel", {"clip": ""}, "clip") == []
    assert "moves and takes" in await order(office, "status")
    assert "No operator has done anything yet." in await order(office, "log")


async def test_a_pause_is_read_everywhere_and_outlives_a_kill(office: Stage) -> None:
    scene = await office.scene()
    assert "a new card" in await order(office, "pause", reason="a new card")
    await scene.ask()
    await scene.until_text("The line is paused: a new card")
    for name in ("queue", "info"):
        assert "The line is paused: a new card" in await told(scene, name)
    await office.bot.kill()
    office.place.expect(429, "*")  # the new process does not know what the old one used up
    await office.bot.start()
    assert "The line is paused: a new card" in await told(scene, "queue")
    assert scene.clips() == []
    await order(office, "resume")
    await scene.until_done()


async def test_a_drain_takes_nothing_new_and_finishes_what_is_there(office: Stage) -> None:
    scene, late = await office.scene(), await office.scene()
    await scene.ask(model="slow")
    deed = await operator(office).slash(office.place.channel("clips"), "admin drain", {"reason": "an update"})
    assert "finishes what is there: an update" in (await deed.message())["content"]
    answer = await (await late.ask()).message()
    assert answer["content"] == "No new clips are taken at present: an update"
    assert "an update" in await told(late, "queue")
    assert not deed.followups, "it is still making"
    [clip] = await scene.until_done()
    await office.place.until(lambda: deed.followups)
    [report] = deed.followups
    assert "can be stopped now" in report["content"] and report["flags"] & 64
    assert "an update" in (await (await pressed(late.person, clip, "reroll")).message())["content"]
    assert "can be stopped now" in await order(office, "status")
    await order(office, "resume")
    await late.ask()
    await late.until_done()


async def test_whoever_is_banned_is_kept_out_by_every_way(office: Stage) -> None:
    scene = await office.scene()
    await scene.ask()
    [clip] = await scene.until_done()
    form = await pressed(scene.person, clip, "remix")
    await form.settled()
    await order(office, "pause", reason="a moment")
    await scene.ask("in the line")
    await scene.until_text("a moment")
    ban = await order(office, "ban", user=scene.person.id, reason="spam", hours=2)
    assert f"<@{scene.person.id}> is banned; that ends <t:" in ban
    await scene.until_text("Cancelled")
    await order(office, "resume")

    person, channel, message = scene.person, scene.channel, int(clip["id"])
    assert form.modal
    for deed in (
        await scene.ask(),
        await person.slash(channel, "queue"),
        await person.press(message, button(clip, "reroll")),
        await person.press(message, button(clip, "info")),
        await person.menu(channel, "Clip info", message),
        await person.submit(form.modal, {}),
    ):
        answer = (await deed.message())["content"]
        assert answer.startswith("You may not use this bot; that ends <t:"), answer
        assert "Reason: spam" in answer
    assert await person.complete(channel, "show", {"clip": "a"}, "clip") == []
    await person.react(message, "⭐")
    await person.react(message, "🔁")
    direct = await person.direct()
    await office.place.until(lambda: any("spam" in one["content"] for one in _last(scene, direct)))
    assert len(_last(scene, direct)) == 1, "the star is no question"
    deed = await person.slash(channel, "privacy delete")  # their data is theirs
    assert "cannot be undone" in (await deed.message())["content"]

    assert str(scene.person.id) in await order(office, "status")
    assert "no longer banned" in await order(office, "unban", user=scene.person.id)
    assert "no such ban" in await order(office, "unban", user=scene.person.id)
    assert "no favourites" in await told(scene, "history", favourites=True)


def _last(scene: Scene, channel: int) -> list[Any]:
    return scene.place.world.last(channel, scene.person.id, 50)


async def test_a_banned_server_is_kept_out_and_its_people_are_not_elsewhere(office: Stage) -> None:
    guild = await office.place.do(places.add_guild, "Elsewhere", office.place.user("Ben"))
    scene = await office.scene(guild)
    choices = await operator(office).complete(
        office.place.channel("clips"), "admin ban", {"reason": "raid", "server": "else"}, "server"
    )
    assert [one["value"] for one in choices] == [str(guild.id)]
    assert "server `" in await order(office, "ban", server=str(guild.id), reason="raid")
    assert (await (await scene.ask()).message())["content"] == (
        "This server may not use this bot. Reason: raid"
    )
    direct = await scene.person.direct()
    assert "Nobody" in (await (await scene.person.slash(direct, "queue")).message())["content"]
    await order(office, "unban", server=str(guild.id))
    assert "no id of a server" in await order(office, "ban", server="elsewhere", reason="raid")
    assert "either a person or a server" in await order(office, "ban", reason="raid")
    assert "an operator" in await order(office, "ban", user=operator(office).id, reason="oh")


async def test_any_clip_is_seen_and_cancelled(office: Stage) -> None:
    scene = await office.scene()
    deed = await scene.ask("for ever", model="endless")
    ticket = await deed.message()
    job = button(ticket, "cancel").partition(":")[2]
    assert f"**for ever** <@{scene.person.id}>" in await order(office, "line")
    assert "Model: endless" in await order(office, "clip", clip=job)
    assert "is cancelled" in await order(office, "cancel", clip=job)
    await scene.until_text("Cancelled")
    assert f"Clip `{job}` of <@{scene.person.id}> is cancelled." in await order(office, "log")


async def test_a_tier_is_given_whatever_the_roles(office: Stage) -> None:
    scene = await office.scene()
    assert "Tier: everyone" in await told(scene, "info")
    assert "has the tier gold" in await order(office, "tier", user=scene.person.id, tier="gold")
    assert "of at most 9 clips" in await told(scene, "info")
    assert "there are: everyone, gold" in await order(office, "tier", user=scene.person.id, tier="lead")
    await order(office, "tier", user=scene.person.id)
    assert "Tier: everyone" in await told(scene, "info")


async def test_recipes_are_read_anew_and_a_faulty_file_changes_nothing(office: Stage) -> None:
    scene, other = await office.scene(), await office.scene()
    config = office.bot.config
    assert config
    whole = config.read_text("utf-8")
    await scene.ask("at work", model="slow", seconds=5)
    await scene.until_text("step")

    config.write_text(whole.replace('about = "Takes a second"', 'abuot = "Takes a second"'), "utf-8")
    refused = await order(office, "reload")
    assert "Nothing has changed. config.toml: recipe.slow.abuot is unknown" in refused
    fresh = whole.replace("[recipe.quick]", "[recipe.swift]").replace('text = "quick"', 'text = "swift"')
    config.write_text(fresh.replace("[160, 160]", "[192, 192]"), "utf-8")
    said = await order(office, "reload")
    assert "New: swift" in said and "Gone: quick" in said and "Changed: endless, slow" in said

    await other.ask()
    [clip] = await other.until_done()
    assert "swift · 192 × 192" in clip["content"]
    [kept] = await scene.until_done()
    assert "160 × 160" in kept["content"], "it was being made"
    assert "quick" not in await told(scene, "models")
    config.write_text(whole, "utf-8")
    assert "New: quick" in await order(office, "reload")
    assert "New: quick" in await order(office, "log")


async def test_unwanted_words_are_read_anew_and_a_faulty_file_changes_nothing(office: Stage) -> None:
    scene = await office.scene()
    assert office.bot.config
    words = office.bot.config.with_name("words.txt")
    whole = words.read_text("utf-8")
    await scene.ask("a quince tree")
    await scene.until_done()
    words.write_text("quince\n*\n", "utf-8")
    assert "Nothing has changed. words.txt, line 2: a pattern needs a letter." in await order(
        office, "reload"
    )
    await scene.ask("another quince tree")
    words.write_text(whole + "quince\n", "utf-8")
    assert "Unwanted words: 3 patterns" in await order(office, "reload")
    refused = await (await scene.ask("a third quince tree")).message()
    assert "not allowed on this bot" in refused["content"]
    words.write_text(whole, "utf-8")
    assert "Unwanted words: 2 patterns" in await order(office, "reload")
    assert "Nothing differs." in await order(office, "reload")


async def test_the_log_has_pages_and_is_the_operators(office: Stage) -> None:
    for number in range(12):
        await order(office, "pause", reason=f"{number:02} {'x' * 190}")
    await order(office, "resume")
    deed = await operator(office).slash(office.place.channel("clips"), "admin log")
    page = await deed.message()
    told = str(page["content"])
    while told.count("x" * 190) < 12:
        turned = await operator(office).press(int(page["id"]), button(page, "audit"))
        page = await _other(office, deed, page["content"])
        assert turned.state == "answered"
        told += "\n" + page["content"]
    assert re.findall(r"(\d\d) x{190}", told) == [f"{number:02}" for number in reversed(range(12))]
    assert not [one for one in told.splitlines() if "<@" not in one], "something was cut"


async def test_a_button_that_an_earlier_version_drew_opens_the_log_anew(office: Stage) -> None:
    for number in range(9):
        await order(office, "pause", reason=f"{number:02} {'y' * 190}")
    deed = await operator(office).slash(office.place.channel("clips"), "admin log")
    page = await deed.message()
    await order(office, "resume")
    old = "audit:1763850106.1234567"  # a time
    await office.place.do(_redrawn, int(page["id"]), button(page, "audit"), old)
    await operator(office).press(int(page["id"]), old)
    newest = (await _other(office, deed, page["content"]))["content"]
    assert "The line moves" in newest.splitlines()[0] and "08 yyy" in newest.splitlines()[1]


def _redrawn(world: World, message: int, button: str, other: str) -> None:
    interactive(world.messages[message].components)[button]["custom_id"] = other


async def _other(office: Stage, deed: Deed, before: str) -> dict[str, Any]:
    """What the answer says once it says something else."""
    await office.place.until(lambda: deed.original is not None and deed.original["content"] != before)
    assert deed.original is not None
    return deed.original
