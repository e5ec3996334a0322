"""A glimpse of a clip in the making: its latents as small pictures, for next to nothing.

Where a recipe names a small decoder (weight `preview`, an AutoencoderTiny of the same latents, such as
madebyollin/taesd for Stable Diffusion 1.x and SVD), that draws it. Otherwise each place of the latents
becomes a colour by linear factors. Those are learnt here, by least squares, from what the model's own decoder
made of the latents of finished clips, and kept beside the weights; nothing is decoded for it. Before the
first clip there are factors only for Stable Diffusion 1.x, measured by its users
(https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204), SVD's being alike, and
for Shapes, by the same least squares from 288 of the pictures that it was trained on.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor

from gen.models import pipe as pipes
from gen.models import weights

if TYPE_CHECKING:
    from gen.models import Pixels
    from gen.recipe import Recipe

log = logging.getLogger(__name__)

#: (channels + 1) × 3: a colour from 0 to 1 is the latents of a place, and a 1, times these.
Factors = NDArray[np.float64]

#: Of Stable Diffusion 1.x, as published from -1 to 1.
STABLE_DIFFUSION: Factors = np.vstack(
    [
        np.array(
            [[0.298, 0.207, 0.208], [0.187, 0.286, 0.173], [-0.158, 0.189, 0.264], [-0.184, -0.271, -0.473]]
        )
        / 2,
        np.full((1, 3), 0.5),
    ]
)
#: Of Shapes.
SHAPES: Factors = np.array(
    [
        [0.112, 0.914, 0.095], [-0.807, -0.846, 0.069], [0.511, 0.285, 0.919], [-0.065, -0.295, -0.59],
        [-1.007, 0.291, 0.406], [0.111, 0.774, 0.643], [0.676, 0.705, 0.568], [-0.112, -0.569, -0.441],
        [0.688, 0.5, 0.441],
    ]
)  # fmt: skip
#: Of the bases of AnimateDiff, by the channels of their latents.
KNOWN: Mapping[int, Factors] = {4: STABLE_DIFFUSION, 8: SHAPES}
#: Frames of a glimpse, and pixels of the longer side of each.
SHOWN, SIDE = 3, 256
#: Frames of a finished clip that factors are learnt from, and clips after which enough is known.
LOOKED, LESSONS = 8, 8
#: How much what was known counts beside one clip's lesson.
KEPT = 0.1


class Glimpse:
    """How one recipe's latents look."""

    def __init__(
        self,
        recipe: Recipe,
        cache: Path,
        *,
        part: str = "base",  # the weight whose latents they are
        known: Factors | None = None,
        device: str = "cpu",
    ) -> None:
        """Raises EngineError when the recipe names a small decoder that cannot be loaded."""
        self._notes = cache / "colours.json"
        self._key = json.dumps(recipe.weights.get(part), default=str)
        self._tiny = _tiny(recipe.weights["preview"], cache, device) if "preview" in recipe.weights else None
        kept = _read(self._notes).get(self._key)
        self.factors = known if kept is None else np.array(kept["factors"])
        self.lessons = 0 if kept is None else int(kept["clips"])

    def strip(self, latents: Tensor) -> Pixels | None:
        """Height × width × 3: the first, the middle and the last of frames × channels × height × width, side
        by side; None while nothing is known of how they look."""
        picked = latents[
            torch.linspace(0, len(latents) - 1, min(SHOWN, len(latents))).round().long().tolist()
        ]
        frames = self._drawn(picked) if self._tiny is not None else self._coloured(picked)
        if frames is None:
            return None
        strip: Pixels = np.concatenate([_sized(frame) for frame in frames], axis=1)
        return strip

    @torch.no_grad()
    def learn(self, latents: Tensor, clip: Pixels) -> None:
        """Takes a lesson from the frames (frames × height × width × 3) that latents were decoded to."""
        if self._tiny is not None or self.lessons >= LESSONS:
            return
        picked = np.linspace(0, len(latents) - 1, min(LOOKED, len(latents))).round().astype(int)
        places = latents[picked.tolist()].float().cpu().permute(0, 2, 3, 1).numpy().astype(np.float64)
        high, wide, channels = places.shape[1:]
        pictures = [clip[at] for at in _moments(picked, len(latents), len(clip))]
        small = np.stack([cv2.resize(each, (wide, high), interpolation=cv2.INTER_AREA) for each in pictures])
        known = np.vstack([np.zeros((channels, 3)), np.full((1, 3), 0.5)])
        if self.factors is not None and self.factors.shape == known.shape:
            known = self.factors
        ones = np.hstack([places.reshape(-1, channels), np.ones((small[..., 0].size, 1))])
        self.factors = fitted(ones, small.reshape(-1, 3) / 255, known)
        self.lessons += 1
        self._keep()

    @torch.no_grad()
    def _coloured(self, latents: Tensor) -> Pixels | None:
        if self.factors is None or len(self.factors) != latents.shape[1] + 1:
            return None
        factors = torch.from_numpy(self.factors).to(latents.device, torch.float32)
        colours = torch.einsum("fchw,cr->frhw", latents.float(), factors[:-1]) + factors[-1][:, None, None]
        return pipes.pixels(colours, low=0.0)

    @torch.no_grad()
    def _drawn(self, latents: Tensor) -> Pixels | None:
        tiny: Any = self._tiny
        try:
            pictures: Tensor = tiny.decode(latents.to(tiny.device, tiny.dtype)).sample
        except torch.OutOfMemoryError:  # the clip needs all that there is
            return None
        return pipes.pixels(pictures)

    def _keep(self) -> None:
        if self.factors is None:
            return
        kept = {**_read(self._notes), self._key: {"clips": self.lessons, "factors": self.factors.tolist()}}
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        draft = self._notes.with_suffix(".draft")
        draft.write_text(json.dumps(kept), "utf-8")
        draft.replace(self._notes)


def fitted(places: NDArray[np.float64], colours: NDArray[np.float64], known: Factors) -> Factors:
    """The factors by which `places` (n × channels + 1) come nearest to `colours` (n × 3), drawn a little to
    those that are known (ridge regression towards them)."""
    square = places.T @ places / len(places)
    rest = places.T @ (colours - places @ known) / len(places)
    found: Factors = known + np.linalg.solve(square + KEPT * np.diag(np.diag(square) + 1e-6), rest)
    return found


def _moments(picked: NDArray[np.int64], latents: int, frames: int) -> list[int]:
    """The frame that each of the picked latents is mostly about. Where there are fewer latents than frames,
    the first one is the first frame alone, and the others share the rest (causal coders)."""
    if latents == frames:
        return [int(at) for at in picked]
    span = (frames - 1) / max(1, latents - 1)
    return [0 if at == 0 else round((at - 0.5) * span) for at in picked]


def _sized(frame: Pixels) -> Pixels:
    scale = SIDE / max(frame.shape[:2])
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    sized: Any = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    pixels: Pixels = sized
    return pixels


def _tiny(named: Any, cache: Path, device: str) -> Any:
    place = weights.find(named, cache)
    dtype = torch.float32 if torch.device(device).type == "cpu" else torch.float16
    return pipes.module(AutoencoderTiny, place, dtype=dtype).to(device)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found
