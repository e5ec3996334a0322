"""What is learned on top of the finished denoiser: a LoRA for each camera move, and the four-step motion
modules."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import UNetMotionModel
from peft import LoraConfig
from torch import Tensor, nn

from gen.shapes.caption import MOVES, caption
from gen.shapes.loop import Plan, apart, train
from gen.shapes.optimizer import Muon
from gen.shapes.scene import FRAMES, asked
from gen.shapes.unet import Plain, Source, Thinned, new_scheduler, noised, place_frames, timesteps

RANK = 16
FEW = (999, 749, 499, 249)
"""Where four trailing steps of a thousand begin."""
PARTS = 2
"""Steps of the teacher in each step of the student."""


class Wrapped(nn.Module):
    """Only the tensors that a stage trains, as a module that the loop can average and save."""

    def __init__(self, tensors: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self.tensors = nn.ParameterDict({name.replace(".", "/"): tensor for name, tensor in tensors.items()})

    def plain(self) -> dict[str, Tensor]:
        """The tensors under their own names."""
        return {name.replace("/", "."): tensor.detach() for name, tensor in self.tensors.items()}


def fit_lora(plan: Plan, source: Source, teacher: UNetMotionModel, swift: UNetMotionModel, move: str,
             guidance: float, clips: int = 6) -> dict[str, Tensor]:  # fmt: skip
    """Trains the LoRA of one camera move to do without words what the teacher does when the prompt names
    the move, with guidance towards it; the official layout's tensors.

    One set of tensors learns that on two networks in turn, the teacher and the four-step `swift`: on the
    latter what `fit_lightning` asks of it. Everything else stays as it is. Names are those of the LoRAs of
    AnimateDiff v2: `unet.`, the motion module's attention, `processor.to_q_lora.down.weight` and so on.
    """
    teacher = teacher.eval().requires_grad_(False)
    teacher.set_attn_processor(Plain())
    model, quick = with_lora(teacher), with_lora(swift)
    wrapped = Wrapped(share_lora(model, quick))
    optimizer = Muon(wrapped.named_parameters(), rate=0.02, adam_rate=2e-3, outer=("lora",))
    alphas = new_scheduler().alphas_cumprod.to(plan.device)
    shown = Shown(source, move, clips)
    nothing = source.prompts([""])

    def loss(done: float, rng: random.Random) -> Tensor:
        clean, silent, named, frames = shown.batch(4 if done < 0.85 else FRAMES, rng)
        for each in (model, quick, teacher):
            place_frames(each, frames)
        if rng.random() < 0.5:
            start = few(len(clean), rng, plan.device)
            noisy, _ = noised(clean, torch.randn_like(clean), start, alphas)
            with torch.autocast(plan.device, torch.bfloat16):
                wanted = _goal(teacher, noisy, start, named, nothing, guidance, alphas)
                made = quick(noisy, start, silent.repeat_interleave(len(frames), 0)).sample
            return apart(made, wanted)
        steps = timesteps(len(clean), plan.device)
        noisy, _ = noised(clean, torch.randn_like(clean), steps, alphas)
        silent, named = (states.repeat_interleave(len(frames), 0) for states in (silent, named))
        with torch.autocast(plan.device, torch.bfloat16):
            with torch.no_grad():
                still = teacher(noisy, steps, silent).sample.float()
                moved = teacher(noisy, steps, named).sample.float()
            made = model(noisy, steps, silent).sample
        return apart(made, still + guidance * (moved - still))

    average = train(f"lora-{move}", wrapped, optimizer, loss, plan, keep=0.97)
    place_frames(teacher, range(FRAMES))
    return {official(name): tensor.contiguous() for name, tensor in average.plain().items()}


def with_lora(network: UNetMotionModel) -> UNetMotionModel:
    """A copy with a LoRA on the attention of its motion modules, which alone is trained."""
    model = copy.deepcopy(network).requires_grad_(False).train()
    model.set_attn_processor(Plain())
    target = r".*motion_modules.*\.(to_q|to_k|to_v|to_out\.0)"
    model.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=target), adapter_name="move")
    return model


def share_lora(one: nn.Module, other: nn.Module) -> dict[str, nn.Parameter]:
    """Gives the other network the LoRA of the first, which is returned by its tensors' names."""
    grown = {name: p for name, p in one.named_parameters() if "lora_" in name}
    for name, parameter in grown.items():
        owner, _, last = name.rpartition(".")
        setattr(other.get_submodule(owner), last, parameter)
    return grown


def few(count: int, rng: random.Random, device: str) -> Tensor:
    """(count,) of the timesteps at which four-step modules are used."""
    return torch.tensor([rng.choice(FEW) for _ in range(count)], device=device)


class Shown:
    """Encoded clips of one camera move, each used a few times, with prompts that do not name the move and
    that do."""

    def __init__(self, source: Source, move: str, clips: int) -> None:
        self.source, self.move, self.clips = source, move, clips
        self.frames: list[int] = []
        self.held: list[tuple[Tensor, Tensor, Tensor]] = []
        self.drawn = 0

    def batch(self, frames: int, rng: random.Random) -> tuple[Tensor, Tensor, Tensor, list[int]]:
        """Latents, states without the move's name, states with it, and which `frames` frames they are."""
        clips = max(2, self.clips * 4 // frames)
        if len(self.frames) != frames or self.drawn > 5 * clips:
            self.frames, self.held, self.drawn = sorted(rng.sample(range(FRAMES), frames)), [], 0
        self.feed(max(1, clips // 4) if self.held else clips, rng)
        picked = rng.sample(self.held, clips)
        clean, silent, named = (torch.stack([each[i] for each in picked]) for i in range(3))
        return clean, silent, named, self.frames

    def feed(self, count: int, rng: random.Random) -> None:
        """Draws and encodes so many clips more."""
        pairs = [asked(rng, camera=1.0, two=0.2) for _ in range(count)]
        scenes = [replace(scene, camera=self.move) for scene, _ in pairs]
        texts = ["" if rng.random() < 0.1 else caption(replace(said, camera=None), rng) for _, said in pairs]
        told = [f"{text} camera {rng.choice(MOVES[self.move])}".strip() for text in texts]
        clean, _ = self.source.latents(scenes, self.frames, rng)
        self.held += zip(clean, self.source.prompts(texts), self.source.prompts(told), strict=True)
        self.drawn += count


def official(name: str) -> str:
    """`a.attn1.to_q.lora_A.move.weight` as the LoRAs of AnimateDiff v2 call it."""
    stem, _, tail = name.partition(".lora_")
    block, _, layer = stem.removesuffix(".0").rpartition(".")
    return f"unet.{block}.processor.{layer}_lora.{'down' if tail.startswith('A') else 'up'}.weight"


def fit_lightning(
    plan: Plan, source: Source, teacher: UNetMotionModel, guidance: float, clips: int = 12
) -> UNetMotionModel:
    """Trains motion modules whose single step does what PARTS guided steps of the teacher do, at FEW
    timesteps.

    Progressive distillation (Salimans and Ho, 2022) with guidance folded in; the image layers stay the
    teacher's.
    """
    teacher = teacher.eval().requires_grad_(False)
    teacher.set_attn_processor(Plain())
    student = copy.deepcopy(teacher).train()
    learned = {
        name: p.requires_grad_(True) for name, p in student.named_parameters() if "motion_modules" in name
    }
    wrapped = Wrapped(learned)
    optimizer = Muon(wrapped.named_parameters(), rate=0.004, adam_rate=3e-4)
    alphas = new_scheduler().alphas_cumprod.to(plan.device)
    thinned = Thinned(source, clips, camera=0.3, two=0.45)
    nothing = source.prompts([""])

    def loss(done: float, rng: random.Random) -> Tensor:
        clean, _, states, frames = thinned.batch(4 if done < 0.8 else FRAMES, rng)
        place_frames(student, frames)
        place_frames(teacher, frames)
        start = few(len(clean), rng, plan.device)
        noisy, _ = noised(clean, torch.randn_like(clean), start, alphas)
        with torch.autocast(plan.device, torch.bfloat16):
            wanted = _goal(teacher, noisy, start, states, nothing, guidance, alphas)
            made = student(noisy, start, states.repeat_interleave(clean.shape[2], 0)).sample
        return apart(made, wanted)

    average = train("lightning", wrapped, optimizer, loss, plan, keep=0.98)
    student.load_state_dict(average.plain(), strict=False)
    place_frames(student, range(FRAMES))
    return student


def carry(checkpoint: Path, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    """Moves four-step modules in training as far as the modules that taught them have moved since, so that
    they go on from near where the new ones lead."""
    if not checkpoint.exists():
        return
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    for part in ("network", "average"):
        for name, tensor in state[part].items():
            plain = name.removeprefix("tensors.").replace("/", ".")
            tensor += after[plain] - before[plain]
    torch.save(state, checkpoint.with_suffix(".part"))
    checkpoint.with_suffix(".part").replace(checkpoint)


@torch.no_grad()
def _goal(teacher: UNetMotionModel, noisy: Tensor, start: Tensor, states: Tensor, nothing: Tensor,
          guidance: float, alphas: Tensor) -> Tensor:  # fmt: skip
    """The velocity that leads in one step to where the teacher is after PARTS steps."""
    stride, x, at = 250 // PARTS, noisy, start
    for _ in range(PARTS):
        words = states.repeat_interleave(noisy.shape[2], 0)
        velocity = teacher(x, at, words).sample.float()
        if guidance > 1:
            bare = teacher(x, at, nothing.expand(len(words), -1, -1)).sample.float()
            velocity = bare + guidance * (velocity - bare)
        x = _step(x, velocity, at, at - stride, alphas)
        at = at - stride
    a, b = _signal(start, alphas), _blur(start, alphas)
    to, haze = _signal(start - 250, alphas), _blur(start - 250, alphas)
    return (x - (to * a + haze * b) * noisy) / (haze * a - to * b)


def _signal(at: Tensor, alphas: Tensor) -> Tensor:
    alpha = torch.where(at < 0, torch.ones_like(alphas[0]), alphas[at.clamp(min=0)])
    return alpha.sqrt().view(-1, 1, 1, 1, 1)


def _blur(at: Tensor, alphas: Tensor) -> Tensor:
    return (1 - _signal(at, alphas) ** 2).clamp(min=0).sqrt()


def _step(x: Tensor, velocity: Tensor, at: Tensor, to: Tensor, alphas: Tensor) -> Tensor:
    """One step of DDIM (equally, of Euler) along a velocity."""
    clean = _signal(at, alphas) * x - _blur(at, alphas) * velocity
    noise = _blur(at, alphas) * x + _signal(at, alphas) * velocity
    return _signal(to, alphas) * clean + _blur(to, alphas) * noise
