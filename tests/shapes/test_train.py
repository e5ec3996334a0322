"""Training runs end to end at one step a stage, goes on where it stopped, and leaves the hub's layout."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gen.shapes import text, train, unet
from gen.shapes.distill import official
from gen.shapes.loop import Plan
from gen.shapes.loop import train as loop
from gen.shapes.optimizer import Muon, orthogonal
from gen.shapes.scene import CAMERAS, Scene, Thing


def test_codes_are_orthonormal_and_survive_a_layer_norm() -> None:
    book, names = text.codebook(), text.names()
    assert torch.allclose(book @ book.T, torch.eye(len(names)), atol=1e-5)
    values = text.scene_values(Scene((Thing("star", "red", None, "left"),), "plain", "blue"))
    code = text.codes(values, book, {name: i for i, name in enumerate(names)})
    assert torch.allclose(code, torch.nn.functional.layer_norm(code, (text.WIDTH,)), atol=1e-3)


def test_two_ways_to_state_a_scene_have_one_code() -> None:
    plain = Scene((Thing("star", "red"),), None, "blue")
    long = Scene((Thing("star", "red", "medium", "still"),), "plain", "blue")
    assert text.scene_values(plain) == text.scene_values(long)


def test_muon_makes_a_matrix_nearly_orthogonal() -> None:
    made = orthogonal(torch.randn(24, 60, generator=torch.Generator().manual_seed(0)))
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_stage_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    done: list[torch.Tensor] = []

    def fit(steps: int) -> torch.Tensor:
        torch.manual_seed(0)
        net = torch.nn.Linear(6, 6)

        def loss(_: float, rng: object) -> torch.Tensor:
            done.append(net.weight.detach().clone())
            return (net(torch.randn(8, 6)) - 3.0).pow(2).mean()

        plan = Plan(steps, minutes=1e6, folder=tmp_path)
        loop("line", net, Muon(net.named_parameters(), 0.02, 1e-3), loss, plan)
        return net.weight.detach().clone()

    stopped = fit(3)
    fit(6)
    assert len(done) == 6
    assert torch.equal(done[3], stopped)
    assert torch.load(tmp_path / "line.pt", weights_only=True)["step"] == 6


def test_the_velocity_leads_from_noise_back_to_the_latents() -> None:
    clean, noise = torch.randn(3, 8, 4, 4), torch.randn(3, 8, 4, 4)
    alphas, steps = unet.new_scheduler().alphas_cumprod, torch.tensor([999, 400, 3])
    noisy, velocity = unet.noised(clean, noise, steps, alphas)
    assert torch.allclose(unet.cleaned(noisy, velocity, steps, alphas), clean, atol=1e-5)
    assert not torch.allclose(noisy, clean, atol=0.01)


def test_lora_names_are_the_official_ones() -> None:
    stem = "down_blocks.0.motion_modules.0.transformer_blocks.0.attn1"
    assert official(f"{stem}.to_q.lora_A.move.weight") == f"unet.{stem}.processor.to_q_lora.down.weight"
    assert official(f"{stem}.to_out.0.lora_B.move.weight") == f"unet.{stem}.processor.to_out_lora.up.weight"


@pytest.mark.timeout(240)
# Raised inside diffusers, where numpy asks a tensor for an array.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_every_stage_trains_and_the_result_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gen.shapes import score

    parts, weights = tmp_path / "parts", tmp_path / "weights"
    monkeypatch.setattr(text, "CORPUS", 300)
    monkeypatch.setattr(train, "CAMERAS", CAMERAS[-1:])  # one LoRA is made like the others
    train.main(["--steps", "1", "--device", "cpu", "--folder", str(parts), "--weights", str(weights)])
    tensors = load_file(weights / "lora" / CAMERAS[-1] / "pytorch_lora_weights.safetensors")
    assert all(name.startswith("unet.") and ".processor.to_" in name for name in tensors)
    for swift in (False, True):
        make = score.maker(score.pipeline(weights, swift), weights, 1, 1.0)
        clip = make("a red circle", 1, CAMERAS[-1])
        assert clip.shape == (16, 128, 128, 3)
    assert_four_steps_go_along(parts)


def assert_four_steps_go_along(parts: Path) -> None:
    def learned() -> dict[str, torch.Tensor]:
        state = torch.load(parts / "lightning.pt", weights_only=True)
        return {name.removeprefix("tensors.").replace("/", "."): t for name, t in state["average"].items()}

    def taught() -> dict[str, torch.Tensor]:
        return load_file(parts / "motion" / "diffusion_pytorch_model.safetensors")

    swift, full = learned(), taught()
    train.main(["--stage", "motion", "--further", "--steps", "2", "--device", "cpu", "--folder", str(parts)])
    moved = taught()
    assert any(not torch.equal(full[name], moved[name]) for name in swift)
    for name, tensor in learned().items():
        assert torch.allclose(tensor - swift[name], moved[name] - full[name], atol=1e-6)
