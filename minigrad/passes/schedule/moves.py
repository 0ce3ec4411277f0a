"""Movement as substitution: which element of its operand an op's element is.

Floor 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.loops.index import ZERO, Indices, reshaped
from minigrad.op import Op
from minigrad.ops.movement import Expand, Flip, Permute, Reshape
from minigrad.ops.pieces import Slice

MOVES = (Expand, Flip, Permute, Reshape, Slice)


def moved(
    op: Op, indices: Indices, shape: Sequence[int], before: Sequence[int], extents: Sequence[int]
) -> Indices | None:
    """Where element `indices` of op(x) stood in x, whose shape is `before`; None where that is not affine."""
    match op:
        case Permute(order=order):
            at = [ZERO] * len(before)
            for index, axis in zip(indices, order, strict=True):
                at[axis] = index
            return tuple(at)
        case Expand():
            return broadcast(indices, before)
        case Slice(starts=starts, steps=steps):
            return tuple([i.scaled(s).shifted(a) for i, a, s in zip(indices, starts, steps, strict=True)])
        case Flip(axes=axes):
            turned = [i.scaled(-1).shifted(n - 1) if d in axes else i for d, (i, n) in enumerate(zip(indices, before))]
            return tuple(turned)
        case Reshape():
            return reshaped(indices, shape, before, extents)
    raise AssertionError(f"{op.label} is not a movement")


def broadcast(indices: Indices, shape: Sequence[int]) -> Indices:
    """The element of an operand of `shape` that meets element `indices` of a result, by NumPy's rule."""
    lead = len(indices) - len(shape)
    return tuple([ZERO if n == 1 else index for index, n in zip(indices[lead:], shape)])
