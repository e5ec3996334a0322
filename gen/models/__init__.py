"""One self-contained file per model family; each has a class `Model`. They run in the engine's child only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gen.job import Request
    from gen.recipe import Recipe

#: uint8, RGB: height × width × 3 for a picture, frames × height × width × 3 for a clip.
Pixels = NDArray[np.uint8]

#: A picture of the clip in the making: there already, or made where one is wanted (None: it cannot be yet).
Preview = Pixels | Callable[[], Pixels | None]

#: Called after each real step with how many of how many are done, and perhaps a picture of the clip.
#: It raises when the job was cancelled; a model lets that pass and leaves itself fit for the next job.
OnStep = Callable[[int, int, Preview | None], None]


class Model(Protocol):
    """A loaded model."""

    def __init__(self, recipe: Recipe, *, device: str, cache: Path) -> None:
        """Loads the weights the recipe names. Raises EngineError naming the file that is wrong or missing."""

    def frames(self, request: Request, pictures: Sequence[Pixels], step: OnStep) -> Pixels:
        """frames × height × width × 3 of the request's size. Raises OutOfMemory, EngineError.

        Of a video that is followed, `pictures` has one array with what is seen in each of the clip's frames.
        """
        ...
