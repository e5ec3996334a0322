"""Thousands of broken picture and video files through the darkroom: nothing crashes, hangs or grows."""

from __future__ import annotations

import io
import os
import random
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from PIL import Image

from bench.stage import Figures
from gen import encode
from gen.darkroom import Darkroom
from gen.errors import BadRequest
from gen.models import Pixels

MIB = 2**20
#: What a lie in a size field says.
LIES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 7_000, 60_000, 0x7FFF_FFFF, 0xFFFF_FFFF)
#: Where each kind keeps its sizes: offset, struct format.
SIZES: Mapping[bytes, tuple[tuple[int, str], ...]] = {
    b"\x89PNG": ((16, ">I"), (20, ">I"), (8, ">I")),
    b"GIF8": ((6, "<H"), (8, "<H")),
    b"BM": ((18, "<I"), (22, "<I"), (10, "<I"), (2, "<I"), (46, "<I")),
    b"RIFF": ((4, "<I"), (16, "<I"), (24, "<I"), (26, "<H")),
}


async def rows(say: Callable[[str], None], files: int = 5000) -> Figures:
    """Counts, and the worst of each kind."""
    with TemporaryDirectory() as folder:
        tally = await fuzz(Path(folder), files, random.Random(1))
    say(str(tally))
    with TemporaryDirectory() as folder:
        films = await fuzz(Path(folder), files // 10, random.Random(1), videos=True)
    say(str(films))
    return {
        **_figures(tally, "fuzz"),
        **_figures(films, "fuzz.videos"),
    }


def _figures(tally: Tally, name: str) -> Figures:
    return {
        f"{name}.files": tally.files, f"{name}.accepted": tally.accepted, f"{name}.refused": tally.refused,
        f"{name}.killed": tally.killed, f"{name}.slowest_s": round(tally.slowest, 2),
        f"{name}.peak_mib": round(tally.peak / MIB), f"{name}.bound_mib": tally.bound // MIB,
    }  # fmt: skip


@dataclass
class Tally:
    """What became of the files."""

    bound: int  # bytes of address space that the child may have
    files: int = 0
    accepted: int = 0
    refused: int = 0
    killed: int = 0  # of those refused, the ones that ended the child
    slowest: float = 0.0  # seconds
    peak: int = 0  # bytes that a child held in memory
    worst: str = ""
    texts: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return (
            f"{self.files} files: {self.accepted} accepted, {self.refused} refused, {self.killed} ended it; "
            f"slowest {self.slowest:.2f} s ({self.worst}); the child held at most "
            f"{self.peak / MIB:.0f} MiB of {self.bound / MIB:.0f}"
        )


async def fuzz(
    folder: Path, files: int, dice: random.Random, *, memory: int = 2 * 2**30, videos: bool = False
) -> Tally:
    """Sends mutated files through a darkroom, as pictures or as videos. Raises whatever is not a BadRequest.

    A video has a child of its own, which is gone before its memory can be read.
    """
    tally = Tally(memory)
    kinds = films(folder) if videos else seeds(folder)
    async with Darkroom(folder, environ=os.environ, memory=memory) as room:
        for number in range(files):
            kind = dice.choice(sorted(kinds))
            name, data = mutated(kinds[kind], list(kinds.values()), dice)
            await room.start()
            pid, began = room.pid, time.perf_counter()
            try:
                await (room.video if videos else room.picture)(data, f"{number}.{kind}")
                tally.accepted += 1
            except BadRequest as error:
                tally.refused += 1
                tally.texts.add(str(error.template))
                tally.killed += videos and "takes too long" in error.template
            took = time.perf_counter() - began
            tally.files += 1
            tally.killed += room.pid != pid
            if took > tally.slowest:
                tally.slowest, tally.worst = took, f"{kind}, {name}"
            if room.pid:
                tally.peak = max(tally.peak, peak(room.pid))
    return tally


def peak(pid: int) -> int:
    """Bytes that a process has held in memory at most; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def seeds(folder: Path) -> dict[str, bytes]:
    """Good files of every kind, by name."""
    dice = np.random.default_rng(1)
    noise = dice.integers(0, 256, (48, 64, 3), np.uint8)
    image = Image.fromarray(noise)
    others = [Image.fromarray(np.roll(noise, shift, 1)) for shift in (5, 10)]
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    deep = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    return {
        "png": _saved(image, "PNG"),
        "palette.png": _saved(image.quantize(32), "PNG", transparency=3),
        "deep.png": _saved(deep, "PNG"),
        "moving.png": _saved(image, "PNG", save_all=True, append_images=others),
        "jpg": _saved(image, "JPEG", exif=exif, quality=80),
        "progressive.jpg": _saved(image, "JPEG", progressive=True),
        "cmyk.jpg": _saved(image.convert("CMYK"), "JPEG"),
        "webp": _saved(image, "WEBP"),
        "lossless.webp": _saved(image.convert("RGBA"), "WEBP", lossless=True),
        "moving.webp": _saved(image, "WEBP", save_all=True, append_images=others),
        "gif": _saved(image, "GIF"),
        "moving.gif": _saved(image, "GIF", save_all=True, append_images=others),
        "bmp": _saved(image, "BMP"),
        "mp4": _film(folder, np.stack([noise] * 4)),
    }


def mutated(data: bytes, all_kinds: list[bytes], dice: random.Random) -> tuple[str, bytes]:
    """The file after one to three mutations, and their names."""
    names, file = [], bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        mutation = dice.choice((_flip, _cut, _swap, _lie, _repeat, _zero, _splice))
        names.append(mutation.__name__.strip("_"))
        mutation(file, all_kinds, dice)
    return "+".join(names), bytes(file)


def _flip(file: bytearray, all_kinds: list[bytes], dice: random.Random) -> None:
    for _ in range(dice.choice((1, 2, 8, 40))):
        if file:
            file[dice.randrange(len(file))] ^= 1 << dice.randrange(8)


def _cut(file: bytearray, _: list[bytes], dice: random.Random) -> None:
    del file[dice.randrange(len(file) + 1) :]


def _swap(file: bytearray, all_kinds: list[bytes], dice: random.Random) -> None:
    """Another kind's beginning."""
    length = dice.choice((2, 4, 12, 32, 64))
    file[:length] = dice.choice(all_kinds)[:length]


def _lie(file: bytearray, _: list[bytes], dice: random.Random) -> None:
    """A size that is not so, with a checksum that is right where there is one."""
    places = list(_sizes(bytes(file)))
    if not places:
        return
    offset, form = dice.choice(places)
    most = 2 ** (8 * struct.calcsize(form)) - 1
    struct.pack_into(form, file, offset, min(dice.choice(LIES), most))
    if file.startswith(b"\x89PNG") and len(file) > 33:
        file[29:33] = struct.pack(">I", zlib.crc32(file[12:29]))


def _sizes(file: bytes) -> Iterator[tuple[int, str]]:
    for sign, places in SIZES.items():
        if file.startswith(sign):
            yield from (place for place in places if place[0] + 4 <= len(file))
    if file.startswith(b"\xff\xd8"):  # a JPEG's frame header: length, precision, height, width
        for mark in (b"\xff\xc0", b"\xff\xc2"):
            if (at := file.find(mark)) >= 0 and at + 9 <= len(file):
                yield from ((at + 2, ">H"), (at + 5, ">H"), (at + 7, ">H"))
    if file[4:8] == b"ftyp":
        yield 0, ">I"


def _repeat(file: bytearray, _: list[bytes], dice: random.Random) -> None:
    start = dice.randrange(len(file) + 1)
    part = file[start : start + dice.choice((4, 64, 1024))]
    file[start:start] = part * dice.choice((1, 3, 50))


def _zero(file: bytearray, _: list[bytes], dice: random.Random) -> None:
    start = dice.randrange(len(file) + 1)
    length = min(dice.choice((4, 32, 512)), len(file) - start)
    file[start : start + length] = bytes([dice.choice((0, 255))]) * length


def _splice(file: bytearray, all_kinds: list[bytes], dice: random.Random) -> None:
    """The end of another file."""
    other = dice.choice(all_kinds)
    file[dice.randrange(len(file) + 1) :] = other[dice.randrange(len(other)) :]


def films(folder: Path) -> dict[str, bytes]:
    """Good videos of a few kinds, and what is none, by name."""
    dice = np.random.default_rng(1)
    frames = dice.integers(0, 256, (12, 48, 64, 3), np.uint8)
    return {
        "mp4": _film(folder, frames),
        "mov": _reel(frames, "libx264", "mov"),
        "mkv": _reel(frames, "libx264", "matroska"),
        "webm": _reel(frames, "libvpx", "webm"),
        "vp9.webm": _reel(frames, "libvpx-vp9", "webm"),
        "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n",
    }


def _reel(frames: Pixels, codec: str, kind: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        track: Any = container.add_stream(codec, rate=12)
        track.height, track.width = frames.shape[1:3]
        track.pix_fmt = "yuv420p"
        for pixels in frames:
            container.mux(track.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(track.encode(None))
    return file.getvalue()


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _film(folder: Path, frames: Pixels) -> bytes:
    path = folder / "seed.mp4"
    encode.write(frames, 8, path, limit=10 * MIB, about={})
    return path.read_bytes()
