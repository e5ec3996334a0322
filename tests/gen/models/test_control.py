"""What a ControlNet is shown of a video, and the clips that follow it."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import tiny
import tiny_control
import torch

from gen.errors import EngineError
from gen.models import control
from gen.models.animatediff import Model


def silent(*_: Any) -> None:
    """Nobody watches."""


@pytest.fixture(scope="session")
def parts(store: Path) -> dict[str, str]:
    tiny.motion().save_pretrained(store / "led-motion")
    folders = {
        "base": tiny.stable_diffusion(store / "led-base"),
        "motion": store / "led-motion",
        "control": tiny_control.control(store / "led-control"),
        "depth": tiny_control.depth(store / "led-depth"),
        "person": tiny_control.person(store / "led-person"),
        "pose": tiny_control.pose(store / "led-pose"),
    }
    return {part: str(folder) for part, folder in folders.items()}


def film(frames: int = 4, width: int = 40, height: int = 32) -> Any:
    """A bright square goes to the right."""
    clip = np.zeros((frames, height, width, 3), np.uint8)
    for index, frame in enumerate(clip):
        frame[8:24, 2 + 4 * index : 18 + 4 * index] = (250, 200, 40)
    return clip


def model(parts: dict[str, str], cache: Path, **options: Any) -> Model:
    named = {key: parts[key] for key in ("base", "motion", "control", "depth", "person", "pose")}
    recipe = tiny.recipe("led", family="animatediff", task="video", weights=named, options=options)
    return Model(recipe, device="cpu", cache=cache)


def test_depth_is_grey_and_of_one_scale(parts: dict[str, str], tmp_path: Path) -> None:
    heard: list[int] = []
    look = control.guide(parts, "depth", "cpu", tmp_path)
    near = look(film(), lambda done, frame: heard.append(done))
    assert near.shape == (4, 32, 40, 3)
    assert heard == [1, 2, 3, 4]
    assert np.array_equal(near[..., 0], near[..., 2])
    assert near.min() == 0
    assert near.max() == 255


def test_depth_is_what_the_models_own_way_gives(parts: dict[str, str], tmp_path: Path) -> None:
    from transformers import DPTImageProcessorPil

    frame = film(1, 56, 56)[0]
    look = control.Depth(parts, "cpu", tmp_path)
    own = DPTImageProcessorPil(
        size={"height": 56, "width": 56}, do_resize=True, keep_aspect_ratio=True, ensure_multiple_of=14,
        image_mean=control.MEAN, image_std=control.SPREAD, do_normalize=True, do_rescale=True, resample=3,
    )  # fmt: skip
    with torch.no_grad():
        wanted = look.model(**own(frame, return_tensors="pt")).predicted_depth[0].numpy()
    near: list[Any] = []
    look(frame[None], lambda done, shown: near.append(shown))
    scaled = (wanted - wanted.min()) / (wanted.max() - wanted.min()) * 255
    assert np.abs(scaled - near[0][..., 0]).max() < 1.5


def test_poses_are_drawn_on_black_and_nobody_leaves_it_black(
    parts: dict[str, str], store: Path, tmp_path: Path
) -> None:
    look = control.Pose(parts, "cpu", tmp_path)
    assert look.person == 1
    assert look.size == (48, 64)
    people = look.people(film()[0])
    assert 1 <= len(people) <= control.PEOPLE
    shown = look(film(), silent)
    assert shown.shape == (4, 32, 40, 3)
    assert all(frame.any() for frame in shown)
    nobody = tiny_control.person(store / "led-nobody", sure=False)
    assert not control.Pose({**parts, "person": str(nobody)}, "cpu", tmp_path)(film(), silent).any()


def test_a_joint_comes_back_to_where_it_was_seen(parts: dict[str, str], tmp_path: Path) -> None:
    """Whatever the box: the way into the model's picture and out of its map is one."""
    look = control.Pose(parts, "cpu", tmp_path)
    box = np.array([100.0, 40.0, 60.0, 90.0])

    class Bright(torch.nn.Module):
        """Its maps are the picture's brightness, at a quarter of its size."""

        def forward(self, pixel_values: Any) -> Any:
            small = torch.nn.functional.interpolate(
                pixel_values.mean(1, keepdim=True), size=(16, 12), mode="area"
            )
            bright = (small - small.min()) / (small.max() - small.min()) + 1e-3
            return type("Out", (), {"heatmaps": bright.repeat(1, 17, 1, 1)})

    look.joints = Bright()
    for x, y in ((120, 60), (140, 100), (131, 83)):
        frame = np.zeros((200, 300, 3), np.uint8)
        frame[y - 3 : y + 4, x - 3 : x + 4] = 255
        joints, sure = look.skeleton(frame, box)
        assert np.abs(joints[0] - (x, y)).max() < 5, (joints[0], x, y)  # a map's cell is 9 pixels here
        assert sure.min() > 0.9


def test_peaks_lie_between_cells() -> None:
    y, x = np.mgrid[0:16, 0:12]
    for want in ((5.0, 7.0), (5.3, 7.4), (6.6, 2.8)):
        heat = np.exp(-((x - want[0]) ** 2 + (y - want[1]) ** 2) / 4).astype(np.float32)
        places, sure = control.peaks(heat[None])
        assert np.abs(places[0] - want).max() < 0.06
        assert sure[0] > 0.9
    corner = np.zeros((1, 16, 12), np.float32)
    corner[0, 0, 11] = 1
    assert control.peaks(corner)[0].tolist() == [[11, 0]]


#: A person who faces us, arms out: COCO's order.
STANDING = np.array(
    [
        (256, 90), (268, 80), (244, 80), (284, 88), (228, 88), (310, 150), (202, 150), (380, 170), (132, 170),
        (440, 150), (72, 150), (290, 300), (222, 300), (296, 390), (216, 390), (300, 480), (210, 480),
    ],
    dtype=float,
)  # fmt: skip


def test_a_skeleton_has_openposes_colours() -> None:
    canvas = np.zeros((512, 512, 3), np.uint8)
    control.draw(canvas, STANDING, np.ones(17))
    at = {tuple(place): tuple(canvas[int(place[1]), int(place[0])]) for place in STANDING}
    assert at[(256, 90)] == (255, 0, 0)  # nose
    assert at[(202, 150)] == (255, 170, 0)  # right shoulder, on the left of the picture
    assert at[(310, 150)] == (85, 255, 0)  # left shoulder
    assert at[(72, 150)] == (170, 255, 0)  # right wrist
    assert tuple(canvas[150, 256]) == (255, 85, 0)  # the neck is between the shoulders
    assert tuple(canvas[160, 167]) == tuple(int(part * 0.6) for part in (255, 170, 0))  # right upper arm
    assert not canvas[20].any()
    armless = np.zeros_like(canvas)
    control.draw(armless, STANDING, np.where(np.arange(17) == 10, 0.1, 1.0))  # the right wrist is not seen
    assert canvas[158, 100].any()
    assert not armless[158, 100].any()
    assert tuple(armless[160, 167]) == tuple(canvas[160, 167])


def test_a_clip_follows_a_video(parts: dict[str, str], tmp_path: Path) -> None:
    led = model(parts, tmp_path, condition="depth")
    request = tiny.request(led.recipe, guidance=3.0, negative="a", images=("a.mp4",))
    heard: list[tuple[int, int]] = []
    clip = led.frames(request, [film()], lambda done, total, frame: heard.append((done, total)))
    assert clip.shape == (4, 16, 16, 3)
    assert heard == [(done, 7) for done in range(1, 8)]  # four looked at, two steps, one decoded
    again = led.frames(replace(request, seed=8), [film()], silent)
    assert not np.array_equal(clip, again)
    heard.clear()
    assert np.array_equal(led.frames(request, [film()], lambda *said: heard.append(said[:2])), clip)
    assert heard == [(5, 7), (6, 7), (7, 7)]  # the video was looked at before
    other = led.frames(replace(request, images=("b.mp4",)), [film()[::-1]], silent)
    assert not np.array_equal(clip, other)


@pytest.mark.parametrize("condition", ["none", "depth", "pose"])
def test_it_is_what_the_plain_pipeline_makes(condition: str, parts: dict[str, str], tmp_path: Path) -> None:
    led = model(parts, tmp_path, condition=condition, strength=0.7)
    request = tiny.request(led.recipe, guidance=3.0, negative="a", images=("a.mp4",), width=32)
    made = led.frames(request, [film()], silent)
    assert led._followed is not None
    shown = led._followed[1]
    if condition == "none":
        assert np.abs(shown[0].mean() - film()[0].mean()) < 40
    pipe = diffusers.AnimateDiffControlNetPipeline.from_pretrained(
        parts["base"],
        motion_adapter=diffusers.MotionAdapter.from_pretrained(parts["motion"]),
        controlnet=diffusers.ControlNetModel.from_pretrained(parts["control"]),
        feature_extractor=None,
    )
    pipe.set_progress_bar_config(disable=True)
    from PIL import Image

    latents = pipe(
        "red star", negative_prompt="a", num_frames=4, height=16, width=32, num_inference_steps=2,
        guidance_scale=3.0, generator=torch.Generator().manual_seed(7), output_type="latent",
        conditioning_frames=[Image.fromarray(frame) for frame in shown], controlnet_conditioning_scale=0.7,
    ).frames  # fmt: skip
    assert np.abs(tiny.decoded(pipe, latents) - made).max() <= 1


def test_a_long_clip_looks_through_a_window(parts: dict[str, str], tmp_path: Path) -> None:
    led = model(parts, tmp_path, condition="none", free_noise=4)
    request = tiny.request(led.recipe, frames=10, images=("a.mp4",))
    assert led.frames(request, [film(10)], silent).shape == (10, 16, 16, 3)


def test_every_argument_is_one_of_the_pipelines() -> None:
    names = signature(diffusers.AnimateDiffControlNetPipeline.__call__).parameters
    assert {
        "conditioning_frames",
        "controlnet_conditioning_scale",
        "prompt_embeds",
        "output_type",
    } <= names.keys()


def test_what_is_wrong_is_said(parts: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="There is no condition canny; there are depth, pose and none"):
        model(parts, tmp_path, condition="canny")
    with pytest.raises(EngineError, match="led-base"):
        model({**parts, "control": parts["base"]}, tmp_path)
