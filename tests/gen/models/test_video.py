"""The families that make a clip from a picture, from two, or from text by a transformer, at tiny sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import tiny
import tiny_video
import torch

from gen.errors import EngineError
from gen.models import animatediff, framepack, ltx, pipe, svd, t2isvd, wan

# Of diffusers' own Euler scheduler with this numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Cancelled(BaseException):
    """What the engine's child raises from a step."""


def silent(*_: Any) -> None:
    """A step that nobody watches."""


def picture(seed: int, size: tuple[int, int] = (40, 64)) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Height × width × 3 of soft noise."""
    rough = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.kron(rough, np.ones((size[0] // 4, size[1] // 4, 1), np.uint8))


FIRST, LAST = picture(1), picture(2)


def judge(model: Any, request: Any, pictures: list[Any], *, steps: int) -> Any:
    """A clip of the size asked for; it is the same again after cancels, early and in the decoder."""
    heard: list[tuple[int, int]] = []
    clip = model.frames(request, pictures, lambda done, total, frame: heard.append((done, total)))
    assert clip.shape == (request.frames, request.height, request.width, 3)
    assert clip.dtype == np.uint8
    assert clip.std() > 2
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert {total for _, total in heard} == {steps}
    assert set(range(1, steps + 1)) == {done for done, _ in heard}
    for last in (1, steps):

        def step(done: int, total: int, frame: Any, last: int = last) -> None:
            if done >= last:
                raise Cancelled

        with pytest.raises(Cancelled):
            model.frames(request, pictures, step)
    assert np.array_equal(clip, model.frames(request, pictures, silent))
    return clip


def differs(model: Any, request: Any, pictures: list[Any], clip: Any, **changes: Any) -> None:
    """Each of the changes changes the clip."""
    for name, value in changes.items():
        other = model.frames(replace(request, **{name: value}), pictures, silent)
        assert not np.array_equal(clip, other), name


def made(kind: Any, cache: Path, weights: dict[str, Any], **table: Any) -> Any:
    family = kind.__module__.rpartition(".")[2]
    return kind(tiny.recipe("tiny", family=family, weights=weights, **table), device="cpu", cache=cache)


def test_svd(store: Path, tmp_path: Path) -> None:
    model = made(
        svd.Model, tmp_path, {"base": tiny_video.svd(store / "svd")}, task="image", options={"chunk": 2}
    )
    request = tiny.request(model.recipe, width=32, height=32, frames=3, guidance=3.0, fps=7)
    clip = judge(model, request, [FIRST], steps=4)
    differs(model, request, [FIRST], clip, motion=2.0, seed=8, fps=12, guidance=2.0)
    assert not np.array_equal(clip, model.frames(request, [LAST], silent))
    plain = diffusers.StableVideoDiffusionPipeline.from_pretrained(store / "svd")
    plain.set_progress_bar_config(disable=True)
    from gen.models import pipe as pipes

    wanted = plain(
        pipes.images([FIRST], 32, 32)[0], height=32, width=32, num_frames=3, num_inference_steps=2,
        decode_chunk_size=2, generator=torch.Generator().manual_seed(7), output_type="np",
    ).frames[0]  # fmt: skip
    assert np.abs(wanted * 255 - clip).max() <= 0.6
    assert [svd.bucket(strength) for strength in (0, 1, 2, 4)] == [0, 127, 170, 255]


def test_t2isvd(store: Path, tmp_path: Path) -> None:
    weights = {"base": tiny_video.svd(store / "svd2"), "text": tiny.stable_diffusion(store / "text")}
    options = {"text_steps": 3, "text_guidance": 2.0, "chunk": 4}
    model = made(t2isvd.Model, tmp_path, weights, options=options)
    request = tiny.request(model.recipe, width=32, height=32, frames=3, steps=1, negative="a")
    previews: list[Any] = []
    model.frames(request, [], lambda done, total, frame: previews.append((done, frame)))
    painted = [(done, frame) for done, frame in previews if isinstance(frame, np.ndarray)]
    assert [(done, frame.shape) for done, frame in painted] == [(3, (32, 32, 3))]
    assert previews[-3:] == [(3, painted[0][1]), (4, None), (5, None)]  # it stays in sight
    clip = judge(model, request, [], steps=5)
    differs(model, request, [], clip, prompt="blue", negative="b", seed=8)
    read: list[int] = []
    with pipe.watched(model.first.text_encoder, lambda: read.append(1)):
        model.frames(replace(request, seed=9), [], silent)
        assert read == []  # a reroll's prompt is known
        model.frames(replace(request, prompt="green"), [], silent)
        assert read == [1]
    with pytest.raises(EngineError) as found:
        made(t2isvd.Model, tmp_path, {**weights, "text": weights["base"]})
    assert "is no text-to-image model" in tiny.refused(found)


@pytest.mark.parametrize(
    "spread", [{}, {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [1.1, 0.9, 1.0, 2.0]}]
)
def test_what_xl_paints_is_what_the_plain_pipeline_does(
    spread: dict[str, Any], store: Path, tmp_path: Path
) -> None:
    place = tiny.wide_diffusion(store / f"wide-{len(spread)}", **spread)
    weights = {"base": tiny_video.svd(store / "svd3"), "text": place}
    model = made(t2isvd.Model, tmp_path, weights, options={"text_steps": 2, "text_guidance": 2.0})
    painted: list[Any] = []

    def step(done: int, total: int, frame: Any) -> None:
        if isinstance(frame, np.ndarray):
            painted.append(frame)
            raise Cancelled

    with pytest.raises(Cancelled):
        model.frames(tiny.request(model.recipe, width=32, height=32), [], step)
    plain = diffusers.StableDiffusionXLPipeline.from_pretrained(place)
    plain.set_progress_bar_config(disable=True)
    wanted = plain(
        "red star", height=32, width=32, num_inference_steps=2, guidance_scale=2.0, output_type="np",
        negative_prompt="", generator=torch.Generator().manual_seed(7),
    ).images[0]  # fmt: skip
    assert painted[0].std() > 2
    assert np.abs(wanted * 255 - painted[0]).max() <= 0.6


def test_sparse(store: Path, tmp_path: Path) -> None:
    tiny.motion().save_pretrained(store / "sparse-motion")
    weights = {
        "base": tiny.stable_diffusion(store / "sparse-base"), "motion": store / "sparse-motion",
        "sparse": tiny_video.sparse(store / "sparse"),
    }  # fmt: skip
    model = made(animatediff.Model, tmp_path, weights, task="interp")
    request = tiny.request(model.recipe, guidance=3.0)
    clip = judge(model, request, [FIRST, LAST], steps=3)
    differs(model, request, [FIRST, LAST], clip, prompt="blue", seed=8)
    for pictures in ([LAST, LAST], [FIRST, FIRST], [LAST, FIRST]):
        assert not np.array_equal(clip, model.frames(request, pictures, silent))


def test_ltx(store: Path, tmp_path: Path) -> None:
    weights = {"base": tiny_video.ltx(store / "ltx")}
    options = {"timesteps": [1000, 500], "decode_timestep": 0.05, "decode_noise_scale": 0.025}
    model = made(ltx.Model, tmp_path, weights, options=options, multiple=32, frame_multiple=8, frame_extra=1)
    request = tiny.request(model.recipe, width=32, height=64, frames=9, guidance=3.0)
    clip = judge(model, request, [], steps=3)
    differs(model, request, [], clip, prompt="blue", negative="b", seed=8, guidance=1.0, steps=3)
    shown = model.frames(request, [FIRST], silent)
    looped = model.frames(replace(request, loop=True), [FIRST], silent)
    between = judge(model, request, [FIRST, LAST], steps=3)
    assert len({each.tobytes() for each in (clip, shown, looped, between)}) == 4


def test_wan(store: Path, tmp_path: Path) -> None:
    options = {"scheduler_args": {"flow_shift": 5.0}, "negative": "bad"}
    model = made(wan.Model, tmp_path, {"base": tiny_video.wan(store / "wan")}, options=options)
    assert model.pipe.scheduler.config.flow_shift == 5.0
    request = tiny.request(model.recipe, width=16, height=16, frames=5, guidance=4.0)
    clip = judge(model, request, [], steps=3)
    differs(model, request, [], clip, prompt="blue", negative="b", seed=8, guidance=1.0)
    tiny_video.wan_transformer(num_layers=2).save_pretrained(store / "fast")
    fast = made(wan.Model, tmp_path, {"base": store / "wan", "transformer": store / "fast"}, options=options)
    assert not np.array_equal(clip, fast.frames(request, [], silent))


def test_wan_in_the_few_steps_that_it_was_taught(store: Path, tmp_path: Path) -> None:
    options = {
        "scheduler": "FlowMatchLCMScheduler", "scheduler_args": {"shift": 1.0}, "sigmas": [1.0, 0.757, 0.522],
    }  # fmt: skip
    model = made(wan.Model, tmp_path, {"base": tiny_video.wan(store / "wan-few")}, options=options)
    request = tiny.request(model.recipe, width=16, height=16, frames=5, steps=3)
    judge(model, request, [], steps=4)
    assert model.pipe.scheduler.timesteps.tolist() == pytest.approx([1000, 757, 522])


def test_wan_with_two_denoisers(store: Path, tmp_path: Path) -> None:
    weights = {"base": tiny_video.wan(store / "wan-two", "two")}
    model = made(wan.Model, tmp_path, weights, options={"guidance_2": 3.0})
    assert model.pipe.config.boundary_ratio == 0.875
    request = tiny.request(model.recipe, width=16, height=16, frames=5, guidance=4.0)
    clip = judge(model, request, [], steps=3)
    even = made(wan.Model, tmp_path, weights)
    assert not np.array_equal(clip, even.frames(request, [], silent))


def test_wan_whose_one_checkpoint_takes_a_picture_or_none(store: Path, tmp_path: Path) -> None:
    weights = {"base": tiny_video.wan(store / "wan-middle", "middle")}
    text = made(wan.Model, tmp_path, weights)
    image = made(wan.Model, tmp_path, weights, task="image")
    assert text.pipe.config.expand_timesteps and image.pipe.config.expand_timesteps
    request = tiny.request(text.recipe, width=32, height=32, frames=5, guidance=4.0)
    clip = judge(text, request, [], steps=3)
    shown = judge(image, request, [FIRST], steps=3)
    assert not np.array_equal(clip, shown)
    assert not np.array_equal(shown, image.frames(request, [LAST], silent))


def test_wan_with_pictures(store: Path, tmp_path: Path) -> None:
    model = made(wan.Model, tmp_path, {"base": tiny_video.wan_image(store / "wan-image")}, task="image")
    request = tiny.request(model.recipe, width=16, height=16, frames=5, guidance=4.0)
    clip = judge(model, request, [FIRST], steps=3)
    assert not np.array_equal(clip, model.frames(request, [LAST], silent))
    weights = {"base": tiny_video.wan_image(store / "wan-ends", places=2 * 5)}
    both = made(wan.Model, tmp_path, weights, task="interp")
    clip = judge(both, request, [FIRST, LAST], steps=3)
    assert not np.array_equal(clip, both.frames(request, [FIRST, FIRST], silent))


def test_framepack(store: Path, tmp_path: Path) -> None:
    place = tiny_video.framepack(store / "framepack")
    weights = {"base": place / "base", "transformer": place / "transformer", "eye": place / "eye"}
    model = made(framepack.Model, tmp_path, weights, task="interp", options={"window": 3})
    request = tiny.request(model.recipe, width=32, height=32, frames=25, steps=1)
    clip = judge(model, request, [FIRST, LAST], steps=3)
    differs(model, request, [FIRST, LAST], clip, prompt="blue", seed=8)
    assert not np.array_equal(clip, model.frames(request, [FIRST, FIRST], silent))
    with pytest.raises(EngineError) as found:
        made(framepack.Model, tmp_path, {**weights, "transformer": place / "base" / "vae"})
    assert "base/vae" in tiny.refused(found)
