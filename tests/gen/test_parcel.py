"""A parcel holds all, in pieces that fit."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gen.parcel import AROUND, parcels

LIMIT = 6000


@given(st.lists(st.integers(1, LIMIT + 500), max_size=12))
@settings(max_examples=40, deadline=None)
def test_every_parcel_fits_and_nothing_is_lost(tmp_path_factory, sizes: list[int]) -> None:
    folder: Path = tmp_path_factory.mktemp("clips")
    clips = {}
    for number, size in enumerate(sizes):
        clips[f"{number}.mp4"] = folder / f"{number}.mp4"
        clips[f"{number}.mp4"].write_bytes(bytes([number]) * size)
    clips["gone.mp4"] = folder / "gone.mp4"
    made = [
        zipfile.ZipFile(io.BytesIO(one)) for one in parcels({"jobs": []}, clips, LIMIT) if len(one) <= LIMIT
    ]
    files = {name: box.read(name) for box in made for name in box.namelist()}
    told = json.loads(files.pop("data.json"))
    assert told["jobs"] == []
    kept = {name for name, path in clips.items() if path.exists() and path.stat().st_size <= LIMIT - AROUND}
    assert set(files) == {f"clips/{name}" for name in kept}
    assert set(told["files left out"]) == set(clips) - kept
    assert all(files[f"clips/{name}"] == clips[name].read_bytes() for name in kept)
