"""What a scheduler takes the finished latents for, in the middle of denoising: the step's own guess."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Guess:
    """The last step of one scheduler. Nothing is computed before somebody asks."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._last: tuple[Tensor, Any, Tensor, Any] | None = None  # output, time step, sample, what it made

    def note(self, output: Tensor, time: Any, sample: Tensor, made: Any) -> None:
        """Remembers a step."""
        self._last = output, time, sample, made

    @property
    def latents(self) -> Tensor | None:
        """The latents after the last step, as they are."""
        if self._last is None:
            return None
        made = self._last[3]
        latents: Tensor = made[0] if isinstance(made, tuple) else made.prev_sample
        return latents

    @torch.no_grad()
    def finished(self) -> Tensor | None:
        """The latents without the noise that is left, as the last step guesses them; None before it."""
        if self._last is None or (latents := self.latents) is None:
            return None
        output, time, sample, made = self._last
        scheduler, name = self._scheduler, type(self._scheduler).__name__
        if (guess := _told(made)) is not None:
            return guess
        if guesses := getattr(scheduler, "model_outputs", None):  # DPM-Solver++ and UniPC keep theirs
            own: Tensor = guesses[-1]
            return own
        if "FlowMatch" in name:
            return _along(scheduler, output, sample, latents)
        if hasattr(scheduler, "alphas_cumprod"):  # PNDM: its outputs belong to the samples that it is given
            return _apart(scheduler, output, time, sample)
        return latents


@contextlib.contextmanager
def guessing(scheduler: Any) -> Iterator[Guess]:
    """Inside, each step of the scheduler is noted."""
    plain, guess = scheduler.step, Guess(scheduler)
    own = vars(scheduler).get("step")

    @functools.wraps(plain)  # pipelines look at its signature
    def step(model_output: Tensor, timestep: Any, sample: Tensor, *rest: Any, **options: Any) -> Any:
        made = plain(model_output, timestep, sample, *rest, **options)
        guess.note(model_output, timestep, sample, made)
        return made

    scheduler.step = step
    try:
        yield guess
    finally:
        if own is None:
            del scheduler.step
        else:
            scheduler.step = own


def _told(made: Any) -> Tensor | None:
    """The guess that a step gave beside its result, where it does."""
    if isinstance(made, tuple):
        return made[1] if len(made) > 1 else None
    found: Tensor | None = getattr(made, "pred_original_sample", None)
    return found if found is not None else getattr(made, "denoised", None)


def _along(scheduler: Any, output: Tensor, sample: Tensor, latents: Tensor) -> Tensor:
    """Of a flow: where the step's straight line ends. Of an Euler step it has two points, so that the sign
    and the places that a pipeline holds still need not be known."""
    before, after = (float(scheduler.sigmas[scheduler.step_index - 1 + more]) for more in (0, 1))
    if "LCM" in type(scheduler).__name__ or scheduler.config.get("stochastic_sampling"):
        return sample.sub(output, alpha=before)
    return latents.mul(before).sub(sample, alpha=after).div(before - after)


def _apart(scheduler: Any, output: Tensor, time: Any, sample: Tensor) -> Tensor:
    """Of noise that was added by shares of alpha and beta."""
    alpha = float(scheduler.alphas_cumprod[int(time)])
    signal, noise = math.sqrt(alpha), math.sqrt(1 - alpha)
    match scheduler.config.prediction_type:
        case "v_prediction":
            return signal * sample - noise * output
        case "sample":
            return output
    return (sample - noise * output) / signal
