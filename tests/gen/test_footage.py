"""People's videos become frames within bounds, or an exact refusal."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen import encode, footage
from gen.errors import BadRequest
from gen.job import Picture, Video


def film(frames: int = 12, width: int = 96, height: int = 64) -> Any:
    """A bright bar goes to the right, over a dark left half and a grey right one."""
    clip = np.full((frames, height, width, 3), 30, np.uint8)
    clip[:, :, width // 2 :] = 110
    for index, frame in enumerate(clip):
        frame[: height // 4, 4 * index : 4 * index + 8] = (250, 40, 40)
    return clip


def saved(clip: Any, fps: int = 12, codec: str = "libx264", kind: str = "mp4", **options: str) -> bytes:
    """A video file."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=kind) as container:
        track = container.add_stream(codec, rate=fps, options=options)
        track.height, track.width = clip.shape[1:3]
        track.pix_fmt = "yuv420p"
        for index, pixels in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return stream.getvalue()


def refusal(data: bytes, folder: Path) -> str:
    with pytest.raises(BadRequest) as found:
        footage.keep(data, "mine.mp4", folder)
    assert not list(folder.iterdir())  # nothing half is left
    return str(found.value)


@pytest.mark.parametrize(
    ("codec", "kind"),
    [("libx264", "mp4"), ("libx264", "mov"), ("libx264", "matroska"), ("libvpx", "webm"), ("libx265", "mp4")],
)
def test_the_usual_kinds_are_kept(codec: str, kind: str, tmp_path: Path) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV has no {codec}")
    video = footage.keep(saved(film(), codec=codec, kind=kind), "mine.mp4", tmp_path)
    assert (video.width, video.height, video.seconds) == (96, 64, 1.0)
    assert [file.name for file in tmp_path.iterdir()] == [video.name]
    assert Video.of(video.name) == video
    shown = footage.load(tmp_path / video.name, 12, 12)
    assert np.abs(shown.astype(int) - film()).mean() < 6


def test_what_is_seen_at_each_time(tmp_path: Path) -> None:
    video = footage.keep(saved(film(24), fps=24), "mine.mp4", tmp_path)

    def bar(frame: Any) -> float:
        return float(np.nonzero(frame[4, :, 0] > 180)[0].mean())

    eight = footage.load(tmp_path / video.name, 8, 8)
    assert [bar(frame) for frame in eight[:7]] == pytest.approx([3.5 + 12 * n for n in range(7)], abs=1.5)
    longer = footage.load(tmp_path / video.name, 12, 8)
    assert np.array_equal(longer[8], longer[11])  # the last one is held


def test_the_same_video_is_kept_once(tmp_path: Path) -> None:
    first = footage.keep(saved(film()), "a.mp4", tmp_path)
    assert footage.keep(saved(film()), "b.mp4", tmp_path) == first
    other = footage.keep(saved(film()[::-1]), "a.mp4", tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert other.name != first.name


def test_a_large_and_long_video_is_kept_smaller_and_its_beginning_alone(tmp_path: Path) -> None:
    video = footage.keep(saved(film(30, 1600, 900), fps=50, preset="ultrafast"), "mine.mp4", tmp_path)
    assert (video.width, video.height) == (1024, 576)
    assert video.seconds == pytest.approx(0.6, abs=0.05)  # 50 a second became 24
    long = footage.keep(saved(film(30), fps=2), "mine.mp4", tmp_path)
    assert long.seconds == footage.KEPT


def test_a_phones_video_stands_upright(tmp_path: Path) -> None:
    """A phone writes frames as its sensor has them, and how they are to be turned (ISO 14496-12, 8.3.2)."""
    data = bytearray(saved(film()))
    at = data.index(b"tkhd") + 4 + 40  # of a version 0 box: the matrix
    assert struct.unpack_from(">i", data, at) == (0x10000,)
    struct.pack_into(">9i", data, at, 0, 0x10000, 0, -0x10000, 0, 0, 64 << 16, 0, 0x40000000)
    video = footage.keep(bytes(data), "mine.mp4", tmp_path)
    assert (video.width, video.height) == (64, 96)
    shown = footage.load(tmp_path / video.name, 1, 12)[0]
    want = np.rot90(film(1)[0], -1)  # clockwise
    assert np.abs(shown.astype(int) - want).mean() < 6


def test_what_is_refused_is_refused_by_name(tmp_path: Path) -> None:
    clip = saved(film())
    assert refusal(b"", tmp_path) == "mine.mp4 is empty (0 bytes); attach it again."
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n"
    for data in (playlist, b"%PDF-1.7", b"\0\0\0\x18ftypmp42", clip[:200], b"\x1aE\xdf\xa3" + clip):
        assert refusal(data, tmp_path) == "mine.mp4 is not a video I can read; MP4, MOV and WebM work."
    mpeg = saved(film(), codec="mpeg4")
    assert "is not a video I can read" in refusal(mpeg, tmp_path)  # a reader that is not on the list
    assert "plays for 100 s; up to 60 s work" in refusal(saved(film(100), fps=1), tmp_path)
    assert "is too short to be followed" in refusal(saved(film(1), fps=24), tmp_path)
    assert "24 pixels; each side must have at least 32" in refusal(saved(film(2, 96, 24)), tmp_path)
    assert "at most 8 times" in refusal(saved(film(2, 640, 64)), tmp_path)


def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "PIXELS", 96 * 64 - 1)
    assert "is too large" in refusal(saved(film()), tmp_path)
    monkeypatch.setattr(footage, "PIXELS", 10**6)
    monkeypatch.setattr(footage, "READ", 6)
    assert footage.keep(saved(film()), "mine.mp4", tmp_path).seconds == 0.5


def test_a_file_that_was_cut_off_shows_what_it_has(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 64, 96, 3), np.uint8)
    whole = saved(noise, kind="matroska")
    video = footage.keep(whole[: len(whole) // 2], "mine.mkv", tmp_path)
    assert 0.5 < video.seconds < 3


@pytest.mark.parametrize(
    "name", ["a.mp4", "0" * 32 + ".png", "0" * 32 + "-1x2.mp4", "../" + "0" * 32 + "-1x2-3.mp4"]
)
def test_only_names_of_ours_are_videos(name: str) -> None:
    with pytest.raises(ValueError, match=r"mp4|png"):
        Video.of(name)
    assert isinstance(Video.of("0" * 32 + "-64x48-1500.mp4"), Picture)


SEEDS = {
    kind: saved(film(4), codec=codec, kind=kind)
    for kind, codec in (("mp4", "libx264"), ("matroska", "libx264"), ("webm", "libvpx"))
    if codec in av.codecs_available
}


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(sorted(SEEDS)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12),
    cut=st.floats(0.1, 1.0),
)
def test_a_mutated_file_is_read_or_refused_and_nothing_else(
    kind: str, changes: list[tuple[float, int]], cut: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("kept")
    data = bytearray(SEEDS[kind])
    for place, value in changes:
        data[min(int(place * len(data)), len(data) - 1)] = value
    try:
        video = footage.keep(bytes(data[: max(1, int(cut * len(data)))]), "mine.mp4", folder)
    except BadRequest as error:
        assert "mine.mp4" in str(error)
        assert not list(folder.iterdir())
    else:
        assert max(video.width, video.height) <= footage.LONG
        assert len(encode.frames(folder / video.name)) <= footage.KEPT * footage.RATE
