"""Signed links: whoever has one gets the whole file of one clip, until a time."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode

from bot.gallery.seals import Seals

DAY = 86_400
PURPOSE = "link"
#: Seconds since 1970, as a link says them.
UNTIL = re.compile(r"[0-9]{1,12}")


class Link(NamedTuple):
    """One link."""

    address: str
    until: int  # seconds since 1970


class Links:
    """Makes and judges links under `base`."""

    def __init__(self, base: str, seals: Seals, *, days: float) -> None:
        self.base = base
        self.seals = seals
        self.days = days

    def to(self, job_id: str) -> Link:
        """A link to that job's clip, good from now on for so many days."""
        until = int(self.seals.now() + self.days * DAY)
        query = urlencode({"until": until, "seal": self.seals.mark(PURPOSE, f"{job_id}.{until}")})
        return Link(f"{self.base}{path(job_id)}?{query}", until)

    def good(self, job_id: str, until: str, seal: str) -> bool:
        """Whether a link was made here and has not run out."""
        if not UNTIL.fullmatch(until) or not self.seals.fits(PURPOSE, f"{job_id}.{until}", seal):
            return False
        return int(until) >= self.seals.now()


def path(job_id: str) -> str:
    """Where on the gallery a job's whole file is."""
    return f"/full/{job_id}.mp4"
