"""Elements at places that are data: what gather, scatter and dynamic slices read and write.

Floor 4. Such a place is an affine one plus, along some axes, positions read from tensors. `spot` says so for every op
of the kind, so that the schedule and the loops know one case only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.graph import Atom, Const, Graph, Node
from minigrad.loops.index import ZERO, Affine, Indices, address, identity
from minigrad.ops import elementwise as e
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.gather import Gather, Scatter
from minigrad.passes.rewrite import Sweep
from minigrad.passes.schedule.parts import Part, Position, Spot

TAKES = (Gather, TakeAlongAxis, DynamicSlice)
PUTS = (Scatter, AddAlongAxis, DynamicUpdateSlice)


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
