"""/admin: what operators do. The gate lets nobody else in; every act is written before it is done."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from commands import buttons, gate, replies
from commands.errors import at_last, begin
from commands.house import House
from commands.making import NOBODY
from commands.presses import hearing
from gen.errors import BadRequest, Misconfigured, NotFound
from gen.office import CANCEL, DRAIN, PAUSE, RELOAD, RESUME, TIER
from gen.ports import Subject

Answered = discord.Interaction[Any]
Reason = Range[str, 1, 200]
#: Hours of the longest ban that has an end: ten years.
LONGEST = 87_600
#: Seconds between two looks at whether a drain is done.
LOOK = 1.0


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the commands and the button that turns the log's page.

    Without permissions of its own, Discord shows the group to a server's administrators only, and to
    everyone in direct messages: there the gate alone decides.
    """
    group = app_commands.Group(
        name=gate.ADMIN,
        description="For this bot's operators",
        default_permissions=discord.Permissions.none(),
        allowed_installs=app_commands.AppInstallationType(guild=True),
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True),
    )
    _line(group, house)
    _clips(group, house)
    _people(group, house)
    _bot(group, house)
    tree.add_command(group)
    tree.client.add_dynamic_items(hearing(buttons.AUDIT, older, house, about="[0-9.]{1,18}"))


def _line(group: app_commands.Group, house: House) -> None:
    @group.command(name="pause", description="Make no more clips until /admin resume; people read the reason")
    @app_commands.describe(reason="What people read")
    async def pause(interaction: Answered, reason: Reason) -> None:
        await begin(interaction, private=True)
        await house.office.pause(interaction.user.id, reason)
        await _done(interaction, PAUSE, reason=reason)

    @group.command(name="drain", description="Take no new clips and finish what is there, until a restart")
    @app_commands.describe(reason="What people read")
    async def drain(interaction: Answered, reason: Reason) -> None:
        await begin(interaction, private=True)
        await house.office.drain(interaction.user.id, reason)
        await _done(interaction, DRAIN, reason=reason)
        await _report(house, interaction)

    @group.command(name="resume", description="End a pause and a drain")
    async def resume(interaction: Answered) -> None:
        await begin(interaction, private=True)
        await house.office.resume(interaction.user.id)
        await _done(interaction, RESUME)


async def _report(house: House, interaction: Answered) -> None:
    """Says when the drain has done its work, however long that takes; a resume or a stop ends the wait."""
    while house.studio.busy:
        await asyncio.sleep(LOOK)
        if not house.studio.queue.closed:
            return
    text = replies.drained(interaction.locale.value)
    await at_last(interaction, text, interaction.followup.send(text, ephemeral=True))


def _clips(group: app_commands.Group, house: House) -> None:
    async def clips(interaction: Answered, typed: str) -> list[Choice[str]]:
        named = [
            (replies.suggestion(place.job, interaction.locale.value), place.job.id)
            for place in house.studio.places()
        ]
        return [Choice(name=name, value=id) for name, id in named if typed.lower() in name.lower()][:25]

    @group.command(name="line", description="Show the whole line, with everyone's clips")
    async def line(interaction: Answered) -> None:
        await begin(interaction, private=True)
        await _say(interaction, replies.everyones(house.studio.places(), interaction.locale.value))

    @group.command(name="clip", description="Show all about anyone's clip")
    @app_commands.describe(clip="Its id")
    @app_commands.autocomplete(clip=clips)
    async def clip(interaction: Answered, clip: str) -> None:
        await begin(interaction, private=True)
        job = await house.studio.find(clip.strip().lower())
        children = [one.id for one in await house.studio.children(job.id)]
        await _say(interaction, replies.parameters(job, interaction.locale.value, children=children))

    @group.command(name="cancel", description="Cancel anyone's clip that is waiting or being made")
    @app_commands.describe(clip="Its id")
    @app_commands.autocomplete(clip=clips)
    async def cancel(interaction: Answered, clip: str) -> None:
        await begin(interaction, private=True)
        job = await house.studio.find(clip.strip().lower())
        actor = interaction.user.id
        await house.office.note(actor, CANCEL, {"clip": job.id, "user": job.asker.user})
        job = await house.studio.cancel(job.id, user=actor, any_owner=True)
        await _say(interaction, replies.stopped(job, interaction.locale.value))


def _people(group: app_commands.Group, house: House) -> None:
    async def servers(interaction: Answered, typed: str) -> list[Choice[str]]:
        named = [(f"{guild.name} · {guild.id}"[-100:], guild) for guild in interaction.client.guilds]
        return [Choice(name=name, value=str(one.id)) for name, one in named if typed.lower() in name.lower()][
            :25
        ]

    async def tiers(interaction: Answered, typed: str) -> list[Choice[str]]:
        there = [tier for tier in house.studio.queue.tiers if typed.lower() in tier.lower()]
        return [Choice(name=tier[:100], value=tier) for tier in there if len(tier) <= 100][:25]

    @group.command(name="ban", description="Let a person or a server ask for nothing any more")
    @app_commands.describe(
        reason="What they read", user="Who", server="Which server, by its id",
        hours="After how many hours it ends; without, never",
    )  # fmt: skip
    @app_commands.autocomplete(server=servers)
    async def ban(
        interaction: Answered,
        reason: Reason,
        user: discord.User | None = None,
        server: str | None = None,
        hours: Range[int, 1, LONGEST] | None = None,
    ) -> None:
        await begin(interaction, private=True)
        kind, subject = _subject(user, server)
        actor = interaction.user.id
        ban = await house.office.ban(actor, kind, subject, reason=reason, hours=hours)
        await _clear(house, kind, subject, actor)
        await _done(interaction, "ban", kind=kind.value, subject=subject, reason=reason, until=ban.until)

    @group.command(name="unban", description="Lift a ban")
    @app_commands.describe(user="Who", server="Which server, by its id")
    @app_commands.autocomplete(server=servers)
    async def unban(
        interaction: Answered, user: discord.User | None = None, server: str | None = None
    ) -> None:
        await begin(interaction, private=True)
        kind, subject = _subject(user, server)
        if not await house.office.unban(interaction.user.id, kind, subject):
            raise NotFound("There is no such ban.")
        await _done(interaction, "unban", kind=kind.value, subject=subject)

    @group.command(name="tier", description="Give a person a tier of config.toml, whatever their roles")
    @app_commands.describe(user="Who", tier="Which; without it, that of their roles again")
    @app_commands.autocomplete(tier=tiers)
    async def tier(interaction: Answered, user: discord.User, tier: str = "") -> None:
        await begin(interaction, private=True)
        await house.office.set_tier(interaction.user.id, user.id, tier)
        await _done(interaction, TIER, user=user.id, tier=tier)


def _bot(group: app_commands.Group, house: House) -> None:
    @group.command(name="status", description="Show how the line stands, who is banned, and the tiers given")
    async def status(interaction: Answered) -> None:
        await begin(interaction, private=True)
        studio, office = house.studio, house.office
        affairs = replies.Affairs(
            line=len(studio.places()),
            paused=studio.queue.paused,
            closed=studio.queue.closed,
            bans=office.bans(),
            tiers=office.tiers,
        )
        await _say(interaction, replies.status(affairs, interaction.locale.value))

    @group.command(name="reload", description="Read the recipes of config.toml and the words file again")
    async def reload(interaction: Answered) -> None:
        await begin(interaction, private=True)
        try:
            became = await house.reload()
        except Misconfigured as error:
            raise BadRequest("Nothing has changed. {fault}", fault=str(error)) from error
        await house.office.note(interaction.user.id, RELOAD, became)
        await _say(interaction, replies.reloaded(became, interaction.locale.value))

    @group.command(name="log", description="Show what operators did, newest first")
    async def log(interaction: Answered) -> None:
        await begin(interaction, private=True)
        await _page(house, interaction, None)


async def older(house: House, interaction: Answered, about: str) -> None:
    """Turns the log's page. Raises NotAllowed."""
    house.office.demand(interaction.user.id)
    await interaction.response.defer()
    # A button from before acts were told apart by their ids names a time: the log begins anew.
    await _page(house, interaction, int(about) if about.isdecimal() else None)


async def _page(house: House, interaction: Answered, before: int | None) -> None:
    deeds = await house.office.log(limit=replies.ACTS + 1, before=before)
    text, view = replies.audit(
        deeds[: replies.ACTS], interaction.locale.value, more=len(deeds) > replies.ACTS, first=before is None
    )
    await interaction.edit_original_response(content=text, view=view, allowed_mentions=NOBODY)


def _subject(user: discord.User | None, server: str | None) -> tuple[Subject, int]:
    """Who is meant. Raises BadRequest."""
    if (user is None) == (server is None):
        raise BadRequest("Name either a person or a server.")
    if user is not None:
        return Subject.USER, user.id
    if not (server or "").strip().isdecimal() or len(server or "") > 20:
        raise BadRequest("“{server}” is no id of a server; choose one of the suggestions.", server=server)
    return Subject.GUILD, int(server or 0)


async def _clear(house: House, kind: Subject, subject: int, actor: int) -> None:
    """Takes out of the line what those who are banned now have there."""
    for place in house.studio.places():
        asker = place.job.asker
        if subject == (asker.user if kind is Subject.USER else asker.guild):
            await house.studio.cancel(place.job.id, user=actor, any_owner=True)


async def _done(interaction: Answered, deed: str, **values: Any) -> None:
    await _say(interaction, replies.done(deed, values, interaction.locale.value))


async def _say(interaction: Answered, text: str) -> None:
    await interaction.edit_original_response(content=text, allowed_mentions=NOBODY)
