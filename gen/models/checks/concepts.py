"""How near a picture is to concepts: the safety checker that Stable Diffusion has, layer by layer.

CLIP sees the picture as a vector; for each concept the checkpoint has another, and the cosine from which it
counts (`concept_embeds_weights`). The score of the label `concept` is the highest cosine above its own bound:
0 is where the checkpoint itself judges, and a threshold above 0 is milder. The label `care` is the same for
what it takes special care of; a picture near to that is judged more strictly, by `NEARER`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from torch.nn.functional import normalize
from transformers import CLIPImageProcessor

from gen.models.checks import known, unfit, whole

if TYPE_CHECKING:
    from gen.check import Check
    from gen.models import Pixels

#: What is added to the concepts' scores of a picture that is near to special care.
NEARER = 0.01
LABELS = ("concept", "care")


class Judge:
    """`gen.models.checks.Judge` by concepts."""

    def __init__(self, check: Check, folders: Mapping[str, Path]) -> None:
        known(check, LABELS)
        try:
            self._eye = CLIPImageProcessor.from_pretrained(
                folders.get("eye", folders["base"]), local_files_only=True
            )
        except (OSError, ValueError, KeyError) as error:  # transformers' own, all three
            raise unfit(check, error) from error
        self._model = whole(check, StableDiffusionSafetyChecker, folders["base"])

    @torch.inference_mode()
    def scores(self, pictures: Sequence[Pixels]) -> list[dict[str, float]]:
        """For each picture how far beyond its bound the nearest concept is, and the nearest care."""
        images = [Image.fromarray(picture) for picture in pictures]
        pixels = self._eye(images=images, return_tensors="pt").pixel_values
        seen = normalize(self._model.visual_projection(self._model.vision_model(pixels)[1]))
        care = self._beyond(seen, "special_care_embeds")
        concept = self._beyond(seen, "concept_embeds") + NEARER * (care > 0)
        pairs = torch.stack((concept, care), -1).tolist()
        return [dict(zip(LABELS, pair, strict=True)) for pair in pairs]

    def _beyond(self, seen: torch.Tensor, name: str) -> torch.Tensor:
        """The highest cosine above its own bound, for each picture."""
        near: torch.Tensor = seen @ normalize(getattr(self._model, name)).T
        bounds: torch.Tensor = getattr(self._model, f"{name}_weights")
        return (near - bounds).amax(-1)
