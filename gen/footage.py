"""What comes in: a person's video becomes upright frames within bounds, kept as MP4, or an exact refusal."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from gen import encode, media
from gen.errors import BadRequest
from gen.job import Video

if TYPE_CHECKING:
    from gen.models import Pixels

#: Containers by their first bytes (ISO 14496-12, 4.3; RFC 8794, 11.2.1). Never guessed: a guess reaches
#: playlists, which name other files.
KINDS = ((slice(4, 8), b"ftyp", "mov"), (slice(0, 4), b"\x1aE\xdf\xa3", "matroska"))
CODECS = ("h264", "hevc", "vp8", "vp9", "av1")  # what phones, browsers and Discord itself write
PIXELS = 9_500_000  # of a frame, before it is decoded: 4K
SIDE = 4_096  # pixels of a frame's longer side, before it is decoded
SECONDS = 60  # that a video may play
READ = 600  # frames that are decoded at most …
KEPT = 10.0  # … of so many seconds, from the beginning
SHORTEST = 0.25  # seconds that there must be to follow
RATE = 24  # frames each second that are kept at most
LONG = 1_024  # pixels of the longer side that is kept: more than any model that follows a video makes

#: What PyAV raises over a broken file, by its sources and by a fuzz of mutated files.
_BROKEN = (
    av.FFmpegError, OSError, ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError,
    RuntimeError, EOFError,
)  # fmt: skip


def keep(data: bytes, name: str, folder: Path) -> Video:
    """Decodes `data` and writes its beginning anew as MP4 into `folder`. Raises BadRequest naming `name`.

    The file's own name is the digest of its pixels, so that the same video is kept once, and how it plays,
    sides in pixels and milliseconds, so that it is known without a decoder.
    """
    media.weigh(data, name)
    folder.mkdir(parents=True, exist_ok=True)
    handle, place = tempfile.mkstemp(dir=folder, prefix=".", suffix=".mp4")
    os.close(handle)
    draft, digest = Path(place), hashlib.sha256()
    try:
        frames, rate = _read(data, name)
        count, (height, width) = encode.record(_digested(frames, digest), draft, rate)
        seconds = count / rate
        if seconds < SHORTEST:
            raise BadRequest("{name} is too short to be followed; send a longer video.", name=name)
        file = f"{digest.hexdigest()[:32]}-{width}x{height}-{round(seconds * 1000)}.mp4"
        draft.replace(folder / file)  # the same one again: young again for whoever sweeps old files
    finally:
        draft.unlink(missing_ok=True)
    return Video(name=file, width=width, height=height, seconds=round(seconds, 3))


def load(file: Path, frames: int, fps: int) -> Pixels:
    """`frames` × height × width × 3 of a video that `keep` wrote, so many a second; its last one is held."""
    whole = encode.frames(file)
    rate = len(whole) / Video.of(file.name).seconds
    picked = [min(len(whole) - 1, int(index * rate / fps + 0.5)) for index in range(frames)]
    return whole[picked]


def _read(data: bytes, name: str) -> tuple[Iterator[Pixels], int]:
    """The frames that are kept, upright, at a steady rate; and that rate. What is refused is so at once, or
    while they are read."""
    kind = next((kind for at, sign, kind in KINDS if data[at] == sign), None)
    if kind is None:
        raise _unreadable(name)
    try:
        container: Any = av.open(io.BytesIO(data), format=kind, options={"max_pixels": str(PIXELS)})
        stream = container.streams.video[0]
        reader = stream.codec_context
        if reader is None or reader.name not in CODECS:
            raise _unreadable(name)
        size, rate = (reader.width, reader.height), float(stream.average_rate or RATE)
        seconds = max(_seconds(stream.duration, stream.time_base), _seconds(container.duration, 1e-6))
    except _BROKEN as error:
        raise _unreadable(name) from error
    media.bounds(size, name, pixels=PIXELS, side=SIDE)
    if seconds > SECONDS:
        raise BadRequest(
            "{name} plays for {seconds} s; up to {most} s work: cut it.",
            name=name, seconds=round(seconds), most=SECONDS,
        )  # fmt: skip
    reader.options = {"max_pixels": str(PIXELS)}
    reader.thread_count = 1  # each thread keeps frames, and the memory is bounded
    steady = max(1, min(RATE, round(rate)))
    return _steadily(_decoded(container, stream, name), steady), steady


def _decoded(container: Any, stream: Any, name: str) -> Iterator[tuple[float, Pixels]]:
    """Each frame and when it is shown, in seconds from the first. Raises BadRequest."""
    first, size = None, (0, 0)
    try:
        with container:
            for index, frame in enumerate(islice(container.decode(stream), READ)):
                moment = frame.time if frame.time is not None else index / RATE
                first = moment if first is None else first
                if moment - first >= KEPT:
                    return
                media.bounds((frame.width, frame.height), name, pixels=PIXELS, side=SIDE)
                size = size if index else _kept(frame.width, frame.height)  # all as large as the first
                rgb = frame.reformat(width=size[0], height=size[1], format="rgb24").to_ndarray()
                yield moment - first, _upright(rgb, frame.rotation)
    except MemoryError as error:
        raise media.too_large(name, pixels=PIXELS, side=SIDE) from error
    except _BROKEN as error:
        if first is None:
            raise BadRequest(
                "{name} is broken or incomplete; save or download it anew and attach it again.", name=name
            ) from error
        return  # a file that was cut off shows what it has


def _steadily(frames: Iterator[tuple[float, Pixels]], rate: int) -> Iterator[Pixels]:
    """At each tick of the rate the frame that is shown then; each is shown until the next one comes."""
    ticks = 0
    shown: Pixels | None = None
    for moment, frame in frames:
        while shown is not None and ticks < moment * rate - 0.5 and ticks < KEPT * rate:
            yield shown
            ticks += 1
        shown = frame
    if shown is not None:
        yield shown


def _digested(frames: Iterator[Pixels], digest: Any) -> Iterator[Pixels]:
    for frame in frames:
        digest.update(b"%dx%d " % (frame.shape[1], frame.shape[0]) + frame.tobytes())
        yield frame


def _kept(width: int, height: int) -> tuple[int, int]:
    """Even sides, no more than `LONG`."""
    scale = min(1.0, LONG / max(width, height))
    wide, high = (max(16, round(side * scale / 2) * 2) for side in (width, height))
    return wide, high


def _upright(frame: Pixels, degrees: int) -> Pixels:
    """Turned as a phone's file says, counterclockwise, by quarters."""
    quarters = round(degrees / 90) % 4
    return np.ascontiguousarray(np.rot90(frame, quarters)) if quarters else frame


def _seconds(ticks: int | None, base: Any) -> float:
    return float(ticks * base) if ticks and base else 0.0


def _unreadable(name: str) -> BadRequest:
    return BadRequest("{name} is not a video I can read; MP4, MOV and WebM work.", name=name)
