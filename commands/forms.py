"""Forms: modals as they are drawn, and what is sent back, heard by custom id as buttons are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import discord
from discord.ui import Label, Modal, TextInput

from commands import errors, gate, replies, rules
from commands.errors import explained
from commands.house import House
from commands.tongue import heed
from gen.errors import Refused

#: Characters that a field of a modal may have.
MOST = 4000
FIELD = "words"

#: Is given the house, the sending, what stands behind the colon of the custom id, and the words.
Act = Callable[[House, discord.Interaction[Any], str, str], Awaitable[None]]


def form(
    deed: str, about: str, *, title: str, label: str, note: str, words: str = "", needed: bool = True
) -> Modal:
    """One field of many lines. The modal is drawn and forgotten, as `commands.buttons.row` is: what is sent
    back is heard even when the bot was started anew meanwhile."""
    field: TextInput[Any] = TextInput(
        custom_id=FIELD,
        style=discord.TextStyle.paragraph,
        default=words[:MOST] or None,
        max_length=MOST,
        required=needed,
    )
    modal = Modal(title=title[:45], custom_id=f"{deed}:{about}", timeout=None)
    modal.add_item(Label(text=label[:45], description=note[:100], component=field))
    modal.stop()
    return modal


def hear(client: discord.Client, house: House, acts: Mapping[str, Act]) -> None:
    """Hears every form that is sent, by its deed."""

    @client.event
    async def on_interaction(interaction: discord.Interaction[Any]) -> None:
        if interaction.type is not discord.InteractionType.modal_submit or interaction.data is None:
            return
        deed, _, about = str(interaction.data.get("custom_id", "")).partition(":")
        if deed not in acts or house.echoes.heard(interaction.id):
            return
        words = _words(interaction.data)
        heed(house, interaction)

        async def go(interaction: discord.Interaction[Any]) -> None:
            await acts[deed](house, interaction, about, words)

        async with explained(interaction):
            try:
                gate.admit(house, interaction)
                if deed not in gate.FORMS or await rules.agreed(house, interaction, go):
                    await go(interaction)
            except Refused as error:  # what was typed is not lost with the form
                await errors.tell(interaction, replies.returned(error, words, interaction.locale.value))


def _words(data: Mapping[str, Any]) -> str:
    """What was typed into the field."""
    for part in data.get("components", ()):
        for field in (part.get("component"), *part.get("components", ())):
            if field and field.get("custom_id") == FIELD:
                return str(field.get("value", ""))
    return ""
