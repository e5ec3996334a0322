"""The desk knows people, channels and files: who asks, what they may, and what they sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

import aiohttp
import discord

from bot.preflight import demand
from bot.settings import CDN_HOSTS, Role, Settings
from commands.places import age_restricted, around
from gen.darkroom import shown
from gen.errors import BadRequest, NotAllowed
from gen.job import Asker, Job
from gen.layers import Effective, hidden, place, veiled, verdict
from gen.studio import Upload

#: Bytes a file may have where Discord has not said so.
USUAL_LIMIT = 10 * 2**20
#: Seconds a download of an attachment may take in all.
PATIENCE = 10.0
#: Requests whose files are in memory at once.
HANDS = 8


#: What is in force for a user in a guild, or in direct messages.
Force = Callable[[int, int | None], Effective]


class Desk:
    """`commands.house.Desk` on a live client."""

    def __init__(
        self,
        client: discord.Client,
        session: aiohttp.ClientSession,
        settings: Settings,
        force: Force,
        tiers: Mapping[int, str],
        *,
        patience: float = PATIENCE,
    ) -> None:
        """`tiers` are those that operators gave to people, whatever their roles."""
        self.patience = patience
        self.client = client
        self.session = session
        self.settings = settings
        self.force = force
        self.tiers = tiers
        self.counter = asyncio.Semaphore(HANDS)
        self._bare: set[int] = set()  # channels of which that was said
        self._limits: dict[int, int] = {}  # by guild, as Discord last said

    def asker(self, source: discord.Interaction | discord.RawReactionActionEvent) -> Asker:
        """Who asks and where. Raises NotAllowed where clips are not made, or the bot lacks a permission."""
        if isinstance(source, discord.Interaction):
            return self._by_command(source)
        return self._by_reaction(source)

    def away(self, interaction: discord.Interaction) -> bool:
        """Whether the bot is no member there: a person brought it along, and it can but answer."""
        if interaction.guild_id:
            return not interaction.is_guild_integration()
        return bool(interaction.context.private_channel)

    def bare(self, interaction: discord.Interaction) -> bool:
        """Whether clips there get no reactions, for want of a permission; said once a channel."""
        channel = interaction.channel_id or 0
        if self.away(interaction):
            return False
        if not interaction.guild_id or interaction.app_permissions.add_reactions or channel in self._bare:
            return False
        self._bare.add(channel)
        return True

    async def private(self, asker: Asker, user: discord.abc.Snowflake) -> Asker:
        """The same asker, answered by direct message. Raises NotAllowed when Discord refuses to open one."""
        try:
            channel = await self.client.create_dm(user)
        except discord.HTTPException as error:
            raise NotAllowed("I cannot send you direct messages; allow them for this server.") from error
        found = verdict(self.force(asker.user, None).nsfw.value, restricted=False)
        asker = replace(asker, restricted=False, spoiler=False, found=found)  # those were of where they asked
        return replace(asker, channel=channel.id, guild=None, limit=USUAL_LIMIT, private=True)

    def veils(self, interaction: discord.Interaction, job: Job) -> bool:
        """Whether a clip that is shown there again stands behind a spoiler. Raises NotAllowed."""
        force = self.force(interaction.user.id, interaction.guild_id)
        return veiled(job, force, restricted=age_restricted(interaction.channel))

    def veils_letter(self, user: int, job: Job) -> bool:
        """Whether a clip stands behind a spoiler in that person's direct messages. Raises NotAllowed."""
        return veiled(job, self.force(user, None), restricted=False)

    async def fetch(self, attachment: discord.Attachment) -> Upload:
        """The attachment's bytes, from Discord's own hosts, within limits. Raises BadRequest."""
        name, most = attachment.filename, self.settings.files.upload * 2**20
        if attachment.size > most:
            raise _large(name, most)
        if not self._trusted(attachment.url):
            raise BadRequest("{name} is not an attachment of Discord's.", name=shown(name))
        try:
            async with asyncio.timeout(self.patience):
                return Upload(name, await self._read(attachment.url, name, most))
        except TimeoutError as error:
            raise BadRequest("{name} took too long to load; send it again.", name=shown(name)) from error
        except aiohttp.ClientError as error:
            raise BadRequest("{name} could not be loaded; send it again.", name=shown(name)) from error

    def _by_command(self, interaction: discord.Interaction) -> Asker:
        guild, channel = interaction.guild_id, interaction.channel
        force = self.force(interaction.user.id, guild)
        if guild:
            self._limits[guild] = interaction.filesize_limit
            place(force, around(channel, interaction.channel_id or 0))
        said = getattr(interaction.namespace, "private", None)
        private = force.private.value if said is None else said
        if guild and not private and not self.away(interaction):  # what is private goes elsewhere
            demand(interaction.app_permissions, thread=isinstance(channel, discord.Thread))
        restricted = age_restricted(channel)
        return Asker(
            user=interaction.user.id,
            channel=interaction.channel_id or 0,
            guild=guild,
            locale=_language(interaction),
            tier=self.tier(interaction.user),
            limit=interaction.filesize_limit,
            restricted=restricted,
            spoiler=hidden(force.spoiler.value, restricted=restricted),
            found=verdict(force.nsfw.value, restricted=restricted),
        )

    def _by_reaction(self, event: discord.RawReactionActionEvent) -> Asker:
        guild = self.client.get_guild(event.guild_id) if event.guild_id else None
        channel = guild.get_channel_or_thread(event.channel_id) if guild else None
        force = self.force(event.user_id, event.guild_id)
        if event.guild_id:
            place(force, around(channel, event.channel_id))
        if guild and channel and not force.private.value:
            demand(channel.permissions_for(guild.me), thread=isinstance(channel, discord.Thread))
        restricted = age_restricted(channel)
        return Asker(
            user=event.user_id,
            channel=event.channel_id,
            guild=event.guild_id,
            locale=str(guild.preferred_locale) if guild else "en-US",
            tier=self.tier(event.member or discord.Object(event.user_id)),
            limit=self._limits.get(event.guild_id or 0, USUAL_LIMIT),
            restricted=restricted,
            spoiler=hidden(force.spoiler.value, restricted=restricted),
            found=verdict(force.nsfw.value, restricted=restricted),
        )

    def tier(self, user: discord.abc.Snowflake) -> str:
        """The tier that an operator gave, else the heaviest that the person's roles give."""
        if (given := self.tiers.get(user.id, "")) in self.settings.tier:
            return given
        roles = {role.id for role in user.roles} if isinstance(user, discord.Member) else set()
        theirs = [name for name, tier in self.settings.tier.items() if roles.intersection(tier.roles)]
        return max(theirs, key=self._weight, default="everyone")

    def _weight(self, tier: str) -> tuple[float, int]:
        role: Role = self.settings.tier[tier]
        return role.weight, role.waiting

    def _trusted(self, url: str) -> bool:
        parts = urlsplit(url)
        if self.settings.discord.real:
            return parts.scheme == "https" and parts.hostname in CDN_HOSTS
        return url.startswith(self.settings.discord.cdn + "/")

    async def _read(self, url: str, name: str, most: int) -> bytes:
        async with self.session.get(url, allow_redirects=False) as response:
            if response.status in (403, 404):
                raise BadRequest("{name} has expired; send it again.", name=shown(name))
            if response.status != 200:
                raise BadRequest("{name} could not be loaded; send it again.", name=shown(name))
            data = bytearray()
            async for piece in response.content.iter_chunked(2**16):
                data += piece
                if len(data) > most:
                    raise BadRequest(
                        "{name} is larger than {most} MiB.", name=shown(name), most=most // 2**20
                    )
        return bytes(data)


def _language(interaction: discord.Interaction) -> str:
    """Of a message that all in the channel read: the server's, where it has chosen one, else the asker's."""
    if interaction.guild and "COMMUNITY" in interaction.guild.features:
        return interaction.guild.preferred_locale.value
    return interaction.locale.value


def _large(name: str, most: int) -> BadRequest:
    return BadRequest("{name} is larger than {most} MiB.", name=shown(name), most=most // 2**20)
