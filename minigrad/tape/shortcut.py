"""The derivative of an elementwise row as a few NumPy calls, derived once from the row's own rule.

Floor 6. Walking backward through `x * y` by its rule costs an `Evaluate` and its wrappers for each op the rule
speaks, ten times what NumPy itself takes on ten elements. So the rule is traced (`build.trace`) on scalars of the
operands' dtype, for which elementwise code is the same as for arrays, and the graph is kept as a list of NumPy calls.
Nothing about a derivative is said here; ranks, shapes and broadcasting stay NumPy's. The graph also shows which
saved values the rule reads, and only those must not have been overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from minigrad.graph import Const, Graph, Var, live
from minigrad.interpreters.build import trace
from minigrad.op import EVALUATE, Array, ndarray, using
from minigrad.ops.movement import sum_to
from minigrad.ops.rows import Row
from minigrad.types import DType, TensorType

Call: TypeAlias = "tuple[Callable[..., Any], tuple[int, ...]]"  # a NumPy function and where its operands stand


class Term:
    """The cotangent of one operand as NumPy calls: `run((y_bar, y, *xs))`."""

    __slots__ = ("calls", "constants", "out", "reads", "run")

    def __init__(self, graph: Graph) -> None:
        place: dict[Any, int] = {v: i for i, v in enumerate(graph.inputs)}
        nodes = live(graph.nodes, graph.outputs)
        atoms = [a for n in nodes for a in n.ins] + list(graph.outputs)
        saved = set(graph.inputs[1:])
        self.reads = {place[a] - 1 for a in atoms if isinstance(a, Var) and a in saved}
        self.constants: list[ndarray] = []
        for a in atoms:
            if isinstance(a, Const) and a not in place:
                place[a] = len(graph.inputs) + len(self.constants)
                self.constants.append(a.array)
        self.calls: list[Call] = []
        for n in nodes:
            self.calls.append((n.op.impl, tuple([place[a] for a in n.ins])))
            place[n.out] = len(place)
        self.out = place[graph.outputs[0]]
        self.run = self.shortest()

    def shortest(self) -> Callable[[Sequence[Any]], Any]:
        """How to run it: most terms are the cotangent itself, or one product."""
        out = self.out
        if not self.calls:
            return lambda values: values[out]
        if len(self.calls) == 1 and not self.constants and len(self.calls[0][1]) == 2:
            f, (i, j) = self.calls[0]
            return lambda values: f(values[i], values[j])
        return self.run_all

    def run_all(self, values: Sequence[Any]) -> Any:
        env = [*values, *self.constants]
        for f, where in self.calls:
            env.append(f(*[env[i] for i in where]))
        return env[self.out]


Terms: TypeAlias = "tuple[Term | None, ...]"
_terms: dict[Row, dict[str, Terms | None]] = {}  # by row and dtype.char: a dtype is slow to hash


def terms_of(row: Row, dtype: DType) -> Terms | None:
    """Per operand its Term (None: zero), or None where the shortcut does not go (complex, or other kinds of rules)."""
    try:
        return _terms[row][dtype.char]
    except KeyError:
        plain = type(row) is Row and row.gives == "same" and dtype.kind == "f" and isinstance(row.partials, tuple)
        found = tuple([_term(row, i, dtype) for i in range(row.operands)]) if plain else None
        _terms.setdefault(row, {})[dtype.char] = found
        return found


def _term(row: Row, i: int, dtype: DType) -> Term | None:
    def rule(y_bar: Any, y: Any, *xs: Any) -> list[Any]:
        term = row.term(row.partial(i, y, xs), y_bar)
        return [] if term is None else [term]

    with using(EVALUATE):
        graph, _ = trace(rule, [TensorType((), dtype)] * (row.operands + 2))
    return Term(graph) if graph.outputs else None


def pull(terms: Terms, values: Sequence[Any], keys: Sequence[Any]) -> list[Any]:
    """The cotangents of the operands whose key is not None; values are (y_bar, y, *xs)."""
    bars: list[Any] = []
    i = 1
    for key in keys:
        i += 1
        term = terms[i - 2]
        if key is None or term is None:
            bars.append(None)
            continue
        array = term.run(values)
        shape = values[i].shape
        bars.append(Array(array) if array.shape == shape else sum_to(Array(array), shape))
    return bars
