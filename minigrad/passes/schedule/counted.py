"""What is computed from the numbers of elements: where extrema stand, and random bits.

Floor 4. As elementwise ops over `Numbers` both are fused with what is around them, and run on all cores.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Const, Graph, Node
from minigrad.op import Op, ndarray
from minigrad.ops import elementwise as e
from minigrad.ops.movement import Reshape, keep_axes
from minigrad.ops.pieces import Slice
from minigrad.ops.reduce import ArgExtremum, ArgMax, Max, Min
from minigrad.ops.rows import Convert
from minigrad.ops.threefry import UINT64, Hash, RandomBits
from minigrad.passes.rewrite import Sweep, rebuilt
from minigrad.types import INT32, INT64, DType, TensorType


@dataclass(frozen=True)
class Numbers(Op, listed=False):
    """0, 1, ... size − 1. It stands in no user's graph."""

    size: int
    dtype: DType

    def out_type(self) -> TensorType:  # type: ignore[override]
        return TensorType((self.size,), self.dtype)

    def impl(self) -> ndarray:
        return np.arange(self.size, dtype=self.dtype)


def counted(graph: Graph) -> Graph:
    """The graph with numbers instead of ops that count."""
    if not any(isinstance(n.op, ArgExtremum | RandomBits) for n in graph.nodes):
        return graph
    sweep = Sweep(graph)
    for n in graph.nodes:
        ins, sweep.line = sweep.atoms(n.ins), n.line
        match n.op:
            case ArgExtremum() if ins[0].type.size and ins[0].type.size < 1 << 31:
                sweep.replace(n.out, _position(sweep, n.op, *ins))
            case RandomBits() if n.out.type.size:
                sweep.replace(n.out, _bits(sweep, n, *ins))
            case _:
                sweep.keep(rebuilt(n, ins))
    return sweep.graph()


def _position(s: Sweep, op: ArgExtremum, x: Atom) -> Atom:
    """argmax(x)[i] = the least j with x[i, j] = max(x)[i]. NaN, if there is one, is the extremum and equals nothing."""
    shape, n = x.type.shape, x.type.shape[op.axis]
    best = s.emit((Max if isinstance(op, ArgMax) else Min)((op.axis,)), x)
    here = s.emit(e.equal, x, s.emit(Reshape(keep_axes(shape, (op.axis,))), best))
    if x.type.dtype.kind == "f":
        here = s.emit(e.or_, here, s.emit(e.not_equal, x, x))
    line = s.emit(Reshape(tuple([m if d == op.axis else 1 for d, m in enumerate(shape)])), s.emit(Numbers(n, INT32)))
    first = s.emit(Min((op.axis,)), s.emit(e.where, here, line, Const(np.asarray(n, INT32))))
    return s.emit(Convert(INT64), first)


def _bits(s: Sweep, n: Node, key: Atom, start: Atom) -> Atom:
    op: Any = n.op
    lead, rank = start.type.shape, start.type.ndim
    words = [s.emit(Slice((*(0,) * rank, k), (*lead, k + 1), (1,) * (rank + 1)), key) for k in range(2)]
    counter = s.emit(e.add, s.emit(Reshape((*lead, 1)), start), s.emit(Numbers(math.prod(op.shape), UINT64)))
    return s.emit(Reshape(n.out.type.shape), s.emit(Hash(op.dtype), *words, counter))
