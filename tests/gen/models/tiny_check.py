"""Checks with a few thousand weights, in the hub's layout; their verdict depends on the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor, ViTConfig, ViTForImageClassification
from transformers.models.vit import ViTImageProcessorPil

from gen.models import Pixels

SIDE = 32


def picture(colour: tuple[int, int, int], seed: int = 0, size: tuple[int, int] = (48, 64)) -> Pixels:
    """Noise around one colour."""
    noise = np.random.default_rng(seed).normal(0, 25, (*size, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


RED, BLUE, GREEN = (200, 40, 40), (40, 40, 200), (40, 160, 60)


def classifier(folder: Path) -> Path:
    """A ViT that was taught to tell red pictures from others: the label `red` beside `other`."""
    torch.manual_seed(0)
    model = ViTForImageClassification(
        ViTConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            image_size=SIDE, patch_size=16, id2label={0: "other", 1: "red"}, label2id={"other": 0, "red": 1},
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )
    )  # fmt: skip
    dice = torch.Generator().manual_seed(1)
    teach = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        colours = torch.rand(64, 3, 1, 1, generator=dice) * 2 - 1
        pixels = colours + 0.2 * torch.randn(64, 3, SIDE, SIDE, generator=dice)
        red = colours[:, 0] - colours[:, 1:].amax(1)
        loss = model(pixels, labels=(red > 0.3).long().flatten()).loss
        teach.zero_grad()
        loss.backward()
        teach.step()
    model.eval().save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def concepts(folder: Path, *, near: Pixels, bound: float) -> Path:
    """A safety checker whose first concept is what it sees in `near`, which counts from that cosine on."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
        "image_size": SIDE, "patch_size": 16,
    }  # fmt: skip
    model = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=8)).eval()
    eye = CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, do_resize=True
    )
    with torch.no_grad():
        pixels = eye(images=[near], return_tensors="pt").pixel_values
        seen = model.visual_projection(model.vision_model(pixels)[1])[0]
        model.concept_embeds.copy_(torch.randn(17, 8))
        model.concept_embeds[0] = seen
        model.concept_embeds_weights.fill_(2.0)  # nothing is so near
        model.concept_embeds_weights[0] = bound
        model.special_care_embeds.copy_(torch.randn(3, 8))
        model.special_care_embeds_weights.fill_(2.0)
    model.save_pretrained(folder)
    eye.save_pretrained(folder)
    return folder
