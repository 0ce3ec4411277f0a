"""Custom derivative rules: a function whose derivative its author states.

Floor 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.control.call import call
from minigrad.control.transform import Applied, batch_all, closed, differentiable, filled, pick, place
from minigrad.frozen import dataclass
from minigrad.graph import Graph, LazyGraph
from minigrad.op import Value
from minigrad.ops.elementwise import cos, mul, sin
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.movement import every_lane
from minigrad.types import FLOAT64, TensorType

Rule = Graph | LazyGraph


def graph_of(rule: Rule) -> Graph:
    return rule.graph if isinstance(rule, LazyGraph) else rule


def _over_lanes(rule: Rule, size: int) -> LazyGraph:
    """The rule with every operand mapped; made when needed, or a rule that calls its function would have no end."""

    def make() -> Graph:
        graph = graph_of(rule)
        return batch_all(graph, (True,) * len(graph.inputs), size)

    return LazyGraph(make)


@dataclass(frozen=True)
class CustomJvp(Applied):
    """`rule`: (xs, tangents of the float xs) -> (ys, tangents of the float ys). Reverse mode transposes it."""

    graph: Graph
    rule: Rule
    label = "custom_jvp"

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        floats = differentiable(self.graph.in_types)
        moved = pick(floats, filled(dots, self.graph.in_types))
        y_dots = call(graph_of(self.rule))(*xs, *moved)[len(self.graph.outputs) :]
        return place(differentiable(self.graph.out_types), y_dots)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        # tangents of unmapped operands may differ between lanes too: in the rule every operand is mapped
        graph = batch_all(self.graph, (True,) * len(mapped), size)
        return CustomJvp(graph, _over_lanes(self.rule, size))(*every_lane(xs, mapped, size))

    @classmethod
    def samples(cls) -> Samples:
        types = [TensorType((2,), FLOAT64), TensorType((), FLOAT64)]

        def rule(x: Value, k: Value, x_dot: Value, k_dot: Value) -> list[Any]:
            return [mul(sin(x), k), mul(mul(cos(x), k), x_dot) + mul(sin(x), k_dot)]

        graph = closed(lambda x, k: [mul(sin(x), k)], types, "f")
        yield cls(graph, closed(rule, [*types, *types], "rule")), (Draw((2,)), Draw(()))


@dataclass(frozen=True)
class CustomVjp(Applied):
    """`there`: xs -> (ys, saved). `back`: (saved, ȳs of the float ys) -> x̄s of the float xs. No forward mode."""

    graph: Graph
    there: Rule
    back: Rule
    label = "custom_vjp"

    def pullback(self, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        types = self.graph.out_types
        results = call(graph_of(self.there))(*xs)
        ys, saved = results[: len(types)], results[len(types) :]

        def pull(y_bars: Sequence[Any]) -> list[Any]:
            given = pick(differentiable(types), filled(y_bars, types))
            x_bars = place(differentiable(self.graph.in_types), call(graph_of(self.back))(*saved, *given))
            return [b if w else None for b, w in zip(x_bars, wanted, strict=True)]

        return tuple(ys), pull

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        graph = batch_all(self.graph, (True,) * len(mapped), size)
        rules = _over_lanes(self.there, size), _over_lanes(self.back, size)
        return CustomVjp(graph, *rules)(*every_lane(xs, mapped, size))

    @classmethod
    def samples(cls) -> Samples:
        t = TensorType((2,), FLOAT64)
        graph = closed(lambda x, k: [mul(sin(x), k)], [t, t], "f")
        there = closed(lambda x, k: [mul(sin(x), k), x, k], [t, t], "there")
        back = closed(lambda x, k, y_bar: [mul(mul(cos(x), k), y_bar), mul(sin(x), y_bar)], [t, t, t], "back")
        yield cls(graph, there, back), (Draw((2,)), Draw((2,)))
