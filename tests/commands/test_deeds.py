"""What can be done with a clip once it is there, against the real bot: stories with one bot for all."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator

import aiohttp
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
    until_clip,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Playground, Bot]]:
    async with running(tmp_path_factory.mktemp("deeds")) as pair:
        yield pair


@pytest.fixture
def place(house: tuple[Playground, Bot]) -> Playground:
    return house[0]


@pytest.fixture
def channel(place: Playground) -> int:
    return place.channel("clips")


async def fetched(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()


async def test_a_remix_opens_the_words_as_they_were_and_outlives_the_bot(
    house: tuple[Playground, Bot], place: Playground, channel: int
) -> None:
    ada, ben = place.person("Ada"), place.person("Ben")
    parent = await made(place, channel, ada, "a red kite -motion 2 -seed 7")
    job = button(parent, "remix").split(":")[1]
    deed = await pressed(ben, parent, "remix")
    await deed.settled()
    assert deed.modal
    field = deed.modal["components"][0]["component"]
    assert field["value"] == "a red kite -motion 2 -ar 4:3 -seed 7 -seconds 0.5"

    refused = await ben.submit(deed.modal, {"words": "a blue kite -fps 99"})
    text = await refusal(place, refused)
    assert "-fps takes a whole number from 8 to 24" in text
    assert "a blue kite -fps 99" in text  # nothing typed is lost

    again = await (await pressed(ben, parent, "remix")).settled()
    await house[1].kill()
    await house[1].start()
    await ben.submit(again.modal, {"words": "a blue kite -seconds 0.5 -seed 7"})
    message = await until_clip(place, channel, ben, "blue kite")
    offered = await ben.complete(channel, "animate", {"prompt": "KITE blue"}, "prompt")
    assert [one["value"] for one in offered] == ["KITE blue", "a blue kite -seed 7 -seconds 0.5"]
    assert "seed `7`" in message["content"]
    assert f"from clip `{job}`" in message["content"]


async def test_a_remix_of_a_picture_moves_the_same_picture_otherwise(place: Playground, channel: int) -> None:
    gus = await newcomer(place, "Gus")
    await gus.slash(channel, "img2vid", {"image": ("p.png", picture()), "seconds": 1.0, "camera": "zoom in"})
    parent = await until_clip(place, channel, gus, "zoom in")
    deed = await (await pressed(gus, parent, "remix")).settled()
    assert deed.modal
    await gus.submit(deed.modal, {"words": "-camera pan left -seconds 1"})
    message = await until_clip(place, channel, gus, "pan left")
    size = re.search(r"\d+ × \d+", parent["content"])
    assert size and size[0] in message["content"]


async def test_a_clip_tells_all_it_takes_to_make_it_again(place: Playground, channel: int) -> None:
    ida, ben = await newcomer(place, "Ida"), place.person("Ben")
    message = await made(place, channel, ida, "a green hill -seed 11 -motion 3")
    by_button = await (await pressed(ben, message, "info")).message()
    by_menu = await (await ben.menu(channel, "Clip info", int(message["id"]))).message()
    assert by_button["content"] == by_menu["content"]
    assert by_menu["flags"] & PRIVATE
    text = by_menu["content"]
    job = button(message, "info").split(":")[1]
    for words in (
        "a green hill", f"<@{ida.id}>", f"id `{job}`", "Model: testcard", "Seed: `11`", "Motion: 3",
        "0.5 s · 6 frames · 12 fps", "480 × 360",
        "a green hill -motion 3 -ar 4:3 -seed 11 -seconds 0.5 -model testcard",
    ):  # fmt: skip
        assert words in text, text
    assert "Guidance" not in text  # it has no effect with this model
    said = await ben.say(channel, "just words")
    deed = await ben.menu(channel, "Clip info", int(said["id"]))
    assert (await deed.message())["content"] == "That message shows no clip of mine."


async def test_a_message_with_a_picture_is_set_in_motion(
    house: tuple[Playground, Bot], place: Playground, channel: int
) -> None:
    ada, jan = place.person("Ada"), await newcomer(place, "Jan")
    said = await ada.attach(channel, ("notes.txt", b"no"), ("sea.png", picture(seed=5)), content="look")
    deed = await (await jan.menu(channel, "Animate this image", int(said["id"]))).settled()
    assert deed.modal
    assert "sea.png" in deed.modal["components"][0]["description"]
    await jan.submit(deed.modal, {"words": "waves -camera zoom out -seconds 1"})
    message = await until_clip(place, channel, jan, "waves")
    assert "-camera zoom out" in message["content"]

    words = await ada.say(channel, "no picture here")
    deed = await jan.menu(channel, "Animate this image", int(words["id"]))
    assert "has no picture" in await refusal(place, deed)

    deed = await (await jan.menu(channel, "Animate this image", int(said["id"]))).settled()
    await house[1].kill()
    await house[1].start()
    sent = await jan.submit(deed.modal, {"words": "more waves -seconds 1"})
    await sent.settled()
    await place.until(lambda: clip(place, channel, jan, "more waves") or "again" in str(sent.original))


async def test_a_clip_comes_by_direct_message_with_seed_and_id(place: Playground, channel: int) -> None:
    kay, ben = await newcomer(place, "Kay"), place.person("Ben")
    message = await made(place, channel, ben, "a paper boat -seed 5")
    job = button(message, "letter").split(":")[1]
    direct = await kay.direct()
    deed = await pressed(kay, message, "letter")
    assert (await deed.message())[
        "content"
    ] == f"It is in your [direct messages](https://discord.com/channels/@me/{direct})."
    (letter,) = shown(place, direct, kay)
    assert "seed `5`" in letter["content"]
    assert f"id `{job}`" in letter["content"]
    assert letter["attachments"][0]["filename"] == message["attachments"][0]["filename"]
    assert [one.split(":")[0] for one in buttons(letter)] == ["reroll", "remix", "info", "keep", "delete"]

    await kay.react(int(message["id"]), "✉️")
    await place.until(lambda: len(shown(place, direct, kay)) == 2)
    await pressed(kay, letter, "delete")  # someone else's clip, but their own copy
    await place.until(lambda: len(shown(place, direct, kay)) == 1)
    await pressed(kay, shown(place, direct, kay)[0], "reroll")
    await place.until(lambda: clips_of(place, direct, kay, "a paper boat") == 1)

    leo = await newcomer(place, "Leo")
    await leo.close_direct()
    place.expect(50007)
    deed = await pressed(leo, message, "letter")
    assert "Your direct messages are closed to me" in (await deed.message())["content"]


async def test_a_star_keeps_a_clip_and_taken_back_keeps_it_no_longer(place: Playground, channel: int) -> None:
    mia, ben = await newcomer(place, "Mia"), place.person("Ben")
    message = await made(place, channel, ben, "a lone star")
    other = await made(place, channel, mia, "my own moon")
    deed = await pressed(mia, message, "keep")
    assert "among your favourites" in (await deed.message())["content"]
    await mia.react(int(other["id"]), "⭐")

    async def kept() -> str:
        deed = await mia.slash(channel, "history", {"favourites": True})
        return read(await deed.message())

    await until_said(place, kept, lambda text: "a lone star" in text and "my own moon" in text)
    await mia.unreact(int(other["id"]), "⭐")
    deed = await pressed(mia, message, "keep")
    assert "no longer" in (await deed.message())["content"]
    await until_said(place, kept, lambda text: "moon" not in text)
    assert "⭐" in await kept()  # how to keep one


async def until_said(place: Playground, ask, fits) -> None:
    """Asks until the answer fits; a reaction is answered by nothing that could be waited for."""
    for _ in range(40):
        if fits(await ask()):
            return
    raise AssertionError(await ask())


async def test_a_history_is_searched_and_paged_and_tells_the_family(place: Playground, channel: int) -> None:
    ned = await newcomer(place, "Ned")
    first = await made(place, channel, ned, "pine 0")
    job = button(first, "info").split(":")[1]
    await pressed(ned, first, "reroll")
    await place.until(lambda: clips_of(place, channel, ned, "pine 0") == 2)
    for number in range(1, 6):
        await ned.slash(channel, "animate", {"prompt": f"Pine {number}", "seconds": 0.5})
    await until_clip(place, channel, ned, "Pine 5")
    await ned.slash(channel, "animate", {"prompt": "an oak", "seconds": 0.5})
    await until_clip(place, channel, ned, "an oak")

    deed = await ned.slash(channel, "history", {"search": "PINE"})
    page = await deed.message()
    assert "Pine 5" in read(page) and "oak" not in read(page)
    assert f"from `{job}`" in read(page)
    assert "1 made from it" not in read(page)
    assert [one.split(":")[0] for one in buttons(page)] == ["page"]
    await ned.press(int(page["id"]), buttons(page)[0])
    await place.until(lambda: deed.original and "1 made from it" in read(deed.original))
    assert deed.original
    await ned.press(int(page["id"]), buttons(deed.original)[0])  # back to the newest
    await place.until(lambda: deed.original and "Pine 5" in read(deed.original))

    deed = await ned.slash(channel, "history", {"search": "birch"})
    assert read(await deed.message()) == "None of your clips has the words “birch”."


async def test_a_clip_is_shown_again_by_its_id(place: Playground, channel: int) -> None:
    oda, ben = await newcomer(place, "Oda"), place.person("Ben")
    message = await made(place, channel, oda, "a bronze bell -seed 3")
    job = button(message, "info").split(":")[1]
    offered = await oda.complete(channel, "show", {"clip": "bell"}, "clip")
    assert [one["value"] for one in offered] == [job]
    assert [one["value"] for one in await oda.complete(channel, "show", {"clip": job[:4]}, "clip")] == [job]
    deed = await oda.slash(channel, "show", {"clip": job})
    again = await deed.message()
    assert not again["flags"] & PRIVATE
    assert again["attachments"][0]["filename"] == "a-bronze-bell_seed3.mp4"
    deed = await ben.slash(channel, "show", {"clip": job, "private": True})
    assert (await deed.message())["flags"] & PRIVATE
    await ben.react(int(again["id"]), "🔁")
    await until_clip(place, channel, ben, "a bronze bell")

    elsewhere = place.channel("lounge") if "lounge" in str(place.world.channels) else None
    deed = await ben.slash(elsewhere or await ben.direct(), "show", {"clip": job})
    assert "someone else's" in await refusal(place, deed)
    deed = await ben.slash(channel, "show", {"clip": "nonesuch"})
    assert (await deed.message())["content"] == "There is no clip nonesuch here."


async def test_a_private_clip_is_shown_to_its_owner_alone(place: Playground, channel: int) -> None:
    pam = await newcomer(place, "Pam")
    await pam.slash(channel, "animate", {"prompt": "a diary", "seconds": 0.5, "private": True})
    message = await until_clip(place, await pam.direct(), pam, "a diary")
    job = button(message, "info").split(":")[1]
    deed = await pam.slash(channel, "show", {"clip": job})
    assert (await deed.message())["flags"] & PRIVATE
    deed = await place.person("Ben").slash(channel, "show", {"clip": job})
    assert "someone else's" in await refusal(place, deed)


async def test_a_clip_that_was_deleted_is_there_for_its_owner_alone(place: Playground, channel: int) -> None:
    tia, uma = await newcomer(place, "Tia"), await newcomer(place, "Uma")
    message = await made(place, channel, tia, "a drawn curtain")
    job = button(message, "info").split(":")[1]
    copy = await (await uma.slash(channel, "show", {"clip": job})).message()
    await (await pressed(uma, copy, "keep")).message()
    await pressed(tia, message, "delete")
    await until_said(place, lambda: history(tia, channel), lambda text: str(message["id"]) not in text)

    unknown = f"There is no clip {job} here."
    assert await refusal(place, await uma.slash(channel, "show", {"clip": job})) == unknown
    for deed in ("info", "letter"):
        assert await refusal(place, await pressed(uma, copy, deed)) == unknown
    assert await refusal(place, await uma.menu(channel, "Clip info", int(copy["id"]))) == unknown
    await uma.react(int(copy["id"]), "✉️")
    direct = await uma.direct()
    await place.until(lambda: shown(place, direct, uma))
    assert [one["content"] for one in shown(place, direct, uma)] == [unknown]
    kept = read(await (await uma.slash(channel, "history", {"favourites": True})).message())
    assert kept.startswith("You have no favourites yet")
    assert "no longer" in (await (await pressed(uma, copy, "keep")).message())["content"]
    assert await refusal(place, await pressed(uma, copy, "keep")) == unknown

    again = await (await tia.slash(channel, "show", {"clip": job})).message()
    assert again["flags"] & PRIVATE and again["attachments"]
    assert "a drawn curtain" in (await (await pressed(tia, copy, "info")).message())["content"]


async def test_a_newcomer_learns_how_to_begin_what_there_is_and_what_is_theirs(
    place: Playground, channel: int
) -> None:
    rosa = await newcomer(place, "Rosa")
    help_ = await (await rosa.slash(channel, "help")).message()
    assert help_["flags"] & PRIVATE
    for command in ("animate", "img2vid", "interp", "queue", "history", "models", "info"):
        assert f"/{command}" in help_["content"]
        assert command in rosa.commands(channel)
    await made(place, channel, rosa, "a first step")
    models = (await (await rosa.slash(channel, "models")).message())["content"]
    assert re.search(
        r"\*\*testcard\*\* The prompt's words.*\n-# /animate · taken .* s a clip here · licence: MIT", models
    )
    assert "want more than this machine has" in models and "svd" in models
    info = await (await rosa.slash(channel, "info")).message()
    assert info["flags"] & PRIVATE
    assert "In the line: 0 of at most 5 clips" in info["content"]
    assert "So far: 1 made, 0 failed, 0 cancelled" in info["content"]
    assert re.search(r"testcard: .* s a clip here", info["content"])


async def test_each_reads_their_own_language(place: Playground, channel: int) -> None:
    cyd, ben = place.person("Cyd"), place.person("Ben")  # Cyd's client is Japanese
    refused = await cyd.slash(channel, "animate", {"prompt": "star -fps 99"})
    assert (await refused.message())[
        "content"
    ] == "-fps に使えるのは8 から 24 の整数です。「99」は使えません。"
    await cyd.slash(channel, "animate", {"prompt": "猫と星 -seed 7", "seconds": 0.5})
    message = await until_clip(place, channel, cyd, "猫と星")
    assert "シード `7`" in message["content"]
    assert [one["label"] for row in message["components"] for one in row["components"]] == [
        "もう一度", "作り変える", "情報", "DM で送る", "取っておく", "削除",
    ]  # fmt: skip
    theirs = (await (await pressed(ben, message, "info")).message())["content"]
    assert "Model: testcard" in theirs
    await ben.react(int(message["id"]), "🔁")
    assert "シード" in (await until_clip(place, channel, ben, "猫と星"))["content"]
    for command in ("help", "info", "models", "history", "queue"):
        text = read(await (await cyd.slash(channel, command)).message())
        for line in text.splitlines():
            bare = re.sub(r"`[^`]*`|https?://\S+|<[^>]*>|\*\*[^*]*\*\*|-#|[^a-zA-Z\s]", "", line)
            assert len(bare.split()) < 4 or re.search(r"[\u3040-\u9fff]", line), line
    described = cyd.commands(channel)["animate"].definition
    assert described["description_localizations"]["ja"].startswith("プロンプト")


async def test_what_is_kept_about_me_is_sent_and_erased(
    house: tuple[Playground, Bot], place: Playground, channel: int
) -> None:
    sam, ben = await newcomer(place, "Sam"), place.person("Ben")
    message = await made(place, channel, sam, "a private wish")
    await (await pressed(sam, message, "keep")).message()
    deed = await sam.slash(channel, "privacy export")
    assert "direct messages" in (await deed.message())["content"]
    (letter,) = shown(place, await sam.direct(), sam)
    parcel = zipfile.ZipFile(io.BytesIO(await fetched(letter["attachments"][0]["url"])))
    data = json.loads(parcel.read("data.json"))
    assert [job["words"] for job in data["jobs"]] == ["a private wish -ar 4:3 -seconds 0.5"]
    assert len(data["favourites"]) == 1
    (name,) = (one for one in parcel.namelist() if one.startswith("clips/"))
    assert parcel.read(name)[4:8] == b"ftyp"
    assert (house[1].data / name).exists()

    wish = await sam.slash(channel, "animate", {"prompt": "never to be made -seconds 10 -fps 24"})
    await place.until(lambda: wish.original and wish.original["content"])  # it is in the line
    deed = await sam.slash(channel, "privacy delete")
    asked = await deed.message()
    assert asked["flags"] & PRIVATE
    await sam.press(int(asked["id"]), f"forget:{sam.id}")
    await place.until(lambda: deed.original and "are erased" in deed.original["content"])
    assert clip(place, channel, sam, "a private wish") is None
    assert not (house[1].data / name).exists()
    assert (await history(sam, channel)).startswith("You have no clips yet")
    assert await history(ben, channel)
