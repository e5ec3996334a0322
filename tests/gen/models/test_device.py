"""The ladder: what fits where, and what each rung does to a pipeline; its rungs run on the CPU here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import tiny
import torch

from gen.errors import OutOfMemory
from gen.models import device
from gen.models.device import Machine, Place, choose, is_short, look, shrink, weigh

WAN = {"text_encoder": 10.6, "transformer": 2.7, "vae": 0.5}  # GiB, of the small one


def card(free: float, kind: str = "cuda") -> Machine:
    return Machine(kind, "a card", free, free)


@pytest.mark.parametrize(
    ("free", "kind", "rung"),
    [
        (24, "cuda", "whole"), (21, "cuda", "parts"), (12.5, "cuda", "parts"), (11, "cuda", "layers"),
        (6, "cuda", "small"), (6, "mps", "layers"), (0, "cpu", "whole"),
    ],
)  # fmt: skip
def test_the_fastest_rung_that_fits(free: float, kind: str, rung: str) -> None:
    assert choose(card(free, kind), WAN, 20.0) == rung


@pytest.mark.parametrize(("free", "rung"), [(12.5, "parts"), (11, "lean"), (10, "lean"), (9, "layers")])
def test_four_bits_hold_what_the_parts_do_not(free: float, rung: str) -> None:
    assert choose(card(free), WAN, 20.0, lambda: {"text_encoder": 5.8}) == rung


def test_nobody_is_asked_for_four_bits_in_vain() -> None:
    assert choose(card(24), WAN, 20.0, lambda: pytest.fail("it has room")) == "whole"
    assert choose(card(12.5), WAN, 20.0, lambda: pytest.fail("it has room")) == "parts"


def test_types_of_numbers() -> None:
    assert look("cpu").half == look("cpu").brain == torch.float32
    assert card(8).half == torch.float16
    assert card(8).brain == torch.bfloat16


def test_weigh(made: Any) -> None:
    parts = weigh(made)
    assert set(parts) == {"vae", "text_encoder", "unet"}
    count = sum(each.numel() for each in made.unet.parameters())
    assert parts["unet"] == pytest.approx(count * 4 / 2**30)


def test_layers_come_and_go(made: Any) -> None:
    wanted = tiny.picture(made)
    device.put(made, "layers", "cpu")
    assert np.array_equal(wanted, tiny.picture(made))
    hooks = [each for each in made.unet.modules() if getattr(each, "_diffusers_hook", None)]
    assert len(hooks) > 20


def test_parts_come_and_go(made: Any) -> None:
    wanted = tiny.picture(made)
    device.put(made, "parts", "cpu:0")
    assert {type(each).__name__ for each in (made.unet._hf_hook, made.text_encoder._hf_hook)} == {
        "CpuOffload"
    }
    assert np.array_equal(wanted, tiny.picture(made))
    made.maybe_free_model_hooks()
    device.put(made, "layers", "cpu")  # from one rung to the next
    assert np.array_equal(wanted, tiny.picture(made))


def test_a_denoiser_of_eight_bits(made: Any) -> None:
    wanted, before = tiny.picture(made), weigh(made)
    assert shrink(made) == 1
    after = weigh(made)
    assert after["unet"] < before["unet"] * 0.5
    assert after["vae"] == before["vae"]
    rough = np.abs(tiny.picture(made) - wanted)
    assert 0 < rough.mean() < 0.05


class Card(Place):
    """A place that takes the CPU for a card, so that it has rungs."""

    def __init__(self, made: Any, notes: Path) -> None:
        super().__init__(made, "cpu", memory=0.0, notes=notes, name="tiny")
        self.machine = card(1)


def test_out_of_memory_steps_down_and_is_remembered(made: Any, tmp_path: Path) -> None:
    place = Card(made, tmp_path / "cache")
    tries: list[str] = []

    def work() -> Any:
        tries.append(place.rung)
        if place.rung in ("whole", "parts"):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return tiny.picture(made)

    assert place.run(work).shape == (16, 16, 3)
    assert tries == ["whole", "parts", "layers"]
    assert place.run(lambda: place.rung) == "layers"
    notes = tmp_path / "cache" / "rungs.json"
    (key,) = kept = json.loads(notes.read_text())
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}"
    assert (key, kept[key]) == (f"the processor: tiny ({versions})", {"rung": "layers", "free": 1})
    assert Place(made, "cpu", memory=0.0, notes=tmp_path / "cache", name="tiny").rung == "layers"
    notes.write_text(json.dumps({key: {"rung": "layers", "free": -1}}))  # now more is free than it was then
    assert Place(made, "cpu", memory=0.0, notes=tmp_path / "cache", name="tiny").rung == "whole"
    for strange in ("[]", "{", json.dumps({key: "layers"}), json.dumps({key: {"rung": "roof"}})):
        notes.write_text(strange)
        assert Place(made, "cpu", memory=0.0, notes=tmp_path / "cache", name="tiny").rung == "whole"
    assert Place(made, "cpu", memory=0.0, notes=tmp_path, name="tiny").rung == "whole"


def test_the_last_rung_says_so(made: Any, tmp_path: Path) -> None:
    place = Place(made, "cpu", memory=0.0, notes=tmp_path, name="tiny")

    def work() -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(OutOfMemory, match="ask for fewer seconds or a smaller size"):
        place.run(work)
    with pytest.raises(RuntimeError, match="device-side assert"):
        place.run(lambda: (_ for _ in ()).throw(RuntimeError("CUDA error: device-side assert triggered")))


def test_the_words_for_no_memory() -> None:
    assert is_short(MemoryError())
    assert is_short(RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"))
    assert not is_short(RuntimeError("CUDA error: an illegal memory access was encountered"))
