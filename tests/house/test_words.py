"""One name for one concept: words we do not use, looked for wherever the package introduces a name.

Only names that minigrad itself binds are read (definitions, parameters, variables, attributes set on self):
what other libraries call their things is theirs.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.floors import room
from tests.house.test_imports import FILES, ROOT, module_name

# word -> what to say instead. A name is refused if any part of it (snake_case or CamelCase) is such a word.
INSTEAD = {
    "aval": "type",
    "spec": "type",
    "prim": "op",
    "eqn": "node",
    "bsym": "node",
    "jaxpr": "graph",
    "fgraph": "graph",
    "ctx": "interpreter, or what it really is",
    "bdim": "mapped",
    "ans": "y",
    "res": "y",
    "codegen": "lower or print",
    "thunk": "executable",
}
# In a front-end users meet their framework's own words: here, those that would otherwise be refused.
FRAMEWORK_WORDS = {
    "session": {"TensorSpec", "input_spec", "type_spec", "element_spec", "softmax_cross_entropy_with_logits_v2"},
    "tape": {"ctx"},
    "tracer": {"make_jaxpr", "PartitionSpec", "in_specs", "out_specs", "spec"},
}
NUMBERED = re.compile(r"_(impl|v|pass)\d+$|^_?fancy_")
DOING = re.compile(r"^_?do_")


def names(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """Every name a file binds: its line, and whether it names a function."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name, True
            case ast.ClassDef(name=name):
                yield node.lineno, name, False
            case ast.arg(arg=name):
                yield node.lineno, name, False
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name, False
            case ast.alias(asname=str(name)):
                yield node.lineno, name, False


def parts(name: str) -> set[str]:
    """The words of a name, without a plural's s: `inJaxprs_by_aval` -> in, jaxpr, by, aval."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower() for word in words} | {word.lower().removesuffix("s") for word in words}


def offences(source: str, module: str) -> list[str]:
    """The refused names of a file, one line each."""
    found = []
    for line, name, is_function in names(ast.parse(source)):
        if name in FRAMEWORK_WORDS.get(room(module), ()):
            continue
        found += [f"line {line}: {name}: say {INSTEAD[word]}" for word in sorted(parts(name) & set(INSTEAD))]
        if NUMBERED.search(name):
            found.append(f"line {line}: {name}: replace the old one instead of numbering the new")
        if is_function and DOING.match(name):
            found.append(f"line {line}: {name}: say what it does")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_keeps_to_our_words(path: Path) -> None:
    assert not offences(path.read_text("utf-8"), module_name(path))


@pytest.mark.parametrize(
    ("source", "module", "found"),
    [
        ("def f(in_avals): ...", "minigrad.op", ["line 1: in_avals: say type"]),
        ("class ClosedJaxpr: ...", "minigrad.tracer.api", ["line 1: ClosedJaxpr: say graph"]),
        ("make_jaxpr = make_graph", "minigrad.tracer.api", []),
        ("make_jaxpr = make_graph", "minigrad.graph", ["line 1: make_jaxpr: say graph"]),
        ("def backward(ctx, y_bar): ...", "minigrad.tape.function", []),
        ("def do_it(): ...", "minigrad.op", ["line 1: do_it: say what it does"]),
        (
            "x.sin_impl2 = 1",
            "minigrad.op",
            ["line 1: sin_impl2: replace the old one instead of numbering the new"],
        ),
        ("import jaxlib as bsym", "minigrad.op", ["line 1: bsym: say node"]),
        ("result = other.aval; response = special = answers = 1", "minigrad.op", []),
    ],
)
def test_the_list_catches(source: str, module: str, found: list[str]) -> None:
    assert offences(source, module) == found
