"""Discord's bad days: whatever happens to requests, connections and rights, a job ends in one clip."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from playground import places
from playground.permissions import EVERYONE, Can
from playground.person import Person
from playground.server import Playground
from tests.bot.conftest import Scene, Stage, configured
from tests.running import Bot, picture, read

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACTS: list[int | str] = [500, 502, 503, "reset"]
CALLBACK, ORIGINAL = "/interactions/*/callback", "/webhooks/*/messages/@original"


async def test_errors_before_and_after_the_effect_of_every_request(stage: Stage) -> None:
    place, faults = stage.place, stage.place.faults
    place.expect(429, "*/reactions/*")  # a cut answer told nothing of the limit
    place.expect(40060, CALLBACK)  # answered before a 502 said that it was not
    place.expect(10008)  # taken away before a 502 said that it was not
    scenes = []
    for act in ACTS:
        for when in ("before", "after"):
            scene = await stage.scene()
            messages = f"/channels/{scene.channel}/messages"
            faults.add("POST", messages, act, when=when)
            faults.add("PUT", f"{messages}/*/reactions/*", act, when=when)
            faults.add("DELETE", f"{messages}/*", act, when=when)
            faults.add("PATCH", ORIGINAL, act, when=when)
            first = faults.add("POST", CALLBACK, act, when=when)
            deed = await scene.ask(f"{act} {when}")
            await place.until(lambda first=first: first.hits == 1)
            if act == "reset":  # is sent again at once, and must not meet the next scene's fault
                await deed.settled()
            scenes.append(scene)
    during = await stage.scene()
    faults.add("POST", f"/channels/{during.channel}/messages", "reset", when="during")
    await during.ask("cut in the middle of the upload")
    for scene in [*scenes, during]:
        await scene.until_done()
    assert all(order.hits == order.times for order in faults.orders)
    faults.clear()


@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_storm_of_429(stage: Stage, scope: str) -> None:
    scene = await stage.scene()
    await (await scene.ask("a sail")).message()
    stage.place.limits.storm(7, 0.1, scope)
    await scene.until_done()


async def test_slow_answers(stage: Stage) -> None:
    scene, faults = await stage.scene(), stage.place.faults
    messages = f"/channels/{scene.channel}/messages"
    faults.add("POST", CALLBACK, "slow", seconds=1.5)
    faults.add("POST", messages, "slow", when="after", seconds=1.5)
    faults.add("PUT", f"{messages}/*/reactions/*", "slow", seconds=1)
    await scene.ask("patience")
    await scene.until_done()
    faults.clear()


async def test_a_clip_is_written_down_before_a_busy_channel_takes_its_reaction(stage: Stage) -> None:
    scene = await stage.scene()
    path = f"/channels/{scene.channel}/messages/*/reactions/*"
    slow = stage.place.faults.add("PUT", path, "slow", seconds=2)
    await scene.ask("in a hurry")
    await stage.place.until(lambda: slow.hits == 1)
    deed = await scene.person.slash(scene.channel, "history")
    link = f"/{scene.channel}/{scene.clips()[0]['id']})"
    assert link in read(await deed.message())  # it is POSTED, and knows its message
    await scene.until_done()
    stage.place.faults.clear()


async def test_the_gateway_ends_in_every_way(stage: Stage) -> None:
    socket, place = stage.place.socket, stage.place
    place.journal.unanswered_expected = True  # a command that met a cut may come too late to be answered
    for deed in ("reconnect", "cut", "op 9 that can resume", "op 9"):
        scene = await stage.scene()
        await (await scene.ask(f"through {deed}", model="slow")).message()
        lines = set(socket.lines)
        match deed:
            case "reconnect":
                await socket.reconnect()
            case "cut":
                await socket.cut()
            case _:
                await socket.invalidate(resumable=deed != "op 9")
        await place.until(
            lambda lines=lines: any(
                one.line is not None and one.line not in lines for one in socket.sessions.values()
            ),
            40,
        )
        await scene.until_done()
        await (await scene.ask("and after it")).message()
        await scene.until_done(2)
    place.journal.unanswered_expected = False


async def test_duplicated_events_ask_once(stage: Stage) -> None:
    scene = await stage.scene()
    stage.place.expect(40060)
    await stage.place.socket.duplicate(1)
    await scene.ask("once")
    [clip] = await scene.until_done()
    await stage.place.socket.duplicate(1)
    await scene.person.react(int(clip["id"]), "🔁")
    await scene.until_done(2)


async def test_the_ticket_is_deleted_under_a_running_job(stage: Stage) -> None:
    scene = await stage.scene()
    stage.place.expect(10008, f"/channels/{scene.channel}/*")
    await (await scene.ask("no ticket", model="slow")).message()
    mod = Person(stage.place.world, stage.place.user("Mod").id)
    [ticket] = await mod.history(scene.channel)
    await mod.delete(int(ticket["id"]))
    await scene.until_done()


async def test_the_interaction_s_minutes_are_over_before_the_clip_is_made(stage: Stage) -> None:
    scene, world = await stage.scene(), stage.place.world
    world.token_lives, usual = 0.5, world.token_lives
    deed = await scene.ask("late", model="slow")
    await deed.message()
    await scene.until_done()
    world.token_lives = usual


async def _sent_directly(scene: Scene, count: int = 1) -> None:
    """The clip came to its owner, once, and with its reaction."""
    channel = await scene.person.direct()
    await Scene(scene.place, channel, scene.person).place.until(
        lambda: len(_films(scene.place.world.last(channel, scene.person.id, 50))) >= count, 40
    )
    assert len(_films(await scene.direct())) == count


def _films(messages: list[dict]) -> list[dict]:
    return [one for one in messages if any(file["filename"].endswith(".mp4") for file in one["attachments"])]


async def test_the_channel_goes_under_a_running_job(stage: Stage) -> None:
    scene, place = await stage.scene(), stage.place
    place.expect(10003, f"/channels/{scene.channel}/*")
    await (await scene.ask("homeless", model="slow")).message()
    await place.do(places.remove_channel, place.world.channels[scene.channel])
    await _sent_directly(scene)


async def test_the_server_goes_under_a_running_job(stage: Stage) -> None:
    place = stage.place
    ada = place.user("Ada")
    for name in ("deleted", "left"):
        guild = await place.do(places.add_guild, name, ada)
        scene = await stage.scene(guild)
        for code in (10003, 50001):
            place.expect(code, f"/channels/{scene.channel}/*")
        await (await scene.ask("homeless", model="slow")).message()
        if name == "deleted":
            await place.do(places.remove_guild, guild)
        else:
            await place.do(places.leave, guild, place.world.users[place.world.bot_id])
        await _sent_directly(scene)


async def test_rights_are_lost_under_a_running_job(stage: Stage) -> None:
    place = stage.place
    for lost in (Can.SEND_MESSAGES, Can.ATTACH_FILES, Can.VIEW_CHANNEL):
        scene = await stage.scene()
        for code in (50001, 50013):
            place.expect(code, f"/channels/{scene.channel}/*")
        await (await scene.ask(f"without {lost.name}", model="slow")).message()
        channel, me = place.world.channels[scene.channel], place.world.users[place.world.bot_id]
        await place.do(places.allow, channel, me, deny=lost)
        await _sent_directly(scene)
        assert scene.clips() == []


async def test_the_asker_s_role_goes_under_a_running_job(stage: Stage) -> None:
    scene, place = await stage.scene(), stage.place
    role = await place.do(places.add_role, place.guild, "guests", EVERYONE)
    await place.do(places.give_role, place.guild, place.world.users[scene.person.id], role)
    await (await scene.ask("no role", model="slow")).message()
    await place.do(places.remove_role, role)
    await scene.until_done()


async def _kept(scene: Scene, channel: int) -> str:
    """A history that says so, a moment after the log did."""
    async with asyncio.timeout(40):
        text = ""
        while "kept; it could not be sent" not in text:
            text = read(await (await scene.person.slash(channel, "history")).message())
    return text


async def test_a_clip_that_nobody_takes_is_kept(stage: Stage) -> None:
    scene, place = await stage.scene(), stage.place
    for code in (50001, 50013, 50007):
        place.expect(code)
    await (await scene.ask("a closed door", model="slow")).message()
    await scene.person.close_direct()
    channel, me = place.world.channels[scene.channel], place.world.users[place.world.bot_id]
    await place.do(places.allow, channel, me, deny=Can.SEND_MESSAGES)
    elsewhere = (await stage.scene()).channel
    async with asyncio.timeout(40):
        while "cannot be delivered" not in stage.bot.words:  # noqa: ASYNC110 -- a log sets no event
            await asyncio.sleep(0.1)
    text = await _kept(scene, elsewhere)
    job = re.findall(r"id `(\w+)`", text)[-1]
    deed = await scene.person.slash(elsewhere, "show", {"clip": job})
    assert _films([await deed.message()])  # and there it is
    assert scene.clips() == [] and _films(await scene.direct()) == []


async def test_a_private_clip_needs_no_channel_and_is_kept_when_the_door_closes(stage: Stage) -> None:
    scene, place = await stage.scene(), stage.place
    channel, me = place.world.channels[scene.channel], place.world.users[place.world.bot_id]
    await place.do(places.allow, channel, me, deny=Can.SEND_MESSAGES)
    await (await scene.ask("between us", private=True)).message()
    await _sent_directly(scene)
    place.expect(50007)
    await (await scene.ask("too late", private=True, model="slow")).message()
    await scene.person.close_direct()
    async with asyncio.timeout(40):
        while "Your direct messages are closed" not in stage.bot.words:  # noqa: ASYNC110 -- a log sets no event
            await asyncio.sleep(0.1)
    await _kept(scene, scene.channel)
    assert scene.texts() == []


async def test_a_channel_takes_less_than_it_promised(stage: Stage) -> None:
    place = stage.place
    guild = await place.do(places.add_guild, "narrow", place.user("Ada"))
    scene = await stage.scene(guild)
    place.expect(40005)
    guild.true_file_limit = 30_000
    folder = stage.bot.data / "clips"
    small = sum(1 for path in folder.iterdir() if path.stat().st_size <= 30_000)
    await scene.ask("too wide for this door", seconds=3, fps=24)
    ada = place.person("Ada")
    await place.until(lambda: bool(_films(place.world.last(scene.channel, ada.id, 50))), 60)
    [clip] = _films(place.world.last(scene.channel, ada.id, 50))
    assert 0 < clip["attachments"][0]["size"] <= 30_000
    await place.until(lambda: len(place.world.last(scene.channel, ada.id, 50)) == 1)
    assert sum(1 for path in folder.iterdir() if path.stat().st_size <= 30_000) == small


async def test_a_discord_that_cannot_be_reached_is_a_line_and_no_traceback(tmp_path: Path) -> None:
    async with Playground(tmp_path / "discord") as place:
        bot = Bot(place, tmp_path / "bot")
        place.faults.add("GET", "/users/@me", 503)
        with pytest.raises(AssertionError, match="The bot ended with 75"):
            await bot.start()
        assert bot.words.splitlines()[-1].startswith("Zoetrope cannot start: Discord cannot be reached: 503")
        bot.verify()
    with pytest.raises(AssertionError, match="The bot ended with 75"):
        await bot.start()  # nobody is there any more
    bot.verify()


@pytest.mark.parametrize(
    ("met", "said"),
    [
        ("a gateway that fails", "503"),
        ("a gateway that is cut", "Server disconnected"),
        ("a storm at the login", "429"),
        ("a storm at the commands", "429"),
    ],
)
async def test_a_bad_minute_at_the_start_asks_for_another_start(tmp_path: Path, met: str, said: str) -> None:
    async with Playground(tmp_path / "discord") as place:
        bot = Bot(place, tmp_path / "bot")
        match met:
            case "a gateway that fails":
                place.faults.add("GET", "/gateway/bot", 503)
            case "a gateway that is cut":  # aiohttp tries a second time by itself
                place.faults.add("GET", "/gateway/bot", "reset", times=2)
            case "a storm at the login":
                place.limits.storm(5)
            case _:  # once the last request of the login has passed
                place.faults.add("GET", "/oauth2/applications/@me", lambda: place.limits.storm(5))
        with pytest.raises(AssertionError, match="The bot ended with 75"):
            await bot.start()
        last = bot.words.splitlines()[-1]
        assert last.startswith("Zoetrope cannot start: Discord cannot be reached: ") and said in last
        bot.verify()


async def test_a_stop_is_prompt_however_many_pictures_wait(tmp_path: Path) -> None:
    """What was taken into the line is made after the next start; what was not is nobody's clip."""
    async with Playground(tmp_path / "discord") as place:
        bot = Bot(place, tmp_path / "bot", configured(tmp_path))
        await bot.start()
        stage = Stage(place, bot)
        scenes = [await stage.scene() for _ in range(10)]
        images = [(f"{number}.png", picture((2000, 1500), seed=number)) for number in range(5)]
        asks = (
            scene.person.slash(scene.channel, "img2vid", {"image": image, "seconds": 1})
            for image in images
            for scene in scenes
        )
        for deed in await asyncio.gather(*asks):
            await deed.settled()
        await place.until(lambda: any("ready <t:" in text for scene in scenes for text in scene.texts()))
        began = time.monotonic()
        assert await bot.stop() == 0
        assert time.monotonic() - began < 8
        place.expect(429, "/channels/*")  # the new process does not know what the old one used up
        await bot.start()
        accepted = [scene for scene in scenes if any("·" in text for text in scene.texts())]
        assert accepted
        await place.until(lambda: all(scene.clips() for scene in accepted), 60)
        await bot.stop()
        bot.verify()


async def test_silence_is_noticed_and_a_revoked_token_is_the_end(tmp_path: Path) -> None:
    """One bot of its own for both: it hears a heart every 0.2 s, and does not survive."""
    async with Playground(tmp_path / "discord") as place:
        place.socket.heartbeat = 0.2
        data = tmp_path / "bot"
        bot = Bot(place, data, configured(tmp_path, {"silence = 60.0": "silence = 1.0"}))
        await bot.start()
        lines = set(place.socket.lines)
        await place.socket.silence()
        await place.until(lambda: not lines & place.socket.lines)  # the bot gave the silent line up
        await place.socket.silence(False)
        await place.until(lambda: place.socket.connected == 1)
        place.expect(401)
        await place.socket.revoke()
        assert bot.process
        assert await asyncio.wait_for(bot.process.wait(), 40) == 78
        last = bot.words.splitlines()[-1].removeprefix("Zoetrope cannot start: ")
        assert last == ("Discord revoked DISCORD_TOKEN; copy the new one from the bot's developer page.")
        bot.verify()
