"""The picture coder of Shapes: 128 x 128 pixels to 16 x 16 latents of 8 channels and back."""

from __future__ import annotations

import random

import torch
from diffusers import AutoencoderKL, UNetMotionModel
from torch import Tensor
from torch.nn import functional

from gen.shapes.caption import caption
from gen.shapes.draw import draw, draw_parts
from gen.shapes.loop import Plan, train
from gen.shapes.optimizer import Muon
from gen.shapes.scene import FRAMES, SIDE, asked, training_scene
from gen.shapes.unet import Plain, Source, cleaned, new_scheduler, noised, place_frames

CROP = 64
MENDED = (40, 500)
"""Timesteps of the noise that the denoiser mends for the decoder to learn from: outlines still stand."""


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


def off(made: Tensor, real: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """How far pictures are apart, where the weight says most: absolute and squared difference together."""
    return (((made - real).abs() + 2 * (made - real).pow(2)) * weight).mean()


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


def polish(plan: Plan, source: Source, denoiser: UNetMotionModel) -> AutoencoderKL:
    """Trains the source's decoder alone on: from what the denoiser makes of a noisy frame in one step it
    learns to show the frame as it was drawn, so that slightly bent outlines become straight.

    No latent changes by that, so the denoiser may be trained on afterwards.
    """
    coder = source.coder
    tail = ("decoder.", "post_quant_conv")
    learned = [(n, p.requires_grad_(True)) for n, p in coder.named_parameters() if n.startswith(tail)]
    optimizer = Muon(learned, rate=0.012, adam_rate=1e-3, outer=("conv_in", "conv_out", "quant_conv"))
    denoiser = denoiser.eval().requires_grad_(False)
    denoiser.set_attn_processor(Plain())
    alphas = new_scheduler().alphas_cumprod.to(plan.device)
    scale = coder.config.scaling_factor

    def loss(done: float, rng: random.Random) -> Tensor:
        pairs = [asked(rng, camera=0.25, two=0.4) for _ in range(6)]
        frames = [rng.randrange(FRAMES)]
        whole, covers = draw_parts([scene for scene, _ in pairs], rng, frames, plan.device)
        real = (whole[:, 0] * 2 - 1).contiguous(memory_format=torch.channels_last)
        near = functional.max_pool2d(covers[:, 0], 9, stride=1, padding=4)
        states = source.prompts([caption(said, rng) for _, said in pairs])
        place_frames(denoiser, frames)
        with torch.no_grad():
            clean = coder.encode(real).latent_dist.mean * scale
            steps = torch.randint(*MENDED, (len(pairs),), device=plan.device)
            noisy, _ = noised(clean, torch.randn_like(clean), steps, alphas)
            with torch.autocast(plan.device, torch.bfloat16):
                velocity = denoiser(noisy.unsqueeze(2), steps, states).sample.squeeze(2).float()
            mended = cleaned(noisy, velocity, steps, alphas)
        with torch.autocast(plan.device, torch.bfloat16):
            made = coder.decode(mended / scale).sample
        return off(made.float(), real, 1 + 3 * near)

    return train("decoder", coder, optimizer, loss, plan, keep=0.98)
