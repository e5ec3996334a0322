"""Pre-flight: what can be refused before any work is done, in words that name the fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import discord

from bot.lexicon import NOTHING, Lexicon
from gen.errors import BadRequest, NotAllowed
from gen.layers import Words
from gen.prompt import Ask

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
        lexicon: Lexicon = NOTHING,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,  # bytes
    ) -> None:
        self.pictures = data / "pictures"
        self.data = data
        self.room = room
        self.lexicon = lexicon
        self.free = free

    def __call__(self, ask: Ask, words: Words, pictures: Sequence[str] = ()) -> tuple[Ask, tuple[str, ...]]:
        """What may be made of it, and the words that were left out. Raises NotAllowed or BadRequest when that
        is nothing now.

        `pictures` are names of files that an earlier job kept.
        """
        judged = self._worded(ask, words)
        if self.free(self.data) < self.room * MIB:
            raise NotAllowed(
                "The bot's disk is nearly full, so it takes no clips now; its operator can make room."
            )
        if not all((self.pictures / name).is_file() for name in pictures):
            raise BadRequest("The picture of that clip is no longer kept; send it again.")
        return judged

    def _worded(self, ask: Ask, policy: Words) -> tuple[Ask, tuple[str, ...]]:
        """`ask` in words that are allowed, and what was left out. Raises NotAllowed."""
        written = {"prompt": ask.prompt, "negative": ask.negative or ""}
        if policy is Words.OFF or not any(self.lexicon.finds(text) for text in written.values()):
            return ask, ()
        softer = {name: self.lexicon.soften(text) for name, text in written.items()}
        prompt, negative = softer["prompt"][0], softer["negative"][0]
        if policy is not Words.SOFTEN or bool(prompt) < bool(ask.prompt):  # or nothing would be left
            raise NotAllowed(
                "A word in the prompt is not allowed on this bot; say it in other words, or ask its operator."
            )
        left_out = (*softer["prompt"][1], *softer["negative"][1])
        return replace(ask, prompt=prompt, negative=negative or None), left_out
