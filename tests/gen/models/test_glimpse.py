"""Pictures of clips in the making: a step's guess is right, and what is shown resembles what comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import diffusers
import numpy as np
import pytest
import tiny
import tiny_video
import torch
from torch import Tensor

from gen.errors import EngineError
from gen.models import animatediff, framepack, ltx, svd, t2isvd, wan
from gen.models.glimpse import LESSONS, SIDE, STABLE_DIFFUSION, Glimpse
from gen.models.guess import guessing

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
SCALED = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
DDIM = {"clip_sample": False}


def told(scheduler: Any, sample: Tensor, time: Any, clean: Tensor) -> Tensor:
    """What a denoiser says that knows the end."""
    name, config = type(scheduler).__name__, scheduler.config
    if hasattr(scheduler, "sigmas") and "FlowMatch" in name:
        sigma = scheduler.sigmas[scheduler.step_index or 0]
        return (sample - clean) / sigma
    if config.get("use_flow_sigmas"):
        sigma = scheduler.sigmas[scheduler.step_index or 0]
        return (sample - clean) / sigma
    if name.startswith("Euler"):
        sigma = scheduler.sigmas[scheduler.step_index or 0]
        if config.prediction_type == "v_prediction":
            return (sample / (sigma**2 + 1) - clean) * (sigma**2 + 1) ** 0.5 / sigma
        return (sample - clean) / sigma
    alpha = scheduler.alphas_cumprod[int(time)]
    noise = (sample - alpha**0.5 * clean) / (1 - alpha) ** 0.5
    if config.prediction_type == "v_prediction":
        return alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean
    return noise


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("DDIMScheduler", {**SCALED, **DDIM}), ("DDIMScheduler", {**DDIM, "prediction_type": "v_prediction"}),
        ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
        ("EulerDiscreteScheduler", {"prediction_type": "v_prediction", "use_karras_sigmas": True}),
        ("LCMScheduler", SCALED), ("PNDMScheduler", {**SCALED, "skip_prk_steps": True}),
        ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}),
        ("UniPCMultistepScheduler", FLOW), ("FlowMatchEulerDiscreteScheduler", {"shift": 7.0}),
        ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True}), ("FlowMatchLCMScheduler", {}),
    ],
)  # fmt: skip
def test_the_guess_is_the_end_when_the_denoiser_knows_it(name: str, options: dict[str, Any]) -> None:
    scheduler = getattr(diffusers, name)(**options)
    clean = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    scheduler.set_timesteps(6)
    sample = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    alpha = (
        scheduler.alphas_cumprod[int(scheduler.timesteps[0])] if hasattr(scheduler, "alphas_cumprod") else 0
    )
    if name in ("DDIMScheduler", "LCMScheduler", "PNDMScheduler", "DPMSolverMultistepScheduler"):
        sample = alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
    plain = scheduler.step
    with guessing(scheduler) as guess:
        assert guess.finished() is None
        for time in scheduler.timesteps:
            output = told(scheduler, sample, time, clean)
            sample = scheduler.step(output, time, sample, return_dict=False)[0]
            found = guess.finished()
            assert found is not None
            assert torch.allclose(found, clean, atol=2e-2), (time, (found - clean).abs().max())
            assert guess.latents is sample
    assert scheduler.step == plain
    assert "step" not in vars(scheduler)


PICTURE = np.kron(
    np.random.default_rng(5).integers(0, 256, (4, 4, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8)
)
#: By family: frames of a clip, and pictures that it is made from.
ASKED = {animatediff: (5, 0), svd: (3, 1), ltx: (17, 1), wan: (9, 0), framepack: (9, 2)}


def packed(folder: Path) -> dict[str, Path]:
    return {part: folder / part for part in ("base", "transformer", "eye")}


def model_of(family: Any, store: Path, cache: Path) -> Any:
    """A tiny model."""
    tiny.motion().save_pretrained(store / "glimpse-motion")
    makers: dict[Any, Any] = {
        animatediff: lambda: {
            "base": tiny.stable_diffusion(store / "glimpse-base", beta_schedule="linear"),
            "motion": store / "glimpse-motion",
        },
        svd: lambda: {"base": tiny_video.svd(store / "glimpse-svd")},
        ltx: lambda: {"base": tiny_video.ltx(store / "glimpse-ltx")},
        wan: lambda: {"base": tiny_video.wan(store / "glimpse-wan")},
        framepack: lambda: packed(tiny_video.framepack(store / "glimpse-pack")),
    }  # fmt: skip
    name = family.__name__.rpartition(".")[2]
    options = {"decode_timestep": 0.05, "window": 2}
    task = ("text", "image", "interp")[ASKED[family][1]]
    recipe = tiny.recipe(name, family=name, weights=makers[family](), options=options, task=task)
    return family.Model(recipe, device="cpu", cache=cache)


def straighten(decoder: torch.nn.Module) -> None:
    """Makes a decoder of weights by chance one whose pictures follow its latents, as trained ones' do: it
    only enlarges and mixes colours."""
    for name, module in decoder.named_modules():
        if isinstance(module, torch.nn.Conv2d) and name.endswith("conv2"):  # ends the branch beside
            torch.nn.init.zeros_(module.weight)
        elif isinstance(module, torch.nn.Conv2d) and name != "conv_out":
            torch.nn.init.dirac_(module.weight)


def watched(model: Any, request: Any, pictures: list[Any]) -> tuple[list[Any], Any]:
    """What is shown after each step, and the clip."""
    seen: list[Any] = []

    def step(done: int, total: int, preview: Any) -> None:
        if callable(preview):
            seen.append(preview())

    clip = model.frames(request, pictures, step)
    return seen, clip


def alike(strip: Any, clip: Any) -> float:
    """How alike a strip and three frames of a clip are, whatever their colours' means and contrast."""
    frames = np.concatenate([clip[0], clip[len(clip) // 2], clip[-1]], axis=1)
    small = [
        cv2.resize(each, (24, 8), interpolation=cv2.INTER_AREA).astype(float) for each in (strip, frames)
    ]
    return float(np.corrcoef(*[(each - each.mean((0, 1))).ravel() for each in small])[0, 1])


@pytest.mark.parametrize("family", ASKED)
def test_each_family_shows_its_clip_in_the_making(family: Any, store: Path, tmp_path: Path) -> None:
    model, (frames, pictures) = model_of(family, store, tmp_path), ASKED[family]
    request = tiny.request(model.recipe, width=32, height=64, frames=frames)
    first, _ = watched(model, request, [PICTURE] * pictures)
    if family not in (animatediff, svd):
        assert first[0] is None  # nobody knows yet what these latents look like
    again, _ = watched(model, request, [PICTURE] * pictures)
    assert len(again) == 2
    assert {strip.shape for strip in again} == {(SIDE, 3 * SIDE // 2, 3)}
    assert all(strip.std() > 1 for strip in again)
    assert model.glimpse.lessons == 2


def test_what_is_shown_resembles_what_comes(store: Path, tmp_path: Path) -> None:
    model = model_of(animatediff, store, tmp_path)
    straighten(model.pipe.vae.decoder)

    def asked(seed: int) -> Any:
        return tiny.request(model.recipe, width=64, height=64, steps=3, seed=seed, frames=5)

    watched(model, asked(1), [])
    _, other = watched(model, asked(3), [])
    seen, clip = watched(model, asked(2), [])
    assert alike(seen[-1], clip) > 0.5
    for strip in seen:  # from the first step on, since it is the finished clip that each guesses
        assert alike(strip, clip) > 0.3
        assert abs(alike(strip, other)) < 0.2


def test_ltx_finds_frames_among_its_tokens(store: Path, tmp_path: Path) -> None:
    model = model_of(ltx, store, tmp_path)
    request = tiny.request(model.recipe, width=64, height=32, frames=17)
    tokens = torch.randn(1, 3 * 1 * 2 + 4, 8)  # four of a picture before them
    wanted = model.pipe._unpack_latents(tokens[:, 4:], 3, 1, 2)[0].transpose(0, 1)
    assert torch.equal(model._laid(request, tokens), wanted)


def test_a_painted_picture_is_seen_before_it_is_there(store: Path, tmp_path: Path) -> None:
    weights = {
        "base": tiny_video.svd(store / "glimpse-svd2"), "text": tiny.stable_diffusion(store / "glimpse-text")
    }  # fmt: skip
    model = t2isvd.Model(
        tiny.recipe("t2i", family="t2isvd", weights=weights, options={"text_steps": 4, "chunk": 4}),
        device="cpu", cache=tmp_path,
    )  # fmt: skip
    shown: list[Any] = []

    def step(done: int, total: int, preview: Any) -> None:
        shown.append(preview() if callable(preview) else preview)

    model.frames(tiny.request(model.recipe, width=32, height=32, frames=3, steps=1), [], step)
    *early, painted = [each for each in shown if each is not None]
    assert [each.shape for each in early] == [(SIDE, SIDE, 3)] * 4
    assert painted.shape == (32, 32, 3)
    assert shown[-2:] == [None, None]  # it stays in sight
    assert model.glimpse.lessons == 1


def glimpse(cache: Path, known: Any = None, **named: Any) -> Glimpse:
    return Glimpse(
        tiny.recipe("any", family="wan", weights={"base": "some/where", **named}), cache, known=known
    )


def test_lessons_are_kept_and_come_to_an_end(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).random((5, 3)) - 0.5
    dice = torch.Generator().manual_seed(3)
    pupil = glimpse(tmp_path)
    latents = torch.randn(4, 4, 8, 8, generator=dice) / 4
    assert pupil.strip(latents) is None
    for _ in range(LESSONS + 1):
        latents = torch.randn(4, 4, 8, 8, generator=dice) / 4
        places = np.concatenate([latents.permute(0, 2, 3, 1).numpy(), np.ones((4, 8, 8, 1))], axis=-1)
        clip = (np.clip(places @ colours + 0.5, 0, 1) * 255).round().astype(np.uint8)
        pupil.learn(latents, np.kron(clip, np.ones((1, 4, 4, 1), np.uint8)))
    assert pupil.lessons == LESSONS
    assert np.abs(pupil.factors[:-1] - colours[:-1]).max() < 0.05
    again = glimpse(tmp_path)
    assert again.lessons == LESSONS
    assert np.array_equal(again.strip(latents), pupil.strip(latents))
    assert glimpse(tmp_path, STABLE_DIFFUSION).lessons == LESSONS
    assert again.strip(torch.randn(2, 8, 4, 4)) is None  # latents of another kind
    (tmp_path / "colours.json").write_text("{")
    assert glimpse(tmp_path).factors is None


def test_a_small_decoder_draws_where_the_recipe_names_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1), latent_channels=4,
    )  # fmt: skip
    small.save_pretrained(tmp_path / "taesd")
    view = glimpse(tmp_path, STABLE_DIFFUSION, preview=tmp_path / "taesd")
    latents = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(3))
    strip = view.strip(latents)
    assert strip is not None
    assert strip.shape == (round(SIDE * 8 / 12), 2 * SIDE, 3)
    with torch.no_grad():
        whole = (small.decode(latents[:1]).sample[0].permute(1, 2, 0).clamp(-1, 1).numpy() + 1) * 127.5
    near = cv2.resize(strip[:, :SIDE], whole.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(near - whole).mean() < 12
    assert not np.array_equal(strip, glimpse(tmp_path, STABLE_DIFFUSION).strip(latents))
    view.learn(latents, np.zeros((2, 16, 24, 3), np.uint8))
    assert view.lessons == 0
    with pytest.raises(EngineError, match=r"config\.json is missing"):
        glimpse(tmp_path, preview=tmp_path)
