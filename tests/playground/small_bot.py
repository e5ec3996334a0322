"""A bot in a process of its own: one command that gives a file back under a button that lives."""

import os

import discord
import yarl
from discord import app_commands

discord.http.Route.BASE = os.environ["ZOETROPE_DISCORD_API"]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["ZOETROPE_DISCORD_GATEWAY"])
discord.Asset.BASE = os.environ["ZOETROPE_DISCORD_CDN"]


class Again(discord.ui.DynamicItem[discord.ui.Button], template=r"again:(?P<job>\d+)"):
    def __init__(self, job: int) -> None:
        super().__init__(discord.ui.Button(label="Again", custom_id=f"again:{job}"))
        self.job = job

    @classmethod
    async def from_custom_id(cls, interaction, item, match):
        return cls(int(match["job"]))

    async def callback(self, interaction):
        await interaction.response.send_message(f"again {self.job}")


class Bot(discord.AutoShardedClient):
    async def setup_hook(self) -> None:
        self.add_dynamic_items(Again)
        await tree.sync()
        print("synced", flush=True)  # noqa: T201 -- the test reads it

    async def on_ready(self) -> None:
        print("ready", os.getpid(), flush=True)  # noqa: T201 -- the test reads it


bot = Bot(intents=discord.Intents(guilds=True), guild_ready_timeout=0.01)
tree = app_commands.CommandTree(bot)


@tree.command(description="Gives back")
async def give(interaction: discord.Interaction, file: discord.Attachment) -> None:
    view = discord.ui.View(timeout=None)
    await interaction.response.defer()
    given = await file.to_file()
    view.add_item(Again(5))
    await interaction.followup.send("given", file=given, view=view)


bot.run(os.environ["DISCORD_TOKEN"])
