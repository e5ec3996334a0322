"""An image classifier of transformers, of any architecture: what most detectors on the hub are.

A label's score is its probability: softmax over all labels, or, where the checkpoint says that several may
hold at once (`problem_type`), each label's own sigmoid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification

from gen.models.checks import known, unfit, whole

if TYPE_CHECKING:
    from gen.check import Check
    from gen.models import Pixels


class Judge:
    """`gen.models.checks.Judge` by a classifier."""

    def __init__(self, check: Check, folders: Mapping[str, Path]) -> None:
        folder = folders["base"]
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            self._eye = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:  # transformers' own, all three
            raise unfit(check, error) from error
        known(check, list(config.id2label.values()))
        self._model = whole(check, AutoModelForImageClassification, folder)
        self._several = config.problem_type == "multi_label_classification"
        self._labels = [config.id2label[index] for index in range(len(config.id2label))]

    @torch.inference_mode()
    def scores(self, pictures: Sequence[Pixels]) -> list[dict[str, float]]:
        """For each picture the probability of each label."""
        images = [Image.fromarray(picture) for picture in pictures]
        logits = self._model(**self._eye(images=images, return_tensors="pt")).logits.float()
        chances = logits.sigmoid() if self._several else logits.softmax(-1)
        return [dict(zip(self._labels, row, strict=True)) for row in chances.tolist()]
