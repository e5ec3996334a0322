"""Everyone sees what is theirs to see in the gallery, and nothing else, whatever they ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from yarl import URL

from bot.gallery.hall import PAGE
from bot.gallery.links import DAY
from bot.gallery.seals import Seals
from gen.job import Clip
from playground import fixtures
from playground.server import Playground
from tests.bot.hanging import FILM, GUILD, SECRET_ROOM, Room, hung

place = fixtures.place
pytest_runtest_makereport = fixtures.pytest_runtest_makereport


@pytest.fixture
async def room(tmp_path: Path, place: Playground) -> AsyncIterator[Room]:
    async with hung(tmp_path, place) as room:
        yield room


# --- whose clips


async def test_ones_own_clips_hang_newest_first_and_are_searched(room: Room) -> None:
    one = await room.hang("Ada", "a red star")
    two = await room.hang("Ada", "Ein Boot im Regen", private=True)
    await room.hang("Ben", "a red star of Ben's")
    ada = await room.visit("Ada")
    assert await ada.ids("mine") == [two.id, one.id]
    assert await ada.ids("mine", "RED star") == [one.id]
    assert await ada.ids("mine", "%25") == []
    assert await ada.ids("kept") == []


async def test_many_clips_have_pages_that_miss_none(room: Room) -> None:
    jobs = [await room.hang("Ada", f"number {n}") for n in range(PAGE + 3)]
    ada = await room.visit("Ada")
    _, _, first = await ada.get("/api/clips?list=mine")
    _, _, second = await ada.get(f"/api/clips?list=mine&after={first['next']}")
    found = [clip["id"] for clip in (*first["clips"], *second["clips"])]
    assert found == [job.id for job in reversed(jobs)]
    assert len(first["clips"]) == PAGE and second["next"] is None


async def test_a_clip_is_told_with_all_it_takes_and_its_family(room: Room) -> None:
    one = await room.hang("Ada", "a red star -motion 2")
    two = await room.hang("Ben", "a star of Ben's", parent=one.id)
    three = await room.hang("Ada", "a blue star", parent=two.id)
    await room.hang("Ben", "another of Ben's", parent=three.id)
    ada = await room.visit("Ada")
    status, _, told = await ada.get(f"/api/clips/{three.id}")
    assert status == 200
    assert ["Seed", "7"] in told["facts"] and ["Model", "testcard"] in told["facts"]
    assert told["again"] == "a blue star -seed 7 -model testcard"
    family = [(each["key"], each["parent"], each["id"]) for each in told["family"]]
    # Ben's clip between hers is there without a word of it; the one that leads to none of hers is not.
    assert family == [(0, None, one.id), (1, 0, None), (2, 1, three.id)]
    assert "Ben" not in str(told)


async def test_someone_elses_clip_is_as_if_it_were_not_there(room: Room) -> None:
    theirs = await room.hang("Ben", "a secret of Ben's")
    ada, nobody = await room.visit("Ada"), await room.visit()
    for visit in (ada, nobody):
        absent = (await visit.get("/api/clips/nothere"))[2]
        for path in (f"/api/clips/{theirs.id}", f"/clips/{theirs.id}.mp4", f"/clips/{theirs.id}.jpg"):
            status, _, body = await visit.get(path)
            assert (status, body) == (404, absent)
    assert await ada.post(f"/api/clips/{theirs.id}/keep", {"on": True}) == 404
    assert not await room.ledger.people.keeps(room.place.user("Ada").id, theirs.id)
    assert (await nobody.get("/api/clips?list=mine"))[0] == 404
    assert (await nobody.get("/api/clips?list=kept"))[0] == 404


async def test_favourites_are_kept_and_let_go(room: Room) -> None:
    mine = await room.hang("Ada")
    bens = await room.hang("Ben")
    private = await room.hang("Ben", private=True)
    for job in (bens, private):  # by the star under the clip
        await room.ledger.people.favourite(room.place.user("Ada").id, job.id, True)
    ada = await room.visit("Ada")
    assert await ada.post(f"/api/clips/{mine.id}/keep", {"on": True}) == 200
    assert await ada.ids("kept") == [bens.id, mine.id]
    assert (await ada.get(f"/clips/{bens.id}.mp4"))[0] == 200
    assert (await ada.get(f"/clips/{private.id}.mp4"))[0] == 404
    assert await ada.post(f"/api/clips/{mine.id}/keep", {"on": False}) == 200
    assert await ada.ids("kept") == [bens.id]
    for body in (None, [], {"on": "yes"}, {}):
        assert await ada.post(f"/api/clips/{mine.id}/keep", body) == 400


# --- everyone's


async def test_the_public_list_has_those_alone_who_chose_it(room: Room) -> None:
    adas, bens = await room.hang("Ada"), await room.hang("Ben")
    nobody = await room.visit()
    assert await nobody.ids("public") == []
    await room.show("Ada")
    assert await nobody.ids("public") == [adas.id]
    assert (await nobody.get(f"/clips/{adas.id}.mp4"))[0] == 200
    assert (await nobody.get(f"/clips/{bens.id}.mp4"))[0] == 404
    for choice in (False, None):
        await room.show("Ada", choice)
        assert await nobody.ids("public") == []
        assert (await nobody.get(f"/clips/{adas.id}.mp4"))[0] == 404


async def test_no_private_clip_and_none_from_a_closed_room_is_public(room: Room) -> None:
    await room.show("Ada")
    hidden = [
        await room.hang("Ada", private=True),
        await room.hang("Ada", guild=None, private=True),
        await room.hang("Ada", guild=None),
        await room.hang("Ada", channel=SECRET_ROOM),
        await room.hang("Ada", guild=GUILD + 1),
        await room.hang("Ada", restricted=True),
        await room.hang("Ada", spoiler=True),
    ]
    shown = await room.hang("Ada")
    ben = await room.visit("Ben")
    assert await ben.ids("public") == [shown.id]
    for job in hidden:
        assert (await ben.get(f"/clips/{job.id}.mp4"))[0] == 404
    room.open.clear()  # the channel became age-restricted
    assert await ben.ids("public") == []


async def test_the_public_list_goes_on_past_rooms_that_are_closed(room: Room) -> None:
    await room.show("Ada")
    oldest = await room.hang("Ada")
    for _ in range(3 * PAGE):
        await room.hang("Ada", channel=SECRET_ROOM)
    newest = [await room.hang("Ada") for _ in range(PAGE)]
    nobody = await room.visit()
    _, _, first = await nobody.get("/api/clips?list=public")
    assert [clip["id"] for clip in first["clips"]] == [job.id for job in reversed(newest)]
    _, _, second = await nobody.get(f"/api/clips?list=public&after={first['next']}")
    assert [clip["id"] for clip in second["clips"]] == [oldest.id]


# --- what is gone


async def test_what_is_deleted_swept_or_forgotten_is_gone_at_once(room: Room) -> None:
    await room.show("Ada")
    deleted, swept, lost, kept = [await room.hang("Ada") for _ in range(4)]
    ada = await room.visit("Ada")
    links = [urlsplit(room.links.to(job.id).address) for job in (deleted, swept, lost, kept)]
    addresses = [f"{link.path}?{link.query}" for link in links]
    assert [(await ada.get(address))[0] for address in addresses] == [200] * 4
    assert deleted.message
    await room.ledger.taken_away([deleted.message])
    await room.ledger.swept([swept.id])
    (room.data / "clips" / lost.clip.file).unlink()
    assert kept.id in await ada.ids("public")
    for job in (deleted, swept, lost):
        assert (await ada.get(f"/clips/{job.id}.mp4"))[0] == 404
    assert await ada.ids("mine") == [kept.id, lost.id]  # the database was not told of that file yet
    assert [(await ada.get(address))[0] for address in addresses] == [404, 404, 404, 200]
    await room.ledger.people.forget(room.place.user("Ada").id)
    assert await ada.ids("mine") == [] and await ada.ids("public") == []
    assert (await ada.get(addresses[3]))[0] == 404


# --- links to whole files


async def test_a_link_opens_one_clip_to_whoever_has_it_until_its_time(room: Room) -> None:
    one, other = await room.hang("Ada", private=True), await room.hang("Ada")
    nobody = await room.visit()
    link = room.links.to(one.id)
    assert link.until == room.clock.now + 7 * DAY
    parts = urlsplit(link.address)
    address = f"{parts.path}?{parts.query}"
    status, headers, body = await nobody.get(address)
    assert (status, body, headers["Content-Type"]) == (200, FILM, "video/mp4")
    assert headers["Content-Disposition"] == 'inline; filename="a-red-star_seed7.mp4"'
    status, headers, body = await nobody.get(address, headers={"Range": "bytes=100-199"})
    assert (status, body) == (206, FILM[100:200])
    assert headers["Content-Range"] == f"bytes 100-199/{len(FILM)}"
    assert (await nobody.get(address, headers={"Range": f"bytes={len(FILM)}-"}))[0] == 416
    query = parse_qs(parts.query)
    until, seal = query["until"][0], query["seal"][0]
    for forged in (
        f"/full/{other.id}.mp4?{parts.query}",
        f"{parts.path}?until={int(until) + 1}&seal={seal}",
        f"{parts.path}?until={until}&seal={seal[:-1]}{'A' if seal[-1] != 'A' else 'B'}",
        f"{parts.path}?until={until}&seal=",
        f"{parts.path}?until={until}&seal=%F0%9F%94%81",
        f"{parts.path}?until=%D9%A1&seal={seal}",
        f"{parts.path}?until=-1&seal={seal}",
        parts.path,
    ):
        assert (await nobody.get(forged))[0] == 404, forged
    room.clock.now += 7 * DAY
    assert (await nobody.get(address))[0] == 200
    room.clock.now += 1
    status, _, said = await nobody.get(address)
    assert status == 404 and b"no longer good" in said


async def test_a_link_of_another_key_or_another_purpose_opens_nothing(room: Room) -> None:
    one = await room.hang("Ada")
    nobody = await room.visit()
    until = int(room.clock.now + 100)
    text = f"{one.id}.{until}"
    ours, other = room.links.seals, Seals(b"another key" * 3, room.clock)
    for seal, status in (
        (ours.mark("link", text), 200),
        (ours.mark("in", text), 404),
        (other.mark("link", text), 404),
    ):
        assert (await nobody.get(f"/full/{one.id}.mp4?until={until}&seal={seal}"))[0] == status


@pytest.mark.parametrize(
    "path",
    [
        "/clips/..%2f..%2fgallery.key.mp4", "/clips/../gallery.key", "/clips/%2e%2e/gallery.key",
        "/clips/clip1-file.mp4/../../gallery.key", "/static/../seals.py", "/static/%2e%2e%2fseals.py",
        "/static/index.html", "/full/..%2fgallery.key.mp4", "/clips/clip1-file.mp4", "/gallery.key",
        "/clips/%00.mp4", "/api/clips/..%2f..",
    ],
)  # fmt: skip
async def test_no_path_leads_out(room: Room, path: str) -> None:
    await room.hang("Ada")
    ada = await room.visit("Ada")
    async with ada.session.get(URL(room.base + path, encoded=True), allow_redirects=False) as answer:
        assert answer.status == 404
    assert (room.data / "gallery.key").is_file()


async def test_a_job_whose_file_names_another_folder_gives_nothing(room: Room) -> None:
    """Should a name in the database ever lead out, the shelf does not follow it."""
    one = await room.hang("Ada", made=False)
    clip = Clip(file="../gallery.key", width=8, height=8, frames=8, fps=8, size=32, took=1.0)
    made = one.running(1.0).made(clip)
    for turn in (one.running(1.0), made, made.posted(1, 2.0)):
        assert await room.ledger.record(turn)
    ada = await room.visit("Ada")
    assert (await ada.get(f"/clips/{one.id}.mp4"))[0] == 404
