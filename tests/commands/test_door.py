"""First answers go before other work, a few at a time, and hold nobody up for long."""

from __future__ import annotations

import asyncio
import time

import pytest

from commands.door import Door


async def test_work_waits_for_everyones_first_answer() -> None:
    door, deeds = Door(hands=2), []

    async def command(name: int) -> None:
        async with door.answering():
            await asyncio.sleep(0)
            deeds.append(f"answer {name}")
        await door.quiet()
        deeds.append(f"work {name}")

    await asyncio.gather(*(command(name) for name in range(20)))
    assert [deed.split()[0] for deed in deeds] == ["answer"] * 20 + ["work"] * 20


async def test_so_many_answers_are_under_way_at_once() -> None:
    door, under_way, most = Door(hands=3), 0, 0

    async def answer() -> None:
        nonlocal under_way, most
        async with door.answering():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.001)
            under_way -= 1

    await asyncio.gather(*(answer() for _ in range(20)))
    assert most == 3


async def test_an_answer_that_fails_or_is_cut_short_holds_nobody_up() -> None:
    door = Door(patience=60)
    with pytest.raises(ValueError, match="Discord"):
        async with door.answering():
            raise ValueError("Discord failed")

    async def endless() -> None:
        async with door.answering():
            await asyncio.Event().wait()

    task = asyncio.create_task(endless())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    async with asyncio.timeout(40):
        await door.quiet()


async def test_a_slow_answer_stops_nobody_for_ever() -> None:
    door = Door(patience=0.05)
    async with door.answering():
        began = time.monotonic()
        await door.quiet()
        assert 0.04 < time.monotonic() - began < 5
