"""/prefer: what a person's own clips are like unless a command says otherwise."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice

from commands import buttons, options, replies
from commands.errors import begin
from commands.forms import form
from commands.house import House
from commands.presses import choosing, hearing
from commands.replies.panel import NOTHING, SPOKEN, Standing
from commands.tongue import heed
from gen.job import Task
from gen.layers import SETTINGS, Layer
from gen.recipe import task_of

#: Takes default flags back, where an empty text cannot be typed.
NONE = "none"


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command, and hears its panel; the form is heard by `commands.forms`."""

    @tree.command(name="prefer", description="Choose your default flags, model, privacy and language")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        suffix="Flags that stand where a prompt has none, such as -fps 12; none takes them back",
        model="The model of its command, unless you name another",
        private="Your clips come by direct message",
        public="Your clips may be shown in the public list",
        language="Of answers to you",
    )
    @app_commands.choices(language=[Choice(name=name, value=tag) for tag, name in SPOKEN.items()])
    @app_commands.autocomplete(model=options.models(house, *Task))
    async def prefer(
        interaction: discord.Interaction[Any],
        suffix: options.Words | None = None,
        model: str | None = None,
        private: bool | None = None,
        public: bool | None = None,
        language: str | None = None,
    ) -> None:
        said = {"suffix": suffix, "private": private, "public": public, "language": language}
        changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        if suffix is not None and suffix.strip().lower() in ("", NONE):
            changes["suffix"] = None
        if model is not None:
            changes[task_of(house.studio.recipes, model.strip()).value] = model.strip()
        await begin(interaction, private=True)
        await _change(house, interaction, changes)

    tree.client.add_dynamic_items(
        choosing(buttons.PREFER, choose, house),
        hearing(buttons.FLAGS, ask, house),
        hearing(buttons.TURN, turn, house),
        hearing(buttons.UNPREFER, take_back, house),
    )


async def choose(house: House, interaction: discord.Interaction[Any], about: str, values: list[str]) -> None:
    """A choice in one of the panel's menus."""
    await interaction.response.defer()
    value = values[0] if values else NOTHING
    await _change(house, interaction, {about: None if value == NOTHING else value})


async def turn(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """A switch of the panel: the button says to what."""
    await interaction.response.defer()
    name, _, to = about.partition(".")
    await _change(house, interaction, {name: to == "on"})


async def take_back(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Nothing is preferred any more."""
    del about
    await interaction.response.defer()
    mine = [name for name, setting in SETTINGS.items() if Layer.USER in setting.by]
    await _change(house, interaction, dict.fromkeys(mine))


async def ask(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Opens the form for the default flags, as they are."""
    del about
    words = house.studio.force(interaction.user.id, None).suffix.value
    title, label, note = replies.flags_form(interaction.locale.value)
    await interaction.response.send_modal(
        form(buttons.FLAGS, "suffix", title=title, label=label, note=note, words=words, needed=False)
    )


async def submit(house: House, interaction: discord.Interaction[Any], about: str, words: str) -> None:
    """The form was sent. Raises BadRequest."""
    await interaction.response.defer()
    await _change(house, interaction, {about: words.strip() or None})


async def _change(house: House, interaction: discord.Interaction[Any], changes: dict[str, Any]) -> None:
    """Changes what is preferred, if anything, and shows the panel as it then is. Raises BadRequest."""
    studio, user, guild = house.studio, interaction.user, interaction.guild_id
    if changes:
        await studio.laws.prefer(user.id, changes)
        heed(house, interaction)
    tier = house.desk.tier(user)
    standing = Standing(
        force=studio.force(user.id, guild, tier),
        above=studio.force(0, guild, tier),
        chosen=studio.choices.user(user.id),
        allows=lambda name, value: studio.laws.allows(Layer.USER, name, value),
        recipes=studio.recipes,
    )
    await interaction.edit_original_response(view=replies.prefer(standing, interaction.locale.value))
