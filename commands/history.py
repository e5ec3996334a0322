"""/history: my clips, newest first, page by page; searched by words, or only those I keep."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Range

from commands import buttons, replies
from commands.errors import begin
from commands.house import House
from commands.presses import hearing
from commands.replies import PAGE, SEARCH, Look
from gen.errors import NotFound
from gen.job import Job


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command and its buttons."""

    @tree.command(name="history", description="Show your clips, with their seeds, models and links")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        search="Words that the prompt or the flags have",
        favourites="Only the clips that you keep with a star",
    )
    async def history(
        interaction: discord.Interaction[Any],
        search: Range[str, 0, SEARCH] = "",
        favourites: bool = False,
    ) -> None:
        await begin(interaction, private=True)
        await _page(house, interaction, Look(favourites=favourites, words=" ".join(search.split())))

    tree.client.add_dynamic_items(hearing(buttons.PAGE, turn, house, about=r"[^\n]{2,90}"))


async def turn(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Turns the page."""
    await interaction.response.defer()
    await _page(house, interaction, Look.read(about))


async def _page(house: House, interaction: discord.Interaction[Any], look: Look) -> None:
    before: Job | None = None
    if look.before:
        with suppress(NotFound):  # forgotten meanwhile: the newest page
            before = await house.studio.find(look.before)
    jobs = await house.studio.history(
        interaction.user.id, limit=PAGE + 1, before=before, words=look.words, favourites=look.favourites
    )
    page = jobs[:PAGE]
    children = {job.id: len(await house.studio.children(job.id)) for job in page}
    files = await asyncio.gather(*(_picture(house, job) for job in page))
    view = replies.history(
        page, interaction.locale.value, more=len(jobs) > PAGE, look=look, children=children,
        pictured=[job.id for job, file in zip(page, files, strict=True) if file],
    )  # fmt: skip
    # A page from before there were pictures has content, which must go for this kind of message.
    await interaction.edit_original_response(content=None, view=view, attachments=[*filter(None, files)])


async def _picture(house: House, job: Job) -> discord.File | None:
    """The clip's thumbnail to attach, while its file is kept."""
    path = await house.studio.thumbnail(job)
    try:
        return await asyncio.to_thread(discord.File, path, replies.picture(job)) if path else None
    except FileNotFoundError:  # swept away a moment ago
        return None
