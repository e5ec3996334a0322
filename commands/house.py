"""What every command is handed: the studio, and the few things only the bot can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import discord

from gen.job import Asker, Job
from gen.studio import Studio, Upload


class Board(Protocol):
    """Keeps tickets true."""

    async def open(self, job: Job, send: Callable[[str, discord.ui.View], Awaitable[int]]) -> None:
        """Draws the ticket of a new job, sends it by `send`, which answers with the message's id, and from
        then on edits it by the bot's own token as the line moves."""
        ...


class Desk(Protocol):
    """Knows people, channels and files."""

    def asker(self, source: discord.Interaction | discord.RawReactionActionEvent) -> Asker:
        """Who asks and where, with tier and file limit. Raises NotAllowed naming a permission the bot lacks."""
        ...

    async def fetch(self, attachment: discord.Attachment) -> Upload:
        """The attachment's bytes, from Discord's own hosts, within limits. Raises BadRequest."""
        ...


@dataclass(frozen=True)
class House:
    """One for the whole program; made in `bot.__main__`."""

    studio: Studio
    board: Board
    desk: Desk
