"""A process of ours that several wait for at once: whoever hears it, and whoever ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE

import pytest
import uvloop

from gen.errors import EngineDied
from gen.process import Child

#: Starts a sleeper in a session of its own, which keeps the output open when all else is killed.
HELD_OPEN = """
import json, subprocess, sys
sleeper = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(json.dumps({"say": "sleeper", "pid": sleeper.pid}), flush=True)
sys.stdin.read()
"""


def test_one_that_is_heard_is_killed_by_two_at_once() -> None:
    """A stop in the middle of a picture, on the bot's own kind of loop, which says that a process ended
    when its output may still be open."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_killed_by_two())


async def _killed_by_two() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HELD_OPEN, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    child = Child(process)
    sleeper = (await child.hear(30))["pid"]
    try:
        heard = asyncio.create_task(child.hear(30))
        kills = [asyncio.create_task(child.kill()) for _ in range(2)]
        await process.wait()
        assert not heard.done()
    finally:
        os.kill(sleeper, signal.SIGKILL)
    assert await asyncio.gather(*kills) == [None, None]
    with pytest.raises(EngineDied):
        await heard
    assert not child.alive
