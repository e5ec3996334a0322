"""Tiny checkpoints of the video families, saved by their own pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny
import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    AutoencoderKLLTXVideo,
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoFramepackPipeline,
    HunyuanVideoFramepackTransformer3DModel,
    LTXConditionPipeline,
    LTXVideoTransformer3DModel,
    SparseControlNetModel,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModel,
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


def shaken(model: nn.Module, seed: int = 3) -> nn.Module:
    """With no weight left at nought, so that every input has an effect."""
    dice = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if not weight.any():
            weight.data.normal_(0, 0.05, generator=dice)
    return model


def t5_words() -> T5Tokenizer:
    """Knows letters."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0), *((each, -2.0) for each in LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=16)


def t5(kind: type = T5EncoderModel, config: type = T5Config) -> Any:
    """One layer."""
    return kind(config(vocab_size=30, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4)).eval()


def sparse(folder: Path) -> Path:
    """A SparseControlNet for `tiny.image_unet`."""
    torch.manual_seed(4)
    shaken(
        SparseControlNetModel(
            down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"), block_out_channels=(16, 32),
            layers_per_block=1, norm_num_groups=8, cross_attention_dim=tiny.WIDTH, attention_head_dim=2,
            motion_num_attention_heads=2, motion_max_seq_length=8,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def svd(folder: Path) -> Path:
    """Stable Video Diffusion."""
    torch.manual_seed(0)
    eye = CLIPVisionConfig(
        hidden_size=32, intermediate_size=37, projection_dim=32, num_hidden_layers=1, num_attention_heads=4,
        image_size=224, patch_size=56,
    )  # fmt: skip
    StableVideoDiffusionPipeline(
        vae=AutoencoderKLTemporalDecoder(
            block_out_channels=(32, 32), latent_channels=4,
            down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        ),
        image_encoder=CLIPVisionModelWithProjection(eye).eval(),
        unet=UNetSpatioTemporalConditionModel(
            block_out_channels=(32, 64), layers_per_block=1, sample_size=8, in_channels=8, out_channels=4,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            cross_attention_dim=32, num_attention_heads=8, projection_class_embeddings_input_dim=96,
            addition_time_embed_dim=32,
        ),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_type="continuous",
            interpolation_type="linear", prediction_type="v_prediction", sigma_min=0.002, sigma_max=700.0,
            steps_offset=1, timestep_spacing="leading", use_karras_sigmas=True,
        ),
        feature_extractor=CLIPImageProcessor(crop_size=224, size=224),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def ltx(folder: Path) -> Path:
    """LTX-Video, with a decoder that takes a time step as the distilled ones' does."""
    torch.manual_seed(0)
    coder = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, True, False),
        decoder_spatio_temporal_scaling=(True, True, True, False),
        decoder_inject_noise=(False,) * 5, timestep_conditioning=True,
    )  # fmt: skip
    coder.use_framewise_encoding = coder.use_framewise_decoding = False
    LTXConditionPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=coder, text_encoder=t5(), tokenizer=t5_words(),
        transformer=LTXVideoTransformer3DModel(
            in_channels=8, out_channels=8, num_attention_heads=2, attention_head_dim=16, num_layers=1,
            cross_attention_dim=32, caption_channels=32,
        ),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def _wan_parts(**transformer: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    words = t5_words()
    coder = AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    coder.decoder.conv_out.weight.data.mul_(8)  # for colours that are not all grey
    return {
        "vae": coder,
        "text_encoder": t5(UMT5EncoderModel, UMT5Config), "tokenizer": words,
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
        ),
        "transformer": wan_transformer(**transformer),
    }  # fmt: skip


def wan_transformer(**changes: Any) -> WanTransformer3DModel:
    """One layer."""
    torch.manual_seed(1)
    made = WanTransformer3DModel(
        **{
            "num_attention_heads": 2, "attention_head_dim": 12, "text_dim": 32, "freq_dim": 16, "ffn_dim": 32,
            "num_layers": 1, "rope_max_seq_len": 32, **changes,
        }
    )  # fmt: skip
    shaken(made).proj_out.weight.data.mul_(8)
    return made


def wan(folder: Path, kind: str = "2.1") -> Path:
    """Wan 2.1 for text, or 2.2: "two" denoisers, or "middle", which times each place by itself."""
    more: dict[str, Any] = {
        "2.1": {"transformer_2": None},
        "two": {"transformer_2": wan_transformer(), "boundary_ratio": 0.875},
        "middle": {"transformer_2": None, "expand_timesteps": True},
    }[kind]
    WanPipeline(**_wan_parts(), **more).save_pretrained(folder)
    return folder


def wan_image(folder: Path, *, places: int | None = None) -> Path:
    """Wan 2.1 for pictures; with `places`, of the eye's tokens, for a first and a last one."""
    parts = _wan_parts(in_channels=36, image_dim=4, added_kv_proj_dim=24, pos_embed_seq_len=places)
    eye = CLIPVisionConfig(
        hidden_size=4, projection_dim=4, num_hidden_layers=2, num_attention_heads=2, image_size=32,
        intermediate_size=16, patch_size=16,
    )  # fmt: skip
    WanImageToVideoPipeline(
        **parts, image_encoder=CLIPVisionModel(eye).eval(),
        image_processor=CLIPImageProcessor(crop_size=32, size=32), transformer_2=None,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def framepack(folder: Path) -> Path:
    """FramePack in the three repositories that it is published in."""
    torch.manual_seed(0)
    words = LlamaTokenizerFast(
        vocab={each: place for place, each in enumerate(["<unk>", "<s>", "</s>", "▁", *LETTERS])}, merges=[],
        pad_token="</s>",
    )  # fmt: skip
    short = tiny.tokenizer()
    transformer = shaken(
        HunyuanVideoFramepackTransformer3DModel(
            in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=10, num_layers=1,
            num_single_layers=1, num_refiner_layers=1, patch_size=2, patch_size_t=1, text_embed_dim=16,
            pooled_projection_dim=8, rope_axes_dim=(2, 4, 4), image_condition_type=None, has_image_proj=True,
            image_proj_dim=16, has_clean_x_embedder=True,
        )
    )  # fmt: skip
    pipe = HunyuanVideoFramepackPipeline(
        text_encoder=LlamaModel(
            LlamaConfig(
                vocab_size=30, hidden_size=16, intermediate_size=16, num_hidden_layers=3,
                num_attention_heads=4, max_position_embeddings=2048,
            )
        ).eval(),
        tokenizer=words,
        text_encoder_2=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(short), hidden_size=8, intermediate_size=16, num_hidden_layers=1,
                num_attention_heads=4, max_position_embeddings=77, projection_dim=8,
                bos_token_id=short.bos_token_id, eos_token_id=short.eos_token_id,
            )
        ).eval(),
        tokenizer_2=short,
        transformer=transformer,
        vae=AutoencoderKLHunyuanVideo(
            latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4,
            down_block_types=("HunyuanVideoDownBlock3D",) * 4, up_block_types=("HunyuanVideoUpBlock3D",) * 4,
            mid_block_add_attention=False,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        image_encoder=SiglipVisionModel(
            SiglipVisionConfig(
                hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=4,
                image_size=64, patch_size=32,
            )
        ).eval(),
        feature_extractor=SiglipImageProcessor(size={"height": 64, "width": 64}),
    )  # fmt: skip
    pipe.save_pretrained(folder / "base")
    (folder / "base" / "transformer").rename(folder / "transformer")
    (folder / "eye").mkdir()
    for name in ("image_encoder", "feature_extractor"):
        (folder / "base" / name).rename(folder / "eye" / name)
    return folder
