"""The button and the reaction that send a clip by direct message, with its seed and id."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import discord
from discord import app_commands

from commands import buttons, replies
from commands.errors import begin
from commands.house import House
from commands.making import NOBODY, whole
from commands.presses import hearing
from commands.reactions import Event, tell
from commands.tongue import tongue
from gen.errors import Failed, NotAllowed, Refused
from gen.job import Job

#: Bytes that a file may have in direct messages.
MOST = 10 * 2**20


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Hears the button."""
    tree.client.add_dynamic_items(hearing(buttons.LETTER, press, house))


async def press(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Sends the clip to whoever pressed. Raises Refused."""
    locale = interaction.locale.value
    await begin(interaction, private=True)
    job = await house.studio.seen(about, interaction.user.id)
    channel = await send(house, interaction.client, job, interaction.user.id, locale, str(interaction.id))
    await interaction.edit_original_response(content=replies.letter_sent(locale, channel))


async def reacted(house: House, client: discord.Client, event: Event, job: Job) -> None:
    """Sends the clip to whoever reacted; in direct messages it is there already."""
    if job.clip is None or event.guild_id is None:
        return
    # A reaction does not say who speaks what; the clip's card was read.
    locale = tongue(house, event.user_id, job.asker.locale)
    nonce = f"dm-{event.message_id ^ event.user_id}"  # one for each clip and person
    try:
        job = await house.studio.seen(job.id, event.user_id)
        await send(house, client, job, event.user_id, locale, nonce)
    except (Refused, Failed) as error:
        await tell(client, event, replies.refused(error, locale))


async def send(house: House, client: discord.Client, job: Job, user: int, locale: str, nonce: str) -> int:
    """The channel to which the clip went: its file, or a link where that is no longer kept.

    Raises NotAllowed when the person's direct messages are closed or no place for the clip, EngineError when
    it does not fit.
    """
    veiled = house.desk.veils_letter(user, job)
    path = await house.studio.file(job, MOST)
    full = whole(house, job, path, locale)
    job = replace(job, asker=replace(job.asker, spoiler=veiled))
    text, view = replies.letter(job, locale, link=path is None, full=full)
    try:
        door = await client.create_dm(discord.Object(user))
        if path is None:
            await door.send(text, view=view, nonce=nonce, allowed_mentions=NOBODY)
        else:
            name = replies.file_name(job)
            file = await asyncio.to_thread(discord.File, path, filename=name, spoiler=job.spoiler)
            await door.send(text, view=view, file=file, nonce=nonce, allowed_mentions=NOBODY)
    except discord.Forbidden as error:
        raise NotAllowed("Your direct messages are closed to me; allow them for this server.") from error
    return door.id
