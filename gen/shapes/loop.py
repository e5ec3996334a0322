"""The loop that every stage of training shares: schedule, average, checkpoint, resume, progress."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as group
from torch import Tensor, nn
from tqdm import tqdm  # type: ignore[import-untyped]  # publishes no types

from gen.shapes.optimizer import Muon


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a stage trains and where its checkpoint lies: it ends at `steps`, or earlier after `minutes`.

    `further` gives a finished stage so many minutes more. `rank` tells apart the workers that train one
    network together, each on scenes of its own.
    """

    steps: int
    minutes: float
    folder: Path
    seed: int = 0
    device: str = "cpu"
    rank: int = 0
    further: bool = False


Net = TypeVar("Net", bound=nn.Module)
Loss = Callable[[float, random.Random], Tensor]
"""Of the part done (0 to 1) and the step's own randomness."""


def train(stage: str, network: Net, optimizer: Muon, loss: Loss, plan: Plan, keep: float = 0.995) -> Net:
    """The averaged network after training. What was stopped goes on from its last checkpoint."""
    average = copy.deepcopy(network).requires_grad_(False)
    saved = plan.folder / f"{stage}.pt"
    first, spent = resume(saved, network, average, optimizer)
    spent = 0.0 if plan.further else spent
    started = time.monotonic() - spent
    last_saved = time.monotonic()
    bar = tqdm(total=plan.steps, initial=first, desc=stage, mininterval=5.0, disable=plan.rank > 0)
    smooth, step = math.nan, first
    while step < plan.steps:
        done = shared(max(step / plan.steps, (time.monotonic() - started) / 60 / plan.minutes))
        if done >= 1:
            break
        seed = (plan.seed * 64 + plan.rank) * 1_000_003 + step
        torch.manual_seed(seed)
        optimizer.scale(min(1.0, (step + 1) / 40) * max(0.02, min(1.0, 1.25 * (1 - done))))
        value = loss(done, random.Random(seed))
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        gather(network)
        optimizer.step()
        follow(average, network, min(keep, (step + 1) / (step + 10)))
        smooth = value.item() if math.isnan(smooth) else smooth * 0.97 + value.item() * 0.03
        bar.set_postfix(loss=f"{smooth:.4f}", done=f"{done:.0%}", refresh=False)
        bar.update()
        step += 1
        if plan.rank == 0 and time.monotonic() - last_saved > 60:
            save(saved, network, average, optimizer, step, time.monotonic() - started)
            last_saved = time.monotonic()
    bar.close()
    if plan.rank == 0:
        save(saved, network, average, optimizer, step, time.monotonic() - started)
    return average


def apart(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean square difference, in full precision."""
    return (made.float() - wanted).pow(2).mean()


def shared(number: float) -> float:
    """The first worker's number, for all."""
    if not group.is_initialized():
        return number
    box = torch.tensor([number], dtype=torch.float64)
    group.broadcast(box, 0)
    return box.item()


def gather(network: nn.Module) -> None:
    """Gives every worker the mean of all workers' gradients."""
    if not group.is_initialized():
        return
    owners = [parameter for parameter in network.parameters() if parameter.requires_grad]
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in owners])
    group.all_reduce(flat)
    flat /= group.get_world_size()
    for parameter, mean in zip(owners, torch.split(flat, [p.numel() for p in owners]), strict=True):
        parameter.grad = mean.view_as(parameter)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Moves the average a little towards the network."""
    for ours, theirs in zip(average.parameters(), network.parameters(), strict=True):
        ours.lerp_(theirs, 1 - keep)


def save(
    path: Path, network: nn.Module, average: nn.Module, optimizer: Muon, step: int, spent: float
) -> None:
    """Writes a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save({**state, "step": step, "spent": spent}, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def resume(path: Path, network: nn.Module, average: nn.Module, optimizer: Muon) -> tuple[int, float]:
    """The step to go on from and the seconds already spent, after loading what was saved."""
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, weights_only=True, map_location=next(network.parameters()).device)
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["spent"])
