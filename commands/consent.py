"""Consent: who accepted the house rules, and what goes on once someone does."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import discord

from gen.choices import Choices

#: Under this name a person's preferences hold the mark of the rules that they accepted.
KEY = "rules"
#: Commands that wait for their person's consent; the oldest is forgotten, and typed again.
MOST = 500

#: Does what was asked for, in answer to the interaction that it is given.
Go = Callable[[discord.Interaction[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Held:
    """What someone asked for. `fresh` is an unanswered copy, `shown` is what shows the rules."""

    shown: discord.Interaction[Any]
    fresh: discord.Interaction[Any]
    go: Go


class Consent:
    """Acceptance is durable; what waits for it lives in memory, and is lost with the process."""

    def __init__(self, text: str, choices: Choices) -> None:
        self.text = text.strip()
        self.mark = hashlib.sha256(self.text.encode()).hexdigest()[:16]  # another text asks anew
        self._choices = choices
        self._held: OrderedDict[int, Held] = OrderedDict()

    def given(self, user: int) -> bool:
        """Whether there is nothing to accept, or the person has accepted it."""
        return not self.text or self._choices.user(user).get(KEY) == self.mark

    async def give(self, user: int) -> None:
        """The person accepts the rules as they are."""
        await self._choices.prefer(user, {KEY: self.mark})

    def hold(self, held: Held) -> None:
        """Keeps what someone asked for until they accept."""
        self._held[held.shown.id] = held
        if len(self._held) > MOST:
            self._held.popitem(last=False)

    def take(self, interaction: int) -> Held | None:
        """What waits since that interaction, once."""
        return self._held.pop(interaction, None)
