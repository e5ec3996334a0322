"""Buttons as they are drawn: what they do stands in their custom id, `deed:about`, and nothing in memory."""

from __future__ import annotations

from typing import Any

from discord import ButtonStyle
from discord.ui import Button, View

#: Deeds. Messages already sent carry these words, so they never change their meaning.
REROLL = "reroll"
CANCEL = "cancel"
DELETE = "delete"
OLDER = "older"


def button(deed: str, about: str, label: str, emoji: str | None = None) -> Button[Any]:
    """A button that `commands.presses` hears."""
    return Button(style=ButtonStyle.secondary, label=label, emoji=emoji, custom_id=f"{deed}:{about}")


def row(*buttons: Button[Any]) -> View:
    """Buttons to send. The view is drawn and forgotten: discord.py keeps none that has stopped, and presses
    are heard by custom id, on today's messages as on those from before a restart."""
    view = View(timeout=None)
    for one in buttons:
        view.add_item(one)
    view.stop()
    return view
