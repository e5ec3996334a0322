"""“Animate this image”: a message's picture, set in motion by a form for the prompt."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import buttons, replies
from commands.forms import form
from commands.house import House
from commands.making import make
from gen.errors import BadRequest
from gen.job import Task


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the menu of a message; the form is heard by `commands.forms`."""

    @tree.context_menu(name="Animate this image")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def animate_this(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        asker = house.desk.asker(interaction)
        house.studio.queue.can_take(asker.user, asker.guild, asker.tier)
        file = first(message.attachments)
        house.pictures.keep(message.id, file)
        title, label, note = replies.picture_form(interaction.locale.value, file.filename)
        about = f"{message.channel.id}.{message.id}"
        await interaction.response.send_modal(
            form(buttons.PICTURE, about, title=title, label=label, note=note, needed=False)
        )


async def submit(house: House, interaction: discord.Interaction[Any], about: str, words: str) -> None:
    """A clip of that picture, as /img2vid makes it. Raises Refused."""
    channel, _, message = about.partition(".")
    file = house.pictures.find(int(message)) or await _again(interaction.client, int(channel), int(message))
    await make(house, interaction, Task.IMAGE, words, {}, [file])


async def _again(client: discord.Client, channel: int, message: int) -> discord.Attachment:
    """The picture after a restart. Discord shows it to the bot in direct messages, and where the bot was
    mentioned, but not in every message."""
    try:
        found = await client.get_partial_messageable(channel).get_partial_message(message).fetch()
        return first(found.attachments)
    except (discord.Forbidden, discord.NotFound, BadRequest) as error:
        raise BadRequest("The picture is no longer at hand; choose “Animate this image” again.") from error


def first(files: list[discord.Attachment]) -> discord.Attachment:
    """The first picture among them. Raises BadRequest."""
    for file in files:
        if (file.content_type or "").startswith("image/"):
            return file
    raise BadRequest("That message has no picture; PNG, JPEG, WebP and GIF are taken.")
