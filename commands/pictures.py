"""Pictures at hand: attachments of messages whose form is open."""

from __future__ import annotations

from collections import OrderedDict

import discord

#: Forms that are open at once at the most; the oldest is forgotten.
MOST = 500


class Pictures:
    """The latest, by message."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, discord.Attachment] = OrderedDict()

    def keep(self, message: int, file: discord.Attachment) -> None:
        """Keeps a message's picture at hand."""
        self._kept[message] = file
        self._kept.move_to_end(message)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)

    def find(self, message: int) -> discord.Attachment | None:
        """The picture of that message."""
        return self._kept.get(message)
