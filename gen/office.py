"""The office: what operators decide about people and the line, written before it takes effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from gen.errors import BadRequest, NotAllowed
from gen.ports import Ban, Deed, People, Subject
from gen.queue import Queue

#: Acts, as the audit calls them. Rows already written carry these words, so they never change their meaning.
PAUSE, RESUME, DRAIN, TIER, CANCEL, RELOAD = "pause", "resume", "drain", "tier", "cancel", "reload"


class Office:
    """Memory is a view of the audit and the bans, so that whoever asks is judged without waiting.

    A pause, a tier and a ban outlive the process. A drain does not: it ends with the restart it was for.
    """

    def __init__(
        self,
        people: People,
        queue: Queue,
        *,
        operators: Collection[int] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.people = people
        self.queue = queue
        self.operators = frozenset(operators)
        self.now = now
        self.tiers: dict[int, str] = {}  # by person, beside what their roles give
        self._bans: dict[tuple[Subject, int], Ban] = {}

    async def restore(self) -> None:
        """Rebuilds memory from the ledger, after any death."""
        self._bans = {(ban.kind, ban.subject): ban for ban in await self.people.bans()}
        for deed in await self.people.decided(TIER):
            self._grant(deed.values["user"], deed.values["tier"])
        for deed in (await self.people.decided(PAUSE, RESUME))[-1:]:
            if deed.deed == PAUSE:
                self.queue.pause(deed.values["reason"])

    # --- who may what

    def demand(self, user: int) -> None:
        """Raises NotAllowed for whoever is no operator."""
        if user not in self.operators:
            raise NotAllowed(
                "Only operators may do that. Whoever runs this bot can add you in config.toml: "
                "operators.users = [{id}]",
                id=user,
            )

    def admit(self, user: int, guild: int | None) -> None:
        """Raises NotAllowed for whoever is banned, or asks in a server that is; operators never are."""
        if user in self.operators:
            return
        if ban := self._in_force(Subject.USER, user):
            raise _barred(ban)
        if guild is not None and (ban := self._in_force(Subject.GUILD, guild)):
            raise _barred(ban)

    def bans(self) -> list[Ban]:
        """All bans in force, users' first."""
        held = [ban for key in list(self._bans) if (ban := self._in_force(*key))]
        return sorted(held, key=lambda ban: (ban.kind is Subject.GUILD, ban.since))

    def _in_force(self, kind: Subject, subject: int) -> Ban | None:
        ban = self._bans.get((kind, subject))
        if ban and ban.until is not None and ban.until <= self.now():
            del self._bans[kind, subject]
            return None
        return ban

    # --- acts: written, then done

    async def pause(self, actor: int, reason: str) -> None:
        """Nothing is served until `resume`; the clip that is being made goes on."""
        await self.people.audit(actor, PAUSE, {"reason": reason})
        self.queue.pause(reason)

    async def drain(self, actor: int, reason: str) -> None:
        """Nothing new is taken until `resume` or a restart; what is in the line is made."""
        await self.people.audit(actor, DRAIN, {"reason": reason})
        self.queue.close(reason)

    async def resume(self, actor: int) -> None:
        """Ends a pause and a drain."""
        await self.people.audit(actor, RESUME, {})
        self.queue.resume()

    async def ban(
        self, actor: int, kind: Subject, subject: int, *, reason: str, hours: float | None = None
    ) -> Ban:
        """Bans a user or a server, for good or for some hours. Raises BadRequest for an operator."""
        if kind is Subject.USER and subject in self.operators:
            raise BadRequest("That is an operator; take them out of config.toml first.")
        until = None if hours is None else self.now() + hours * 3600
        ban = await self.people.ban(kind, subject, reason=reason, actor=actor, until=until)
        self._bans[kind, subject] = ban
        return ban

    async def unban(self, actor: int, kind: Subject, subject: int) -> bool:
        """Lifts a ban; False when there was none."""
        lifted = await self.people.unban(kind, subject, actor=actor)
        self._bans.pop((kind, subject), None)
        return lifted

    async def set_tier(self, actor: int, user: int, tier: str) -> None:
        """Gives a person a tier whatever their roles; "" takes it back. Raises BadRequest."""
        if tier and tier not in self.queue.tiers:
            there = ", ".join(self.queue.tiers)
            raise BadRequest("There is no tier “{tier}”; there are: {there}.", tier=tier, there=there)
        await self.people.audit(actor, TIER, {"user": user, "tier": tier})
        self._grant(user, tier)

    async def note(self, actor: int, deed: str, values: Mapping[str, Any]) -> None:
        """Writes an act that is done elsewhere."""
        await self.people.audit(actor, deed, values)

    async def log(self, *, limit: int, before: int | None = None) -> Sequence[Deed]:
        """What operators did, newest first; `before` the act of that id."""
        return await self.people.audits(limit=limit, before=before)

    def _grant(self, user: int, tier: str) -> None:
        if tier:
            self.tiers[user] = tier
        else:
            self.tiers.pop(user, None)


def _barred(ban: Ban) -> NotAllowed:
    """What someone who is banned reads."""
    reason, until = ban.reason, int(ban.until or 0)
    if ban.kind is Subject.USER and ban.until is None:
        return NotAllowed("You may not use this bot. Reason: {reason}", reason=reason)
    if ban.kind is Subject.USER:
        return NotAllowed(
            "You may not use this bot; that ends {until}. Reason: {reason}", until=until, reason=reason
        )
    if ban.until is None:
        return NotAllowed("This server may not use this bot. Reason: {reason}", reason=reason)
    return NotAllowed(
        "This server may not use this bot; that ends {until}. Reason: {reason}", until=until, reason=reason
    )
