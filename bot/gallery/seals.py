"""What the gallery gives away and takes back later is sealed: with one key, for one purpose, until a time."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from gen.errors import Misconfigured

#: The key's file in the data folder, and its bytes.
FILE = "gallery.key"
LENGTH = 32


def key(data: Path) -> bytes:
    """The key in the data folder, made at first use, for the bot's own eyes. Raises Misconfigured."""
    file = data / FILE
    try:
        if not file.exists():
            _make(file)
        if sys.platform != "win32" and file.stat().st_mode & 0o077:
            raise Misconfigured(
                "Others can read {file}: delete it (everyone signs in anew, old links end) or chmod 600 it.",
                file=FILE,
            )
        found = file.read_bytes()
    except OSError as error:
        raise Misconfigured("{file} cannot be read: {fault}.", file=FILE, fault=str(error)) from error
    if len(found) != LENGTH:
        raise Misconfigured("{file} is not whole; delete it.", file=FILE)
    return found


def _make(file: Path) -> None:
    """Writes a new key: whole or not at all."""
    draft = file.with_name(f"{FILE}.draft")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as there:
        there.write(secrets.token_bytes(LENGTH))
        there.flush()
        os.fsync(there.fileno())
    draft.replace(file)


class Seals:
    """Seals and opens. Whatever is wrong with a seal, the answer is the same: it is none of ours."""

    def __init__(self, key: bytes, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self.now = now

    def mark(self, purpose: str, text: str) -> str:
        """What only this key makes of `text` for this purpose: HMAC-SHA256 in 43 letters of base64url."""
        mine = hmac.digest(self._key, purpose.encode(), hashlib.sha256)
        return _letters(hmac.digest(mine, text.encode(), hashlib.sha256))

    def fits(self, purpose: str, text: str, mark: str) -> bool:
        """Whether `mark` is that of `text`, told in the same time whichever letter is wrong."""
        return hmac.compare_digest(self.mark(purpose, text).encode(), mark.encode("utf-8", "replace"))

    def seal(self, purpose: str, text: str, lives: float) -> str:
        """`text`, to be opened for `lives` seconds; it can be read by whoever has it, and not be changed."""
        body = f"{_letters(text.encode())}.{int(self.now() + lives)}"
        return f"{body}.{self.mark(purpose, body)}"

    def open(self, purpose: str, sealed: str) -> str | None:
        """What was sealed here for that purpose and has not run out."""
        body, _, mark = sealed.rpartition(".")
        letters, _, until = body.rpartition(".")
        if not self.fits(purpose, body, mark) or int(until) < self.now():
            return None
        return urlsafe_b64decode(letters + "=" * (-len(letters) % 4)).decode()


def _letters(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
