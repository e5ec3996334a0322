"""The engine's process from outside: made, cancelled, killed, hung, silent, idle, orphaned. No mocks."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from gen import encode
from gen.errors import EngineDied, EngineError, OutOfMemory
from gen.host import Host
from gen.job import Clip
from gen.ports import Step
from gen.process import Patience
from tests.gen.conftest import asked, recipes

ROOT = Path(__file__).parents[2]
AMPLE = 10 * 2**20
Hosts = Callable[..., Host]


def nobody(step: Step) -> None:
    """Does not care."""


def gone(pid: int) -> bool:
    """Whether no process of that id is left, not even a zombie."""
    return not Path(f"/proc/{pid}").exists()


async def until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what a process does sets no event of ours
            await asyncio.sleep(0.01)


class Watch:
    """Remembers the steps, and lets a test wait for one."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._news = asyncio.Event()

    def __call__(self, step: Step) -> None:
        self.steps.append(step)
        self._news.set()

    async def reaches(self, stage: str, done: int) -> None:
        async with asyncio.timeout(20):
            while not any(step.stage == stage and step.done >= done for step in self.steps):
                self._news.clear()
                await self._news.wait()


async def test_a_clip_is_made_and_its_progress_is_real(hosts: Hosts, tmp_path: Path) -> None:
    host, watch = hosts(), Watch()
    clip = await host.make(asked(), watch, limit=AMPLE)
    assert (tmp_path / "thumbs" / clip.file).with_suffix(".jpg").is_file()
    file = tmp_path / "clips" / clip.file
    assert clip == Clip(
        file=clip.file, width=96, height=64, frames=8, fps=8, size=file.stat().st_size, took=clip.took,
        after=clip.after,
    )  # fmt: skip
    assert 0 < clip.after < clip.took < 40
    assert not list((tmp_path / "reels").iterdir())
    assert len(encode.frames(file)) == 8
    assert encode.about(file) == {**asked().to_dict(), "images": [], "camera": []}
    seen = [(step.stage, step.done, step.total) for step in watch.steps]
    making = [("making", index, 8) for index in range(1, 9)]
    encoding = [("encoding", index, 8) for index in range(9)]
    assert seen == [("loading", 0, 1), ("loading", 1, 1), *making, *encoding]


@pytest.mark.parametrize(
    ("most", "loads", "warm"),
    [(1, "light a b a c b", ("light", "b")), (2, "light a b c b", ("light", "c", "b"))],
)
async def test_models_stay_warm_and_others_take_their_place(
    tmp_path: Path, most: int, loads: str, warm: tuple[str, ...]
) -> None:
    card = recipes()["quick"]
    cards = {name: replace(card, name=name, memory=4.0 * (name != "light")) for name in ("light", *"abc")}
    loaded: list[str] = []
    async with Host(cards, tmp_path, cache=tmp_path, environ=os.environ, warm=most) as host:
        assert host.warm == ()
        for recipe in ("light", "a", "a", "b", "a", "c", "b"):
            watch = Watch()
            await host.make(asked(recipe), watch, limit=AMPLE)
            loaded += [recipe] * (watch.steps[0].stage == "loading")
            assert host.warm[-1] == recipe
        assert (" ".join(loaded), host.warm) == (loads, warm)
    assert host.warm == ()


async def test_small_models_are_kept_by_the_handful(tmp_path: Path) -> None:
    cards = {name: replace(recipes()["quick"], name=name) for name in "abcdef"}
    async with Host(cards, tmp_path, cache=tmp_path, environ=os.environ) as host:
        for recipe in "abcdeb":
            await host.make(asked(recipe), nobody, limit=AMPLE)
        assert host.warm == tuple("cdeb")


async def test_out_of_memory_lets_the_other_models_go(tmp_path: Path) -> None:
    cards = {**recipes(), "a": replace(recipes()["quick"], name="a")}
    async with Host(cards, tmp_path, cache=tmp_path, environ=os.environ) as host:
        await host.make(asked("a"), nobody, limit=AMPLE)
        await host.make(asked("peckish"), nobody, limit=AMPLE)
        assert host.warm == ("peckish",)
        with pytest.raises(OutOfMemory):
            await host.make(asked("hungry"), nobody, limit=AMPLE)
        assert host.warm == ()


async def test_the_same_request_gives_the_same_bytes_and_another_seed_others(
    hosts: Hosts, tmp_path: Path
) -> None:
    host = hosts()
    clips = [await host.make(asked(seed=seed), nobody, limit=AMPLE) for seed in (1, 1, 2)]
    one, again, other = ((tmp_path / "clips" / clip.file).read_bytes() for clip in clips)
    assert one == again != other


async def test_a_cancel_lets_go_within_a_step_and_the_next_clip_is_untouched(
    hosts: Hosts, tmp_path: Path
) -> None:
    host, watch = hosts(), Watch()
    wanted = await hosts().make(asked("slow"), nobody, limit=AMPLE)
    task = asyncio.create_task(host.make(asked("slow", frames=200, seed=9), watch, limit=AMPLE))
    await watch.reaches("making", 3)
    pid, steps, began = host.pid, len(watch.steps), time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1.0  # a step takes 0.05 s
    assert len(watch.steps) <= steps + 1
    after = await host.make(asked("slow"), nobody, limit=AMPLE)
    assert host.pid == pid  # nobody had to die for it
    one, other = ((tmp_path / "clips" / clip.file).read_bytes() for clip in (wanted, after))
    assert one == other
    assert {file.name for file in (tmp_path / "clips").iterdir()} == {wanted.file, after.file}


async def test_a_deadline_moved_to_now_is_a_cancel(hosts: Hosts) -> None:
    host, watch = hosts(), Watch()

    async def make() -> None:
        async with asyncio.timeout(60) as clock:
            clocks.append(clock)
            await host.make(asked("slow", frames=200), watch, limit=AMPLE)

    clocks: list[asyncio.Timeout] = []
    task = asyncio.create_task(make())
    await watch.reaches("making", 2)
    clocks[0].reschedule(asyncio.get_running_loop().time())
    with pytest.raises(TimeoutError):
        await task
    assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8


async def test_a_cancel_while_it_encodes_leaves_no_file(hosts: Hosts, tmp_path: Path) -> None:
    host, watch = hosts(), Watch()
    task = asyncio.create_task(host.make(asked(frames=60, width=160, height=120), watch, limit=AMPLE))
    await watch.reaches("encoding", 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not list((tmp_path / "clips").iterdir())


async def test_a_child_that_does_not_let_go_is_killed(hosts: Hosts) -> None:
    host, watch = hosts(patience=Patience(cancel=0.3)), Watch()
    task = asyncio.create_task(host.make(asked("sleepy"), watch, limit=AMPLE))
    await watch.reaches("loading", 0)
    pid = host.pid
    assert pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(pid)
    assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8


async def test_a_child_killed_from_outside_is_born_again(hosts: Hosts) -> None:
    host, watch = hosts(), Watch()
    task = asyncio.create_task(host.make(asked("slow", frames=200), watch, limit=AMPLE))
    await watch.reaches("making", 2)
    pid = host.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineDied):
        await task
    assert gone(pid)
    assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8
    assert host.pid != pid


async def test_a_child_that_died_between_two_clips_is_not_noticed(hosts: Hosts) -> None:
    host = hosts()
    await host.make(asked(), nobody, limit=AMPLE)
    assert host.pid
    pid = host.pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: host.pid is None)
    assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8


async def test_a_request_that_kills_its_child_says_so_each_time(hosts: Hosts) -> None:
    host = hosts()
    for _ in range(2):
        with pytest.raises(EngineDied) as caught:
            await host.make(asked("dies"), nobody, limit=AMPLE)
        assert caught.value.retryable


async def test_a_hung_child_is_killed(hosts: Hosts) -> None:
    host, watch = hosts(patience=Patience(first=0.7)), Watch()
    task = asyncio.create_task(host.make(asked("hangs"), watch, limit=AMPLE))
    await watch.reaches("making", 3)
    pid = host.pid
    assert pid
    with pytest.raises(EngineDied, match="stopped answering"):
        await task
    assert gone(pid)


async def test_a_first_clip_that_hangs_between_two_steps_does_not_hold_the_device(hosts: Hosts) -> None:
    host, watch = hosts(patience=Patience(first=600, unsure=1.0, least=0.5, times=1)), Watch()
    task = asyncio.create_task(host.make(asked("hangs"), watch, limit=AMPLE))
    await watch.reaches("making", 3)
    began = time.monotonic()
    with pytest.raises(EngineDied, match="stopped answering"):
        await task
    assert 0.5 < time.monotonic() - began < 10


async def test_once_the_usual_step_is_known_patience_is_a_multiple_of_it(hosts: Hosts) -> None:
    host, watch = hosts(patience=Patience(first=60, least=0.3, times=3)), Watch()
    await host.make(asked("slow"), nobody, limit=AMPLE)
    assert host.pid
    task = asyncio.create_task(host.make(asked("slow", frames=300), watch, limit=AMPLE))
    await watch.reaches("making", 2)
    os.kill(host.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(EngineDied, match="stopped answering"):
        await task
    assert time.monotonic() - began < 10


async def test_out_of_memory_is_tried_once_more_and_then_said(hosts: Hosts) -> None:
    host = hosts()
    assert (await host.make(asked("peckish"), nobody, limit=AMPLE)).frames == 8
    pid = host.pid
    with pytest.raises(OutOfMemory, match="ask for fewer seconds"):
        await host.make(asked("hungry"), nobody, limit=AMPLE)
    assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8
    assert host.pid == pid


async def test_a_bug_in_a_model_is_logged_with_its_traceback(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    host = hosts()
    with pytest.raises(EngineError, match="the operator's log says why") as caught:
        await host.make(asked("confused"), nobody, limit=AMPLE)
    assert not isinstance(caught.value, EngineDied)
    assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8
    await host.aclose()
    assert "ValueError: could not convert string to float: 'no number'" in caplog.text


async def test_what_is_not_there_is_named(hosts: Hosts) -> None:
    host = hosts()
    with pytest.raises(EngineError, match="The model gone is no longer here"):
        await host.make(asked("gone"), nobody, limit=AMPLE)
    with pytest.raises(EngineError, match="There is no model family child"):
        await host.make(asked("lost"), nobody, limit=AMPLE)
    with pytest.raises(EngineError, match="picture of this clip is gone"):
        await host.make(asked("camera", images=("0" * 32 + ".png",)), nobody, limit=AMPLE)


async def test_a_clip_fits_its_limit_or_says_that_it_cannot(hosts: Hosts) -> None:
    host = hosts()
    whole = await host.make(asked(width=320, height=240), nobody, limit=AMPLE)
    less = await host.make(asked(width=320, height=240), nobody, limit=whole.size * 3 // 4)
    assert less.size <= whole.size * 3 // 4
    assert [str(note) for note in whole.notes] == []
    [note] = less.notes
    assert "to fit the channel's file limit" in note.template
    with pytest.raises(EngineError, match="does not fit"):
        await host.make(asked(), nobody, limit=500)


async def test_a_clip_says_all_that_was_stepped_down_for_it(hosts: Hosts) -> None:
    host = hosts()
    size = {"width": 320, "height": 240}
    less = await host.make(asked("narrow", frames=16, **size), nobody, limit=AMPLE)
    assert less.frames == 8
    memory = "8 frames instead of 16, which the device's memory could not hold"
    assert [str(note) for note in less.notes] == [memory]
    least = await host.make(asked("narrow", frames=16, **size), nobody, limit=less.size * 3 // 4)
    assert str(least.notes[0]) == memory
    assert "to fit the channel's file limit" in str(least.notes[1])


async def test_two_clips_take_turns(hosts: Hosts) -> None:
    host = hosts()
    clips = await asyncio.gather(*(host.make(asked(seed=seed), nobody, limit=AMPLE) for seed in range(3)))
    assert len({clip.file for clip in clips}) == 3


async def test_a_child_with_nothing_to_do_ends(hosts: Hosts) -> None:
    host = hosts(idle=0.2)
    await host.make(asked(), nobody, limit=AMPLE)
    pid = host.pid
    assert pid
    await until(lambda: host.pid is None and gone(pid))
    assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8


async def test_a_model_is_loaded_ahead_of_its_first_clip(hosts: Hosts) -> None:
    host, watch = hosts(), Watch()
    await host.start("quick")
    await host.make(asked(), watch, limit=AMPLE)
    assert {step.stage for step in watch.steps} == {"making", "encoding"}


async def test_a_compiled_model_is_tried_ahead_and_nothing_is_kept_of_it(
    hosts: Hosts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host, watch = hosts(), Watch()
    with caplog.at_level(logging.INFO, "gen.process"):
        await host.start("quick")
        assert "was tried ahead" not in caplog.text
        await host.start("compiled")
    assert "model compiled was tried ahead" in caplog.text
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
    assert host._usual == {}  # nor is its pace taken for a clip's
    await host.make(asked("compiled"), watch, limit=AMPLE)
    assert {step.stage for step in watch.steps} == {"making", "encoding"}


async def test_a_trial_gives_way_to_the_first_clip(hosts: Hosts, caplog: pytest.LogCaptureFixture) -> None:
    host, watch = hosts(), Watch()
    with caplog.at_level(logging.INFO, "gen.process"):
        starting = asyncio.create_task(host.start("compiled slowly"))  # 16 seconds of it
        await until(lambda: host.warm == ("compiled slowly",), 40)
        assert (await host.make(asked(), watch, limit=AMPLE)).frames == 8
        await starting
    assert "was tried ahead" not in caplog.text
    assert host.warm == ("compiled slowly", "quick")  # it stays loaded
    assert {step.stage for step in watch.steps} == {"loading", "making", "encoding"}


async def test_a_clip_that_comes_before_the_child_is_there_waits_for_no_trial(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    host = hosts()
    with caplog.at_level(logging.INFO, "gen.process"):
        starting = asyncio.create_task(host.start("compiled slowly"))
        await asyncio.sleep(0)  # it has the device
        assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8
        await starting
    assert "was tried ahead" not in caplog.text
    assert host.warm == ("quick",)


async def test_a_trial_that_fails_is_told_and_the_next_clip_is_made(hosts: Hosts) -> None:
    host = hosts()
    with pytest.raises(EngineError):
        await host.start("compiled badly")
    assert host.warm == ()
    assert (await host.make(asked(), nobody, limit=AMPLE)).frames == 8


async def test_a_bot_may_stop_while_a_model_is_loaded_ahead(hosts: Hosts) -> None:
    host = hosts()
    starting = asyncio.create_task(host.start("sleepy"))
    await until(lambda: host.pid is not None)
    pid = host.pid
    starting.cancel()
    await asyncio.wait([starting])
    assert pid
    assert gone(pid)


async def test_closing_leaves_no_process(hosts: Hosts) -> None:
    host = hosts()
    await host.start()
    pid = host.pid
    assert pid
    await host.aclose()
    assert gone(pid)


async def test_the_child_s_log_carries_the_job_s_context(hosts: Hosts) -> None:
    job: contextvars.ContextVar[str] = contextvars.ContextVar("job", default="none")
    lines: list[tuple[str, str]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((job.get(), record.getMessage()))

    logger, keep = logging.getLogger("gen.process"), Keep()
    logger.addHandler(keep)
    try:
        host = hosts()
        for name in ("first", "second"):
            job.set(name)
            await host.make(asked("peckish", frames=4 if name == "first" else 5), nobody, limit=AMPLE)
            with pytest.raises(EngineError):
                await host.make(asked("confused"), nobody, limit=AMPLE)
        await host.aclose()
    finally:
        logger.removeHandler(keep)
    bugs = [name for name, line in lines if "Traceback" in line]
    assert bugs == ["first", "second"]


async def test_the_bot_s_secrets_stay_with_the_bot(tmp_path: Path) -> None:
    async with Host({}, tmp_path, cache=tmp_path, environ={"DISCORD_TOKEN": "hush", "LANG": "C"}) as host:
        await host.start()
        environ = Path(f"/proc/{host.pid}/environ").read_bytes()
        assert b"LANG=C" in environ
        assert b"hush" not in environ
        assert b"hush" not in Path(f"/proc/{host.pid}/cmdline").read_bytes()


ORPHAN = """
import asyncio, os, sys
from pathlib import Path
from gen.darkroom import Darkroom
from tests.gen.conftest import asked, recipes
from gen.host import Host

async def main():
    data = Path(sys.argv[1])
    host = Host(recipes(), data, cache=data, environ=os.environ)
    room = Darkroom(data)
    await room.start()
    def tell(step):
        if step.stage == "making":
            print(host.pid, room.pid, flush=True)
    await host.make(asked("slow", frames=4000), tell, limit=10**7)

asyncio.run(main())
"""


def test_a_killed_bot_leaves_no_child(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORPHAN, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as bot:
        assert bot.stdout
        children = [int(pid) for pid in bot.stdout.readline().split()]
        assert len(children) == 2
        assert not any(map(gone, children))
        bot.kill()
    end = time.monotonic() + 10
    while not all(map(_ended, children)) and time.monotonic() < end:
        time.sleep(0.02)
    assert all(map(_ended, children))


def _ended(pid: int) -> bool:
    """Gone, or a zombie that whoever adopted it has not buried yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_first_half_imports_no_decoder() -> None:
    code = "import sys, gen.host, gen.darkroom, gen.__main__; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "cv2", "av", "PIL", "numpy"} & set(found.stdout.split())


async def test_frames_are_interpolated_after_the_model(hosts: Hosts, tmp_path: Path) -> None:
    clip = await hosts().make(asked(smooth=2), nobody, limit=AMPLE)
    assert clip.fps == 16
    assert clip.frames == 15  # seven between eight
    assert abs(clip.seconds - 1.0) < 0.1
    assert len(encode.frames(tmp_path / "clips" / clip.file)) == clip.frames


async def test_a_slow_clip_shows_a_small_picture_and_takes_it_away(hosts: Hosts, tmp_path: Path) -> None:
    shown: list[tuple[int, int]] = []

    def look(step: Step) -> None:
        if step.preview:
            with Image.open(tmp_path / "previews" / step.preview) as picture:
                shown.append(picture.size)

    await hosts().make(asked("slow", frames=70, width=640, height=320), look, limit=AMPLE)
    assert shown
    assert set(shown) == {(512, 256)}
    assert not list((tmp_path / "previews").iterdir())
