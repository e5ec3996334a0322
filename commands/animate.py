"""/animate: a prompt to a clip; with an image, both to a clip; with a video, a clip that moves so."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from commands import options
from commands.house import House
from commands.making import make
from gen.errors import BadRequest
from gen.job import Task


def add(tree: app_commands.CommandTree[Any], house: House) -> None:
    """Adds the command."""

    filmed = any(recipe.on and recipe.task is Task.VIDEO for recipe in house.studio.recipes.values())

    @tree.command(name="animate", description="Make a clip from a prompt, or from a picture and a prompt")
    @options.without(*(() if filmed else ("video",)))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        **options.about(
            "prompt", "image", *(["video"] if filmed else []), "model", "camera", "motion", "aspect",
            "seconds", "fps", "negative", "seed", "guidance", "steps", "loop", "private",
        )
    )  # fmt: skip
    @app_commands.choices(camera=options.CAMERA, aspect=options.ASPECT)
    @app_commands.autocomplete(
        model=options.models(house, Task.TEXT, image=Task.IMAGE, video=Task.VIDEO),
        prompt=options.prompts(house, Task.TEXT, Task.IMAGE, Task.VIDEO),
    )
    async def animate(
        interaction: discord.Interaction[Any],
        prompt: options.Words,
        image: discord.Attachment | None = None,
        video: discord.Attachment | None = None,
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
        if image and video:
            raise BadRequest("Attach an image or a video, not both.")
        task = Task.IMAGE if image else Task.VIDEO if video else Task.TEXT
        files = [file for file in (image, video) if file]
        await make(house, interaction, task, prompt, asked, files, private=private)
