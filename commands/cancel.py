"""/cancel, and the button that does the same: takes a clip out of the line, or stops it."""

from __future__ import annotations

import logging
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice

from commands import buttons, replies
from commands.errors import begin
from commands.house import House
from commands.presses import hearing
from gen.errors import NotFound
from gen.job import Job, State

log = logging.getLogger(__name__)


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command and the button."""

    async def clips(interaction: discord.Interaction[Any], typed: str) -> list[Choice[str]]:
        named = [(replies.suggestion(job, interaction.locale.value), job) for job in mine(house, interaction)]
        return [Choice(name=name, value=job.id) for name, job in named if typed.lower() in name.lower()][:25]

    @tree.command(name="cancel", description="Cancel a clip of yours that is waiting or being made")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(clip="Which one; without it, the one you asked for last")
    @app_commands.autocomplete(clip=clips)
    async def cancel(interaction: discord.Interaction[Any], clip: str | None = None) -> None:
        last = next(iter(mine(house, interaction)), None)
        if clip is None and last is None:
            raise NotFound("You have no clip in the line.")
        wanted = clip or (last.id if last else "")
        await begin(interaction, private=True)
        job = await stop(house, interaction, wanted.strip())
        text = replies.stopped(job, interaction.locale.value)
        await interaction.edit_original_response(content=text)

    tree.client.add_dynamic_items(hearing(buttons.CANCEL, press, house))


async def press(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """The button on a ticket. The ticket says that it worked, at once: this edit need not wait for the
    channel's others."""
    await interaction.response.defer()
    job = await stop(house, interaction, about)
    if job.state is State.CANCELLED:
        text, view = replies.ticket(job)
        await interaction.edit_original_response(content=text, view=view)
    else:
        await interaction.followup.send(replies.stopped(job, interaction.locale.value), ephemeral=True)


async def stop(house: House, interaction: discord.Interaction[Any], job_id: str) -> Job:
    """Cancels the job for its owner, or for a moderator of the server it was asked for in. Raises Refused."""
    job = await house.studio.find(job_id)
    user = interaction.user
    moderator = user.id != job.asker.user and await moderates(interaction.client, user, job)
    return await house.studio.cancel(job.id, user=user.id, any_owner=moderator)


async def moderates(client: discord.Client, person: discord.abc.User | None, job: Job) -> bool:
    """Whether the person may manage messages in the channel where the job's clip goes, wherever they ask."""
    if not isinstance(person, discord.Member) or person.guild.id != job.asker.guild:
        return False
    try:
        channel = person.guild.get_channel_or_thread(job.asker.channel)
        if channel is None:  # a thread that was archived is not told of at the start
            fetched = await client.fetch_channel(job.asker.channel)
            channel = fetched if isinstance(fetched, discord.abc.GuildChannel | discord.Thread) else None
        return channel is not None and channel.permissions_for(person).manage_messages
    except discord.DiscordException as error:
        log.info("channel %s does not say who moderates it: %s", job.asker.channel, error)
        return False


def mine(house: House, interaction: discord.Interaction[Any]) -> list[Job]:
    """The person's clips in the line, the one asked for last first."""
    jobs = [place.job for place in house.studio.places() if place.job.asker.user == interaction.user.id]
    return sorted(jobs, key=lambda job: job.created, reverse=True)
