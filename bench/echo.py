"""The baseline: the barest bot that answers a command, on the same stand-in."""

from __future__ import annotations

import os

import discord
from discord import app_commands

from bot.client import direct
from bot.settings import Discord


class Echo(discord.AutoShardedClient):
    """Says the prompt back."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.none(), max_messages=None)
        self.tree: app_commands.CommandTree[Echo] = app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        """Publishes its one command."""

        @self.tree.command(description="Says it back")
        async def animate(interaction: discord.Interaction[Echo], prompt: str) -> None:
            await interaction.response.send_message(prompt)

        await self.tree.sync()


def main() -> None:
    """Runs until killed."""
    named = {key: os.environ[f"ZOETROPE_DISCORD_{key.upper()}"] for key in ("api", "gateway", "cdn")}
    direct(Discord(**named))
    Echo().run(os.environ["DISCORD_TOKEN"], log_handler=None)


if __name__ == "__main__":
    main()
