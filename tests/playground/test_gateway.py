"""The websocket's good and bad days, with a real client and with a bare one."""

import json
import time
import zlib

import aiohttp
import discord
import pytest

from playground import places
from playground.permissions import Can


class Bare:
    """A websocket that says what a test wants said."""

    def __init__(self, ws):
        self.ws = ws
        self.unpack = zlib.decompressobj()

    async def say(self, op, data):
        await self.ws.send_str(json.dumps({"op": op, "d": data}))

    async def hear(self):
        message = await self.ws.receive(timeout=40)
        if message.type is aiohttp.WSMsgType.BINARY:
            return json.loads(self.unpack.decompress(message.data))
        if message.type is aiohttp.WSMsgType.TEXT:
            return json.loads(message.data)
        return None

    async def until_closed(self):
        while await self.hear() is not None:
            pass
        return self.ws.close_code

    async def named(self, name):
        while (event := await self.hear())["t"] != name:
            pass
        return event["d"]


@pytest.fixture
async def dial(place):
    async with aiohttp.ClientSession() as session:

        async def go(query="v=10&encoding=json", identify=None):
            bare = Bare(await session.ws_connect(f"{place.gateway}?{query}"))
            assert (await bare.hear())["op"] == 10
            if identify is not None:
                await bare.say(2, {"token": place.token, "properties": {}, "intents": 1 | 1 << 9, **identify})
            return bare

        yield go


@pytest.mark.parametrize(
    ("identify", "code"),
    [
        ({"token": "MTE.a.real-one"}, 4004),
        ({"intents": 1 << 15}, 4014),
        ({"intents": 1 << 40}, 4013),
        ({"shard": [2, 2]}, 4010),
    ],
)
async def test_an_identify_that_may_not_be_is_refused_by_its_code(dial, identify, code):
    assert await (await dial(identify=identify)).until_closed() == code


async def test_a_connection_identifies_once_and_first(dial):
    again = await dial(identify={})
    await again.say(2, {})
    assert await again.until_closed() == 4005
    early = await dial()
    await early.say(3, {})
    assert await early.until_closed() == 4003
    odd = await dial(identify={})
    await odd.say(99, {})
    assert await odd.until_closed() == 4001
    for text in ("{", "[]", '{"op": 2, "d": 7}', '{"op": 6, "d": null}', " " * 5000):
        broken = await dial()
        await broken.ws.send_str(text)
        assert await broken.until_closed() == 4002, text
    assert await (await dial("v=6")).until_closed() == 4012


async def test_a_client_that_talks_too_much_is_closed(place, dial):
    place.socket.most_said = (3, 60.0)
    one = await dial(identify={})
    for _ in range(3):
        await one.say(1, None)
    assert await one.until_closed() == 4008


async def test_members_are_given_in_chunks_to_those_who_ask(place, dial):
    one = await dial(identify={})
    await one.named("GUILD_CREATE")
    wanted = str(place.user("Ben").id)
    await one.say(8, {"guild_id": str(place.guild.id), "user_ids": [wanted], "limit": 0, "nonce": "n"})
    chunk = await one.named("GUILD_MEMBERS_CHUNK")
    assert ([member["user"]["id"] for member in chunk["members"]], chunk["nonce"]) == ([wanted], "n")


async def test_a_still_heart_ends_the_session(place, dial):
    place.socket.heartbeat, place.socket.patience = 0.05, 0.05
    assert await (await dial(identify={})).until_closed() == 4009


@pytest.mark.parametrize("query", ["v=10", "v=10&compress=zlib-stream"])
async def test_intents_gate_what_is_heard(place, dial, query):
    deaf, keen = await dial(query, identify={"intents": 1}), await dial(query, identify={})
    for one in (deaf, keen):
        await one.named("GUILD_CREATE")
    await place.person("Ada").say(place.channel("clips"), "secret")
    heard = await keen.named("MESSAGE_CREATE")
    assert (heard["content"], heard["author"]["username"]) == ("", "ada")
    bot = place.world.bot_id
    await place.person("Ada").say(place.channel("clips"), f"<@{bot}> hi")
    assert (await keen.named("MESSAGE_CREATE"))["content"].endswith("hi")
    await place.do(places.add_channel, place.guild, "new")
    assert (await deaf.hear())["t"] == "CHANNEL_CREATE"


async def test_the_content_intent_is_for_those_who_were_granted_it(place, dial):
    place.world.privileged = 1 << 15
    keen = await dial(identify={"intents": 1 | 1 << 9 | 1 << 15})
    await keen.named("GUILD_CREATE")
    await place.person("Ada").say(place.channel("clips"), "secret")
    assert (await keen.named("MESSAGE_CREATE"))["content"] == "secret"
    everyone = place.world.roles[place.guild.id]
    await place.do(places.allow, place.place("clips"), everyone, deny=Can.VIEW_CHANNEL)
    await place.person("Ada").say(place.channel("clips"), "not for the bot")
    await place.person("Ada").say(place.channel("quiet"), "for all")
    assert (await keen.named("MESSAGE_CREATE"))["content"] == "for all"


async def test_shards_share_the_guilds_and_two_processes_hear_the_same(place, dial):
    place.socket.shards = 2
    number = (place.guild.id >> 22) % 2
    mine = await dial(identify={"shard": [number, 2]})
    other = await dial(identify={"shard": [1 - number, 2]})
    twin = await dial(identify={})
    assert len((await mine.named("READY"))["guilds"]) == 1
    assert (await other.named("READY"))["guilds"] == []
    await twin.named("GUILD_CREATE")
    await place.person("Ada").say(place.channel("clips"), "x")
    assert (await mine.named("MESSAGE_CREATE"))["id"] == (await twin.named("MESSAGE_CREATE"))["id"]


async def test_a_cut_client_resumes_and_misses_nothing(place, bot, start):
    await start()
    await place.socket.cut()
    await place.until(lambda: place.socket.connected == 0)
    for number in range(3):
        await place.person("Ada").say(place.channel("clips"), str(number))
    await bot.hears("message", 3)
    assert (place.socket.identifies, place.socket.resumes) == (1, 1)
    ids = [message.id for message in bot.all("message")]
    assert ids == sorted(ids)


async def test_asked_to_reconnect_it_resumes_and_invalidated_it_identifies_anew(place, bot, start, hurry):
    await start()
    await place.socket.reconnect()
    await place.until(lambda: place.socket.resumes == 1)
    await place.socket.invalidate(resumable=True)
    await place.until(lambda: place.socket.resumes == 2)
    await place.socket.invalidate()
    await place.until(lambda: place.socket.identifies == 2)
    await place.person("Ada").say(place.channel("clips"), "still there")
    await bot.hears("message", 1)


async def test_events_may_come_twice(place, bot, start):
    await start()
    await place.socket.duplicate(1)
    await place.person("Ada").say(place.channel("clips"), "once")
    await place.person("Ada").say(place.channel("clips"), "again")
    await bot.hears("message", 3)


async def test_a_revoked_token_ends_the_bot(place, bot, start, wire):
    await start()
    place.expect(401)
    assert await wire("GET", "/users/@me", token="another") == (
        401,
        {"message": "401: Unauthorized", "code": 0},
    )
    await place.socket.revoke()
    with pytest.raises(discord.ConnectionClosed) as caught:
        await bot.connected
    assert caught.value.code == 4004


async def test_silence_holds_everything_back(place, dial):
    one = await dial(identify={})
    await one.named("GUILD_CREATE")
    await place.socket.silence()
    await one.say(1, None)
    await place.person("Ada").say(place.channel("clips"), "x")
    with pytest.raises(TimeoutError):
        await one.ws.receive(timeout=0.1)
    await place.socket.silence(False)
    assert {(await one.hear())["op"], (await one.hear())["op"]} == {11, 0}


async def test_a_stalled_loop_shows_as_a_gap_between_heartbeats(place, bot, start):
    place.socket.heartbeat = 0.1
    await start()
    await place.until(lambda: place.socket.beats > 3)
    assert place.socket.longest_gap < 0.3
    time.sleep(0.5)  # noqa: ASYNC251 -- the stall that must be seen
    await place.until(lambda: place.socket.longest_gap > 0.4)


async def test_presence_is_told_to_people(place, bot, start):
    ear = await place.person("Ada").listen()
    await start()
    await bot.close()
    await place.until(lambda: [one["online"] for one in ear.named("BOT_PRESENCE")] == [True, False])
    snapshot = await place.do(lambda world: world.snapshot(place.user("Ada").id))
    assert snapshot["bot"]["online"] is False
    assert [channel["name"] for channel in snapshot["guilds"][0]["channels"]] == ["clips", "quiet"]
