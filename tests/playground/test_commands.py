"""Commands exist once they were synced, as they were defined, within Discord's limits."""

import discord
import pytest
from discord import app_commands

from playground import commands, places
from playground.permissions import Can
from playground.person import Impossible
from playground.refusal import Refusal


def command(name="go", **more):
    return {"name": name, "description": "Goes", **more}


def option(name="one", kind=3, **more):
    return {"name": name, "description": "An option", "type": kind, **more}


LONG = [{"name": "n" * 99, "value": f"{n}" * 99} for n in range(9)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (command("Upper"), "APPLICATION_COMMAND_INVALID_NAME"),
        (command("with space"), "APPLICATION_COMMAND_INVALID_NAME"),
        (command("x" * 33), "BASE_TYPE_BAD_LENGTH"),
        (command(description=""), "BASE_TYPE_REQUIRED"),
        (command(description="x" * 101), "BASE_TYPE_BAD_LENGTH"),
        (command(options=[option(f"o{n}") for n in range(26)]), "BASE_TYPE_MAX_LENGTH"),
        (command(options=[option(), option()]), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"),
        (
            command(options=[option("a"), option("b", required=True)]),
            "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
        ),
        (
            command(options=[option(choices=[{"name": str(n), "value": str(n)} for n in range(26)])]),
            "BASE_TYPE_MAX_LENGTH",
        ),
        (command(options=[option(kind=4, choices=[{"name": "x", "value": "x"}])]), "NUMBER_TYPE_COERCE"),
        (
            command(options=[option(autocomplete=True, choices=[{"name": "x", "value": "x"}])]),
            "APPLICATION_COMMAND_AUTOCOMPLETE_CHOICES",
        ),
        (command(name_localizations={"xx": "gehen"}), "BASE_TYPE_CHOICES"),
        (command(name_localizations={"de": "Gehen"}), "APPLICATION_COMMAND_INVALID_NAME"),
        ({**command(), "type": 3}, "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_NOT_ALLOWED"),
        (
            command(options=[option(f"o{n}", choices=LONG) for n in range(9)]),
            "APPLICATION_COMMAND_TOO_LARGE",
        ),
    ],
)  # fmt: skip
def test_definitions_beyond_the_limits_are_refused(body, code):
    with pytest.raises(Refusal) as caught:
        commands.check(body)
    assert code in str(caught.value.errors)


def test_names_in_other_scripts_are_names():
    commands.check(command("动画", name_localizations={"zh-CN": "动画", "ja": "アニメ"}))


async def test_there_is_no_command_before_the_sync_and_only_the_last_synced_ones_after(place, bot, start):
    @bot.tree.command(description="First")
    async def first(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("1")

    ada, clips = place.person("Ada"), place.channel("clips")
    with pytest.raises(Impossible, match="no command first"):
        await ada.slash(clips, "first")
    await start()
    one = (await bot.tree.fetch_commands())[0]
    again = (await bot.tree.sync())[0]
    assert one.id == again.id
    assert (await (await ada.slash(clips, "first")).message())["content"] == "1"
    bot.tree.clear_commands(guild=None)
    ear = await ada.listen()
    await bot.tree.sync()
    assert ear.named("COMMANDS_UPDATE") == [{"commands": []}]
    with pytest.raises(Impossible):
        await ada.slash(clips, "first")


async def test_a_guilds_commands_stand_in_that_guild(place, bot, start):
    guild = discord.Object(place.guild.id)

    @bot.tree.command(description="Here", guild=guild)
    async def here(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("here")

    await start()
    await bot.tree.sync(guild=guild)
    ada = place.person("Ada")
    assert (await (await ada.slash(place.channel("clips"), "here")).message())["content"] == "here"
    with pytest.raises(Impossible):
        await ada.slash(await ada.direct(), "here")
    other = await place.do(places.add_guild, "Elsewhere", place.user("Ada"))
    channel = await place.do(places.add_channel, other, "else")
    with pytest.raises(Impossible):
        await ada.slash(channel.id, "here")


async def test_a_command_for_moderators_is_offered_to_them_alone(place, bot, start):
    @bot.tree.command(description="Sets")
    @app_commands.default_permissions(manage_guild=True)
    async def settings(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("set")

    @bot.tree.command(description="For administrators, whom no permission need be named")
    @app_commands.default_permissions()
    async def operate(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("done")

    await start()
    clips = place.channel("clips")
    with pytest.raises(Impossible):
        await place.person("Ben").slash(clips, "settings")
    assert (await (await place.person("Mod").slash(clips, "settings")).message())["content"] == "set"
    with pytest.raises(Impossible):
        await place.person("Mod").slash(clips, "operate")
    deed = await place.person("Ada").slash(clips, "operate")  # the guild's owner
    assert (await deed.message())["content"] == "done"
    assert "operate" in place.person("Ben").commands(await place.person("Ben").direct())
    everyone = place.world.roles[place.guild.id]
    await place.do(places.allow, place.place("clips"), everyone, deny=Can.USE_APPLICATION_COMMANDS)
    with pytest.raises(Impossible, match="USE_APPLICATION_COMMANDS"):
        await place.person("Mod").slash(clips, "settings")


async def test_subcommands_are_called_by_their_path(place, bot, start):
    privacy = app_commands.Group(name="privacy", description="Your data")

    @privacy.command(description="Gives")
    async def export(interaction: discord.Interaction, form: str = "json") -> None:
        await interaction.response.send_message(f"exported {form}")

    bot.tree.add_command(privacy)
    await start()
    ada, clips = place.person("Ada"), place.channel("clips")
    deed = await ada.slash(clips, "privacy export", {"form": "csv"})
    message = await deed.message()
    assert (message["content"], message["interaction"]["name"]) == ("exported csv", "privacy export")
    with pytest.raises(Impossible, match="subcommand"):
        await ada.slash(clips, "privacy")
    with pytest.raises(Impossible, match="no subcommand"):
        await ada.slash(clips, "privacy burn")


async def test_localised_names_are_kept(place, wire):
    app = place.world.application_id
    body = [command("go", description_localizations={"ja": "行く"}, options=[option()])]
    status, answer = await wire("PUT", f"/applications/{app}/commands", body)
    assert (status, answer[0]["description_localizations"]) == (200, {"ja": "行く"})
    plain = (await wire("GET", f"/applications/{app}/commands"))[1][0]
    assert "description_localizations" not in plain
    full = (await wire("GET", f"/applications/{app}/commands?with_localizations=true"))[1][0]
    assert full["description_localizations"] == {"ja": "行く"}
    place.expect(30032)
    many = [command(f"c{n}") for n in range(101)]
    assert (await wire("PUT", f"/applications/{app}/commands", many))[1]["code"] == 30032
    one = (await wire("POST", f"/applications/{app}/commands", command("more")))[1]
    changed = await wire("PATCH", f"/applications/{app}/commands/{one['id']}", {"description": "Other"})
    assert (changed[1]["id"], changed[1]["description"]) == (one["id"], "Other")
    assert (await wire("DELETE", f"/applications/{app}/commands/{one['id']}"))[0] == 204
    place.expect(10063)
    assert (await wire("GET", f"/applications/{app}/commands/{one['id']}"))[0] == 404
    assert (await wire("GET", "/applications/@me"))[1]["id"] == str(app)
