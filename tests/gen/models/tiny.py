"""Checkpoints of every family with a few thousand weights, in the layout that the hub has."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    MotionAdapter,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from gen.errors import EngineError
from gen.job import Request
from gen.models import pipe
from gen.models.device import brisk
from gen.recipe import Recipe, load

WIDTH = 32  # of the prompts' embeddings


def tokenizer() -> CLIPTokenizer:
    """Knows letters, and “star” as a word."""
    letters = [chr(code) for code in range(97, 123)]
    merges = [("s", "t"), ("a", "r</w>"), ("st", "ar</w>")]
    pieces = [*letters, *(letter + "</w>" for letter in letters), "st", "ar</w>", "star</w>"]
    vocab = {piece: index for index, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=16)


def text_encoder(words: CLIPTokenizer) -> CLIPTextModel:
    """Two layers."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words), hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=16, projection_dim=WIDTH,
            bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
        )
    ).eval()  # fmt: skip


def image_unet(latent: int = 4, **changes: Any) -> UNet2DConditionModel:
    """Two levels, the prompt enters at the second."""
    return UNet2DConditionModel(
        **{
            "sample_size": 8, "in_channels": latent, "out_channels": latent, "layers_per_block": 1,
            "block_out_channels": (16, 32),
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": WIDTH, "attention_head_dim": 2, "norm_num_groups": 8, **changes,
        }
    )  # fmt: skip


def coder(latent: int = 4, levels: int = 2) -> AutoencoderKL:
    """A picture coder whose sides shrink by 2 for each level beyond the first."""
    return AutoencoderKL(
        block_out_channels=(8,) * levels, latent_channels=latent, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
    )  # fmt: skip


def motion(seed: int = 1, **changes: Any) -> MotionAdapter:
    """Motion modules for `image_unet`, of v2 (with a middle block), whose output is not zero."""
    torch.manual_seed(seed)
    made = MotionAdapter(
        **{
            "block_out_channels": (16, 32), "motion_layers_per_block": 1, "motion_num_attention_heads": 2,
            "motion_mid_block_layers_per_block": 1, "motion_norm_num_groups": 8, "use_motion_mid_block": True,
            "motion_max_seq_length": 8, **changes,
        }
    )  # fmt: skip
    for name, weight in made.named_parameters():
        if "proj_out" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return made


def stable_diffusion(
    folder: Path, *, seed: int = 0, latent: int = 4, levels: int = 2, **schedule: Any
) -> Path:
    """A Stable Diffusion base, as people publish them."""
    torch.manual_seed(seed)
    words = tokenizer()
    StableDiffusionPipeline(
        vae=coder(latent, levels), text_encoder=text_encoder(words), tokenizer=words, unet=image_unet(latent),
        scheduler=DDIMScheduler(**{"steps_offset": 1, "clip_sample": False, **schedule}),
        safety_checker=None, feature_extractor=None, image_encoder=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def wide_diffusion(folder: Path, **spread: Any) -> Path:
    """A Stable Diffusion XL, which reads by two encoders and whose picture coder overflows half precision.

    `spread` is what its coder says of its latents.
    """
    torch.manual_seed(0)
    words, pictures = tokenizer(), coder()
    pictures.register_to_config(**spread)
    StableDiffusionXLPipeline(
        vae=pictures, tokenizer=words, tokenizer_2=words,
        text_encoder=text_encoder(words),
        text_encoder_2=CLIPTextModelWithProjection(text_encoder(words).config).eval(),
        unet=image_unet(
            cross_attention_dim=2 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=WIDTH + 6 * 8,
        ),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def motion_lora(file: Path, adapter: MotionAdapter, *, seed: int, rank: int = 2) -> Path:
    """A LoRA in the layout of guoyww/animatediff-motion-lora-*: every projection of every motion module."""
    dice = torch.Generator().manual_seed(seed)
    state = {}
    for name, weight in adapter.named_parameters():
        module, _, last = name.rpartition(".to_")
        kind = last.removesuffix(".0.weight").removesuffix(".weight")
        if module and kind in ("q", "k", "v", "out") and weight.ndim == 2:
            high, wide = weight.shape
            key = f"unet.{module}.processor.to_{kind}_lora"
            state[f"{key}.down.weight"] = torch.randn(rank, wide, generator=dice).to(weight.dtype)
            state[f"{key}.up.weight"] = torch.randn(high, rank, generator=dice).to(weight.dtype)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, file)
    return file


def recipe(name: str, **table: Any) -> Recipe:
    """A recipe as `config.toml` would have it: `table` is JSON's values only."""
    whole = {"about": "tiny", "task": "text", "sizes": {"1:1": [16, 16]}, **table}
    return load({name: json.loads(json.dumps(whole, default=str))})[name]


def request(recipe: Recipe, **changes: Any) -> Request:
    """A small request for that recipe."""
    basic = Request(
        recipe=recipe.name, task=recipe.task, prompt="red star", seed=7, width=16, height=16, frames=4, fps=8,
        steps=2, guidance=1.0,
    )  # fmt: skip
    return replace(basic, **changes)


def refused(found: Any) -> str:
    """The sentence that loading was refused with, which shows nothing of the machine."""
    error = found.value
    assert isinstance(error, EngineError), error
    text = str(error)
    assert "/tmp" not in text and "/home" not in text, text  # noqa: S108, a path is what must not be there
    return text


def painter(folder: Path) -> Any:
    """A pipeline for pictures, from the folder's weights or new ones."""
    if not folder.exists():
        stable_diffusion(folder)
    given = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
    return pipe.assemble(StableDiffusionPipeline, folder, dtype=torch.float32, given=given)


def picture(made: Any) -> Any:
    """What a painter paints: (16, 16, 3), from 0 to 1, always the same."""
    out = made(
        "red star", height=16, width=16, num_inference_steps=2, generator=pipe.dice(1), output_type="np"
    )
    return out.images[0]


@torch.no_grad()
def decoded(made: Any, latents: torch.Tensor) -> Any:
    """The bytes, as whole numbers, of what an AnimateDiff pipeline left in latents, decoded as ours does."""
    with brisk("cpu"):
        return pipe.pixels(made.decode_latents(latents)[0].transpose(0, 1)).astype(int)
