"""Training of Shapes from nothing: `python -m gen.shapes.train` does all stages that are not done yet.

A stage that was stopped goes on from its last checkpoint; a finished one is not repeated. With workers,
several processes train one network together, each on scenes of its own, or several networks side by side.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as group
import torch.multiprocessing as processes
from diffusers import (
    AutoencoderKL,
    MotionAdapter,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UNetMotionModel,
)
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from gen.shapes import distill, text, unet, vae
from gen.shapes.loop import Plan
from gen.shapes.scene import CAMERAS
from gen.shapes.score import GUIDANCE, LIGHTNING, WEIGHTS

STEPS = {
    "text": 4000,
    "vae": 5000,
    "image": 6000,
    "motion": 6000,
    "decoder": 3000,
    "lightning": 400,
    "lora": 150,
}
"""Stages in their order, and the most steps of each."""

SHARES = {"text": 8, "vae": 15, "image": 22, "motion": 40, "decoder": 12, "lightning": 6, "lora": 9}
"""How stages share the minutes, where they are counted."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where training keeps its checkpoints and finished parts, and how each stage is to run."""

    folder: Path
    device: str
    seed: int
    minutes: float
    steps: int | None
    rank: int = 0
    workers: int = 1
    further: bool = False

    def plan(self, stage: str) -> Plan:
        """The stage's plan: as many steps as asked or usual, and the minutes it may take."""
        steps = self.steps or STEPS[stage]
        return Plan(steps, self.minutes, self.folder, self.seed, self.device, self.rank, self.further)

    def source(self) -> unet.Source:
        """The finished encoder and coder, frozen."""
        words = CLIPTokenizer.from_pretrained(self.folder / "tokenizer")
        encoder = CLIPTextModel.from_pretrained(self.folder / "text_encoder").eval().requires_grad_(False)
        coder = AutoencoderKL.from_pretrained(self.folder / "vae").eval().requires_grad_(False)
        coder = coder.to(self.device, memory_format=torch.channels_last)
        return unet.Source(words, encoder.to(self.device), coder, self.device)

    def denoiser(self, swift: bool = False) -> UNetMotionModel:
        """The image layers and motion modules that the motion stage left, or those of four steps."""
        image = UNet2DConditionModel.from_pretrained(self.folder / "unet")
        motion = MotionAdapter.from_pretrained(self.folder / "motion")
        if swift:
            motion.load_state_dict({k: t.float() for k, t in load_file(self.folder / LIGHTNING).items()})
        return UNetMotionModel.from_unet2d(image, motion).to(self.device)


def do_text(shop: Workshop) -> None:
    """Merges for the tokenizer, unless there are some, then the text encoder."""
    place = shop.folder / "tokenizer"
    words = CLIPTokenizer.from_pretrained(place) if place.exists() else text.tokenizer(place)
    keep(shop, "text_encoder", text.fit(shop.plan("text"), words))


def do_vae(shop: Workshop) -> None:
    """The picture coder."""
    keep(shop, "vae", vae.fit(shop.plan("vae")))


def do_image(shop: Workshop) -> None:
    """The image layers on frames."""
    keep(shop, "image", unet.fit_image(shop.plan("image"), shop.source()))


def do_motion(shop: Workshop) -> None:
    """Image layers and motion modules on clips. Four-step modules in training go along; their own
    `--further` finishes them, and that of the LoRAs fits those."""
    image = UNet2DConditionModel.from_pretrained(shop.folder / "image")
    adopted = shop.folder / "motion_adopted"
    start = MotionAdapter.from_pretrained(adopted) if adopted.exists() else unet.new_motion()
    made, motion = unet.split(unet.fit_motion(shop.plan("motion"), shop.source(), image, start))
    if shop.rank == 0 and (shop.folder / "motion").exists():
        former = MotionAdapter.from_pretrained(shop.folder / "motion").state_dict()
        distill.carry(shop.folder / "lightning.pt", former, motion.state_dict())
    keep(shop, "motion", motion)
    keep(shop, "unet", made)


def do_decoder(shop: Workshop) -> None:
    """The picture coder's decoder once more, on what the denoiser makes."""
    keep(shop, "vae_fine", vae.polish(shop.plan("decoder"), shop.source(), shop.denoiser()))


def do_lora(shop: Workshop) -> None:
    """A LoRA for each camera move; every worker has moves of its own."""
    source, model, swift = shop.source(), shop.denoiser(), shop.denoiser(swift=True)
    moves = CAMERAS[shop.rank :: shop.workers]
    plan = dataclasses.replace(shop.plan("lora"), minutes=shop.minutes / max(1, len(moves)), rank=0)
    for move in moves:
        tensors = distill.fit_lora(plan, source, model, swift, move, guidance=GUIDANCE)
        put(tensors, shop.folder / "lora" / move / "pytorch_lora_weights.safetensors")


def do_lightning(shop: Workshop) -> None:
    """Motion modules that need four steps."""
    student = distill.fit_lightning(shop.plan("lightning"), shop.source(), shop.denoiser(), guidance=GUIDANCE)
    if shop.rank == 0:
        put(dict(unet.split(student)[1].state_dict()), shop.folder / LIGHTNING)


STAGES: dict[str, tuple[Callable[[Workshop], None], str]] = {
    "text": (do_text, "text_encoder/config.json"),
    "vae": (do_vae, "vae/config.json"),
    "image": (do_image, "image/config.json"),
    "motion": (do_motion, "unet/config.json"),
    "decoder": (do_decoder, "vae_fine/config.json"),
    "lightning": (do_lightning, LIGHTNING),
    "lora": (do_lora, f"lora/{CAMERAS[-1]}/pytorch_lora_weights.safetensors"),
}
"""What each stage does, and the file that shows that it is done."""
ALONE = ("lora",)
"""Stages whose workers train networks of their own."""


def keep(shop: Workshop, name: str, model: Any) -> None:
    """Saves a finished part; one worker does it for all."""
    if shop.rank == 0:
        model.cpu().save_pretrained(shop.folder / name)


def put(tensors: dict[str, Tensor], file: Path) -> None:
    """Writes tensors in half precision."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: t.detach().cpu().half().contiguous() for name, t in tensors.items()}, file, {"format": "pt"}
    )


def export(folder: Path, weights: Path) -> None:
    """Puts the finished parts in the layout of the hub, in half precision."""
    base = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(folder / "vae_fine"),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(folder / "unet"),
        scheduler=unet.new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    base.to(torch.float16).save_pretrained(weights / "base")
    MotionAdapter.from_pretrained(folder / "motion").to(torch.float16).save_pretrained(weights / "motion")
    for file in (*folder.glob("lora/*/*.safetensors"), *folder.glob("lightning/*.safetensors")):
        place = weights / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())


def adopt(folder: Path, weights: Path) -> None:
    """Takes the repository's weights as the start of further training, where no checkpoint is at hand."""
    base = StableDiffusionPipeline.from_pretrained(weights / "base", torch_dtype=torch.float32)
    base.tokenizer.save_pretrained(folder / "tokenizer")
    base.text_encoder.save_pretrained(folder / "text_encoder")
    base.unet.save_pretrained(folder / "image")
    base.vae.save_pretrained(folder / "vae")
    MotionAdapter.from_pretrained(weights / "motion", torch_dtype=torch.float32).save_pretrained(
        folder / "motion_adopted"
    )


def work(rank: int, workers: int, meeting: str, stage: str, shop: Workshop) -> None:
    """One worker's share of a stage."""
    torch.set_num_threads(1 if workers > 1 else max(1, torch.get_num_threads()))
    if workers > 1 and stage not in ALONE:
        group.init_process_group("gloo", init_method=meeting, rank=rank, world_size=workers)
    torch.manual_seed(shop.seed)
    STAGES[stage][0](dataclasses.replace(shop, rank=rank, workers=workers))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the stages that the arguments name and that are not done."""
    parser = argparse.ArgumentParser(prog="gen.shapes.train", description=__doc__)
    parser.add_argument("--stage", choices=(*STAGES, "all", "export", "adopt"), default="all")
    parser.add_argument("--steps", type=int, help="instead of the usual number")
    parser.add_argument(
        "--minutes", "--budget-minutes", type=float, default=1e9, help="for all that is still to do"
    )
    parser.add_argument(
        "--further", action="store_true", help="train a finished stage on; names it by --stage"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes on the CPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, default=Path("build/shapes"), help="checkpoints and finished parts"
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the result goes")
    asked = parser.parse_args(arguments)
    if asked.stage == "adopt":
        adopt(asked.folder, asked.weights)
        return
    if asked.further and asked.stage == "all":
        parser.error("--further wants a --stage")
    ready = {stage: (asked.folder / proof).exists() for stage, (_, proof) in STAGES.items()}
    stages = [
        stage for stage in STAGES if asked.stage in ("all", stage) and (asked.further or not ready[stage])
    ]
    for stage in stages:
        minutes = asked.minutes * SHARES[stage] / sum(SHARES[each] for each in stages)
        shop = Workshop(asked.folder, asked.device, asked.seed, minutes, asked.steps, further=asked.further)
        run(shop, stage, asked.workers)
    if asked.stage in ("all", "export"):
        export(asked.folder, asked.weights)


def run(shop: Workshop, stage: str, workers: int) -> None:
    """Runs one stage here, or with several workers in processes of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        meeting = f"file://{scratch}/meeting"
        if workers == 1:
            work(0, 1, meeting, stage, shop)
        else:
            processes.spawn(  # type: ignore[attr-defined,no-untyped-call]  # public, but untyped
                work, (workers, meeting, stage, shop), nprocs=workers
            )


if __name__ == "__main__":
    main()
