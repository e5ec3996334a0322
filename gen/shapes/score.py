"""The exam of Shapes: prompts of held-out combinations, clips by the weights in the repository, and the
table.

`python -m gen.shapes.score` prints it; `--drawn` puts drawn clips before the reader instead, which must be
right.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AnimateDiffPipeline, EulerDiscreteScheduler, MotionAdapter
from safetensors.torch import load_file

from gen.models.animatediff import CHUNK
from gen.models.device import brisk
from gen.models.pipe import pixels
from gen.shapes.draw import draw
from gen.shapes.reading import Frames, Reading, read
from gen.shapes.scene import CAMERAS, COLOURS, KINDS, SHAPES, Scene, Thing, held_out, shows

WEIGHTS = Path(__file__).parents[2] / "weights" / "shapes"
LIGHTNING = "lightning/shapes_lightning_4step_diffusers.safetensors"
STEPS, GUIDANCE = 25, 2.0

Maker = Callable[[str, int, str | None], Frames]
"""A clip of (16, 128, 128, 3) bytes for a prompt, a seed and a camera move."""

MOTION_PHRASES = {
    "still": "standing still", "left": "moving left", "right": "moving right", "up": "moving up",
    "down": "moving down",
    "diagonal": "moving diagonally", "spinning": "spinning", "growing": "growing", "shrinking": "shrinking",
    "bouncing": "bouncing", "orbiting": "orbiting",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt and what its clip must show."""

    prompt: str
    scene: Scene


@dataclass(slots=True)
class Tally:
    """Right answers by aspect."""

    asked: int = 0
    right: dict[str, int] = field(default_factory=dict)

    def add(self, answers: dict[str, bool]) -> None:
        """Counts the answers to one question; `all` is right when all are."""
        self.asked += 1
        for name, good in {**answers, "all": all(answers.values())}.items():
            self.right[name] = self.right.get(name, 0) + good

    def part(self, name: str) -> float:
        """The part of the questions in which the aspect was right."""
        return self.right.get(name, 0) / max(1, self.asked)


def phrase(thing: Thing) -> str:
    """`a big red star spinning`, of what is stated."""
    words = [thing.size, thing.colour, thing.shape]
    noun = " ".join(word for word in words if word)
    moving = f" {MOTION_PHRASES[thing.motion]}" if thing.motion else ""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}{moving}"


def ground(scene: Scene) -> str:
    """`on a blue background`, `on blue stripes`."""
    if scene.kind == "plain":
        return f"on a {scene.colour} background"
    return f"on a {scene.colour} gradient" if scene.kind == "gradient" else f"on {scene.colour} {scene.kind}"


def _question(
    things: Sequence[Thing], rng: random.Random, kinds: Sequence[str] = KINDS, camera: str | None = None
) -> Question:
    colour = rng.choice([c for c in COLOURS if c not in {t.colour for t in things}])
    scene = Scene(tuple(things), rng.choice(kinds), colour, camera)
    return Question(" and ".join(phrase(thing) for thing in things) + " " + ground(scene), scene)


def single(count: int, seed: int = 0) -> Iterator[Question]:
    """Prompts of one object, each of a combination of shape, colour and motion that training never had."""
    rng = random.Random(seed)
    triples = sorted(t for t in held_out() if shows(t[0], t[2]))
    for i in range(count):
        shape, colour, motion = triples[i % len(triples)]
        yield _question([Thing(shape, colour, None, motion)], rng)


def double(count: int, seed: int = 1) -> Iterator[Question]:
    """Prompts of two objects, one of them of a held-out combination."""
    rng = random.Random(seed)
    triples = sorted(t for t in held_out() if shows(t[0], t[2]))
    for _ in range(count):
        shape, colour, motion = rng.choice(triples)
        other = Thing(
            rng.choice(SHAPES),
            rng.choice([c for c in COLOURS if c != colour]),
            None,
            rng.choice(["left", "up", "still", "growing"]),
        )
        yield _question([Thing(shape, colour, None, motion), other], rng)


def moving(count: int, seed: int = 2) -> Iterator[Question]:
    """Prompts of one still object before a pattern, for a camera move each."""
    rng = random.Random(seed)
    for i in range(count):
        thing = Thing(rng.choice(SHAPES), rng.choice(COLOURS), None, "still")
        yield _question([thing], rng, ("stripes", "dots"), CAMERAS[i % len(CAMERAS)])


def mark(question: Question, seen: Reading) -> dict[str, bool]:
    """Which aspects of the clip are what was asked; two objects may stand in either order."""
    if question.scene.camera:
        return {"camera": seen.camera == question.scene.camera}
    wanted = [(t.shape, t.colour, t.motion or "still") for t in question.scene.things]
    found = [(t.shape, t.colour, t.motion) for t in seen.things]
    answers = {"shape": False, "colour": False, "motion": False}
    if len(found) == len(wanted):
        orders = [found, found[::-1]]
        best = max(
            orders,
            key=lambda order: sum(
                a == b for w, f in zip(wanted, order, strict=True) for a, b in zip(w, f, strict=True)
            ),
        )
        answers = {
            name: all(w[i] == f[i] for w, f in zip(wanted, best, strict=True))
            for i, name in enumerate(answers)
        }
    answers["background"] = (seen.kind, seen.colour) == (question.scene.kind, question.scene.colour)
    return answers


def drawn(questions: Sequence[Question], seed: int = 0) -> Iterator[Frames]:
    """Drawn clips of the questions' scenes: what a perfect model would make."""
    for i, question in enumerate(questions):
        clip = draw([question.scene], random.Random(seed + i))[0]
        yield (clip * 255).round().byte().permute(0, 2, 3, 1).numpy()


def pipeline(weights: Path, lightning: bool, device: str = "cpu") -> AnimateDiffPipeline:
    """The weights behind diffusers' own pipeline, as anyone would load them."""
    adapter = MotionAdapter.from_pretrained(weights / "motion", torch_dtype=torch.float32)
    if lightning:
        adapter.load_state_dict({name: t.float() for name, t in load_file(weights / LIGHTNING).items()})
    pipe = AnimateDiffPipeline.from_pretrained(
        weights / "base", motion_adapter=adapter, torch_dtype=torch.float32
    )
    if lightning:
        pipe.scheduler = EulerDiscreteScheduler.from_config(
            pipe.scheduler.config, timestep_spacing="trailing", beta_schedule="linear"
        )
    pipe.set_progress_bar_config(disable=True)
    if device == "cpu":  # where convolutions run faster so
        pipe.vae.to(memory_format=torch.channels_last)
        pipe.unet.to(memory_format=torch.channels_last)
    return pipe.to(device)


def maker(pipe: AnimateDiffPipeline, weights: Path, steps: int, guidance: float) -> Maker:
    """Makes clips with the pipeline; camera moves load their LoRA the first time."""
    loaded: set[str] = set()

    def make(prompt: str, seed: int, move: str | None) -> Frames:
        if move and move not in loaded:
            pipe.load_lora_weights(
                weights / "lora" / move, weight_name="pytorch_lora_weights.safetensors", adapter_name=move
            )
            loaded.add(move)
        if move:
            pipe.enable_lora()
            pipe.set_adapters([move], [1.0])
        elif loaded:
            pipe.disable_lora()
        generator = torch.Generator("cpu").manual_seed(seed)
        latents = pipe(
            prompt,
            num_inference_steps=steps,
            guidance_scale=guidance,
            num_frames=16,
            generator=generator,
            output_type="latent",
        ).frames
        with brisk(pipe.device.type), torch.no_grad():
            return pixels(pipe.decode_latents(latents, decode_chunk_size=CHUNK)[0].transpose(0, 1))

    return make


def exam(clips: Iterator[Frames], questions: Sequence[Question]) -> Tally:
    """Reads every clip and marks it."""
    tally = Tally()
    for question, clip in zip(questions, clips, strict=True):
        tally.add(mark(question, read(clip, camera=question.scene.camera is not None)))
    return tally


def table(name: str, tallies: dict[str, Tally], seconds: float | None = None) -> str:
    """The figures of one way to make clips, as lines."""
    one, two, lens = tallies["single"], tallies["double"], tallies["camera"]
    aspects = "  ".join(
        f"{aspect} {one.part(aspect):6.1%}" for aspect in ("colour", "background", "shape", "motion", "all")
    )
    lines = [f"{name}: one object, {one.asked} prompts: {aspects}",
             f"{name}: two objects, all right, {two.asked} prompts: {two.part('all'):6.1%}",
             f"{name}: camera, {lens.asked} prompts: {lens.part('camera'):6.1%}"]  # fmt: skip
    return "\n".join(lines + ([f"{name}: {seconds:.2f} s a clip"] if seconds else []))


def main(arguments: Sequence[str] | None = None) -> str:
    """Takes the exam as the arguments say; the table."""
    parser = argparse.ArgumentParser(prog="gen.shapes.score", description=__doc__)
    parser.add_argument("--drawn", action="store_true", help="read drawn clips, not made ones")
    parser.add_argument(
        "--prompts", type=int, default=300, help="of one object; a fifth as many of two and of the camera"
    )
    parser.add_argument("--recipe", choices=("shapes", "shapes-lightning", "both"), default="both")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    asked = parser.parse_args(arguments)
    fifth = max(1, asked.prompts // 5)
    sets = {"single": [*single(asked.prompts)], "double": [*double(fifth)], "camera": [*moving(fifth)]}
    if asked.drawn:
        return table("drawn", {name: exam(drawn(questions), questions) for name, questions in sets.items()})
    tables: list[str] = []
    paces: list[float] = []
    for name in ("shapes", "shapes-lightning") if asked.recipe == "both" else (asked.recipe,):
        swift = name == "shapes-lightning"
        pipe = pipeline(asked.weights, swift)
        make = maker(pipe, asked.weights, 4 if swift else asked.steps, 1.0 if swift else asked.guidance)
        spent: list[float] = []
        tallies = {part: exam(_made(make, questions, spent), questions) for part, questions in sets.items()}
        paces.append(float(np.median(spent)))
        tables.append(table(name, tallies, paces[-1]))
    if len(paces) == 2:
        tables.append(f"shapes-lightning: {paces[0] / paces[1]:.1f} times as fast")
    return "\n".join(tables)


def _made(make: Maker, questions: Sequence[Question], spent: list[float]) -> Iterator[Frames]:
    for i, question in enumerate(questions):
        started = time.perf_counter()
        clip = make(question.prompt, i, question.scene.camera)
        spent.append(time.perf_counter() - started)
        yield clip


if __name__ == "__main__":
    cv2.setNumThreads(1)
    print(main())  # noqa: T201  # a command line prints
