"""The call that a user of diffusers would write for a recipe, with the whole pipeline on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers
from PIL import Image

from gen.models import device as devices
from gen.models import pipe as pipes
from gen.models.framepack import SQUEEZED
from gen.models.ltx import PASSED

if TYPE_CHECKING:
    from gen.job import Request
    from gen.models import Pixels
    from gen.recipe import Recipe

KINDS = {
    "animatediff": diffusers.AnimateDiffPipeline,
    "framepack": diffusers.HunyuanVideoFramepackPipeline,
    "ltx": diffusers.LTXConditionPipeline,
    "svd": diffusers.StableVideoDiffusionPipeline,
    "t2isvd": diffusers.StableVideoDiffusionPipeline,
    "wan": diffusers.WanPipeline,
}
HALVES = ("animatediff", "svd", "t2isvd")  # the others are transformers, whose values overflow half precision


def numbers(family: str, device: str) -> torch.dtype:
    """In which that family computes."""
    machine = devices.look(device)
    return machine.half if family in HALVES else machine.brain


def call(recipe: Recipe, request: Request, pictures: Sequence[Pixels], device: str) -> Callable[[], Any]:
    """The call, ready to be made: with the request's size, frames and steps; what it makes are pictures."""
    made = _pipeline(recipe, device)
    told = {
        "height": request.height,
        "width": request.width,
        "num_frames": request.frames,
        "num_inference_steps": request.steps,
        **_told(recipe, request, pipes.images(pictures, request.width, request.height)),
    }
    if recipe.family == "t2isvd":
        paint = _painter(recipe, request, device)
        return lambda: made(image=paint(), **told, output_type="pil").frames
    return lambda: made(**told, output_type="pil").frames


def _painter(recipe: Recipe, request: Request, device: str) -> Callable[[], Image.Image]:
    """What makes the picture that then comes alive."""
    kind, dtype = diffusers.StableDiffusionPipeline, numbers(recipe.family, device)
    made = kind.from_pretrained(recipe.weights["text"], dtype=dtype, safety_checker=None).to(device)
    made.set_progress_bar_config(disable=True)
    told = {
        "prompt": request.prompt,
        "height": request.height,
        "width": request.width,
        "num_inference_steps": recipe.options["text_steps"],
        "guidance_scale": recipe.options["text_guidance"],
    }
    return lambda: made(**told).images[0]


def _pipeline(recipe: Recipe, device: str) -> Any:
    dtype, parts = numbers(recipe.family, device), recipe.weights
    more: dict[str, Any] = {}
    if recipe.family == "animatediff":
        motion = diffusers.MotionAdapter.from_pretrained(parts["motion"], dtype=dtype)
        more = {"motion_adapter": motion, "feature_extractor": None}
    if recipe.family == "framepack":
        kind, eye = diffusers.HunyuanVideoFramepackTransformer3DModel, transformers.SiglipVisionModel
        processor = transformers.SiglipImageProcessor
        more = {
            "transformer": kind.from_pretrained(parts["transformer"], dtype=dtype),
            "image_encoder": eye.from_pretrained(f"{parts['eye']}/image_encoder", dtype=dtype),
            "feature_extractor": processor.from_pretrained(f"{parts['eye']}/feature_extractor"),
        }
    made = KINDS[recipe.family].from_pretrained(parts["base"], dtype=dtype, **more).to(device)
    if recipe.family in ("framepack", "ltx"):  # as their pages say
        made.vae.enable_tiling()
    pipes.schedule(made, recipe.options)
    made.set_progress_bar_config(disable=True)
    return made


def _told(recipe: Recipe, request: Request, shown: Sequence[Image.Image]) -> dict[str, Any]:
    """What only that family's pipeline takes."""
    options = recipe.options
    if recipe.family in ("svd", "t2isvd"):
        return {**({"image": shown[0]} if shown else {}), "max_guidance_scale": request.guidance}
    words = {"prompt": request.prompt, "guidance_scale": request.guidance}
    if recipe.family == "ltx":
        times = options["timesteps"] if len(options["timesteps"]) == request.steps else None
        return {
            **words,
            "timesteps": times,
            "frame_rate": request.fps,
            **{name: options[name] for name in PASSED if name in options},
        }
    if recipe.family == "framepack":  # as many sections as ours has: its own count is of what each adds
        window = options["window"]
        sections = (request.frames - 1) // (SQUEEZED * window)
        count = sections * (SQUEEZED * (window - 1) + 1)
        return {**words, "image": shown[0], "last_image": shown[1], "num_frames": count}
    return words
