"""Checkpoints of the families with random weights, in the layout that the hub has: of real size, or tiny."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    DDIMScheduler,
    EulerDiscreteScheduler,
    MotionAdapter,
    StableDiffusionPipeline,
    StableVideoDiffusionPipeline,
    UNet2DConditionModel,
    UNetSpatioTemporalConditionModel,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

LETTERS = [chr(code) for code in range(97, 123)]
DOWN, UP = ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4


def animatediff(folder: Path, *, tiny: bool, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """A base, motion modules and a Lightning file; what a recipe calls them."""
    side = {"block_out_channels": (32, 32, 64, 64), "attention_head_dim": 4} if tiny else {}
    wide = 32 if tiny else 768
    with torch.device(device):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=wide, **side)
        vae = AutoencoderKL(
            block_out_channels=(32, 32, 32, 32) if tiny else (128, 256, 512, 512),
            layers_per_block=1 if tiny else 2, down_block_types=DOWN, up_block_types=UP,
        )  # fmt: skip
        text = _clip(wide, layers=2 if tiny else 12)
        motion = MotionAdapter(**({"block_out_channels": (32, 32, 64, 64)} if tiny else {}))
    StableDiffusionPipeline(
        vae=vae.to(dtype), text_encoder=text.to(dtype), tokenizer=_letters(), unet=unet.to(dtype),
        scheduler=DDIMScheduler(beta_schedule="linear", steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder / "base")  # fmt: skip
    motion.to(dtype).save_pretrained(folder / "motion")
    save_file(dict(motion.state_dict()), folder / "lightning.safetensors")
    names = {"base": "base", "motion": "motion", "lightning": "lightning.safetensors"}
    return {part: str(folder / name) for part, name in names.items()}


def svd(folder: Path, *, tiny: bool, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Stable Video Diffusion."""
    eye: dict[str, Any] = {
        "image_size": 224,
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "patch_size": 14,
    }
    eye |= {"num_hidden_layers": 32, "num_attention_heads": 16, "projection_dim": 1024}
    side: dict[str, Any] = {}
    if tiny:
        eye |= {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
        eye |= {"projection_dim": 32, "patch_size": 56}
        side = {"block_out_channels": (32, 32, 64, 64), "num_attention_heads": (2, 2, 4, 4)}
        side |= {"cross_attention_dim": 32}
    with torch.device(device):
        pipe = StableVideoDiffusionPipeline(
            vae=AutoencoderKLTemporalDecoder(
                block_out_channels=(32, 32, 32, 32) if tiny else (128, 256, 512, 512),
                layers_per_block=1 if tiny else 2, down_block_types=DOWN,
            ).to(dtype),
            image_encoder=CLIPVisionModelWithProjection(CLIPVisionConfig(**eye)).to(dtype),
            unet=UNetSpatioTemporalConditionModel(**side).to(dtype),
            scheduler=EulerDiscreteScheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_type="continuous",
                prediction_type="v_prediction", sigma_min=0.002, sigma_max=700.0, use_karras_sigmas=True,
            ),
            feature_extractor=CLIPImageProcessor(crop_size=224, size=224),
        )  # fmt: skip
    pipe.save_pretrained(folder)
    return {"base": str(folder)}


def wan(folder: Path, *, tiny: bool, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Wan 2.1 1.3B."""
    text = {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64}
    side: dict[str, Any] = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
    if tiny:
        text = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 4}
        side = {"num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 32, "num_layers": 1}
        side |= {"text_dim": 32, "freq_dim": 16}
    size = 30 if tiny else 256384
    with torch.device(device):
        pipe = WanPipeline(
            tokenizer=_words(),
            text_encoder=UMT5EncoderModel(
                UMT5Config(vocab_size=size, feed_forward_proj="gated-gelu", **text)
            ).to(dtype),
            vae=AutoencoderKLWan(**({"base_dim": 3, "num_res_blocks": 1} if tiny else {})).to(dtype),
            transformer=WanTransformer3DModel(**side).to(dtype),
            scheduler=UniPCMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
            ),
        )
    pipe.save_pretrained(folder)
    return {"base": str(folder)}


#: How the weights of a recipe's family are made.
BUILDS: Mapping[str, Callable[..., dict[str, Any]]] = {"animatediff": animatediff, "svd": svd, "wan": wan}


def _clip(width: int, layers: int) -> CLIPTextModel:
    words = _letters()
    return CLIPTextModel(
        CLIPTextConfig(
            hidden_size=width, intermediate_size=width * 4, num_hidden_layers=layers,
            num_attention_heads=max(2, width // 64), bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id, projection_dim=width,
        )
    )  # fmt: skip


def _letters() -> CLIPTokenizer:
    pieces = [*LETTERS, *(letter + "</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    vocab = {piece: place for place, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=77)


def _words() -> T5Tokenizer:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0), *((each, -2.0) for each in LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0)
