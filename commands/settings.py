"""/settings: what holds for the clips of a server, for those who manage it."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from commands import buttons, options, replies
from commands.errors import begin
from commands.house import House
from commands.presses import choosing, hearing
from commands.replies.panel import NOTHING, PAGES, VALUES, Standing
from gen.errors import NotAllowed
from gen.job import Task
from gen.layers import CLIPS, SECONDS, Layer
from gen.recipe import task_of


def _choices(setting: str) -> list[Choice[str]]:
    return [
        Choice(name=words, value=str(value)) for (name, value), words in VALUES.items() if name == setting
    ]


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command, and hears its panel."""

    @tree.command(name="settings", description="Choose models, channels, policies and limits for this server")
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.describe(
        model="The model of its command, unless someone names another",
        spoiler="Which clips stand behind a spoiler",
        nsfw="What becomes of clips that are not for everyone",
        words="What becomes of prompts with unwanted words",
        seconds="How long a clip may play at the most",
        waiting="Clips of one person that may wait at once",
        rate="Clips of one person that may leave the line each period of their tier",
        line="Clips of this server that may wait at once",
    )
    @app_commands.choices(spoiler=_choices("spoiler"), nsfw=_choices("nsfw"), words=_choices("words"))
    @app_commands.autocomplete(model=options.models(house, *Task))
    async def settings(
        interaction: discord.Interaction[Any],
        model: str | None = None,
        spoiler: str | None = None,
        nsfw: str | None = None,
        words: str | None = None,
        seconds: Range[float, SECONDS[0], SECONDS[1]] | None = None,
        waiting: Range[int, CLIPS[0], CLIPS[1]] | None = None,
        rate: Range[int, CLIPS[0], CLIPS[1]] | None = None,
        line: Range[int, CLIPS[0], CLIPS[1]] | None = None,
    ) -> None:
        said = {
            "spoiler": spoiler, "nsfw": nsfw, "words": words,
            "seconds": seconds, "waiting": waiting, "rate": rate, "line": line,
        }  # fmt: skip
        changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        if model is not None:
            changes[task_of(house.studio.recipes, model.strip()).value] = model.strip()
        guild = managed(interaction)
        await begin(interaction, private=True)
        await _change(house, interaction, guild, changes, page_of(*changes))

    tree.client.add_dynamic_items(
        choosing(buttons.SETTINGS, choose, house), hearing(buttons.SETTINGS_PAGE, turn, house)
    )


async def choose(house: House, interaction: discord.Interaction[Any], about: str, values: list[str]) -> None:
    """A choice in one of the panel's menus. Raises NotAllowed, BadRequest."""
    guild = managed(interaction)
    await interaction.response.defer()
    await _change(house, interaction, guild, {about: read(about, values)}, page_of(about))


async def turn(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Another page. Raises NotAllowed."""
    guild = managed(interaction)
    await interaction.response.defer()
    await _change(house, interaction, guild, {}, about)


def managed(interaction: discord.Interaction[Any]) -> int:
    """The server, for whoever still manages it when a menu is used. Raises NotAllowed."""
    if interaction.guild_id is None or not interaction.permissions.manage_guild:
        raise NotAllowed("Only those who may manage this server can change its settings.")
    return interaction.guild_id


def page_of(*names: str) -> str:
    """The page that has the first of these settings."""
    return next((page for page, on in PAGES.items() if names and names[0] in on), next(iter(PAGES)))


def read(name: str, values: list[str]) -> Any:
    """What was chosen in a menu, as it is stored; None takes it back."""
    if name == "channels":
        return [int(value) for value in values] or None
    if not values or values[0] == NOTHING:
        return None
    if name in ("waiting", "rate", "line"):
        return int(values[0])
    return float(values[0]) if name == "seconds" else values[0]


async def _change(
    house: House, interaction: discord.Interaction[Any], guild: int, changes: dict[str, Any], page: str
) -> None:
    """Changes what holds, if anything, and shows that page as it then is. Raises BadRequest."""
    studio = house.studio
    if changes:
        await studio.laws.settle(guild, changes)
    standing = Standing(
        force=studio.force(0, guild),
        above=studio.force(0, None),
        chosen=studio.choices.guild(guild),
        allows=lambda name, value: studio.laws.allows(Layer.GUILD, name, value),
        recipes=studio.recipes,
    )
    await interaction.edit_original_response(view=replies.settings(standing, interaction.locale.value, page))
