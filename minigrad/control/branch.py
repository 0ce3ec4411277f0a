"""Cond: one of several graphs, chosen by a number while the program runs.

Floor 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad.control.transform import (
    Holding,
    Mask,
    batch_all,
    closed,
    differentiable,
    evaluate,
    filled,
    jvp_graph,
    linearize,
    pick,
    place,
    unify,
)
from minigrad.errors import ArgumentError, ShapeError
from minigrad.frozen import dataclass
from minigrad.graph import Graph, run
from minigrad.interpreters.build import trace
from minigrad.op import Value
from minigrad.ops.elementwise import convert, less_equal, mul, sin, where
from minigrad.ops.kinds import Draw, Samples, zeros
from minigrad.ops.movement import pad_rank
from minigrad.types import BOOL, FLOAT64, INT64, TensorType


@dataclass(frozen=True)
class Cond(Holding):
    """branches[index](*operands); the index is a scalar integer and is clamped to the branches there are."""

    branches: tuple[Graph, ...]

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        if types[0].shape != () or types[0].dtype.kind not in "iu":
            raise ArgumentError(f"cond: the index must be a scalar integer, got {types[0]}")
        for k, graph in enumerate(self.branches):
            self.require(graph, types[1:], f"branch {k}")
        return self.branches[0].out_types

    def impl(self, index: Any, *arrays: Any) -> list[Any]:
        return evaluate(self.branches[min(max(int(index), 0), len(self.branches) - 1)], arrays)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        dotted = tuple(d is not None for d in dots[1:])
        masks = [jvp_graph(g, dotted)[1] for g in self.branches]
        has = tuple(map(any, zip(*masks, strict=True)))
        graphs = tuple(jvp_graph(g, dotted, has)[0] for g in self.branches)
        return place(has, Cond(graphs)(*xs, *pick(dotted, dots[1:]))[len(y) :])

    def pullback(self, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        there, back = _both_ways(self.branches, tuple(wanted[1:]))
        types = self.branches[0].out_types
        results = Cond(there)(*xs)
        ys, saved = results[: len(types)], results[len(types) :]

        def pull(y_bars: Sequence[Any]) -> list[Any]:
            given = pick(differentiable(types), filled(y_bars, types))
            return place(wanted, Cond(back)(xs[0], *xs[1:], *saved, *given))

        return tuple(ys), pull

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        lanes = tuple(mapped[1:])
        if not mapped[0]:
            return Cond(tuple(batch_all(g, lanes, size) for g in self.branches))(*xs)
        if self.effect:
            return NotImplemented  # lane by lane: an effect in an untaken lane must not happen
        index = xs[0]
        results = [run(batch_all(g, lanes, size), xs[1:]) for g in self.branches]
        chosen = results[-1]
        for k in range(len(results) - 2, -1, -1):
            here = less_equal(index, k)  # the index is clamped: the last branch takes what is left
            chosen = [where(pad_rank(here, a.ndim), a, b) for a, b in zip(results[k], chosen, strict=True)]
        return tuple(chosen)

    @classmethod
    def samples(cls) -> Samples:
        types = [TensorType((2,), FLOAT64), TensorType((), FLOAT64)]
        graphs = [
            closed(lambda x, k: [mul(sin(x), k), k], types, "first"),
            closed(lambda x, k: [mul(x, x), k], types, "second"),
            closed(lambda x, k: [x, mul(k, k)], types, "third"),
        ]
        yield cls(tuple(graphs)), (Draw((), "int64", (-1, 3)), Draw((2,)), Draw(()))
        yield cls(tuple(graphs[:1])), (Draw((), "int32", (0, 0)), Draw((2,)), Draw(()))


def _both_ways(branches: Sequence[Graph], wanted: Mask) -> tuple[tuple[Graph, ...], tuple[Graph, ...]]:
    """Each branch's way there and way back. All return (and take) everyone's saved values: zeros for the others'."""
    lins = [linearize(g, wanted) for g in branches]
    m, n = len(branches[0].outputs), len(branches[0].inputs)
    saved = [g.there.out_types[m:] for g in lins]
    starts = [sum(map(len, saved[:k])) for k in range(len(saved) + 1)]
    there, back = [], []
    for k, lin in enumerate(lins):

        def go(*xs: Value, k: int = k, lin: Any = lin) -> list[Any]:
            results = run(lin.there, xs)
            rows = [[zeros(t) for t in row] for row in saved]
            rows[k] = results[m:]
            return [*results[:m], *(v for row in rows for v in row)]

        def come(*args: Value, k: int = k, lin: Any = lin) -> list[Any]:
            own = args[n + starts[k] : n + starts[k + 1]]
            return run(lin.back, [*(args[i] for i in lin.kept), *own, *args[n + starts[-1] :]])

        float_out = pick(differentiable(branches[k].out_types), branches[k].out_types)
        there.append(closed(go, branches[k].in_types, branches[k].name + "_there"))
        types = [*branches[k].in_types, *(t for row in saved for t in row), *float_out]
        back.append(closed(come, types, branches[k].name + "_back"))
    return tuple(there), tuple(back)


def branch(index: Any, fs: Sequence[Callable[..., Sequence[Any]]], xs: Sequence[Value]) -> list[Any]:
    """fs[index](*xs) for flat functions, all traced; index a scalar integer or bool (false 0, true 1)."""
    types = [x.type for x in xs]
    graphs, captured = unify([trace(f, types, name=f"branch{k}") for k, f in enumerate(fs)])
    for k, g in enumerate(graphs):
        if g.out_types != graphs[0].out_types:
            shown = [", ".join(map(str, h.out_types)) for h in (graphs[0], g)]
            raise ShapeError(f"cond: branch 0 returns ({shown[0]}), branch {k} returns ({shown[1]})")
    index = convert(index, INT64) if index.dtype == BOOL else index
    return list(Cond(tuple(graphs))(index, *captured, *xs))
