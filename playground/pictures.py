"""The size in pixels of a picture or an MP4 video, read from its first boxes; never decoded."""

import struct
from collections.abc import Iterator


def size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG, GIF, JPEG, WebP or MP4, or None for what is none of these."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack(">II", data[16:24])
        elif data[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack("<HH", data[6:10])
        elif data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        elif data[4:8] == b"ftyp":
            return _mp4(data)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at < len(data):
        marker, length = struct.unpack(">xBH", data[at : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box of an MP4 between two offsets: its name, where its body begins and ends."""
    while start + 8 <= end:
        length, name = struct.unpack(">I4s", data[start : start + 8])
        head = 8
        if length == 1:
            (length,) = struct.unpack(">Q", data[start + 8 : start + 16])
            head = 16
        length = length or end - start
        if length < head:
            return
        yield name, start + head, min(start + length, end)
        start += length


def _mp4(data: bytes) -> tuple[int, int] | None:
    """The largest track's size, from its track header."""
    found = [
        struct.unpack(">II", data[end - 8 : end])
        for name, start, end in _boxes(data, 0, len(data))
        if name == b"moov"
        for track, first, last in _boxes(data, start, end)
        if track == b"trak"
        for header, _, end in _boxes(data, first, last)
        if header == b"tkhd"
    ]
    sizes = [(width >> 16, height >> 16) for width, height in found]
    return max(sizes, default=None)
