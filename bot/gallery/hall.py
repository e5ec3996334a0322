"""The hall: which clips hang in which list, who may see one, and what is told of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import discord

from bot.gallery.door import Visitor
from commands.replies import gallery as words
from db.gallery import Gallery, Place
from gen.errors import NotFound
from gen.job import Job, State
from gen.ports import People
from gen.recipe import Recipe
from gen.shelf import Shelf

#: Clips on a page.
PAGE = 24
#: Candidates for the public list that are looked at for one page: beyond, older ones wait for the next.
CANDIDATES = 240
MINE, KEPT, PUBLIC = "mine", "kept", "public"

#: Where a page ended, as an address says it.
PLACE = re.compile(r"[0-9]{1,11}(\.[0-9]{1,9})?-[0-9a-z-]{1,64}")

#: Whether a channel, by the ids of its server and its own, is open to everyone of whatever age.
IsOpen = Callable[[int, int], bool]
#: A clip's small picture, made where there is none yet; None when the clip's file is gone.
Thumbnail = Callable[[Job], Awaitable[Path | None]]


@dataclass(frozen=True)
class Look:
    """What is looked at: a list, the words that are searched for, and where the page before ended."""

    list: str
    words: str = ""
    after: str = ""

    @property
    def before(self) -> Place | None:
        """Where that was; None for what is no place, and for the first page."""
        created, _, job_id = self.after.partition("-")
        return (float(created), job_id) if PLACE.fullmatch(self.after) else None


class Hall:
    """All that hangs in one gallery."""

    def __init__(
        self,
        gallery: Gallery,
        people: People,
        shelf: Shelf,
        recipes: Mapping[str, Recipe],
        *,
        is_open: IsOpen,
        thumbnail: Thumbnail,
    ) -> None:
        self.gallery = gallery
        self.people = people
        self.shelf = shelf
        self.recipes = recipes
        self.is_open = is_open
        self.thumbnail = thumbnail

    async def page(self, look: Look, visitor: Visitor | None, locale: str) -> dict[str, Any]:
        """One page of a list: its clips, newest first, and where to go on, if there are more.

        Raises NotFound for someone's own list when nobody is signed in.
        """
        if look.list == PUBLIC:
            shown, end = await self._public(look)
        elif visitor is None:
            raise NotFound("There is no clip {id} here.", id=look.list)
        else:
            find = self.gallery.mine if look.list == MINE else self.gallery.kept
            jobs = await find(visitor.id, look.words, look.before, PAGE + 1)
            shown, end = list(jobs[:PAGE]), jobs[PAGE - 1] if len(jobs) > PAGE else None
        kept = await self.gallery.keeping(visitor.id, [job.id for job in shown]) if visitor else frozenset()
        return {
            "clips": [self._told(job, visitor, locale, job.id in kept) for job in shown],
            "next": f"{end.created!r}-{end.id}" if end else None,
        }

    async def clip(self, job_id: str, visitor: Visitor | None, locale: str) -> dict[str, Any]:
        """All that is told of one clip. Raises NotFound."""
        job = await self.find(job_id, visitor)
        kept = await self.gallery.keeping(visitor.id, [job.id]) if visitor else frozenset()
        return {
            **self._told(job, visitor, locale, job.id in kept),
            "facts": words.facts(job, locale, self.recipes.get(job.request.recipe)),
            "again": words.again(job),
            "family": await self._family(job, visitor, locale),
        }

    async def find(self, job_id: str, visitor: Visitor | None) -> Job:
        """The job of a clip that the visitor may see. Raises NotFound: for another's the same as for none."""
        job = await self.gallery.find(job_id)
        if job is None or not await self.may_see(visitor, [job]):
            raise NotFound("There is no clip {id} here.", id=job_id[:40])
        return job

    async def may_see(self, visitor: Visitor | None, jobs: Sequence[Job]) -> frozenset[str]:
        """Those of the clips that are the visitor's own, kept by them and not private, or everyone's."""
        open_ = [job for job in jobs if self._is_open(job)]
        showing = await self.gallery.showing([job.asker.user for job in open_]) if open_ else frozenset()
        seen = {job.id for job in open_ if job.asker.user in showing}
        if visitor is not None:
            kept = await self.gallery.keeping(visitor.id, [job.id for job in jobs])
            seen |= {job.id for job in jobs if _own(visitor, job)}
            seen |= {job.id for job in jobs if job.id in kept and not job.asker.private}
        return frozenset(seen)

    async def keep(self, visitor: Visitor, job: Job, on: bool) -> bool:
        """Puts the clip among the visitor's favourites or takes it away; whether it now is one."""
        return await self.people.favourite(visitor.id, job.id, on) and on

    def file(self, job: Job) -> Path | None:
        """The clip's file, while it is kept."""
        return self.shelf.clip(job.clip) if job.clip else None

    async def _public(self, look: Look) -> tuple[list[Job], Job | None]:
        """One page of everyone's clips, and the job after which there may be more."""
        found: list[Job] = []
        before, last, left = look.before, None, CANDIDATES
        while left > 0:
            jobs = await self.gallery.shown(look.words, before, 2 * PAGE)
            found += [job for job in jobs if self._is_open(job)]
            if len(found) > PAGE:
                return found[:PAGE], found[PAGE - 1]
            if len(jobs) < 2 * PAGE:
                return found, None
            last, left = jobs[-1], left - len(jobs)
            before = (last.created, last.id)
        return found, last

    def _is_open(self, job: Job) -> bool:
        """Whether the clip hangs where everyone may go, but for its owner's say."""
        asker = job.asker
        if job.state is not State.POSTED or asker.private or asker.guild is None or job.clip is None:
            return False
        if asker.restricted or job.spoiler:
            return False
        return job.clip.channel is None and self.is_open(asker.guild, asker.channel)

    def _told(self, job: Job, visitor: Visitor | None, locale: str, kept: bool) -> dict[str, Any]:
        clip = job.clip
        return {
            "id": job.id,
            "title": words.title(job, locale),
            "alt": words.alt(job, locale),
            "file": f"/clips/{job.id}.mp4",
            "poster": f"/clips/{job.id}.jpg",
            "width": clip.width if clip else job.request.width,
            "height": clip.height if clip else job.request.height,
            "when": datetime.fromtimestamp(job.created, UTC).isoformat(timespec="seconds"),
            "seed": str(job.request.seed),
            "state": words.state(job, locale),
            "mine": _own(visitor, job),
            "kept": kept,
        }

    async def _family(self, job: Job, visitor: Visitor | None, locale: str) -> list[dict[str, Any]]:
        """The clips of its family, parents before children; of one that is not to be seen only that it is."""
        family = await self.gallery.family(job.id)
        there = await self.gallery.there([one.id for one in family])
        seen = await self.may_see(visitor, family) & there
        # Those who are not seen and lead to nobody who is are left out; so are their numbers.
        wanted: set[str] = set()
        parents = {one.id: one.parent for one in family}
        for one in seen:
            at: str | None = one
            while at is not None and at not in wanted:
                wanted.add(at)
                at = parents.get(at)
        names = {one.id: number for number, one in enumerate(family)}
        return [
            {
                "key": names[one.id],
                "parent": names.get(one.parent or ""),
                **(self._told(one, visitor, locale, False) if one.id in seen else {"id": None}),
            }
            for one in family
            if one.id in wanted
        ]


def everyones(client: discord.Client, guild_id: int, channel_id: int) -> bool:
    """Whether all members of the server may see the channel, and no age is asked for. What the bot does not
    know (a channel that is gone, a thread that was archived) is open to nobody."""
    guild = client.get_guild(guild_id)
    channel = guild.get_channel_or_thread(channel_id) if guild else None
    if isinstance(channel, discord.Thread):
        channel = None if channel.is_private() else channel.parent
    if guild is None or channel is None or getattr(channel, "nsfw", False):
        return False
    return channel.permissions_for(guild.default_role).view_channel


def _own(visitor: Visitor | None, job: Job) -> bool:
    return visitor is not None and job.asker.user == visitor.id
