"""The GPU's bench walks the ladder from wherever it begins, and one row's fault ends no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streams

from bench import gpu
from gen.models import device
from gen.models.device import Machine, Place

# Of diffusers' own Euler scheduler with this numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Card(gpu.Case):
    """A case that takes the processor for a card, and begins at a rung."""

    begin = "whole"

    def model(self, **options: Any) -> Any:
        """The model, at that rung."""
        made = super().model(**options)
        place: Place = made.place
        place.machine = Machine("cuda", "a card", 1, 1)
        device.put(place.pipe, self.begin, "cpu")
        place.rung = self.begin
        return made


def test_the_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streams.act(monkeypatch)
    case = Card("ltx", tmp_path, "cpu")
    rows = dict(gpu.walk(case))
    assert list(rows) == ["ours (parts)", "ours (layers)", "ours (small)"]
    assert all(figures["seconds"] > 0 for figures in rows.values())
    case.begin = "layers"
    assert list(dict(gpu.walk(case))) == ["ours (layers)", "ours (small)"]


def test_one_fault_ends_no_other_row(capsys: pytest.CaptureFixture[str]) -> None:
    def faulty() -> Iterator[tuple[str, dict[str, float]]]:
        yield "cancel", {"seconds": 1.0}
        raise KeyError("lost")

    rows = [row for what in ("ours", "compile") for row in gpu.shielded("svd", what, faulty())]
    assert rows == [("cancel", {"seconds": 1.0})] * 2
    out, err = capsys.readouterr()
    assert [line.split(maxsplit=1) for line in out.splitlines()] == [
        ["svd", "ours goes no further: KeyError: 'lost'"],
        ["svd", "compile goes no further: KeyError: 'lost'"],
    ]
    assert "in faulty" in err
