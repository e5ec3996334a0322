"""The buttons and reactions on a clip: roll it again, or take it away."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

import discord
from discord import app_commands

from commands import buttons, replies
from commands.cancel import moderates
from commands.house import House
from commands.making import NOBODY, begin, promised, show
from commands.places import alone
from commands.presses import hearing
from commands.reactions import Event, reference, tell
from commands.tongue import tongue
from gen.errors import NotAllowed, NotFound, Refused
from gen.job import Asker, Job, State

log = logging.getLogger(__name__)


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Hears the buttons."""
    tree.client.add_dynamic_items(
        hearing(buttons.REROLL, press, house), hearing(buttons.DELETE, delete, house)
    )


async def press(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Rolls the clip again for whoever pressed. Raises Refused."""
    asker = house.desk.asker(interaction)
    house.studio.queue.can_take(asker.user, asker.guild, asker.tier)
    force = house.studio.force(asker.user, asker.guild, asker.tier)

    async def submit(asker: Asker) -> Job:
        if not asker.private:
            promised(house, interaction, asker, (await house.studio.find(about)).request.recipe)
        return await house.studio.reroll(about, asker, force=force)

    await begin(house, interaction, asker, submit, private=force.private.value)


async def delete(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Deletes the clip's message, for its owner or a moderator; in direct messages with the bot it is whose
    they are. Raises Refused."""
    await interaction.response.defer()
    job = await house.studio.find(about)
    person, client = interaction.user, interaction.client
    stranger = person.id != job.asker.user and not alone(interaction)
    if stranger and not await moderates(client, person, job):
        raise NotAllowed("That clip is someone else's; only they or a moderator can delete it.")
    await interaction.delete_original_response()
    if interaction.message is not None:
        await house.studio.taken_away(interaction.message.id)


async def again(house: House, client: discord.Client, event: Event, parent: Job) -> None:
    """Rolls it again for whoever reacted, on their own quota."""
    if parent.state in (State.WAITING, State.RUNNING):
        return
    # A reaction does not say who speaks what; the clip's card was read.
    locale = tongue(house, event.user_id, parent.asker.locale)
    try:
        asker = replace(house.desk.asker(event), locale=locale)
        force = house.studio.force(asker.user, asker.guild, asker.tier)
        elsewhere = force.private.value and event.guild_id is not None
        if elsewhere:
            asker = await house.desk.private(asker, discord.Object(event.user_id))
        job = await house.studio.reroll(parent.id, asker, force=force)
    except Refused as error:
        await tell(client, event, replies.refused(error, locale))
        return
    await show(house, job, partial(_letter if elsewhere else _reply, client, event, job))


async def drop(house: House, client: discord.Client, event: Event, job: Job) -> None:
    """Cancels by the ticket, deletes what has ended. A stranger's cross is an opinion, and left alone."""
    stranger = event.user_id != job.asker.user and event.guild_id is not None
    if stranger and not await moderates(client, event.member, job):
        return
    if job.state not in (State.WAITING, State.RUNNING):
        channel = client.get_partial_messageable(event.channel_id)
        await channel.get_partial_message(event.message_id).delete()
        await house.studio.taken_away(event.message_id)
        return
    try:
        await house.studio.cancel(job.id, user=event.user_id, any_owner=True)
    except NotFound:
        log.info("job %s is gone", job.id)


async def _letter(client: discord.Client, event: Event, job: Job, text: str, view: discord.ui.View) -> int:
    """The ticket by direct message, for whoever has their clips there."""
    del event
    channel = client.get_partial_messageable(job.asker.channel)
    return (await channel.send(text, view=view, nonce=f"ticket-{job.id}", allowed_mentions=NOBODY)).id


async def _reply(
    client: discord.Client,
    event: Event,
    job: Job,
    text: str,
    view: discord.ui.View,
) -> int:
    """The ticket as an answer to the clip. Sent once: the same nonce brings the first message again."""
    message = await client.get_partial_messageable(event.channel_id).send(
        text,
        view=view,
        reference=reference(event),
        nonce=f"ticket-{job.id}",
        allowed_mentions=NOBODY,
    )
    return message.id
