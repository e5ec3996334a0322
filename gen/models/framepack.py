"""FramePack: long clips from a first to a last picture (Zhang and Agrawala, 2025, arXiv:2504.12626).

Weights of a recipe: `base` (HunyuanVideo's folder, whose own denoiser is not wanted), `transformer` and `eye`
(a folder with `image_encoder` and `feature_extractor`). Options: `window`, latent frames of a section (9).
A clip has 4 × window × n + 1 frames: n sections and the first picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffusers import HunyuanVideoFramepackPipeline, HunyuanVideoFramepackTransformer3DModel
from torch import Tensor, cat

from gen.models import pipe as pipes
from gen.models import weights
from gen.models.device import Place, look
from gen.models.glimpse import Glimpse
from gen.models.switches import Switches

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels
    from gen.recipe import Recipe

SQUEEZED = 4  # frames in a latent frame


class Model:
    """One checkpoint."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self.recipe = recipe
        self.window = int(recipe.options.get("window", 9))
        self.pipe = self._pipe(device, cache)
        self.pipe.vae.enable_tiling()
        self.place = Place(self.pipe, device, memory=recipe.memory, notes=cache, name=recipe.name)
        self.switches = Switches(
            self.pipe, recipe.options, name=recipe.name, rung=self.place.rung, cache=cache
        )
        self.prompts = pipes.Prompts(lambda text: self.pipe.encode_prompt(text, device=self.place.device))
        self.glimpse = Glimpse(recipe, cache, device=device)

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3 of the request's size. Raises OutOfMemory, EngineError."""
        return self.switches.run(lambda: self.place.run(lambda: self._frames(request, pictures, step)))

    def _frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        sections = max(1, (request.frames - 1) // (SQUEEZED * self.window))
        shown = pipes.images(pictures, request.width, request.height)
        words = zip(
            ("prompt_embeds", "pooled_prompt_embeds", "prompt_attention_mask"),
            self.prompts(request.prompt), strict=True,
        )  # fmt: skip
        return pipes.clip(
            self.pipe, step, request.steps * sections,
            view=pipes.View(self.glimpse, _laid, frames=SQUEEZED * self.window + 1),
            **dict(words),
            **dict(zip(("image", "last_image"), shown, strict=False)),
            height=request.height,
            width=request.width,
            num_frames=sections * (SQUEEZED * (self.window - 1) + 1),
            latent_window_size=self.window,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            generator=pipes.dice(request.seed),
        )  # fmt: skip

    def _pipe(self, device: str, cache: Path) -> Any:
        named, dtype = self.recipe.weights, look(device).brain
        base, eye = weights.find(named["base"], cache), weights.find(named["eye"], cache)
        transformer = weights.find(named["transformer"], cache)
        given = {
            "transformer": pipes.module(HunyuanVideoFramepackTransformer3DModel, transformer, dtype=dtype),
            **{
                name: pipes.part(eye / name, "transformers", kind, dtype=dtype)
                for name, kind in (
                    ("image_encoder", "SiglipVisionModel"), ("feature_extractor", "SiglipImageProcessor"),
                )
            },
        }  # fmt: skip
        return pipes.assemble(HunyuanVideoFramepackPipeline, base, dtype=dtype, given=given)


def _laid(latents: Tensor) -> Tensor:
    """A section's latents as frames × channels × height × width. The section made last is the clip's first,
    where the picture comes before them: the first of them stands in for it."""
    frames = latents[0].transpose(0, 1)
    return cat([frames[:1], frames])
