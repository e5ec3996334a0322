"""Stable Video Diffusion: a picture comes alive (Blattmann et al., 2023, arXiv:2311.15127).

Weights of a recipe: `base`. Options: `noise` on the picture (0.02), `chunk`, frames decoded at once (4).
The strength of the motion becomes the model's motion bucket, of which 127 is usual and 255 the most.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import StableVideoDiffusionPipeline
from torch import Tensor

from gen.models import pipe as pipes
from gen.models import weights
from gen.models.device import Place, look
from gen.models.glimpse import STABLE_DIFFUSION, Glimpse
from gen.models.switches import Switches

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels
    from gen.recipe import Recipe

USUAL, MOST = 127, 255  # motion buckets


class Model:
    """One checkpoint; the number of frames it was trained for is its recipe's."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self.recipe = recipe
        self.pipe = self._pipe(weights.find(recipe.weights["base"], cache), look(device).half)
        self.place = Place(self.pipe, device, memory=recipe.memory, notes=cache, name=recipe.name)
        self.glimpse = Glimpse(recipe, cache, known=STABLE_DIFFUSION, device=device)
        self.switches = Switches(
            self.pipe, recipe.options, name=recipe.name, rung=self.place.rung, cache=cache
        )

    def _pipe(self, base: Path, dtype: torch.dtype) -> Any:
        """Of the picture coder, what sees the picture overflows half precision. The pipeline would widen the
        whole coder for each picture, and layers that come and go would come back narrow."""
        exact = {"vae": torch.float32}
        made = pipes.assemble(StableVideoDiffusionPipeline, base, dtype=dtype, dtypes=exact)
        made.vae.decoder.to(dtype)
        return made

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3 of the request's size. Raises OutOfMemory, EngineError."""
        return self.switches.run(lambda: self.place.run(lambda: self._frames(request, pictures[0], step)))

    def _frames(self, request: Request, picture: Pixels, step: OnStep) -> Pixels:
        chunk = int(self.recipe.options.get("chunk", 4))
        latents = pipes.call(
            self.pipe, step, request.steps + -(-request.frames // chunk),
            view=pipes.View(self.glimpse, lambda latents: latents[0]),
            image=pipes.images([picture], request.width, request.height)[0],
            height=request.height,
            width=request.width,
            num_frames=request.frames,
            num_inference_steps=request.steps,
            max_guidance_scale=request.guidance,
            fps=request.fps,
            motion_bucket_id=bucket(request.motion),
            noise_aug_strength=float(self.recipe.options.get("noise", 0.02)),
            generator=pipes.dice(request.seed),
            output_type="latent",
        ).frames  # fmt: skip
        with pipes.released(self.pipe):
            size = (request.height, request.width)
            return pipes.decode(
                latents[0], self._pictured, step,
                done=request.steps, chunk=chunk, size=size, glimpse=self.glimpse,
            )  # fmt: skip

    def _pictured(self, latents: Tensor) -> Tensor:
        vae = self.pipe.vae
        ready = (latents / vae.config.scaling_factor).to(next(vae.decoder.parameters()).dtype)
        pictures: Tensor = vae.decode(ready, num_frames=len(ready)).sample
        return pictures


def bucket(motion: float) -> int:
    """The motion bucket of a strength of 0 to 4, of which 1 is usual."""
    return round(USUAL * motion if motion <= 1 else USUAL + (MOST - USUAL) * (motion - 1) / 3)
