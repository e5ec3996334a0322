"""The ledger's promise: what it returned from is written, and a wrong turn is refused."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from db.ledger import Ledger
from db.rows import values_of
from db.tables import JobRow
from gen.errors import Misconfigured, OutOfMemory
from gen.job import BEFORE, ENDED, Asker, Note, State
from gen.ports import Ledger as Port
from tests.db.ledger_jobs import CLIP, WAYS, job, turned, way


async def arrive(ledger: Ledger, number: int, state: State, **changes):
    """A job that is in `state`, by the allowed way."""
    last = job(number, **changes)
    await ledger.add(last)
    for turn in way(last, state):
        assert await ledger.record(turn)
        last = turn
    return last


async def test_it_is_the_port(ledger: Ledger):
    port: Port = ledger
    await port.add(job())
    assert (await port.find("job-00001")) is not None


@pytest.mark.parametrize("state", State)
async def test_a_job_comes_back_as_it_was(ledger: Ledger, state: State):
    assert await ledger.find("job-00001") is None
    written = await arrive(ledger, 1, state)
    found = await ledger.find("job-00001")
    assert found == written
    assert found.state is state
    if found.failure:
        assert isinstance(found.failure.error(), OutOfMemory)
        assert str(found.failure.error()) == "cuda:0 has too little memory."


@pytest.mark.parametrize("now", State)
async def test_the_table_allows_what_the_states_allow(ledger: Ledger, now: State):
    for number, then in enumerate(State):
        before = await arrive(ledger, number, now)
        wanted = turned(before, then, number=9)
        assert await ledger.record(wanted) is (now in BEFORE[then])
        assert await ledger.find(before.id) == (wanted if now in BEFORE[then] else before)


async def test_a_job_nobody_added_is_not_recorded(ledger: Ledger):
    assert not await ledger.record(job().running(1.0))
    assert await ledger.find(job().id) is None


async def test_an_id_is_taken_once(ledger: Ledger):
    await ledger.add(job(words="first"))
    with pytest.raises(ValueError, match="job-00001 is written already"):
        await ledger.add(job(words="second"))
    assert (await ledger.find("job-00001")).words == "first"


async def test_the_ticket_has_a_write_of_its_own(ledger: Ledger):
    first = job()
    await ledger.add(first)
    await ledger.ticket(first.id, 41)
    assert await ledger.record(first.running(2.0))  # which knows no ticket
    assert (await ledger.find(first.id)).ticket == 41
    await ledger.ticket(first.id, None)
    assert (await ledger.find(first.id)).ticket is None


async def test_a_message_finds_its_job(ledger: Ledger):
    posted = await arrive(ledger, 1, State.POSTED)
    await arrive(ledger, 2, State.WAITING)
    await ledger.ticket("job-00002", 41)
    assert (await ledger.by_message(posted.message)).id == posted.id
    assert (await ledger.by_message(41)).id == "job-00002"
    assert await ledger.by_message(42) is None


async def test_a_smaller_clip_takes_the_place_of_the_first(ledger: Ledger):
    made = await arrive(ledger, 1, State.MADE)
    smaller = replace(made, clip=replace(CLIP, file="small.mp4", size=10))
    assert await ledger.record(smaller.posted(9, 3.0))
    assert (await ledger.find(made.id)).clip.file == "small.mp4"
    assert await ledger.clip_files() == {"small.mp4"}


async def test_unfinished_jobs_come_oldest_first(ledger: Ledger):
    for number, state in enumerate(State):
        await arrive(ledger, 90 - number, state)
    unfinished = await ledger.unfinished()
    assert {found.state for found in unfinished} == set(State) - ENDED
    assert [found.created for found in unfinished] == sorted(found.created for found in unfinished)


async def test_ten_thousand_waiting_jobs_are_back_within_a_second(ledger: Ledger):
    jobs = [job(number) for number in range(10_000)]
    await ledger.add(jobs[0])
    rows = [values_of(one) for one in jobs[1:]]
    await ledger.store.write(lambda connection: connection.execute(insert(JobRow), rows).rowcount)
    took = []
    for _ in range(3):
        start = time.process_time()  # of all threads; what else the machine does counts less
        unfinished = await ledger.unfinished()
        took.append(time.process_time() - start)
    assert unfinished == jobs
    assert min(took) < 1.0


async def test_history_turns_its_pages(ledger: Ledger):
    jobs = [job(number, created=1_000.0 + number // 3) for number in range(20)]  # three at a time
    await asyncio.gather(*(ledger.add(one) for one in jobs))
    await ledger.add(job(99, user=1))
    seen, page = [], await ledger.history(jobs[0].asker.user, limit=4)
    while page:
        seen += page
        page = await ledger.history(jobs[0].asker.user, limit=4, before=page[-1])
    assert seen == jobs[::-1]
    earlier = await ledger.history(jobs[0].asker.user, limit=50, before=1_003.0)
    assert earlier == [one for one in jobs[::-1] if one.created < 1_003.0]


async def test_history_is_searched_by_words_in_any_case_and_tongue(ledger: Ledger):
    texts = ["A Red STAR at night", "Ёлка в снегу", "赤い星", "100% wool_sock", "starless"]
    for number, words in enumerate(texts):
        await ledger.add(job(number, words=words))

    async def found(words: str) -> set[str]:
        return {one.words for one in await ledger.history(job().asker.user, words=words)}

    assert await found("star red") == {texts[0]}
    assert await found("STAR") == {texts[0], texts[4]}
    assert await found("ёлка") == {texts[1]}
    assert await found("星") == {texts[2]}
    assert await found("%") == {texts[3]}
    assert await found("l_s") == {texts[3]}
    assert await found("' OR 1=1 --") == set()


async def test_lineage(ledger: Ledger):
    await ledger.add(job(1))
    await ledger.add(job(3, parent="job-00001", user=8))
    await ledger.add(job(2, parent="job-00001"))
    assert [child.id for child in await ledger.children("job-00001")] == ["job-00002", "job-00003"]
    assert (await ledger.find("job-00002")).parent == "job-00001"
    await ledger.add(job(5, parent="job-00002"))
    assert [one.id for one in await ledger.ancestors("job-00005")] == ["job-00002", "job-00001"]
    assert await ledger.ancestors("job-00001") == []
    assert await ledger.ancestors("gone") == []
    await ledger.add(job(4, parent="gone"))
    assert (await ledger.find("job-00004")).parent is None


async def test_pace_is_the_median_of_the_last_thirty(ledger: Ledger, clock):
    assert await ledger.pace() == {}
    for number in range(40):
        clock.now += 1
        running = await arrive(ledger, number, State.RUNNING)
        await ledger.record(running.made(replace(CLIP, took=100.0 if number < 10 else float(number))))
    assert await ledger.pace() == {"testcard": (24.5, 30)}


async def test_counts(ledger: Ledger):
    for number, state in enumerate([State.POSTED, State.POSTED, State.FAILED, State.WAITING]):
        await arrive(ledger, number, state)
    user = job().asker.user
    assert (await ledger.counts(user))[State.POSTED] == 2
    since = await ledger.counts(user, since=1_001.0)
    assert [since[state] for state in State] == [1, 0, 0, 1, 1, 0]
    assert sum((await ledger.counts(1)).values()) == 0


async def test_old_clips_are_swept_but_for_favourites(ledger: Ledger, clock):
    for number in range(4):
        clock.now = 5_000.0 + number
        await arrive(ledger, number, State.MADE if number == 1 else State.POSTED)
    await ledger.people.favourite(8, "job-00002", True)
    old = await ledger.posted_clips(5_003.0)
    assert [one.id for one in old] == ["job-00000"]
    await ledger.swept([one.id for one in old])
    assert await ledger.posted_clips(5_003.0) == []
    assert await ledger.clip_files() == {"job-00001.mp4", "job-00002.mp4", "job-00003.mp4"}
    assert await ledger.picture_files() == {"0.png", "1.png", "2.png", "3.png"}
    assert (await ledger.find("job-00000")).clip is not None  # what it was is still known


async def test_keys_of_another_version_are_left_out(ledger: Ledger, file: Path):
    written = await arrive(ledger, 1, State.POSTED)
    failed = await arrive(ledger, 2, State.FAILED)
    with closing(sqlite3.connect(file)) as database:
        for table, column in (("jobs", "request"), ("jobs", "asker"), ("clips", "clip"), ("jobs", "failure")):
            for key, text in database.execute(f"SELECT rowid, {column} FROM {table}").fetchall():  # noqa: S608  our own names
                if text is not None:
                    newer = json.dumps({**json.loads(text), "later": [1]})
                    database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (newer, key))  # noqa: S608
        # An older version did not know a picture's way in, nor tiers.
        database.execute("UPDATE jobs SET asker = '{}' WHERE id = 'job-00002'")
        database.commit()
    assert await ledger.find(written.id) == written
    plain = Asker(user=failed.asker.user, channel=failed.asker.channel, guild=77)
    assert await ledger.find(failed.id) == replace(failed, asker=plain)


async def test_a_note_that_an_earlier_version_wrote_as_a_sentence_is_still_there(ledger: Ledger, file: Path):
    written = await arrive(ledger, 1, State.POSTED)
    with closing(sqlite3.connect(file)) as database:
        [(text,)] = database.execute("SELECT clip FROM clips").fetchall()
        older = {key: value for key, value in json.loads(text).items() if key != "notes"}
        database.execute("UPDATE clips SET clip = ?", (json.dumps({**older, "note": "smaller, sadly"}),))
        database.commit()
    found = await ledger.find(written.id)
    assert found and found.clip == replace(written.clip, notes=(Note("smaller, sadly"),))
    [told] = (await ledger.people.export(written.asker.user))["jobs"]
    assert json.loads(json.dumps(told))["clip"]["notes"] == [{"template": "smaller, sadly", "values": {}}]


async def test_two_ledgers_make_a_job_once(ledger: Ledger, file: Path):
    async with Ledger.open(file) as other:
        jobs = [job(number) for number in range(40)]
        await asyncio.gather(*(ledger.add(one) for one in jobs))
        won = await asyncio.gather(
            *(each.record(one.running(1.0)) for one in jobs for each in (ledger, other))
        )
        assert [sum(won[index : index + 2]) for index in range(0, 80, 2)] == [1] * 40


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+aiosqlite"])
async def test_a_url_opens_it_too(file: Path, scheme: str):
    """The second way is the one that an asynchronous driver such as Postgres' goes."""
    async with Ledger.open(f"{scheme}:///{file}") as opened:
        for state in WAYS:
            written = await arrive(opened, list(WAYS).index(state), state)
            assert await opened.find(written.id) == written
        with pytest.raises(ValueError, match="written already"):
            await opened.add(job(0))
        assert not await opened.record(job(5).running(1.0))


@pytest.mark.parametrize(
    ("content", "fix"),
    [(b"this is no database, but a letter" * 100, "backup in its place"), (None, "folder exists")],
)
async def test_a_database_that_cannot_be_opened_names_the_file_and_the_fix(tmp_path: Path, content, fix):
    file = tmp_path / "letter.db" if content else tmp_path / "nowhere" / "zoetrope.db"
    if content:
        file.write_bytes(content)
    with pytest.raises(Misconfigured) as refusal:
        async with Ledger.open(file):
            raise AssertionError("it opened")
    assert str(file) in str(refusal.value)
    assert fix in str(refusal.value)
    assert not content or file.read_bytes() == content
