"""What operators decide: written first, in force at once, and there again after any death."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.ledger import Ledger
from gen.errors import BadRequest, NotAllowed
from gen.office import Office
from gen.ports import Subject
from gen.queue import Queue, Tier

ME, YOU, GUILD = 1, 2**63 - 1, 77


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(tmp_path: Path, clock: Clock) -> AsyncIterator[Ledger]:
    async with Ledger.open(tmp_path / "ledger.db", clock=clock) as ledger:
        yield ledger


async def born(ledger: Ledger, clock: Clock) -> Office:
    """An office of a new process."""
    queue = Queue({"everyone": Tier(), "gold": Tier(weight=2.0)})
    office = Office(ledger.people, queue, operators=[ME], now=clock)
    await office.restore()
    return office


async def test_nobody_but_an_operator_is_one(ledger: Ledger, clock: Clock) -> None:
    office = await born(ledger, clock)
    office.demand(ME)
    with pytest.raises(NotAllowed, match=rf"operators.users = \[{YOU}\]"):
        office.demand(YOU)


async def test_a_pause_outlives_the_process_and_a_drain_ends_with_it(ledger: Ledger, clock: Clock) -> None:
    office = await born(ledger, clock)
    await office.pause(ME, "a new card")
    await office.drain(ME, "an update")
    with pytest.raises(NotAllowed, match="an update"):
        office.queue.can_take(YOU, None, "everyone")
    after = await born(ledger, clock)
    assert (after.queue.paused, after.queue.closed) == ("a new card", "")
    await after.resume(ME)
    assert (after.queue.paused, after.queue.closed) == ("", "")
    assert not (await born(ledger, clock)).queue.paused
    assert [deed.deed for deed in await after.log(limit=9)] == ["resume", "drain", "pause"]


async def test_a_ban_is_in_force_until_its_end_wherever_it_is_read(ledger: Ledger, clock: Clock) -> None:
    office = await born(ledger, clock)
    await office.ban(ME, Subject.USER, YOU, reason="spam", hours=1)
    await office.ban(ME, Subject.GUILD, GUILD, reason="raid")
    for one in (office, await born(ledger, clock)):
        with pytest.raises(NotAllowed, match=r"ends 4600\. Reason: spam"):
            one.admit(YOU, None)
        with pytest.raises(NotAllowed, match=r"This server .* raid"):
            one.admit(3, GUILD)
        one.admit(3, None)
        one.admit(ME, GUILD)  # an operator can always undo
    clock.now += 3600
    office.admit(YOU, None)
    assert [ban.subject for ban in office.bans()] == [GUILD]
    assert await office.unban(ME, Subject.GUILD, GUILD)
    assert not await office.unban(ME, Subject.GUILD, GUILD)
    office.admit(3, GUILD)
    (await born(ledger, clock)).admit(3, GUILD)
    with pytest.raises(BadRequest, match="operator"):
        await office.ban(ME, Subject.USER, ME, reason="oh")


async def test_a_tier_is_given_and_taken_back(ledger: Ledger, clock: Clock) -> None:
    office = await born(ledger, clock)
    with pytest.raises(BadRequest, match="there are: everyone, gold"):
        await office.set_tier(ME, YOU, "silver")
    await office.set_tier(ME, YOU, "gold")
    assert (await born(ledger, clock)).tiers == {YOU: "gold"}
    await office.set_tier(ME, YOU, "")
    assert office.tiers == (await born(ledger, clock)).tiers == {}
