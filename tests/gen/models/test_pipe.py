"""What the families share: pictures in, bytes out, prompts kept, calls checked that leave nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import tiny
import torch
import transformers
from safetensors.torch import load_file, save_file

from gen.errors import EngineError
from gen.models import pipe


def test_a_picture_covers_the_frame() -> None:
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = 255  # the middle 40 × 40
    for side in (20, 40, 160):
        made = pipe.cover(wide, side, side)
        assert made.shape == (side, side, 3)
        assert made[:, 2:-2].min() > 245
    tall = pipe.cover(wide.transpose(1, 0, 2), 80, 40)
    assert tall.shape == (40, 80, 3)
    assert pipe.cover(wide[:, 30:70], 40, 40).tolist() == wide[:, 30:70].tolist()
    image = pipe.images([wide], 20, 10)[0]
    assert (image.size, image.mode) == ((20, 10), "RGB")


def test_pixels() -> None:
    levels = torch.tensor([-3.0, -1.0, -0.5, 0.0, 1.0, 9.0]).view(1, 1, 1, 6).expand(2, 3, 1, 6)
    made = pipe.pixels(levels)
    assert made.shape == (2, 1, 6, 3)
    assert made.dtype == np.uint8
    assert made[1, 0, :, 2].tolist() == [0, 0, 64, 128, 255, 255]
    assert pipe.pixels(levels, low=0.0)[0, 0, :, 0].tolist() == [0, 0, 0, 0, 255, 255]
    every = torch.arange(256).view(1, 1, 1, 256).expand(1, 3, 1, 256) / 127.5 - 1
    assert pipe.pixels(every.half())[0, 0, :, 0].tolist() == list(range(256))


def test_decode_goes_in_chunks() -> None:
    latents = torch.arange(5.0).view(5, 1, 1, 1)
    seen: list[int] = []
    steps: list[Any] = []

    def run(chunk: torch.Tensor) -> torch.Tensor:
        seen.append(len(chunk))
        return (chunk / 2 - 1).expand(-1, 3, 4, 4)

    clip = pipe.decode(latents, run, lambda *step: steps.append(step), done=7, chunk=2, size=(8, 8))
    assert seen == [2, 2, 1]
    assert clip.shape == (5, 8, 8, 3)
    assert clip[:, 4, 4, 0].tolist() == [0, 64, 128, 191, 255]
    assert [step[:2] for step in steps] == [(8, 10), (9, 10), (10, 10)]
    assert np.array_equal(steps[1][2], clip[2])


def test_prompts_are_kept_while_they_are_asked_for() -> None:
    encoded: list[str] = []

    def encode(text: str) -> int:
        encoded.append(text)
        assert not torch.is_grad_enabled()
        return len(text)

    prompts = pipe.Prompts(encode, most=2)
    assert [prompts(text) for text in ("a", "bb", "a", "ccc", "a", "bb")] == [1, 2, 1, 3, 1, 2]
    assert encoded == ["a", "bb", "ccc", "bb"]


@pytest.fixture(scope="module")
def made(store: Path) -> Any:
    given = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
    folder = tiny.stable_diffusion(store / "plain")
    return pipe.assemble(diffusers.StableDiffusionPipeline, folder, dtype=torch.float32, given=given)


def test_an_argument_that_a_pipeline_has_not_is_a_bug(made: Any) -> None:
    with pytest.raises(TypeError, match=r"takes no \['num_frames'\]"):
        pipe.call(made, lambda *_: None, 2, prompt="a", num_frames=3)


def test_whatever_stops_a_call_the_pipeline_is_freed(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[str] = []
    monkeypatch.setattr(made, "maybe_free_model_hooks", lambda: freed.append("freed"))

    def step(done: int, *_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipe.call(made, step, 2, prompt="a", height=16, width=16, num_inference_steps=2)
    assert freed == ["freed"]


def test_a_watched_part_is_heard_and_then_no_more(made: Any) -> None:
    heard: list[int] = []
    latents = torch.zeros(1, 4, 8, 8)
    with pipe.watched(made.vae.decoder, lambda: heard.append(1)):
        made.vae.decode(latents)
    made.vae.decode(latents)
    assert heard == [1]


def test_a_scheduler(made: Any) -> None:
    pipe.schedule(made, {"scheduler": "EulerDiscreteScheduler", "scheduler_args": {"beta_end": 0.02}})
    assert (type(made.scheduler).__name__, made.scheduler.config.beta_end) == ("EulerDiscreteScheduler", 0.02)
    assert made.scheduler.config.steps_offset == 1  # the rest is the weights' own
    for name in ("NoScheduler", "UNet2DConditionModel"):
        with pytest.raises(EngineError, match=f"There is no scheduler {name}"):
            pipe.schedule(made, {"scheduler": name})


def test_one_part(store: Path, made: Any) -> None:
    words = pipe.part(store / "plain" / "tokenizer", "transformers", "CLIPTokenizer", dtype=torch.float32)
    assert words("star").input_ids[1:-1] == [words.convert_tokens_to_ids("star</w>")]
    for library, name in (("stable_diffusion", "Checker"), ("diffusers", "NoSuchModel")):
        with pytest.raises(EngineError, match=f"wants {name}, which is not here"):
            pipe.part(store / "plain" / "vae", library, name, dtype=torch.float32)


def rewritten(file: Path, change: Any) -> Path:
    """The file with every tensor under the name that `change` gives it, or gone; its folder."""
    state = {change(key): tensor for key, tensor in load_file(file).items() if change(key)}
    save_file(state, file, metadata={"format": "pt"})
    return file.parent


def test_the_names_that_older_files_have(store: Path) -> None:
    folder = tiny.stable_diffusion(store / "old")
    wanted = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")

    def old(key: str) -> str:
        names = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
        for new, was in names.items():
            key = key.replace(new, was)
        return key

    vae = rewritten(folder / "vae" / "diffusion_pytorch_model.safetensors", old)
    made = pipe.module(diffusers.AutoencoderKL, vae, dtype=torch.float32)
    assert all(torch.equal(made.state_dict()[key], tensor) for key, tensor in wanted.items())
    text = rewritten(folder / "text_encoder" / "model.safetensors", lambda key: f"text_model.{key}")
    pipe.module(transformers.CLIPTextModel, text, dtype=torch.float32)


def test_what_is_computed_need_not_be_in_the_file(store: Path) -> None:
    motion = tiny.motion()
    motion.save_pretrained(store / "bare")
    file = store / "bare" / "diffusion_pytorch_model.safetensors"
    folder = rewritten(file, lambda key: "" if key.endswith(".pe") else key)
    assert len(load_file(file)) < len(motion.state_dict())
    made = pipe.module(diffusers.MotionAdapter, folder, dtype=torch.float32)
    assert all(torch.equal(made.state_dict()[key], tensor) for key, tensor in motion.state_dict().items())


def test_a_shard_that_is_missing(store: Path) -> None:
    tiny.image_unet().save_pretrained(store / "shards", max_shard_size="100KB")
    pipe.module(diffusers.UNet2DConditionModel, store / "shards", dtype=torch.float16)
    gone = sorted((store / "shards").glob("*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(EngineError) as found:
        pipe.module(diffusers.UNet2DConditionModel, store / "shards", dtype=torch.float16)
    assert gone.name in tiny.refused(found)


def test_frames_are_enlarged_alike_everywhere() -> None:
    rough = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    frames = torch.nn.functional.interpolate(rough, scale_factor=2, mode="bilinear")
    made = pipe.enlarged(frames, (36, 64))
    assert made.shape == (2, 36, 64, 3)
    wanted = pipe.pixels(torch.nn.functional.interpolate(frames, size=(36, 64), mode="bicubic"))
    assert np.abs(made.astype(int) - wanted).max() <= 3  # a device that is no processor does it so
    assert np.array_equal(pipe.enlarged(frames, (12, 16)), pipe.pixels(frames))
