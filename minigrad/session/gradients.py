"""gradients: the walk backward over a session graph, appending what it computes to the same graph.

Floor 6. The walk itself is `interpreters.reverse.walk`, as for the other front-ends; here its steps are the nodes on
the way from the xs to the ys, and the values it deals in are Tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from minigrad.errors import GradientError, GraphError, ValueTypeError
from minigrad.graph import Atom, Node, Var
from minigrad.interpreters.build import collector_paused
from minigrad.interpreters.reverse import graph_steps, walk
from minigrad.op import Array, Value
from minigrad.ops.elementwise import add
from minigrad.ops.movement import full
from minigrad.session.building import building, operand
from minigrad.session.graph_scope import Graph
from minigrad.session.inputs import convert_to_tensor
from minigrad.session.open_rank import defer, is_open
from minigrad.session.plan import needed
from minigrad.session.shape import may_be_same
from minigrad.session.tensor import Operation, Read, Tensor
from minigrad.session.variables import Variable
from minigrad.types import is_differentiable


class Tap:
    """A step that only remembers the cotangent that has gathered at a Var, before its own producer takes it."""

    __slots__ = ("bar", "ins", "outs")

    def __init__(self, v: Var) -> None:
        self.ins = self.outs = (v,)
        self.bar: Any = None

    def pull(self, y_bars: list[Any]) -> Sequence[Any]:
        self.bar = y_bars[0]
        return y_bars


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    stop_gradients: Any = None,
    unconnected_gradients: str = "none",
) -> list[Any]:
    """d(sum of ys)/dx for each x of xs (tensors or variables), always a list; None where nothing depends on x.

    grad_ys are the cotangents of the ys (None: ones). Tensors in stop_gradients count as constants.

    >>> from minigrad.session.inputs import constant
    >>> from minigrad.session.session import Session
    >>> with Graph().as_default(), Session() as sess:
    ...     x = constant(3.0)
    ...     (slope,) = gradients(x * x, x)
    ...     float(sess.run(slope))
    6.0
    """
    outputs, wanted = [convert_to_tensor(y) for y in _list(ys)], _list(xs)
    stops = {t.var for t in map(_tensor, _list(stop_gradients))}
    if not outputs:
        raise GradientError("gradients: no ys were given")
    graph = _tensor(outputs[0]).graph
    for x in (*outputs, *wanted):
        if _tensor(x).graph is not graph:
            raise GraphError(
                f"gradients: {x.name} belongs to another graph than {outputs[0].name}", lines=_tensor(x).made()
            )
    with building(outputs[0]), graph.names.under(name):
        bars = _start(outputs, _list(grad_ys) or [None] * len(outputs))
        found = _walk(graph, outputs, wanted, stops, bars)
        if unconnected_gradients == "zero":
            found = [full(x.type.shape, 0, x.dtype) if g is None else g for g, x in zip(found, wanted, strict=True)]
        return [convert_to_tensor(g) if isinstance(g, Array) else g for g in found]


def _list(xs: Any) -> list[Any]:
    return [] if xs is None else list(xs) if isinstance(xs, (list, tuple)) else [xs]


def _tensor(x: Any) -> Tensor:
    if isinstance(x, Variable):
        return x.snapshot
    if not isinstance(x, Tensor):
        raise ValueTypeError(f"gradients: {x!r} (a {type(x).__name__}) is neither a tensor nor a variable")
    return x


def _start(ys: Sequence[Tensor], grad_ys: Sequence[Any]) -> dict[Any, Any]:
    """The cotangents the walk starts with."""
    if len(grad_ys) != len(ys):
        raise GradientError(f"gradients: {len(ys)} ys, but {len(grad_ys)} grad_ys")
    bars: dict[Any, Any] = {}
    for y, given in zip(ys, grad_ys, strict=True):
        if not is_differentiable(y.dtype):
            continue
        if given is not None:
            bar = _cotangent(y, given)
        elif is_open(y):
            bar = defer(y.home(), "ones", lambda v: full(v.shape, 1, v.dtype), [y])
        else:
            bar = full(y.type.shape, 1, y.dtype)
        bars[y.var] = add(bars[y.var], bar) if y.var in bars else bar
    return bars


def _cotangent(y: Tensor, given: Any) -> Any:
    bar = convert_to_tensor(operand(given), y.dtype)
    if not (is_open(bar) or is_open(y) or may_be_same(bar.type.shape, y.type.shape)):
        raise GradientError(f"gradients: {y.name} is {y.type}, its grad_ys {bar.type}", lines=y.made())
    return bar


def _walk(graph: Graph, ys: Sequence[Tensor], xs: Sequence[Any], stops: set[Var], bars: dict[Any, Any]) -> list[Any]:
    """Cotangents of xs. A variable is met wherever it is read."""
    operations = needed(ys, frozenset())
    reads = _reads(operations, {x for x in xs if isinstance(x, Variable)})
    sources = [reads.get(x, [x.snapshot.var]) if isinstance(x, Variable) else [x.var] for x in xs]
    roots = {v for group in sources for v in group if is_differentiable(v.type.dtype)}
    nodes = [o.role for o in operations if isinstance(o.role, Node) and stops.isdisjoint(o.role.outs)]
    tensor_of = graph.tensor_of

    def value(a: Atom) -> Value:
        return tensor_of[a] if isinstance(a, Var) else Array(a.array)

    taps = {v: Tap(v) for v in roots}
    steps: list[Any] = []
    for step in graph_steps(nodes, roots, value):
        steps += [taps[v] for v in step.outs if v in taps]
        steps.append(step)
    with collector_paused():
        left = walk(steps, bars)
    return [_total([_gathered(v, taps, left) for v in group]) for group in sources]


def _reads(operations: Iterable[Operation], variables: set[Variable]) -> dict[Variable, list[Var]]:
    found: dict[Variable, list[Var]] = {}
    for o in operations:
        if isinstance(o.role, Read) and o.role.variable in variables:
            found.setdefault(o.role.variable, []).append(o.outputs[0].var)
    return found


def _gathered(v: Var, taps: dict[Var, Tap], left: dict[Any, Any]) -> Any:
    if v not in taps:
        return None
    return taps[v].bar if taps[v].bar is not None else left.get(v)


def _total(bars: Iterable[Any]) -> Any:
    total = None
    for bar in bars:
        if bar is not None:
            total = bar if total is None else add(total, bar)
    return total
