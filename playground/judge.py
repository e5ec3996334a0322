"""Discord's own OpenAPI description, held against every request and every answer."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playground.api import Route

Json = dict[str, Any]


def find() -> Path | None:
    """The description that `ZOETROPE_OPENAPI` names, or the one beside the repository, where there is one."""
    if named := os.environ.get("ZOETROPE_OPENAPI"):
        return Path(named)
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "discord-openapi.json"
    return path if path.is_file() else None


def _is_integer(checker: object, value: object) -> bool:
    """Integers, and digit strings: clients send either."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and value.isdigit())


def _is_string(checker: object, value: object) -> bool:
    return isinstance(value, str)


def _adapt(node: Any) -> Any:
    """`oneOf` read as `anyOf`; a snowflake may be an integer too."""
    if isinstance(node, list):
        return [_adapt(one) for one in node]
    if not isinstance(node, dict):
        return node
    body = {("anyOf" if key == "oneOf" else key): _adapt(value) for key, value in node.items()}
    if body.get("format") == "snowflake":
        body["type"] = ["string", "integer"]
        body.pop("pattern", None)
    return body


@cache
def judge(path: Path) -> Judge:
    """The one judge of a description; what it has compiled serves every playground of this process."""
    return Judge(path)


class Judge:
    """Finds what is wrong with a request's JSON and with an answer, by the description at `path`.

    Each schema is compiled when it is first needed.
    """

    def __init__(self, path: Path) -> None:
        # Only a judge needs it: the playground runs without.
        from jsonschema import Draft202012Validator, validators

        document = _adapt(json.loads(path.read_text(encoding="utf-8")))
        # The description calls the codes within an error's tree integers; Discord sends words, and its
        # reference says so.
        inner = document["components"]["schemas"]["InnerErrors"]["properties"]["_errors"]
        inner["items"] = {"properties": {"code": {"type": "string"}}, "required": ["code", "message"]}
        self._paths: Json = document["paths"]
        self._components = document["components"]
        checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
        self._kind = validators.extend(Draft202012Validator, type_checker=checker)
        self._known: dict[tuple[str, str, str], Any] = {}

    def wrongs(self, route: Route, request: Any, status: int, answer: Any) -> list[str]:
        """One line for each thing that is wrong; a request is judged only where it was accepted."""
        operation = self._paths.get(_described(route.path), {}).get(route.method.lower())
        if operation is None:
            return [f"the description has no {route.method} {route.path}"]
        found = []
        if status < 400 and request:
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            found += self._judge((route.method, route.path, "request"), schema.get("schema"), request)
        if answer is not None:
            answers = operation["responses"]
            described = answers.get(str(status)) or answers.get(f"{status // 100}XX")
            if described is None:
                return [*found, f"the description has no answer {status}"]
            if "$ref" in described:
                described = self._components["responses"][described["$ref"].rpartition("/")[2]]
            schema = described.get("content", {}).get("application/json", {}).get("schema")
            found += self._judge((route.method, route.path, str(status)), schema, answer)
        return found

    def _judge(self, key: tuple[str, str, str], schema: Json | None, value: Any) -> list[str]:
        if schema is None:
            return []
        if key not in self._known:
            self._known[key] = self._kind({**schema, "components": self._components})
        error = next(self._known[key].iter_errors(value), None)
        return [] if error is None else [f"{key[2]}: {_explain(error)}"]


def _described(path: str) -> str:
    return path.replace("{emoji}", "{emoji_name}")


def _explain(error: Any) -> str:
    """The deepest of an error's causes, with where it is."""
    while error.context:
        error = max(error.context, key=lambda one: len(one.absolute_path))
    where = "/".join(str(one) for one in error.absolute_path)
    return f"{where or '(all)'}: {error.message[:200]}"
