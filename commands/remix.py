"""The button that remixes a clip: its prompt and flags as they were, to be changed; its pictures again."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import buttons, replies
from commands.forms import form
from commands.house import House
from commands.making import begin
from commands.presses import hearing
from gen.job import Asker, Job
from gen.recipe import SPOKEN


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Hears the button; the form is heard by `commands.forms`."""
    tree.client.add_dynamic_items(hearing(buttons.REMIX, press, house))


async def press(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Opens the form, for whom may ask for a clip now. Raises Refused."""
    asker = house.desk.asker(interaction)
    house.studio.queue.can_take(asker.user, asker.guild, asker.tier)
    job = await house.studio.find(about)
    title, label, note = replies.remix_form(interaction.locale.value)
    needed = job.request.task in SPOKEN
    await interaction.response.send_modal(
        form(buttons.REMIX, job.id, title=title, label=label, note=note, words=job.words, needed=needed)
    )


async def submit(house: House, interaction: discord.Interaction[Any], about: str, words: str) -> None:
    """A new clip of whoever sent the form. Raises Refused."""
    asker = house.desk.asker(interaction)
    parent = await house.studio.find(about)
    force = house.studio.force(asker.user, asker.guild, asker.tier)
    recipe, _, _ = house.studio.read(
        parent.request.task, words, {}, asker, model=parent.request.recipe, force=force
    )

    async def submit(asker: Asker) -> Job:
        return await house.studio.remix(parent.id, words, asker, force=force)

    await begin(house, interaction, asker, submit, private=force.private.value, recipe=recipe.name)
