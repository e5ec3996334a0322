"""The gallery is opened, where the settings want one: its key, its links, its door, its site."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Self

import aiohttp
import discord

from bot.gallery import missed, seals
from bot.gallery.door import Door
from bot.gallery.hall import Hall, everyones
from bot.gallery.links import Links
from bot.gallery.seals import Seals
from bot.gallery.site import Site, served
from bot.post import Post
from bot.settings import Settings
from db.ledger import Ledger
from gen.errors import Misconfigured
from gen.studio import Studio

#: Bytes that a clip may have where its channel gets a smaller one and a link to it.
WHOLE = 256 * 2**20


@dataclass(frozen=True)
class Opening:
    """What a gallery needs before anything else is there."""

    settings: Settings
    seals: Seals
    links: Links

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The gallery of these settings; None where it is off. Raises Misconfigured."""
        if not settings.gallery.port:
            return None
        if not settings.client_secret:
            raise Misconfigured(
                "config.toml: gallery.port is {port}, but DISCORD_CLIENT_SECRET is not set; it is on the "
                "application's OAuth2 page at discord.com/developers.",
                port=settings.gallery.port,
            )
        ours = Seals(seals.key(settings.data))
        return cls(settings, ours, Links(settings.gallery.base, ours, days=settings.gallery.days))

    @asynccontextmanager
    async def opened(
        self, client: discord.Client, session: aiohttp.ClientSession, studio: Studio, ledger: Ledger
    ) -> AsyncIterator[None]:
        """Answers people while the block runs, and looks for what was missed. Raises Misconfigured."""
        site = self._site(client, session, studio, ledger)
        async with served(site, self.settings.gallery.host, self.settings.gallery.port):
            looking = asyncio.create_task(missed.look(Post(client), ledger), name="gallery")
            try:
                yield
            finally:
                looking.cancel()
                await asyncio.wait([looking])

    def _site(
        self, client: discord.Client, session: aiohttp.ClientSession, studio: Studio, ledger: Ledger
    ) -> Site:
        settings = self.settings
        base, asked = settings.gallery.base, settings.gallery.client
        door = Door(
            session,
            settings.discord,
            self.seals,
            base=base,
            client_id=lambda: asked or client.application_id or 0,
            secret=settings.client_secret,
        )
        hall = Hall(
            ledger.gallery,
            ledger.people,
            studio.shelf,
            studio.recipes,
            is_open=partial(everyones, client),
            thumbnail=studio.thumbnail,
        )
        return Site(base, door, hall, self.links)
