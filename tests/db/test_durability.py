"""A process that is killed in the middle of its writes has written all that it was told is written."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from db.backup import inspect
from db.ledger import Ledger
from gen.job import State
from tests.db.ledger_jobs import way

HERE = Path(__file__).parent
ORDER = [State.WAITING, State.RUNNING, State.MADE, State.POSTED]

#: Eight writers take jobs through their lives, and say each state once the ledger returned from it.
WRITER = """
import asyncio, sys
from tests.db.ledger_jobs import job, way
from db.ledger import Ledger
from gen.job import State

async def write(ledger, writer):
    for number in range(writer, 100_000, 8):
        one = job(number)
        await ledger.add(one)
        print(one.id, one.state, flush=True)
        for one in way(one, State.POSTED):
            assert await ledger.record(one)
            print(one.id, one.state, flush=True)

async def main():
    async with Ledger.open(sys.argv[1]) as ledger:
        await asyncio.gather(*(write(ledger, writer) for writer in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("answers", [1, 250])
async def test_every_answered_write_outlives_kill_9(file: Path, answers: int):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)],
        stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": f"{HERE.parents[1]}:{HERE}"},
    ) as writer:  # fmt: skip
        said = [writer.stdout.readline() for _ in range(answers)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.read().splitlines(keepends=True)
    assert writer.returncode == -signal.SIGKILL
    told: dict[str, State] = {}
    for line in said:
        if line.endswith("\n"):
            name, state = line.split()
            told[name] = State(state)
    async with Ledger.open(file) as ledger:
        for name, state in told.items():
            found = await ledger.find(name)
            assert ORDER.index(found.state) >= ORDER.index(state)
            assert (found.clip is not None) == (ORDER.index(found.state) >= ORDER.index(State.MADE))
        # And it goes on from there: each is posted once.
        for left in await ledger.unfinished():
            for step in list(way(left, State.POSTED))[ORDER.index(left.state) :]:
                assert await ledger.record(step)
        assert await ledger.unfinished() == []
    assert inspect(file).jobs >= len(told)


async def test_two_processes_make_a_new_database_together(tmp_path: Path):
    """Whoever comes second finds the tables made, and both write."""
    program = (
        "import asyncio, sys\n"
        "from tests.db.ledger_jobs import job\n"
        "from db.ledger import Ledger\n"
        "async def main():\n"
        "    async with Ledger.open(sys.argv[1]) as ledger:\n"
        "        await ledger.add(job(int(sys.argv[2])))\n"
        "asyncio.run(main())\n"
    )
    file = tmp_path / "zoetrope.db"
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(file), str(number),
            env={"PYTHONPATH": f"{HERE.parents[1]}:{HERE}"}, stderr=asyncio.subprocess.PIPE,
        )
        for number in range(2)
    ]  # fmt: skip
    for writer in writers:
        _, complaint = await writer.communicate()
        assert writer.returncode == 0, complaint.decode()
    async with Ledger.open(file) as ledger:
        assert len(await ledger.unfinished()) == 2
