"""Checkpoints of the families with random weights, in the layout that the hub has: of real size, or tiny."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLHunyuanVideo,
    AutoencoderKLLTXVideo,
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoFramepackPipeline,
    HunyuanVideoFramepackTransformer3DModel,
    LTXConditionPipeline,
    LTXVideoTransformer3DModel,
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
    LlamaConfig,
    LlamaModel,
    LlamaTokenizerFast,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

LETTERS = [chr(code) for code in range(97, 123)]
DOWN, UP = ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4


def animatediff(folder: Path, *, tiny: bool, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """A base, motion modules and a Lightning file; what a recipe calls them."""
    _stable_diffusion(folder / "base", tiny=tiny, device=device, dtype=dtype)
    with torch.device(device):
        motion = MotionAdapter(**({"block_out_channels": (32, 32, 64, 64)} if tiny else {}))
    motion.to(dtype).save_pretrained(folder / "motion")
    save_file(dict(motion.state_dict()), folder / "lightning.safetensors")
    names = {"base": "base", "motion": "motion", "lightning": "lightning.safetensors"}
    return {part: str(folder / name) for part, name in names.items()}


def _stable_diffusion(folder: Path, *, tiny: bool, device: str, dtype: torch.dtype) -> str:
    """1.5, which paints pictures, and is AnimateDiff's base."""
    side = {"block_out_channels": (32, 32, 64, 64), "attention_head_dim": 4} if tiny else {}
    wide = 32 if tiny else 768
    with torch.device(device):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=wide, **side)
        vae = AutoencoderKL(
            block_out_channels=(32, 32, 32, 32) if tiny else (128, 256, 512, 512),
            layers_per_block=1 if tiny else 2, down_block_types=DOWN, up_block_types=UP,
        )  # fmt: skip
        text = _clip(wide, layers=2 if tiny else 12)
    StableDiffusionPipeline(
        vae=vae.to(dtype), text_encoder=text.to(dtype), tokenizer=_letters(), unet=unet.to(dtype),
        scheduler=DDIMScheduler(beta_schedule="linear", steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


def t2isvd(folder: Path, *, tiny: bool, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Stable Diffusion, and Stable Video Diffusion for the picture that it paints."""
    text = _stable_diffusion(folder / "text", tiny=tiny, device=device, dtype=dtype)
    return {"text": text, **svd(folder / "base", tiny=tiny, device=device, dtype=dtype)}


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
    side: dict[str, Any] = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
    if tiny:
        side = {"num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 32, "num_layers": 1}
        side |= {"text_dim": 32, "freq_dim": 16}
    with torch.device(device):
        pipe = WanPipeline(
            tokenizer=_words(),
            text_encoder=UMT5EncoderModel(UMT5Config(**_t5(256384, tiny=tiny))).to(dtype),
            vae=AutoencoderKLWan(**({"base_dim": 3, "num_res_blocks": 1} if tiny else {})).to(dtype),
            transformer=WanTransformer3DModel(**side).to(dtype),
            scheduler=UniPCMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
            ),
        )
    pipe.save_pretrained(folder)
    return {"base": str(folder)}


def ltx(folder: Path, *, tiny: bool, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """LTX-Video 0.9.7, 13B."""
    side: dict[str, Any] = {"num_attention_heads": 32, "attention_head_dim": 128, "num_layers": 48}
    side |= {"cross_attention_dim": 4096}
    coder: dict[str, Any] = {
        "block_out_channels": (128, 256, 512, 1024, 2048), "decoder_block_out_channels": (256, 512, 1024),
        "layers_per_block": (4, 6, 6, 2, 2), "decoder_layers_per_block": (5,) * 4,
    }  # fmt: skip
    if tiny:
        side = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 1, "in_channels": 8}
        side |= {"out_channels": 8, "cross_attention_dim": 32, "caption_channels": 32}
        coder = {"block_out_channels": (4, 8, 16, 32, 64), "decoder_block_out_channels": (8, 16, 32)}
        coder |= {"layers_per_block": (1,) * 5, "decoder_layers_per_block": (1,) * 4, "latent_channels": 8}
    with torch.device(device):  # the largest first: for a moment it has twice its size
        transformer = LTXVideoTransformer3DModel(**side).to(dtype)
        vae = AutoencoderKLLTXVideo(
            down_block_types=("LTXVideo095DownBlock3D",) * 4, decoder_inject_noise=(False,) * 4,
            spatio_temporal_scaling=(True,) * 4, decoder_spatio_temporal_scaling=(True,) * 3,
            downsample_type=("spatial", "temporal", "spatiotemporal", "spatiotemporal"),
            upsample_residual=(True,) * 3, upsample_factor=(2,) * 3, timestep_conditioning=True,
            spatial_compression_ratio=32, temporal_compression_ratio=8, **coder,
        )  # fmt: skip
        text = T5EncoderModel(T5Config(**_t5(32128, tiny=tiny)))
    LTXConditionPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae.to(dtype), text_encoder=text.to(dtype),
        tokenizer=_words(), transformer=transformer,
    ).save_pretrained(folder)  # fmt: skip
    return {"base": str(folder)}


def framepack(folder: Path, *, tiny: bool, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """FramePack in the three repositories that it is published in."""
    side: dict[str, Any] = {}
    text: dict[str, Any] = {"vocab_size": 128320, "hidden_size": 4096, "intermediate_size": 14336}
    text |= {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
    eye: dict[str, Any] = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27}
    eye |= {"num_attention_heads": 16, "image_size": 384, "patch_size": 14}
    coder: dict[str, Any] = {}
    if tiny:
        side = {"in_channels": 4, "out_channels": 4, "num_attention_heads": 2, "attention_head_dim": 10}
        side |= {"num_layers": 1, "num_single_layers": 1, "num_refiner_layers": 1, "text_embed_dim": 16}
        side |= {"pooled_projection_dim": 32, "rope_axes_dim": (2, 4, 4), "image_proj_dim": 16}
        text = {"vocab_size": 30, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 3}
        text |= {"num_attention_heads": 4}
        eye = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4}
        eye |= {"image_size": 64, "patch_size": 32}
        coder = {"latent_channels": 4, "block_out_channels": (8,) * 4, "layers_per_block": 1}
        coder |= {"norm_num_groups": 4}
    with torch.device(device):  # the largest first, as above
        transformer = HunyuanVideoFramepackTransformer3DModel(
            has_image_proj=True, has_clean_x_embedder=True, **side
        ).to(dtype)
        llama = LlamaModel(LlamaConfig(max_position_embeddings=2048, **text)).to(dtype)
        siglip = SiglipVisionModel(SiglipVisionConfig(**eye)).to(dtype)
        clip = _clip(32 if tiny else 768, layers=2 if tiny else 12).to(dtype)
        vae = AutoencoderKLHunyuanVideo(**coder).to(dtype)
    sides = {"height": eye["image_size"], "width": eye["image_size"]}
    HunyuanVideoFramepackPipeline(
        transformer=transformer, vae=vae, text_encoder=llama, tokenizer=_pieces(), text_encoder_2=clip,
        tokenizer_2=_letters(), scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0), image_encoder=siglip,
        feature_extractor=SiglipImageProcessor(size=sides),
    ).save_pretrained(folder / "base")  # fmt: skip
    (folder / "eye").mkdir()
    for name in ("transformer", "eye/image_encoder", "eye/feature_extractor"):
        (folder / "base" / Path(name).name).rename(folder / name)
    return {part: str(folder / part) for part in ("base", "transformer", "eye")}


#: How the weights of a recipe's family are made.
BUILDS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "animatediff": animatediff, "framepack": framepack, "ltx": ltx, "svd": svd, "t2isvd": t2isvd, "wan": wan,
}  # fmt: skip


def _t5(words: int, *, tiny: bool) -> dict[str, Any]:
    """The configuration of T5's largest encoder, of so many words."""
    if tiny:
        side = {"vocab_size": 30, "d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 4}
    else:
        side = {"vocab_size": words, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24}
        side |= {"num_heads": 64}
    return {"feed_forward_proj": "gated-gelu", **side}


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


def _pieces() -> LlamaTokenizerFast:
    vocab = {piece: place for place, piece in enumerate(["<unk>", "<s>", "</s>", "▁", *LETTERS])}
    return LlamaTokenizerFast(vocab=vocab, merges=[], pad_token="</s>")  # noqa: S106, a piece of text
