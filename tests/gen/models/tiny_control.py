"""What looks at a video, with a few thousand weights: a ControlNet, depth, people and their joints."""

from __future__ import annotations

from pathlib import Path

import tiny
import torch
from diffusers import ControlNetModel
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)


def control(folder: Path) -> Path:
    """A ControlNet for `tiny.image_unet`, whose output is not zero."""
    torch.manual_seed(11)
    made = ControlNetModel.from_unet(tiny.image_unet(), conditioning_embedding_out_channels=(8, 16))
    for name, weight in made.named_parameters():
        if "controlnet" in name and weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.2)
    made.save_pretrained(folder)
    return folder


def depth(folder: Path) -> Path:
    """Depth Anything, whose depth is of the usual size."""
    torch.manual_seed(12)
    eye = Dinov2Config(
        image_size=56, patch_size=14, hidden_size=32, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=eye, patch_size=14, reassemble_hidden_size=32, neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8, head_hidden_size=8,
    )  # fmt: skip
    made = DepthAnythingForDepthEstimation(config)
    for name, weight in made.named_parameters():
        if name.startswith("head") and weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.5)
    torch.nn.init.constant_(made.head.conv3.bias, 3.0)
    made.save_pretrained(folder)
    return folder


def person(folder: Path, *, sure: bool = True) -> Path:
    """RT-DETR; a `sure` one takes everything for people."""
    torch.manual_seed(13)
    eye = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = RTDetrConfig(
        backbone_config=eye, encoder_hidden_dim=32, encoder_in_channels=[8, 16, 16], feat_strides=[8, 16, 32],
        encoder_layers=1, encoder_ffn_dim=32, encoder_attention_heads=2, d_model=32, num_queries=8,
        decoder_in_channels=[32, 32, 32], decoder_ffn_dim=32, decoder_layers=1, decoder_attention_heads=2,
        num_denoising=0, id2label={0: "cat", 1: "person", 2: "dog"},
    )  # fmt: skip
    made = RTDetrForObjectDetection(config)
    for name, weight in made.named_parameters():
        if "class_embed" in name and name.endswith("bias"):
            torch.nn.init.constant_(weight, 3.0 if sure else -9.0)
    made.save_pretrained(folder)
    return folder


def pose(folder: Path) -> Path:
    """ViTPose, which is sure of every joint."""
    torch.manual_seed(14)
    eye = VitPoseBackboneConfig(
        image_size=(64, 48), patch_size=(16, 16), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        mlp_ratio=2, out_indices=[2],
    )  # fmt: skip
    made = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=eye, num_labels=17))
    torch.nn.init.normal_(made.head.conv.weight, std=0.2)
    torch.nn.init.constant_(made.head.conv.bias, 1.0)
    made.save_pretrained(folder)
    return folder
