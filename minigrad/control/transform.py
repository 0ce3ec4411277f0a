"""Graph to graph: the tangents, the lanes, the way there and back. Each is an interpreter run over `run(graph)`.

Floor 3. Results are remembered per graph, so a loop body is differentiated once, however often the loop runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from minigrad.control.plan import plan_of
from minigrad.errors import ShapeError
from minigrad.frozen import dataclass
from minigrad.graph import Graph, Var, live, renewed, run, subgraphs
from minigrad.interpreters import batch, forward, reverse
from minigrad.interpreters.build import trace
from minigrad.op import EVALUATE, Op, Value, ndarray, using
from minigrad.ops.kinds import zeros
from minigrad.ops.movement import Expand
from minigrad.types import TensorType, is_differentiable

Mask = tuple[bool, ...]
_remember = lru_cache(maxsize=1024)


class Holding(Op):
    """An op that holds graphs: several outputs, and an effect if a graph of its has one."""

    many = True

    @property
    def effect(self) -> bool:  # type: ignore[override]
        return any(g.effect for g in subgraphs(self))

    def require(self, graph: Graph, types: Sequence[TensorType], what: str) -> None:
        """The operands must be what the graph was traced for."""
        if tuple(types) != graph.in_types:
            shown = ", ".join(map(str, types)), ", ".join(map(str, graph.in_types))
            raise ShapeError(f"{self.label}: {what} takes ({shown[1]}), got ({shown[0]})")


class Applied(Holding):
    """Applies the one graph it holds."""

    graph: Graph

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        self.require(self.graph, types, self.graph.name)
        return self.graph.out_types

    def impl(self, *arrays: Any) -> Sequence[Any]:
        return evaluate(self.graph, arrays)


def closed(f: Callable[..., Sequence[Any]], types: Sequence[TensorType], name: str) -> Graph:
    """Trace an f that captures nothing, whatever interpreter is in force."""
    with using(EVALUATE):
        graph, captured = trace(f, types, name=name)
    assert not captured
    return graph


def differentiable(types: Sequence[TensorType]) -> Mask:
    return tuple(is_differentiable(t.dtype) for t in types)


def pick(mask: Sequence[bool], xs: Sequence[Any]) -> list[Any]:
    """Those of xs where mask is true."""
    return [x for m, x in zip(mask, xs, strict=True) if m]


def place(mask: Sequence[bool], xs: Sequence[Any], other: Sequence[Any] | None = None) -> list[Any]:
    """The inverse of `pick`: xs where mask is true, else `other` (None)."""
    given = iter(xs)
    rest = other if other is not None else [None] * len(mask)
    return [next(given) if m else o for m, o in zip(mask, rest, strict=True)]


def spread(xs: Sequence[Any], mapped: Sequence[bool], wanted: Sequence[bool], size: int) -> list[Any]:
    """Those of xs that are to have lanes and have none, repeated."""
    return [x if m or not w else Expand((size, *x.shape))(x) for x, m, w in zip(xs, mapped, wanted, strict=True)]


def filled(bars: Sequence[Any], types: Sequence[TensorType]) -> list[Any]:
    """(Co)tangents with zeros in place of None."""
    return [zeros(t) if b is None else b for b, t in zip(bars, types, strict=True)]


@_remember
def jvp_graph(graph: Graph, dotted: Mask, force: Mask | None = None) -> tuple[Graph, Mask]:
    """(xs, tangents of the dotted xs) -> (ys, tangents of some ys), and which ys have one (at least `force`)."""
    n, has = len(graph.inputs), [False] * len(graph.outputs)

    def f(*args: Value) -> list[Any]:
        ys, dots = forward.jvp(lambda *xs: run(graph, xs), args[:n], place(dotted, args[n:]))
        for i, d in enumerate(dots):
            if d is None and force is not None and force[i]:
                dots[i] = zeros(ys[i].type)
            has[i] = dots[i] is not None
        return [*ys, *pick(has, dots)]

    made = closed(f, [*graph.in_types, *pick(dotted, graph.in_types)], graph.name + "_jvp")
    return made, tuple(has)


@_remember
def batch_graph(graph: Graph, mapped: Mask, size: int, force: Mask | None = None) -> tuple[Graph, Mask]:
    """The graph over lanes: mapped inputs have them along axis 0; and which outputs do (at least `force`)."""
    has = [False] * len(graph.outputs)

    def f(*args: Value) -> list[Any]:
        ys = batch.lanes(lambda *xs: run(graph, xs), args, mapped, size)
        for i, (_, is_mapped) in enumerate(ys):
            has[i] = is_mapped or (force is not None and force[i])
        return spread([y for y, _ in ys], [m for _, m in ys], has, size)

    types = [TensorType((size, *t.shape), t.dtype) if m else t for t, m in zip(graph.in_types, mapped, strict=True)]
    made = closed(f, types, graph.name + "_lanes")
    return made, tuple(has)


def batch_all(graph: Graph, mapped: Mask, size: int) -> Graph:
    """`batch_graph` with every output mapped."""
    return batch_graph(graph, mapped, size, (True,) * len(graph.outputs))[0]


@_remember
def reaches(graph: Graph, wanted: Mask) -> Mask:
    """Which outputs may need a cotangent for the wanted inputs. No rule is run: some ops have none forward."""
    active: set[Any] = set(pick(wanted, graph.inputs))
    for n in graph.nodes:
        if n.op.no_gradient is None and not active.isdisjoint(n.ins):
            active.update(v for v in n.outs if is_differentiable(v.type.dtype))
    return tuple(a in active for a in graph.outputs)


def reached_carries(body: Graph, consts: int, carry: int, wanted: Mask) -> Mask:
    """A loop's operands that need a cotangent: those asked for, and the float carries they reach, in any step."""
    grown = tuple(w and f for w, f in zip(wanted, differentiable(body.in_types), strict=True))
    end = consts + carry
    while True:
        has = reaches(body, grown)[:carry]
        carries = (g or h for g, h in zip(grown[consts:end], has, strict=True))
        more = (*grown[:consts], *carries, *grown[end:])
        if more == grown:
            return grown
        grown = more


@dataclass(frozen=True)
class Linearized:
    """A graph's way there and way back.

    there: xs -> ys, saved.   back: xs[k] for k in kept, saved, ȳs of the differentiable ys -> x̄s of the wanted xs.
    """

    there: Graph
    back: Graph
    kept: tuple[int, ...]


@_remember
def vjp_graph(graph: Graph, wanted: Mask) -> Graph:
    """(xs, ȳs of the differentiable ys) -> (ys, x̄s of the wanted xs): both ways in one graph."""
    n, float_out = len(graph.inputs), differentiable(graph.out_types)

    def f(*args: Value) -> list[Any]:
        xs = args[:n]
        ys, pull = reverse.vjp(lambda *some: run(graph, place(wanted, some, xs)), pick(wanted, xs))
        x_bars = pull(place(float_out, args[n:]))
        return [*ys, *filled(x_bars, pick(wanted, graph.in_types))]

    return closed(f, [*graph.in_types, *pick(float_out, graph.out_types)], graph.name + "_vjp")


@_remember
def linearize(graph: Graph, wanted: Mask) -> Linearized:
    """Cut the both-ways graph where the cotangents come in: what must cross the cut is saved."""
    joint = vjp_graph(graph, wanted)
    n, m = len(graph.inputs), len(graph.outputs)
    xs, y_bars = joint.inputs[:n], joint.inputs[n:]
    late: set[Any] = set(y_bars)
    early_nodes, late_nodes = [], []
    for node in joint.nodes:
        if not late.isdisjoint(node.ins):
            late.update(node.outs)
            late_nodes.append(node)
        else:
            early_nodes.append(node)
    ys, x_bars = joint.outputs[:m], joint.outputs[m:]
    late_nodes = live(late_nodes, x_bars)
    crossing = dict.fromkeys(
        a for a in [*(a for node in late_nodes for a in node.ins), *x_bars] if isinstance(a, Var) and a not in late
    )
    kept = tuple(k for k, x in enumerate(xs) if x in crossing)
    inputs = set(xs)
    saved = [v for v in crossing if v not in inputs]
    there = Graph(xs, live(early_nodes, [*ys, *saved]), [*ys, *saved], graph.name + "_there")
    back = Graph([*(xs[k] for k in kept), *saved, *y_bars], late_nodes, x_bars, graph.name + "_back")
    # no Var is shared with the graph it was cut from
    return Linearized(there, renewed(back, lambda v: Var(v.type, None, v.line, v.label), lambda op: op), kept)


def evaluate(graph: Graph, arrays: Sequence[ndarray]) -> list[Any]:
    """The reference meaning of a held graph: each node's impl in order."""
    return plan_of(graph).run(arrays)


def unify(traced: Sequence[tuple[Graph, list[Value]]]) -> tuple[list[Graph], list[Value]]:
    """Graphs that captured different values, as graphs that take the same leading inputs: all of them."""
    values = list({id(x): x for _, captured in traced for x in captured}.values())
    graphs = []
    for graph, captured in traced:
        own = dict(zip(map(id, captured), graph.inputs, strict=False))
        leading = [own[id(x)] if id(x) in own else Var(x.type) for x in values]
        graphs.append(Graph([*leading, *graph.inputs[len(captured) :]], graph.nodes, graph.outputs, graph.name))
    return graphs, values
