"""Every family of models makes a clip in the channel: the real bot, the real loader, tiny checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import tiny_control
import tiny_video

from gen import encode
from tests.running import picture, running, texts, until_clips
from tests.speaking import pressed, refusal

BASIC = ("testcard", "camera", "flow")

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


async def test_every_family_in_the_channel(tmp_path: Path) -> None:
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


def filming(store: Path) -> str:
    """The settings of a bot whose /animate follows videos."""
    tiny.motion().save_pretrained(store / "motion")
    parts = {
        "base": tiny.stable_diffusion(store / "base"), "motion": store / "motion",
        "control": tiny_control.control(store / "control"), "depth": tiny_control.depth(store / "depth"),
        "person": tiny_control.person(store / "person"), "pose": tiny_control.pose(store / "pose"),
    }  # fmt: skip
    led = "seconds = { default = 1, least = 0.5, most = 2 }\nfps = { default = 8, least = 8, most = 12 }\n"
    return "[engine]\nidle = 0\n" + "".join(
        table(
            f"animatediff-{condition}", "video", "animatediff",
            {name: parts[name] for name in ("base", "motion", "control", *wanted)},
            f'options.condition = "{condition}"\n{led}',
        )
        for condition, wanted in (("depth", ["depth"]), ("pose", ["person", "pose"]))
    )  # fmt: skip


def reel(folder: Path) -> bytes:
    """A second of a video in which something moves."""
    clip = np.zeros((12, 48, 48, 3), np.uint8)
    for index, frame in enumerate(clip):
        frame[10:38, 2 * index : 2 * index + 20] = (250, 200, 40)
    encode.write(clip, 12, folder / "reel.mp4", limit=2**20, about={})
    return (folder / "reel.mp4").read_bytes()


@pytest.mark.timeout(900)  # three clips in turn, and a busy machine takes a minute to load what they need
async def test_a_clip_that_follows_a_video(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    shipped = (Path(__file__).parents[3] / "config.toml").read_text("utf-8")
    basic = [f"[recipe.{name}]" + shipped.split(f"[recipe.{name}]")[1].split("\n[")[0] for name in BASIC]
    settings.write_text("\n".join([filming(tmp_path / "weights"), *basic]), "utf-8")
    video = ("dance.mp4", reel(tmp_path))
    async with running(tmp_path, settings) as (place, bot):
        ada, channel = place.person("Ada"), place.channel("clips")
        deed = await ada.slash(channel, "animate", {"prompt": "red star", "video": ("a.mp4", b"%PDF-1.7")})
        assert "a.mp4 is not a video I can read; MP4, MOV and WebM work." in await refusal(
            place, deed, late=True
        )
        both = {"prompt": "red star", "video": video, "image": ("photo.png", picture())}
        assert "not both" in await refusal(place, await ada.slash(channel, "animate", both))
        picked = {"prompt": "red star", "video": ("photo.png", picture())}
        assert "is no video (image/png)" in await refusal(place, await ada.slash(channel, "animate", picked))
        await ada.slash(channel, "animate", {"prompt": "red star", "video": video})
        (first,) = await until_clips(place, channel, 1, 400)
        kept = list((bot.data / "pictures").iterdir())
        assert [file.suffix for file in kept] == [".mp4"]
        await pressed(ada, first, "reroll")
        await until_clips(place, channel, 2, 200)
        deed = await (await pressed(ada, first, "remix")).settled()
        assert deed.modal
        await ada.submit(deed.modal, {"words": "blue star -model animatediff-pose"})
        await until_clips(place, channel, 3, 200)
        assert list((bot.data / "pictures").iterdir()) == kept  # the same video all the time
        await place.until(lambda: "animatediff-pose" in " ".join(texts(place, channel)))
        assert "animatediff-depth" in " ".join(texts(place, channel))
