"""/img2vid: a picture, and perhaps a prompt, to a clip."""

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

    @tree.command(name="img2vid", description="Set a picture in motion")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        **options.about(
            "image", "prompt", "model", "camera", "motion", "aspect", "seconds", "fps", "negative", "seed",
            "guidance", "steps", "loop", "private",
        )
    )  # fmt: skip
    @app_commands.choices(camera=options.CAMERA, aspect=options.ASPECT)
    @app_commands.autocomplete(
        model=options.models(house, Task.IMAGE), prompt=options.prompts(house, Task.IMAGE)
    )
    async def img2vid(
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        prompt: options.Words = "",
        model: str | None = None,
        camera: str | None = None,
        motion: options.Motion | None = None,
        aspect: str | None = None,
        seconds: options.Seconds | None = None,
        fps: options.Fps | None = None,
        negative: options.Words | None = None,
        seed: options.Seed | None = None,
        guidance: options.Guidance | None = None,
        steps: options.Steps | None = None,
        loop: bool | None = None,
        private: bool | None = None,
    ) -> None:
        asked = {
            "model": model, "camera": camera, "motion": motion, "aspect": aspect, "seconds": seconds,
            "fps": fps, "negative": negative, "seed": seed, "guidance": guidance, "steps": steps,
            "loop": loop,
        }  # fmt: skip
        await make(house, interaction, Task.IMAGE, prompt, asked, [image], private=private)
