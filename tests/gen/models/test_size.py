"""The memory that a recipe states, beside the weights of the family's full size, built without any memory.

The configurations are the published ones: the classes' own defaults where those are the published model's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import diffusers as d
import pytest
import torch
import transformers as t

from bot.settings import load
from gen.job import Picture, Task
from gen.machine import Table
from gen.models import nibble
from gen.models.device import GIB, Machine, choose
from gen.prompt import Ask
from gen.recipe import Recipe, shipped

CONFIG = Path(__file__).parents[3] / "config.toml"
RECIPES = shipped(CONFIG)
AUTO = Table.read(tomllib.loads(CONFIG.read_text("utf-8"))["auto"], RECIPES, "config.toml: auto")
PICTURE = Picture(name="a.png", width=832, height=480)
PICTURES = {Task.TEXT: (), Task.IMAGE: (PICTURE,), Task.INTERP: (PICTURE, PICTURE)}
#: Floating-point operations a second at 16 bits that cards with 90, 40 and 22 GiB free come to in such work.
LARGE, MIDDLE, SMALL = 4e14, 1.6e14, 0.6e14
#: GiB beside the weights that a clip's own work may be stated to want: 16 small frames to 121 large ones.
LEAST, MOST = 2.5, 16.0


@cache
def weight(build: Callable[[], Any], size: int = 2) -> float:
    """GiB of the model's weights at so many bytes each."""
    with torch.device("meta"):
        model = build()
    return sum(each.numel() for each in model.parameters()) * size / GIB


Parts = dict[str, float]


def stable_diffusion(*more: Callable[[], Any]) -> Parts:
    """1.5, with its motion in it; each of `more` is a controlnet."""
    return {
        "text_encoder": weight(_clip),
        "unet": weight(_unet) + weight(d.MotionAdapter),
        "vae": weight(_vae),
        **{f"controlnet_{number}": weight(each) for number, each in enumerate(more)},
    }


def _unet() -> Any:
    return d.UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


def _vae() -> Any:
    return d.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip


def _clip() -> Any:
    return t.CLIPTextModel(
        t.CLIPTextConfig(
            hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
        )
    )


def _eye() -> Any:  # CLIP's largest: Stable Video Diffusion's and Wan's
    return t.CLIPVisionModelWithProjection(
        t.CLIPVisionConfig(
            hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16,
            image_size=224, patch_size=14, projection_dim=1024,
        )
    )  # fmt: skip


def _control() -> Any:
    return d.ControlNetModel(cross_attention_dim=768)


def _pose() -> Any:
    return t.VitPoseForPoseEstimation(
        t.VitPoseConfig(backbone_config=t.VitPoseBackboneConfig(out_indices=[12]), num_labels=17)
    )


def _person() -> Any:
    return t.RTDetrForObjectDetection(t.RTDetrConfig(num_labels=80))


def _depth() -> Any:  # the small one
    eye = t.Dinov2Config(
        image_size=518, patch_size=14, hidden_size=384, num_hidden_layers=12, num_attention_heads=6,
        out_indices=[3, 6, 9, 12], reshape_hidden_states=False,
    )  # fmt: skip
    return t.DepthAnythingForDepthEstimation(
        t.DepthAnythingConfig(
            backbone_config=eye, reassemble_hidden_size=384, neck_hidden_sizes=[48, 96, 192, 384],
            fusion_hidden_size=64,
        )
    )  # fmt: skip


def svd() -> Parts:
    """What sees the picture, in its coder, is kept at 32 bits."""
    coder = weight(_video_vae) + weight(lambda: _video_vae().encoder)
    return {"image_encoder": weight(_eye), "unet": weight(d.UNetSpatioTemporalConditionModel), "vae": coder}


def _video_vae() -> Any:
    return d.AutoencoderKLTemporalDecoder(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
    )  # fmt: skip


def ltx() -> Parts:
    vae = weight(d.AutoencoderKLLTXVideo)
    return {"text_encoder": weight(_t5), "transformer": weight(_ltx), "vae": vae}


def _ltx() -> Any:  # 13B
    return d.LTXVideoTransformer3DModel(
        num_attention_heads=32, attention_head_dim=128, cross_attention_dim=4096, num_layers=48
    )


def _t5() -> Any:
    return t.T5EncoderModel(
        t.T5Config(
            vocab_size=32128, d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64,
            feed_forward_proj="gated-gelu",
        )
    )  # fmt: skip


def _umt5() -> Any:
    return t.UMT5EncoderModel(
        t.UMT5Config(
            vocab_size=256384, d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64,
            feed_forward_proj="gated-gelu",
        )
    )  # fmt: skip


def _wan_small() -> Any:
    return d.WanTransformer3DModel(num_attention_heads=12, ffn_dim=8960, num_layers=30)


def _wan_middle() -> Any:
    return d.WanTransformer3DModel(
        num_attention_heads=24, ffn_dim=14336, num_layers=30, in_channels=48, out_channels=48
    )


def _wan_middle_vae() -> Any:
    return d.AutoencoderKLWan(
        base_dim=160, decoder_base_dim=256, z_dim=48, is_residual=True, in_channels=12, out_channels=12,
        patch_size=2, latents_mean=[0.0] * 48, latents_std=[1.0] * 48,
    )  # fmt: skip


def _wan_pictures() -> Any:
    return d.WanTransformer3DModel(in_channels=36, image_dim=1280, added_kv_proj_dim=5120)


def wan(*denoisers: Callable[[], Any], vae: Callable[[], Any] = d.AutoencoderKLWan, eye: int = 0) -> Parts:
    """The vae and the eye are kept at 32 bits."""
    return {
        "text_encoder": weight(_umt5),
        **{f"transformer_{number}": weight(each) for number, each in enumerate(denoisers, start=1)},
        "vae": weight(vae, 4),
        **({"image_encoder": weight(_eye, 4)} if eye else {}),
    }


def framepack() -> Parts:
    return {
        "text_encoder": weight(_llama), "text_encoder_2": weight(_clip), "transformer": weight(_framepack),
        "vae": weight(d.AutoencoderKLHunyuanVideo), "image_encoder": weight(_siglip),
    }  # fmt: skip


def _framepack() -> Any:
    return d.HunyuanVideoFramepackTransformer3DModel(has_image_proj=True, has_clean_x_embedder=True)


def _llama() -> Any:
    return t.LlamaModel(
        t.LlamaConfig(
            vocab_size=128320, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
            num_attention_heads=32, num_key_value_heads=8,
        )
    )  # fmt: skip


def _siglip() -> Any:
    return t.SiglipVisionModel(
        t.SiglipVisionConfig(
            hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16,
            image_size=384, patch_size=14,
        )
    )  # fmt: skip


#: GiB of each recipe's parts.
PARTS: dict[str, Callable[[], Parts]] = {
    "animatediff": stable_diffusion,
    "animatediff-lightning": stable_diffusion,
    "animatelcm": stable_diffusion,
    "animatediff-sparse": lambda: stable_diffusion(d.SparseControlNetModel),
    "animatediff-pose": lambda: stable_diffusion(_control),
    "animatediff-depth": lambda: stable_diffusion(_control),
    "svd": svd,
    "svd-xt": svd,
    "t2i-svd": svd,  # its first model has left when the second comes
    "ltx": ltx,
    "ltx-i2v": ltx,
    "ltx-interp": ltx,
    "wan-1.3b": lambda: wan(_wan_small),
    "fastwan": lambda: wan(_wan_small),
    "wan-5b": lambda: wan(_wan_middle, vae=_wan_middle_vae),
    "wan-5b-i2v": lambda: wan(_wan_middle, vae=_wan_middle_vae),
    "wan-14b": lambda: wan(d.WanTransformer3DModel, d.WanTransformer3DModel),
    "wan-i2v": lambda: wan(_wan_pictures, eye=1),
    "wan-flf2v": lambda: wan(_wan_pictures, eye=1),
    "framepack": framepack,
}
#: GiB of what looks at a video, beside the pipeline.
EYES: dict[str, Callable[[], float]] = {
    "animatediff-pose": lambda: weight(_pose, 4) + weight(_person, 4),
    "animatediff-depth": lambda: weight(_depth, 4),
}


def test_every_recipe_for_a_gpu_is_weighed() -> None:
    assert PARTS.keys() == {recipe.name for recipe in RECIPES.values() if recipe.memory >= 1}


@pytest.mark.parametrize("name", PARTS)
def test_memory(name: str) -> None:
    weights, memory = sum(PARTS[name]().values()), RECIPES[name].memory
    weights += EYES[name]() if name in EYES else 0.0
    print(f"{name}: {weights:.1f} GiB of weights, {memory:g} GiB stated")  # noqa: T201, read with -s
    assert weights + LEAST <= memory <= weights + MOST


@pytest.mark.parametrize(
    ("name", "least"),
    [(name, least) for models in AUTO.models.values() for name, least in models.items() if name in PARTS],
)
def test_what_auto_takes_is_fast_where_it_is_taken(name: str, least: float) -> None:
    """With no more free than it asks for, a part at a time is on the card, not a few layers."""
    rung = choose(Machine("cuda", "a card", least, least), PARTS[name](), RECIPES[name].memory)
    assert rung in ("whole", "parts")


def work(recipe: Recipe, transformer: Any, width: int, height: int) -> float:
    """Floating-point operations of a Wan clip that asks for nothing: two for each weight and token, and
    attention between all tokens, at each step and, with guidance, twice."""
    narrow = 32 if transformer.config.in_channels == 48 else 16  # pixels of a token's side
    frames = recipe.request(Ask(prompt="a"), PICTURES[recipe.task], 1).frames
    tokens = ((frames - 1) // 4 + 1) * (width // narrow) * (height // narrow)
    config = transformer.config
    wide = config.num_attention_heads * config.attention_head_dim
    weights = sum(each.numel() for each in transformer.parameters())
    once = 2 * weights * tokens + 4 * tokens**2 * wide * config.num_layers
    assert recipe.steps and recipe.guidance
    return once * recipe.steps.default * (2 if recipe.guidance.default > 1 else 1)


@pytest.mark.parametrize(
    ("name", "build", "speed"),
    [
        ("wan-14b", d.WanTransformer3DModel, LARGE), ("wan-i2v", _wan_pictures, LARGE),
        ("wan-flf2v", _wan_pictures, LARGE), ("wan-5b", _wan_middle, MIDDLE),
        ("wan-5b-i2v", _wan_middle, MIDDLE), ("wan-1.3b", _wan_small, SMALL),
    ],
)  # fmt: skip
def test_a_clip_that_asks_for_nothing_is_well_within_patience(
    name: str, build: Callable[[], Any], speed: float
) -> None:
    """On the cards that auto takes it on: half of the time is for what this does not count."""
    with torch.device("meta"):
        transformer = build()
    patience = load(CONFIG, {}).engine.patience
    for size in RECIPES[name].sizes.values():
        took = work(RECIPES[name], transformer, *size) / speed
        print(f"{name}, {size}: {took:.0f} s of denoising")  # noqa: T201, read with -s
        assert took <= patience / 2


def test_the_published_sizes() -> None:
    """Parameters in billions, as their papers and cards have them."""
    billions = 2e9 / GIB
    for build, wanted in (
        (_unet, 0.86), (d.MotionAdapter, 0.45), (d.UNetSpatioTemporalConditionModel, 1.52), (_ltx, 13.0),
        (_t5, 4.76), (_umt5, 5.68), (_wan_small, 1.42), (_wan_middle, 5.0), (d.WanTransformer3DModel, 14.3),
        (_wan_pictures, 16.4), (_llama, 7.5), (_control, 0.361), (_pose, 0.086), (_person, 0.043),
        (_depth, 0.0248),
    ):  # fmt: skip
        assert weight(build) / billions == pytest.approx(wanted, rel=0.03), build


#: GiB of the text encoders of full size, as they are and in 4 bits.
READERS: dict[Callable[[], Any], tuple[float, float]] = {
    _umt5: (10.6, 5.7),
    _t5: (8.9, 4.0),
    _llama: (14.0, 4.6),
}


@pytest.mark.parametrize("build", READERS)
def test_four_bits(build: Callable[[], Any]) -> None:
    with torch.device("meta"):
        narrow = nibble.size(build().to(torch.bfloat16))
    assert (weight(build), narrow) == pytest.approx(READERS[build], abs=0.1)


@pytest.mark.parametrize(
    ("free", "rung"),
    [(24, "whole"), (15, "parts"), (11.3, "lean"), (10, "lean"), (9, "layers"), (7, "small")],
)
def test_the_small_wan_on_cards(free: float, rung: str) -> None:
    """GiB free, of its weights as they are and of its text encoder in 4 bits."""
    parts = {
        "text_encoder": weight(_umt5),
        "transformer": weight(_wan_small),
        "vae": weight(d.AutoencoderKLWan, 4),
    }
    with torch.device("meta"):
        narrow = {"text_encoder": nibble.size(_umt5().to(torch.bfloat16))}
    machine = Machine("cuda", "a card", free, free)
    assert choose(machine, parts, RECIPES["wan-1.3b"].memory, lambda: narrow) == rung
