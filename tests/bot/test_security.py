"""No secret leaves the bot, nobody's words ping, name a file or fetch from elsewhere."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
from aiohttp import web

from bot.client import Client
from bot.desk import HANDS, Desk
from bot.settings import Discord, load
from gen.errors import BadRequest
from gen.job import Task
from gen.layers import Effective, Policy, resolve
from playground import places
from tests.bot.conftest import Scene, Stage, configured
from tests.bot.hanging import free_port
from tests.running import ROOT, picture, running

seen = pytest.mark.asyncio(loop_scope="module")


# --- secrets


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_the_token_is_in_no_log_no_file_and_no_child(tmp_path: Path) -> None:
    """At the loudest level, through a clip, a refusal, a cut connection and a revoked token; so is the secret
    of the gallery, its key in no file but its own, and no key to an answer in the log."""
    changed = {'level = "INFO"': 'level = "DEBUG"', 'text = "auto"': 'text = "quick"'}
    port = {"port = 0  # of the page": f"port = {free_port()}  # of the page"}
    config = configured(tmp_path, {**changed, **port})
    async with running(tmp_path, config) as (place, bot):
        token, secret = place.token, place.world.consents.secret
        person = place.person("Ada")
        scene = Scene(place, place.channel("clips"), person)
        await scene.ask("a quiet star")
        await scene.until_done()
        await (await scene.ask("refused -seed x")).message()
        place.faults.add("POST", f"/channels/{scene.channel}/messages", 500)
        await scene.ask("a star through a fault")
        await place.socket.cut()
        await scene.until_done(2)
        group = await place.do(places.add_group, "we two", place.user("Ada"), place.user("Ben"))
        await place.do(places.install, place.user("Ada"))  # where the bot is no member, the key is kept
        await (await person.slash(group.id, "animate", {"prompt": "among us"})).message()
        await place.until(lambda: any(one["attachments"] for one in place.world.last(group.id, person.id, 9)))
        if sys.platform == "linux":
            assert bot.process
            assert token in _environ(bot.process.pid)  # there it must be
            children = _children(bot.process.pid)
            assert len(children) >= 2  # engine and darkroom
            assert secret in _environ(bot.process.pid)
            assert not any(word in _environ(child) for child in children for word in (token, secret))
        place.expect(401)
        await place.socket.revoke()
        assert bot.process and await asyncio.wait_for(bot.process.wait(), 40) == 78
        assert re.search("DEBUG db.ledger.*: job .* is posted", bot.words)
        keys = {one.token for one in place.world.interactions.values()}
        assert len(keys) >= 4 and not [key for key in keys if key in bot.words]
        key = (bot.data / "gallery.key").read_bytes()
        for word, there in ((token.encode(), []), (secret.encode(), []), (key, ["gallery.key"])):
            assert [path.name for path in _files(bot.data) if word in path.read_bytes()] == there


def _environ(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text("utf-8", "replace")


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(one) for one in text.split()]


# --- words


@seen
async def test_nobody_is_pinged_but_the_owner_by_the_clip(stage: Stage) -> None:
    """Twice over: what people typed names nobody as it is written, and Discord is told to ping nobody."""
    async with Client() as client:
        assert client.allowed_mentions
        assert client.allowed_mentions.to_dict() == {"parse": []}
    scene, place = await stage.scene(), stage.place
    ben = place.user("Ben").id
    role = await place.do(places.add_role, place.guild, "everybody", 0)
    ping = f"@everyone @here <@{ben}> <@!{ben}> <@&{role.id}> <#{scene.channel}> look"
    ear = await place.person("Ben").listen()
    # The bot may: only what it sends protects the server.
    me = place.world.users[place.world.bot_id]
    channel = place.world.channels[scene.channel]
    await place.do(places.allow, channel, me, allow=1 << 17)
    await scene.ask(ping)
    [clip] = await scene.until_done()
    await scene.person.react(int(clip["id"]), "🔁")
    await scene.until_done(2)
    await scene.ask(f"{ping} -seed x")  # a refusal that quotes
    await scene.ask("-neg " + ping)
    told = [*ear.named("MESSAGE_CREATE"), *ear.named("MESSAGE_UPDATE")]
    here = [one for one in told if int(one["channel_id"]) == scene.channel]
    assert len(here) >= 4
    for one in here:
        assert not one["mention_everyone"] and one["mention_roles"] == [], one["content"]
        owner = [str(scene.person.id)] if one["attachments"] else []
        assert [user["id"] for user in one["mentions"]] == owner, one["content"]
        named = set(re.findall(r"<@[!&]?\d+>|@everyone|@here", one["content"]))
        assert named <= {f"<@{scene.person.id}>"}, one["content"]


@seen
async def test_no_word_of_a_person_s_is_in_a_path(stage: Stage) -> None:
    scene = await stage.scene()
    evil = "../../evil/../$(touch pwned);`id`"
    await scene.person.slash(
        scene.channel, "animate", {"prompt": evil, "image": (f"{evil}.png", picture(seed=7)), "seconds": 1}
    )
    [clip] = await scene.until_done()
    assert re.fullmatch(r"[a-z0-9-]+_seed\d+\.mp4", clip["attachments"][0]["filename"])
    names = {path.name for folder in ("clips", "pictures") for path in (stage.bot.data / folder).iterdir()}
    assert all(re.fullmatch(r"[0-9a-f]{32,64}\.(mp4|png)", name) for name in names), names
    assert not (ROOT / "pwned").exists() and not (stage.bot.data / "pwned").exists()


@seen
@pytest.mark.parametrize("about", ["../../etc/passwd", "a" * 40, "x' OR 1=1", "0"])
async def test_a_stranger_s_id_finds_nothing(stage: Stage, about: str) -> None:
    scene = await stage.scene()
    deed = await scene.person.slash(scene.channel, "cancel", {"clip": about})
    assert "There is no clip" in (await deed.message())["content"]


@seen
async def test_a_crowd_s_pictures_are_fetched_a_few_at_a_time(stage: Stage) -> None:
    now = most = 0
    enough = asyncio.Event()

    async def count() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == HANDS:
            enough.set()
        await enough.wait()
        await asyncio.sleep(0.05)
        now -= 1

    fetches = stage.place.faults.add("GET", "*ephemeral-attachments*", count, times=1000)
    scenes = [await stage.scene() for _ in range(20)]
    image = ("a.png", picture(seed=3))
    for scene in scenes:
        await scene.person.slash(scene.channel, "img2vid", {"image": image, "seconds": 1})
    await stage.place.until(lambda: fetches.hits == 20)
    assert most == HANDS
    stage.place.faults.clear()
    await stage.place.until(lambda: all("seed" in "".join(scene.texts()) for scene in scenes))


@seen
async def test_pictures_for_which_there_is_no_seat_are_not_fetched(stage: Stage) -> None:
    other, scene = await stage.scene(), await stage.scene()
    await other.ask("for ever", model="endless")
    held = asyncio.Event()

    async def hold() -> None:
        await held.wait()

    fetches = stage.place.faults.add("GET", "*ephemeral-attachments*", hold, times=1000)
    image = ("a.png", picture(seed=3))
    ask = {"image": image, "seconds": 1}
    deeds = [await scene.person.slash(scene.channel, "img2vid", ask) for _ in range(HANDS + 6)]
    await stage.place.until(lambda: fetches.hits == HANDS)
    await stage.place.do(lambda world: held.set())

    def refused() -> int:
        return sum("clips waiting" in one["content"] for deed in deeds for one in deed.followups)

    await stage.place.until(lambda: refused() == HANDS + 6 - 5)  # five may wait
    assert fetches.hits == HANDS
    stage.place.faults.clear()
    await other.person.slash(other.channel, "cancel")
    await scene.until_text("seed")


# --- attachments from hostile places


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def force(user: int, guild: int | None) -> Effective:
    """Nobody chose anything."""
    del user, guild
    models = {task.value: "testcard" for task in Task}
    return resolve(Policy(models), {}, offered={task: [] for task in Task})


@asynccontextmanager
async def hostile(handler: Handler, **settings: Any) -> AsyncIterator[tuple[Desk, str]]:
    """A desk whose stand-in for Discord's file host answers by `handler`, and that host's address."""
    app = web.Application()
    app.router.add_get("/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session:
            here = replace(
                load(ROOT / "config.toml", {}),
                discord=Discord(f"{base}/api", "ws://127.0.0.1", f"{base}/cdn"),
            )
            here = replace(here, files=replace(here.files, upload=1))
            client = discord.Client(intents=discord.Intents.none())
            yield Desk(client, session, here, force, {}, patience=0.5), base
    finally:
        await runner.cleanup()


def attachment(url: str, size: int = 100, name: str = "a.png") -> discord.Attachment:
    data: Any = {"id": "1", "size": size, "filename": name, "url": url, "proxy_url": url}
    state: Any = SimpleNamespace(http=None)
    return discord.Attachment(data=data, state=state)


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        raise web.HTTPFound("/secret")

    async with hostile(redirect) as (desk, base):
        with pytest.raises(BadRequest, match=r"a\.png could not be loaded"):
            await desk.fetch(attachment(f"{base}/cdn/a.png"))
    assert asked == ["/cdn/a.png"]


async def test_an_endless_body_is_cut_at_the_limit() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(2**16))
            sent += 2**16

    async with hostile(endless) as (desk, base):
        with pytest.raises(BadRequest, match=r"a\.png is larger than 1 MiB"):
            await desk.fetch(attachment(f"{base}/cdn/a.png", size=100))  # it said 100 bytes
    assert sent < 16 * 2**20  # what the system's buffers took besides


async def test_a_body_that_swells_when_unpacked_is_cut_at_the_limit() -> None:
    import zlib

    bomb = zlib.compress(bytes(200 * 2**20), 9)

    async def packed(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "deflate"})

    async with hostile(packed) as (desk, base):
        with pytest.raises(BadRequest):
            await desk.fetch(attachment(f"{base}/cdn/a.png", size=len(bomb)))


async def test_a_slow_body_is_given_up_in_time() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    async with hostile(slow) as (desk, base):
        began = time.monotonic()
        with pytest.raises(BadRequest, match=r"a\.png took too long to load"):
            await desk.fetch(attachment(f"{base}/cdn/a.png"))
        assert time.monotonic() - began < 2


async def test_what_is_said_to_be_too_large_is_not_asked_for() -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        raise AssertionError("it was asked for")

    async with hostile(never) as (desk, base):
        with pytest.raises(BadRequest, match=r"\S{0,60} is larger than 1 MiB"):
            await desk.fetch(attachment(f"{base}/cdn/a.png", size=2**20 + 1, name="a" * 900 + ".png"))


async def test_only_the_file_host_is_asked() -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        raise AssertionError("it was asked for")

    async with hostile(never) as (desk, base):
        for url in (
            f"{base}/cdnevil/a.png", f"{base}/api/a.png", f"{base}@evil.example/cdn/a.png",
            "http://127.0.0.1:1/cdn/a.png", "file:///etc/passwd", "https://cdn.discordapp.com/a.png",
        ):  # fmt: skip
            with pytest.raises(BadRequest, match="is not an attachment of Discord's"):
                await desk.fetch(attachment(url))
        real = Desk(desk.client, desk.session, replace(desk.settings, discord=Discord()), force, {})
        for url in (
            "http://cdn.discordapp.com/a.png", "https://cdn.discordapp.com.evil.example/a.png",
            "https://cdn.discordapp.com@evil.example/a.png", "https://evil.example/cdn.discordapp.com/a.png",
            "https://127.0.0.1/a.png", f"{base}/cdn/a.png",
        ):  # fmt: skip
            with pytest.raises(BadRequest, match="is not an attachment of Discord's"):
                await real.fetch(attachment(url))
