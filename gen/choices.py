"""Choices: what servers and people set, in memory as in the ledger, so that no answer waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gen.ports import Ledger

Plain = Mapping[str, Any]


class Choices:
    """A view of the ledger that is read at the start and changed only once the ledger is."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._users: dict[int, Plain] = {}
        self._guilds: dict[int, Plain] = {}

    async def load(self) -> None:
        """Reads them all."""
        users, guilds = await self._ledger.people.chosen()
        self._users, self._guilds = dict(users), dict(guilds)

    def user(self, user: int) -> Plain:
        """What that person prefers, by the names of `gen.layers.SETTINGS`; empty when nothing was chosen."""
        return self._users.get(user, {})

    def guild(self, guild: int | None) -> Plain:
        """What that server's managers set; empty in direct messages."""
        return self._guilds.get(guild, {}) if guild else {}

    async def prefer(self, user: int, changes: Plain) -> None:
        """Changes some of a person's preferences, durably; None takes one back."""
        self._users[user] = await self._ledger.people.prefer(user, changes)

    async def set_guild(self, guild: int, changes: Plain) -> None:
        """Changes some of a server's settings, durably; None takes one back."""
        self._guilds[guild] = await self._ledger.people.set_guild(guild, changes)

    def forget(self, user: int) -> None:
        """The ledger has forgotten that person."""
        self._users.pop(user, None)
