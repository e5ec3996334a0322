"""AnimateDiff from tiny checkpoints in the official layouts, by the real loader."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from gen.errors import EngineError
from gen.host import Host
from gen.models.animatediff import FrameGroupNorm, Model, norm_per_frame, strength, travel
from gen.models.device import weigh
from gen.models.pipe import pixels
from gen.ports import Step
from gen.prompt import MOVES

# Of diffusers' own Euler scheduler with this numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Cancelled(BaseException):
    """What the engine's child raises from a step."""


def silent(*_: Any) -> None:
    """A step that nobody watches."""


@pytest.fixture(scope="session")
def base(store: Path) -> Path:
    return tiny.stable_diffusion(store / "base")


@pytest.fixture(scope="session")
def motion(store: Path) -> Path:
    tiny.motion().save_pretrained(store / "motion")
    return store / "motion"


@pytest.fixture(scope="session")
def loras(store: Path) -> dict[str, Path]:
    """One for each camera move."""
    files = {move: store / move.replace(" ", "-") / "diffusion_pytorch_model.safetensors" for move in MOVES}
    for seed, file in enumerate(files.values()):
        tiny.motion_lora(file, tiny.motion(), seed=seed)
    return {move: file.parent for move, file in files.items()}


@pytest.fixture(scope="session")
def lightning(store: Path) -> Path:
    """A file of an adapter's weights alone, as ByteDance/AnimateDiff-Lightning has them."""
    (store / "lightning").mkdir()
    save_file(dict(tiny.motion(seed=5).state_dict()), store / "lightning" / "4step.safetensors")
    return store / "lightning"


def model(cache: Path, **table: Any) -> Model:
    return Model(tiny.recipe("tiny", family="animatediff", **table), device="cpu", cache=cache)


@pytest.fixture(scope="session")
def plain(
    base: Path, motion: Path, loras: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Model:
    """With the camera's LoRAs, for all who do not change it."""
    cache = tmp_path_factory.mktemp("cache")
    return model(cache, weights={"base": base, "motion": motion, "lora": loras}, camera=True)


def test_a_clip_has_the_size_asked_for_and_says_its_steps(plain: Model) -> None:
    steps: list[tuple[int, int]] = []
    shown = []

    def step(done: int, total: int, frame: Any) -> None:
        steps.append((done, total))
        if isinstance(frame, np.ndarray):
            shown.append(frame)

    request = tiny.request(plain.recipe, frames=6, steps=3, width=24, height=16)
    clip = plain.frames(request, [], step)
    assert clip.shape == (6, 16, 24, 3)
    assert clip.dtype == np.uint8
    assert clip.std() > 5
    assert steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert np.array_equal(shown[0], clip[0])
    assert np.array_equal(shown[1], clip[4])


def test_it_is_what_the_plain_pipeline_makes(plain: Model, base: Path, motion: Path) -> None:
    pipe = diffusers.AnimateDiffPipeline.from_pretrained(
        base, motion_adapter=diffusers.MotionAdapter.from_pretrained(motion), feature_extractor=None
    )
    pipe.set_progress_bar_config(disable=True)
    latents = pipe(
        "red star", negative_prompt="a", num_frames=4, height=16, width=16, num_inference_steps=2,
        guidance_scale=5.0, generator=torch.Generator().manual_seed(7), output_type="latent",
    ).frames  # fmt: skip
    made = plain.frames(tiny.request(plain.recipe, guidance=5.0, negative="a"), [], silent)
    with torch.no_grad():
        exact = pixels(pipe.decode_latents(latents)[0].transpose(0, 1))
    assert np.abs(tiny.decoded(pipe, latents) - made).max() <= 1
    assert np.abs(exact.astype(int) - made).max() <= 4  # what bfloat16 may change where the processor has it


def test_the_seed_and_every_word_count(plain: Model) -> None:
    request = tiny.request(plain.recipe, guidance=4.0)
    first = plain.frames(request, [], silent)
    assert np.array_equal(first, plain.frames(request, [], silent))
    for change in ({"seed": 8}, {"prompt": "blue star"}, {"negative": "blue"}, {"guidance": 9.0}):
        assert not np.array_equal(first, plain.frames(replace(request, **change), [], silent)), change


def test_every_camera_move_is_a_lora_of_its_own_and_leaves_no_trace(plain: Model) -> None:
    request = tiny.request(plain.recipe, steps=1, frames=2)
    still = plain.frames(request, [], silent)
    clips = [plain.frames(replace(request, camera=(move,)), [], silent) for move in MOVES]
    clips.append(plain.frames(replace(request, camera=("pan up", "pan left")), [], silent))
    clips.append(plain.frames(replace(request, camera=("pan up",), motion=2.0), [], silent))
    clips.append(still)
    for index, clip in enumerate(clips):
        assert not any(np.array_equal(clip, other) for other in clips[:index])
    assert np.array_equal(still, plain.frames(request, [], silent))
    nothing = plain.frames(replace(request, camera=("zoom in",), motion=0.0), [], silent)
    assert np.array_equal(still, nothing)


def test_the_motion_is_on_the_device_once(plain: Model, motion: Path) -> None:
    parts = weigh(plain.pipe)
    assert parts.keys() == {"unet", "vae", "text_encoder"}
    adapter = diffusers.MotionAdapter.from_pretrained(motion)
    still = sum(each.numel() for each in tiny.image_unet().parameters())
    moving = sum(each.numel() for each in adapter.parameters())
    learnt = sum(each.numel() for name, each in plain.pipe.unet.named_parameters() if "lora" not in name)
    assert learnt == still + moving


def test_the_motion_asked_for_bends_the_lora_s_scale() -> None:
    assert [strength(motion) for motion in (0, 0.5, 1, 4)] == [0, 0.5, 1, 1.5]


def test_the_lora_of_a_move_is_what_diffusers_loads_from_its_folder(
    plain: Model, base: Path, motion: Path, loras: dict[str, Path]
) -> None:
    pipe = diffusers.AnimateDiffPipeline.from_pretrained(
        base, motion_adapter=diffusers.MotionAdapter.from_pretrained(motion), feature_extractor=None
    )
    pipe.set_progress_bar_config(disable=True)
    pipe.load_lora_weights(loras["zoom in"], weight_name="diffusion_pytorch_model.safetensors")
    latents = pipe(
        "red star", num_frames=4, height=16, width=16, num_inference_steps=2, guidance_scale=1.0,
        generator=torch.Generator().manual_seed(7), output_type="latent",
    ).frames  # fmt: skip
    made = plain.frames(tiny.request(plain.recipe, camera=("zoom in",)), [], silent)
    assert np.abs(tiny.decoded(pipe, latents) - made).max() <= 1


def test_a_cancel_at_any_step_leaves_the_model_fit(plain: Model) -> None:
    request = tiny.request(plain.recipe, frames=5)
    wanted = plain.frames(request, [], silent)
    for last in range(1, 5):

        def step(done: int, total: int, frame: Any, last: int = last) -> None:
            if done == last:
                raise Cancelled

        with pytest.raises(Cancelled):
            plain.frames(replace(request, camera=("zoom out",)), [], step)
        assert np.array_equal(wanted, plain.frames(request, [], silent))


def test_a_lightning_file_builds_on_the_adapter_that_the_recipe_names(
    base: Path, motion: Path, lightning: Path, tmp_path: Path
) -> None:
    fast = model(
        tmp_path,
        weights={
            "base": base,
            "motion": motion,
            "lightning": {"repo": lightning, "file": "4step.safetensors"},
        },
        options={
            "scheduler": "EulerDiscreteScheduler",
            "scheduler_args": {"timestep_spacing": "trailing", "beta_schedule": "linear"},
        },
    )
    assert isinstance(fast.pipe.scheduler, diffusers.EulerDiscreteScheduler)
    assert fast.pipe.scheduler.config.timestep_spacing == "trailing"
    state = load_file(lightning / "4step.safetensors")
    unet = fast.pipe.unet.state_dict()
    assert all(torch.equal(unet[name], tensor) for name, tensor in state.items())
    clip = fast.frames(tiny.request(fast.recipe, steps=4), [], silent)
    assert clip.shape == (4, 16, 16, 3)
    with pytest.raises(EngineError) as found:  # without `motion`, it is taken for one of v2's size
        model(tmp_path, weights={"base": base, "lightning": lightning / "4step.safetensors"})
    assert "4step.safetensors" in tiny.refused(found)


def test_lcm_with_a_lora_that_is_always_on(
    base: Path, motion: Path, loras: dict[str, Path], tmp_path: Path
) -> None:
    file = "diffusion_pytorch_model.safetensors"
    always = [{"repo": loras["pan up"], "file": file, "scale": 0.8}]
    moves = {"zoom in": loras["zoom in"]}
    table = {"options": {"scheduler": "LCMScheduler"}, "camera": True}
    bare = model(tmp_path, weights={"base": base, "motion": motion}, **table)
    aided = model(
        tmp_path, weights={"base": base, "motion": motion, "always": always, "lora": moves}, **table
    )
    request = tiny.request(bare.recipe)
    plain = bare.frames(request, [], silent)
    first = aided.frames(request, [], silent)
    assert not np.array_equal(plain, first)
    moved = aided.frames(replace(request, camera=("zoom in",)), [], silent)
    assert not np.array_equal(moved, first)
    assert np.array_equal(first, aided.frames(request, [], silent))


def test_long_clips_look_through_a_window_and_their_prompt_travels(
    base: Path, motion: Path, loras: dict[str, Path], plain: Model, tmp_path: Path
) -> None:
    free = model(
        tmp_path, weights={"base": base, "motion": motion, "lora": {"zoom in": loras["zoom in"]}},
        options={"free_noise": 4}, camera=True,
    )  # fmt: skip
    short = tiny.request(plain.recipe, frames=3, guidance=3.0, negative="a")
    near = np.abs(free.frames(short, [], silent).astype(int) - plain.frames(short, [], silent))
    assert near.max() <= 1  # within the window nothing changes
    long = tiny.request(free.recipe, frames=10, guidance=3.0)  # beyond the 8 places that the adapter has
    clip = free.frames(long, [], silent)
    assert clip.shape == (10, 16, 16, 3)
    bent = free.frames(replace(long, prompt="red star | b c d"), [], silent)
    change = np.abs(bent.astype(int) - clip).mean((1, 2, 3))
    assert change[0] < change[5:].min()
    assert free.frames(replace(long, camera=("zoom in",)), [], silent).shape == clip.shape


def test_travel() -> None:
    assert travel("a seed", 20) == "a seed"
    assert travel("a seed | a tree", 20) == {0: "a seed", 10: "a tree"}
    assert travel("|a|| b |c", 16) == {0: "a", 5: "b", 10: "c"}
    assert travel("a|b|c", 3) == "a|b|c"
    assert travel(" | ", 16) == " | "


def test_norm_per_frame(base: Path, motion: Path, plain: Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    stock = torch.nn.GroupNorm(4, 16)
    torch.nn.init.normal_(stock.weight)
    own = FrameGroupNorm(4, 16)
    own.load_state_dict(stock.state_dict())
    hidden = torch.randn(2, 16, 3, 5, 4)
    made = own(hidden)
    for frame in range(3):
        assert torch.allclose(made[:, :, frame], stock(hidden[:, :, frame]), atol=1e-6)
    apart = model(tmp_path, weights={"base": base, "motion": motion}, options={"norm": "per-frame"})
    request = tiny.request(plain.recipe)
    assert not np.array_equal(apart.frames(request, [], silent), plain.frames(request, [], silent))
    assert norm_per_frame(plain.pipe.unet.__class__.from_config(plain.pipe.unet.config)) == 7


def test_a_base_of_eight_latent_channels_with_no_signal_at_its_last_step(store: Path, tmp_path: Path) -> None:
    tiny.stable_diffusion(
        store / "eight", latent=8, levels=4, prediction_type="v_prediction", rescale_betas_zero_snr=True,
        timestep_spacing="trailing", steps_offset=0, set_alpha_to_one=True,
    )  # fmt: skip
    tiny.motion().save_pretrained(store / "eight-motion")
    small = model(
        tmp_path,
        weights={"base": store / "eight", "motion": store / "eight-motion"},
        sizes={"1:1": [128, 128]}, options={"upscale": 2},
    )  # fmt: skip
    clip = small.frames(tiny.request(small.recipe, width=128, height=128, guidance=4.0), [], silent)
    assert clip.shape == (4, 128, 128, 3)
    assert clip.std() > 1
    tiny.motion_lora(store / "eight-lora" / "a.safetensors", tiny.motion().half(), seed=1)
    (store / "eight-fast").mkdir()
    save_file(dict(tiny.motion(seed=2).half().state_dict()), store / "eight-fast" / "4step.safetensors")
    fast = model(
        tmp_path, camera=True,
        weights={
            "base": store / "eight", "motion": store / "eight-motion", "lightning": store / "eight-fast",
            "lora": {"zoom in": store / "eight-lora"},
        },
        options={
            "scheduler": "EulerDiscreteScheduler",
            "scheduler_args": {"timestep_spacing": "trailing", "beta_schedule": "linear"},
        },
    )  # fmt: skip
    assert fast.pipe.scheduler.config.prediction_type == "v_prediction"
    request = tiny.request(fast.recipe, width=64, height=64, steps=4)
    still = fast.frames(request, [], silent)
    assert still.std() > 1
    assert not np.array_equal(still, fast.frames(replace(request, camera=("zoom in",)), [], silent))
    assert {each.dtype for each in fast.pipe.unet.parameters()} == {torch.float32}


def test_prompts_are_encoded_once(plain: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    encode = plain.pipe.encode_prompt
    monkeypatch.setattr(
        plain.pipe,
        "encode_prompt",
        lambda *words, **named: (asked.append(words[0]), encode(*words, **named))[1],
    )
    request = tiny.request(plain.recipe, prompt="new words", guidance=4.0, steps=1)
    plain.frames(request, [], silent)
    plain.frames(replace(request, seed=9), [], silent)
    assert asked.count("new words") == 1


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def test_what_is_wrong_with_the_weights_is_said_by_name(
    base: Path, motion: Path, loras: dict[str, Path], tmp_path: Path
) -> None:
    def fault(base: Path = base, motion: Path = motion, **more: Any) -> str:
        with pytest.raises(EngineError) as found:
            model(tmp_path, weights={"base": base, "motion": motion, **more})
        return tiny.refused(found)

    tensors = "diffusion_pytorch_model.safetensors"
    cut = copied(base, tmp_path / "cut")
    (cut / "unet" / tensors).write_bytes((base / "unet" / tensors).read_bytes()[:-1])
    assert fault(cut) == f"unet/{tensors} is cut short; fetch it again."

    noise = copied(base, tmp_path / "noise")
    (noise / "vae" / tensors).write_bytes(b"<html>rate limit</html>")
    assert fault(noise) == f"vae/{tensors} is no safetensors file; fetch it again."

    pickled = copied(motion, tmp_path / "pickled")
    torch.save(load_file(pickled / tensors), pickled / "diffusion_pytorch_model.bin")
    (pickled / tensors).unlink()
    assert "pickled/diffusion_pytorch_model.bin is a pickle" in fault(motion=pickled)

    gap = copied(base, tmp_path / "gap")
    state = load_file(gap / "unet" / tensors)
    save_file(
        {name: value for name, value in state.items() if name != "conv_in.bias"}, gap / "unet" / tensors
    )
    assert fault(gap) == "The weights in gap/unet are not whole: conv_in.bias is missing."

    half = copied(base, tmp_path / "half")
    shutil.rmtree(half / "text_encoder")
    assert fault(half) == "The folder half/text_encoder is missing from the weights."

    empty = copied(base, tmp_path / "empty")
    (empty / "vae" / tensors).unlink()
    assert "empty/vae could not be loaded" in fault(empty)

    other = copied(base, tmp_path / "other")
    (other / "model_index.json").unlink()
    assert fault(other) == "other/model_index.json is missing from the weights."

    assert "weights/nowhere/at/all" in fault(Path("weights/nowhere/at/all"))
    assert "base/unet" in fault(motion=base / "unet")  # an image model is no motion module
    stray = tmp_path / "stray"
    stray.mkdir()
    save_file({"unet.nowhere.to_q_lora.down.weight": torch.zeros(2, 2)}, stray / tensors)
    assert "stray" in fault(lora={"zoom in": stray})


async def test_through_the_engines_own_process(
    base: Path, motion: Path, loras: dict[str, Path], tmp_path: Path
) -> None:
    recipe = tiny.recipe(
        "tiny", family="animatediff", weights={"base": base, "motion": motion, "lora": loras}, camera=True,
        sizes={"1:1": [32, 32]},
    )  # fmt: skip
    offline = {"HF_ENDPOINT": "http://127.0.0.1:9", "OMP_NUM_THREADS": "1", "PATH": ""}
    away = tiny.recipe("away", family="animatediff", weights={"base": "nobody/nothing", "motion": motion})
    seen: list[Step] = []
    async with Host(
        {"tiny": recipe, "away": away}, tmp_path, cache=tmp_path / "cache", environ=offline, idle=0
    ) as host:
        request = tiny.request(recipe, width=32, height=32, steps=3, camera=("zoom in",))
        first = await host.make(request, seen.append, limit=2**20)
        second = await host.make(request, seen.append, limit=2**20)
        files = [(tmp_path / "clips" / clip.file).read_bytes() for clip in (first, second)]
        assert files[0] == files[1]
        assert [(step.done, step.total) for step in seen if step.stage == "making"][:4] == [
            (1, 4), (2, 4), (3, 4), (4, 4),
        ]  # fmt: skip
        pid = host.pid
        started = asyncio.Event()
        long = asyncio.create_task(
            host.make(replace(request, steps=400), lambda step: started.set(), limit=2**20)
        )
        await started.wait()
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        third = await host.make(request, seen.append, limit=2**20)
        assert (tmp_path / "clips" / third.file).read_bytes() == files[0]
        assert host.pid == pid
        with pytest.raises(
            EngineError, match=r"nobody/nothing could not be fetched: is the machine online\?"
        ):
            await host.make(tiny.request(away), seen.append, limit=2**20)
