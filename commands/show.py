"""/show and “Clip info”: one clip again, and all it takes to make it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice

from commands import buttons, replies
from commands.errors import begin
from commands.house import House
from commands.making import NOBODY, whole
from commands.places import alone, around
from commands.presses import hearing
from commands.reactions import shown
from gen.errors import NotAllowed, NotFound
from gen.job import Job
from gen.layers import Effective, place

#: Clips that are looked through for suggestions.
RECENT = 25


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command, the menu of a message, and the button."""

    async def clips(interaction: discord.Interaction[Any], typed: str) -> list[Choice[str]]:
        user, locale = interaction.user.id, interaction.locale.value
        jobs = await house.studio.history(user, limit=RECENT, words=typed)
        if not jobs:  # perhaps an id
            recent = await house.studio.history(user, limit=8 * RECENT)
            jobs = [job for job in recent if job.id.startswith(typed.strip().lower())][:RECENT]
        return [Choice(name=replies.suggestion(job, locale), value=job.id) for job in jobs]

    @tree.command(name="show", description="Show one of your clips again, by its id")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(clip="Its id, or words of its prompt", private="Answer for you alone")
    @app_commands.autocomplete(clip=clips)
    async def show(interaction: discord.Interaction[Any], clip: str, private: bool | None = None) -> None:
        await answer(house, interaction, clip.strip().lower(), private=private)

    @tree.context_menu(name="Clip info")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def info(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await begin(interaction, private=True)
        job = await house.studio.by_message(message.id)
        if job is None and message.author == interaction.client.user:
            job = await shown(house, message)
        if job is None:
            raise NotFound("That message shows no clip of mine.")
        await _tell(house, interaction, await house.studio.seen(job.id, interaction.user.id))

    tree.client.add_dynamic_items(hearing(buttons.INFO, press, house))


async def press(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """The button on a clip."""
    await begin(interaction, private=True)
    await _tell(house, interaction, await house.studio.seen(about, interaction.user.id))


async def answer(
    house: House, interaction: discord.Interaction[Any], clip: str, *, private: bool | None
) -> None:
    """The clip once more, or its facts while there is none. Raises NotFound, NotAllowed."""
    job = await house.studio.seen(clip, interaction.user.id)
    await _may_see(house, interaction, job)
    force = house.studio.force(interaction.user.id, interaction.guild_id, private=private)
    private = force.private.value or _closed(force, interaction)
    # What has a clip and was not posted could not be delivered: here is where its owner gets it.
    there = job.clip is not None and house.studio.shelf.clip(job.clip) is not None
    veiled = there and house.desk.veils(interaction, job)
    secret = job.withdrawn or (job.asker.private and not alone(interaction))
    await begin(interaction, private=private or secret or not there)
    path = await house.studio.file(job, interaction.filesize_limit) if there else None
    if path is None:
        await _tell(house, interaction, job)
        return
    locale = interaction.locale.value
    told = replace(job, asker=replace(job.asker, locale=locale, spoiler=veiled))
    text, view = replies.card(told, full=whole(house, job, path, locale))
    name = replies.file_name(job)
    file = await asyncio.to_thread(discord.File, path, filename=name, spoiler=veiled)
    await interaction.edit_original_response(
        content=text, view=view, attachments=[file], allowed_mentions=NOBODY
    )


def _closed(force: Effective, interaction: discord.Interaction[Any]) -> bool:
    """Whether the server has no clips in that channel; a person may see one there all the same."""
    try:
        place(force, around(interaction.channel, interaction.channel_id or 0))
    except NotAllowed:
        return True
    return False


async def _tell(house: House, interaction: discord.Interaction[Any], job: Job) -> None:
    """All that was asked for and made, for the person alone."""
    children = await house.studio.children(job.id)
    recipe = house.studio.recipes.get(job.request.recipe)
    text = replies.parameters(
        job, interaction.locale.value, recipe=recipe, children=[one.id for one in children]
    )
    await interaction.edit_original_response(content=text, allowed_mentions=NOBODY)


async def _may_see(house: House, interaction: discord.Interaction[Any], job: Job) -> None:
    """Raises NotAllowed when it is someone else's clip from elsewhere."""
    if interaction.user.id == job.asker.user or interaction.channel_id == job.asker.channel:
        return
    if await house.studio.keeps(interaction.user.id, job.id):
        return
    raise NotAllowed("That clip is someone else's, and was not made in this channel.")
