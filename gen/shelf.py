"""The shelf: pictures, clips and their thumbnails, kept in the data folder, found without being decoded."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gen.errors import BadRequest
from gen.job import Clip, Picture, Video

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def thumbnail(file: str) -> str:
    """The name in the data folder's `thumbs/` of the picture of the clip `file`."""
    return Path(file).with_suffix(".jpg").name


class Shelf:
    """One data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def picture(self, name: str) -> Picture:
        """A picture or video that the darkroom kept, by name. Raises BadRequest when it was swept away.

        A video's sides are in its name; a picture's stand in the first chunk of a PNG (PNG specification,
        11.2.1): two numbers of four bytes.
        """
        path = self.data / "pictures" / Path(name).name
        try:
            with path.open("rb") as file:
                head = file.read(24)
            os.utime(path)  # asked for again: young again for whoever sweeps old pictures
        except OSError as error:
            raise BadRequest("The picture of that clip is no longer kept; send it again.") from error
        with suppress(ValueError):
            return Video.of(path.name)
        if len(head) < 24 or not head.startswith(_SIGNATURE):
            raise BadRequest("The picture of that clip is no longer kept; send it again.")
        width, height = (int.from_bytes(head[at : at + 4], "big") for at in (16, 20))
        return Picture(name=path.name, width=width, height=height)

    def remove(self, clips: Iterable[str], pictures: Iterable[str]) -> None:
        """Takes files away, clips with their thumbnails."""
        clips = list(clips)
        thumbs = [thumbnail(name) for name in clips]
        for folder, names in (("thumbs", thumbs), ("clips", clips), ("pictures", pictures)):
            for name in names:
                (self.data / folder / Path(name).name).unlink(missing_ok=True)

    def clip(self, clip: Clip) -> Path | None:
        """The clip's file, while it is kept."""
        path = self.data / "clips" / Path(clip.file).name
        return path if path.is_file() else None

    def thumbnail(self, clip: Clip) -> Path | None:
        """The small picture of the clip, while it is kept."""
        path = self.data / "thumbs" / thumbnail(clip.file)
        return path if path.is_file() else None
