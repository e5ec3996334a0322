"""Who may import whom: the table of docs/design.md, held."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
ROOMS = {  # room: the rooms it may import
    "gen": set(), "playground": set(), "db": {"gen"}, "commands": {"gen"}, "bot": {"commands", "db", "gen"},
}  # fmt: skip
HOMES = {  # third-party package: where alone it may be imported
    "torch": ("gen.models", "gen.shapes"), "diffusers": ("gen.models", "gen.shapes"),
    "transformers": ("gen.models", "gen.shapes"), "cv2": ("gen.models", "gen.shapes"),
    "bitsandbytes": ("gen.models",),
    "numpy": ("gen.models", "gen.shapes", "gen.media", "gen.footage", "gen.encode", "gen.cutter"),
    "PIL": ("gen.models", "gen.shapes", "gen.media", "gen.encode"), "av": ("gen.footage", "gen.encode"),
    "asyncio_throttle": ("gen.queue",), "sqlalchemy": ("db",), "alembic": ("db",), "aiosqlite": ("db",),
    "discord": ("commands", "bot"), "aiohttp": ("bot", "playground", "commands.errors"),
}  # fmt: skip
#: The half of `gen` that lives in child processes; the other half imports none of it.
CHILD = (
    "gen.child", "gen.wire", "gen.engine", "gen.warm", "gen.cutter", "gen.room", "gen.media", "gen.footage",
    "gen.encode", "gen.preview", "gen.models", "gen.shapes",
)  # fmt: skip
STARTERS = {"gen.process"}


def inside(module: str, homes: tuple[str, ...]) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def modules() -> dict[str, ast.Module]:
    paths = [path for room in ROOMS for path in (HERE / room).rglob("*.py") if "versions" not in path.parts]
    names = {".".join(path.relative_to(HERE).with_suffix("").parts): path for path in paths}
    return {
        name.removesuffix(".__init__"): ast.parse(path.read_text("utf-8")) for name, path in names.items()
    }


TREES = modules()


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that are imported anywhere in it, for types alone apart."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are written in full"
            yield from (
                name if (name := f"{node.module}.{alias.name}") in TREES else node.module
                for alias in node.names
            )
        yield from imported(node)


@pytest.mark.parametrize("module", TREES)
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    room = module.split(".")[0]
    for name in imported(TREES[module]):
        first = name.split(".")[0]
        assert first not in ROOMS or first == room or first in ROOMS[room], f"{module} imports {name}"
        assert first not in HOMES or inside(module, HOMES[first]), f"{module} imports {name}"
        assert name != "gen.child", f"{module} imports {name}: it is started, not imported"
        if room != "gen" or not inside(module, CHILD):
            assert not inside(name, CHILD), f"{module} imports {name}"


def test_only_one_place_starts_the_child() -> None:
    starts = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value == "gen.child" and not module.startswith("gen.child")
    }
    assert starts and starts <= STARTERS


def test_no_imports_go_in_a_circle() -> None:
    graph = {
        module: {name for name in imported(tree) if name in TREES} - {module}
        for module, tree in TREES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("program", ["bot.__main__", "gen.__main__", "playground.__main__"])
def test_the_process_beside_the_engine_loads_no_engine(program: str) -> None:
    code = f"import sys, {program}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "asyncio" in loaded
    assert not loaded & {"torch", "cv2", "av", "PIL", "numpy", "diffusers", "transformers"}
