"""Values put together in memory from pieces: the loops of each piece, and where it goes.

Floor 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minigrad.graph import Node
from minigrad.loops.index import Affine, Indices, address, identity, variable
from minigrad.ops.pieces import Concatenate, Pad
from minigrad.passes.schedule.parts import Part
from minigrad.passes.schedule.windows import Interleave, phases


def padded(n: Node) -> list[Part]:
    """Pad: the value around x, or everywhere if some of it is inside; then the elements of x that have a place in the
    output."""
    op, (x, value), shape = n.op, n.ins, n.out.type.shape
    assert isinstance(op, Pad)
    extents, source, target = [], [], []
    for d, (size, m, low, mid) in enumerate(zip(x.type.shape, shape, op.low, op.interior, strict=True)):
        step = mid + 1
        first = max(0, -(low // step))  # ceil(−low / step)
        last = max(first, min(size, (m - 1 - low) // step + 1))
        extents.append(last - first)
        source.append(variable(d).shifted(first))
        target.append(variable(d).scaled(step).shifted(low + first * step))
    if not all(extents) or any(op.interior):
        parts = [Part(shape, (value, ()), address(identity(shape), shape))]
    else:
        parts = [Part(size, (value, ()), address(at, shape)) for size, at in _around(extents, target, shape)]
    return [*parts, Part(tuple(extents), (x, tuple(source)), address(tuple(target), shape))] if all(extents) else parts


def _around(
    extents: Sequence[int], place: Sequence[Affine], shape: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Indices]]:
    """What lies around a block, in slabs (extents, place): for each axis on both sides, as far as the block along the
    axes before, and everywhere along those after."""
    for d, size in enumerate(shape):
        low = place[d].const
        for first, last in ((0, low), (low + extents[d], size)):
            if first < last:
                every = (*extents[:d], last - first, *shape[d + 1 :])
                yield every, (*place[:d], variable(d).shifted(first), *identity(shape)[d + 1 :])


def side_by_side(n: Node) -> list[Part]:
    op, shape, parts, start = n.op, n.out.type.shape, [], 0
    assert isinstance(op, Concatenate)
    axis = op.axis % len(shape)
    for x in n.ins:
        at = list(identity(x.type.shape))
        source = tuple(at)
        at[axis] = at[axis].shifted(start)
        start += x.type.shape[axis]
        if x.type.size or n.out.type.size == 0:  # of an empty result the empty pieces stay: a root has parts
            parts.append(Part(x.type.shape, (x, source), address(tuple(at), shape)))
    return parts


def interleaved(n: Node) -> list[Part]:
    op, shape, parts = n.op, n.out.type.shape, []
    assert isinstance(op, Interleave)
    lead = len(shape) - len(op.steps)
    for x, f in zip(n.ins, phases(op.steps), strict=True):
        source = identity(x.type.shape)
        at = [source[d].scaled(step).shifted(k) for d, (k, step) in enumerate(zip(f, op.steps, strict=True), lead)]
        if x.type.size:
            parts.append(Part(x.type.shape, (x, source), address((*source[:lead], *at), shape)))
    return parts
