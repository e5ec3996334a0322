"""People's pictures: every kind that works, every kind that is refused, and mutated files by the dozen."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from gen import media
from gen.errors import BadRequest

# Four quarters: red, green / blue, white. Every turn and mirror of it is a different picture.
QUARTERS = ((220, 30, 30), (30, 190, 40), (30, 50, 210), (240, 240, 240))


def quarters(width: int = 96, height: int = 64) -> Image.Image:
    image = Image.new("RGB", (width, height))
    for index, colour in enumerate(QUARTERS):
        x, y = index % 2 * width // 2, index // 2 * height // 2
        image.paste(colour, (x, y, x + width // 2, y + height // 2))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def centres(pixels: np.ndarray) -> list[tuple[int, ...]]:
    height, width = pixels.shape[:2]
    return [
        tuple(int(v) for v in pixels[height * (1 + 2 * (i // 2)) // 4, width * (1 + 2 * (i % 2)) // 4])
        for i in range(4)
    ]


def near(found: list[tuple[int, ...]], wanted: Any, within: int = 12) -> bool:
    return bool(np.abs(np.array(found) - np.array(wanted)).max() <= within)


def refusal(data: bytes, name: str = "mine.png") -> str:
    with pytest.raises(BadRequest) as caught:
        media.decode(data, name)
    assert name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}), ("JPEG", {"quality": 95}), ("JPEG", {"progressive": True, "quality": 95}), ("GIF", {}),
        ("WEBP", {"lossless": True}), ("WEBP", {"quality": 90}), ("BMP", {}),
    ],
)  # fmt: skip
def test_the_usual_kinds_are_read(kind: str, options: dict[str, Any]) -> None:
    pixels = media.decode(saved(quarters(), kind, **options), "a")
    assert pixels.shape == (64, 96, 3)
    assert pixels.dtype == np.uint8
    assert near(centres(pixels), QUARTERS)


@pytest.mark.parametrize("mode", ["P", "L", "1", "LA", "RGBA"])
def test_other_modes_become_rgb(mode: str) -> None:
    image = quarters().convert(mode)
    pixels = media.decode(saved(image, "PNG"), "a")
    assert near(centres(pixels), centres(np.asarray(image.convert("RGB"))), within=0)


def test_cmyk_becomes_rgb() -> None:
    assert near(centres(media.decode(saved(quarters().convert("CMYK"), "JPEG", quality=95), "a")), QUARTERS)


def test_sixteen_bits_of_grey_keep_their_range() -> None:
    ramp = np.linspace(0, 65535, 128 * 64).reshape(64, 128).astype(np.uint16)
    pixels = media.decode(saved(Image.fromarray(ramp), "PNG"), "a")
    assert np.abs(pixels[..., 0].astype(int) - ramp // 257).max() <= 1


def test_sixteen_bits_of_colour_are_read() -> None:
    rows = b"".join(b"\0" + struct.pack(">HHH", 65535, 32768, 0) * 40 for _ in range(40))
    pixels = media.decode(png(40, 40, rows, depth=16), "a")
    assert near([tuple(pixels[20, 20])], [(255, 128, 0)], within=1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_stand_upright(orientation: int, kind: str) -> None:
    lying = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    image = quarters() if lying is None else quarters().transpose(lying)
    pixels = media.decode(saved(image, kind, exif=turned(orientation), quality=95), "a")
    assert pixels.shape == (64, 96, 3)
    assert near(centres(pixels), QUARTERS)


def test_transparent_places_become_white_or_black_behind_white() -> None:
    def drawn(colour: tuple[int, int, int]) -> np.ndarray:
        image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
        image.paste((*colour, 255), (16, 16, 48, 48))
        return media.decode(saved(image, "PNG"), "a")

    assert tuple(drawn((20, 40, 200))[2, 2]) == (255, 255, 255)
    assert tuple(drawn((250, 250, 250))[2, 2]) == (0, 0, 0)
    assert tuple(drawn((250, 250, 250))[32, 32]) == (250, 250, 250)


def test_a_palette_with_a_transparent_colour_is_flattened() -> None:
    image = Image.new("P", (64, 64), 0)
    image.putpalette([255, 0, 255, 10, 20, 30])
    image.paste(1, (16, 16, 48, 48))
    pixels = media.decode(saved(image, "GIF", transparency=0), "a")
    assert tuple(pixels[2, 2]) == (255, 255, 255)
    assert tuple(pixels[32, 32]) == (10, 20, 30)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    more = [Image.new("RGB", (96, 64), (9, 9, index * 40)) for index in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(quarters(), kind, save_all=True, append_images=more, duration=50, **options)
    assert near(centres(media.decode(data, "a")), QUARTERS)


def test_a_phone_s_double_jpeg_is_read() -> None:
    data = saved(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (96, 64))], quality=95)
    assert near(centres(media.decode(data, "a")), QUARTERS)


def test_colours_follow_the_picture_s_own_profile() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    plain = media.decode(saved(quarters(), "PNG"), "a")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (
        np.abs(media.decode(saved(quarters(), "PNG", icc_profile=srgb), "a").astype(int) - plain).max() <= 1
    )
    for broken in (lab, b"no profile at all", srgb[:200]):
        assert np.array_equal(media.decode(saved(quarters(), "PNG", icc_profile=broken), "a"), plain)


def test_a_wide_gamut_is_brought_into_srgb() -> None:
    from PIL import ImageChops

    wide = swapped_profile()
    turned = media.decode(saved(quarters(), "PNG", icc_profile=wide), "a")
    red, green, blue = quarters().split()
    wanted = Image.merge("RGB", (green, red, blue))
    found = Image.fromarray(turned)
    assert near(centres(np.asarray(found)), centres(np.asarray(wanted)))
    assert ImageChops.difference(found, quarters()).getbbox()


def swapped_profile() -> bytes:
    """sRGB's profile with the tags of its red and green primaries exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


def test_a_large_picture_is_made_smaller_without_aliasing() -> None:
    stripes = np.zeros((1200, 6000, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = media.decode(saved(Image.fromarray(stripes), "PNG", compress_level=1), "a")
    assert pixels.shape == (410, 2048, 3)
    assert np.ptp(pixels[100:300, 100:-100]) <= 4  # grey, as from afar


def test_a_picture_just_within_the_bounds_is_read() -> None:
    image = Image.new("P", (7000, 7000))
    image.putpalette([40, 80, 120])
    assert media.decode(saved(image, "PNG", compress_level=1), "a").shape == (2048, 2048, 3)


def test_a_picture_is_kept_once_under_the_digest_of_its_pixels(tmp_path: Path) -> None:
    first = media.keep(saved(quarters(), "PNG"), "a.png", tmp_path / "pictures")
    again = media.keep(saved(quarters(), "BMP"), "b.bmp", tmp_path / "pictures")
    other = media.keep(saved(quarters(64, 96), "PNG"), "c.png", tmp_path / "pictures")
    assert first == again
    assert (first.width, first.height) == (96, 64)
    assert len(first.name) == 36
    assert {file.name for file in (tmp_path / "pictures").iterdir()} == {first.name, other.name}
    assert np.array_equal(media.load(tmp_path / "pictures" / first.name), np.asarray(quarters()))


def png(width: int, height: int, rows: bytes, *, depth: int = 8) -> bytes:
    """A PNG whose header says what it likes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_what_is_no_picture_is_refused_by_name() -> None:
    for data in (b"%PDF-1.7\n1 0 obj\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"MZ\0\0", b"\0" * 99):
        assert refusal(data) == "mine.png is not a picture I can read; PNG, JPEG, WebP and GIF work."
    assert refusal(b"") == "mine.png is empty (0 bytes); attach it again."


@pytest.mark.parametrize("kind", ["TIFF", "PPM", "ICO", "TGA", "JPEG2000", "AVIF"])
def test_readers_that_are_not_on_the_list_are_not_reached(kind: str) -> None:
    assert "is not a picture I can read" in refusal(saved(quarters(64, 64), kind))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_truncated_file_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), kind)
    assert "mine.png is" in refusal(data[: len(data) // 2])


def test_bombs_are_refused_before_they_are_decoded() -> None:
    webp = bytearray(saved(quarters(), "WEBP", lossless=True, exif=turned(6)))
    where = webp.index(b"VP8X") + 12
    webp[where : where + 6] = (16000).to_bytes(3, "little") * 2
    gif = bytearray(saved(quarters(), "GIF"))
    gif[6:10] = struct.pack("<HH", 60000, 60000)
    wide, square, huge = (png(*size, b"\0") for size in ((16_385, 2100), (20_000, 20_000), (2**31 - 1,) * 2))
    for data in (wide, square, huge, bytes(webp), bytes(gif)):
        assert refusal(data) == "mine.png is too large; up to 50 megapixels and 16384 pixels a side work."


def test_a_frame_larger_than_its_gif_said_is_measured_again() -> None:
    gif = bytearray(saved(quarters(), "GIF"))
    frame = gif.index(b"\x2c", 13 + 3 * 2 ** ((gif[10] & 7) + 1))
    gif[frame + 5 : frame + 9] = struct.pack("<HH", 60000, 60000)
    assert "is too large" in refusal(bytes(gif))


def test_bounds_of_bytes_and_shape() -> None:
    assert "has 25.0 MiB; at most 25 MiB work" in refusal(b"\x89PNG\r\n\x1a\n" + b"\0" * media.BYTES)
    assert (
        refusal(saved(quarters(20, 20), "PNG"))
        == "mine.png is 20 × 20 pixels; each side must have at least 32."
    )
    assert "one side may be at most 8 times the other" in refusal(saved(quarters(400, 40), "PNG"))


def test_a_text_chunk_that_inflates_is_refused_or_ignored() -> None:
    info = saved(quarters(), "PNG")
    bomb = zlib.compress(b"\0" * 2**27)
    body = b"k\0\0" + bomb
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    data = info[:33] + chunk + info[33:]
    try:
        assert media.decode(data, "mine.png").shape == (64, 96, 3)
    except BadRequest as error:
        assert "mine.png" in str(error)


SEEDS = {
    kind: saved(
        quarters(), kind, **({"save_all": True, "append_images": [quarters()]} if kind == "GIF" else {})
    )
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP")
}


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(SEEDS)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12),
    cut=st.floats(0.1, 1.0),
)
def test_a_mutated_file_is_read_or_refused_and_nothing_else(
    kind: str, changes: list[tuple[float, int]], cut: float
) -> None:
    data = bytearray(SEEDS[kind])
    for place, value in changes:
        data[min(int(place * len(data)), len(data) - 1)] = value
    try:
        pixels = media.decode(bytes(data[: max(1, int(cut * len(data)))]), "mine.png")
    except BadRequest as error:
        assert "mine.png" in str(error)
    else:
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert max(pixels.shape) <= media.LONG
