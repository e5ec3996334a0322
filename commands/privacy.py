"""/privacy: what is kept about me, as a ZIP; and all of it erased."""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
from typing import Any

import discord
from discord import app_commands

from commands import buttons, replies
from commands.errors import UNHEARD, at_last, begin
from commands.house import House
from commands.letter import MOST
from commands.presses import hearing
from gen.errors import NotAllowed
from gen.job import Job
from gen.parcel import parcels

log = logging.getLogger(__name__)

#: Clips whose messages are looked up at once.
MANY = 100


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the commands and the button that confirms."""
    group = app_commands.Group(
        name="privacy",
        description="What is kept about you",
        allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
    )

    @group.command(name="export", description="Send you all that is kept about you, by direct message")
    async def export(interaction: discord.Interaction[Any]) -> None:
        await begin(interaction, private=True)
        locale = interaction.locale.value
        channel = await _send(house, interaction.client, interaction.user.id, replies.parcel(locale))
        text = replies.letter_sent(locale, channel)
        await interaction.edit_original_response(content=text)

    @group.command(name="delete", description="Erase your clips, prompts, favourites and settings")
    async def delete(interaction: discord.Interaction[Any]) -> None:
        text, view = replies.forget(interaction.locale.value, interaction.user.id)
        await interaction.response.send_message(text, view=view, ephemeral=True)

    tree.add_command(group)
    tree.client.add_dynamic_items(hearing(buttons.FORGET, press, house))


async def press(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Erases it all; only the person's own press of their own button counts."""
    if about != str(interaction.user.id):
        raise NotAllowed("That button is someone else's.")
    locale = interaction.locale.value
    await interaction.response.edit_message(content=replies.forgetting(locale), view=None)
    await house.studio.withdraw(interaction.user.id)
    await house.board.leave(interaction.user.id)
    await _unpost(house, interaction.client, interaction.user.id)
    jobs = await house.studio.forget(interaction.user.id)
    text = replies.forgotten(locale, jobs)  # when many messages went, the answer's time may be over
    await at_last(interaction, text, interaction.edit_original_response(content=text))


async def _send(house: House, client: discord.Client, user: int, text: str) -> int:
    """The channel where the parcels are, the first below `text`. Raises NotAllowed when the person's direct
    messages are closed."""
    data, clips = await house.studio.export(user)
    packed, number = parcels(data, clips, MOST), itertools.count(1)
    try:
        door = await client.create_dm(discord.Object(user))
        while one := await asyncio.to_thread(next, packed, b""):  # one in memory at a time
            file = discord.File(io.BytesIO(one), filename=f"zoetrope-{next(number)}.zip")
            await door.send(text or None, file=file)
            text = ""
    except discord.Forbidden as error:
        raise NotAllowed("Your direct messages are closed to me; allow them for this server.") from error
    return door.id


async def _unpost(house: House, client: discord.Client, user: int) -> None:
    """Deletes the messages of the person's clips, and those that say why there is none, wherever they are."""
    last: Job | None = None
    while page := await house.studio.history(user, limit=MANY, before=last):
        last = page[-1]
        for job in page:
            for channel, message in ((job.channel, job.message), (job.asker.channel, job.ticket)):
                if message is None:
                    continue
                try:
                    await client.get_partial_messageable(channel).get_partial_message(message).delete()
                except UNHEARD as error:
                    log.info("message %s stays: %s", message, error)
