"""What a gallery may hang, out of everything that a ledger has."""

from __future__ import annotations

from dataclasses import replace

from db.gallery import FAMILY
from db.ledger import Ledger
from gen.errors import Unreachable
from gen.job import Asker, Job, State
from tests.db.ledger_jobs import WAYS, job, turned

ADA, BEN = 11, 12


async def put(
    ledger: Ledger, number: int, state: State = State.POSTED, user: int = ADA, **changes: object
) -> Job:
    """A job, brought to that state; one that got so far has a clip."""
    known = {key: changes.pop(key) for key in ("private", "guild") if key in changes}
    asker = Asker(user=user, channel=5, **{"guild": 7, **known})
    one = replace(job(number, **changes), asker=asker)
    await ledger.add(one)
    for turn in WAYS[state]:
        one = turned(one, turn, number)
        assert await ledger.record(one)
    return one


def ids(jobs: object) -> list[str]:
    return [one.id for one in jobs]  # type: ignore[attr-defined]


async def test_what_has_no_clip_hangs_nowhere(ledger: Ledger) -> None:
    for number, state in enumerate(State, start=1):
        await put(ledger, number, state)
    there = {state for number, state in enumerate(State, start=1)
             if await ledger.gallery.find(f"job-{number:05}")}  # fmt: skip
    assert there == {State.MADE, State.POSTED}
    assert len(await ledger.gallery.mine(ADA, "", None, 10)) == 2


async def test_a_clip_that_could_not_be_sent_is_its_owners_alone(ledger: Ledger) -> None:
    made = await put(ledger, 1, State.MADE)
    assert await ledger.record(made.failed(Unreachable("The clip's file is no longer there."), 9.0))
    await ledger.people.prefer(ADA, {"public": True})
    assert ids(await ledger.gallery.mine(ADA, "", None, 10)) == [made.id]
    assert ids(await ledger.gallery.shown("", None, 10)) == []


async def test_only_true_is_a_yes(ledger: Ledger) -> None:
    one = await put(ledger, 1)
    for choice, shown in (
        (None, False), (False, False), (True, True), ({}, False), (0, False),
    ):  # fmt: skip
        await ledger.people.prefer(ADA, {"public": choice, "suffix": "-motion 2"})
        assert ids(await ledger.gallery.shown("", None, 10)) == ([one.id] if shown else [])
        assert await ledger.gallery.showing([ADA, BEN]) == (frozenset({ADA}) if shown else frozenset())


async def test_lists_have_pages_words_and_no_private_clips_of_others(ledger: Ledger) -> None:
    jobs = [await put(ledger, number, words=f"clip 100% nr_{number}") for number in range(1, 6)]
    private = await put(ledger, 9, user=BEN, private=True)
    await put(ledger, 10, user=BEN)
    for one in (*jobs, private):
        await ledger.people.favourite(ADA, one.id, True)
    newest = [one.id for one in reversed(jobs)]
    assert ids(await ledger.gallery.mine(ADA, "", None, 3)) == newest[:3]
    place = (jobs[2].created, jobs[2].id)
    assert ids(await ledger.gallery.mine(ADA, "", place, 3)) == newest[3:]
    assert ids(await ledger.gallery.mine(ADA, "NR_2 100%", None, 9)) == [jobs[1].id]
    assert ids(await ledger.gallery.kept(ADA, "", None, 9)) == newest
    assert await ledger.gallery.keeping(ADA, [private.id, jobs[0].id, "nobody's"]) == {private.id, jobs[0].id}


async def test_a_message_that_is_gone_takes_its_clip_along(ledger: Ledger) -> None:
    one, other = await put(ledger, 1), await put(ledger, 2)
    assert one.message and one.message != other.message
    await ledger.taken_away([one.message, 123])
    assert ids(await ledger.gallery.mine(ADA, "", None, 9)) == [other.id]
    found = await ledger.find(one.id)
    assert found and found.message is None and found.clip and found.state is State.POSTED
    assert await ledger.gallery.there([one.id, other.id]) == {other.id}


async def test_a_family_is_told_from_its_first_on(ledger: Ledger) -> None:
    one = await put(ledger, 1)
    two, three = [await put(ledger, number, parent=one.id) for number in (2, 3)]
    four = await put(ledger, 4, parent=two.id)
    await put(ledger, 5)
    for member in (one, two, three, four):
        assert ids(await ledger.gallery.family(member.id)) == [one.id, two.id, three.id, four.id]
    assert ids(await ledger.gallery.family("nobody's")) == []
    for number in range(10, 10 + FAMILY):
        await put(ledger, number, State.WAITING, parent=three.id)
    assert len(await ledger.gallery.family(one.id)) == FAMILY
