"""What people do, and what a bot answers: commands, buttons, menus, modals, suggestions, deadlines."""

import asyncio
import io

import discord
import pytest
from discord import app_commands

from playground import places
from playground.person import Impossible

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000020000000308060000003a0c1f850000000049454e44ae426082"
)


async def test_the_first_follow_up_after_a_deferral_fills_the_thinking_message(place, bot, start):
    @bot.tree.command(description="Says hello")
    async def hello(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.defer()
        first = await interaction.followup.send(f"Hello {name}", wait=True)
        second = await interaction.followup.send("And again", wait=True)
        assert first.id == (await interaction.original_response()).id != second.id
        await interaction.edit_original_response(content=f"Good day {name}")
        await second.delete()

    await start()
    deed = await place.person("Ada").slash(place.channel("clips"), "hello", {"name": "you"})
    message = await deed.message()
    assert message["type"] == 20
    assert message["interaction_metadata"]["user"]["global_name"] == "Ada"
    await place.until(lambda: deed.original["content"] == "Good day you" and not deed.followups)
    history = await place.person("Ben").history(place.channel("clips"))
    assert [one["id"] for one in history] == [message["id"]]


async def test_a_private_answer_is_seen_by_its_asker_alone(place, bot, start):
    @bot.tree.command(description="Whispers")
    async def whisper(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("between us", ephemeral=True)

    await start()
    deed = await place.person("Ada").slash(place.channel("clips"), "whisper")
    message = await deed.message()
    assert message["flags"] & 64
    assert await place.person("Ben").history(place.channel("clips")) == []
    assert len(await place.person("Ada").history(place.channel("clips"))) == 1
    with pytest.raises(Impossible, match="no such message"):
        await place.person("Ben").react(int(message["id"]), "🔁")
    with pytest.raises(Impossible, match="private answer"):
        await place.person("Ada").react(int(message["id"]), "🔁")
    place.expect(10008)
    channel = bot.get_partial_messageable(place.channel("clips"))
    with pytest.raises(discord.NotFound):
        await channel.get_partial_message(int(message["id"])).edit(content="x")
    await place.person("Ada").delete(int(message["id"]))
    assert await place.person("Ada").history(place.channel("clips")) == []


async def test_a_picture_given_to_a_command_is_read_from_its_signed_address(place, bot, start):
    got = {}

    @bot.tree.command(description="Looks")
    async def look(interaction: discord.Interaction, image: discord.Attachment) -> None:
        await interaction.response.defer(thinking=True)
        got["data"], got["image"] = await image.read(), image
        await interaction.followup.send(file=discord.File(io.BytesIO(b"mp4"), "a clip.mp4"))

    await start()
    deed = await place.person("Ada").slash(place.channel("clips"), "look", {"image": ("a cat.png", PNG)})
    message = await deed.message()
    assert got["data"] == PNG
    assert (got["image"].width, got["image"].height, got["image"].size) == (2, 3, len(PNG))
    assert (got["image"].filename, got["image"].content_type) == ("a_cat.png", "image/png")
    assert got["image"].url.startswith(place.cdn + "/ephemeral-attachments/")
    assert message["attachments"][0]["filename"] == "a_clip.mp4"


async def test_options_are_checked_as_a_client_does(place, bot, start):
    @bot.tree.command(description="Picks")
    @app_commands.choices(size=[app_commands.Choice(name="Big", value=2)])
    async def pick(
        interaction: discord.Interaction,
        word: app_commands.Range[str, 2, 5],
        number: app_commands.Range[int, 1, 9] = 1,
        size: int = 2,
        ratio: float = 1.0,
        image: discord.Attachment | None = None,
    ) -> None:
        await interaction.response.send_message(f"{word} {number} {size} {ratio}")

    await start()
    ada, clips = place.person("Ada"), place.channel("clips")
    for options, words in (
        ({}, "word is required"),
        ({"word": "x"}, "2 to 5 characters"),
        ({"word": "xxx", "number": 10}, "1 to 9"),
        ({"word": "xxx", "number": "3"}, "whole number"),
        ({"word": "xxx", "size": 3}, "one of"),
        ({"word": "xxx", "image": "cat.png"}, "must be a file"),
        ({"word": "xxx", "colour": "red"}, "no option"),
    ):
        with pytest.raises(Impossible, match=words):
            await ada.slash(clips, "pick", options)
    with pytest.raises(Impossible, match="no command"):
        await ada.slash(clips, "choose")
    deed = await ada.slash(clips, "pick", {"word": "xxx", "number": 9, "ratio": 2})
    assert (await deed.message())["content"] == "xxx 9 2 2.0"


async def test_a_button_edits_its_message_and_cannot_be_pressed_once_disabled(place, bot, start):
    class Once(discord.ui.View):
        @discord.ui.button(label="Again", custom_id="again:7")
        async def again(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
            button.disabled = True
            await interaction.response.edit_message(content="pressed", view=self)
            await interaction.followup.send("only for you", ephemeral=True)

    @bot.tree.command(description="Shows")
    async def show(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("press", view=Once(timeout=None))

    await start()
    deed = await place.person("Ada").slash(place.channel("clips"), "show")
    message_id = int((await deed.message())["id"])
    with pytest.raises(Impossible, match="has no again:8"):
        await place.person("Ben").press(message_id, "again:8")
    pressed = await place.person("Ben").press(message_id, "again:7")
    assert (await pressed.message())["content"] == "pressed"
    await place.until(lambda: pressed.followups)
    assert pressed.followups[0]["content"] == "only for you"
    with pytest.raises(Impossible, match="disabled"):
        await place.person("Ben").press(message_id, "again:7")


async def test_a_select_a_modal_and_its_submission(place, bot, start):
    class Remix(discord.ui.Modal, title="Remix"):
        prompt = discord.ui.Label(
            text="Prompt",
            component=discord.ui.TextInput(custom_id="prompt", default="a cat", max_length=20),
        )

        async def on_submit(self, interaction: discord.Interaction) -> None:
            assert isinstance(self.prompt.component, discord.ui.TextInput)
            await interaction.response.send_message(f"made {self.prompt.component.value}")

    class Choose(discord.ui.View):
        @discord.ui.select(custom_id="what", options=[discord.SelectOption(label="Remix", value="remix")])
        async def what(self, interaction: discord.Interaction, select: discord.ui.Select) -> None:
            assert select.values == ["remix"]
            await interaction.response.send_modal(Remix())

    @bot.tree.command(description="Shows")
    async def show(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("choose", view=Choose())

    await start()
    ada = place.person("Ada")
    message = await (await ada.slash(place.channel("clips"), "show")).message()
    with pytest.raises(Impossible, match="offers"):
        await ada.select(int(message["id"]), "what", ["reroll"])
    opened = await (await ada.select(int(message["id"]), "what", ["remix"])).settled()
    assert opened.modal["title"] == "Remix"
    with pytest.raises(Impossible, match="1 to 20"):
        await ada.submit(opened.modal, {"prompt": "x" * 21})
    with pytest.raises(Impossible, match="no field"):
        await ada.submit(opened.modal, {"seed": "1"})
    assert (await (await ada.submit(opened.modal, {})).message())["content"] == "made a cat"
    with pytest.raises(Impossible, match="closed"):
        await ada.submit(opened.modal, {})
    opened = await (await ada.select(int(message["id"]), "what", ["remix"])).settled()
    again = await ada.submit(opened.modal, {"prompt": "two cats"})
    assert (await again.message())["content"] == "made two cats"


async def test_a_modal_takes_files(place, bot, start):
    class Give(discord.ui.Modal, title="Give"):
        picture = discord.ui.Label(text="Picture", component=discord.ui.FileUpload(custom_id="picture"))

        async def on_submit(self, interaction: discord.Interaction) -> None:
            assert isinstance(self.picture.component, discord.ui.FileUpload)
            (given,) = self.picture.component.values
            await interaction.response.send_message(f"{given.filename} {len(await given.read())}")

    @bot.tree.command(description="Opens")
    async def give(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Give())

    await start()
    ada = place.person("Ada")
    opened = await (await ada.slash(place.channel("clips"), "give")).settled()
    with pytest.raises(Impossible, match="1 to 1"):
        await ada.submit(opened.modal, {})
    deed = await ada.submit(opened.modal, {"picture": [("a.png", PNG)]})
    assert (await deed.message())["content"] == f"a.png {len(PNG)}"


async def test_suggestions_and_menus(place, bot, start):
    @bot.tree.command(description="Chooses")
    async def model(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.send_message(name)

    @model.autocomplete("name")
    async def names(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        assert interaction.locale is discord.Locale.japanese
        return [app_commands.Choice(name=one, value=one) for one in ("flow", "camera") if typed in one]

    @bot.tree.context_menu(name="Clip info")
    async def info(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"{message.author.name} wrote {message.id}")

    await start()
    cyd, clips = place.person("Cyd"), place.channel("clips")
    assert await cyd.complete(clips, "model", {"name": "cam"}, "name") == [
        {"name": "camera", "value": "camera"}
    ]
    said = await cyd.say(clips, "look")
    deed = await cyd.menu(clips, "Clip info", int(said["id"]))
    assert (await deed.message())["content"] == f"cyd wrote {said['id']}"


async def test_the_same_works_in_a_private_channel(place, bot, start):
    @bot.tree.command(description="Says where")
    async def where(interaction: discord.Interaction) -> None:
        assert isinstance(interaction.channel, discord.DMChannel)
        assert interaction.guild is None
        await interaction.response.send_message(
            f"{interaction.context.dm_channel} {interaction.filesize_limit}"
        )

    @bot.tree.command(description="For guilds")
    @app_commands.guild_only()
    async def here(interaction: discord.Interaction) -> None:
        raise NotImplementedError

    await start()
    ada = place.person("Ada")
    private = await ada.direct()
    assert (await (await ada.slash(private, "where")).message())["content"] == f"True {10 << 20}"
    with pytest.raises(Impossible, match="no command here"):
        await ada.slash(private, "here")


async def test_an_answer_after_the_deadline_is_unknown_and_the_person_is_told(place, bot, start):
    place.world.answer_within = 0.1
    place.journal.unanswered_expected = True
    place.expect(10062)
    refused = asyncio.get_running_loop().create_future()

    @bot.tree.command(description="Sleeps")
    async def slow(interaction: discord.Interaction) -> None:
        await place.until(lambda: place.world.interactions[interaction.id].state == "failed")
        with pytest.raises(discord.NotFound) as caught:
            await interaction.response.defer()
        refused.set_result(caught.value.code)

    await start()
    ear = await place.person("Ada").listen()
    deed = await place.person("Ada").slash(place.channel("clips"), "slow")
    assert (await deed.settled()).state == "failed"
    assert await refused == 10062
    assert (await ear.heard("INTERACTION_FAILURE"))["text"] == "The application did not respond"


async def test_a_second_answer_is_refused_and_the_token_dies(place, bot, start, wire):
    got = asyncio.get_running_loop().create_future()

    @bot.tree.command(description="Thinks for ever")
    async def think(interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        got.set_result(interaction)

    await start()
    place.world.token_lives = 0.2
    for code in (40060, 50027, 10015):
        place.expect(code)
    deed = await place.person("Ada").slash(place.channel("clips"), "think")
    interaction = await got
    path = f"/interactions/{interaction.id}/{interaction.token}/callback"
    assert (await wire("POST", path, {"type": 5}))[1]["code"] == 40060
    assert (await wire("POST", f"/webhooks/{bot.application_id}/nobody", {"content": "x"}))[1][
        "code"
    ] == 10015
    await place.until(lambda: deed.original["content"] == "The application did not respond")
    status, body = await wire("POST", f"/webhooks/{bot.application_id}/{interaction.token}", {"content": "x"})
    assert (status, body["code"]) == (401, 50027)


async def test_nothing_follows_before_the_first_answer(place, bot, start, wire):
    place.world.answer_within = 0.2
    place.journal.unanswered_expected = True
    place.expect(10015)
    got = asyncio.get_running_loop().create_future()

    @bot.tree.command(description="Says nothing")
    async def mute(interaction: discord.Interaction) -> None:
        got.set_result(interaction)

    await start()
    deed = await place.person("Ada").slash(place.channel("clips"), "mute")
    interaction = await got
    hook = f"/webhooks/{bot.application_id}/{interaction.token}"
    assert (await wire("POST", hook, {"content": "x"}))[1]["code"] == 10015
    assert (await wire("PATCH", f"{hook}/messages/@original", {"content": "x"}))[1]["code"] == 10015
    await deed.settled()


async def test_components_of_the_new_kind_are_sent_and_pressed(place, bot, start):
    class Card(discord.ui.LayoutView):
        def __init__(self) -> None:
            super().__init__(timeout=None)
            box = discord.ui.Container(discord.ui.TextDisplay("**a cat**"))
            box.add_item(discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://clip.mp4")))
            button = discord.ui.Button(label="Again", custom_id="again")
            button.callback = self.again
            box.add_item(discord.ui.ActionRow(button))
            self.add_item(box)

        async def again(self, interaction: discord.Interaction) -> None:
            await interaction.response.send_message("rolled again", ephemeral=True)

    @bot.tree.command(description="Shows")
    async def show(interaction: discord.Interaction) -> None:
        await interaction.response.send_message(
            view=Card(), file=discord.File(io.BytesIO(b"mp4"), "clip.mp4")
        )

    await start()
    ada = place.person("Ada")
    message = await (await ada.slash(place.channel("clips"), "show")).message()
    gallery = message["components"][0]["components"][1]
    assert gallery["items"][0]["media"]["url"] == message["attachments"][0]["url"]
    assert message["flags"] & 1 << 15
    pressed = await ada.press(int(message["id"]), "again")
    assert (await pressed.message())["content"] == "rolled again"


async def test_a_menu_of_channels_keeps_its_types_and_knows_what_is_age_restricted(place, bot, start):
    calm = await place.do(places.add_channel, place.guild, "calm")
    await place.do(places.restrict, calm)
    thread = await place.do(places.add_thread, calm, "late", place.user("Ada"))
    heard = asyncio.get_running_loop().create_future()

    class Menu(discord.ui.View):
        @discord.ui.select(
            cls=discord.ui.ChannelSelect,
            channel_types=[discord.ChannelType.text],
            default_values=[discord.Object(calm.id, type=discord.TextChannel)],
        )
        async def chosen(self, interaction: discord.Interaction, menu: discord.ui.ChannelSelect) -> None:
            await interaction.response.defer()
            heard.set_result((menu.values[0].id, interaction.channel.is_nsfw()))

    @bot.tree.command(description="Offers channels")
    async def offer(interaction: discord.Interaction) -> None:
        await interaction.response.send_message(view=Menu())

    await start()
    ada = place.person("Ada")
    message = await (await ada.slash(thread.id, "offer")).message()
    menu = message["components"][0]["components"][0]
    assert menu["default_values"] == [{"id": str(calm.id), "type": "channel"}]
    with pytest.raises(Impossible, match="type of channel"):
        await ada.select(int(message["id"]), menu["custom_id"], [str(thread.id)])
    await ada.select(int(message["id"]), menu["custom_id"], [str(calm.id)])
    assert await heard == (calm.id, True)  # a thread is as its parent is
