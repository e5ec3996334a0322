"""What is learned on top of the finished denoiser: a LoRA for each camera move, and the four-step motion
modules."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping

import torch
from diffusers import UNetMotionModel
from peft import LoraConfig
from torch import Tensor, nn

from gen.shapes.caption import caption
from gen.shapes.loop import Plan, apart, train
from gen.shapes.optimizer import Muon
from gen.shapes.scene import FRAMES, Scene, asked
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


def fit_lora(
    plan: Plan, source: Source, model: UNetMotionModel, move: str, clips: int = 6
) -> dict[str, Tensor]:
    """Trains the LoRA of one camera move on clips whose captions do not name it; the official layout's
    tensors.

    Everything else stays as it is. Names are those of the LoRAs of AnimateDiff v2: `unet.`, the motion
    module's
    attention, `processor.to_q_lora.down.weight` and so on.
    """
    model = copy.deepcopy(model).requires_grad_(False).train()
    target = r".*motion_modules.*\.(to_q|to_k|to_v|to_out\.0)"
    model.set_attn_processor(Plain())
    model.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=target), adapter_name="move")
    grown = {name: p for name, p in model.named_parameters() if "lora_" in name}
    wrapped = Wrapped(grown)
    optimizer = Muon(wrapped.named_parameters(), rate=0.02, adam_rate=2e-3, outer=("lora",))
    alphas = new_scheduler().alphas_cumprod.to(plan.device)

    def loss(done: float, rng: random.Random) -> Tensor:
        frames = sorted(rng.sample(range(FRAMES), 4 if done < 0.85 else 8))
        pairs = [_moving(rng, move) for _ in range(clips)]
        clean = source.latents([scene for scene, _ in pairs], frames, rng)[0].repeat(2, 1, 1, 1, 1)
        states = source.prompts([caption(said, rng) for _, said in pairs]).repeat(2, 1, 1)
        place_frames(model, frames)
        steps = timesteps(len(clean), plan.device)
        noisy, wanted = noised(clean, torch.randn_like(clean), steps, alphas)
        with torch.autocast(plan.device, torch.bfloat16):
            made = model(noisy, steps, states.repeat_interleave(len(frames), 0)).sample
        return apart(made, wanted)

    average = train(f"lora-{move}", wrapped, optimizer, loss, plan, keep=0.97)
    return {official(name): tensor.contiguous() for name, tensor in average.plain().items()}


def _moving(rng: random.Random, move: str) -> tuple[Scene, Scene]:
    """A scene in which the camera moves, and a caption's scene in which it does not: most grounds have
    a pattern."""
    while True:
        scene, said = asked(rng, camera=0.0, two=0.2)
        if scene.kind in ("stripes", "dots") or rng.random() < 0.3:
            return Scene(scene.things, scene.kind, scene.colour, move), said


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
    thinned = Thinned(source, clips, camera=0.1)
    nothing = source.prompts([""])

    def loss(done: float, rng: random.Random) -> Tensor:
        clean, _, states, frames = thinned.batch(4 if done < 0.8 else FRAMES, rng)
        place_frames(student, frames)
        place_frames(teacher, frames)
        start = torch.tensor([FEW[rng.randrange(4)] for _ in range(len(clean))], device=plan.device)
        noisy, _ = noised(clean, torch.randn_like(clean), start, alphas)
        with torch.autocast(plan.device, torch.bfloat16):
            wanted = _goal(teacher, noisy, start, states, nothing, guidance, alphas)
            made = student(noisy, start, states.repeat_interleave(clean.shape[2], 0)).sample
        return apart(made, wanted)

    average = train("lightning", wrapped, optimizer, loss, plan, keep=0.98)
    student.load_state_dict(average.plain(), strict=False)
    place_frames(student, range(FRAMES))
    return student


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
