"""One bot to a data folder: two on one database would make and post everything twice."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gen.errors import Misconfigured


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Holds the folder; the lock goes with the process, however it ends. Raises Misconfigured."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+b") as file:
        try:
            _lock(file.fileno())
        except OSError as error:
            raise Misconfigured(
                "Another bot already runs on the data folder {folder}; stop it, or set ZOETROPE_DATA.",
                folder=str(folder),
            ) from error
        yield


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
