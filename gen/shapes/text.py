"""The text encoder of Shapes: a small CLIP text model that learns to write what a prompt states in fixed
codes.

The codes are sums of orthogonal vectors, one for each value (a colour, a shape, a direction), so that two
prompts that mean the same look the same to the image layers. From the end of the prompt on, every fourth
position holds the first object, the second, the background and the camera.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gen.shapes.caption import FILLERS, caption
from gen.shapes.loop import Plan, train
from gen.shapes.optimizer import Muon
from gen.shapes.scene import COLOURS, KINDS, SHAPES, Scene, Thing, asked

WIDTH = 128
LENGTH = 48
SLOTS = 4
CORPUS = 12_000
"""Captions from which the tokenizer learns its merges."""

_STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "diagonal": (1, 1)}
_DEEDS = ("spinning", "growing", "shrinking", "bouncing", "orbiting")
_LENSES = {
    "zoom-in": "zoom 1", "zoom-out": "zoom -1", "pan-left": "across -1", "pan-right": "across 1",
    "tilt-up": "along -1", "tilt-down": "along 1", "rolling-clockwise": "roll 1",
    "rolling-anticlockwise": "roll -1",
}  # fmt: skip


def thing_values(thing: Thing | None, place: int) -> list[str]:
    """The values that an object's slot holds."""
    if thing is None:
        return [f"slot {place}", "nobody"]
    step = _STEPS.get(thing.motion or "", (0, 0))
    deed = thing.motion if thing.motion in _DEEDS else "none"
    return [f"slot {place}", f"shape {thing.shape}", f"colour {thing.colour}",
    f"size {thing.size or 'medium'}",
            f"dx {step[0]}", f"dy {step[1]}", f"deed {deed}"]  # fmt: skip


def scene_values(scene: Scene) -> list[list[str]]:
    """The values of all four slots of what a prompt states."""
    things: list[Thing | None] = [*scene.things, None, None]
    kind = scene.kind or ("plain" if scene.colour else None)
    lens = _LENSES.get(scene.camera or "", "")
    camera = [
        f"{axis} {lens.split()[1] if lens.startswith(axis) else 0}"
        for axis in ("zoom", "across", "along", "roll")
    ]
    return [thing_values(things[0], 0), thing_values(things[1], 1),
            ["slot 2", f"kind {kind}", f"ground {scene.colour}"], ["slot 3", *camera]]  # fmt: skip


def names() -> list[str]:
    """All values in their fixed order; the place of each is the row of its code."""
    numbers = ("-1", "0", "1")
    out = [f"slot {i}" for i in range(SLOTS)] + ["nobody", "waiting"]
    out += [f"shape {s}" for s in (*SHAPES, None)] + [f"colour {c}" for c in (*COLOURS, None)]
    out += [f"size {s}" for s in ("small", "medium", "big")] + [f"deed {d}" for d in (*_DEEDS, "none")]
    out += [f"kind {k}" for k in (*KINDS, None)] + [f"ground {c}" for c in (*COLOURS, None)]
    return out + [f"{axis} {n}" for axis in ("dx", "dy", "zoom", "across", "along", "roll") for n in numbers]


def codebook() -> Tensor:
    """(values, WIDTH): orthonormal rows, each orthogonal to the vector of ones, which a layer norm
    removes."""
    noise = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(7))
    noise[:, 0] = 1.0
    basis: Tensor = torch.linalg.qr(noise)[0].T
    return basis[1 : len(names()) + 1].contiguous()


def codes(values: list[list[str]], book: Tensor, index: dict[str, int]) -> Tensor:
    """(slots, WIDTH), every row of length sqrt(WIDTH) as the final layer norm makes it."""
    rows = [book[[index[name] for name in slot]].sum(0) * (WIDTH / len(slot)) ** 0.5 for slot in values]
    return torch.stack(rows)


def tokenizer(folder: Path) -> CLIPTokenizer:
    """A byte-pair tokenizer whose merges fit captions: known words are one token, others fall into pieces."""
    rng = random.Random(11)
    texts = [caption(asked(rng, 0.3, 0.4)[1], rng, noise=0.1).lower() for _ in range(CORPUS)] + FILLERS * 20
    raw = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1400, end_of_word_suffix="</w>", show_progress=False, special_tokens=[],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    raw.train_from_iterator(texts, trainer)
    with tempfile.TemporaryDirectory() as scratch:
        raw.model.save(scratch)
        merges = (Path(scratch) / "merges.txt").read_text("utf-8").splitlines()[1:]
    pairs = [(left, right) for left, right in (line.split(" ") for line in merges)]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*alphabet, *(letter + "</w>" for letter in alphabet), *dict.fromkeys(a + b for a, b in pairs)]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys([*pieces, "<|startoftext|>", "<|endoftext|>"]))}
    made = CLIPTokenizer(vocab=vocab, merges=pairs, model_max_length=LENGTH)
    made.save_pretrained(folder)
    return made


def new(words: CLIPTokenizer) -> CLIPTextModel:
    """An untrained encoder for the tokenizer."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words), hidden_size=WIDTH, intermediate_size=256, num_hidden_layers=4,
            num_attention_heads=4, max_position_embeddings=LENGTH, projection_dim=WIDTH,
            bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
        )
    )  # fmt: skip


class Lessons:
    """Captions with the hidden states that the encoder should give them."""

    def __init__(self, words: CLIPTokenizer, device: str = "cpu") -> None:
        self.words, self.device = words, device
        self.book, self.index = codebook(), {name: i for i, name in enumerate(names())}
        self.waiting = self.book[self.index["waiting"]] * WIDTH**0.5

    def batch(self, count: int, rng: random.Random, whole: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids (count, length), wanted states (count, length, WIDTH) and weights (count, length)."""
        said = [self._scene(rng) for _ in range(count)]
        texts = [
            "" if not (s.things or s.colour or s.kind or s.camera) else caption(s, rng, 0.35) for s in said
        ]
        ids = self.words(
            texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
        ).input_ids
        ends = (ids == self.words.eos_token_id).int().argmax(1)
        length = LENGTH if whole else min(LENGTH, int(ends.max()) + 6)
        wanted = self.waiting.expand(count, length, WIDTH).clone()
        slots = torch.stack([codes(scene_values(s), self.book, self.index) for s in said])
        at = torch.arange(length)
        filled = slots[:, at % SLOTS]
        after = at[None, :] >= ends[:, None]
        wanted[after] = filled[after]
        weight = torch.where(after, 1.0, 0.1)
        return ids[:, :length].to(self.device), wanted.to(self.device), weight.to(self.device)

    @staticmethod
    def _scene(rng: random.Random) -> Scene:
        said = asked(rng, camera=0.2, two=0.4)[1]
        odds = rng.random()
        if odds < 0.04:
            return Scene(())
        if odds < 0.07:
            return Scene((), said.kind, said.colour, said.camera)
        if odds < 0.12:
            return Scene(tuple(Thing(t.shape, t.colour) for t in said.things), None, None, None)
        if odds < 0.15:
            return Scene((Thing(None, said.things[0].colour),), None, None, None)
        return said

    def accuracy(self, encoder: nn.Module, count: int, rng: random.Random) -> float:
        """Part of the prompts of which every slot is read right from the last positions."""
        ids, wanted, _ = self.batch(count, rng, whole=True)
        with torch.no_grad():
            states = encoder(ids)[0][:, -SLOTS:] @ self.book.to(self.device).T
        goal = wanted[:, -SLOTS:] @ self.book.to(self.device).T
        there = goal > goal.amax(-1, keepdim=True) / 2
        read = states > goal.amax(-1, keepdim=True) / 2
        return float((there == read).all(-1).all(-1).float().mean())


def fit(plan: Plan, words: CLIPTokenizer, batch: int = 64) -> CLIPTextModel:
    """Trains the encoder on captions alone; it is frozen ever after."""
    encoder = new(words).to(plan.device)
    lessons = Lessons(words, plan.device)
    optimizer = Muon(encoder.named_parameters(), rate=0.02, adam_rate=3e-3, outer=("embedding",))

    def loss(done: float, rng: random.Random) -> Tensor:
        ids, wanted, weight = lessons.batch(batch, rng, whole=rng.random() < 0.2)
        states: Tensor = encoder(ids)[0]
        return ((states - wanted).pow(2).mean(-1) * weight).sum() / weight.sum()

    return train("text", encoder, optimizer, loss, plan)
