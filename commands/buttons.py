"""Buttons as they are drawn: what they do stands in their custom id, `deed:about`, and nothing in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from discord import ButtonStyle
from discord.ui import Button, Item, LayoutView, View

#: Deeds. Messages already sent carry these words, so they never change their meaning.
REROLL = "reroll"
CANCEL = "cancel"
DELETE = "delete"
PAGE = "page"
REMIX = "remix"
LETTER = "letter"
FAVOURITE = "keep"
INFO = "info"
PICTURE = "picture"
FORGET = "forget"
AUDIT = "audit"
RULES = "rules"
PREFER = "prefer"
FLAGS = "flags"
TURN = "turn"
UNPREFER = "unprefer"
SETTINGS = "settings"
SETTINGS_PAGE = "settings-page"


def button(deed: str, about: str, label: str, emoji: str | None = None) -> Button[Any]:
    """A button that `commands.presses` hears."""
    return Button(style=ButtonStyle.secondary, label=label, emoji=emoji, custom_id=f"{deed}:{about}")


def row(*buttons: Button[Any]) -> View:
    """A row of buttons."""
    return rows(buttons)


def rows(*rows: Iterable[Button[Any]]) -> View:
    """Rows of buttons to send.

    The view is drawn and forgotten: discord.py keeps none that has stopped, and presses are heard by custom
    id, on today's messages as on those from before a restart.
    """
    view = View(timeout=None)
    for number, buttons in enumerate(rows):
        for one in buttons:
            one.row = number
            view.add_item(one)
    view.stop()
    return view


def layout(*items: Item[Any]) -> LayoutView:
    """A message of Components V2 to send, drawn and forgotten as well."""
    view = LayoutView(timeout=None)
    for one in items:
        view.add_item(one)
    view.stop()
    return view
