"""The import law: down or level, never between front-ends, never inside a function; and a quick import.

`lazy_module("minigrad.x")` counts as an import of `minigrad.x`: loading later does not change
who depends on whom.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.floors import FLOORS, floor_of, may_import, render, room

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "minigrad").rglob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LOADERS = ("import_module", "__import__", "lazy_module")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_name(path) for path in FILES}


def imports(tree: ast.AST, importer: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Every module a file imports, with the line: absolute, relative and lazy imports alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = importer.split(".")
                parents = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                whole = f"{base}.{alias.name}"  # `from minigrad import tree` imports a module, not a name
                yield node.lineno, whole if whole in MODULES else base
        elif isinstance(node, ast.Call) and _called(node) == "lazy_module":
            yield from ((node.lineno, str(arg.value)) for arg in node.args if isinstance(arg, ast.Constant))


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def offences(source: str, importer: str, is_package: bool = False) -> list[str]:
    """What in a file breaks the law, one line each."""
    tree = ast.parse(source)
    floor = floor_of(importer)
    if floor is None:
        return [f"{importer} has no floor: give it one in tests/house/floors.py"]
    found = []
    for line, imported in imports(tree, importer, is_package):
        library = imported.split(".")[0]
        if library == "minigrad":
            if not may_import(importer, imported):
                found.append(f"line {line}: {importer} (floor {floor}) imports {imported} (floor {floor_of(imported)})")
        elif library not in sys.stdlib_module_names:
            allowed = FLOORS[floor].libraries
            if allowed is not None and library not in allowed:
                found.append(f"line {line}: floor {floor} imports {library}, but may use only {', '.join(allowed)}")
    for function in (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found.append(f"line {node.lineno}: an import inside a function (see minigrad/lazy.py)")
            elif isinstance(node, ast.Call) and _called(node) in LOADERS and importer != "minigrad.lazy":
                found.append(f"line {node.lineno}: {_called(node)} inside a function")
    return sorted(set(found))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_keeps_the_law(path: Path) -> None:
    found = offences(path.read_text("utf-8"), module_name(path), path.name == "__init__.py")
    assert not found, "\n".join([str(path.relative_to(ROOT)), *found])


@pytest.mark.parametrize(
    ("importer", "source", "words"),
    [
        ("minigrad.graph", "from minigrad.ops import reduce", "(floor 1) imports minigrad.ops.reduce (floor 2)"),
        ("minigrad.graph", "import minigrad", "imports minigrad (floor 7)"),
        ("minigrad.tape.tensor", "from minigrad.tracer import grad", "imports minigrad.tracer (floor 6)"),
        ("minigrad.tape.tensor", "from ..session import graph", "imports minigrad.session (floor 6)"),
        ("minigrad.op", "x = lazy_module('minigrad.backends')", "imports minigrad.backends (floor 4)"),
        ("minigrad.types", "import scipy", "floor 0 imports scipy, but may use only numpy"),
        ("minigrad.ops.sort", "def f():\n    import os", "line 2: an import inside a function"),
        ("minigrad.ops.sort", "f = lambda: __import__('os')", "line 1: __import__ inside a function"),
        ("minigrad.attic", "", "minigrad.attic has no floor"),
    ],
)
def test_the_law_catches(importer: str, source: str, words: str) -> None:
    assert words in "\n".join(offences(source, importer))


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("minigrad.tape.nn.linear", "from minigrad.tape.tensor import Tensor\nimport minigrad.numpy, scipy"),
        ("minigrad.tape.nn.linear", "from ..tensor import Tensor"),
        ("minigrad.graph", "from minigrad.op import Op"),
        ("minigrad.cli", "from minigrad.session import x\nfrom minigrad.tracer import y"),
    ],
)
def test_the_law_allows(importer: str, source: str) -> None:
    assert offences(source, importer) == []


def test_every_room_has_one_floor() -> None:
    rooms = [name for floor in FLOORS for name in floor.rooms]
    assert len(rooms) == len(set(rooms))
    assert room("minigrad.ops.reduce") == "ops" and room("minigrad") == "__init__"


def test_the_readme_draws_the_same_house() -> None:
    assert render() in (ROOT / "README.md").read_text("utf-8"), f"README.md should contain\n\n{render()}"


COST = """
import json, sys, time
start = time.thread_time()
import minigrad
print(json.dumps([time.thread_time() - start, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_import_is_quick_and_light(tmp_path: Path) -> None:
    """NumPy's import included. Processor time of the importing thread, best of five: other tests run beside it."""
    runs = []
    # compiled once, as an installation is, whatever this environment says about writing bytecode
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    for _ in range(5):
        output = subprocess.run(
            [sys.executable, "-c", COST], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        runs.append(json.loads(output.stdout))
    assert not {"numba", "llvmlite", "scipy", "rich", "matplotlib"} & set(runs[0][1])
    assert min(seconds for seconds, _ in runs) < 0.150
