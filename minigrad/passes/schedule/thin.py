"""Products with vectors, and many of small matrices, without BLAS: loops over products, added up.

Floor 4. A call of BLAS takes as long as some hundred operations, and where nothing is used twice it cannot save reading
anything. As elementwise ops and sums they run in the order in which the larger operand lies, and join what is around.
"""

from __future__ import annotations

import math
from functools import partial, reduce
from typing import Any, TypeAlias

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Graph, Node
from minigrad.ops import elementwise as e
from minigrad.ops.contract import DotGeneral
from minigrad.ops.movement import Reshape, Sum
from minigrad.ops.pieces import Slice
from minigrad.passes.rewrite import Sweep, rebuilt
from minigrad.passes.schedule.matmul import Makers, is_library_call, strided
from minigrad.passes.schedule.windows import permuted
from minigrad.types import Shape

Axis: TypeAlias = tuple[int, int]  # of the left and of the right operand, −1 where it has none
# Multiplications of one product up to which loops take less time than BLAS, lane for lane: of a matrix with a vector,
# summed along its rows (64x64: 0.8 of the time, 16x16: 0.3, 3x3: 0.1) or across them (8x8: 0.2; 64x64: 1.1); and how
# long such rows are at most without lanes (20000x16: 0.3 of the time; 512x64: as long).
_VECTOR, _ACROSS, _ROW = 1 << 12, 1 << 10, 32
# Of two matrices: any (3x3: 0.5), those with what is summed side by side in both (4x4: 0.2, 4x16 with 16x4: 0.3), those
# with columns that are whole vectors (4x4: 0.3, 8x8: 0.7; 6x6 would take 1.6).
_TINY, _SMALL, _SQUARE, _ABREAST = 32, 1 << 8, 1 << 9, 4
# Outer products, and their least rows and columns, up to which a sum of them is elementwise, if rows of both operands
# are added up, as for gradients of weights: 4 of 512x512 take 0.75 of the time, with the update behind them 0.6. (Other
# narrow products with a tanh behind them would take up to 1.4 of it.)
_FEW, _WIDE = 4, 17


@dataclass(frozen=True)
class SumOfProducts(Sum, listed=False):
    """A sum in loops of its own: in one loop with what reads it, that would not be done in vectors."""

    label = "dot_general"


def summed(graph: Graph) -> Graph:
    """The graph with sums instead of products of matrices that do not pay."""
    makers = {v: n for n in graph.nodes for v in n.outs}
    sweep = Sweep(graph)
    for n in graph.nodes:
        ins, sweep.line = sweep.atoms(n.ins), n.line
        by_library = type(n.op) is DotGeneral and is_library_call(n)
        order = _order(n, makers) if by_library else None
        if order is not None:
            sweep.replace(n.out, _sum(sweep, n, ins, order))
        elif by_library and _is_narrow(n, makers):
            sweep.replace(n.out, _outer_products(sweep, n, ins))
        else:
            sweep.keep(rebuilt(n, ins))
    return sweep.graph()


def _axes(n: Node) -> list[Axis]:
    """Those of a contraction: lanes, free ones, summed ones."""
    op: Any = n.op
    left, right = (op.free(side, a.type.ndim) for side, a in enumerate(n.ins))
    return [*zip(*op.batch_axes), *((d, -1) for d in left), *((-1, d) for d in right), *zip(*op.contract)]


def _order(n: Node, makers: Makers) -> list[Axis] | None:
    """The axes in the order of the loops, if loops pay."""
    op: Any = n.op
    axes, shapes = _axes(n), [a.type.shape for a in n.ins]
    first = len(axes) - len(op.contract[0])
    k = math.prod(shapes[0][d] for d in op.contract[0])
    rows, columns = (math.prod(shape[d] for d in op.free(side, len(shape))) for side, shape in enumerate(shapes))
    steps, work = [strided(a, makers)[1] for a in n.ins], rows * columns * k

    def inner(side: int) -> bool:
        """Does an operand's contracted axis lie side by side?"""
        return any(steps[side][at[side]] == 1 for at in axes[first:] if shapes[side][at[side]] > 1)

    if k == 1:
        return axes
    if 1 in (rows, columns):
        side = int(rows == 1 < columns)
        step = lambda axis: steps[side][axis[side]] or math.inf  # where it is the same again: outermost
        few = work <= (_VECTOR if inner(side) else _ACROSS) and n.out.type.size > rows * columns
        pays = work == k or few or (inner(side) and k <= _ROW)
        return sorted([x for x in axes if _size(n, x) > 1], key=step, reverse=True) if pays else None
    if work <= _TINY or (work <= _SMALL and inner(0) and inner(1)):
        return axes
    if work <= _SQUARE and columns % _ABREAST == 0 and not inner(1):
        middle = first - len(op.free(1, len(shapes[1])))
        return [*axes[:middle], *axes[first:], *axes[middle:first]]
    return None


def _is_narrow(n: Node, makers: Makers) -> bool:
    """Is a product the sum of a few outer products, of many rows and columns that lie in order?"""
    op: Any = n.op
    a, b = (x.type for x in n.ins)
    if len(op.contract[0]) != 1 or a.shape[op.contract[0][0]] > _FEW:
        return False
    inner = any(strided(x, makers)[1][d] == 1 for x, (d,) in zip(n.ins, op.contract, strict=True))
    count = math.prod(a.shape[d] for pairs in (op.contract, op.batch_axes) for d in pairs[0])
    return not inner and bool(min(a.size, b.size) >= _WIDE * count)


def _outer_products(s: Sweep, n: Node, ins: tuple[Atom, ...]) -> Atom:
    """Σ_k a_k·b_k, elementwise."""
    (pair,), terms = zip(*n.op.contract), list[Atom]()  # type: ignore[attr-defined]
    for k in range(_size(n, pair)):
        parts = []
        for a, d in zip(ins, pair, strict=True):
            shape = a.type.shape
            first = tuple([k if axis == d else 0 for axis in range(len(shape))])
            last = tuple([k + 1 if axis == d else m for axis, m in enumerate(shape)])
            parts.append(s.emit(Slice(first, last, (1,) * len(shape)), a))
        terms.append(_sum(s, Node(n.op, tuple(parts), n.outs, n.line), tuple(parts), _axes(n)))
    return reduce(partial(s.emit, e.add), terms)


def _sum(s: Sweep, n: Node, ins: tuple[Atom, ...], order: list[Axis]) -> Atom:
    """Σ a·b over loops in this order."""
    axes, count = _axes(n), len(n.op.contract[0])  # type: ignore[attr-defined]
    order = [axis for axis in order if _size(n, axis) > 1]
    factors = []
    for side, a in enumerate(ins):
        there = [axis[side] for axis in order if axis[side] >= 0]
        a = permuted(s, (*there, *(d for d in range(a.type.ndim) if d not in there)), a)
        factors.append(_shaped(s, tuple([_size(n, axis) if axis[side] >= 0 else 1 for axis in order]), a))
    y: Atom = s.emit(e.mul, *factors)
    reduced, kept = ([axis for axis in order if (axis in axes[len(axes) - count :]) is now] for now in (True, False))
    if reduced:
        kind = Sum if n.out.type.size == 1 else SumOfProducts
        y = s.emit(kind(tuple([d for d, axis in enumerate(order) if axis in reduced])), y)
    y = permuted(s, tuple([kept.index(axis) for axis in axes if axis in kept]), y)
    return _shaped(s, n.out.type.shape, y)


def _size(n: Node, axis: Axis) -> int:
    side = int(axis[0] < 0)
    size: int = n.ins[side].type.shape[axis[side]]
    return size


def _shaped(s: Sweep, shape: Shape, a: Atom) -> Atom:
    return a if a.type.shape == shape else s.emit(Reshape(shape), a)
