"""/settings and /prefer against the real bot: every way to a clip has the same gates, each value is told."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from playground import places
from playground.person import Impossible, Person
from playground.server import Playground
from tests.running import Bot, picture, read, running
from tests.speaking import PRIVATE, button, clip, made, pressed, refusal, shown, until_clip

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Playground, Bot]]:
    async with running(tmp_path_factory.mktemp("settings")) as pair:
        yield pair


class Town:
    """A server of its own, with one who manages it and one who does not."""

    def __init__(self, place: Playground, guild: Any, channel: int, mod: Person, guest: Person) -> None:
        self.place, self.guild, self.channel, self.mod, self.guest = place, guild, channel, mod, guest

    async def settle(self, **options: Any) -> dict[str, Any]:
        return await (await self.mod.slash(self.channel, "settings", options)).message()

    async def prefer(self, **options: Any) -> dict[str, Any]:
        return await (await self.guest.slash(self.channel, "prefer", options)).message()

    async def shows(self, panel: dict[str, Any], said: str, person: Person | None = None) -> dict[str, Any]:
        """The panel, once it says so."""

        def now() -> dict[str, Any] | None:
            found = shown(self.place, int(panel["channel_id"]), person or self.guest)
            one = next(one for one in found if one["id"] == panel["id"])
            return one if said in words(one) else None

        return await self.place.until(now, 40)

    async def info(self) -> str:
        return str((await (await self.guest.slash(self.channel, "info")).message())["content"])


@pytest_asyncio.fixture(loop_scope="module")
async def town(house: tuple[Playground, Bot], request: pytest.FixtureRequest) -> Town:
    place, name = house[0], request.node.name[5:25]
    owner = await place.do(places.add_person, f"m-{name}")
    guild = await place.do(places.add_guild, name, owner)
    guest = await place.do(places.add_person, f"g-{name}", guild)
    channel = await place.do(places.add_channel, guild, "clips")
    return Town(place, guild, channel.id, place.person(owner.username), place.person(guest.username))


def words(message: dict[str, Any]) -> str:
    """All that a panel says, its menus included."""
    return json.dumps(message["components"], ensure_ascii=False)


def menu(message: dict[str, Any], custom_id: str) -> dict[str, Any]:
    parts = message["components"][0]["components"]
    inside = [child for part in parts for child in part.get("components", [])]
    return next(child for child in inside if child["custom_id"] == custom_id)


async def test_a_model_is_the_operators_the_servers_the_persons_or_the_commands(town: Town) -> None:
    assert "**Model of /animate** testcard · the operator's" in await town.info()
    panel = await town.settle(model="testcard")
    assert panel["flags"] & PRIVATE
    assert "**Model of /animate** testcard · this server's" in words(panel)
    assert "**Model of /animate** testcard · this server's" in await town.info()
    panel = await town.prefer(model="testcard", suffix="-fps 12 -motion 3")
    assert "**Model of /animate** testcard · yours" in words(panel)
    assert "**Default flags** -motion 3 -fps 12 · yours" in words(panel)
    await town.guest.select(int(panel["id"]), "prefer:text", ["-"])
    back = await town.shows(panel, "**Model of /animate** testcard · this server's")
    assert "No choice here: testcard" in words(back)


async def test_default_flags_stand_where_a_prompt_has_none_and_are_refused_as_a_prompt_is(town: Town) -> None:
    bad = await town.guest.slash(town.channel, "prefer", {"suffix": "-fps 99"})
    assert "-fps takes a whole number from 8 to 24" in (await bad.message())["content"]
    panel = await town.prefer(suffix="--ar 1:1 -seconds 0.5 -camera zoom in")
    assert "-camera zoom in -ar 1:1 -seconds 0.5" in words(panel)
    message = await made_by(town, "a blue boat -fps 8")
    assert "480 × 480" in message["content"] and "-fps 8 -ar 1:1 -seconds 0.5" in message["content"]
    assert "-camera" not in message["content"]  # it has no effect there, and nobody typed it here

    opened = await town.guest.press(int(panel["id"]), "flags:suffix")
    await opened.settled()
    assert opened.modal and "-camera zoom in -ar 1:1 -seconds 0.5" in json.dumps(opened.modal)
    sent = await town.guest.submit(opened.modal, {"words": "a boat -fps 8"})
    await town.place.until(lambda: sent.followups)
    assert "“a boat” is none" in sent.followups[0]["content"]
    opened = await town.guest.press(int(panel["id"]), "flags:suffix")
    await opened.settled()
    assert opened.modal
    await town.guest.submit(opened.modal, {"words": ""})
    await town.shows(panel, "**Default flags** none · nobody's choice")


async def made_by(town: Town, prompt: str, **options: Any) -> dict[str, Any]:
    await town.guest.slash(town.channel, "animate", {"prompt": prompt, **options})
    return await until_clip(town.place, town.channel, town.guest, prompt.split(" -")[0], 40)


async def test_clips_are_made_in_the_chosen_channels_only_whichever_way_is_tried(town: Town) -> None:
    place, guest = town.place, town.guest
    message = await made(place, town.channel, guest, "a first fox")
    photo = await guest.attach(town.channel, ("sea.png", picture(), "image/png"))
    other = await place.do(places.add_channel, town.guild, "only-here")
    panel = await town.settle()
    await town.mod.press(int(panel["id"]), "settings-page:channels")
    await town.shows(panel, "every channel · nobody's choice", town.mod)
    await town.mod.select(int(panel["id"]), "settings:channels", [str(other.id)])
    after = await town.shows(panel, f"<#{other.id}> · this server's", town.mod)
    assert menu(after, "settings:channels")["default_values"] == [{"id": str(other.id), "type": "channel"}]

    ways = [
        await guest.slash(town.channel, "animate", {"prompt": "a fox"}),
        await guest.slash(town.channel, "img2vid", {"image": ("a.png", picture())}),
        await pressed(guest, message, "reroll"),
        await pressed(guest, message, "remix"),
        await guest.menu(town.channel, "Animate this image", int(photo["id"])),
    ]
    for way in ways:
        assert f"Clips are not made in this channel. Where they are: <#{other.id}>." == await refusal(
            place, way
        )
    await guest.react(int(message["id"]), "🔁")
    letters = await guest.direct()
    await place.until(
        lambda: any("not made in this" in one["content"] for one in shown(place, letters, guest))
    )
    again = await guest.slash(town.channel, "show", {"clip": button(message, "info").split(":")[1]})
    assert (await again.message())["flags"] & PRIVATE  # a clip may be seen, but not posted there
    await made(place, other.id, guest, "a second fox")
    thread = await place.do(places.add_thread, other, "a thread", place.world.users[guest.id])
    await made(place, thread.id, guest, "a third fox")
    await made(place, await guest.direct(), guest, "a fox of mine")


async def test_a_spoiler_stands_before_each_clip_but_in_age_restricted_channels(town: Town) -> None:
    place, guest = town.place, town.guest
    panel = await town.settle(spoiler="open")
    assert "every clip outside age-restricted channels · this server's" in words(panel)
    message = await made(place, town.channel, guest, "a hidden hare")
    (file,) = message["attachments"]
    assert file["filename"].startswith("SPOILER_a-hidden-hare_seed")
    adults = await place.do(places.add_channel, town.guild, "adults")
    await place.do(places.restrict, adults)
    thread = await place.do(places.add_thread, adults, "late", place.world.users[guest.id])
    for channel in (adults.id, thread.id):
        (file,) = (await made(place, channel, guest, "an open hare"))["attachments"]
        assert file["filename"].startswith("an-open-hare")
    await pressed(guest, message, "reroll")
    await place.until(lambda: len(spoilers(town)) == 2, 40)
    there = await guest.slash(town.channel, "show", {"clip": button(message, "info").split(":")[1]})
    assert (await there.message())["attachments"][0]["filename"].startswith("SPOILER_")


def spoilers(town: Town) -> list[str]:
    found = shown(town.place, town.channel, town.guest)
    names = [file["filename"] for one in found for file in one["attachments"]]
    return [name for name in names if name.startswith("SPOILER_")]


async def test_limits_of_a_server_hold_within_the_operators(town: Town) -> None:
    place, guest = town.place, town.guest
    over = await town.mod.slash(town.channel, "settings", {"waiting": 9})
    assert (await over.message())["content"] == "The operator allows at most 5 here."
    over = await town.mod.slash(town.channel, "settings", {"rate": 21})
    assert (await over.message())["content"] == "The operator allows at most 20 here."
    panel = await town.settle(seconds=0.5, waiting=1, rate=9, line=20)
    assert "**Clips of one person that leave the line each period** 9 · this server's" in words(panel)
    assert "at most 9 of your clips in 60 s" in read(
        await (await guest.slash(town.channel, "info")).message()
    )
    assert "**Longest clip** 0.5 s · this server's" in words(panel)
    assert {"6", "8"}.isdisjoint(one["value"] for one in menu(panel, "settings:waiting")["options"])
    long = await guest.slash(town.channel, "animate", {"prompt": "a heron", "seconds": 4})
    assert "at most 0.5 s, not 4 s" in await refusal(place, long)
    message = await made_by(town, "a short heron")
    assert "0.5 s" in message["content"]
    await town.settle(seconds=10.0)
    await town.mod.slash(town.channel, "animate", {"prompt": "a long heron -seconds 2 -fps 24"})
    waits = await guest.slash(town.channel, "animate", {"prompt": "a heron that waits -seconds 0.5"})
    await waits.message()
    third = await guest.slash(town.channel, "animate", {"prompt": "a third heron"})
    assert "At most 1 of your clips may wait in this server at once" in await refusal(place, third)
    assert await until_clip(place, town.channel, guest, "a heron that waits", 60)


async def test_who_prefers_privacy_has_every_clip_by_direct_message(town: Town) -> None:
    place, guest = town.place, town.guest
    message = await made(place, town.channel, guest, "an open owl")
    panel = await town.prefer()
    await guest.press(int(panel["id"]), "turn:private.on")
    await town.shows(panel, "**Your clips come** by direct message · yours")
    letters = await guest.direct()
    private = await guest.slash(town.channel, "animate", {"prompt": "a secret owl -seconds 0.5"})
    assert (await private.message())["flags"] & PRIVATE
    await until_clip(place, letters, guest, "a secret owl", 40)
    rolled = await pressed(guest, message, "reroll")
    assert (await rolled.message())["flags"] & PRIVATE
    await until_clip(place, letters, guest, "an open owl", 40)
    await guest.react(int(message["id"]), "🔁")
    await place.until(lambda: sum("an open owl" in one["content"] and bool(one["attachments"])
                                  for one in shown(place, letters, guest)) == 2, 40)  # fmt: skip
    said = await guest.slash(
        town.channel, "animate", {"prompt": "a public owl -seconds 0.5", "private": False}
    )
    assert not (await said.message())["flags"] & PRIVATE
    await until_clip(place, town.channel, guest, "a public owl", 40)
    assert clip(place, town.channel, guest, "a secret owl") is None


async def test_a_language_is_chosen_and_the_panel_outlives_the_bot(
    house: tuple[Playground, Bot], town: Town
) -> None:
    panel = await town.prefer()
    await house[1].kill()
    await house[1].start()
    await town.guest.select(int(panel["id"]), "prefer:language", ["ja"])
    await town.shows(panel, "**返答の言語** 日本語 · あなたの設定")
    assert "**このマシン**" in await town.info()
    bad = await town.guest.slash(town.channel, "animate", {"prompt": "x -fps 99"})
    assert "-fps に使えるのは" in await refusal(town.place, bad)
    await town.guest.press(int(panel["id"]), "unprefer:all")
    await town.shows(panel, "**Language of answers** as Discord tells · nobody's choice")


async def test_only_who_manages_a_server_sets_it(town: Town) -> None:
    with pytest.raises(Impossible, match="no command settings"):
        await town.guest.slash(town.channel, "settings")
    with pytest.raises(Impossible, match="no command settings"):
        await town.mod.slash(await town.mod.direct(), "settings")


async def test_in_direct_messages_there_is_no_server_and_all_else(town: Town) -> None:
    letters = await town.guest.direct()
    panel = await (await town.guest.slash(letters, "prefer", {"public": True})).message()
    assert "**The public list** shows your clips · yours" in words(panel)
    told = str((await (await town.guest.slash(letters, "info")).message())["content"])
    assert "Clips are made in" not in told and "**Longest clip** no bound · nobody's choice" in told


async def test_what_is_preferred_is_told_and_erased_with_the_rest(town: Town) -> None:
    letters = await town.guest.direct()
    await town.prefer(suffix="-fps 12", language="en-US", public=True)
    await (await town.guest.slash(letters, "privacy export")).message()
    parcels = [file["url"] for one in shown(town.place, letters, town.guest) for file in one["attachments"]]
    async with aiohttp.ClientSession() as session, session.get(parcels[-1]) as response:
        with zipfile.ZipFile(io.BytesIO(await response.read())) as parcel:
            names = parcel.namelist()
            told = json.loads(parcel.read(next(name for name in names if name.endswith(".json"))))
    assert told["preferences"] == {"suffix": "-fps 12", "language": "en-US", "public": True}
    asked = await (await town.guest.slash(letters, "privacy delete")).message()
    await pressed(town.guest, asked, "forget")
    await town.place.until(
        lambda: any(
            "is erased" in one["content"] or "are erased" in one["content"]
            for one in shown(town.place, letters, town.guest)
        ),
        40,
    )
    panel = await town.prefer()
    assert "yours" not in words(panel)
