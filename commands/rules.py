"""The house rules: asked privately before someone's first clip, accepted by a button, and then what was asked
for goes on."""

from __future__ import annotations

import asyncio
import copy
from contextlib import suppress
from typing import Any

import discord

from commands import replies
from commands.consent import Go, Held
from commands.errors import UNHEARD, explained
from commands.house import House


async def agreed(house: House, interaction: discord.Interaction[Any], go: Go) -> bool:
    """Whether the person accepted the rules; else they are shown, and `go` is called once they do."""
    consent = house.consent
    if consent.given(interaction.user.id):
        return True
    consent.hold(Held(interaction, copy.copy(interaction), go))  # copied while it is unanswered
    await interaction.response.send_message(**_shown(house, interaction, interaction.id), ephemeral=True)
    return False


async def accept(house: House, press: discord.Interaction[Any], about: str) -> None:
    """The button under the rules. What waits goes on in answer to this press: Discord gives it, too, three
    seconds and fifteen minutes. After a restart nothing waits any more."""
    consent = house.consent
    mark, _, since = about.partition(".")
    if mark != consent.mark:  # they changed since they were shown
        await press.response.edit_message(**_shown(house, press, int(since)))
        return
    await consent.give(press.user.id)
    held = consent.take(int(since))
    if held is None:
        await press.response.edit_message(content=replies.accepted(press.locale.value), view=None)
        return
    held.fresh.id, held.fresh.token = press.id, press.token
    await asyncio.gather(_go(held), _clear(held))


async def _go(held: Held) -> None:
    async with explained(held.fresh):
        await held.go(held.fresh)


async def _clear(held: Held) -> None:
    """Takes the rules away, which their own interaction can for 15 minutes."""
    with suppress(*UNHEARD):
        await held.shown.delete_original_response()


def _shown(house: House, interaction: discord.Interaction[Any], since: int) -> dict[str, Any]:
    text, view = replies.rules(interaction.locale.value, house.consent.text, f"{house.consent.mark}.{since}")
    return {"content": text, "view": view, "allowed_mentions": discord.AllowedMentions.none()}
