"""Clips are decoded again and judged: format, bytes, fidelity, limit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gen import encode
from gen.errors import EngineError

ROOT = Path(__file__).parents[2]
ABOUT = {"prompt": "a red star ✿ “quoted”", "seed": 42, "camera": ["zoom in"], "motion": 1.5}
AMPLE = 10 * 2**20


def waves(count: int = 24, width: int = 160, height: int = 96) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    frames = [
        np.stack(
            [127 + 100 * np.sin((x + 3 * i) / 17), 40 + y * 2.0, 127 + 90 * np.cos((x + y) / 23 + i / 9)], -1
        )
        for i in range(count)
    ]
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def grain(count: int = 24) -> np.ndarray:
    """Waves on a rough ground that moves slowly."""
    rough = np.random.default_rng(3).integers(-25, 26, (96, 160, 1))
    frames = [frame + np.roll(rough, i, axis=1) for i, frame in enumerate(waves(count).astype(int))]
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def noise(count: int = 24, width: int = 160, height: int = 96) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def boxes(data: bytes) -> list[bytes]:
    """The names of an MP4's outermost boxes, in order."""
    names, place = [], 0
    while place < len(data):
        names.append(data[place + 4 : place + 8])
        place += int.from_bytes(data[place : place + 4], "big")
    return names


def test_a_clip_plays_inline_everywhere(tmp_path: Path) -> None:
    file = tmp_path / "clips" / "a.mp4"
    film = encode.write(waves(), 12, file, limit=AMPLE, about=ABOUT)
    assert film == encode.Film(width=160, height=96, frames=24, fps=12, size=file.stat().st_size)
    names = boxes(file.read_bytes())
    assert names.index(b"moov") < names.index(b"mdat")
    with av.open(str(file)) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.width, context.height, stream.frames, stream.average_rate) == (160, 96, 24, 12)
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
            1,
            1,
            1,
        )
        assert container.duration == 2_000_000
        assert container.metadata["title"] == ABOUT["prompt"]
        assert json.loads(container.metadata["comment"]) == ABOUT
        times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        assert len(set(times)) == 24


def test_pixels_come_back_as_they_went_in(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    encode.write(waves(), 12, file, limit=AMPLE, about=ABOUT)
    found = encode.frames(file)
    assert found.shape == waves().shape
    assert psnr(found, waves()) > 33
    assert np.abs((found.astype(float) - waves()).mean((0, 1, 2))).max() < 1.0  # no cast of colour
    assert encode.about(file) == ABOUT


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 64, 200)]
)
def test_flat_colours_keep_their_value(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    flat = np.broadcast_to(np.array(colour, np.uint8), (3, 32, 32, 3))
    encode.write(flat, 12, tmp_path / "a.mp4", limit=AMPLE, about={})
    assert np.abs(encode.frames(tmp_path / "a.mp4").astype(int) - colour).max() <= 5


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    made = set()
    for _ in range(6):
        encode.write(waves(), 12, tmp_path / "a.mp4", limit=AMPLE, about=ABOUT)
        made.add((tmp_path / "a.mp4").read_bytes())
    assert len(made) == 1


@pytest.mark.parametrize("size", [(161, 97), (33, 32), (32, 33)])
def test_odd_sides_lose_their_last_row(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = waves(4, *size)
    film = encode.write(frames, 12, tmp_path / "a.mp4", limit=AMPLE, about={})
    assert (film.width, film.height) == (size[0] // 2 * 2, size[1] // 2 * 2)
    assert psnr(encode.frames(tmp_path / "a.mp4"), frames[:, : film.height, : film.width]) > 30


def test_one_frame_is_a_clip(tmp_path: Path) -> None:
    assert encode.write(waves(1), 8, tmp_path / "a.mp4", limit=AMPLE, about={}).frames == 1
    assert len(encode.frames(tmp_path / "a.mp4")) == 1


@pytest.mark.parametrize(
    "frames", [grain(36), noise(24), np.concatenate([noise(3), waves(30)])], ids=["grain", "noise", "cut"]
)
@pytest.mark.parametrize("part", [0.6, 0.05])
def test_a_clip_over_the_limit_is_made_once_more_and_fits(
    tmp_path: Path, frames: np.ndarray, part: float
) -> None:
    file, passes = tmp_path / "a.mp4", []
    whole = encode.write(frames, 24, file, limit=AMPLE, about=ABOUT)
    limit = max(int(whole.size * part), 6000)
    film = encode.write(
        frames, 24, file, limit=limit, about=ABOUT, step=lambda done, total: passes.append(done)
    )
    assert film.size == file.stat().st_size <= limit
    assert film.size > limit / 3  # and not by giving up all of it
    assert passes == [*range(1, len(frames) + 1)] * 2
    assert film.notes
    assert encode.about(file) == ABOUT
    assert len(encode.frames(file)) == len(frames)


def test_where_the_rate_would_be_absurd_the_picture_gets_smaller(tmp_path: Path) -> None:
    film = encode.write(noise(24), 24, tmp_path / "a.mp4", limit=16_000, about={})
    assert (film.width, film.height) < (160, 96)
    assert film.width % 2 == film.height % 2 == 0
    assert abs(film.width / film.height - 160 / 96) < 0.15
    [note] = film.notes
    assert str(note) == f"{film.width} × {film.height} instead of 160 × 96 to fit the channel's file limit"


def test_a_limit_that_nothing_can_meet_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not fit into 1 KiB"):
        encode.write(noise(24), 24, tmp_path / "a.mp4", limit=1024, about=ABOUT)
    assert not list(tmp_path.iterdir())


def test_a_clip_is_refitted_to_a_lower_limit(tmp_path: Path) -> None:
    whole = encode.write(grain(48), 12, tmp_path / "a.mp4", limit=AMPLE, about=ABOUT)
    film = encode.fit(tmp_path / "a.mp4", tmp_path / "b.mp4", limit=whole.size * 6 // 10)
    assert film.size == (tmp_path / "b.mp4").stat().st_size <= whole.size * 6 // 10
    assert (film.width, film.height, film.frames, film.fps) == (160, 96, 48, 12)
    assert encode.about(tmp_path / "b.mp4") == ABOUT
    assert psnr(encode.frames(tmp_path / "b.mp4"), grain(48)) > 25


def test_a_clip_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0" * 999)
    with pytest.raises(EngineError, match=r"The clip a\.mp4 cannot be read"):
        encode.fit(tmp_path / "a.mp4", tmp_path / "b.mp4", limit=AMPLE)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


class Stop(BaseException):
    pass


def test_stopped_in_the_middle_it_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise Stop

    with pytest.raises(Stop):
        encode.write(waves(), 12, tmp_path / "a.mp4", limit=AMPLE, about=ABOUT, step=stop)
    assert not list(tmp_path.iterdir())


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from gen import encode
from gen.errors import EngineError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
frames = np.random.default_rng(7).integers(0, 256, (24, 96, 160, 3), dtype=np.uint8)
try:
    encode.write(frames, 12, Path(sys.argv[1]) / "a.mp4", limit=10**8, about={})
except EngineError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [100, 100_000])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, room: int) -> None:
    command: list[Any] = [sys.executable, "-c", FULL, tmp_path, str(room)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "The disk is full; the clip could not be written." in found.stdout, found.stderr
    assert not list(tmp_path.iterdir())


def test_a_preview_is_small(tmp_path: Path) -> None:
    encode.preview(waves(1, 640, 360)[0], tmp_path / "a.jpg", box=(256, 256))
    assert 0 < (tmp_path / "a.jpg").stat().st_size < 30_000
    assert [file.name for file in tmp_path.iterdir()] == ["a.jpg"]
