"""/interp: two pictures to one clip between them."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import options
from commands.house import House
from commands.making import make
from gen.job import Task


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command."""

    @tree.command(name="interp", description="Turn one picture into another")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        **options.about(
            "first", "last", "prompt", "seconds", "loop", "model", "aspect", "fps", "negative", "seed",
            "guidance", "steps", "private",
        )
    )  # fmt: skip
    @app_commands.choices(aspect=options.ASPECT)
    @app_commands.autocomplete(
        model=options.models(house, Task.INTERP), prompt=options.prompts(house, Task.INTERP)
    )
    async def interp(
        interaction: discord.Interaction[Any],
        first: discord.Attachment,
        last: discord.Attachment,
        prompt: options.Words = "",
        seconds: options.Seconds | None = None,
        loop: bool | None = None,
        model: str | None = None,
        aspect: str | None = None,
        fps: options.Fps | None = None,
        negative: options.Words | None = None,
        seed: options.Seed | None = None,
        guidance: options.Guidance | None = None,
        steps: options.Steps | None = None,
        private: bool | None = None,
    ) -> None:
        asked = {
            "seconds": seconds, "loop": loop, "model": model, "aspect": aspect, "fps": fps,
            "negative": negative, "seed": seed, "guidance": guidance, "steps": steps,
        }  # fmt: skip
        await make(house, interaction, Task.INTERP, prompt, asked, [first, last], private=private)
