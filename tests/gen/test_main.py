"""The command line, run as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from gen import encode

ROOT = Path(__file__).parents[2]
SETTINGS = """
[recipe.card]
task = "text"
family = "testcard"
about = "Words in motion"
sizes = { "3:2" = [96, 64], "1:1" = [64, 64] }
seconds = { default = 1, least = 0.5, most = 4 }
fps = { default = 8, least = 8, most = 24 }
motion = { default = 1, least = 0, most = 4 }

[recipe.camera]
task = "image"
family = "camera"
about = "A camera moves"
long = 96
camera = true
seconds = { default = 1, least = 0.5, most = 4 }
fps = { default = 8, least = 8, most = 24 }

[recipe.large]
task = "text"
family = "wan"
about = "Needs a card"
on = false
memory = 24
licence = "Apache-2.0"
sizes = { "3:2" = [96, 64] }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(SETTINGS)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gen", *words, "--config", str(folder / "config.toml")]
    environ = {**os.environ, "ZOETROPE_DATA": str(folder / "data")}
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_prompt_becomes_a_clip_of_that_seed(folder: Path) -> None:
    done = run(folder, "a red star -motion 2 -ar 1:1", "-o", str(folder / "star.mp4"), "--seed", "7")
    assert (done.returncode, done.stderr) == (0, "")
    assert "star.mp4: card, seed 7, 64 × 64, 1.0 s at 8 fps" in done.stdout
    about = encode.about(folder / "star.mp4")
    assert (about["prompt"], about["seed"], about["motion"]) == ("a red star", 7, 2.0)
    assert len(encode.frames(folder / "star.mp4")) == 8
    assert not list((folder / "data" / "clips").iterdir())


def test_a_picture_becomes_a_clip_at_its_own_aspect(folder: Path) -> None:
    Image.new("RGB", (300, 150), (10, 200, 30)).save(folder / "green.webp")
    done = run(
        folder, "-camera zoom in", "--image", str(folder / "green.webp"), "-o", str(folder / "green.mp4")
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert encode.frames(folder / "green.mp4").shape == (8, 48, 96, 3)


def test_explain_prints_the_request_and_makes_nothing(folder: Path) -> None:
    done = run(folder, "a", "red", "star", "--explain", "--seed", "3", "--recipe", "card")
    request = json.loads(done.stdout)
    assert (request["prompt"], request["seed"], request["recipe"]) == ("a red star", 3, "card")
    assert not (folder / "data").exists()


def test_recipes_are_listed_with_what_they_need(folder: Path) -> None:
    lines = run(folder, "--recipes").stdout.splitlines()
    assert lines[1].split()[:1] == ["card"]
    assert "a picture" in lines[2]
    assert "large (off)" in lines[3]
    assert "24 GiB" in lines[3]
    assert "Apache-2.0" in lines[3]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["a star", "--recipe", "nothing"], "There is no model nothing"),
        (["a star -motion 9"], "-motion takes"),
        (["a star", "--seed", "-1"], "-seed takes"),
        ([""], "The prompt has no words"),
        (["--image", "nowhere.png"], "nowhere.png cannot be read: No such file or directory."),
        (["--image", "config.toml"], "config.toml is not a picture I can read"),
        (["--first", "a.png"], "Give --first and --last together"),
        (["a star", "-o", "nowhere/clip.mp4"], "There is no folder nowhere."),
    ],
)  # fmt: skip
def test_a_fault_is_one_clear_line(folder: Path, words: list[str], fault: str) -> None:
    done = run(folder, *words)
    assert done.returncode == 1
    assert fault in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_wrong_settings_are_the_operator_s(folder: Path) -> None:
    (folder / "config.toml").write_text("[recipe.card]\ntask = 'dance'\n")
    done = run(folder, "a star")
    assert done.returncode == 78
    assert "config.toml: recipe.card.task" in done.stderr
    assert len(done.stderr.splitlines()) == 1
