"""Weights are found in folders, fetched from a hub that answers as the real one does, and looked at."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from gen.errors import EngineError
from gen.host import Host
from gen.job import Task
from gen.models import weights
from gen.ports import Step
from gen.recipe import Recipe
from tests.gen.conftest import asked

SHA = "0123456789abcdef0123456789abcdef01234567"
OLD = "89abcdef0123456789abcdef0123456789abcdef"
TOKEN = "hf_good"
LARGE = save({"a": torch.zeros(6 * 2**20)})  # 24 MiB: more than the hub's library takes at once
GOOD = save({"a": torch.ones(3)})
HUB: dict[str, dict[str, bytes]] = {
    "someone/base": {
        "model_index.json": b"{}",
        "base.safetensors": GOOD,
        "run.py": b"print()",
        "unet/config.json": b"{}",
        "unet/diffusion_pytorch_model.safetensors": GOOD,
        "unet/diffusion_pytorch_model.fp16.safetensors": GOOD,
        "unet/diffusion_pytorch_model.bin": b"pickle",
        "safety_checker/model.safetensors": GOOD,
    },
    "someone/fast": {"4step.safetensors": GOOD, "8step.safetensors": GOOD},
    "someone/large": {"model_index.json": b"{}", "unet/diffusion_pytorch_model.safetensors": LARGE},
    "someone/huge": {"model.safetensors": GOOD},
    "someone/false": {"unet/diffusion_pytorch_model.safetensors": GOOD},
    "someone/gated": {"model_index.json": b"{}"},
    "someone/torn": {"unet/diffusion_pytorch_model.safetensors": GOOD[:-2]},
}


#: What "someone/base" was at the revision OLD.
BEFORE = {"model_index.json": b'{"old": 1}'}


class Hub(BaseHTTPRequestHandler):
    """What `huggingface_hub` asks of a hub. Weights have their SHA-256, other files git's name of them."""

    ranges: list[str]  # that were asked for, of all requests

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        found = re.match(
            r"/(?:api/models/)?([\w-]+/[\w-]+)(?:/(revision|tree|resolve)/(\w+)/?(.*))?$",
            self.path.split("?")[0],
        )
        repo, what, revision, file = found.groups() if found else ("", "", "", "")
        if repo == "someone/gated" and self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.say(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "ask for it"})
        if self.headers["Authorization"] == "Bearer hf_bad":
            return self.say(401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
        if repo == "someone/closed":
            return self.say(403, b"", {"X-Error-Message": "Enable access to gated repositories"})
        if repo not in HUB:
            return self.say(401, b"", {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", SHA, OLD):
            return self.say(404, b"", {"X-Error-Code": "RevisionNotFound"})
        files = BEFORE if revision == OLD else HUB[repo]
        commit = OLD if revision == OLD else SHA
        if what == "resolve":
            if file not in files:
                return self.say(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            return self.send(repo, files[file], file, {"X-Repo-Commit": commit})
        if what == "tree":
            entries = [
                {"type": "file", "path": path, "size": len(data), "oid": blob(data)}
                for path, data in files.items()
            ]
            return self.say(200, json.dumps(entries).encode(), {})
        return self.say(200, json.dumps({"id": repo, "sha": commit}).encode(), {})

    def send(self, repo: str, data: bytes, file: str, headers: dict[str, str]) -> None:
        """A file, or the rest of it."""
        large = file.endswith(".safetensors")
        name = hashlib.sha256(data).hexdigest() if large else blob(data)
        headers |= {"X-Linked-Etag" if large else "ETag": f'"{name}"'}
        if repo == "someone/false":
            data = data[:-1] + b"!"
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or ""):
            self.ranges.append(asked[0])
            start = int(asked[1])
            span = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            return self.say(206, data[start:], headers | span)
        return self.say(200, data, headers)

    def say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(ConnectionError):  # whoever stops, hangs up
                self.wfile.write(body)


def blob(data: bytes) -> str:
    """Git's name of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub() -> Iterator[str]:
    """Its address."""
    Hub.ranges = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, name="hub")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


ASK = """
import json, sys
from pathlib import Path
from gen.errors import EngineError
from gen.models import weights
for spec in json.loads(sys.argv[1]):
    try:
        place = weights.find(spec, Path(sys.argv[2]))
        files = [place] if place.is_file() else [each for each in place.rglob("*") if each.is_file()]
        print(json.dumps(sorted(str(each.relative_to(place.parent)) for each in files)))
    except EngineError as error:
        print(json.dumps(str(error)))
"""


def ask(endpoint: str, cache: Path, *specs: Any, program: str = ASK, token: str = "") -> list[Any]:
    """What a process of its own finds: the hub's library reads its address once."""
    environ = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": str(cache),
        "HF_TOKEN": token,
    }
    said = subprocess.run(
        [sys.executable, "-c", program, json.dumps(specs if program is ASK else specs[0]), str(cache)],
        cwd=weights.ROOT, env=environ, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_from_a_hub(hub: str, tmp_path: Path) -> None:
    lightning = {"repo": "someone/fast", "file": "4step.safetensors"}
    found = ask(
        hub, tmp_path, "someone/base", lightning, {**lightning, "file": "2step.safetensors"}, "someone/torn",
        {"repo": "someone/base", "revision": "gone"}, "someone/gated", "someone/nothing",
        {"repo": "someone/base", "allow": ["unet/config.json"], "revision": SHA}, "someone/closed",
    )  # fmt: skip
    wanted = ("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors")
    assert found[0] == [f"{SHA}/{file}" for file in wanted]  # no code, no pickle, nothing twice
    assert found[1] == ["4step.safetensors"]
    assert found[2] == "The weights someone/fast/2step.safetensors are missing."
    assert found[3] == "unet/diffusion_pytorch_model.safetensors is cut short; fetch it again."
    assert found[4] == "The weights someone/base are missing."
    assert found[5] == (
        "someone/gated wants its licence accepted: do so at https://huggingface.co/someone/gated,"
        " then set HF_TOKEN."
    )
    (opened,) = ask(hub, tmp_path, "someone/gated", token=TOKEN)
    assert opened == [f"{SHA}/model_index.json"]
    assert found[6] == "There is no someone/nothing on the hub, or it is private: set HF_TOKEN."
    assert found[7] == found[0]
    assert found[8] == (
        "The hub does not give someone/closed to this HF_TOKEN: Enable access to gated repositories"
    )
    (refused,) = ask(hub, tmp_path / "new", "someone/base", token="hf_bad")
    assert refused.startswith("The hub does not accept HF_TOKEN; the owner of this bot must make a new one")
    away = ask("http://127.0.0.1:9", tmp_path, "someone/base", lightning, "someone/else")
    assert away[:2] == found[:2]  # what was fetched once is there without the hub
    assert away[2] == "The weights of someone/else could not be fetched: is the machine online?"


FETCH = """
import json, sys
from pathlib import Path
from gen.errors import EngineError
from gen.models import weights
named, cache = json.loads(sys.argv[1]), Path(sys.argv[2])
try:
    pieces = weights.wanted(named, cache)
    heard = []
    print(json.dumps([[piece.repo, piece.file, piece.size] for piece in pieces]))
    weights.fetch(pieces, cache, lambda done, total: heard.append([done, total]))
    last, left = heard[-1] if heard else None, weights.wanted(named, cache)
    print(json.dumps([last, heard == sorted(heard), len(left)]))
    weights.SPARE = 2**60
    weights.fetch(pieces, cache, lambda *_: None)
except EngineError as error:
    print(json.dumps(str(error)))
"""


def test_ahead_of_its_first_use(hub: str, tmp_path: Path) -> None:
    lora = {"zoom in": {"repo": "someone/fast", "file": "8step.safetensors"}}
    (tmp_path / "mine").mkdir()
    named = {
        "base": "someone/base", "lora": lora, "mine": str(tmp_path / "mine"),
        "always": [{"repo": "someone/fast", "file": "4step.safetensors", "scale": 1}],
    }  # fmt: skip
    pieces, (last, rising, left), full = ask(hub, tmp_path / "cache", named, program=FETCH)
    assert sorted(file for _, file, _ in pieces) == [
        "4step.safetensors", "8step.safetensors", "model_index.json", "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    ]  # fmt: skip
    total = sum(size for *_, size in pieces)
    assert total == 3 * len(GOOD) + 4
    assert (last, rising, left) == ([total, total], True, 0)
    assert re.fullmatch(r"The weights want [0-9.]+ GiB of disk; [0-9.]+ are free\. .* make room\.", full)
    away = "http://127.0.0.1:9"
    assert ask(away, tmp_path / "cache", named, program=FETCH)[:2] == [[], [None, True, 0]]
    assert ask(away, tmp_path / "other", named, program=FETCH) == [
        "The weights of someone/base could not be fetched: is the machine online?"
    ]
    assert "wants its licence accepted" in ask(hub, tmp_path, {"base": "someone/gated"}, program=FETCH)[0]


FULL = """
import json, os, sys
from pathlib import Path
from gen.errors import EngineError
from gen.models import weights
how, cache = json.loads(sys.argv[1]), Path(sys.argv[2])
pieces = weights.wanted({"base": "someone/large"}, cache)
if how["shut"]:
    cache = cache / "shut" / "weights"
    cache.parent.mkdir()
    cache.parent.chmod(0o500)
    if os.geteuid() == 0:  # whom nothing is forbidden
        os.seteuid(65534)
else:
    blob = cache / "models--someone--large" / "blobs" / (how["blob"] + ".partial")
    blob.parent.mkdir(parents=True)
    blob.symlink_to("/dev/full")
try:
    weights.fetch(pieces, cache, lambda *_: None)
except EngineError as error:
    print(json.dumps(str(error)))
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that plays a full disk")
def test_a_disk_that_fills_up_is_said_to_be_full(hub: str, tmp_path: Path) -> None:
    how = {"shut": False, "blob": hashlib.sha256(LARGE).hexdigest()}
    said = ask(hub, tmp_path, how, program=FULL)
    assert said == ["The disk is full. The owner of this bot must make room."]


def test_a_folder_that_cannot_be_written_to_is_said_to_be_so(hub: str, tmp_path: Path) -> None:
    said = ask(hub, tmp_path, {"shut": True}, program=FULL)
    assert said == ["The folder of the weights cannot be written to; the owner of this bot must allow it."]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk is full"), (errno.EDQUOT, "The disk is full"),
        (errno.EROFS, "cannot be written to"), (errno.EACCES, "cannot be written to"),
        (errno.ECONNRESET, "is the machine online"),
    ],
)  # fmt: skip
def test_what_the_system_says(number: int, words: str) -> None:
    with pytest.raises(EngineError, match=words), weights._named("someone/base", None):
        raise OSError(number, os.strerror(number))


STOP = """
import json, sys
from pathlib import Path
from gen.models import weights
cache, told = Path(sys.argv[2]), []
class Stopped(BaseException): pass
def heard(done, total):
    told.append(done)
    if int(sys.argv[1]) < done < total: raise Stopped
try:
    weights.fetch(weights.wanted({"base": "someone/large"}, cache), cache, heard)
except Stopped:
    pass
print(json.dumps(told))
"""


def test_what_was_broken_off_is_taken_up_again(hub: str, tmp_path: Path) -> None:
    (told,) = ask(hub, tmp_path, 12 * 2**20, program=STOP)
    (half,) = tmp_path.rglob("*.partial")
    there = half.stat().st_size
    assert 0 < there < len(LARGE)
    (told,) = ask(hub, tmp_path, 2**40, program=STOP)
    assert Hub.ranges == [f"bytes={there}-"]
    assert told[0] > there
    assert told[-1] == len(LARGE)  # the other file was whole
    assert not list(tmp_path.rglob("*.partial"))
    (kept,) = tmp_path.rglob("diffusion_pytorch_model.safetensors")
    assert kept.read_bytes() == LARGE


HUGE = """
import json, sys
from pathlib import Path
from gen.errors import EngineError
from gen.models import download, weights
from huggingface_hub import constants
download.LARGEST = int(json.loads(sys.argv[1])["most"])
constants.MAX_HTTP_DOWNLOAD_SIZE = download.LARGEST - 1
try:
    weights.fetch([weights.Piece("someone/huge", "model.safetensors", None, 1)], Path(sys.argv[2]), print)
except EngineError as error:
    print(json.dumps(str(error)))
"""


def test_a_file_too_large_for_the_hubs_plain_way(hub: str, tmp_path: Path) -> None:
    (said,) = ask(hub, tmp_path, {"most": len(GOOD)}, program=HUGE)
    assert said.startswith("model.safetensors of someone/huge is too large to be fetched this way; put it")


def test_what_is_damaged_on_its_way_is_not_kept(hub: str, tmp_path: Path) -> None:
    said = ask(hub, tmp_path, {"base": "someone/false"}, program=FETCH)
    assert said[-1] == "someone/false did not arrive as it was sent; fetch it again."
    assert not list(tmp_path.rglob("*.partial"))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_revision_is_what_is_fetched_and_loaded(hub: str, tmp_path: Path) -> None:
    pinned = {"repo": "someone/base", "revision": OLD}
    pieces, *_ = ask(hub, tmp_path, {"old": pinned, "new": "someone/base"}, program=FETCH)
    assert [file for _, file, _ in pieces].count("model_index.json") == 2
    found = ask("http://127.0.0.1:9", tmp_path, pinned, "someone/base")  # without the hub
    assert found[0] == [f"{OLD}/model_index.json"]
    assert f"{SHA}/unet/config.json" in found[1]


def test_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(GOOD)
    assert weights.find(str(tmp_path), tmp_path) == tmp_path
    spec = {"repo": str(tmp_path), "file": "a.safetensors"}
    assert weights.find(spec, tmp_path) == tmp_path / "a.safetensors"
    for wrong, sentence in (
        ({**spec, "file": "b.safetensors"}, "b.safetensors are missing"),
        ("weights/of/nobody", "The weights weights/of/nobody are missing."),
        (str(tmp_path / "gone"), "gone are missing"),
    ):
        with pytest.raises(EngineError, match=sentence):
            weights.find(wrong, tmp_path)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "no safetensors file"), (b"\x80\x04pickle", "no safetensors file"), (GOOD[:20], "is no saf"),
        (GOOD[:-1], "cut short"), (GOOD + b"x", "cut short"), (b"\x02" + b"\0" * 7 + b"[]", "no safetensors"),
        (b"\xff" * 64, "no safetensors file"),
    ],
)  # fmt: skip
def test_a_damaged_file(data: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(data)
    with pytest.raises(EngineError, match=sentence):
        weights.check(file)
    with pytest.raises(EngineError, match=re.escape(f"{tmp_path.name}/a.safetensors")):
        weights.check(tmp_path)


def test_pickles(tmp_path: Path) -> None:
    pickle = tmp_path / "unet" / "weights.bin"
    pickle.parent.mkdir()
    pickle.write_bytes(b"cos\nsystem\n")
    with pytest.raises(EngineError, match=r"unet/weights\.bin is a pickle"):
        weights.check(tmp_path)
    with pytest.raises(EngineError, match=r"weights\.bin is no safetensors file"):
        weights.check(pickle)
    (pickle.parent / "weights.safetensors").write_bytes(GOOD)  # beside what is loaded instead, it is let lie
    weights.check(tmp_path)


def engine(hub: str, folder: Path, **named: Any) -> Host:
    """A host of one recipe with weights, which its family does not look at."""
    recipe = Recipe(
        name="heavy", task=Task.TEXT, family="testcard", about="", sizes={"3:2": (96, 64)}, weights=named
    )
    environ = {**os.environ, "HF_ENDPOINT": hub, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HOME": str(folder)}
    return Host({"heavy": recipe}, folder, cache=folder / "weights", environ=environ)


async def test_the_engine_fetches_before_it_loads_and_says_so(hub: str, tmp_path: Path) -> None:
    stages: list[str] = []

    def heard(step: Step) -> None:
        if stages[-1:] != [step.stage]:
            stages.append(step.stage)

    async with engine(hub, tmp_path, base="someone/base") as host:
        await host.make(asked("heavy"), heard, limit=10**7)
    assert stages == ["fetching", "loading", "making", "encoding"]
    assert weights.wanted({}, tmp_path / "weights") == []
    stages.clear()
    async with engine("http://127.0.0.1:9", tmp_path, base="someone/base") as host:
        await host.make(asked("heavy"), heard, limit=10**7)  # they are here
    assert stages == ["loading", "making", "encoding"]
    async with engine(hub, tmp_path, base="someone/nothing") as host:
        with pytest.raises(EngineError, match="There is no someone/nothing on the hub"):
            await host.make(asked("heavy"), heard, limit=10**7)


def test_by_the_command_line(hub: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[recipe.heavy]\ntask = "text"\nfamily = "testcard"\nabout = "x"\nsizes = { "1:1" = [64, 64] }\n'
        'weights.base = "someone/base"\n',
        "utf-8",
    )
    environ = {
        **os.environ, "HF_ENDPOINT": hub, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HOME": str(tmp_path),
        "ZOETROPE_DATA": str(tmp_path / "data"),
    }  # fmt: skip

    def fetch(name: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "gen", "--config", str(config), "--fetch", name],
            cwd=weights.ROOT, env=environ, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    code, said = fetch("heavy")
    assert code == 0
    assert re.fullmatch(r"heavy: 0.0 MiB were fetched\nheavy wants 0.0 GiB; \d+ GiB of disk are free\n", said)
    assert list((tmp_path / "data" / "weights").rglob("diffusion_pytorch_model.safetensors"))
    assert fetch("heavy") == (0, "heavy: all weights are here\n")
    assert fetch("light") == (1, "There is no recipe light; see --recipes.\n")
