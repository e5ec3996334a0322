"""Who may do what where, and what goes in the middle of a job."""

import discord
import pytest

from playground import places
from playground.permissions import ALL, Can
from playground.person import Impossible


async def code(call):
    with pytest.raises(discord.HTTPException) as caught:
        await call
    return caught.value.status, caught.value.code


@pytest.fixture
async def clips(place, bot, start):
    await start()
    place.limits.relax()
    return bot.get_partial_messageable(place.channel("clips"))


async def test_each_missing_permission_is_named_by_its_refusal(place, bot, clips):
    for one in (50001, 50013, 160002):
        place.expect(one)
    me, channel = place.world.users[bot.user.id], place.place("clips")
    said = await place.person("Ada").say(channel.id, "look")
    message = clips.get_partial_message(int(said["id"]))
    file = discord.File(__file__)
    for denied, call in (
        (Can.SEND_MESSAGES, lambda: clips.send("x")),
        (Can.ATTACH_FILES, lambda: clips.send(file=file)),
        (Can.EMBED_LINKS, lambda: clips.send(embed=discord.Embed(title="x"))),
        (Can.ADD_REACTIONS, lambda: message.add_reaction("🔁")),
        (Can.READ_MESSAGE_HISTORY, lambda: message.fetch()),
    ):
        await place.do(places.allow, channel, me, deny=denied)
        assert await code(call()) == (403, 50013), denied
    await place.do(places.allow, channel, me, deny=Can.READ_MESSAGE_HISTORY)
    assert await code(message.reply("x")) == (400, 160002)
    await place.do(places.allow, channel, me, deny=Can.VIEW_CHANNEL)
    assert await code(clips.send("x")) == (403, 50001)
    await place.do(places.allow, channel, me)
    await clips.send("allowed again")


async def test_the_bots_own_view_of_its_permissions_agrees(place, bot, clips):
    channel = bot.get_channel(place.channel("quiet"))
    own = channel.permissions_for(channel.guild.me)
    assert own.view_channel
    assert not own.send_messages
    assert own.value == place.world.permissions(bot.user.id, channel.id)
    thread = await place.do(places.add_thread, place.place("clips"), "talk", place.user("Ada"))
    await bot.until(lambda: bot.get_channel(place.channel("clips")).get_thread(thread.id))
    assert (await bot.get_channel(place.channel("clips")).get_thread(thread.id).send("in a thread")).id
    await place.do(places.change_thread, thread, archived=True, locked=False)
    await bot.get_partial_messageable(thread.id).send("wakes it")
    assert not thread.archived
    await place.do(places.change_thread, thread, archived=True, locked=True)
    place.expect(160005)
    assert await code(bot.get_partial_messageable(thread.id).send("x")) == (400, 160005)
    await place.do(places.change_thread, thread)
    everyone = place.world.roles[place.guild.id]
    await place.do(places.change_role, everyone, everyone.permissions & ~Can.SEND_MESSAGES_IN_THREADS)
    place.expect(50013)
    assert await code(bot.get_partial_messageable(thread.id).send("x")) == (403, 50013)


async def test_roles_and_overwrites_add_up_in_order(place):
    world, ada, ben = place.world, place.user("Ada"), place.user("Ben")
    channel, guild = place.place("clips"), place.guild
    everyone = world.roles[guild.id]
    role = await place.do(places.add_role, guild, "quiet ones", 0)
    await place.do(places.give_role, guild, ben, role)
    await place.do(places.allow, channel, everyone, deny=Can.SEND_MESSAGES)
    await place.do(places.allow, channel, role, allow=Can.SEND_MESSAGES)
    assert world.can(ben.id, channel.id, Can.SEND_MESSAGES)
    await place.do(places.allow, channel, ben, deny=Can.SEND_MESSAGES)
    assert not world.can(ben.id, channel.id, Can.SEND_MESSAGES)
    with pytest.raises(Impossible, match="SEND_MESSAGES"):
        await place.person("Ben").say(channel.id, "x")
    assert world.permissions(ada.id, channel.id) == ALL


async def test_a_role_that_goes_takes_its_permissions_with_it(place, bot, clips):
    everyone = place.world.roles[place.guild.id]
    role = await place.do(places.add_role, place.guild, "clip makers", Can.SEND_MESSAGES)
    await place.do(places.give_role, place.guild, place.world.users[bot.user.id], role)
    await place.do(places.change_role, everyone, everyone.permissions & ~Can.SEND_MESSAGES)
    await clips.send("by its role")
    assert not place.world.can(place.user("Ben").id, clips.id, Can.SEND_MESSAGES)
    await place.do(places.remove_role, role)
    place.expect(50013)
    assert await code(clips.send("x")) == (403, 50013)
    await bot.hears("guild_role_delete")
    assert [one.name for one in bot.get_guild(place.guild.id).me.roles] == ["@everyone"]


async def test_a_person_who_takes_no_private_messages_is_not_reached(place, bot, clips):
    ben = place.person("Ben")
    user = await bot.fetch_user(ben.id)
    await user.send("hello")
    assert [one["content"] for one in await ben.history(await ben.direct())] == ["hello"]
    await ben.close_direct()
    place.expect(50007)
    assert await code(user.send("again")) == (403, 50007)


async def test_what_goes_is_gone_for_the_bot(place, bot, clips):
    for one in (10003, 10008, 50001, 10062):
        place.expect(one)
    sent = await clips.send("a ticket")
    await place.do(lambda world: world.remove(world.messages[sent.id]))
    assert await code(sent.edit(content="x")) == (404, 10008)
    await place.do(places.remove_channel, place.place("clips"))
    assert await code(clips.send("x")) == (404, 10003)
    await bot.until(lambda: bot.get_channel(clips.id) is None)
    quiet = place.channel("quiet")
    await place.do(places.leave, place.guild, place.world.users[bot.user.id])
    assert await code(bot.get_partial_messageable(quiet).send("x")) == (403, 50001)
    await bot.hears("guild_remove", 1)
    await place.do(places.remove_guild, place.guild)
    assert not place.world.channels


async def test_members_are_fetched_or_unknown(place, bot, clips):
    guild = bot.get_guild(place.guild.id)
    member = await guild.fetch_member(place.user("Mod").id)
    assert [role.name for role in member.roles] == ["@everyone", "Moderator"]
    for one in (10007, 10013):
        place.expect(one)
    stranger = await place.do(places.add_person, "Dee")
    assert await code(guild.fetch_member(stranger.id)) == (404, 10007)
    assert await code(guild.fetch_member(1)) == (404, 10013)
    assert await code(bot.fetch_user(1)) == (404, 10013)
