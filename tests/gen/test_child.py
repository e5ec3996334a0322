"""The child's side of the wire: clean lines, an end when the input ends, limits, verdicts on errors."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gen import child, engine, room
from gen.errors import EngineDied, EngineError
from gen.recipe import Range, Recipe
from tests.gen.conftest import asked, recipes

ROOT = Path(__file__).parents[2]


def start(folder: Path, mode: str = "engine") -> subprocess.Popen[str]:
    settings = {
        "mode": mode, "log": "INFO", "data": str(folder), "cache": str(folder), "device": "auto",
        "memory": 2**31,
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "gen.child", json.dumps(settings)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def program(code: str) -> subprocess.Popen[str]:
    """A program whose input stays open."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def hear(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    while (message := json.loads(process.stdout.readline()))["say"] == "warm":
        pass
    found: dict[str, Any] = message
    return found


def tell(process: subprocess.Popen[str], **command: Any) -> None:
    assert process.stdin
    process.stdin.write(json.dumps(command) + "\n")
    process.stdin.flush()


def make(number: int, recipe: str = "quick", **changes: Any) -> dict[str, Any]:
    request = asked(recipe, **changes).to_dict()
    return {
        "id": number, "do": "make", "request": request, "recipe": asdict(recipes()[recipe]),
        "reel": f"{number}.rgb", "found": "refuse",
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["engine", "film", "media"])
def test_it_ends_when_its_input_does(tmp_path: Path, mode: str) -> None:
    with start(tmp_path, mode) as process:
        assert hear(process) == {"say": "ready", "pid": process.pid}
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0


def test_it_ends_in_the_middle_of_a_clip_when_its_input_does(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        hear(process)
        tell(process, **make(1, "hangs"))
        while (message := hear(process))["stage"] != "making" or message["done"] < 3:
            pass
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_cancel_reaches_only_the_clip_it_names(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        hear(process)
        tell(process, do="cancel", id=2)
        tell(process, **make(1))
        tell(process, **make(2))
        tell(process, **make(3))
        ends = []
        while len(ends) < 3:
            if (message := hear(process))["say"] != "progress":
                ends.append((message["id"], message["say"]))
        assert ends == [(1, "done"), (2, "cancelled"), (3, "done")]
        assert {file.name for file in (tmp_path / "reels").iterdir()} == {"1.rgb", "3.rgb"}
        assert (tmp_path / "reels" / "1.rgb").stat().st_size == 8 * 96 * 64 * 3


NOISE = """
import os, subprocess, sys
from gen.wire import Wire
wire = Wire()
print("noise")
os.write(1, b"more noise\\n")
subprocess.run(["echo", "noise of others"])
assert sys.stdin.read() == ""
wire.say("clean")
sys.stdout.flush()
"""


def test_what_libraries_print_goes_to_the_log() -> None:
    with program(NOISE) as process:
        assert process.wait(30) == 0
        assert process.stdout
        assert process.stderr
        assert process.stdout.read() == '{"say": "clean"}\n'
        assert {"noise", "more noise", "noise of others"} <= set(process.stderr.read().splitlines())


SPOILED = """
import os, subprocess, sys
from gen import child
from gen.wire import Wire
def fail(command):
    raise RuntimeError("CUDA error: device-side assert triggered")
child._serve(Wire(), {"id": 1}, fail)
print("not reached")
"""


def test_after_an_error_that_spoils_the_device_it_ends() -> None:
    with program(SPOILED) as process:
        message = hear(process)
        assert (message["say"], message["failure"]["kind"]) == ("error", "EngineDied")
        assert process.wait(10) == child.POISONED
        assert process.stderr
        log = process.stderr.read()
    assert "device-side assert" in log
    assert "not reached" not in log


def test_errors_are_told_apart() -> None:
    memory = type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2 GiB")
    assert engine.is_memory(memory)
    assert engine.is_memory(MemoryError())
    assert not engine.is_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
    for words in ("CUDA error: an illegal memory access", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"):
        assert isinstance(child._fault(RuntimeError(words)), EngineDied)
    full = child._fault(OSError(28, "No space left on device"))
    assert "The disk is full" in str(full)
    own = EngineError("One {thing}.", thing="word")
    assert child._fault(own) is own


def test_a_recipe_survives_the_journey() -> None:
    recipe = Recipe(
        name="a", task=asked().task, family="testcard", about="b", weights={"unet": "x/y"},
        options={"k": [1]},        sizes={"1:1": (64, 64)}, seconds=Range(1, 0.5, 4), memory=8,
    )  # fmt: skip
    assert Recipe.from_dict(json.loads(json.dumps(asdict(recipe)))) == recipe


def test_a_child_for_files_is_held_by_the_system(tmp_path: Path) -> None:
    with start(tmp_path, "media") as process:
        hear(process)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        rows = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()[1:]}
        assert rows["Max address space"] == str(2**31)
        assert rows["Max core file size"] == "0"
        assert rows["Max file size"] == str(room.WRITTEN)
        assert rows["Max open files"] == "64"
        assert process.stdin
        process.stdin.close()
