"""Pre-flight: what can be refused before any work is done, in words that name the fix."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import discord

from gen.errors import BadRequest, NotAllowed

#: What the bot must be allowed in a channel to deliver a clip there, as Discord's settings name it.
NEEDED: Mapping[str, str] = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "attach_files": "Attach Files",
    "read_message_history": "Read Message History",
}
IN_THREADS = "Send Messages in Threads"

MIB = 2**20


def demand(has: discord.Permissions, *, thread: bool) -> None:
    """Raises NotAllowed naming the permissions that the bot lacks in a channel or thread."""
    needed = dict(NEEDED)
    if thread:
        del needed["send_messages"]
        needed["send_messages_in_threads"] = IN_THREADS
    if missing := [words for right, words in needed.items() if not getattr(has, right)]:
        raise NotAllowed(
            "I may not deliver a clip here: ask a moderator to give me {permissions} in this channel.",
            permissions=", ".join(missing),
        )


class Preflight:
    """`gen.studio.Preflight`: words, room on disk, and pictures that were kept. Takes well under 1 ms."""

    def __init__(
        self,
        data: Path,
        *,
        room: int,  # MiB that must be free
        refuse: Iterable[str] = (),  # patterns of the words policy, see `pattern`
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,  # bytes
    ) -> None:
        self.pictures = data / "pictures"
        self.data = data
        self.room = room
        self.refused = pattern(refuse)
        self.free = free

    def __call__(self, prompt: str, pictures: Sequence[str] = ()) -> None:
        """Raises NotAllowed or BadRequest when no clip may be made of these now.

        `pictures` are names of files that an earlier job kept.
        """
        if self.refused.search(folded(prompt)):
            raise NotAllowed(
                "A word in the prompt is not allowed on this bot; say it in other words, or ask its operator."
            )
        if self.free(self.data) < self.room * MIB:
            raise NotAllowed(
                "The bot's disk is nearly full, so it takes no clips now; its operator can make room."
            )
        if not all((self.pictures / name).is_file() for name in pictures):
            raise BadRequest("The picture of that clip is no longer kept; send it again.")


def folded(text: str) -> str:
    """The text as the policy reads it: without case, in one form of each letter, without invisible signs."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")


def pattern(refused: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the refused words, whole, in a folded text; `*` stands for any letters, a space for any
    white space.

    Scripts that write without spaces (Chinese, Japanese …) are found anywhere.
    """
    spaced, unspaced = [r"(?!)"], [r"(?!)"]  # nothing is found where nothing is refused
    for words in refused:
        plain = " ".join(folded(words).split())
        body = re.escape(plain).replace(r"\*", r"\w*").replace(r"\ ", r"\s+")
        (unspaced if _unspaced(plain[:1]) or _unspaced(plain[-1:]) else spaced).append(body)
    return re.compile(rf"(?<!\w)(?:{'|'.join(spaced)})(?!\w)|{'|'.join(unspaced)}")


def _unspaced(letter: str) -> bool:
    return bool(letter) and unicodedata.east_asian_width(letter) in "WF"
