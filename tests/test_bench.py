"""The bench's own promises: what it counts is so, and a small part of it runs with every test."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench import fuzz
from bench.__main__ import BENCHES
from bench.ack import MOODS, measure
from bench.line import Said, Watch
from bench.soak import swallowed
from bench.stage import ECHO, OURS, Row

MIB = 2**20


async def test_broken_files_crash_nothing_and_are_refused_in_words(tmp_path: Path) -> None:
    tally = await fuzz.fuzz(tmp_path, 150, random.Random(5))
    assert tally.files == tally.accepted + tally.refused == 150
    assert tally.accepted > 5 and tally.refused > 50  # it is no test of refusals alone
    assert tally.slowest < 5.5
    assert 10 * MIB < tally.peak < 600 * MIB < tally.bound
    assert all("{name}" in text for text in tally.texts)
    assert not list((tmp_path / "incoming").iterdir())


async def test_broken_videos_crash_nothing_and_are_refused_in_words(tmp_path: Path) -> None:
    tally = await fuzz.fuzz(tmp_path, 10, random.Random(3), videos=True)
    assert tally.files == tally.accepted + tally.refused == 10
    assert tally.accepted and tally.refused and not tally.killed
    assert all("{name}" in text for text in tally.texts)
    assert not list((tmp_path / "incoming").iterdir())
    assert len(list((tmp_path / "pictures").iterdir())) <= tally.accepted


def test_mutations_reach_every_kind_and_change_it(tmp_path: Path) -> None:
    kinds, dice = fuzz.seeds(tmp_path), random.Random(1)
    for name, data in kinds.items():
        changed = [fuzz.mutated(data, list(kinds.values()), dice)[1] != data for _ in range(40)]
        assert sum(changed) > 25, name
    assert {data[:2] for data in kinds.values()} >= {b"\x89P", b"\xff\xd8", b"RI", b"GI", b"BM", b"\0\0"}


@pytest.mark.parametrize("command", [ECHO, OURS], ids=["echo", "ours"])
async def test_every_first_answer_is_timed(command: tuple[str, ...]) -> None:
    row = await measure(command, "idle", 8)
    assert len(row.times) == 8
    assert 0 < row.p50 <= row.p99 < 3000


def test_a_ticket_is_held_against_what_came() -> None:
    said = [Said("star 2", 10.0, 1, 14.0), Said("star 2", 5.0, 0, 9.0), Said("star 1", 10.0, 2, 12.0)]
    watch = Watch(said, {"star 0": 9.0, "star 1": 12.0, "star 2": 13.0})
    assert watch.places_off(since=10.0) == [0, 2]
    assert watch.places_off(since=0.0) == [0, 2, 2]
    assert watch.seconds_off(since=10.0) == [1.0, 0.0]


def test_a_place_is_read_off_a_ticket() -> None:
    watch = Watch()
    for text in ("Yours is next · ready <t:9:R>", "One clip is ahead of yours · ready <t:9:R>", "star"):
        watch.hear({"t": "MESSAGE_UPDATE", "d": {"content": f"**star 7**\n{text}", "attachments": []}})
    watch.hear({"t": "MESSAGE_CREATE", "d": {"content": "**star 7**", "attachments": [{}]}})
    assert [one.ahead for one in watch.said] == [0, 1]
    assert list(watch.came) == ["star 7"]


def test_percentiles_are_those_of_the_times() -> None:
    hundred = Row([float(number) for number in range(1, 101)])
    assert (hundred.p50, hundred.p99) == (50.5, 99.0)
    assert Row([7.0]).p99 == 7.0
    assert hundred.figures("ack.idle") == {"ack.idle.p50_ms": 50.5, "ack.idle.p99_ms": 99.0}


def test_every_row_of_the_first_answer_is_there() -> None:
    assert set(MOODS) == {"idle", "busy", "compiling", "crashing"}
    assert {"ack", "core", "through", "line", "encode", "fuzz", "life", "kill"} <= set(BENCHES)


def test_a_swallowed_exception_is_told_from_one_that_somebody_heard_of() -> None:
    chain = "ValueError: a\n\nDuring handling of the above exception, another exception occurred:\n\n"
    heard = f"2026-11-22 21:56:37 WARNING commands.errors: Discord fails\nTraceback (…\n{chain}Traceback (…"
    lost = heard.replace("WARNING commands.errors", "ERROR asyncio")
    assert (swallowed(heard), swallowed(lost), swallowed(f"{heard}\n{lost}")) == (0, 1, 1)
    assert swallowed("2026-11-22 21:56:37 INFO bot: ready\nTraceback (most recent call last):") == 1
