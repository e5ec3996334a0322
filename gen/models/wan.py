"""Wan 2.1 and 2.2: text, a picture, or a first and a last picture (Wan team, 2025, arXiv:2503.20314).

Weights of a recipe: `base`, and perhaps `transformer` (a folder, for a distilled model that has no more).
Options: `scheduler` and `scheduler_args` (`flow_shift` is 3 at 480 lines, 5 at 720); `guidance_2`, for the
second of 2.2's two denoisers; `negative`, for when nobody says what to avoid; `sigmas`, the noise levels that
a distilled model was taught, one for each step. Frames are 4 n + 1, sides multiples of 16 (of 32 for the 5B
model).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import WanImageToVideoPipeline, WanPipeline, WanTransformer3DModel
from torch import Tensor

from gen.job import Task
from gen.models import pipe as pipes
from gen.models import weights
from gen.models.device import Place, look
from gen.models.glimpse import Glimpse
from gen.models.switches import Switches

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels
    from gen.recipe import Recipe

LONGEST = 512  # tokens of a prompt


class Model:
    """One checkpoint; the recipe's task says which of its pipelines."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self.recipe = recipe
        self.pipe = self._pipe(look(device).brain, cache)
        # The pipeline for pictures reads prompts with a library that is not here; this one can without it.
        parts = {
            name: self.pipe.components[name] for name in ("tokenizer", "text_encoder", "vae", "scheduler")
        }
        self.reader = WanPipeline(**parts)
        self.place = Place(self.pipe, device, memory=recipe.memory, notes=cache, name=recipe.name)
        self.switches = Switches(
            self.pipe, recipe.options, name=recipe.name, rung=self.place.rung, cache=cache
        )
        self.prompts = pipes.Prompts(self._encode)
        self.glimpse = Glimpse(recipe, cache, device=device)

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3 of the request's size. Raises OutOfMemory, EngineError."""
        return self.switches.run(lambda: self.place.run(lambda: self._frames(request, pictures, step)))

    def _frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        return pipes.clip(
            self.pipe, step, request.steps,
            view=pipes.View(self.glimpse, lambda latents: latents[0].transpose(0, 1)),
            **self._words(request),
            **self._shown(request, pictures),
            height=request.height,
            width=request.width,
            num_frames=request.frames,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            guidance_scale_2=self._second(request),
            generator=pipes.dice(request.seed),
        )  # fmt: skip

    def _pipe(self, dtype: torch.dtype, cache: Path) -> Any:
        named, given = self.recipe.weights, {}
        if "transformer" in named:
            place = weights.find(named["transformer"], cache)
            given["transformer"] = pipes.module(WanTransformer3DModel, place, dtype=dtype)
        kind = WanPipeline if self.recipe.task is Task.TEXT else WanImageToVideoPipeline
        # Its picture coder and its eye lose detail in 16 bits.
        exact = {"vae": torch.float32, "image_encoder": torch.float32}
        base = weights.find(named["base"], cache)
        made = pipes.assemble(kind, base, dtype=dtype, dtypes=exact, given=given)
        pipes.schedule(made, self.recipe.options)
        if "sigmas" in self.recipe.options:  # the pipeline has no argument for them
            levels = self.recipe.options["sigmas"]
            made.scheduler.set_timesteps = partial(made.scheduler.set_timesteps, sigmas=levels)
        return made

    def _second(self, request: Request) -> float | None:
        """Guidance of the second denoiser, where there are two."""
        second = self.recipe.options.get("guidance_2")
        return None if second is None or self.pipe.config.boundary_ratio is None else float(second)

    def _shown(self, request: Request, pictures: Sequence[Pixels]) -> dict[str, Any]:
        shown = pipes.images(pictures, request.width, request.height)
        return dict(zip(("image", "last_image"), shown, strict=False))

    def _words(self, request: Request) -> dict[str, Tensor]:
        """The prompt as embeddings, kept for rerolls: the encoder is larger than the smallest denoiser."""
        words = {"prompt_embeds": self.prompts(request.prompt)}
        if request.guidance > 1:
            avoided = request.negative or self.recipe.options.get("negative", "")
            words["negative_prompt_embeds"] = self.prompts(avoided)
        return words

    def _encode(self, text: str) -> Any:
        return self.reader.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=LONGEST, device=self.place.device
        )[0]
