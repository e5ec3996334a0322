"""Every family of models makes a clip in the channel: the real bot, the real loader, tiny checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
import tiny_video

from tests.running import picture, running, texts, until_clips

DEFAULTS = '[default]\ntext = "animatediff"\nimage = "svd"\ninterp = "framepack"\n\n[engine]\nidle = 0\n'


def table(name: str, task: str, family: str, weights: dict[str, Any], extra: str = "") -> str:
    """A recipe's table, as an operator writes it."""
    named = "".join(f"weights.{part} = {json.dumps(str(place))}\n" for part, place in weights.items())
    return (
        f'\n[recipe.{name}]\ntask = "{task}"\nfamily = "{family}"\nabout = "Tiny"\n{named}{extra}'
        'sizes = { "1:1" = [32, 32] }\nsteps = { default = 2, least = 1, most = 8 }\n'
    )


def config(store: Path) -> str:
    """The settings of a bot with all families."""
    motion, lora = store / "motion", store / "lora" / "diffusion_pytorch_model.safetensors"
    tiny.motion().save_pretrained(motion)
    tiny.motion_lora(lora, tiny.motion(), seed=1)
    base, svd = tiny.stable_diffusion(store / "base"), tiny_video.svd(store / "svd")
    pack = tiny_video.framepack(store / "framepack")
    parts = {"base": pack / "base", "transformer": pack / "transformer", "eye": pack / "eye"}
    camera = f'weights.lora."zoom in" = {json.dumps(str(lora.parent))}\ncamera = true\nclip_frames = 6\n'
    return DEFAULTS + "".join(
        (
            table("animatediff", "text", "animatediff", {"base": base, "motion": motion}, camera),
            table(
                "t2i-svd",
                "text",
                "t2isvd",
                {"text": base, "base": svd},
                "clip_frames = 3\noptions.text_steps = 2\n",
            ),
            table("wan", "text", "wan", {"base": tiny_video.wan(store / "wan")}, "clip_frames = 5\n"),
            table("ltx", "text", "ltx", {"base": tiny_video.ltx(store / "ltx")}, "clip_frames = 9\n"),
            table("svd", "image", "svd", {"base": svd}, "clip_frames = 3\n"),
            table("framepack", "interp", "framepack", parts, "clip_frames = 25\noptions.window = 3\n"),
        )
    )


async def test_every_family_in_the_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tiny tensors gain nothing from more
    settings = tmp_path / "config.toml"
    settings.write_text(config(tmp_path / "weights"), "utf-8")
    async with running(tmp_path, settings) as (place, _):
        ada, channel = place.person("Ada"), place.channel("clips")
        for count, words in enumerate(
            ("red star -camera zoom in", "red star -model t2i-svd", "red star -model wan", "star -model ltx"),
            start=1,
        ):
            await ada.slash(channel, "animate", {"prompt": words})
            await until_clips(place, channel, count, 60)
        await ada.slash(channel, "img2vid", {"image": ("photo.png", picture())})
        await until_clips(place, channel, 5, 60)
        ends = {"first": ("a.png", picture(seed=1)), "last": ("b.png", picture(seed=2))}
        await ada.slash(channel, "interp", {**ends, "prompt": "red star"})
        made = await until_clips(place, channel, 6, 60)
        assert len({one["attachments"][0]["filename"] for one in made}) == 6
        await place.until(lambda: len(texts(place, channel)) == 6)
        shown = " ".join(texts(place, channel))
        assert all(
            f"{name}" in shown for name in ("animatediff", "t2i-svd", "wan", "ltx", "svd", "framepack")
        ), shown
