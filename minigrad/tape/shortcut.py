"""The derivative of an elementwise row as a few NumPy calls, derived once from the row's own rule.

Floor 6. Walking backward through `x * y` by its rule costs an `Evaluate` and its wrappers for each op the rule
speaks, ten times what NumPy itself takes on ten elements. So the rule is traced (`build.trace`) on scalars of the
operands' dtype, for which elementwise code is the same as for arrays, and the graph is written down as a Python
function that adds to the cotangents, ndarrays by key: that of `x0 * x1` is

    def pull(y_bar, y, xs, keys, bars):
        shape = y.shape
        x0, x1, = xs
        k0, k1, = keys
        if k0 is not None:
            t0 = mul(y_bar, x1)
            b = t0
            if shape != x0.shape:
                b = sum_to(Array(b), x0.shape).array
            bars[k0] = plus(bars[k0], b) if k0 in bars else b
        ...

Nothing about a derivative is said here; ranks, shapes and broadcasting stay NumPy's. The graph also shows which
saved values the rule reads, and only those must not have been overwritten.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from minigrad.graph import Const, Graph, live
from minigrad.interpreters.build import trace
from minigrad.op import EVALUATE, Array, using
from minigrad.ops.movement import sum_to
from minigrad.ops.rows import Row
from minigrad.types import DType, TensorType

# (ȳ, y, operands, keys, cotangents), which adds to those of the operands whose key is not None
Pull: TypeAlias = "Callable[[Any, Any, Sequence[Any], Sequence[Any], dict[Any, Any]], None]"
Derived: TypeAlias = "tuple[Pull, set[int], Any]"  # what it reads, and the rule it was derived from
_derived: dict[Row, dict[str, Derived | None]] = {}  # by row and dtype.char: a dtype is slow to hash


def derivative(row: Row, dtype: DType) -> Derived | None:
    """The function, and which of (y, *xs) it reads; None where this road does not go (complex, other rules)."""
    known = _derived.get(row) or _derived.setdefault(row, {})
    try:
        found = known[dtype.char]
    except KeyError:
        plain = type(row) is Row and row.gives == "same" and dtype.kind == "f" and isinstance(row.partials, tuple)
        found = known[dtype.char] = _derive(row, dtype) if plain else None
    if found is not None and found[2] is not row.partials:  # the rule is another one now, as when a test breaks it
        found = known[dtype.char] = _derive(row, dtype)
    return found


def _derive(row: Row, dtype: DType) -> Derived:
    operands = range(row.operands)
    # a name, because of `warnings` in op.py
    known: dict[str, Any] = {"__name__": __name__, "Array": Array, "sum_to": sum_to, "plus": np.add}
    reads: set[int] = set()
    lines = [
        "def pull(y_bar, y, xs, keys, bars):",
        "    shape = y.shape",
        f"    {''.join(f'x{i}, ' for i in operands)}= xs",
        f"    {''.join(f'k{i}, ' for i in operands)}= keys",
    ]
    for i in operands:
        graph = _term(row, i, dtype)
        if graph.outputs:
            lines += [f"    if k{i} is not None:", *_written(graph, i, known, reads)]
    text, filename = "\n".join(lines), f"<minigrad derivative of {row.name} in {dtype.name}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)  # for debuggers
    exec(compile(text, filename, "exec"), known)
    return known["pull"], reads, row.partials


def _term(row: Row, i: int, dtype: DType) -> Graph:
    def rule(y_bar: Any, y: Any, *xs: Any) -> list[Any]:
        term = row.term(row.partial(i, y, xs), y_bar)
        return [] if term is None else [term]

    with using(EVALUATE):
        return trace(rule, [TensorType((), dtype)] * (row.operands + 2))[0]


def _written(graph: Graph, i: int, known: dict[str, Any], reads: set[int]) -> list[str]:
    """The lines that compute x̄<i> and add it; what they call is put into `known`, what they read into `reads`."""
    inputs = ["y_bar", "y", *(f"x{k}" for k in range(len(graph.inputs) - 2))]
    names: dict[Any, str] = dict(zip(graph.inputs, inputs, strict=True))

    def name(a: Any) -> str:
        if isinstance(a, Const):
            known.setdefault(constant := f"c{len(known)}", a.array)
            return constant
        if names[a] in inputs[1:]:
            reads.add(inputs.index(names[a]) - 1)
        return names[a]

    lines = []
    for n in live(graph.nodes, graph.outputs):
        call = f"{n.op.label.replace(' ', '_')}_{len(known)}"
        known[call] = n.op.impl
        ins = ", ".join(map(name, n.ins))
        names[n.out] = f"t{len(names)}"
        lines.append(f"        {names[n.out]} = {call}({ins})")
    return [
        *lines,
        f"        b = {name(graph.outputs[0])}",
        f"        if shape != x{i}.shape:",
        f"            b = sum_to(Array(b), x{i}.shape).array",
        f"        bars[k{i}] = plus(bars[k{i}], b) if k{i} in bars else b",
    ]
