"""Bad files in each command: a private, exact answer within 3 s, no job, nothing left in the channel."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from db.ledger import Ledger
from playground.person import Deed
from playground.server import Playground
from tests.running import picture, running, texts


def huge(side: int) -> bytes:
    """A PNG of a few bytes that says it is side × side: a decompression bomb, if it were believed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


def text() -> bytes:
    return b"just words, no picture\n" * 50


async def said(place: Playground, deed: Deed) -> dict[str, Any]:
    """The private answer: in the place of “thinking”, or after it was taken away."""

    def answers() -> list[dict[str, Any]]:
        return [one for one in (deed.original, *deed.followups) if one and not one["flags"] & 128]

    await place.until(lambda: bool(answers()))
    return answers()[-1]


def animation() -> bytes:
    """A GIF that moves."""
    frames = [Image.open(io.BytesIO(picture(seed=seed))).convert("P") for seed in (1, 2, 3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


BAD = {
    "words.png": (text(), "words.png"),
    "cut.png": (picture()[:900], "cut.png"),
    "empty.png": (b"", "empty.png"),
    "bomb.png": (huge(60000), "bomb.png"),
    "large.png": (huge(20000), "large.png"),
    "moves.gif": (animation(), "moves.gif is an animation; send one picture of it."),
    "paper.png": (b"%PDF-1.7\n" + text(), "paper.png"),
    "film.mp4": (b"\x00\x00\x00 ftypisom" + text(), "film.mp4"),
}


async def test_bad_files_are_refused_in_private_and_exactly(tmp_path: Path) -> None:
    async with running(tmp_path) as (place, bot):
        ada, channel = place.person("Ada"), place.channel("clips")
        good = ("good.png", picture())
        for name, (data, word) in BAD.items():
            bad = (name, data)
            for command, options in (
                ("img2vid", {"image": bad}),
                ("animate", {"prompt": "hello", "image": bad}),
                ("interp", {"first": good, "last": bad}),
            ):
                began = time.monotonic()
                deed = await ada.slash(channel, command, options)
                answer = await said(place, deed)
                assert answer["flags"] & 64, (name, command, answer)  # ephemeral
                assert word in answer["content"], answer["content"]
                assert time.monotonic() - began < 3
        assert texts(place, channel) == []
        assert bot.process and bot.process.returncode is None
    async with Ledger.open(tmp_path / "bot" / "zoetrope.db") as ledger:
        assert await ledger.history(place.user("Ada").id) == []


async def test_an_expired_attachment_is_refused_in_private(tmp_path: Path) -> None:
    async with running(tmp_path) as (place, _):
        place.faults.add("GET", "*ephemeral-attachments*", 404)
        deed = await place.person("Ada").slash(
            place.channel("clips"), "img2vid", {"image": ("a.png", picture())}
        )
        answer = await said(place, deed)
        assert answer["flags"] & 64
        assert "a.png has expired; send it again." in answer["content"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_the_pictures_of_these_tests_are_real(kind: str) -> None:
    assert Image.open(io.BytesIO(picture(kind=kind))).size == (320, 240)
