"""The denoiser of Shapes: image layers first, then with motion modules on clips, all of diffusers' own
classes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, DDIMScheduler, MotionAdapter, UNet2DConditionModel, UNetMotionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from gen.shapes.caption import caption
from gen.shapes.draw import draw_parts
from gen.shapes.loop import Plan, train
from gen.shapes.optimizer import Muon
from gen.shapes.scene import FRAMES, Scene, asked
from gen.shapes.text import LENGTH, WIDTH

CHANNELS = (48, 96)
HEADS = 3
GROUPS = 16


def new_image() -> UNet2DConditionModel:
    """Untrained image layers: 16 x 16 x 8 latents, the prompt enters at 8 x 8."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=8,
        out_channels=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=HEADS,
        norm_num_groups=GROUPS,
    )


def new_motion() -> MotionAdapter:
    """Untrained motion modules for the image layers; they begin as no change at all."""
    return MotionAdapter(
        block_out_channels=CHANNELS,
        motion_layers_per_block=1,
        motion_mid_block_layers_per_block=1,
        motion_num_attention_heads=HEADS,
        motion_norm_num_groups=GROUPS,
        motion_max_seq_length=32,
        use_motion_mid_block=True,
        conv_in_channels=None,
    )


def new_scheduler() -> DDIMScheduler:
    """v-prediction, linear betas bent to end in pure noise, steps counted back from there (Lin et al.,
    2023)."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


@dataclass(slots=True)
class Source:
    """Prompts and latents for training, made on the spot by the frozen encoder and coder."""

    words: CLIPTokenizer
    encoder: CLIPTextModel
    coder: AutoencoderKL
    device: str = "cpu"

    @torch.no_grad()
    def prompts(self, texts: Sequence[str]) -> Tensor:
        """Hidden states: (texts, LENGTH, WIDTH)."""
        ids = self.words(
            list(texts), padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
        )
        states: Tensor = self.encoder(ids.input_ids.to(self.device))[0]
        return states

    @torch.no_grad()
    def latents(
        self, scenes: Sequence[Scene], frames: Sequence[int], rng: random.Random
    ) -> tuple[Tensor, Tensor]:
        """Latents (scenes, 8, frames, 16, 16) of unit variance, and in one channel where objects are."""
        pictures, covers = draw_parts(scenes, rng, frames, self.device)
        pixels = (pictures.flatten(0, 1) * 2 - 1).contiguous(memory_format=torch.channels_last)
        code = self.coder.encode(pixels).latent_dist.mean * self.coder.config.scaling_factor
        near = functional.max_pool2d(covers.flatten(0, 1), 16, stride=8, padding=4)
        code, near = (t.view(*pictures.shape[:2], *t.shape[1:]).transpose(1, 2) for t in (code, near))
        return code.contiguous(), near.contiguous()


class Plain:
    """Attention by plain matrix products: on a CPU, for the short sequences of training, several times as
    fast as the fused kernel, and over one frame there is nothing to weigh."""

    def __call__(
        self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: object
    ) -> Tensor:
        """States (batch, length, width) after attention to `encoder_hidden_states`, or to themselves."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        out = attn.to_v(context)
        if context.shape[1] > 1:
            query, key, value = (
                each.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
                for each in (attn.to_q(hidden_states), attn.to_k(context), out)
            )
            weights = (query * attn.scale @ key.transpose(-1, -2)).softmax(-1)
            out = (weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)
        made: Tensor = attn.to_out[0](out)
        return made


def noised(clean: Tensor, noise: Tensor, steps: Tensor, alphas: Tensor) -> tuple[Tensor, Tensor]:
    """The noisy latents at the timesteps and the velocity that leads there."""
    alpha = alphas[steps].view(-1, *[1] * (clean.ndim - 1))
    signal, blur = alpha.sqrt(), (1 - alpha).sqrt()
    return signal * clean + blur * noise, signal * noise - blur * clean


def cleaned(noisy: Tensor, velocity: Tensor, steps: Tensor, alphas: Tensor) -> Tensor:
    """The clean latents to which a velocity leads in one step."""
    alpha = alphas[steps].view(-1, *[1] * (noisy.ndim - 1))
    return alpha.sqrt() * noisy - (1 - alpha).sqrt() * velocity


def timesteps(count: int, device: str) -> Tensor:
    """Mostly the middle and loud noise levels, where colours, places and outlines are decided."""
    quiet, main, last = torch.rand(count) * 0.25, 0.25 + 0.75 * torch.rand(count), torch.ones(count)
    kind = torch.rand(count)
    part = torch.where(kind < 0.12, quiet, torch.where(kind < 0.92, main, last))
    return (part * 1000).long().clamp(0, 999).to(device)


def missed(made: Tensor, wanted: Tensor, near: Tensor, steps: Tensor) -> Tensor:
    """Mean square error that minds objects more than ground, once the noise lets one see where they are."""
    shape = (-1, *[1] * (made.ndim - 1))
    weight = 1 + 3 * near * (steps < 800).view(shape)
    return ((made.float() - wanted) ** 2 * weight).mean() / weight.mean()


def place_frames(model: nn.Module, frames: Sequence[int]) -> None:
    """Tells the motion modules which of the sixteen frames they see, so that clips may be thinned in
    training."""
    for name, buffer in model.named_buffers():
        if name.endswith("pos_embed.pe"):
            buffer[:, : len(frames)] = _sinusoids(buffer.shape[-1])[:, list(frames)].to(buffer.device)


def _sinusoids(width: int) -> Tensor:
    place = torch.arange(32).unsqueeze(1)
    rate = torch.exp(torch.arange(0, width, 2) * (-torch.log(torch.tensor(10000.0)) / width))
    out = torch.zeros(1, 32, width)
    out[0, :, 0::2] = torch.sin(place * rate)
    out[0, :, 1::2] = torch.cos(place * rate)
    return out


class Bank:
    """Encoded scenes with their prompts, used a few times each: drawing and encoding cost as much as a
    lesson."""

    def __init__(
        self, source: Source, frames: Sequence[int] | None, size: int, camera: float, two: float = 0.3
    ) -> None:
        self.source, self.frames, self.size = source, frames, size
        self.camera, self.two = camera, two
        self.clean: list[Tensor] = []
        self.near: list[Tensor] = []
        self.states: list[Tensor] = []
        self.fed = 0

    def feed(self, count: int, rng: random.Random) -> None:
        """Adds scenes of the bank's frames, or of one random frame each time where it has none; the
        oldest go."""
        frames = self.frames or [rng.randrange(FRAMES)]
        pairs = [asked(rng, self.camera, self.two) for _ in range(count)]
        texts = ["" if rng.random() < 0.08 else caption(said, rng) for _, said in pairs]
        clean, near = self.source.latents([scene for scene, _ in pairs], frames, rng)
        self.clean = [*self.clean, *clean][-self.size :]
        self.near = [*self.near, *near][-self.size :]
        self.states = [*self.states, *self.source.prompts(texts)][-self.size :]
        self.fed += count

    def batch(self, count: int, rng: random.Random) -> tuple[Tensor, Tensor, Tensor]:
        """Latents of random scenes, where objects are in them, and states: (count, LENGTH, WIDTH)."""
        picked = [rng.randrange(len(self.clean)) for _ in range(count)]
        clean, near, states = (
            torch.stack([t[i] for i in picked]) for t in (self.clean, self.near, self.states)
        )
        return clean, near, states


def fit_image(plan: Plan, source: Source, batch: int = 40) -> UNet2DConditionModel:
    """Trains the image layers on single frames."""
    model = new_image().to(plan.device)
    alphas = new_scheduler().alphas_cumprod.to(plan.device)
    optimizer = Muon(model.named_parameters(), rate=0.02, adam_rate=3e-3, outer=("conv_in", "conv_out"))
    bank = Bank(source, None, size=2000, camera=0.03)

    def loss(done: float, rng: random.Random) -> Tensor:
        bank.feed(batch // 5 if bank.fed else 2 * batch, rng)
        clean, near, states = bank.batch(batch, rng)
        clean, near, steps = clean[:, :, 0], near[:, :, 0], timesteps(batch, plan.device)
        noisy, wanted = noised(clean, torch.randn_like(clean), steps, alphas)
        with torch.autocast(plan.device, torch.bfloat16):
            made = model(noisy, steps, states).sample
        return missed(made, wanted, near, steps)

    return train("image", model, optimizer, loss, plan)


class Thinned:
    """Banks of clips of which only some frames are seen, a few choices of frames at a time."""

    def __init__(self, source: Source, clips: int, camera: float, two: float) -> None:
        self.source, self.clips, self.camera, self.two = source, clips, camera, two
        self.banks: dict[int, list[Bank]] = {}

    def batch(self, frames: int, rng: random.Random) -> tuple[Tensor, Tensor, Tensor, Sequence[int]]:
        """What `Bank.batch` gives, of `clips` clips, and which `frames` frames they are."""
        banks = self.banks.setdefault(frames, [])
        place = rng.randrange(4)
        if place >= len(banks) or banks[place].fed > 10 * self.clips:
            fresh = Bank(self.source, sorted(rng.sample(range(FRAMES), frames)), 96, self.camera, self.two)
            banks[place : place + 1] = [fresh]
            place = banks.index(fresh)
        bank, clips = banks[place], max(2, self.clips * 4 // frames)
        bank.feed(max(1, clips // 8) if bank.fed else clips, rng)
        return *bank.batch(clips, rng), bank.frames or []


def fit_motion(
    plan: Plan, source: Source, image: UNet2DConditionModel, motion: MotionAdapter, batch: int = 16
) -> UNetMotionModel:
    """Trains motion modules and image layers together on clips: one to four frames of the sixteen, at
    the end all."""
    model = UNetMotionModel.from_unet2d(image, motion).to(plan.device).requires_grad_(True)
    model.set_attn_processor(Plain())
    alphas = new_scheduler().alphas_cumprod.to(plan.device)
    optimizer = Muon(model.named_parameters(), rate=0.012, adam_rate=1.5e-3, outer=("conv_in", "conv_out"))
    thinned = Thinned(source, batch, camera=0.3, two=0.4)

    def loss(done: float, rng: random.Random) -> Tensor:
        count = rng.choice((1, 1, 2, 4) if done < 0.3 else (1, 2, 4, 4)) if done < 0.88 else FRAMES
        clean, near, states, frames = thinned.batch(count, rng)
        place_frames(model, frames)
        steps = timesteps(len(clean), plan.device)
        noisy, wanted = noised(clean, torch.randn_like(clean), steps, alphas)
        with torch.autocast(plan.device, torch.bfloat16):
            made = model(noisy, steps, states.repeat_interleave(clean.shape[2], 0)).sample
        return missed(made, wanted, near, steps)

    model = train("motion", model, optimizer, loss, plan, keep=0.99)
    place_frames(model, range(FRAMES))
    return model


def split(model: UNetMotionModel) -> tuple[UNet2DConditionModel, MotionAdapter]:
    """The image layers and the motion modules of a denoiser, each in the class it is stored as."""
    image, motion = new_image(), new_motion()
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    image.load_state_dict({k: v for k, v in state.items() if "motion_modules" not in k})
    motion.load_state_dict({k: v for k, v in state.items() if "motion_modules" in k})
    return image, motion
