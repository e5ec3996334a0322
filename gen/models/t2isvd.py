"""Text to picture to clip: any text-to-image model of Stable Diffusion's family, then Stable Video Diffusion.

Weights of a recipe: `text` (the first model's folder) and `base` (the second's). Options: those of `svd`, and
`text_steps` and `text_guidance` of the first; `scheduler` and `scheduler_args` are the first's too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import torch
from torch import Tensor

from gen.errors import EngineError
from gen.models import pipe as pipes
from gen.models import svd, weights
from gen.models.device import Place, look
from gen.models.glimpse import STABLE_DIFFUSION, Glimpse

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels, Preview
    from gen.recipe import Recipe

WIDE = "StableDiffusionXLPipeline"
KINDS = ("StableDiffusionPipeline", WIDE)


class Model:
    """Two models, of which one at a time is on a device that has not room for both."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self.recipe = recipe
        self.second = svd.Model(recipe, device=device, cache=cache)
        self.second.place.leave()
        self.first = self._first(device, cache)
        self.place = Place(self.first, device, memory=0.0, notes=cache, name=f"{recipe.name}-text")
        self.place.leave()
        self.prompts = pipes.Prompts(self._encode)
        known = STABLE_DIFFUSION if type(self.first).__name__ == KINDS[0] else None
        self.glimpse = Glimpse(recipe, cache, part="text", known=known, device=device)

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3 of the request's size. Raises OutOfMemory, EngineError."""
        steps = int(self.recipe.options.get("text_steps", 20))
        picture = self.place.run(lambda: self._picture(request, steps, step))
        self.place.leave()
        self.second.place.enter()

        def later(done: int, total: int, _: Preview | None) -> None:
            step(steps + done, steps + total, None)  # the painted picture stays in sight

        try:
            return self.second.frames(request, [picture], later)
        finally:
            self.second.place.leave()

    def _first(self, device: str, cache: Path) -> Any:
        folder = weights.find(self.recipe.weights["text"], cache)
        name = pipes.index(folder).get("_class_name")
        if name not in KINDS:
            raise EngineError("{folder} is no text-to-image model of a known kind.", folder=folder.name)
        given = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
        kind = getattr(diffusers, name)
        made = pipes.assemble(kind, folder, dtype=look(device).half, given=pipes.fitting(kind, given))
        pipes.schedule(made, self.recipe.options)
        if name == WIDE and made.vae.config.force_upcast:
            # It overflows half precision. The pipeline would widen it for each picture, and layers that come
            # and go would come back narrow.
            made.vae.float()
        return made

    def _picture(self, request: Request, steps: int, step: OnStep) -> Pixels:
        """Height × width × 3: what the prompt shows, and the clip's first preview."""
        self.place.enter()
        chunk = int(self.recipe.options.get("chunk", 4))
        total = steps + request.steps + -(-request.frames // chunk)
        view = pipes.View(self.glimpse, lambda latents: latents)
        guidance = float(self.recipe.options.get("text_guidance", 7.5))
        latents = pipes.call(
            self.first, step, total,
            last=steps,
            view=view,
            **self._words(request, guidance),
            height=request.height,
            width=request.width,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=pipes.dice(request.seed),
            output_type="latent",
        ).images  # fmt: skip
        try:
            picture: Pixels = np.ascontiguousarray(pipes.pixels(decoded(self.first.vae, latents))[0])
        finally:  # the next model wants the room
            self.first.maybe_free_model_hooks()
        view.learn(latents, picture[None])
        step(steps, total, picture)
        return picture

    def _words(self, request: Request, guidance: float) -> dict[str, Tensor]:
        """The prompt as embeddings, kept for rerolls."""
        words: dict[str, Tensor] = dict(self.prompts(request.prompt))
        if guidance > 1:
            words |= {f"negative_{name}": each for name, each in self.prompts(request.negative).items()}
        return words

    def _encode(self, text: str) -> dict[str, Tensor]:
        found = self.first.encode_prompt(
            text, device=self.place.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        names = {"prompt_embeds": 0, "pooled_prompt_embeds": 2}  # between them, what is to be avoided
        return {name: found[place] for name, place in names.items() if place < len(found)}


@torch.no_grad()
def decoded(vae: Any, latents: Tensor) -> Tensor:
    """Pictures from -1 to 1, count × 3 × height × width. Some coders say how their latents were spread."""
    config, latents = vae.config, latents.to(vae.dtype)
    if config.latents_mean is None or config.latents_std is None:
        ready = latents / config.scaling_factor
    else:
        mean, std = (
            latents.new_tensor(each)[:, None, None] for each in (config.latents_mean, config.latents_std)
        )
        ready = latents * std / config.scaling_factor + mean
    pictures: Tensor = vae.decode(ready).sample
    return pictures
