"""A parcel: all that is kept about a person, as ZIP files of at most so many bytes each."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: Bytes that a ZIP needs beside a file's own: its name twice, and what stands around it.
AROUND = 512


def parcels(data: Mapping[str, Any], clips: Mapping[str, Path], limit: int) -> Iterator[bytes]:
    """`data` as JSON in the first one, then clips by name, as many in each as fit into `limit` bytes.

    What is larger than a parcel alone is left out, and named beside the data.
    """
    sizes = {name: path.stat().st_size for name, path in clips.items() if path.is_file()}
    left_out = sorted(name for name in clips if sizes.get(name, limit) > limit - AROUND)
    told = json.dumps({**data, "files left out": left_out}, ensure_ascii=False, indent=1).encode()
    box, room = _Box(), limit - AROUND
    room -= box.put("data.json", told, zipfile.ZIP_DEFLATED)
    for name, path in clips.items():
        if name in left_out:
            continue
        if sizes[name] + AROUND > room:
            yield box.closed()
            box, room = _Box(), limit - AROUND
        room -= box.put(f"clips/{name}", path.read_bytes(), zipfile.ZIP_STORED)
    yield box.closed()


class _Box:
    """One ZIP in memory."""

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self._zip = zipfile.ZipFile(self._file, "w")

    def put(self, name: str, data: bytes, how: int) -> int:
        """Bytes that it took."""
        before = self._file.tell()
        self._zip.writestr(name, data, compress_type=how)
        return self._file.tell() - before + AROUND

    def closed(self) -> bytes:
        self._zip.close()
        return self._file.getvalue()
