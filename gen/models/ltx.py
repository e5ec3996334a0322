"""LTX-Video: text, a picture, or a first and a last picture (HaCohen et al., 2024, arXiv:2501.00103).

Weights of a recipe: `base`. Options: `timesteps` of a distilled model (used when that many are asked for),
`decode_timestep`, `decode_noise_scale`, `image_cond_noise_scale` and `guidance_rescale` as the pipeline takes
them; `negative`, for when nobody says what to avoid. Sides are multiples of 32, frames 8 n + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffusers import LTXConditionPipeline
from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition
from torch import Tensor

from gen.models import pipe as pipes
from gen.models import weights
from gen.models.device import Place, look
from gen.models.glimpse import Glimpse
from gen.models.switches import Switches

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels
    from gen.recipe import Recipe

LONGEST = 256  # tokens of a prompt
PASSED = ("decode_timestep", "decode_noise_scale", "image_cond_noise_scale", "guidance_rescale")


class Model:
    """One checkpoint for all three tasks."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self.recipe = recipe
        base = weights.find(recipe.weights["base"], cache)
        self.pipe = pipes.assemble(LTXConditionPipeline, base, dtype=look(device).brain)
        pipes.schedule(self.pipe, recipe.options)
        self.pipe.vae.enable_tiling()
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
        options = self.recipe.options
        return pipes.clip(
            self.pipe, step, request.steps,
            view=pipes.View(self.glimpse, partial(self._laid, request)),
            **self._words(request),
            **self._times(request.steps),
            **{name: options[name] for name in PASSED if name in options},
            conditions=conditions(request, pictures),
            height=request.height,
            width=request.width,
            num_frames=request.frames,
            frame_rate=request.fps,
            guidance_scale=request.guidance,
            generator=pipes.dice(request.seed),
        )  # fmt: skip

    def _laid(self, request: Request, latents: Tensor) -> Tensor:
        """frames × channels × height × width of one token for each; tokens of pictures come before them."""
        pipe = self.pipe
        frames = (request.frames - 1) // pipe.vae_temporal_compression_ratio + 1
        high, wide = (side // pipe.vae_spatial_compression_ratio for side in (request.height, request.width))
        tokens = latents[0, -frames * high * wide :]
        return tokens.reshape(frames, high, wide, -1).permute(0, 3, 1, 2)

    def _times(self, steps: int) -> dict[str, Any]:
        times = self.recipe.options.get("timesteps")
        return {"timesteps": times} if times and len(times) == steps else {"num_inference_steps": steps}

    def _words(self, request: Request) -> dict[str, Any]:
        """The prompt as embeddings and masks, kept for rerolls."""
        words = dict(
            zip(("prompt_embeds", "prompt_attention_mask"), self.prompts(request.prompt), strict=True)
        )
        if request.guidance > 1:
            avoided = self.prompts(request.negative or self.recipe.options.get("negative", ""))
            words["negative_prompt_embeds"], words["negative_prompt_attention_mask"] = avoided
        return words

    def _encode(self, text: str) -> Any:
        return self.pipe.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=LONGEST, device=self.place.device
        )[:2]


def conditions(request: Request, pictures: Sequence[Pixels]) -> list[LTXVideoCondition] | None:
    """Which picture is which frame; a loop ends on its first."""
    if not pictures:
        return None
    shown = pipes.images(pictures, request.width, request.height)
    if len(shown) == 1 and request.loop:
        shown = shown * 2
    places = (0, request.frames - 1)
    return [LTXVideoCondition(image=image, frame_index=at) for image, at in zip(shown, places, strict=False)]
