"""A check: a named way to look at the frames that came out, as data."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from gen.errors import Misconfigured


@dataclass(frozen=True, kw_only=True)
class Check:
    """A family of checks, its weights, and what is looked for. A recipe names it."""

    name: str
    family: str  # the file in gen/models/checks/
    weights: Mapping[str, Any]  # hub names or folders, by part
    labels: Mapping[str, float]  # what is looked for, and the score from which it counts as found
    options: Mapping[str, Any] = field(default_factory=dict)  # what only its family understands


def load(tables: Any, *, where: str = "config.toml") -> dict[str, Check]:
    """The checks of the `[check.*]` tables. Raises Misconfigured naming key, value and what was wanted."""
    if not isinstance(tables, Mapping):
        raise Misconfigured("{where}: check must be tables, [check.NAME].", where=where)
    return {name: _check(name, table, f"{where}: check.{name}") for name, table in tables.items()}


def named(checks: Mapping[str, Check], name: Any, where: str) -> Check | None:
    """The check of that name; none for "". Raises Misconfigured."""
    if name == "":
        return None
    if not isinstance(name, str) or name not in checks:
        raise Misconfigured(
            "{where} is {value}; there are {names}.",
            where=where, value=repr(name), names=", ".join(checks) or "no [check.NAME] tables",
        )  # fmt: skip
    return checks[name]


_KINDS: Mapping[str, type] = {"family": str, "weights": dict, "labels": dict, "options": dict}


def _check(name: str, table: Any, where: str) -> Check:
    if not isinstance(table, Mapping):
        raise Misconfigured("{where} is {value}; it must be a table.", where=where, value=repr(table))
    for key, value in table.items():
        if key not in _KINDS:
            near = difflib.get_close_matches(key, _KINDS, 3) or sorted(_KINDS)
            raise Misconfigured(
                "{where}.{key} is unknown; there are {keys}.", where=where, key=key, keys=", ".join(near)
            )
        if not isinstance(value, _KINDS[key]):
            wanted = "text" if _KINDS[key] is str else "a table"
            raise Misconfigured(
                "{where}.{key} is {value}; it must be {wanted}.",
                where=where, key=key, value=repr(value), wanted=wanted,
            )  # fmt: skip
    needed = [item.name for item in fields(Check) if item.name not in ("name", "options")]
    if missing := [key for key in needed if not table.get(key)]:
        raise Misconfigured("{where}: {keys} must be set.", where=where, keys=", ".join(missing))
    labels = {label: _score(score, f"{where}.labels.{label}") for label, score in table["labels"].items()}
    return Check(**{**table, "name": name, "labels": labels})


def _score(score: Any, where: str) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise Misconfigured("{where} is {value}; it must be a number.", where=where, value=repr(score))
    return float(score)
