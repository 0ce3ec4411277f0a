"""Call: a graph used as one op (what `jit` makes). Checkpoint: a call that saves its operands and nothing else.

Floor 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any

from minigrad.control.transform import (
    Applied,
    batch_all,
    closed,
    differentiable,
    evaluate,
    filled,
    jvp_graph,
    linearize,
    pick,
    place,
    vjp_graph,
)
from minigrad.frozen import dataclass
from minigrad.graph import Graph
from minigrad.op import Op, Value
from minigrad.ops.elementwise import mul, sin
from minigrad.ops.kinds import Draw, Samples
from minigrad.types import FLOAT64, INT64, TensorType

Run = Callable[[Sequence[Any]], Sequence[Any]]  # arrays in, arrays out
Compiler = Callable[[Graph], Run]


class Called(Applied):
    """The graph, applied, and nothing said of its derivative. `like` is the same of a graph derived from it."""

    def like(self, graph: Graph) -> Op:
        raise NotImplementedError(f"{type(self).__name__} defines no like()")

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        dotted = tuple(d is not None for d in dots)
        graph, has = jvp_graph(self.graph, dotted)
        return place(has, self.like(graph)(*xs, *pick(dotted, dots))[len(y) :])

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return self.like(batch_all(self.graph, tuple(mapped), size))(*xs)

    @classmethod
    def samples(cls) -> Samples:
        of: Any = cls
        types = [TensorType((2, 3), FLOAT64), TensorType((3,), FLOAT64), TensorType((), INT64)]
        graph = closed(lambda x, k, n: [mul(sin(x), k), mul(n, n), mul(k, k)], types, "f")
        yield of(graph), (Draw((2, 3)), Draw((3,)), Draw((), "int64"))
        yield of(closed(lambda x: [x, sin(x)], [TensorType((0,), FLOAT64)], "g")), (Draw((0,)),)


@dataclass(frozen=True)
class Call(Called):
    """The graph, applied. With a compiler it runs compiled, and so do the graphs its rules derive from it."""

    graph: Graph
    compiler: Compiler | None = field(default=None, compare=False, repr=False)
    _compiled: list[Run] = field(default_factory=list, init=False, compare=False, repr=False)

    def parameters(self) -> dict[str, Any]:
        return {"graph": self.graph}

    def like(self, graph: Graph) -> Call:
        return call(graph, self.compiler)

    def impl(self, *arrays: Any) -> Sequence[Any]:
        if self.compiler is None:
            return evaluate(self.graph, arrays)
        if not self._compiled:
            self._compiled.append(self.compiler(self.graph))
        return self._compiled[0](arrays)

    def pullback(self, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        lin = linearize(self.graph, tuple(wanted))
        m = len(self.graph.outputs)
        results = self.like(lin.there)(*xs)
        ys, saved = results[:m], results[m:]

        def pull(y_bars: Sequence[Any]) -> list[Any]:
            bars = filled(y_bars, self.graph.out_types)
            given = pick(differentiable(self.graph.out_types), bars)
            return place(wanted, self.like(lin.back)(*(xs[k] for k in lin.kept), *saved, *given))

        return tuple(ys), pull


@lru_cache(maxsize=1024)
def call(graph: Graph, compiler: Compiler | None = None) -> Call:
    """The Call of a graph: the same one each time, so that what it compiled is found again."""
    return Call(graph, compiler)


@dataclass(frozen=True)
class Checkpoint(Called):
    """The graph, applied; on the way back its intermediates are computed again instead of having been kept."""

    graph: Graph

    def like(self, graph: Graph) -> Checkpoint:
        return Checkpoint(graph)

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        m = len(self.graph.outputs)
        given = pick(differentiable(self.graph.out_types), filled(y_bar, self.graph.out_types))
        return place(wanted, Checkpoint(vjp_graph(self.graph, tuple(wanted)))(*xs, *given)[m:])
