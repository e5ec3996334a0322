"""What people's clients are told and shown, and what their clients let them do."""

import io

import discord
import pytest

from playground import places, snowflake
from playground.home import AtHome, at_home
from playground.permissions import Can
from playground.person import Impossible
from playground.records import Message
from playground.refusal import Refusal
from playground.snowflake import Snowflakes
from playground.store import Store
from playground.world import World


def test_ids_grow_whatever_the_clock_does():
    times = iter([2e9, 2e9, 1e9, 2e9 + 1])
    ids = Snowflakes(lambda: next(times))
    made = [ids.next() for _ in range(4)]
    assert made == sorted(set(made))
    assert snowflake.seconds(made[0]) == 2e9
    ids.skip_past(made[-1] + 10)
    ids.clock = lambda: 0.0
    assert ids.next() == made[-1] + 11


def test_a_row_is_on_disk_before_put_returns(tmp_path):
    world = World(Store(tmp_path))
    places.found(world)
    channel = next(iter(world.channels.values()))
    world.keep(Message(world.ids.next(), channel.id, world.bot_id, "kept", embeds=[{"title": "x"}]))
    (tmp_path / "attachments" / "7.part").write_bytes(b"half")
    world.store._db.close()  # as a killed process leaves it: nothing is flushed
    again = World(Store(tmp_path))
    assert [one.content for one in again.messages.values()] == ["kept"]
    assert again.users == world.users
    assert not any(again.store.files.iterdir())
    assert again.members == world.members
    assert (again.token, again.bot_id) == (world.token, world.bot_id)
    assert again.ids.next() > max(world.messages)
    again.store.close()


async def test_a_page_is_told_what_its_person_may_see(place, bot, start):
    @bot.tree.command(description="Works")
    async def work(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True)
        await interaction.channel.typing()
        await interaction.followup.send("done")

    await start()
    ada, ben = await place.person("Ada").listen(), await place.person("Ben").listen()
    deed = await place.person("Ada").slash(place.channel("clips"), "work")
    await deed.message()
    names = [event["t"] for event in ada.events]
    assert names == [
        "INTERACTION_CREATE",
        "MESSAGE_CREATE",
        "INTERACTION_SUCCESS",
        "TYPING_START",
        "MESSAGE_UPDATE",
    ]
    assert ada.named("INTERACTION_CREATE")[0]["name"] == "work"
    assert ada.named("MESSAGE_CREATE")[0]["flags"] == 64 | 128
    assert [event["t"] for event in ben.events] == ["TYPING_START"]
    hidden = place.place("quiet")
    await place.do(places.allow, hidden, place.world.roles[place.guild.id], deny=Can.VIEW_CHANNEL)
    await place.person("Ada").say(hidden.id, "for owners")
    assert ada.named("MESSAGE_CREATE")[-1]["content"] == "for owners"
    assert not ben.named("MESSAGE_CREATE")
    shown = await place.do(lambda world: world.snapshot(place.user("Ben").id))
    assert [channel["name"] for channel in shown["guilds"][0]["channels"]] == ["clips"]
    with pytest.raises(Impossible, match="no such channel"):
        await place.person("Ben").say(hidden.id, "x")


class Page(AtHome):
    """Reads a subscription on the world's own loop, as the page does."""

    def __init__(self, world):
        self.world = world

    @at_home
    async def read(self, user_id):
        subscription = self.world.subscribe(user_id)
        self.world.set_bot_online(True)
        subscription.close()
        subscription.close()
        self.world.set_bot_online(False)
        return [event async for event in subscription]


async def test_a_subscription_ends_when_it_is_closed(place):
    events = await Page(place.world).read(place.user("Ada").id)
    assert events == [{"t": "BOT_PRESENCE", "d": {"online": True}}]


async def test_what_a_client_refuses(place):
    ada, ben, clips = place.person("Ada"), place.person("Ben"), place.channel("clips")
    said = int((await ada.say(clips, "mine"))["id"])
    with pytest.raises(Impossible, match="MANAGE_MESSAGES"):
        await ben.delete(said)
    await place.person("Mod").delete(said)
    with pytest.raises(Refusal, match="50006"):
        await ada.say(clips, "")
    with pytest.raises(Refusal, match="40005"):
        await ada.attach(clips, ("big.png", bytes((10 << 20) + 1)))
    with pytest.raises(Impossible, match="no such message"):
        await ada.press(said, "x")
    sent = await ada.attach(clips, ("note.bin", b"x", "image/png"), content="typed")
    assert sent["attachments"][0]["content_type"] == "image/png"


async def test_menus_of_people_and_embeds_with_their_own_pictures(place, bot, start):
    class Whom(discord.ui.View):
        @discord.ui.select(cls=discord.ui.UserSelect, custom_id="whom")
        async def whom(self, interaction: discord.Interaction, select: discord.ui.UserSelect) -> None:
            await interaction.response.send_message(f"for {select.values[0].name}")

    @bot.tree.command(description="Asks")
    async def ask(interaction: discord.Interaction, user: discord.Member) -> None:
        embed = discord.Embed(title=user.display_name).set_image(url="attachment://a.png")
        file = discord.File(io.BytesIO(b"png"), "a.png")
        await interaction.response.send_message(embed=embed, file=file, view=Whom())

    await start()
    ada = place.person("Ada")
    deed = await ada.slash(place.channel("clips"), "ask", {"user": place.user("Ben").id})
    message = await deed.message()
    assert message["embeds"][0]["title"] == "Ben"
    assert message["embeds"][0]["image"]["url"] == message["attachments"][0]["url"]
    chosen = await ada.select(int(message["id"]), "whom", [str(place.user("Cyd").id)])
    assert (await chosen.message())["content"] == "for cyd"
    with pytest.raises(Impossible, match="does not name anything"):
        await ada.select(int(message["id"]), "whom", ["1"])
