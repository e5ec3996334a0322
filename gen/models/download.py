"""One file of a hub repository, brought into the cache: taken up where it was broken off, and checked.

`huggingface_hub` throws away what it has of a file when it is stopped. So the file grows here, beside its
place, and the library finds it in its cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from gen.errors import EngineError

#: Bytes that are read at once.
CHUNK = 2**22
#: Bytes from which on the hub gives a file in its own library's ways alone, which begin anew when stopped.
LARGEST = 50 * 10**9
#: Seconds that a download waits for another process's.
PATIENCE = 1.0


def take(
    repo: str, file: str, revision: str | None, cache: Path, bar: type, going: Callable[[], None]
) -> None:
    """Brings the file into the cache. `bar` is a class as tqdm's that hears of the bytes; `going` is called
    now and then while it is checked, and may raise. Raises EngineError, and what the hub's library raises."""
    import huggingface_hub as hub

    url = hub.hf_hub_url(repo, file, revision=revision)
    about = hub.get_hf_file_metadata(url)
    if about.etag and about.size and about.size < LARGEST:
        blob = cache / f"models--{repo.replace('/', '--')}" / "blobs" / about.etag
        if not blob.exists():
            _grow(repo, about.location, urlsplit(url).netloc, blob, about.size, bar, going)
    try:
        hub.hf_hub_download(repo, file, revision=revision, cache_dir=cache, tqdm_class=bar)
    except ValueError as error:  # not without the package `hf_xet`
        raise EngineError(
            "{file} of {repo} is too large to be fetched this way; "
            "put it into a folder and name that in the recipe.",
            repo=repo, file=file,
        ) from error  # fmt: skip


def _grow(
    repo: str, address: str, host: str, blob: Path, size: int, bar: type, going: Callable[[], None]
) -> None:
    """The blob, from what there is of it. Its name is its digest."""
    from filelock import Timeout
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import WeakFileLock, build_hf_headers

    partial = blob.with_name(f"{blob.name}.partial")
    blob.parent.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers()
    if urlsplit(address).netloc != host:  # a token is for the hub alone
        headers.pop("authorization", None)
    try:
        with WeakFileLock(partial.with_suffix(".lock"), timeout=PATIENCE):
            with partial.open("ab") as out:
                if (there := out.tell()) > size:
                    there = out.truncate(0)
                http_get(address, out, resume_size=there, headers=headers, expected_size=size, tqdm_class=bar)
            if not _is_whole(partial, blob.name, going):
                partial.unlink()
                raise EngineError("{repo} did not arrive as it was sent; fetch it again.", repo=repo)
            partial.replace(blob)
    except Timeout as error:
        raise EngineError(
            "The weights of {repo} are being fetched by another process; try again when they are here.",
            repo=repo,
        ) from error


def _is_whole(file: Path, digest: str, going: Callable[[], None]) -> bool:
    """Whether the file is what the hub says: large ones have their SHA-256, others git's name of them."""
    if len(digest) == 64:
        known = hashlib.sha256()
    elif len(digest) == 40:
        known = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    else:
        return True  # some other mirror's; `weights.check` looks at the tensors
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            known.update(chunk)
            going()
    return known.hexdigest() == digest
