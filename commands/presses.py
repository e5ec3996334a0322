"""Presses of buttons, heard by custom id, so that a button lives as long as its message."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import discord
from discord.ui import Button, DynamicItem, Item

from commands import gate, rules
from commands.errors import explained
from commands.house import House

#: Is given the house, the press, and what stands behind the colon of the custom id.
Act = Callable[[House, discord.Interaction[Any], str], Awaitable[None]]


def hearing(
    deed: str, act: Act, house: House, *, about: str = "[0-9A-Za-z.]{1,40}"
) -> type[DynamicItem[Button[Any]]]:
    """What hears every button of that deed, for `client.add_dynamic_items`; `about` is a pattern."""

    class Press(DynamicItem[Button[Any]], template=f"{deed}:(?P<about>{about})"):
        def __init__(self, about: str) -> None:
            super().__init__(Button(custom_id=f"{deed}:{about}"))
            self.about = about

        @classmethod
        async def from_custom_id(
            cls, interaction: discord.Interaction[Any], item: Item[Any], match: re.Match[str], /
        ) -> Press:
            return cls(match["about"])

        async def callback(self, interaction: discord.Interaction[Any]) -> None:
            async with explained(interaction):
                if not house.echoes.heard(interaction.id):
                    if deed not in gate.OPEN:
                        gate.admit(house, interaction)
                    if deed in gate.REROLLS and not await rules.agreed(house, interaction, self.go):
                        return
                    await self.go(interaction)

        async def go(self, interaction: discord.Interaction[Any]) -> None:
            await act(house, interaction, self.about)

    return Press
