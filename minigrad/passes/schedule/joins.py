"""Values put together in memory from pieces: the loops of each piece, and where it goes.

Floor 4.
"""

from __future__ import annotations

from minigrad.graph import Node
from minigrad.loops.index import address, identity, variable
from minigrad.ops.pieces import Concatenate, Pad
from minigrad.passes.schedule.parts import Part
from minigrad.passes.schedule.windows import Interleave, phases


def padded(n: Node) -> list[Part]:
    """Pad: the value everywhere, then the elements of x that have a place in the output."""
    op, (x, value), shape = n.op, n.ins, n.out.type.shape
    assert isinstance(op, Pad)
    everywhere = identity(shape)
    parts = [Part(shape, (value, ()), address(everywhere, shape))]
    extents, source, target = [], [], []
    for d, (size, m, low, mid) in enumerate(zip(x.type.shape, shape, op.low, op.interior, strict=True)):
        step = mid + 1
        first = max(0, -(low // step))  # ceil(−low / step)
        last = max(first, min(size, (m - 1 - low) // step + 1))
        extents.append(last - first)
        source.append(variable(d).shifted(first))
        target.append(variable(d).scaled(step).shifted(low + first * step))
    parts.append(Part(tuple(extents), (x, tuple(source)), address(tuple(target), shape)))
    return parts if all(extents) else parts[:1]


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
