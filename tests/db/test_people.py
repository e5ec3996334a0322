"""Favourites, choices, bans, the audit and privacy."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from db.ledger import Ledger
from gen.job import Answer, State
from gen.ports import Subject
from tests.db.ledger_jobs import CLIP, job, way

ME, YOU, GUILD = 2**63 - 1, 11, 77


async def post(ledger: Ledger, number: int, **changes):
    one = job(number, **changes)
    await ledger.add(one)
    for turn in way(one, State.POSTED):
        assert await ledger.record(turn)


async def test_favourites(ledger: Ledger):
    for number in range(3):
        await ledger.add(job(number, user=YOU))
    people = ledger.people
    assert await people.favourite(ME, "job-00002", True)
    assert await people.favourite(ME, "job-00000", True)
    assert await people.favourite(ME, "job-00000", True)  # twice is once
    assert not await people.favourite(ME, "gone", True)
    kept = await ledger.history(ME, favourites=True)
    assert [one.id for one in kept] == ["job-00002", "job-00000"]  # whoever asked for them
    assert await ledger.history(YOU, favourites=True) == []
    assert await people.keeps(ME, "job-00002")
    assert not await people.keeps(ME, "job-00001")
    assert not await people.keeps(YOU, "job-00002")
    assert await people.favourite(ME, "job-00002", False)
    assert [one.id for one in await ledger.history(ME, favourites=True, words="STAR")] == ["job-00000"]


async def test_preferences_and_settings(ledger: Ledger, file: Path):
    people = ledger.people
    assert await people.preferences(ME) == {}
    assert await people.guild_settings(GUILD) == {}
    await people.prefer(ME, {"suffix": "-motion 3", "private": True})
    assert await people.prefer(ME, {"suffix": None, "model": "camera"}) == {
        "private": True,
        "model": "camera",
    }
    await people.set_guild(GUILD, {"channels": [1, 2**60], "spoiler": "auto"})
    await asyncio.gather(*(people.prefer(YOU, {f"key{number}": number}) for number in range(20)))
    await ledger.add(job(user=ME))  # a job of theirs changes nothing
    async with Ledger.open(file) as again:
        assert await again.people.preferences(ME) == {"private": True, "model": "camera"}
        assert await again.people.guild_settings(GUILD) == {"channels": [1, 2**60], "spoiler": "auto"}
        assert len(await again.people.preferences(YOU)) == 20  # none was lost to another


async def test_bans(ledger: Ledger, clock):
    people = ledger.people
    assert await people.banned(ME, GUILD) is None
    await people.ban(Subject.GUILD, GUILD, reason="raid", actor=1)
    await people.ban(Subject.USER, ME, reason="spam", actor=1, until=clock.now + 60)
    assert (await people.banned(ME, GUILD)).reason == "spam"
    assert (await people.banned(YOU, GUILD)).reason == "raid"
    assert await people.banned(YOU) is None
    assert await people.banned(GUILD) is None  # a server's id is no user's
    assert [ban.reason for ban in await people.bans()] == ["spam", "raid"]
    clock.now += 60
    assert await people.banned(ME) is None
    again = await people.ban(Subject.USER, ME, reason="spam again", actor=2)
    assert await people.banned(ME) == again
    assert await people.unban(Subject.USER, ME, actor=2)
    assert not await people.unban(Subject.USER, ME, actor=2)
    assert await people.banned(ME) is None
    assert [deed.deed for deed in await people.audits()] == ["unban", "ban", "ban", "ban"]


async def test_the_audit_is_read_newest_first(ledger: Ledger, clock):
    for number in range(5):
        clock.now += 1
        await ledger.people.audit(1, "pause", {"reason": f"update {number}"})
    newest = await ledger.people.audits(limit=2)
    assert [deed.values["reason"] for deed in newest] == ["update 4", "update 3"]
    assert newest[0].at == clock.now
    older = await ledger.people.audits(before=newest[-1].id)
    assert [deed.values["reason"] for deed in older] == ["update 2", "update 1", "update 0"]


async def test_the_audit_is_paged_without_a_gap_where_acts_share_an_instant(ledger: Ledger, clock):
    for number in range(5):
        await ledger.people.audit(1, "pause", {"reason": str(number)})
    clock.now -= 60  # the machine's clock was set back
    await ledger.people.audit(1, "resume", {})
    read, before = [], None
    while page := await ledger.people.audits(limit=2, before=before):
        read += page
        before = page[-1].id
    assert [deed.values.get("reason") for deed in read] == [None, "4", "3", "2", "1", "0"]


async def test_an_export_is_plain_and_mine(ledger: Ledger):
    await post(ledger, 1, user=ME, words="mine")
    await post(ledger, 2, user=YOU, words="yours")
    await ledger.people.favourite(ME, "job-00002", True)
    await ledger.people.prefer(ME, {"model": "camera"})
    told = json.loads(json.dumps(await ledger.people.export(ME)))
    assert told["user"] == ME
    assert told["preferences"] == {"model": "camera"}
    assert [one["words"] for one in told["jobs"]] == ["mine"]
    assert told["jobs"][0]["clip"]["width"] == CLIP.width
    assert [kept["job"] for kept in told["favourites"]] == ["job-00002"]
    assert "yours" not in json.dumps(told)


async def test_forgetting_leaves_counts_alone(ledger: Ledger):
    shared = job(1).request  # a picture that somebody else's clip was made from, too
    await post(ledger, 1, user=ME, words="secret")
    await post(ledger, 2, user=YOU, parent="job-00001", request=shared)
    await post(ledger, 3, user=ME, words="secret")
    await ledger.add(job(4, user=ME))
    await ledger.people.favourite(YOU, "job-00001", True)
    await ledger.people.favourite(ME, "job-00002", True)
    await ledger.people.prefer(ME, {"model": "camera"})

    before = await ledger.counts(ME)
    forgotten = await ledger.people.forget(ME)
    assert (forgotten.jobs, forgotten.clips) == (2, ("job-00001.mp4", "job-00003.mp4"))
    assert forgotten.pictures == ("3.png",)
    assert await ledger.counts(ME) == before
    assert await ledger.find("job-00001") is None
    assert (await ledger.find("job-00002")).parent is None
    assert [one.id for one in await ledger.history(ME)] == ["job-00004"]  # under way: cancel it first
    assert await ledger.history(ME, favourites=True) == []
    assert await ledger.history(YOU, favourites=True) == []
    told = await ledger.people.export(ME)
    assert "secret" not in json.dumps(told)
    assert told["preferences"] == {}
    assert [one["state"] for one in told["forgotten"]] == ["posted", "posted"]

    await ledger.record((await ledger.find("job-00004")).cancelled(2.0))
    assert (await ledger.people.forget(ME)).jobs == 1
    assert (await ledger.people.export(ME))["since"] is None  # not even their row
    assert (await ledger.people.forget(ME)).jobs == 0
    await ledger.add(job(5, user=ME))  # and they may come again


async def test_a_key_to_an_answer_is_kept_for_the_bot_and_given_to_nobody(ledger: Ledger):
    one = job(1, user=ME)
    answer = Answer(token="secret", message=2**62, until=1_900.0)
    await ledger.add(replace(one, asker=replace(one.asker, answer=answer)))
    found = await ledger.find(one.id)
    assert found is not None and found.asker.answer == answer
    assert "secret" not in repr(found)
    assert "secret" not in json.dumps(await ledger.people.export(ME))
