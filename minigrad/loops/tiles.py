"""The loops of what is mixed tile by tile (see `passes.schedule.windows.Mixed`).

Floor 4. All that one tile needs is loaded once and mixed in registers, along one axis, then along the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from minigrad.graph import Node
from minigrad.loops.functions import muladd
from minigrad.loops.index import Affine, extents_of, merged, renamed
from minigrad.loops.nest import Statement, Store, around
from minigrad.loops.scalar import Scalar, load
from minigrad.passes.schedule.windows import Mixed


def statements(n: Node, buffer: int) -> list[Statement]:
    """Buffer 0, which is the node's result, from this one."""
    op, dtype = n.op, n.out.type.dtype
    assert isinstance(op, Mixed)
    sizes = [size for size, *_ in op.loops]
    places = [Affine(0, tuple((k, a[side]) for k, a in enumerate(op.loops) if a[0] > 1)) for side in (1, 2)]
    runs = merged(places, range(len(sizes)), sizes)
    source, target = (renamed(place, runs) for place in places)
    x = [[load(buffer, source.shifted(a + b), dtype) for a in op.source[0]] for b in op.source[1]]
    along = [[_sum(row, column) for column in x] for row in op.matrix]
    stores = [
        Store(0, target.shifted(a + b), _sum(row, mixed))
        for a, mixed in zip(op.target[0], along, strict=True)
        for b, row in zip(op.target[1], op.matrix, strict=True)
    ]
    return around(stores, range(len(runs)), extents_of(runs, sizes))


def _sum(weights: Sequence[float], xs: Sequence[Scalar]) -> Scalar:
    """Σ weights[i]·xs[i]; what has no weight is left out, and what has a weight of 1 begins."""
    terms = sorted([(a, x) for a, x in zip(weights, xs, strict=True) if a], key=lambda term: term[0] != 1)
    return reduce(_added, terms[1:], terms[0][1] if terms[0][0] == 1 else terms[0][1] * terms[0][0])


def _added(total: Scalar, term: tuple[float, Scalar]) -> Scalar:
    a, x = term
    return total + x if a == 1 else total - x if a == -1 else muladd(x, x.const(a), total)
