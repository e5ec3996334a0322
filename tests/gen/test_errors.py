"""Every sentence formats, and an error survives being stored and sent."""

from __future__ import annotations

import ast
import json
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from gen import errors
from gen.errors import (
    KINDS,
    BadRequest,
    EngineDied,
    EngineError,
    Failed,
    Refused,
    Undeliverable,
    Unreachable,
    ZoetropeError,
)
from gen.job import Failure

HERE = Path(__file__).parents[2]
ROOMS = ("gen", "db", "commands", "bot")


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every place in the house that makes one of our errors, with where it is."""
    for room in ROOMS:
        for path in sorted((HERE / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", getattr(node.func, "attr", "")) in KINDS
                ):
                    yield f"{path.relative_to(HERE)}:{node.lineno}", node


def test_every_template_has_just_the_values_it_names() -> None:
    seen = 0
    for where, call in raised():
        template = call.args[0] if call.args else None
        if not isinstance(template, ast.Constant) or not isinstance(template.value, str):
            continue  # `Failure.error` and what a child sent
        if any(keyword.arg is None for keyword in call.keywords):
            continue
        named = {name for _, name, _, _ in string.Formatter().parse(template.value) if name is not None}
        assert named == {keyword.arg for keyword in call.keywords}, where
        assert len(call.args) == 1, where
        assert "!" not in template.value, where
        seen += 1
    assert seen > 25


def test_every_note_has_just_the_values_it_names() -> None:
    seen = 0
    for path in sorted((HERE / "gen").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Note" or not node.args:
                continue
            template = node.args[0]
            if not isinstance(template, ast.Constant):
                continue  # what an earlier version wrote
            values = [one for one in node.args[1:] if isinstance(one, ast.Dict)]
            given = {key.value for one in values for key in one.keys if isinstance(key, ast.Constant)}
            named = {name for _, name, _, _ in string.Formatter().parse(template.value) if name is not None}
            assert named == given, f"{path.relative_to(HERE)}:{node.lineno}"
            seen += 1
    assert seen >= 3


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = errors.__doc__ or ""
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ZoetropeError)
    ]
    assert set(KINDS.values()) == set(kinds) - {ZoetropeError}
    for kind in kinds:
        assert kind.__name__ in drawn


def test_a_text_is_its_template_with_its_values() -> None:
    error = BadRequest("-{flag} takes {takes}.", flag="{fps}", takes="8 to 24")
    assert str(error) == "-{fps} takes 8 to 24."
    assert str(BadRequest("100 % {sure}")) == "100 % {sure}"


def test_who_can_act() -> None:
    assert EngineDied.retryable and Undeliverable.retryable
    assert not (Failed.retryable or EngineError.retryable or Unreachable.retryable)
    assert issubclass(BadRequest, Refused) and not issubclass(BadRequest, Failed)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_failure_is_the_error_again(kind: type[ZoetropeError]) -> None:
    error = kind("It has {count} of “{name}”.", count=3, name="{x}")
    stored = json.loads(json.dumps(vars(Failure.of(error))))
    again = Failure(**stored).error()
    assert type(again) is kind
    assert str(again) == str(error)


def test_a_kind_of_another_version_is_still_a_failure() -> None:
    assert type(Failure("Gone", "It was {what}.", {"what": "so"}).error()) is EngineError
