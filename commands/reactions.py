"""Reactions: what they ask for, of whom, and how they are answered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import discord

from commands import buttons, replies
from commands.echoes import BRIEF
from commands.errors import UNHEARD, sentence
from commands.house import House
from commands.making import NOBODY
from commands.tongue import tongue
from gen.errors import NotAllowed, NotFound
from gen.job import Job

log = logging.getLogger(__name__)

#: Seconds for which a refusal stands in the channel when it cannot be said in private.
STANDS = 15.0
#: A deed that every message about a job has one of.
TELLING = (buttons.REROLL, buttons.CANCEL)
#: Reactions that ask for something: who may not is told so. Other reactions may be mere opinions.
ASKS = frozenset({*replies.REROLLS, replies.LETTER})

Event = discord.RawReactionActionEvent
#: Is given the house, the client, the reaction, and the job behind the message.
Act = Callable[[House, discord.Client, Event, Job], Awaitable[None]]


async def reacted(house: House, client: discord.Client, acts: Mapping[str, Act], event: Event) -> None:
    """Does what a person's reaction asks for, once."""
    emoji = (event.emoji.name or "").replace("\N{VARIATION SELECTOR-16}", "")
    act = acts.get(emoji)
    if act is None or (client.user and event.user_id == client.user.id):
        return
    if event.member and event.member.bot:
        return
    if house.echoes.heard((event.user_id, event.message_id, emoji, event.event_type), BRIEF):
        return
    locale = "en-US"  # until it is known whose clip it is about
    try:
        if job := await behind(house, client, event):
            locale = tongue(house, event.user_id, job.asker.locale)
            if not _admitted(house, event, asks=emoji in ASKS):
                return
            if emoji in replies.REROLLS and not house.consent.given(event.user_id):
                raise NotAllowed(
                    "This bot has rules to accept first; the button Reroll under a clip shows them."
                )
            await act(house, client, event, job)
    except UNHEARD as error:
        log.warning("reaction %s on message %s came to nothing: %s", emoji, event.message_id, error)
    except Exception as error:  # a bug ends that reaction, and is said as that of a command is
        log.warning("reaction %s on message %s: %r", emoji, event.message_id, error)
        with suppress(*UNHEARD):
            await tell(client, event, sentence(locale, error))


def _admitted(house: House, event: Event, *, asks: bool) -> bool:
    """Whether the person may. Raises NotAllowed where they asked for something, for them to read."""
    try:
        house.office.admit(event.user_id, event.guild_id)
    except NotAllowed:
        if asks:
            raise
        return False
    return True


async def behind(house: House, client: discord.Client, event: Event) -> Job | None:
    """The job whose clip or ticket the message shows; its buttons tell where the ledger does not."""
    ours = client.user.id if client.user else 0
    if event.message_author_id not in (None, ours):
        return None
    if job := await house.studio.by_message(event.message_id):
        return job
    if event.event_type == "REACTION_REMOVE":  # Discord does not say whose message it was
        return None
    channel = client.get_partial_messageable(event.channel_id)
    return await shown(house, await channel.get_partial_message(event.message_id).fetch())


async def shown(house: House, message: discord.Message) -> Job | None:
    """The job that the buttons of one of our messages are about."""
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    told = [(child.custom_id or "").partition(":") for row in rows for child in row.children]
    about = next((id for deed, _, id in told if deed in TELLING), None)
    with suppress(NotFound):
        return await house.studio.find(about) if about else None
    return None


async def tell(client: discord.Client, event: Event, text: str) -> None:
    """Says it by direct message; where that is closed, for a moment under the clip."""
    try:
        door = await client.create_dm(discord.Object(event.user_id))
        await door.send(text)
    except discord.Forbidden:
        channel = client.get_partial_messageable(event.channel_id)
        await channel.send(text, reference=reference(event), delete_after=STANDS, allowed_mentions=NOBODY)


def reference(event: Event) -> discord.MessageReference:
    """Points back to the message that has the reaction."""
    return discord.MessageReference(
        message_id=event.message_id,
        channel_id=event.channel_id,
        guild_id=event.guild_id,
        fail_if_not_exists=False,
    )
