"""What comes in: a person's picture file becomes upright RGB pixels within bounds, or an exact refusal."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tempfile
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from gen.errors import BadRequest
from gen.job import Picture

if TYPE_CHECKING:
    from gen.models import Pixels

#: Pillow's readers that people's files may reach. TIFF, PSD, EPS and the others stay out: large old parsers.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
ANIMATED = ("PNG", "WEBP", "GIF")  # those that may move
BYTES = 25 * 2**20  # of a file
PIXELS = 50_000_000  # of a picture, before it is decoded
SIDE = 16_384  # pixels of a picture's longer side, before it is decoded
LEAST = 32  # pixels of a picture's shorter side
ASPECT = 8  # long side to short side, at most
LONG = 2_048  # pixels of the longer side that is kept: more than any model takes

#: All that Pillow's readers raise over a broken file, by their sources and by a fuzz of mutated files.
_BROKEN = (
    OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, AttributeError, EOFError,
    OverflowError, ZeroDivisionError, AssertionError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def keep(data: bytes, name: str, folder: Path) -> Picture:
    """Decodes `data` and writes it as PNG into `folder`; `name` is what its sender reads. Raises BadRequest.

    The file's own name is the digest of its pixels, so the same picture is kept once. An animation is not
    taken: of many pictures, nobody has said which one is meant.
    """
    pixels = decode(data, name)
    if _moves(data):
        raise BadRequest("{name} is an animation; send one picture of it.", name=name)
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(b"%dx%d " % (width, height) + pixels.tobytes()).hexdigest()[:32]
    file = folder / f"{digest}.png"
    if file.exists():
        os.utime(file)  # asked for again: young again for whoever sweeps old pictures
    else:
        folder.mkdir(parents=True, exist_ok=True)
        _write(Image.fromarray(pixels), file)
    return Picture(name=file.name, width=width, height=height)


def load(file: Path) -> Pixels:
    """height × width × 3, uint8, of a picture that `keep` wrote."""
    with Image.open(file, formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB"))


def decode(data: bytes, name: str) -> Pixels:
    """height × width × 3, uint8, sRGB, upright, the first frame, at most `LONG` on the longer side.

    Raises BadRequest that names the file and the way out.
    """
    weigh(data, name)
    Image.MAX_IMAGE_PIXELS = PIXELS // 2  # Pillow refuses at twice this, inside the readers too …
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # … and warns from here on, as of much that is odd but readable
        return _pixels(data, name)


def weigh(data: bytes, name: str) -> None:
    """Raises BadRequest when a file has no bytes, or too many."""
    if not data:
        raise BadRequest("{name} is empty (0 bytes); attach it again.", name=name)
    if len(data) > BYTES:
        raise BadRequest(
            "{name} has {size} MiB; at most {most} MiB work.",
            name=name, size=round(len(data) / 2**20, 1), most=BYTES // 2**20,
        )  # fmt: skip


def _moves(data: bytes) -> bool:
    """Whether it is an animation; a JPEG with a second view in it is none."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return image.format in ANIMATED and getattr(image, "n_frames", 1) > 1


def _pixels(data: bytes, name: str) -> Pixels:
    with _open(data, name) as image:
        bounds(image.size, name)
        try:
            return np.asarray(_upright(image, name))
        except BadRequest:
            raise
        except (Image.DecompressionBombError, MemoryError) as error:
            raise too_large(name) from error
        except _BROKEN as error:
            raise BadRequest(
                "{name} is broken or incomplete; save or download it anew and attach it again.", name=name
            ) from error


def _open(data: bytes, name: str) -> Image.Image:
    """The header of `data`, read; its pixels not yet."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, MemoryError) as error:
        raise too_large(name) from error
    except (UnidentifiedImageError, *_BROKEN) as error:
        raise BadRequest(
            "{name} is not a picture I can read; PNG, JPEG, WebP and GIF work.", name=name
        ) from error


def bounds(size: tuple[int, int], name: str, *, pixels: int = PIXELS, side: int = SIDE) -> None:
    """Raises BadRequest when width and height are none that are decoded."""
    width, height = size
    if max(size) > side or width * height > pixels:
        raise too_large(name, pixels=pixels, side=side)
    if min(size) < LEAST:
        raise BadRequest(
            "{name} is {width} × {height} pixels; each side must have at least {least}.",
            name=name, width=width, height=height, least=LEAST,
        )  # fmt: skip
    if max(size) > ASPECT * min(size):
        raise BadRequest(
            "{name} is {width} × {height} pixels; one side may be at most {aspect} times the other: crop it.",
            name=name, width=width, height=height, aspect=ASPECT,
        )  # fmt: skip


def too_large(name: str, *, pixels: int = PIXELS, side: int = SIDE) -> BadRequest:
    """The refusal of a picture beyond the bounds."""
    return BadRequest(
        "{name} is too large; up to {megapixels} megapixels and {side} pixels a side work.",
        name=name, megapixels=pixels // 10**6, side=side,
    )  # fmt: skip


def _upright(image: Image.Image, name: str) -> Image.Image:
    """RGB, small enough, upright."""
    orientation = image.getexif().get(0x0112, 1)
    profile = image.info.get("icc_profile")
    image.draft("RGB", (LONG, LONG))  # a JPEG is decoded at a half, a quarter … where that is enough
    image.load()
    bounds(image.size, name)  # a GIF's frame may be larger than its header said
    plain = _eight_bits(image)
    if max(plain.size) > LONG:
        scale = LONG / max(plain.size)
        size = tuple(max(1, round(side * scale)) for side in plain.size)
        plain = plain.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _turned(_flat(_in_srgb(plain, profile)), orientation)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The same picture as L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits of grey, or more
        grey = np.asarray(image).astype(np.float64)
        top = 255.0 if grey.max(initial=0) <= 255 else 65535.0
        return Image.fromarray((grey.clip(0, top) * (255 / top) + 0.5).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("PA", "La", "RGBa"):
        return image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Its colours by its own profile; a profile that is broken or does not fit is left out."""
    base = {"LA": "L", "RGBA": "RGB"}.get(image.mode, image.mode)
    if not profile:
        return image
    try:
        alpha = image.getchannel("A") if "A" in image.getbands() else None
        colours = ImageCms.profileToProfile(
            image.convert(base), io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, *_BROKEN):
        return image
    if colours is None:  # only when it converts in place, which it does not
        return image
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def _flat(image: Image.Image) -> Image.Image:
    """Transparent places become white, or black where what is drawn is itself nearly white."""
    if "A" not in image.getbands():
        return image.convert("RGB")
    image = image.convert("RGBA")
    sample = np.asarray(image.resize((64, 64), Image.Resampling.BOX), dtype=np.float64)
    weight = sample[..., 3].sum()
    luma = (sample[..., :3] @ (0.2126, 0.7152, 0.0722) * sample[..., 3]).sum() / weight if weight else 0.0
    ground = Image.new("RGBA", image.size, (0, 0, 0, 255) if luma > 200 else (255, 255, 255, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    """Upright by the EXIF orientation 1–8; any other value leaves it."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _write(image: Image.Image, file: Path) -> None:
    """A PNG that is there whole or not at all, whenever the power fails."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".png")
    try:
        with os.fdopen(handle, "wb") as stream:
            image.save(stream, "PNG", compress_level=2)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
