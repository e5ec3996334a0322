"""`python -m playground`: a bot in its own process, restarts, and a world that survives `kill -9`."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from playground.refusal import Refusal
from playground.server import Playground

ROOT = Path(__file__).resolve().parents[2]
BOT = Path(__file__).with_name("small_bot.py")


class Program:
    """The program as a person starts it; its lines are read as they come."""

    def __init__(self, process):
        self.process = process
        self.lines = []

    async def line(self, words):
        """Reads on until a line holds these words."""
        async with asyncio.timeout(40):
            while True:
                text = (await self.process.stdout.readline()).decode()
                assert text, "".join(self.lines)
                self.lines.append(text)
                if words in text:
                    return text

    async def end(self, how=None):
        """Its exit code, once it ends by itself or by this signal."""
        if how is not None and self.process.returncode is None:
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), 40)


@pytest.fixture
async def run():
    programs = []

    async def go(*arguments):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "playground", "--port", "0", *map(str, arguments),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        programs.append(Program(process))
        return programs[-1]

    yield go
    for program in programs:
        await program.end(signal.SIGTERM)


def test_the_program_needs_aiohttp_alone():
    """What only tests and the bot need is not there on the machine of who types `make run`."""
    code = (
        "import sys\n"
        "for name in ('jsonschema', 'pytest', 'discord', 'PIL', 'torch'): sys.modules[name] = None\n"
        "import playground.__main__"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


async def test_a_bot_is_started_and_started_again_and_ended_with_the_program(run):
    program = await run("--", sys.executable, BOT)
    address = (await program.line("Open http://127.0.0.1:")).split()[1]
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert answer.status == 200
    first = int((await program.line("ready")).split()[1])
    os.kill(first, signal.SIGKILL)
    await program.line("The bot ended (killed by SIGKILL); it starts again in 1 s.")
    second = int((await program.line("ready")).split()[1])
    assert await program.end(signal.SIGINT) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


async def test_a_bot_that_is_set_up_wrongly_is_not_started_again(run):
    program = await run("--", sys.executable, "-c", "raise SystemExit(78)")
    await program.line("not started again")
    assert await program.end() == 78


async def test_a_taken_port_is_left_for_a_free_one(run):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        program = await run("--port", taken)
        address = (await program.line("Open http://127.0.0.1:")).split()[1]
    assert address != f"http://127.0.0.1:{taken}"


async def test_another_machines_name_is_refused(run):
    program = await run("--host", "0.0.0.0")  # noqa: S104 -- what must be refused
    await program.line("this machine only")
    assert await program.end() == 78


async def gone(pid):
    """Waits until a process of another parent has ended."""
    with contextlib.suppress(ProcessLookupError):
        descriptor, ended = os.pidfd_open(pid), asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, ended.set)
        await asyncio.wait_for(ended.wait(), 40)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


async def test_the_world_is_whole_after_kill_9_and_its_buttons_still_work(tmp_path, monkeypatch, run):
    program = await run("--data", tmp_path, "--", sys.executable, BOT)
    orphan = int((await program.line("ready")).split()[1])
    second = await run("--data", tmp_path)
    await second.line("Another playground keeps its world in")
    assert await second.end() == 78
    await program.end(signal.SIGKILL)
    if sys.platform == "linux":
        await gone(orphan)
    async with Playground(tmp_path, verify=False) as place:
        assert place.token.startswith("playground.")
        ada, clips = place.person("Ada"), place.channel("clips")
        bot = await asyncio.create_subprocess_exec(
            sys.executable, str(BOT), env={**os.environ, **place.environ}, stdout=asyncio.subprocess.DEVNULL
        )
        await place.ready()
        await place.until(lambda: place.world.commands)
        message = await (await ada.slash(clips, "give", {"file": ("a.bin", b"12345")})).message()
        await ada.react(int(message["id"]), "🔁")
        bot.kill()
        await bot.wait()
        token, interactions = place.token, dict(place.world.interactions)
    async with Playground(tmp_path, verify=False) as place:
        assert place.token == token
        (kept,) = await place.person("Ada").history(clips)
        assert (kept["id"], kept["content"]) == (message["id"], "given")
        assert kept["reactions"][0]["count"] == 1
        async with aiohttp.ClientSession() as session, session.get(kept["attachments"][0]["url"]) as answer:
            assert await answer.read() == b"12345"
        (one,) = interactions.values()
        found = await place.do(lambda world: world.asked.by_token(world.application_id, one.token))
        assert found.message_id == int(message["id"])
        with pytest.raises(Refusal, match="10062"):
            await place.do(lambda world: world.asked.open(1, one.token))
        bot = await asyncio.create_subprocess_exec(
            sys.executable, str(BOT), env={**os.environ, **place.environ}, stdout=asyncio.subprocess.DEVNULL
        )
        await place.ready()
        pressed = await place.person("Ben").press(int(message["id"]), "again:5")
        assert (await pressed.message())["content"] == "again 5"
        bot.kill()
        await bot.wait()
