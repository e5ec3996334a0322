"""Nobody gets into the gallery as someone else, whatever cookie, state, host or origin they bring."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.gallery.door import CODES, ENTERS, STAYS, Door
from bot.gallery.opening import Opening
from bot.gallery.seals import Seals, key
from bot.settings import load
from gen.errors import Misconfigured
from playground import fixtures
from playground.server import Playground
from tests.bot.hanging import Room, Visit, hung
from tests.running import ROOT

place = fixtures.place
pytest_runtest_makereport = fixtures.pytest_runtest_makereport


@pytest.fixture
async def room(tmp_path: Path, place: Playground) -> AsyncIterator[Room]:
    async with hung(tmp_path, place) as room:
        yield room


def cookie(visit: Visit, name: str) -> str:
    found = [one.value for one in visit.session.cookie_jar if one.key == name]
    assert len(found) == 1, found
    return found[0]


async def come_in(visit: Visit, sealed: str) -> int:
    """What the visitor's own list answers to a cookie."""
    headers = {"Cookie": f"zoetrope-in={sealed}"}
    return (await visit.get("/api/clips?list=mine", headers=headers))[0]


# --- signing in


async def test_discord_is_asked_for_a_name_and_nothing_else(room: Room) -> None:
    visit = await room.visit()
    query = parse_qs(urlsplit(await visit.begin()).query)
    assert query["scope"] == ["identify"] and query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"] and len(query["code_challenge"][0]) == 43
    assert len(query["state"][0]) == 43
    again = parse_qs(urlsplit(await visit.begin()).query)
    assert again["state"] != query["state"] and again["code_challenge"] != query["code_challenge"]


async def test_one_comes_in_is_greeted_and_leaves(room: Room) -> None:
    ada = await room.visit("Ada")
    status, _, body = await ada.get("/mine")
    assert status == 200 and b"Signed in as Ada" in body and b'data-in="yes"' in body
    assert (await ada.get("/api/clips?list=mine"))[0] == 200
    for origin in (None, "http://evil.example", "null"):
        assert await ada.post("/sign-out", origin=origin) == 403
    assert await ada.post("/sign-out") == 204
    assert (await ada.get("/api/clips?list=mine"))[0] == 404


async def test_cookies_are_no_scripts_and_no_other_sites(room: Room) -> None:
    visit = await room.visit()
    _, errand, _ = await visit.get("/sign-in")
    _, home, _ = await visit.get(await visit.agree(await visit.begin(), "Ada"))
    for headers in (errand, home):
        given = headers["Set-Cookie"]
        assert "HttpOnly" in given and "SameSite=Lax" in given and "Path=/" in given
        assert "Domain" not in given
    safe = Door(
        room.door.session, room.door.discord, room.door.seals,
        base="https://clips.example.org", client_id=lambda: 1, secret="s",
    )  # fmt: skip
    given = safe.begin().cookies["__Host-zoetrope-way"]
    assert given["secure"] and given["httponly"] and given["samesite"] == "Lax" and not given["domain"]


async def test_a_code_without_this_browsers_state_signs_nobody_in(room: Room) -> None:
    """Somebody's address with their own code and state, sent to Ada, does not make her look as them."""
    mallory, ada = await room.visit(), await room.visit()
    back = await mallory.agree(await mallory.begin(), "Mod")
    assert (await ada.get(back))[0] == 403  # no errand at all
    await ada.begin()
    for wrong in (back, back.replace("state=", "state=x"), back.replace("state=", "no="), f"{back}&state=1"):
        status, _, said = await ada.get(wrong)
        assert status == 403 and b"came to nothing" in said, wrong
    assert (await ada.get("/api/clips?list=mine"))[0] == 404
    assert (await mallory.get(back))[0] == 303  # where it belongs, it works


async def test_a_code_is_taken_once_and_a_refusal_is_said(room: Room) -> None:
    room.place.expect(400, "/oauth2/token")
    visit = await room.visit()
    way = await visit.begin()
    back = await visit.agree(way, "Ada")
    errand = cookie(visit, "zoetrope-way")
    assert (await visit.get(back))[0] == 303
    assert (await visit.get(back))[0] == 403  # the errand is done
    assert (await visit.get(back, headers={"Cookie": f"zoetrope-way={errand}"}))[0] == 403  # nor by Discord
    state = parse_qs(urlsplit(await visit.begin()).query)["state"][0]
    assert (await visit.get(f"/sign-in/back?error=access_denied&state={state}"))[0] == 403


async def test_an_errand_runs_out(room: Room) -> None:
    visit = await room.visit()
    back = await visit.agree(await visit.begin(), "Ada")
    errand = cookie(visit, "zoetrope-way")
    room.clock.now += ENTERS + 1
    assert (await visit.get(back, headers={"Cookie": f"zoetrope-way={errand}"}))[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "fault"),
    [("POST", "/oauth2/token", 500), ("POST", "/oauth2/token", "reset"), ("GET", "/users/@me", 500)],
)
async def test_what_discord_does_wrong_is_said(room: Room, method: str, path: str, fault: int | str) -> None:
    visit = await room.visit()
    back = await visit.agree(await visit.begin(), "Ada")
    room.place.faults.add(method, path, fault)
    status, _, said = await visit.get(back)
    assert status == 502 and b"Discord does not answer" in said
    assert (await visit.get("/api/clips?list=mine"))[0] == 404


async def test_nobody_shuts_discord_to_the_bot_by_made_up_codes(room: Room) -> None:
    """Who asks too often by a thing that is no code is banned for all that the bot does."""
    room.place.expect(400, "/oauth2/token")
    mallory, ada = await room.visit(), await room.visit()
    state = parse_qs(urlsplit(await mallory.begin()).query)["state"][0]
    errand = {"Cookie": f"zoetrope-way={cookie(mallory, 'zoetrope-way')}"}
    found = [
        (await mallory.get(f"/sign-in/back?code=guess&state={state}", headers=errand))[0]
        for _ in range(CODES + 5)
    ]
    assert found == [403] * CODES + [502] * 5
    assert len(room.place.journal.requests("/oauth2/token")) == CODES
    room.clock.now += 61
    await ada.enter("Ada")


# --- cookies


async def test_a_cookie_is_good_for_its_person_until_its_time(room: Room) -> None:
    ada = await room.visit("Ada")
    good, stranger = cookie(ada, "zoetrope-in"), await room.visit()
    body, _, mark = good.rpartition(".")
    assert await come_in(stranger, good) == 200
    other = Seals(b"another key" * 3, room.clock).seal("in", '{"id": "1", "name": "x"}', STAYS)
    ours = room.door.seals.seal("way", '{"id": "1", "name": "x"}', STAYS)  # for another purpose
    letters, _, until = body.partition(".")
    for forged in (
        other, ours, f"{body}.{mark[:-1]}", f"{letters}.{int(until) + 9}.{mark}", f"x{good}", "..", ".", "",
        body, f"{'A' * len(letters)}.{until}.{mark}", f"{letters}.{until}.", good.swapcase(),
    ):  # fmt: skip
        assert await come_in(stranger, forged) == 404, forged
    room.clock.now += STAYS + 1
    assert await come_in(stranger, good) == 404


async def test_a_new_key_signs_everyone_out(room: Room) -> None:
    ada = await room.visit("Ada")
    old = cookie(ada, "zoetrope-in")
    (room.data / "gallery.key").unlink()
    anew = Seals(key(room.data), room.clock)
    assert room.door.seals.open("in", old) and anew.open("in", old) is None


# --- who may ask at all


async def test_another_hosts_name_is_answered_by_nothing(room: Room) -> None:
    """A page of the web whose name was made to lead here asks with its own name."""
    job = await room.hang("Ada")
    ada = await room.visit("Ada")
    link = urlsplit(room.links.to(job.id).address)
    port = urlsplit(room.base).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"localhost:{port}", "127.0.0.1:1"):
        for path in ("/", "/api/clips?list=mine", f"/clips/{job.id}.mp4", f"{link.path}?{link.query}"):
            status, _, body = await ada.get(path, headers={"Host": host})
            assert status == 403, (host, path)
            assert b"red star" not in (body if isinstance(body, bytes) else str(body).encode())


async def test_another_sites_page_is_answered_by_nothing(room: Room) -> None:
    job = await room.hang("Ada")
    ada = await room.visit("Ada")
    for origin in ("http://evil.example", "null", room.base.replace("http:", "https:"), "http://127.0.0.1:1"):
        assert (await ada.get("/api/clips?list=mine", headers={"Origin": origin}))[0] == 403
        assert await ada.post(f"/api/clips/{job.id}/keep", {"on": True}, origin=origin) == 403
    assert await ada.post(f"/api/clips/{job.id}/keep", {"on": True}, origin=None) == 403
    assert await ada.ids("kept") == []
    assert (await ada.get("/api/clips?list=mine", headers={"Origin": room.base}))[0] == 200


async def test_every_answer_forbids_the_browser_what_the_page_does_not_need(room: Room) -> None:
    job = await room.hang("Ada")
    ada = await room.visit("Ada")
    for path in (
        "/",
        "/mine",
        f"/clips/{job.id}.mp4",
        "/api/clips",
        "/static/gallery.js",
        "/nowhere",
        "/full/x.mp4",
    ):
        _, headers, _ = await ada.get(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy, path
        assert "frame-ancestors 'none'" in policy and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "private, no-cache" and headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    status, _, _ = await ada.get("/", headers={"Host": "evil.example"})
    assert status == 403


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("ja", "サインイン"), ("ja-JP,en;q=0.5", "サインイン"), ("zh", "登录"), ("zh-TW,zh;q=0.9", "登录"),
        ("en-GB,ja;q=0.9", "Sign in"), ("fr, de;q=0.8", "Sign in"), ("ja;q=0, en", "Sign in"),
        ("fr,ja;q=0.2,zh;q=0.7", "登录"), (";;q=x,,", "Sign in"), ("", "Sign in"),
    ],
)  # fmt: skip
async def test_the_page_speaks_the_browsers_language(room: Room, wanted: str, words: str) -> None:
    visit = await room.visit()
    _, headers, body = await visit.get("/", headers={"Accept-Language": wanted})
    assert words in body.decode() and "{{" not in body.decode()
    assert "Accept-Language" in headers["Vary"]


# --- the key, and what opens a gallery


async def test_the_key_is_made_once_and_for_the_bots_own_eyes(tmp_path: Path) -> None:
    first = key(tmp_path)
    assert len(first) == 32 and key(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.key"]
    if sys.platform != "win32":
        assert (tmp_path / "gallery.key").stat().st_mode & 0o777 == 0o600
        (tmp_path / "gallery.key").chmod(0o640)
        with pytest.raises(Misconfigured, match="chmod 600"):
            key(tmp_path)
        (tmp_path / "gallery.key").chmod(0o600)
    (tmp_path / "gallery.key").write_bytes(b"short")
    with pytest.raises(Misconfigured, match="not whole"):
        key(tmp_path)


async def test_a_gallery_opens_where_it_is_wanted_and_has_its_secret(tmp_path: Path) -> None:
    text = (ROOT / "config.toml").read_text("utf-8")
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    environ = {"ZOETROPE_DATA": str(tmp_path)}
    assert Opening.of(load(file, environ)) is None
    assert not (tmp_path / "gallery.key").exists()
    file.write_text(
        text.replace("[gallery]", "[gallery]\nport = 8099").replace("port = 0  # of the page", "# "), "utf-8"
    )
    with pytest.raises(Misconfigured, match="DISCORD_CLIENT_SECRET is not set"):
        Opening.of(load(file, environ))
    settings = load(file, {**environ, "DISCORD_CLIENT_SECRET": " sesame "})
    assert settings.client_secret == "sesame" and "sesame" not in repr(settings)
    opening = Opening.of(settings)
    assert opening and opening.links.base == "http://127.0.0.1:8099"
