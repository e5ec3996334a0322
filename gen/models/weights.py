"""Where weights are: a folder beside the program, or a hub repository's files in the cache."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gen.errors import EngineError

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
        raise _missing(table)
    check(found)
    return found


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


def _fetched(table: Mapping[str, Any], cache: Path) -> Path:
    import httpx2  # what the hub's own library speaks through; it lets some of its errors pass
    import huggingface_hub as hub  # a second to import, wanted only where weights are on a hub
    from huggingface_hub import errors

    repo, file = table["repo"], table.get("file")
    if not _REPOSITORY.fullmatch(repo):
        raise _missing(table)
    common = {"revision": table.get("revision"), "cache_dir": cache}
    try:
        if file:
            return Path(hub.hf_hub_download(repo, file, **common))
        patterns = {"allow_patterns": list(table.get("allow", ALLOWED)), "ignore_patterns": list(IGNORED)}
        return Path(hub.snapshot_download(repo, **patterns, **common))
    except errors.GatedRepoError as error:
        raise EngineError(
            "{repo} wants its licence accepted: do so on its page at huggingface.co, then set HF_TOKEN.",
            repo=repo,
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise EngineError(
            "There is no {repo} on the hub, or it is private: set HF_TOKEN.", repo=repo
        ) from error
    except (errors.EntryNotFoundError, errors.RevisionNotFoundError) as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise _offline(repo) from error
        raise _missing(table) from error
    except (errors.HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise _offline(repo) from error


def _missing(table: Mapping[str, Any]) -> EngineError:
    name = "/".join(filter(None, (table["repo"], table.get("file"))))
    return EngineError("The weights {name} are missing.", name=name)


def _offline(repo: str) -> EngineError:
    return EngineError("The weights of {repo} could not be fetched: is the machine online?", repo=repo)


def _short(file: Path) -> str:
    """A file's last two names: enough to find it, nothing of the machine."""
    return "/".join(file.parts[-2:])
