"""What every command is handed: the studio, and the few things only the bot can do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import discord

from commands.consent import Consent
from commands.door import Door
from commands.echoes import Echoes
from commands.pictures import Pictures
from gen.job import Asker, Job
from gen.machine import Plan
from gen.office import Office
from gen.studio import Studio, Upload


class Board(Protocol):
    """Keeps tickets true."""

    async def open(self, job: Job, send: Callable[[str, discord.ui.View], Awaitable[int]]) -> None:
        """Draws the ticket of a new job, sends it by `send`, which answers with the message's id, and from
        then on edits it by the bot's own token as the line moves."""
        ...

    async def leave(self, user: int) -> None:
        """Says no more of that person's jobs: their tickets are about to be deleted."""
        ...


class Desk(Protocol):
    """Knows people, channels and files."""

    counter: asyncio.Semaphore  # held from the fetching of a request's files until they are kept

    def asker(self, source: discord.Interaction | discord.RawReactionActionEvent) -> Asker:
        """Who asks and where. Raises NotAllowed naming a permission that the bot lacks."""
        ...

    def tier(self, user: discord.User | discord.Member) -> str:
        """The tier that an operator gave, else the heaviest that the person's roles give."""
        ...

    def away(self, interaction: discord.Interaction) -> bool:
        """Whether the bot is no member there: a person brought it along, and it can but answer."""
        ...

    def bare(self, interaction: discord.Interaction) -> bool:
        """Whether clips there get no reactions, for want of a permission; said once a channel."""
        ...

    def veils(self, interaction: discord.Interaction, job: Job) -> bool:
        """Whether a clip that is shown there again stands behind a spoiler. Raises NotAllowed where what is
        not for everyone is not shown."""
        ...

    def veils_letter(self, user: int, job: Job) -> bool:
        """The same of that person's direct messages."""
        ...

    async def private(self, asker: Asker, user: discord.abc.Snowflake) -> Asker:
        """The same asker, answered by direct message. Raises NotAllowed when Discord refuses to open one."""
        ...

    async def fetch(self, attachment: discord.Attachment) -> Upload:
        """The attachment's bytes, from Discord's own hosts, within limits. Raises BadRequest."""
        ...


#: Reads the recipes and the words file anew: names of recipes that came, went and changed, and of "words" how
#: many there are, if they differ. Raises Misconfigured; all is as it was.
Reload = Callable[[], Awaitable[Mapping[str, Sequence[str]]]]


@dataclass(frozen=True)
class House:
    """One for the whole program; made in `bot.__main__`."""

    studio: Studio
    board: Board
    desk: Desk
    office: Office
    reload: Reload
    consent: Consent
    plan: Callable[[], Plan]  # what commands take on this machine, and why
    # From a job's id, where its clip is as it was made, and until when, in seconds since 1970.
    link: Callable[[str], tuple[str, int]] | None = None
    echoes: Echoes = field(default_factory=Echoes)
    pictures: Pictures = field(default_factory=Pictures)
    door: Door = field(default_factory=Door)
