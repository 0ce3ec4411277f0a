"""Sorting, all of it, as the positions that sort one tensor: the rest is elements taken at positions.

Floor 4. Sorting by several keys is sorting by the last first, then stably by the one before it.
"""

from __future__ import annotations

import numpy as np

from minigrad.graph import Atom, Graph, Node, Var
from minigrad.ops.along import TakeAlongAxis
from minigrad.ops.sort import ArgSort, Sort
from minigrad.passes.rewrite import Sweep, rebuilt
from minigrad.types import INT32, INT64, DType, TensorType

DIGIT = 8  # bits that are looked at in one pass
_LANES = 16  # of the widest vectors
SHORT_ROW = 80  # so few elements are each compared with each other


def by_position(graph: Graph) -> Graph:
    """The graph with no sorts but argsorts of one key.

    sort(a, b, x) = (a[o], b[o], x[o]) with o = p[argsort(a[p])], p = argsort(b).
    """
    if not any(isinstance(n.op, ArgSort | Sort) for n in graph.nodes):
        return graph
    sweep = Sweep(graph)
    known: dict[tuple[int, tuple[Atom, ...]], Atom] = {}  # an order is wanted for the derivative, too
    for n in graph.nodes:
        op, ins, sweep.line = n.op, sweep.atoms(n.ins), n.line
        if not isinstance(op, ArgSort | Sort) or not is_native(ins[: _keys(n)]):
            sweep.keep(rebuilt(n, ins))
            continue
        by = op.axis, ins[: _keys(n)]
        if by not in known:
            known[by] = _order(sweep, *by)
        for v, x in zip(n.outs, ins):
            sweep.replace(v, sweep.emit(TakeAlongAxis(op.axis), x, known[by]) if isinstance(op, Sort) else known[by])
    return sweep.graph()


def is_native(keys: tuple[Atom, ...]) -> bool:
    """Is there a kernel that sorts by these?"""
    return all(k.type.dtype.kind != "c" for k in keys) and 0 < keys[0].type.size < 1 << 31


def _keys(n: Node) -> int:
    return n.op.keys if isinstance(n.op, Sort) else len(n.ins)


def _order(sweep: Sweep, axis: int, keys: tuple[Atom, ...]) -> Atom:
    take = TakeAlongAxis(axis)
    order: Atom = sweep.emit(ArgSort(axis), keys[-1])
    for key in reversed(keys[:-1]):
        order = sweep.emit(take, order, sweep.emit(ArgSort(axis), sweep.emit(take, key, order)))
    return order


def integer(dtype: DType) -> DType:
    """As what the elements of a tensor are compared: signed integers of their size."""
    return np.dtype(f"i{dtype.itemsize}")


def padded(size: int) -> int:
    """A short row with what makes whole vectors of it."""
    return -(-size // _LANES) * _LANES


def room(n: Node) -> tuple[Var, ...]:
    """The memory to sort one row in: keys and numbers; twice for a long one, and how often digits occur."""
    x = n.ins[0].type
    size, keys = x.shape[n.op.axis], integer(x.dtype)  # type: ignore[attr-defined]
    if size <= SHORT_ROW:
        shapes = [("keys", padded(size), keys), ("number", size, INT32)]
    else:
        shapes = [("keys", 2 * size, keys), ("number", 2 * size, INT32), ("counts", (1 << DIGIT) + 1, INT64)]
    return tuple([Var(TensorType((m,), dtype), label=label) for label, m, dtype in shapes])
