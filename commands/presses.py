"""Presses of buttons and choices in menus, heard by custom id: they live as long as their message."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import discord
from discord.ui import Button, DynamicItem, Item, Select

from commands import gate, rules
from commands.errors import explained
from commands.house import House
from commands.tongue import heed

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
            heed(house, interaction)
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


#: Is given the house, the choice, what stands behind the colon of the custom id, and the values.
Chosen = Callable[[House, discord.Interaction[Any], str, list[str]], Awaitable[None]]


def choosing(deed: str, act: Chosen, house: House) -> type[DynamicItem[Select[Any]]]:
    """What hears every menu of that deed, whatever it lists, for `client.add_dynamic_items`."""

    class Choice(DynamicItem[Select[Any]], template=f"{deed}:(?P<about>[a-z]{{1,40}})"):
        def __init__(self, item: Item[Any], about: str) -> None:
            super().__init__(item)  # type: ignore[arg-type]  # a Select, or a ChannelSelect
            self.about = about

        @classmethod
        async def from_custom_id(
            cls, interaction: discord.Interaction[Any], item: Item[Any], match: re.Match[str], /
        ) -> Choice:
            return cls(item, match["about"])

        async def callback(self, interaction: discord.Interaction[Any]) -> None:
            heed(house, interaction)
            data: Mapping[str, Any] = interaction.data or {}
            values = [str(value) for value in data.get("values", [])]
            async with explained(interaction):
                if not house.echoes.heard(interaction.id):
                    gate.admit(house, interaction)
                    await act(house, interaction, self.about, values)

    return Choice
