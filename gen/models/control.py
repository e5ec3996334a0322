"""What a ControlNet is shown of a video: its depth, its people's poses, or the video as it is.

Depth: Depth Anything (Yang et al., 2024, arXiv:2406.09414). Poses: people are found by RT-DETR (Zhao et al.,
2023, arXiv:2304.08069), their joints by ViTPose (Xu et al., 2022, arXiv:2204.12484); for both, pictures are
prepared as their own processors do, which want a library that is not here. Skeletons are drawn as ControlNet
was taught (Zhang et al., 2023, arXiv:2302.05543; its `annotator/openpose/util.py`), in OpenPose's order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DepthAnythingForDepthEstimation, RTDetrForObjectDetection, VitPoseForPoseEstimation

from gen.errors import EngineError
from gen.models import pipe as pipes
from gen.models import weights

if TYPE_CHECKING:
    from gen.models import Pixels

Floats = NDArray[np.float64]

#: Hears how many frames are done, and the last one.
OnFrame = Callable[[int, "Pixels"], None]

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in which pixels are told
PEOPLE = 6  # in a frame, the surest first
SURE = 0.4  # of a person …
SEEN = 0.3  # … and of a joint
ROUND = 1.25  # times a person's box is what ViTPose is shown
FOUND = 640  # pixels a side of what RT-DETR is shown

#: COCO's joints by OpenPose's places; the neck, at place 1, is between the shoulders.
PLACES = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
SHOULDERS = (5, 6)
#: The limbs between OpenPose's places, each in the colour of its own place in this list.
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
    (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
    (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
DIM = 0.6  # of a limb's colour; joints stand out


def guide(named: Mapping[str, Any], condition: str, device: str, cache: Path) -> Guide:
    """What turns frames into what a ControlNet for `condition` is shown. Raises EngineError."""
    kinds: Mapping[str, Callable[[Mapping[str, Any], str, Path], Guide]] = {
        "depth": Depth, "pose": Pose, "none": lambda named, device, cache: _same,
    }  # fmt: skip
    if condition not in kinds:
        raise EngineError("There is no condition {name}; there are depth, pose and none.", name=condition)
    return kinds[condition](named, device, cache)


#: From frames × height × width × 3 to as many of the same size.
Guide = Callable[["Pixels", OnFrame], "Pixels"]


def _same(frames: Pixels, told: OnFrame) -> Pixels:
    return frames


class Depth:
    """How near all is: white is near."""

    def __init__(self, named: Mapping[str, Any], device: str, cache: Path) -> None:
        place = weights.find(named["depth"], cache)
        self.device = device
        self.model = pipes.module(DepthAnythingForDepthEstimation, place, dtype=torch.float32)
        self.side = int(self.model.config.backbone_config.image_size)
        self.patch = int(self.model.config.patch_size)

    @torch.no_grad()
    def __call__(self, frames: Pixels, told: OnFrame) -> Pixels:
        """One scale for the whole clip, so that it does not flicker; the outermost hundredths are cut off."""
        count, height, width = frames.shape[:3]
        scale = self.side / min(height, width)
        high, wide = (max(1, round(side * scale / self.patch)) * self.patch for side in (height, width))
        near = np.empty((count, height, width), np.float32)
        with there(self.device, self.model):
            for index, frame in enumerate(frames):
                shown = cv2.resize(frame, (wide, high), interpolation=cv2.INTER_CUBIC)
                found = self.model(pixel_values=told_as(shown).to(self.device)).predicted_depth[0]
                near[index] = cv2.resize(found.cpu().numpy(), (width, height), interpolation=cv2.INTER_CUBIC)
                told(index + 1, _grey(near[index]))
        return np.stack([_grey(one, *np.percentile(near, (1, 99))) for one in near])


class Pose:
    """Skeletons of the people on black."""

    def __init__(self, named: Mapping[str, Any], device: str, cache: Path) -> None:
        self.device = device
        finder, joints = (weights.find(named[part], cache) for part in ("person", "pose"))
        self.finder = pipes.module(RTDetrForObjectDetection, finder, dtype=torch.float32)
        self.joints = pipes.module(VitPoseForPoseEstimation, joints, dtype=torch.float32)
        labels = self.finder.config.id2label
        self.person = next((int(key) for key, label in labels.items() if label == "person"), 0)
        high, wide = self.joints.config.backbone_config.image_size
        self.size = (int(wide), int(high))

    @torch.no_grad()
    def __call__(self, frames: Pixels, told: OnFrame) -> Pixels:
        """Where nobody is seen, a frame is black."""
        clip = np.zeros_like(frames)
        with there(self.device, self.finder, self.joints):
            for index, frame in enumerate(frames):
                for box in self.people(frame):
                    draw(clip[index], *self.skeleton(frame, box))
                told(index + 1, clip[index])
        return clip

    @torch.no_grad()
    def people(self, frame: Pixels) -> list[Floats]:
        """Boxes (left, top, width, height) in pixels."""
        shown = cv2.resize(frame, (FOUND, FOUND), interpolation=cv2.INTER_LINEAR)
        found = self.finder(pixel_values=_plain(shown).to(self.device))
        sure = found.logits[0].sigmoid()[:, self.person].cpu().numpy()
        boxes = found.pred_boxes[0].cpu().numpy().astype(np.float64)
        picked = np.argsort(-sure)[:PEOPLE]
        picked = picked[sure[picked] >= SURE]
        high, wide = frame.shape[:2]
        scale = np.array([wide, high, wide, high])
        return [np.array([x - w / 2, y - h / 2, w, h]) * scale for x, y, w, h in boxes[picked]]

    @torch.no_grad()
    def skeleton(self, frame: Pixels, box: Floats) -> tuple[Floats, Floats]:
        """COCO's 17 joints of the person in that box, x and y in pixels of the frame; how sure each is."""
        centre, size = crop(box, self.size[0] / self.size[1])
        scale = (np.array(self.size) - 1) / size
        matrix = np.array(
            [
                [scale[0], 0, (size[0] / 2 - centre[0]) * scale[0]],
                [0, scale[1], (size[1] / 2 - centre[1]) * scale[1]],
            ]
        )
        shown = cv2.warpAffine(frame, matrix, self.size, flags=cv2.INTER_LINEAR)
        heat = self.joints(pixel_values=told_as(shown).to(self.device)).heatmaps[0].cpu().numpy()
        places, sure = peaks(heat)
        high, wide = heat.shape[1:]
        return places * size / (np.array([wide, high]) - 1) + centre - size / 2, sure


@contextmanager
def there(device: str, *models: Any) -> Iterator[None]:
    """Inside, the models are on the device; they are small, and leave it to the denoiser."""
    try:
        for model in models:
            model.to(device)
        yield
    finally:
        for model in models:
            model.to("cpu")


def crop(box: Floats, aspect: float) -> tuple[Floats, Floats]:
    """Centre and size of what is cut out for a box (left, top, width, height): of that aspect, and wider."""
    left, top, width, height = box
    if width > aspect * height:
        height = width / aspect
    else:
        width = height * aspect
    return np.array([left + box[2] / 2, top + box[3] / 2]), np.array([width, height]) * ROUND


def peaks(heat: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Where each map (joints × height × width) is hottest, x and y between its cells; and how hot that is.

    Between cells by the parabola through the logarithms around the peak (Zhang et al., 2020,
    arXiv:1910.06278), each axis by itself.
    """
    places, sure = np.zeros((len(heat), 2)), np.zeros(len(heat))
    for joint, one in enumerate(heat):
        y, x = np.unravel_index(int(one.argmax()), one.shape)
        sure[joint] = one[y, x]
        blurred = cv2.GaussianBlur(one, (3, 3), 0.8, borderType=cv2.BORDER_REPLICATE)
        smooth = np.log(np.clip(blurred, 1e-3, 50))
        places[joint] = (x + _between(smooth[y], int(x)), y + _between(smooth[:, x], int(y)))
    return places, sure


def _between(row: NDArray[np.float32], at: int) -> float:
    if not 0 < at < len(row) - 1:
        return 0.0
    before, here, after = (float(value) for value in row[at - 1 : at + 2])
    bend = before - 2 * here + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def draw(canvas: Pixels, joints: Floats, sure: Sequence[float] | Floats) -> None:
    """Draws a person's 17 joints as OpenPose's skeleton of 18."""
    places = [_place(joints, sure, one) for one in PLACES]
    thick = max(1, round(4 * min(canvas.shape[:2]) / 512))
    for colour, (start, end) in zip(COLOURS, LIMBS, strict=False):
        a, b = places[start], places[end]
        if a is None or b is None:
            continue
        middle, way = (a + b) / 2, b - a
        half = max(1, int(np.hypot(*way) / 2))
        angle = int(np.degrees(np.arctan2(way[1], way[0])))
        shape = cv2.ellipse2Poly(_cell(middle), (half, thick), angle, 0, 360, 1)
        cv2.fillConvexPoly(canvas, shape, tuple(int(part * DIM) for part in colour))
    for colour, place in zip(COLOURS, places, strict=True):
        if place is not None:
            cv2.circle(canvas, _cell(place), thick, colour, thickness=-1)


def _place(joints: Floats, sure: Sequence[float] | Floats, one: int | None) -> Floats | None:
    picked = SHOULDERS if one is None else (one,)
    if any(sure[joint] < SEEN for joint in picked):
        return None
    place: Floats = np.mean([joints[joint] for joint in picked], axis=0)
    return place


def _cell(place: Floats) -> tuple[int, int]:
    return int(place[0]), int(place[1])


def told_as(frame: Pixels) -> Tensor:
    """1 × 3 × height × width, each colour by ImageNet's mean and spread."""
    return (_plain(frame) - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(SPREAD).view(1, 3, 1, 1)


def _plain(frame: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float() / 255


def _grey(near: NDArray[np.float32], least: float | None = None, most: float | None = None) -> Pixels:
    """Height × width × 3 from what is far, black, to what is near, white."""
    low, high = near.min() if least is None else least, near.max() if most is None else most
    grey = np.clip((near - low) / max(float(high - low), 1e-6), 0, 1)
    return np.repeat((grey * 255 + 0.5).astype(np.uint8)[..., None], 3, axis=2)
