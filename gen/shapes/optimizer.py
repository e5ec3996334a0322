"""Muon for the matrices inside a network and AdamW for the rest, as one optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


def orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly: the quintic Newton-Schulz rounds of Muon (Jordan et
    al., 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    out: Tensor = x.T if tall else x
    return out


class Muon(torch.optim.Optimizer):
    """`rate` is the step of the matrices (0.02 fits most), `adam_rate` of everything else; both follow
    `shape`."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]], rate: float, adam_rate: float,
                 outer: tuple[str, ...] = (), decay: float = 0.0) -> None:  # fmt: skip
        matrices: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in named:
            inner = parameter.ndim >= 2 and not any(word in name for word in outer)
            (matrices if inner else rest).append(parameter)
        groups: list[dict[str, Any]] = []
        if matrices:
            groups.append({"params": matrices, "rate": rate, "muon": True})
        if rest:
            groups.append({"params": rest, "rate": adam_rate, "muon": False})
        super().__init__(groups, {"decay": decay, "shape": 1.0})

    def scale(self, shape: float) -> None:
        """Sets the factor (0 to 1) of the schedule on both rates."""
        for group in self.param_groups:
            group["shape"] = shape

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # no closure is used
        for group in self.param_groups:
            for parameter in group["params"]:
                (self._matrix if group["muon"] else self._adam)(parameter, group)

    def _matrix(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, grad = self.state[parameter], parameter.grad
        if grad is None:
            return
        if not state:
            state["momentum"] = torch.zeros_like(grad)
        state["momentum"].lerp_(grad, 0.05)
        update = orthogonal(grad.lerp(state["momentum"], 0.95).flatten(1))
        size = math.sqrt(max(1.0, update.shape[0] / update.shape[1]))
        rate = group["rate"] * group["shape"]
        parameter.mul_(1 - rate * group["decay"])
        parameter.add_(update.view_as(parameter), alpha=-rate * size)

    def _adam(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, grad = self.state[parameter], parameter.grad
        if grad is None:
            return
        if not state:
            state.update(step=0, mean=torch.zeros_like(grad), square=torch.zeros_like(grad))
        state["step"] += 1
        state["mean"].lerp_(grad, 0.1)
        state["square"].mul_(0.99).addcmul_(grad, grad, value=0.01)
        mean = state["mean"] / (1 - 0.9 ** state["step"])
        square = state["square"] / (1 - 0.99 ** state["step"])
        parameter.add_(mean / (square.sqrt() + 1e-8), alpha=-group["rate"] * group["shape"])
