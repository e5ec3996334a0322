"""The picture coder of Shapes: 128 x 128 pixels to 16 x 16 latents of 8 channels and back."""

from __future__ import annotations

import random

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from gen.shapes.draw import draw
from gen.shapes.loop import Plan, train
from gen.shapes.optimizer import Muon
from gen.shapes.scene import FRAMES, SIDE, training_scene

CROP = 64


def new() -> AutoencoderKL:
    """An untrained coder, slim so that two cores decode sixteen frames well within a second."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 24, 48, 64),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=SIDE,
        scaling_factor=1.0,
    )


def pictures(count: int, rng: random.Random, device: str) -> Tensor:
    """Single frames of all kinds of scene: (count, 3, 128, 128), -1 to 1."""
    scenes = [training_scene(rng, camera=0.25, two=0.4) for _ in range(count)]
    return draw(scenes, rng, [rng.randrange(FRAMES)], device)[:, 0] * 2 - 1


def crops(whole: Tensor, rng: random.Random, each: int = 2) -> Tensor:
    """`each` crops of every picture: the liveliest of three guesses, since flat ground teaches nothing."""
    out = []
    for picture in whole:
        for _ in range(each):
            places = [(rng.randrange(SIDE - CROP + 1), rng.randrange(SIDE - CROP + 1)) for _ in range(3)]
            guesses = [picture[:, y : y + CROP, x : x + CROP] for x, y in places]
            out.append(max(guesses, key=lambda g: float(g[:, ::4, ::4].std())))
    return torch.stack(out)


def off(made: Tensor, real: Tensor) -> Tensor:
    """How far pictures are apart: absolute and squared difference together."""
    return (made - real).abs().mean() + 2 * (made - real).pow(2).mean()


def fit(plan: Plan) -> AutoencoderKL:
    """Trains on crops, then on whole pictures, whose statistics the norms must know; scales latents to
    unit variance."""
    coder = new().to(plan.device, memory_format=torch.channels_last)
    outer = ("conv_in", "decoder.conv_out", "encoder.conv_out", "quant_conv")
    optimizer = Muon(coder.named_parameters(), rate=0.02, adam_rate=2e-3, outer=outer)

    def loss(done: float, rng: random.Random) -> Tensor:
        whole = pictures(8 if done < 0.75 else 5, rng, plan.device)
        real = (crops(whole, rng) if done < 0.75 else whole).contiguous(memory_format=torch.channels_last)
        code = coder.encode(real).latent_dist
        made = coder.decode(code.sample()).sample
        spread: Tensor = 0.5 * (code.mean.pow(2) + code.var - 1 - code.logvar).mean()
        return off(made, real) + 3e-4 * spread

    coder = train("vae", coder, optimizer, loss, plan)
    with torch.no_grad():
        codes = coder.encode(pictures(128, random.Random(1), plan.device)).latent_dist.mean
    coder.register_to_config(scaling_factor=round(1 / float(codes.std()), 4))
    return coder


def polish(plan: Plan, coder: AutoencoderKL) -> AutoencoderKL:
    """Trains the decoder alone on, which changes no latents: the denoiser may be trained before or after."""
    coder = coder.to(plan.device, memory_format=torch.channels_last).requires_grad_(False)
    tail = ("decoder.", "post_quant_conv")
    learned = [(n, p.requires_grad_(True)) for n, p in coder.named_parameters() if n.startswith(tail)]
    optimizer = Muon(learned, rate=0.012, adam_rate=1e-3, outer=("conv_in", "conv_out", "quant_conv"))

    def loss(done: float, rng: random.Random) -> Tensor:
        whole = pictures(5, rng, plan.device).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            code = coder.encode(whole).latent_dist.mean
        code = code + torch.randn_like(code) * 0.15  # what the denoiser makes is not quite clean
        return off(coder.decode(code).sample, whole)

    return train("decoder", coder, optimizer, loss, plan, keep=0.98)
