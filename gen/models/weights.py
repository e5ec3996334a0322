"""Where weights are: a folder beside the program, or a hub repository's files in the cache."""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gen.errors import FULL, EngineError
from gen.machine import SPARE
from gen.models.download import take
from gen.recipe import sources

#: Folders named in recipes are relative to the project's root.
ROOT = Path(__file__).parents[2]

#: What is fetched of a repository: never code, never a pickle, and of its root only what diffusers itself
#: writes there (beside it, many repositories keep the same weights again in one large file).
ALLOWED = (
    "*.json",
    "*.txt",
    "*.model",
    "*/*.safetensors",
    "diffusion_pytorch_model*.safetensors",
    "pytorch_lora_weights.safetensors",
)
#: What is left out: parts that no family uses, and second copies of the weights.
IGNORED = ("safety_checker/*", "*.fp16.safetensors", "*.fp16-*", "*.non_ema.safetensors")

#: What the system says of a folder that is not to be written.
SHUT = {errno.EACCES, errno.EPERM, errno.EROFS}
_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def find(spec: str | Mapping[str, Any], cache: Path) -> Path:
    """The local folder or file of a recipe's weights, fetched first where need be.

    `spec` is a folder or file of this project or machine, or a hub repository's name, or a table with `repo`,
    and perhaps `revision`, `file` (one file of it) and `allow` (patterns instead of the usual ones).
    Raises EngineError naming what is missing and the way out.
    """
    table: Mapping[str, Any] = {"repo": spec} if isinstance(spec, str) else spec
    place = ROOT / table["repo"]
    found: Path = place / table.get("file", "") if place.exists() else _fetched(table, cache)
    if not found.exists():
        raise _missing(table["repo"], table.get("file"))
    check(found)
    return found


@dataclass(frozen=True)
class Piece:
    """A file of a hub repository that is not in the cache yet."""

    repo: str
    file: str
    revision: str | None  # as the recipe names it
    size: int  # bytes


def wanted(named: Mapping[str, Any], cache: Path) -> list[Piece]:
    """What is yet to be fetched of a recipe's weights. Raises EngineError; offline, what is here must do."""
    pieces: dict[tuple[str, str, str | None], Piece] = {}
    for table in sources(named):
        if not (ROOT / table["repo"]).exists():
            found = _listed(table, cache)
            pieces |= {(piece.repo, piece.file, piece.revision): piece for piece in found}
    return list(pieces.values())


def fetch(pieces: Sequence[Piece], cache: Path, heard: Callable[[int, int], None]) -> None:
    """Brings the files into the cache, each checked by its digest; what was broken off is taken up again.

    `heard` is told the bytes that are there and those there will be, now and then and after each file, and
    may raise to stop. Raises EngineError, before the first byte when the disk has no room for the last.
    """
    total, done = sum(piece.size for piece in pieces), 0
    with _kept():
        cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if total + SPARE > free:
        raise EngineError(
            "The weights want {wanted} GiB of disk; {free} are free. The owner of this bot must make room.",
            wanted=f"{(total + SPARE) / 2**30:.1f}", free=f"{free / 2**30:.1f}",
        )  # fmt: skip
    for piece in pieces:
        bar = _bar(partial(_heard_of, heard, done, total), total // 200)
        going = partial(heard, done + piece.size, total)
        with _named(piece.repo, piece.file):
            take(piece.repo, piece.file, piece.revision, cache, bar, going)
        done += piece.size
        heard(done, total)


def check(place: Path) -> None:
    """Raises EngineError naming the file that is a pickle, truncated or no safetensors at all."""
    if place.is_file():
        if place.suffix != ".safetensors":
            raise EngineError("{file} is no safetensors file; no other is loaded.", file=place.name)
        _check_tensors(place)
        return
    for file in sorted(place.rglob("*.safetensors")):
        _check_tensors(file)
    for file in sorted(place.rglob("*")):
        if file.suffix in _PICKLES and not any(file.parent.glob("*.safetensors")):
            raise EngineError(
                "{file} is a pickle, which is not loaded; safetensors are wanted.", file=_short(file)
            )


def _check_tensors(file: Path) -> None:
    """A safetensors file is 8 bytes of length, so many of JSON, and tensors to the last byte it names."""
    with file.open("rb") as stream:
        head = int.from_bytes(stream.read(8), "little")
        size = file.stat().st_size
        try:
            if not 2 <= head <= size - 8:
                raise ValueError(head)
            entries = json.loads(stream.read(head))
            last = max((one["data_offsets"][1] for one in _tensors(entries)), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise EngineError("{file} is no safetensors file; fetch it again.", file=_short(file)) from error
    if size != 8 + head + last:
        raise EngineError("{file} is cut short; fetch it again.", file=_short(file))


def _tensors(entries: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (entry for name, entry in entries.items() if name != "__metadata__")


def _listed(table: Mapping[str, Any], cache: Path) -> Iterator[Piece]:
    try:
        found = _fetched(table, cache, dry_run=True)
    except EngineError as error:
        try:
            _fetched(table, cache, local_files_only=True)
        except EngineError:
            raise error from error.__cause__
        return  # whatever the hub says, it is here
    for file in found if isinstance(found, list) else [found]:
        if file.will_download:
            yield Piece(table["repo"], file.filename, table.get("revision"), file.file_size or 0)


def _fetched(table: Mapping[str, Any], cache: Path, **how: Any) -> Any:
    """The path of a file or a snapshot; of a dry run, what would be fetched."""
    import huggingface_hub as hub  # a second to import, wanted only where weights are on a hub

    repo, file = table["repo"], table.get("file")
    if not _REPOSITORY.fullmatch(repo):
        raise _missing(repo, file)
    with _named(repo, file):
        how |= {"revision": table.get("revision"), "cache_dir": cache}
        if file:
            return _path(hub.hf_hub_download(repo, file, **how))
        patterns = {"allow_patterns": list(table.get("allow", ALLOWED)), "ignore_patterns": list(IGNORED)}
        return _path(hub.snapshot_download(repo, **patterns, **how))


def _path(found: Any) -> Any:
    return Path(found) if isinstance(found, str) else found


@contextmanager
def _kept() -> Iterator[None]:
    """The disk's faults in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise EngineError("The disk is full. The owner of this bot must make room.") from error
        if error.errno in SHUT:
            raise EngineError(
                "The folder of the weights cannot be written to; the owner of this bot must allow it."
            ) from error
        raise


@contextmanager
def _named(repo: str, file: str | None) -> Iterator[None]:
    """The hub's faults in our words, and the disk's, which its library lets pass."""
    import httpx2  # what the hub's own library speaks through; it lets some of its errors pass
    from huggingface_hub import errors

    try:
        with _kept():
            yield
    except (errors.EntryNotFoundError, errors.RevisionNotFoundError, httpx2.HTTPError, OSError) as error:
        # A dry run hides what the hub said, and so does what is not in the cache.
        hidden = isinstance(error, errors.DryRunError) or isinstance(error.__cause__, errors.HfHubHTTPError)
        said: Any = error.__cause__ if hidden else error
        status = said.response.status_code if isinstance(said, errors.HfHubHTTPError) else 0
        if isinstance(said, errors.GatedRepoError):
            fault = EngineError(
                "{repo} wants its licence accepted: "
                "do so at https://huggingface.co/{repo}, then set HF_TOKEN.",
                repo=repo,
            )
        elif isinstance(said, errors.RepositoryNotFoundError):
            fault = EngineError("There is no {repo} on the hub, or it is private: set HF_TOKEN.", repo=repo)
        elif status == 401:
            fault = EngineError(
                "The hub does not accept HF_TOKEN; the owner of this bot must make a new one "
                "at https://huggingface.co/settings/tokens."
            )
        elif status == 403:  # such as a token that may read no gated repositories
            fault = EngineError(
                "The hub does not give {repo} to this HF_TOKEN: {fault}",
                repo=repo, fault=(said.server_message or "403 Forbidden").splitlines()[0][:200],
            )  # fmt: skip
        elif isinstance(said, errors.LocalEntryNotFoundError):
            fault = _offline(repo)
        elif isinstance(said, errors.EntryNotFoundError | errors.RevisionNotFoundError):
            fault = _missing(repo, file)
        else:
            fault = _offline(repo)
        raise fault from error


def _heard_of(heard: Callable[[int, int], None], before: int, total: int, fresh: int) -> None:
    heard(min(before + fresh, total), total)


def _bar(heard: Callable[[int], None], stride: int) -> type:
    """What the hub's library takes for a progress bar: tells of every `stride` bytes, and shows nothing."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # no types are published
        """Counts."""

        def __init__(self, *args: Any, **named: Any) -> None:
            named["disable"] = True
            super().__init__(*args, **named)
            self.here = float(named.get("initial", 0) or 0)
            self.told = 0.0

        def update(self, n: float | None = 1) -> None:
            """So many bytes more."""
            self.here += n or 0
            if self.here - self.told >= stride:
                self.told = self.here
                heard(int(self.here))

    return Bar


def _missing(repo: str, file: str | None = None) -> EngineError:
    name = "/".join(filter(None, (repo, file)))
    return EngineError("The weights {name} are missing.", name=name)


def _offline(repo: str) -> EngineError:
    return EngineError("The weights of {repo} could not be fetched: is the machine online?", repo=repo)


def _short(file: Path) -> str:
    """A file's last two names: enough to find it, nothing of the machine."""
    return "/".join(file.parts[-2:])
