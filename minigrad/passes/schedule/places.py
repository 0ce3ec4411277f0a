"""Elements at places that are data: what gather, scatter and dynamic slices read and write.

Floor 4. Such a place is an affine one plus, along some axes, positions read from tensors. `spot` says so for every op
of the kind, so that the schedule and the loops know one case only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.graph import Atom, Const, Graph, Node
from minigrad.loops import bodies
from minigrad.loops.index import ZERO, Affine, Indices, address, identity
from minigrad.ops import elementwise as e
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.gather import Gather, Scatter
from minigrad.ops.movement import Reshape
from minigrad.ops.rows import Elementwise
from minigrad.passes.equations.table import shaped
from minigrad.passes.rewrite import Sweep
from minigrad.passes.schedule.parts import Part, Position, Spot

TAKES = (Gather, TakeAlongAxis, DynamicSlice)
PUTS = (Scatter, AddAlongAxis, DynamicUpdateSlice)
_FEW = 8  # of so many elements one is taken: then computing it costs less than storing them all
_DEEP = 16  # ops that are computed anew for it


def fits(n: Node) -> bool:
    """Is there a place for whatever the positions are? (An axis without elements has none.)"""
    shape = (n.out if isinstance(n.op, PUTS) else n.ins[0]).type.shape
    return isinstance(n.op, TAKES + PUTS) and 0 not in shape


def spot(n: Node, view: Indices) -> Spot:
    """Where element `view` (of what is taken, or of the updates) stands in the tensor it is taken from or put into."""
    op: Any = n.op
    shape = (n.out if isinstance(op, PUTS) else n.ins[0]).type.shape
    if isinstance(op, DynamicSlice | DynamicUpdateSlice):
        window = n.out.type.shape if isinstance(op, DynamicSlice) else n.ins[1].type.shape
        starts = zip(n.ins[op.tensors :], shape, window, strict=True)
        moving = [Position(d, s, (), size - m) for d, (s, size, m) in enumerate(starts) if size != m]
        return Spot(shape, view, tuple(moving), False)
    indices = n.ins[-1]
    if isinstance(op, TakeAlongAxis | AddAlongAxis):
        axis = op.axis % len(shape)
        rest = tuple([ZERO if d == axis else index for d, index in enumerate(view)])
        return Spot(shape, rest, (Position(axis, indices, view, shape[axis] - 1),), False)
    lead, others = view[: indices.type.ndim - 1], iter(view[indices.type.ndim - 1 :])
    rest = tuple([ZERO if d in op.axes else next(others) for d in range(len(shape))])
    at = [Position(a, indices, (*lead, Affine(k)), shape[a] - 1) for k, a in enumerate(op.axes)]
    return Spot(shape, rest, tuple(at), op.beyond == "drop")


def parts(n: Node) -> list[Part]:
    """A put: first what the tensor was, then each update at its spot."""
    everywhere = identity(n.out.type.shape)
    x, updates = n.ins[0], n.ins[-2]
    before: tuple[Atom, Indices] = (x, everywhere)
    if isinstance(n.op, AddAlongAxis):
        before = Const(np.zeros((), n.out.type.dtype)), ()
    if isinstance(n.op, DynamicUpdateSlice):
        updates = n.ins[1]
    view = identity(updates.type.shape)
    at = spot(n, view)
    put = Part(updates.type.shape, (updates, view), address(at.rest, at.shape), put=at, combine=combination(n.op))
    first = Part(n.out.type.shape, before, address(everywhere, n.out.type.shape))
    return [first, put] if updates.type.size else [first]


def combination(op: Any) -> str:
    """How an update meets what it is put upon."""
    return {AddAlongAxis: "add", DynamicUpdateSlice: "set"}.get(type(op)) or op.mode


def taken_early(graph: Graph) -> Graph:
    """The graph with the few elements that are taken from an elementwise result computed from those of its operands.

    take(f(x, y), i) = f(take(x, i), take(y, i)). So the loss of a softmax needs no logarithms of the other classes.
    """
    sweep = Sweep(graph)
    for n in graph.nodes:
        ins, sweep.line = sweep.atoms(n.ins), n.line
        few = isinstance(n.op, TakeAlongAxis) and n.out.type.size * _FEW <= ins[0].type.size
        y = _Taken(sweep, n.op.axis % ins[0].type.ndim, *ins).computed(ins[0]) if few else None  # type: ignore[attr-defined]
        if y is None:
            sweep.keep(Node(n.op, ins, n.outs, n.line))
        else:
            sweep.replace(n.out, shaped(sweep, y, n.out.type))
    return sweep.graph()


class _Taken:
    """What stands at positions `at` along an axis of the operands of x; all of it up to broadcasting."""

    def __init__(self, s: Sweep, axis: int, x: Atom, at: Atom) -> None:
        self.sweep, self.shape, self.axis, self.at = s, x.type.shape, axis, at
        self.room = _DEEP

    def of(self, a: Atom) -> Atom | None:
        """What is taken from a; None if that is no better than taking it from x."""
        own = self.axis - len(self.shape) + a.type.ndim
        if own < 0 or a.type.shape[own] == 1:
            return a
        y = self.computed(a)
        if y is not None or self.room < 0:
            return y
        if a.type.shape == self.shape:
            return self.sweep.emit(TakeAlongAxis(self.axis), a, self.at)
        if a.type.size == a.type.shape[own]:
            line, at = Reshape((a.type.size,)), Reshape((*self.at.type.shape, 1))
            return self.sweep.emit(Gather((0,)), self.sweep.emit(line, a), self.sweep.emit(at, self.at))
        return None

    def computed(self, a: Atom) -> Atom | None:
        """f(take(x, i), take(y, i)) for an elementwise f; None if a is none."""
        n = self.sweep.maker(a, Elementwise)
        if n is None or not bodies.is_native(n.op, [x.type.dtype for x in n.ins]):
            return None
        self.room -= 1
        ins = [self.of(x) if self.room >= 0 else None for x in n.ins]
        return None if None in ins else self.sweep.emit(n.op, *ins)  # type: ignore[arg-type]


def compared(graph: Graph) -> Graph:
    """The graph with one update a row written as a comparison: no memory is passed over twice, and it can be fused.

    add_along_axis(u, i)[j] = u if j = i else 0, where there is one i.
    """
    sweep = Sweep(graph)
    for n in graph.nodes:
        op, sweep.line = n.op, n.line
        if isinstance(op, AddAlongAxis) and _is_comparison(n):
            updates, indices = sweep.atoms(n.ins)
            dtype, last = indices.type.dtype, op.size - 1
            line = np.arange(op.size, dtype=dtype).reshape([-1 if d == op.axis else 1 for d in range(n.out.type.ndim)])
            inside = sweep.emit(e.clip, indices, Const(dtype.type(0)), Const(dtype.type(last)))
            here = sweep.emit(e.equal, inside, Const(line))
            zero = Const(np.zeros((), updates.type.dtype))
            sweep.replace(n.out, sweep.emit(e.where, here, updates, zero))
        else:
            sweep.keep(Node(op, sweep.atoms(n.ins), n.outs, n.line))
    return sweep.graph()


def _is_comparison(n: Node) -> bool:
    updates, indices = n.ins
    one = indices.type.shape[n.op.axis] == 1 and n.out.type.size > 0  # type: ignore[attr-defined]
    return one and updates.type.dtype.kind != "c" and n.op.size - 1 <= np.iinfo(indices.type.dtype).max  # type: ignore[attr-defined]
