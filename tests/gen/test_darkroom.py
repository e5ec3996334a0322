"""People's files in a process that may die of them, while the bot and the next person notice nothing."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gen import encode, media
from gen.darkroom import FITS, LETTERS, Darkroom, shown
from gen.errors import BadRequest, EngineDied, EngineError, Undeliverable
from gen.job import Clip, Note, Picture
from gen.shelf import Shelf


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


PICTURE = png(Image.new("RGB", (60, 40), (200, 100, 50)))


def waiting(folder: Path) -> list[Path]:
    return list((folder / "incoming").iterdir())


async def test_a_picture_is_kept(darkroom: Darkroom, tmp_path: Path) -> None:
    picture = await darkroom.picture(PICTURE, "holiday.png")
    assert (picture.width, picture.height) == (60, 40)
    assert np.all(media.load(tmp_path / "pictures" / picture.name) == (200, 100, 50))
    assert not waiting(tmp_path)


async def test_a_video_is_kept_in_a_child_of_its_own(darkroom: Darkroom, tmp_path: Path) -> None:
    await darkroom.start()
    pid = darkroom.pid
    encode.write(np.full((12, 48, 64, 3), 90, np.uint8), 12, tmp_path / "a.mp4", limit=2**20, about={})
    data = (tmp_path / "a.mp4").read_bytes()
    video = await darkroom.video(data, "holiday.mp4")
    assert (video.width, video.height, video.seconds) == (64, 48, 1.0)
    assert (tmp_path / "pictures" / video.name).stat().st_size
    with pytest.raises(BadRequest, match=r"^notes\.mp4 is not a video I can read"):
        await darkroom.video(b"%PDF-1.7", "notes.mp4")
    assert darkroom.pid == pid
    assert not waiting(tmp_path)


async def test_a_video_that_takes_too_long_is_refused_and_no_child_is_left(tmp_path: Path) -> None:
    async with Darkroom(tmp_path, environ=os.environ, roll=0.0) as room:
        with pytest.raises(BadRequest, match=r"^long\.mp4 is broken or takes too long to read; save it anew"):
            await room.video(PICTURE, "long.mp4")
        assert room.pid is None
    assert not waiting(tmp_path)


async def test_refusals_name_the_file_and_nothing_else_happens(darkroom: Darkroom, tmp_path: Path) -> None:
    await darkroom.start()
    pid = darkroom.pid
    for data, words in (
        (b"%PDF-1.7", "is not a picture I can read"),
        (b"", "is empty"),
        (PICTURE[:60], "is"),
    ):
        with pytest.raises(BadRequest, match=f"everyone Ev il.png {words}"):
            await darkroom.picture(data, "../../@everyone_**Ev`il.png")
    assert darkroom.pid == pid
    assert not waiting(tmp_path)
    assert not list((tmp_path / "pictures").iterdir())


async def test_many_at_once_take_turns(darkroom: Darkroom) -> None:
    pictures = await asyncio.gather(*(darkroom.picture(PICTURE, f"{index}.png") for index in range(20)))
    assert len({picture.name for picture in pictures}) == 1


async def test_a_death_is_its_sender_s_alone(darkroom: Darkroom, tmp_path: Path) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))  # one thing after the other
    task = asyncio.create_task(darkroom.picture(PICTURE, "bad.png"))
    async with asyncio.timeout(40):
        while not darkroom.pid:  # noqa: ASYNC110 - a child's birth sets no event
            await asyncio.sleep(0)
    os.kill(darkroom.pid, signal.SIGSTOP)  # born for this picture
    async with asyncio.timeout(40):
        while not waiting(tmp_path):  # noqa: ASYNC110 - a file's coming sets no event
            await asyncio.sleep(0.01)
    await asyncio.to_thread(os.getpid)  # after the file is written, and the child told of it
    os.kill(darkroom.pid, signal.SIGKILL)
    with pytest.raises(BadRequest, match=r"bad\.png is broken or takes too long to read"):
        await task
    assert (await darkroom.picture(PICTURE, "good.png")).width == 60
    assert not waiting(tmp_path)


async def test_a_child_that_was_killed_while_it_waited_harms_no_picture(darkroom: Darkroom) -> None:
    await darkroom.start()
    first = darkroom.pid
    assert first
    os.kill(first, signal.SIGSTOP)
    task = asyncio.create_task(darkroom.picture(PICTURE, "good.png"))
    await asyncio.sleep(0)  # it lives, as far as is known
    os.kill(first, signal.SIGKILL)
    assert (await task).width == 60
    assert darkroom.pid and darkroom.pid != first


async def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "raw").symlink_to("/dev/full")
    async with Darkroom(tmp_path, environ=os.environ, name=lambda: "raw") as room:
        with pytest.raises(EngineError, match="The disk is full"):
            await room.picture(PICTURE, "good.png")
        assert (await room.picture(PICTURE, "good.png")).width == 60


async def test_silence_ends_the_child_not_the_bot(tmp_path: Path) -> None:
    async with Darkroom(tmp_path, environ=os.environ, seconds=0.5) as room:
        await room.start()
        pid = room.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(BadRequest, match="takes too long"):
            await room.picture(PICTURE, "slow.png")
        assert not Path(f"/proc/{pid}").exists()


async def test_whoever_waits_when_it_closes_is_sent_away_without_a_new_child(darkroom: Darkroom) -> None:
    await darkroom.start()
    pid = darkroom.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)  # the first picture holds everybody up
    waiters = [asyncio.create_task(darkroom.picture(PICTURE, f"{index}.png")) for index in range(20)]
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGCONT)
    await darkroom.aclose()
    answers = await asyncio.gather(*waiters, return_exceptions=True)
    assert darkroom.pid is None
    assert all(isinstance(one, Picture | BadRequest | EngineDied) for one in answers), answers
    assert isinstance(answers[-1], EngineDied)


async def test_memory_has_an_end_that_the_system_holds(tmp_path: Path) -> None:
    """49 megapixels of RGB need 147 MB; a child with some 100 MB to spare refuses them and lives."""
    rows = zlib.compress(b"\0" * ((1 + 3 * 7000) * 7000), 1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 7000, 7000, 8, 2, 0, 0, 0)
    large = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    async with Darkroom(tmp_path, environ=os.environ) as probe:
        await probe.start()
        status = Path(f"/proc/{probe.pid}/status").read_text()
        used = int(status.split("VmSize:")[1].split()[0]) * 1024
        assert Path(f"/proc/{probe.pid}/limits").read_text().split("Max address space")[1].split()[0] == str(
            2**31
        )
    async with Darkroom(tmp_path, environ=os.environ, memory=used + 100 * 2**20) as room:
        with pytest.raises(BadRequest, match=r"large\.png is (too large|broken)"):
            await room.picture(large, "large.png")
        assert (await room.picture(PICTURE, "good.png")).width == 60


async def test_a_clip_is_refitted_in_a_child_of_its_own(darkroom: Darkroom, tmp_path: Path) -> None:
    rough = np.random.default_rng(1).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    film = encode.write(rough, 12, tmp_path / "clips" / "a.mp4", limit=10**8, about={"seed": 5})
    clip = Clip(file="a.mp4", width=96, height=64, frames=12, fps=12, size=film.size, took=1.5)
    fitted = await darkroom.fit(clip, film.size // 2)
    file = tmp_path / "clips" / fitted.file
    assert fitted.file != "a.mp4"
    assert file.stat().st_size == fitted.size <= film.size // 2
    assert (fitted.frames, fitted.fps, fitted.took) == (12, 12, 1.5)
    assert [note.template for note in fitted.notes] == ["lower quality to fit the channel's file limit"]
    assert encode.about(file) == {"seed": 5}
    assert darkroom.pid is None
    shorter = Note("{frames} frames instead of 16", {"frames": 12})
    again = await darkroom.fit(replace(clip, notes=(*fitted.notes, shorter)), film.size // 2)
    assert again.notes == (shorter, *fitted.notes)  # each once
    with pytest.raises(EngineError, match=r"The clip b\.mp4 cannot be read"):
        await darkroom.fit(replace(clip, file="b.mp4"), film.size // 2)


async def test_a_clip_s_middle_frame_becomes_its_thumbnail(darkroom: Darkroom, tmp_path: Path) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    film = np.repeat(np.array(colours, np.uint8), 5, axis=0)[:, None, None, :].repeat(360, 1).repeat(640, 2)
    size = encode.write(film, 12, tmp_path / "clips" / "a.mp4", limit=10**8, about={}).size
    clip = Clip(file="a.mp4", width=640, height=360, frames=15, fps=12, size=size, took=1.5)
    await darkroom.thumbnail(clip)
    with Image.open(tmp_path / "thumbs" / "a.jpg") as picture:
        assert picture.size == (320, 180)
        assert np.abs(np.array(picture, int) - colours[1]).max() < 25
    assert Shelf(tmp_path).thumbnail(clip)
    with pytest.raises(EngineError, match=r"The clip b\.mp4 cannot be read"):
        await darkroom.thumbnail(replace(clip, file="b.mp4"))
    Shelf(tmp_path).remove(["a.mp4"], [])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_a_refit_that_takes_too_long_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    rough = np.random.default_rng(1).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    film = encode.write(rough, 12, tmp_path / "clips" / "a.mp4", limit=10**8, about={})
    clip = Clip(file="a.mp4", width=96, height=64, frames=12, fps=12, size=film.size, took=1.5)
    async with Darkroom(tmp_path, environ=os.environ, refit=0.0) as room:
        with pytest.raises(Undeliverable) as refusal:
            await room.fit(clip, film.size // 2)
    assert refusal.value.retryable


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc")
async def test_a_few_clips_are_refitted_at_a_time(darkroom: Darkroom, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    rough = np.random.default_rng(1).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    film = encode.write(rough, 12, tmp_path / "clips" / "a.mp4", limit=10**8, about={})
    clip = Clip(file="a.mp4", width=96, height=64, frames=12, fps=12, size=film.size, took=1.5)
    most = 0

    def alive() -> int:
        own = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
        return sum("gen.child" in Path(f"/proc/{one}/cmdline").read_text() for one in own)

    fitting = asyncio.gather(*(darkroom.fit(clip, film.size // 2) for _ in range(5)))
    while not fitting.done():
        most = max(most, alive())
        await asyncio.sleep(0.01)
    assert len({one.file for one in fitting.result()}) == 5
    assert most == FITS


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("cat.png", "cat.png"), ("../../etc/passwd", "passwd"), ("C:\\pictures\\cat.png", "cat.png"),
        ("@everyone **bold**.png", "everyone bold .png"), ("a\nb\x00c\u202egnp.exe", "a b c gnp.exe"),
        ("<@123>`x`||y||.gif", "123 x y .gif"), ("", "The file"), ("***", "The file"),
        ("猫 の 写真.webp", "猫 の 写真.webp"),
        ("x" * 300 + ".jpeg", "x" * (LETTERS - 6) + "….jpeg"), ("{name} {0}.png", "name 0 .png"),
    ],
)  # fmt: skip
def test_names_are_shown_plain(name: str, wanted: str) -> None:
    assert shown(name) == wanted


@given(st.text(max_size=200))
def test_no_name_can_do_anything_in_a_sentence(name: str) -> None:
    text = shown(name)
    assert 0 < len(text) <= LETTERS
    assert not set(text) & set("*_~|`<>[]@#\\/\n\r\0")
    assert text.isprintable()
    assert str(BadRequest("{name} is empty.", name=text)) == f"{text} is empty."
