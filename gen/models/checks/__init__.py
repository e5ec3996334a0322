"""One file per family of checks; each has a class `Judge`. They run in the engine's child, on the processor:
beside a model that fills the card there is no room for another, and three small pictures take no time."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gen.errors import Misconfigured
from gen.models.weights import find

if TYPE_CHECKING:
    from gen.check import Check
    from gen.models import Pixels

#: What is fetched of a hub's repository unless its table says otherwise: one model at its root.
ALLOWED = ("config.json", "preprocessor_config.json", "model*.safetensors", "model.safetensors.index.json")


class Judge(Protocol):
    """A loaded check."""

    def __init__(self, check: Check, folders: Mapping[str, Path]) -> None:
        """Loads the weights in `folders`, by part. Raises Misconfigured."""

    def scores(self, pictures: Sequence[Pixels]) -> list[dict[str, float]]:
        """For each picture (height × width × 3) the score of each label."""
        ...


def weights(specs: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a check's weights, by part, with what is fetched of them."""
    named: dict[str, Any] = {}
    for part, spec in specs.items():
        table = {"repo": spec} if isinstance(spec, str) else dict(spec)
        named[part] = table if "file" in table else {"allow": list(ALLOWED), **table}
    return named


def load(check: Check, cache: Path) -> Judge:
    """The check's judge. Raises EngineError where weights are missing, Misconfigured for all else."""
    there = {file.stem for file in Path(__file__).parent.glob("[a-z]*.py")}
    if check.family not in there:
        raise Misconfigured(
            "check.{name}.family is {family}; there are {families}.",
            name=check.name, family=check.family, families=", ".join(sorted(there)),
        )  # fmt: skip
    folders = {part: find(table, cache) for part, table in weights(check.weights).items()}
    if "base" not in folders:
        raise Misconfigured("check.{name}.weights.base must be set.", name=check.name)
    judge: Judge = importlib.import_module(f"{__name__}.{check.family}").Judge(check, folders)
    return judge


def known(check: Check, labels: Sequence[str]) -> None:
    """Raises Misconfigured where the check looks for what its model does not know."""
    if strange := [label for label in check.labels if label not in labels]:
        raise Misconfigured(
            "check.{name} has no label {label}; there are {labels}.",
            name=check.name, label=strange[0], labels=", ".join(labels),
        )  # fmt: skip


def whole(check: Check, kind: Any, folder: Path) -> Any:
    """transformers' model of that kind from that folder, with every weight. Raises Misconfigured.

    A weight that is missing would be made up by chance, and the check would let pass whatever comes.
    """
    try:
        model, told = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype="float32", output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # transformers' own, all four
        raise unfit(check, error) from error
    if lost := sorted(str(key) for key in (*told["missing_keys"], *told["mismatched_keys"])):
        raise Misconfigured(
            "The weights of check.{name} lack {key}, and perhaps more.", name=check.name, key=lost[0]
        )
    return model.eval()


def unfit(check: Check, error: Exception) -> Misconfigured:
    """What a library says of a check's weights, in one line."""
    fault = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
    return Misconfigured(
        "The weights of check.{name} cannot be loaded: {fault}.", name=check.name, fault=fault
    )
