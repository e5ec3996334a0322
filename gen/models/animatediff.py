"""AnimateDiff: motion modules on a Stable Diffusion 1.5 base (Guo et al., 2023, arXiv:2307.04725).

Weights of a recipe: `base` (a Stable Diffusion folder); `motion` (a MotionAdapter folder) or `lightning` (one
file of such an adapter, Lin and Yang, 2024, arXiv:2403.12706; `motion` then only says how it is built);
`always`, LoRAs that are always on, each a table with `scale`; `lora`, a motion LoRA for each camera move.
`sparse`, a SparseControlNet folder, for clips between two pictures (Guo et al., 2023, arXiv:2311.16933);
`control`, a ControlNet folder, for clips that follow a video; with it `depth`, or `pose` and `person`, by
options `condition` ("depth", "pose", or "none" where the video is itself what the ControlNet is shown) and
`strength` (1); see `gen.models.control`.
Options: `scheduler` (a class of diffusers) and `scheduler_args`; `norm`, "stock" or "per-frame"; `upscale`,
by which frames are enlarged; `free_noise`, frames of the window in which longer clips are made (Qiu et al.,
2023, arXiv:2310.15169). With it, a prompt travels: parts between bars (“a seed | a tree”) share the clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers import (
    AnimateDiffControlNetPipeline,
    AnimateDiffPipeline,
    AnimateDiffSparseControlNetPipeline,
    ControlNetModel,
    MotionAdapter,
    SparseControlNetModel,
)
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from PIL import Image
from torch import Tensor, nn

from gen.errors import EngineError
from gen.models import control, weights
from gen.models import pipe as pipes
from gen.models.device import Place, brisk, look
from gen.models.glimpse import KNOWN, Glimpse
from gen.models.switches import Switches

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import OnStep, Pixels
    from gen.recipe import Recipe

#: Frames decoded at once.
CHUNK = 4


class Model:
    """One base, one set of motion modules, and the camera's LoRAs."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        self.recipe = recipe
        self.device = device
        self.window = int(recipe.options.get("free_noise", 0))
        self.pipe = self._pipe(cache, look(device).half)
        if recipe.options.get("norm", "stock") == "per-frame":
            norm_per_frame(self.pipe.unet)
        if self.window:
            # Before any LoRA is loaded, and for good: switching moves weights by names that LoRAs change.
            self._look_through(self.window)
        self.always = self._load_always(recipe.weights.get("always", []), cache)
        self.moves = self._load_moves(recipe.weights.get("lora", {}), cache)
        if device == "cpu":  # where convolutions run faster so
            self.pipe.vae.to(memory_format=torch.channels_last)
            self.pipe.unet.to(memory_format=torch.channels_last)
        self.place = Place(self.pipe, device, memory=recipe.memory, notes=cache, name=recipe.name)
        self.switches = Switches(
            self.pipe, recipe.options, name=recipe.name, rung=self.place.rung, cache=cache
        )
        self.prompts = pipes.Prompts(lambda text: self.pipe.encode_prompt(text, self.device, 1, False)[0])
        known = KNOWN.get(self.pipe.vae.config.latent_channels)
        self.glimpse = Glimpse(recipe, cache, known=known, device=device)
        self.guide: control.Guide | None = None
        if "control" in recipe.weights:
            condition = str(recipe.options.get("condition", "none"))
            self.guide = control.guide(recipe.weights, condition, device, cache)
        self._followed: tuple[Request, Pixels] | None = None

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3 of the request's size. Raises OutOfMemory, EngineError."""
        self._aim(request)
        return self.switches.run(lambda: self.place.run(lambda: self._frames(request, pictures, step)))

    def _frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        scale = int(self.recipe.options.get("upscale", 1))
        total = request.steps + -(-request.frames // CHUNK)
        if self.guide:
            shown = self._control(request, pictures[0], total, step)
            step = pipes.later(step, request.frames)
        else:
            shown = self._ends(request, pictures)
        latents = pipes.call(
            self.pipe, step, total,
            view=pipes.View(self.glimpse, lambda latents: latents[0].transpose(0, 1)),
            **self._words(request),
            **shown,
            num_frames=request.frames,
            height=request.height // scale,
            width=request.width // scale,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            generator=pipes.dice(request.seed),
            output_type="latent",
        ).frames  # fmt: skip
        with pipes.released(self.pipe):
            return pipes.decode(
                latents[0].transpose(0, 1), self._pictured, step,
                done=request.steps, chunk=CHUNK, size=(request.height, request.width), glimpse=self.glimpse,
            )  # fmt: skip

    def _pipe(self, cache: Path, dtype: torch.dtype) -> Any:
        base = weights.find(self.recipe.weights["base"], cache)
        kind: Any = AnimateDiffPipeline
        given = {
            "motion_adapter": self._adapter(cache, dtype), "feature_extractor": None, "image_encoder": None,
        }  # fmt: skip
        if "sparse" in self.recipe.weights:
            kind, place = AnimateDiffSparseControlNetPipeline, self.recipe.weights["sparse"]
            given["controlnet"] = pipes.module(SparseControlNetModel, weights.find(place, cache), dtype=dtype)
        if "control" in self.recipe.weights:
            kind, place = AnimateDiffControlNetPipeline, self.recipe.weights["control"]
            given["controlnet"] = pipes.module(ControlNetModel, weights.find(place, cache), dtype=dtype)
        made = pipes.assemble(kind, base, dtype=dtype, given=given)
        pipes.schedule(made, self.recipe.options)
        forget(made)
        return made

    def _adapter(self, cache: Path, dtype: torch.dtype) -> MotionAdapter:
        named = self.recipe.weights
        if "lightning" not in named:
            return pipes.module(MotionAdapter, weights.find(named["motion"], cache), dtype=dtype)
        config = MotionAdapter.load_config(weights.find(named["motion"], cache)) if "motion" in named else {}
        adapter = MotionAdapter.from_config(config)
        file = weights.find(named["lightning"], cache)
        try:
            found = adapter.load_state_dict(pipes.tensors(file), strict=False)
        except RuntimeError as error:
            raise pipes.wrong(file, error) from error
        learnt = dict(adapter.named_parameters())
        if strange := [*found.unexpected_keys, *(key for key in found.missing_keys if key in learnt)]:
            raise EngineError("{file} is for another adapter: {key}.", file=file.name, key=strange[0])
        return adapter.to(dtype)

    def _load_always(self, loras: Sequence[Mapping[str, Any]], cache: Path) -> Mapping[str, float]:
        """Loads the LoRAs that are always on; the strength of each by its name."""
        scales = {}
        for number, spec in enumerate(loras):
            pipes.add_lora(self.pipe, weights.find(spec, cache), name := f"always-{number}")
            scales[name] = float(spec.get("scale", 1.0))
        return scales

    def _load_moves(self, loras: Mapping[str, Any], cache: Path) -> Mapping[str, str]:
        """Loads the motion LoRAs; the name of each camera move's."""
        names = {}
        for move, spec in loras.items():
            names[move] = move.replace(" ", "-")
            pipes.add_lora(self.pipe, weights.find(spec, cache), names[move])
        return names

    def _aim(self, request: Request) -> None:
        """Turns on the LoRAs of the camera's moves, as strong as the motion asked for, and no others."""
        if unknown := [move for move in request.camera if move not in self.moves]:
            raise EngineError("{model} has no camera move “{move}”.", model=self.recipe.name, move=unknown[0])
        moves = {self.moves[move]: strength(request.motion) for move in request.camera}
        if on := {**self.always, **moves}:
            self.pipe.enable_lora()
            self.pipe.set_adapters(list(on), list(on.values()))
        elif self.moves:
            self.pipe.disable_lora()

    def _words(self, request: Request) -> dict[str, Any]:
        """The prompt as embeddings, kept for rerolls; FreeNoise encodes by itself, frame by frame."""
        if self.window:
            self._look_through(min(self.window, request.frames))
            return {"prompt": travel(request.prompt, request.frames), "negative_prompt": request.negative}
        words = {"prompt_embeds": self.prompts(request.prompt)}
        if request.guidance > 1:
            words["negative_prompt_embeds"] = self.prompts(request.negative)
        return words

    def _pictured(self, latents: Tensor) -> Tensor:
        vae = self.pipe.vae
        with brisk(self.device):
            pictures: Tensor = vae.decode((latents / vae.config.scaling_factor).to(vae.dtype)).sample
        return pictures

    def _ends(self, request: Request, pictures: Sequence[Pixels]) -> dict[str, Any]:
        """The first and the last picture, where the recipe takes them."""
        if "sparse" not in self.recipe.weights:
            return {}
        scale = int(self.recipe.options.get("upscale", 1))
        ends = pipes.images(pictures, request.width // scale, request.height // scale)
        places = [0, request.frames - 1][: len(ends)]
        return {"conditioning_frames": ends, "controlnet_frame_indices": places}

    def _control(self, request: Request, video: Pixels, total: int, step: OnStep) -> dict[str, Any]:
        """What the ControlNet is shown of the video; kept for a reroll, which follows the same one."""
        scale = int(self.recipe.options.get("upscale", 1))
        size = (request.width // scale, request.height // scale)
        asked = replace(request, prompt="", negative="", seed=0, camera=(), steps=1, guidance=1.0, motion=1.0)
        if self.guide and (self._followed is None or self._followed[0] != asked):
            frames = np.stack([pipes.cover(frame, *size) for frame in video[: request.frames]])
            whole = request.frames + total
            self._followed = asked, self.guide(frames, lambda done, frame: step(done, whole, frame))
        frames = self._followed[1] if self._followed else video
        return {
            "conditioning_frames": [Image.fromarray(frame) for frame in frames],
            "controlnet_conditioning_scale": float(self.recipe.options.get("strength", 1.0)),
        }

    def _look_through(self, window: int) -> None:
        """FreeNoise sees so many frames at once; it wants no more of them than the clip has."""
        self.pipe.enable_free_noise(context_length=window, context_stride=max(1, window // 4))


def forget(pipe: Any) -> None:
    """Leaves of the adapter how it was built, which FreeNoise asks for: its weights were copied into the
    denoiser, and would be on the device twice."""
    config = pipe.motion_adapter.config
    pipe.register_modules(motion_adapter=None)
    pipe.motion_adapter = SimpleNamespace(config=config)


def strength(motion: float) -> float:
    """The scale of a camera's LoRA for a motion of 0 to 4, of which 1 is usual; frames break beyond 1.5."""
    return motion if motion <= 1 else 1 + (motion - 1) / 6


def travel(prompt: str, frames: int) -> str | dict[int, str]:
    """The prompt of each frame at which one begins: parts between bars share the clip evenly."""
    parts = [part for each in prompt.split("|") if (part := each.strip())]
    if len(parts) < 2 or len(parts) >= frames:
        return prompt
    return {index * frames // len(parts): part for index, part in enumerate(parts)}


class FrameGroupNorm(nn.GroupNorm):
    """Normalises each frame by itself, as the original motion modules do; the stock one pools over frames."""

    def forward(self, hidden: Tensor) -> Tensor:
        """batch × channels × frames × height × width, each frame normalised over its own space."""
        batch, _, frames, _, _ = hidden.shape
        flat = hidden.transpose(1, 2).flatten(0, 1)
        normal: Tensor = super().forward(flat)
        return normal.view(batch, frames, *normal.shape[1:]).transpose(1, 2)


def norm_per_frame(unet: nn.Module) -> int:
    """Puts `FrameGroupNorm` into every motion module; how many there were."""
    modules = [module for module in unet.modules() if isinstance(module, AnimateDiffTransformer3D)]
    for module in modules:
        stock = module.norm
        norm = FrameGroupNorm(stock.num_groups, stock.num_channels, eps=stock.eps)
        norm.load_state_dict(stock.state_dict())
        module.norm = norm.to(stock.weight.device, stock.weight.dtype)
    return len(modules)
