"""What goes out: frames become an MP4 that plays inline everywhere and fits a byte limit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from PIL import Image

from gen.errors import FULL, EngineError
from gen.job import Note

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    from gen.models import Pixels

SHARE = 0.94  # of the limit is what the second pass aims at
#: Of that, what comes as a steady rate, and what the rate's buffer holds: a still clip is nearly all first
#: frame and needs a large one, while noise fills both.
STEADY, BUFFER = 0.9, 0.2
LOWEST = 2000  # bits a second: x264 counts in thousands and takes no 0
THREADS = 2  # fixed: x264's bytes depend on it
BT709 = 1  # H.273: primaries, transfer and matrix alike
LEAST = 1 / 12  # of the first pass's bits a pixel: with fewer x264 only smears
THUMBNAIL = (320, 320)  # pixels of a thumbnail at most

#: Called after each frame with how many of how many are written; it raises when the job was cancelled.
OnFrame = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Film:
    """What was written."""

    width: int
    height: int
    frames: int
    fps: int
    size: int  # bytes
    notes: tuple[Note, ...] = ()  # what was stepped down to fit


def can() -> bool:
    """Whether this build of PyAV can write H.264."""
    return "libx264" in av.codecs_available


def write(
    frames: Pixels,
    fps: int,
    file: Path,
    *,
    limit: int,
    about: Mapping[str, Any],
    step: OnFrame | None = None,
) -> Film:
    """Writes `frames` (frames × height × width × 3) as `file` in at most `limit` bytes.

    One pass at constant quality; where that is over the limit, exactly one more at an average bit rate, at a
    smaller size where the rate would be absurd. `about` is kept as JSON in the comment, its prompt as title.
    The same frames give the same bytes. Raises EngineError; the file is there whole or not at all.
    """
    text = json.dumps(dict(about), ensure_ascii=False, sort_keys=True, default=str)
    tags = {"title": str(about.get("prompt", ""))[:250], "comment": text}
    tell = step or (lambda done, total: None)
    height, width = (side - side % 2 for side in frames.shape[1:3])
    with _finished(file) as draft:
        _encode(frames, draft, (width, height), fps, {"crf": "20"}, tags, len(frames), tell)
        notes: tuple[Note, ...] = ()
        if draft.stat().st_size > limit:
            size, rate = _within(limit, draft.stat().st_size, (width, height), len(frames), fps, tags)
            _encode(frames, draft, size, fps, rate, tags, len(frames), tell)
            notes = (_note(size, (width, height)),)
            width, height = size
        _demand(draft, limit)
    return Film(
        width=width, height=height, frames=len(frames), fps=fps, size=file.stat().st_size, notes=notes
    )  # fmt: skip


def fit(source: Path, file: Path, *, limit: int, step: OnFrame | None = None) -> Film:
    """The clip `source` once more as `file`, in at most `limit` bytes, its parameters kept.

    For a channel that took less than it had promised. Raises EngineError.
    """
    tell = step or (lambda done, total: None)
    with _reading(source) as (container, stream), _finished(file) as draft:
        count, fps = stream.frames, round(float(stream.average_rate or 24))
        width, height = stream.width, stream.height
        tags = {key: container.metadata.get(key, "") for key in ("title", "comment")}
        size, rate = _within(limit, source.stat().st_size, (width, height), count, fps, tags)
        _encode(_decoded(container), draft, size, fps, rate, tags, count, tell)
        _demand(draft, limit)
    return Film(
        width=size[0], height=size[1], frames=count, fps=fps, size=file.stat().st_size,
        notes=(_note(size, (width, height)),),
    )  # fmt: skip


def record(frames: Iterable[Pixels], file: Path, fps: int) -> tuple[int, tuple[int, int]]:
    """Writes frames of one size, hardly changed, for a model to look at; how many, their height and width."""
    coming = iter(frames)
    first = next(coming, None)
    if first is None:
        return 0, (0, 0)
    height, width = (side - side % 2 for side in first.shape[:2])
    count = 0

    def told(done: int, _: int) -> None:
        nonlocal count
        count = done

    _encode(chain([first], coming), file, (width, height), fps, {"crf": "10"}, {}, 0, told)
    return count, (height, width)


def about(file: Path) -> dict[str, Any]:
    """The parameters that `write` put into the clip `file`. Raises EngineError."""
    with _reading(file) as (container, _):
        try:
            values = json.loads(container.metadata.get("comment", ""))
        except ValueError:
            return {}
    return values if isinstance(values, dict) else {}


def frames(file: Path) -> Pixels:
    """All frames of the clip `file`: frames × height × width × 3. Raises EngineError."""
    with _reading(file) as (container, _):
        return np.stack(list(_decoded(container)))


def thumbnail(source: Path, file: Path) -> None:
    """The middle frame of the clip `source` as the small JPEG `file`. Raises EngineError."""
    with _reading(source) as (container, stream):
        for frame in islice(container.decode(video=0), stream.frames // 2, None):
            return preview(_rgb(frame), file, box=THUMBNAIL)
    raise EngineError("The clip {file} cannot be read.", file=source.name)


def preview(frame: Pixels, file: Path, *, box: tuple[int, int]) -> None:
    """A small JPEG of one frame, within so many pixels. It can be made anew: no fsync."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(frame)
    image.thumbnail(box, Image.Resampling.BOX)
    draft = file.with_name(f".{file.name}")
    image.save(draft, "JPEG", quality=80)
    draft.replace(file)


def _encode(
    frames: Iterable[Pixels],
    file: Path,
    size: tuple[int, int],
    fps: int,
    rate: Mapping[str, str],
    tags: Mapping[str, str],
    count: int,
    tell: OnFrame,
) -> None:
    # x264's macroblock tree is not deterministic (seen with core 165, AVX-512, 24 frames of 160 × 96).
    options = {"preset": "veryfast", "threads": str(THREADS), "x264-params": "mbtree=0", **rate}
    flags = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(file), "w", format="mp4", container_options=flags) as container:
        container.metadata.update(tags)
        stream = container.add_stream("libx264", rate=fps, options=options)
        _describe(stream, size, fps)
        for index, pixels in enumerate(frames):
            container.mux(stream.encode(_yuv(pixels, size, index, stream.codec_context.time_base)))
            tell(index + 1, count)
        container.mux(stream.encode(None))
    with file.open("rb") as done:
        os.fsync(done.fileno())


def _describe(stream: VideoStream, size: tuple[int, int], fps: int) -> None:
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, fps)
    context.gop_size = 5 * fps
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = ColorRange.MPEG


def _yuv(pixels: Pixels, size: tuple[int, int], index: int, base: Fraction | None) -> av.VideoFrame:
    """One frame in yuv420p by BT.709, of `size`; an odd last row or column is left off."""
    height, width = (side - side % 2 for side in pixels.shape[:2])
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
    frame = frame.reformat(
        width=size[0], height=size[1], format="yuv420p",
        src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG, dst_colorspace=Colorspace.ITU709,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
    )  # fmt: skip
    frame.pts, frame.time_base = index, base
    return frame


def _within(
    limit: int, first: int, size: tuple[int, int], count: int, fps: int, tags: Mapping[str, str]
) -> tuple[tuple[int, int], dict[str, str]]:
    """Size and rate that keep `count` frames, `first` bytes at full quality, within `limit` bytes."""
    overhead = 1500 + 24 * count + 2 * sum(len(text.encode()) for text in tags.values())
    bits = max(limit - overhead, limit // 4) * 8 * SHARE
    scale = min(bits / (first * 8 * LEAST), 1.0) ** 0.5
    if scale < 1:
        size = (max(16, round(size[0] * scale / 2) * 2), max(16, round(size[1] * scale / 2) * 2))
    rate = round(STEADY * bits * fps / count)
    if rate < LOWEST:
        raise _too_long(limit)
    return size, {"b": str(rate), "maxrate": str(rate), "bufsize": str(max(LOWEST, round(BUFFER * bits)))}


def _note(size: tuple[int, int], full: tuple[int, int]) -> Note:
    if size == full:
        return Note("lower quality to fit the channel's file limit")
    return Note(
        "{width} × {height} instead of {wide} × {high} to fit the channel's file limit",
        {"width": size[0], "height": size[1], "wide": full[0], "high": full[1]},
    )


def _demand(draft: Path, limit: int) -> None:
    if draft.stat().st_size > limit:
        raise _too_long(limit)


def _too_long(limit: int) -> EngineError:
    return EngineError(
        "The clip does not fit into {limit} KiB; ask for a shorter or smaller one.", limit=limit // 1024
    )


@contextmanager
def _reading(file: Path) -> Iterator[tuple[Any, Any]]:
    try:
        with av.open(str(file), "r", format="mp4") as container:
            yield container, container.streams.video[0]
    except (av.FFmpegError, IndexError) as error:
        if getattr(error, "errno", None) in FULL:
            raise _full() from error
        raise EngineError("The clip {file} cannot be read.", file=file.name) from error


def _decoded(container: Any) -> Iterator[Pixels]:
    return map(_rgb, container.decode(video=0))


def _rgb(frame: av.VideoFrame) -> Pixels:
    whole: Any = frame.to_ndarray(  # for other formats it would be of another type
        format="rgb24", src_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    )  # fmt: skip
    pixels: Pixels = whole
    return pixels


@contextmanager
def _finished(file: Path) -> Iterator[Path]:
    """A draft beside `file` that takes its name at the end, or goes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}")
    try:
        yield draft
        draft.replace(file)
        _sync(file.parent)
    except OSError as error:
        if error.errno in FULL:
            raise _full() from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """The new name itself survives a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _full() -> EngineError:
    return EngineError(
        "The disk is full; the clip could not be written. The owner of this bot must make room."
    )
