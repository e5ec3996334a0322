"""A bot that a person brought along: offered where it is no member, and held to answering."""

import discord
import pytest
from discord import app_commands

from playground import places
from playground.person import Impossible

GUILD, OWN = "0", "1"


@pytest.fixture
def heard(bot):
    """A command that is both guilds' and people's; what the bot was told with each call."""
    calls = []

    @bot.tree.command(description="Waves")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def wave(interaction: discord.Interaction) -> None:
        calls.append(interaction)
        await interaction.response.send_message("wave")

    @bot.tree.command(description="Of guilds alone")
    @app_commands.allowed_installs(guilds=True)
    async def stay(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("stay")

    return calls


async def elsewhere(place):
    """A channel of a guild without the bot."""
    ben = place.user("Ben")
    guild = await place.do(places.add_guild, "Elsewhere", ben, with_bot=False)
    return (await place.do(places.add_channel, guild, "there")).id


def owners(message):
    return message["interaction_metadata"]["authorizing_integration_owners"]


async def test_it_is_offered_to_whom_brought_it_along(place, bot, start, heard):
    await start()
    ben, there = place.person("Ben"), await elsewhere(place)
    with pytest.raises(Impossible, match="no command wave"):
        await ben.slash(there, "wave")
    await place.do(places.install, place.user("Ben"))
    with pytest.raises(Impossible, match="no command stay"):
        await ben.slash(there, "stay")
    message = await (await ben.slash(there, "wave")).message()
    assert owners(message) == {OWN: str(ben.id)}
    assert heard[0].context.guild and not heard[0].is_guild_integration() and heard[0].is_user_integration()
    assert heard[0].guild_id and bot.get_guild(heard[0].guild_id) is None


async def test_by_whose_leave_it_is_called_is_told_with_each_call(place, bot, start, heard):
    await start()
    ada, clips = place.person("Ada"), place.channel("clips")
    await place.do(places.install, place.user("Ada"))
    cyd = place.person("Cyd")
    assert owners(await (await cyd.slash(clips, "wave")).message()) == {GUILD: str(place.guild.id)}
    both = {GUILD: str(place.guild.id), OWN: str(ada.id)}
    assert owners(await (await ada.slash(clips, "wave")).message()) == both
    direct = {GUILD: "0", OWN: str(ada.id)}
    assert owners(await (await ada.slash(await ada.direct(), "wave")).message()) == direct
    assert heard[-1].context.dm_channel
    group = await place.do(places.add_group, "we", place.user("Ada"), place.user("Cyd"))
    assert owners(await (await ada.slash(group.id, "wave")).message()) == {OWN: str(ada.id)}
    assert heard[-1].context.private_channel
    with pytest.raises(Impossible, match="no command wave"):
        await cyd.slash(group.id, "wave")


async def test_its_own_token_reaches_nothing_there_and_it_hears_nothing(place, bot, start, heard, wire):
    await start()
    ben, there = place.person("Ben"), await elsewhere(place)
    group = await place.do(places.add_group, "we", place.user("Ben"), place.user("Cyd"))
    await place.do(places.install, place.user("Ben"))
    place.expect(50001)
    for channel in (there, group.id):
        message = await (await ben.slash(channel, "wave")).message()
        assert (await wire("POST", f"/channels/{channel}/messages", {"content": "hello"}))[1]["code"] == 50001
        status, refused = await wire(
            "PATCH", f"/channels/{channel}/messages/{message['id']}", {"content": "x"}
        )
        assert (status, refused["code"]) == (403, 50001)
        await ben.react(int(message["id"]), "🔁")
        await ben.say(channel, "hello")
    deed = await ben.slash(place.channel("clips"), "wave")  # what was to be heard before this was heard
    await deed.message()
    told = [one.text for one in place.journal.entries if one.kind == "event"]
    assert any('"t": "INTERACTION_CREATE"' in one for one in told)
    of_messages = [one for one in told if '"t": "MESSAGE' in one]
    assert not any(f'"{channel}"' in one for one in of_messages for channel in (there, group.id))
    assert any(str(place.channel("clips")) in one for one in of_messages)


async def test_five_messages_may_follow_there_and_edits_are_free(place, bot, start):
    codes = []

    @bot.tree.command(description="Talks")
    @app_commands.allowed_installs(guilds=True, users=True)
    async def talk(interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        await interaction.followup.send("fills the first answer")
        for number in range(6):
            try:
                await interaction.followup.send(str(number))
            except discord.HTTPException as error:
                codes.append(error.code)
        await interaction.edit_original_response(content="done")

    await start()
    await place.do(places.install, place.user("Ben"))
    place.expect(40094)
    there = await elsewhere(place)
    for channel, most in ((there, 5), (place.channel("clips"), 6)):
        deed = await place.person("Ben").slash(channel, "talk")
        await place.until(lambda deed=deed: (deed.original or {}).get("content") == "done")
        assert len(deed.followups) == most
    assert codes == [40094]


async def test_a_button_there_is_of_the_same_leave_and_anyones(place, bot, start):
    pressed = []

    class Press(discord.ui.View):
        @discord.ui.button(label="More", custom_id="more")
        async def more(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
            pressed.append(interaction)
            await interaction.response.send_message("more")

    @bot.tree.command(description="Shows a button")
    @app_commands.allowed_installs(users=True)
    async def offer(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("press", view=Press())

    await start()
    there = await elsewhere(place)
    await place.do(places.install, place.user("Ben"))
    await place.do(places.join, next(one for one in place.world.guilds.values() if one.name == "Elsewhere"),
                   place.user("Cyd"))  # fmt: skip
    message = await (await place.person("Ben").slash(there, "offer")).message()
    answer = await (await place.person("Cyd").press(int(message["id"]), "more")).message()
    assert owners(answer) == {OWN: str(place.user("Ben").id)}
    assert pressed[0].user.id == place.user("Cyd").id and not pressed[0].is_guild_integration()
