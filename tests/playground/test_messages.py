"""Messages by the bot's own token: posting, limits, files, nonces, reading, editing, deleting, reactions."""

import io

import discord
import pytest

from playground import draft, places
from playground.permissions import Can


def tree(body):
    """The codes in an error's tree, by dotted path."""
    found = {}

    def walk(node, path):
        for one in node.get("_errors", ()):
            found[".".join(path)] = one["code"]
        for key, child in node.items():
            if key != "_errors":
                walk(child, (*path, key))

    walk(body["errors"], ())
    return found


@pytest.fixture
def posts(place):
    return f"/channels/{place.channel('clips')}/messages"


async def test_a_message_with_a_file_is_posted_edited_and_deleted(place, bot, start):
    await start()
    channel = await bot.fetch_channel(place.channel("clips"))
    sent = await channel.send("a cat", file=discord.File(io.BytesIO(b"first"), "cat.mp4"))
    assert (sent.attachments[0].content_type, await sent.attachments[0].read()) == ("video/mp4", b"first")
    kept = await sent.edit(
        content="two cats", attachments=[*sent.attachments, discord.File(io.BytesIO(b"2"), "b.png")]
    )
    assert [one.filename for one in kept.attachments] == ["cat.mp4", "b.png"]
    assert kept.edited_at is not None
    left = await kept.edit(attachments=[kept.attachments[1]])
    assert [one.filename for one in left.attachments] == ["b.png"]
    assert (await channel.fetch_message(sent.id)).content == "two cats"
    await left.delete()
    place.expect(10008)
    with pytest.raises(discord.NotFound):
        await channel.fetch_message(sent.id)
    assert not any(place.store.files.iterdir())


async def test_bodies_beyond_the_limits_are_refused_with_the_tree_of_what_is_wrong(place, wire, posts):
    for code in (50035, 50006):
        place.expect(code)
    place.limits.relax()
    button = {"type": 2, "style": 1, "label": "x", "custom_id": "same"}
    text = {"type": 10, "content": "x"}
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://absent.png"}}]}
    for body, errors in (
        ({"content": "x" * 2001}, {"content": "BASE_TYPE_MAX_LENGTH"}),
        ({"embeds": [{"title": "x" * 257}]}, {"embeds.0.title": "BASE_TYPE_MAX_LENGTH"}),
        ({"embeds": [{"description": "x" * 3001}] * 2}, {"embeds": "MAX_EMBED_SIZE_EXCEEDED"}),
        ({"embeds": [{"title": "x"}] * 11}, {"embeds": "BASE_TYPE_MAX_LENGTH"}),
        (
            {"content": "x", "components": [{"type": 1, "components": [button, button]}]},
            {"components.0.components.1.custom_id": "COMPONENT_CUSTOM_ID_DUPLICATED"},
        ),
        (
            {"content": "x", "components": [{"type": 1, "components": [{**button, "custom_id": "x" * 101}]}]},
            {"components.0.components.0.custom_id": "BASE_TYPE_BAD_LENGTH"},
        ),
        ({"content": "x", "components": [text]}, {"components.0.type": "UNION_TYPE_CHOICES"}),
        ({"flags": 1 << 15, "components": [text] * 41}, {"components": "BASE_TYPE_MAX_LENGTH"}),
        (
            {"flags": 1 << 15, "components": [{"type": 10, "content": "x" * 2001}] * 2},
            {"components": "COMPONENT_MAX_TOTAL_TEXT_EXCEEDED"},
        ),
        (
            {"flags": 1 << 15, "content": "x", "components": [text]},
            {"content": "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"},
        ),
        (
            {"flags": 1 << 15, "components": [gallery]},
            {"components.0.items.0.media.url": "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"},
        ),
        (
            {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
            {"allowed_mentions": "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE"},
        ),
        ({"content": "x", "nonce": "n" * 26}, {"nonce": "BASE_TYPE_MAX_LENGTH"}),
    ):
        status, answer = await wire("POST", posts, body)
        assert (status, answer["code"], tree(answer)) == (400, 50035, errors), body
    assert (await wire("POST", posts, {"content": ""}))[1]["code"] == 50006
    assert not place.world.messages


@pytest.mark.parametrize("limit", [10 << 20, 20 << 20])
async def test_a_file_over_the_limit_is_too_large_though_more_was_promised(place, wire, posts, limit):
    place.expect(40005)
    place.guild.file_limit, place.guild.true_file_limit = 50 << 20, limit
    status, answer = await wire("POST", posts, files=[("a.mp4", bytes(limit + 1))])
    assert (status, answer["code"]) == (413, 40005)
    status, answer = await wire("POST", posts, files=[("a.mp4", bytes(limit))])
    assert (status, answer["attachments"][0]["size"]) == (200, limit)


async def test_an_enforced_nonce_gives_the_first_message_for_some_minutes(place, wire, posts):
    body = {"content": "once", "nonce": "job-1", "enforce_nonce": True}
    first = (await wire("POST", posts, body))[1]
    again = (await wire("POST", posts, body))[1]
    assert first["id"] == again["id"]
    assert again["nonce"] == "job-1"
    loose = (await wire("POST", posts, {"content": "twice", "nonce": "job-1"}))[1]
    assert loose["id"] != first["id"]
    place.world.nonce_lives = -1
    assert (await wire("POST", posts, body))[1]["id"] not in (first["id"], loose["id"])


async def test_history_is_read_newest_first_between_bounds(place, wire, posts):
    place.limits.relax()
    ids = [(await wire("POST", posts, {"content": str(number)}))[1]["id"] for number in range(6)]

    async def listed(query):
        return [ids.index(one["id"]) for one in (await wire("GET", f"{posts}?{query}"))[1]]

    assert await listed("limit=3") == [5, 4, 3]
    assert await listed(f"before={ids[3]}&limit=2") == [2, 1]
    assert await listed(f"after={ids[1]}&limit=2") == [3, 2]
    assert await listed(f"around={ids[2]}&limit=3") == [3, 2, 1]
    place.expect(50035)
    assert (await wire("GET", f"{posts}?limit=101"))[0] == 400
    assert (await wire("POST", f"{posts}/bulk-delete", {"messages": ids[:2]}))[1]["code"] == 50013
    place.expect(50013)
    everyone = place.world.roles[place.guild.id]
    await place.do(places.change_role, everyone, everyone.permissions | Can.MANAGE_MESSAGES)
    assert (await wire("POST", f"{posts}/bulk-delete", {"messages": ids[:2]}))[0] == 204
    assert await listed("limit=50") == [5, 4, 3, 2]


async def test_reactions_are_told_to_the_bot_its_own_too_and_old_messages_too(place, bot, start):
    await start()
    channel = bot.get_partial_messageable(place.channel("clips"))
    message = await channel.send("react")
    await message.add_reaction("🔁")
    await place.person("Ben").react(message.id, "🔁")
    await place.person("Ben").react(message.id, "🔁")
    await place.person("Ben").unreact(message.id, "🔁")
    said = await place.person("Ben").say(place.channel("clips"), "older")
    await place.person("Ada").react(int(said["id"]), "❌")
    await bot.hears("raw_reaction_add", 3)
    adds = bot.all("raw_reaction_add")
    assert [one.user_id for one in adds] == [bot.user.id, place.user("Ben").id, place.user("Ada").id]
    assert adds[1].member.name == "ben"
    assert len(bot.all("raw_reaction_remove")) == 1
    fetched = await channel.fetch_message(message.id)
    assert [(one.emoji, one.count, one.me) for one in fetched.reactions] == [("🔁", 1, True)]
    assert [user.id async for user in fetched.reactions[0].users()] == [bot.user.id]
    place.expect(50013)
    with pytest.raises(discord.Forbidden):
        await fetched.remove_reaction("🔁", place.user("Ada"))
    place.expect(10014)
    with pytest.raises(discord.HTTPException):
        await message.add_reaction("reroll")


async def test_only_those_are_pinged_who_may_be(place, bot, start):
    await start()
    place.limits.relax()
    channel = bot.get_partial_messageable(place.channel("clips"))
    ben = place.user("Ben").id
    quiet = await channel.send(f"@everyone <@{ben}>")
    assert (quiet.mention_everyone, quiet.mentions) == (False, [])
    loud = await channel.send(
        f"<@{ben}>", allowed_mentions=discord.AllowedMentions(users=[discord.Object(ben)])
    )
    assert [one.id for one in loud.mentions] == [ben]
    said = await place.person("Ada").say(place.channel("clips"), "hi")
    reply = await channel.send(
        "yes", reference=discord.MessageReference(message_id=int(said["id"]), channel_id=channel.id)
    )
    assert reply.reference.message_id == int(said["id"])
    assert reply.mentions == []
    gone = discord.MessageReference(message_id=1, channel_id=channel.id, fail_if_not_exists=False)
    assert (await channel.send("anyway", reference=gone)).reference is None
    place.expect(50035)
    with pytest.raises(discord.HTTPException):
        await channel.send("x", reference=discord.MessageReference(message_id=1, channel_id=channel.id))


async def test_old_messages_can_be_edited_only_a_few_times(place, wire, posts):
    message = (await wire("POST", posts, {"content": "old"}))[1]
    now = place.world.clock
    place.world.clock = lambda: now() + 3601
    place.limits.rules["messages.edit.old"] = (1, 60.0)
    assert (await wire("PATCH", f"{posts}/{message['id']}", {"content": "x"}))[0] == 200
    place.expect(30046)
    status, answer = await wire("PATCH", f"{posts}/{message['id']}", {"content": "y"})
    assert (status, answer["code"]) == (429, 30046)


def test_the_pixels_of_pictures_are_read_from_their_heads():
    from PIL import Image

    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        file = io.BytesIO()
        Image.new("RGB", (37, 21)).save(file, kind)
        assert draft.pictures.size(file.getvalue()) == (37, 21), kind
    assert draft.pictures.size(b"%PDF-1.4") is None
    assert draft.pictures.size(b"\xff\xd8\xff") is None
