"""The memory that a recipe states, beside the weights of the family's full size, built without any memory.

The configurations are the published ones: the classes' own defaults where those are the published model's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import diffusers as d
import pytest
import torch
import transformers as t

from gen.models import nibble
from gen.models.device import GIB, Machine, choose
from gen.recipe import shipped

RECIPES = shipped(Path(__file__).parents[3] / "config.toml")
#: GiB beside the weights that a clip's own work may be stated to want: 16 small frames to 121 large ones.
LEAST, MOST = 2.5, 16.0


@cache
def weight(build: Callable[[], Any], size: int = 2) -> float:
    """GiB of the model's weights at so many bytes each."""
    with torch.device("meta"):
        model = build()
    return sum(each.numel() for each in model.parameters()) * size / GIB


def stable_diffusion() -> float:
    """1.5, without its motion."""
    return sum(map(weight, (_unet, _vae, _clip)))


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


def svd() -> float:
    """What sees the picture, in its coder, is kept at 32 bits."""
    coder = weight(_video_vae) + weight(lambda: _video_vae().encoder)
    return weight(_eye) + weight(d.UNetSpatioTemporalConditionModel) + coder


def _video_vae() -> Any:
    return d.AutoencoderKLTemporalDecoder(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
    )  # fmt: skip


def ltx() -> float:
    return weight(_ltx) + weight(_t5) + weight(d.AutoencoderKLLTXVideo)


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


def wan(*parts: Callable[[], Any], vae: Callable[[], Any] = d.AutoencoderKLWan, eye: int = 0) -> float:
    """The vae and the eye are kept at 32 bits."""
    return sum(map(weight, parts)) + weight(_umt5) + weight(vae, 4) + (weight(_eye, 4) if eye else 0.0)


def framepack() -> float:
    return sum(map(weight, (_framepack, _llama, _clip, _siglip, d.AutoencoderKLHunyuanVideo)))


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


#: GiB of weights on the device when all of them are there.
WEIGHTS: dict[str, Callable[[], float]] = {
    "animatediff": lambda: stable_diffusion() + weight(d.MotionAdapter),
    "animatediff-lightning": lambda: stable_diffusion() + weight(d.MotionAdapter),
    "animatelcm": lambda: stable_diffusion() + weight(d.MotionAdapter),
    "animatediff-sparse": lambda: (
        stable_diffusion() + weight(d.MotionAdapter) + weight(d.SparseControlNetModel)
    ),
    "animatediff-pose": lambda: (
        stable_diffusion()
        + weight(d.MotionAdapter)
        + weight(_control)
        + weight(_pose, 4)
        + weight(_person, 4)
    ),
    "animatediff-depth": lambda: (
        stable_diffusion() + weight(d.MotionAdapter) + weight(_control) + weight(_depth, 4)
    ),
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


def test_every_recipe_for_a_gpu_is_weighed() -> None:
    assert WEIGHTS.keys() == {recipe.name for recipe in RECIPES.values() if recipe.memory >= 1}


@pytest.mark.parametrize("name", WEIGHTS)
def test_memory(name: str) -> None:
    weights, memory = WEIGHTS[name](), RECIPES[name].memory
    print(f"{name}: {weights:.1f} GiB of weights, {memory:.0f} GiB stated")  # noqa: T201, read with -s
    assert weights + LEAST <= memory <= weights + MOST


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
