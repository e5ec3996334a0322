"""The buttons and reactions on a clip: roll it again, or take it away."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import Any

import discord
from discord import app_commands

from commands import buttons, replies
from commands.cancel import moderates
from commands.echoes import BRIEF
from commands.errors import UNHEARD, begin
from commands.house import House
from commands.making import NOBODY, in_answer, show
from commands.presses import hearing
from gen.errors import NotAllowed, NotFound, Refused
from gen.job import Job, State

log = logging.getLogger(__name__)

#: Seconds for which a refusal stands in the channel when it cannot be said in private.
STANDS = 15.0


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Hears the buttons."""
    tree.client.add_dynamic_items(
        hearing(buttons.REROLL, press, house), hearing(buttons.DELETE, delete, house)
    )


async def press(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Rolls the clip again for whoever pressed. Raises Refused."""
    asker = house.desk.asker(interaction)
    house.studio.queue.can_take(asker.user, asker.guild, asker.tier)
    await begin(interaction, private=False)
    job = await house.studio.reroll(about, asker)
    await show(house, job, partial(in_answer, interaction))


async def delete(house: House, interaction: discord.Interaction[Any], about: str) -> None:
    """Deletes the clip's message, for its owner or a moderator. Raises Refused."""
    await interaction.response.defer()
    job = await house.studio.find(about)
    if interaction.user.id != job.asker.user and not moderates(interaction, job):
        raise NotAllowed("That clip is someone else's; only they or a moderator can delete it.")
    await interaction.delete_original_response()


async def reacted(house: House, client: discord.Client, event: discord.RawReactionActionEvent) -> None:
    """Does what a reaction asks for: a reroll by anyone, on their own quota; taking away by who may."""
    emoji = (event.emoji.name or "").replace("\N{VARIATION SELECTOR-16}", "")
    if emoji not in replies.REROLLS and emoji != replies.DROP:
        return
    if (client.user and event.user_id == client.user.id) or (event.member and event.member.bot):
        return
    if house.echoes.heard((event.user_id, event.message_id, emoji), BRIEF):
        return
    try:
        job = await _behind(house, client, event)
        if job and emoji == replies.DROP:
            await _drop(house, client, event, job)
        elif job and job.state not in (State.WAITING, State.RUNNING):
            await _again(house, client, event, job)
    except UNHEARD as error:
        log.warning("reaction %s on message %s came to nothing: %s", emoji, event.message_id, error)


async def _behind(house: House, client: discord.Client, event: discord.RawReactionActionEvent) -> Job | None:
    """The job whose clip or ticket the message shows; its buttons tell, before the ledger knows it."""
    job = await house.studio.by_message(event.message_id)
    if job or not client.user or event.message_author_id != client.user.id:
        return job
    channel = client.get_partial_messageable(event.channel_id)
    message = await channel.get_partial_message(event.message_id).fetch()
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    ids = [child.custom_id or "" for row in rows for child in row.children]
    told = [one.partition(":") for one in ids]
    about = next((id for deed, _, id in told if deed in (buttons.REROLL, buttons.CANCEL)), None)
    with suppress(NotFound):
        return await house.studio.find(about) if about else None
    return None


async def _again(
    house: House, client: discord.Client, event: discord.RawReactionActionEvent, parent: Job
) -> None:
    locale = parent.asker.locale
    try:
        asker = house.desk.asker(event)
        locale = asker.locale
        job = await house.studio.reroll(parent.id, asker)
    except Refused as error:
        await _tell(client, event, replies.refused(error, locale))
        return
    await show(house, job, partial(_reply, client, event, job))


async def _drop(
    house: House, client: discord.Client, event: discord.RawReactionActionEvent, job: Job
) -> None:
    """Cancels by the ticket, deletes what has ended. A stranger's cross is an opinion, and left alone."""
    if event.user_id != job.asker.user and not _moderator(client, event, job):
        return
    if job.state not in (State.WAITING, State.RUNNING):
        channel = client.get_partial_messageable(event.channel_id)
        await channel.get_partial_message(event.message_id).delete()
        return
    try:
        await house.studio.cancel(job.id, user=event.user_id, any_owner=True)
    except NotFound:
        log.info("job %s is gone", job.id)


def _moderator(client: discord.Client, event: discord.RawReactionActionEvent, job: Job) -> bool:
    guild = client.get_guild(event.guild_id) if event.guild_id else None
    channel = guild.get_channel_or_thread(event.channel_id) if guild else None
    if channel is None or event.member is None or job.asker.guild != event.guild_id:
        return False
    return channel.permissions_for(event.member).manage_messages


async def _tell(client: discord.Client, event: discord.RawReactionActionEvent, text: str) -> None:
    """Says it by direct message; where that is closed, for a moment under the clip."""
    try:
        door = await client.create_dm(discord.Object(event.user_id))
        await door.send(text)
    except discord.Forbidden:
        channel = client.get_partial_messageable(event.channel_id)
        await channel.send(text, reference=_reference(event), delete_after=STANDS, allowed_mentions=NOBODY)


def _reference(event: discord.RawReactionActionEvent) -> discord.MessageReference:
    return discord.MessageReference(
        message_id=event.message_id,
        channel_id=event.channel_id,
        guild_id=event.guild_id,
        fail_if_not_exists=False,
    )


async def _reply(
    client: discord.Client,
    event: discord.RawReactionActionEvent,
    job: Job,
    text: str,
    view: discord.ui.View,
) -> int:
    """The ticket as an answer to the clip. Sent once: the same nonce brings the first message again."""
    message = await client.get_partial_messageable(event.channel_id).send(
        text,
        view=view,
        reference=_reference(event),
        nonce=f"ticket-{job.id}",
        allowed_mentions=NOBODY,
    )
    return message.id
