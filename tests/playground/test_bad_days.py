"""Rate limits, faults before and after the effect, what the judge sees, and what a test's end reports."""

import asyncio
import io

import aiohttp
import discord
import pytest

from playground.server import Playground


@pytest.fixture
async def clips(place, bot, start, hurry):
    await start()
    place.limits.relax()
    return bot.get_partial_messageable(place.channel("clips"))


def contents(place):
    return [one.content for one in place.world.messages.values()]


async def test_every_answer_says_how_much_of_the_limit_is_left(place, wire):
    path = f"/channels/{place.channel('clips')}/messages"
    place.limits.rules["messages.create"] = (2, 0.3)
    left = [(await wire.whole("POST", path, {"content": "x"}))[2]["X-RateLimit-Remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    place.expect(429)
    status, body, headers = await wire.whole("POST", path, {"content": "x"})
    assert (status, body["global"], headers["X-RateLimit-Scope"]) == (429, False, "user")
    assert headers["Via"]
    assert headers["Retry-After"] == "1"
    assert 0 < body["retry_after"] <= 0.3
    quiet = f"/channels/{place.channel('quiet')}/messages"
    assert (await wire.whole("GET", quiet))[2]["X-RateLimit-Bucket"] != headers["X-RateLimit-Bucket"]


async def test_a_client_that_heeds_the_headers_is_never_refused(place, bot, start):
    place.limits.rules["messages.edit"] = (2, 0.2)
    await start()
    message = await bot.get_partial_messageable(place.channel("clips")).send("0")
    began = asyncio.get_running_loop().time()
    for number in range(5):
        await message.edit(content=str(number))
    assert asyncio.get_running_loop().time() - began > 0.3


async def test_the_overall_limit_spares_interactions(place, wire):
    place.limits.overall = (1, 60.0)
    assert (await wire("GET", "/users/@me"))[0] == 200
    for code in (429, 10015):
        place.expect(code)
    status, body, headers = await wire.whole("GET", "/users/@me")
    assert (status, body["global"], headers["X-RateLimit-Global"]) == (429, True, "true")
    assert (await wire("POST", f"/webhooks/{place.world.application_id}/x", {"content": "x"}))[1][
        "code"
    ] == 10015


async def test_too_many_invalid_requests_ban_the_address(place, wire):
    place.limits.invalid = (2, 60.0)
    for code in (401, 429):
        place.expect(code)
    for _ in range(2):
        assert (await wire("GET", "/users/@me", token="wrong"))[0] == 401
    async with wire.session.get(f"{place.api}/users/@me") as answer:
        assert (answer.status, answer.content_type, "Via" in answer.headers) == (429, "text/plain", False)


async def test_a_whole_request_may_be_too_large():
    async with Playground(request_limit=1 << 20) as place, aiohttp.ClientSession() as session:
        place.expect(40005)
        form = aiohttp.FormData(quote_fields=False)
        for index in range(2):
            form.add_field(f"files[{index}]", io.BytesIO(bytes(600 << 10)), filename="a.mp4")
        headers = {"Authorization": f"Bot {place.token}"}
        url = f"{place.api}/channels/{place.channel('clips')}/messages"
        async with session.post(url, data=form, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (413, 40005)


@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_storm_of_429_passes(place, bot, clips, scope):
    place.limits.storm(3, wait=0.01, scope=scope)
    await clips.send("through")
    assert contents(place) == ["through"]
    place.limits.storm(5, wait=0.01)
    with pytest.raises(discord.HTTPException) as caught:
        await clips.send("never")
    assert caught.value.status == 429


@pytest.mark.parametrize("status", [500, 502])
async def test_after_a_fault_past_the_effect_only_a_nonce_keeps_a_message_single(place, bot, clips, status):
    fault = place.faults.add("POST", "/channels/*/messages", status)
    await clips.send("before")
    assert (fault.hits, contents(place)) == (1, ["before"])
    place.faults.add("POST", "/channels/*/messages", status, when="after")
    with discord.http.handle_message_parameters("after") as plain:
        await bot.http.send_message(clips.id, params=plain)
    assert contents(place) == ["before", "after", "after"]
    place.faults.add("POST", "/channels/*/messages", status, when="after")
    await clips.send("once", nonce="job-1")
    assert contents(place)[3:] == ["once"]


async def test_503_and_a_cut_connection_reach_the_bot(place, bot, clips):
    place.faults.add("POST", "/channels/*/messages", 503)
    with pytest.raises(discord.DiscordServerError):
        await clips.send("x")
    place.faults.add("POST", "/channels/*/messages", "reset", skip=1)
    await clips.send("passes")
    with pytest.raises((aiohttp.ServerDisconnectedError, ConnectionResetError)):
        await clips.send("cut before")
    place.faults.add("POST", "/channels/*/messages", "reset", when="after")
    with pytest.raises((aiohttp.ServerDisconnectedError, ConnectionResetError)):
        await clips.send("cut after")
    assert contents(place) == ["passes", "cut after"]


async def test_an_upload_is_cut_in_the_middle(place, bot, clips):
    place.faults.add("POST", "/channels/*/messages", "reset", when="during")
    with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
        await clips.send(file=discord.File(io.BytesIO(bytes(4 << 20)), "clip.mp4"))
    assert contents(place) == []
    called = []
    place.faults.add("POST", "/channels/*/messages", lambda: called.append("half way"), when="during")
    place.faults.add("POST", "/elsewhere", "reset", when="during")
    sent = await clips.send(file=discord.File(io.BytesIO(bytes(4 << 20)), "clip.mp4"))
    assert (sent.attachments[0].size, called) == (4 << 20, ["half way"])


async def test_a_fault_may_wait_or_call(place, bot, clips):
    called = []
    place.faults.add("POST", "/channels/*/messages", "slow", seconds=0.2)
    place.faults.add("POST", "/channels/*/messages", lambda: called.append(contents(place)), when="after")
    began = asyncio.get_running_loop().time()
    await clips.send("late")
    assert asyncio.get_running_loop().time() - began >= 0.2
    assert called == [["late"]]


async def test_files_may_be_gone_expired_or_asked_for_in_part(place, bot, clips):
    sent = await clips.send(file=discord.File(io.BytesIO(bytes(range(100))), "clip.mp4"))
    url = sent.attachments[0].url
    place.expect(404)
    place.expect(403)
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers={"Range": "bytes=10-19"}) as answer:
            assert (answer.status, await answer.read()) == (206, bytes(range(10, 20)))
            assert (answer.content_type, answer.headers["Content-Range"]) == ("video/mp4", "bytes 10-19/100")
        async with session.get(url[:-1] + ("0" if url[-1] != "0" else "1")) as answer:
            assert answer.status == 404
        async with session.get(url.partition("?")[0]) as answer:
            assert answer.status == 404
        async with session.get(url, headers={"Host": "example.org"}) as answer:
            assert answer.status == 403
        async with session.get(url, headers={"Origin": "http://example.org"}) as answer:
            assert answer.status == 403
    fault = place.faults.add("GET", "/attachments/*", 404)
    with pytest.raises(discord.NotFound):
        await sent.attachments[0].read()
    assert fault.hits == 1
    now = place.world.links._clock
    place.world.links._clock = lambda: now() + 86_402
    with pytest.raises(discord.NotFound):
        await sent.attachments[0].read()
    again = await clips.fetch_message(sent.id)
    assert await again.attachments[0].read() == bytes(range(100))


async def test_the_end_of_a_test_reports_what_nobody_expected():
    async with Playground(verify=False) as place, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bot {place.token}"}
        async with session.get(f"{place.api}/stage-instances/1", headers=headers) as answer:
            assert answer.status == 501
        with pytest.raises(AssertionError, match="501 no such route"):
            await place.verify()
        async with session.get(f"{place.api}/channels/1", headers=headers) as answer:
            assert answer.content_type == "application/json"
            assert answer.headers["Content-Type"] == "application/json"
        with pytest.raises(AssertionError, match="10003"):
            await place.verify()
        place.expect(501, "/stage-instances/*")
        place.expect(10003)
        await place.verify()


async def test_an_interaction_without_an_answer_is_reported(place, bot, start):
    @bot.tree.command(description="Says nothing")
    async def mute(interaction: discord.Interaction) -> None:
        pass

    place.world.answer_within = 0.05
    await start()
    deed = await place.person("Ada").slash(place.channel("clips"), "mute")
    await deed.settled()
    with pytest.raises(AssertionError, match="mute was never answered"):
        await place.verify()
    place.journal.unanswered_expected = True


async def test_what_discord_does_not_describe_is_reported(place, wire):
    if not place.judged:
        pytest.skip("Discord's OpenAPI description is not at hand: set ZOETROPE_OPENAPI to its file")
    path = f"/channels/{place.channel('clips')}/messages"
    await wire("POST", path, {"content": "x", "tts": "perhaps"})
    with pytest.raises(AssertionError, match="request: tts: 'perhaps' is not"):
        await place.verify()
    place.journal.entries.clear()


def test_only_this_machine_may_listen():
    with pytest.raises(ValueError, match="this machine only"):
        Playground(host="0.0.0.0")  # noqa: S104 -- what must be refused
