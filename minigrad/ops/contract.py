"""Contraction: sums of products over shared axes. One primitive, `DotGeneral`; matmul, einsum and the rest above it.

Floor 2. The layout of the result is batch axes, then the left operand's free axes, then the right one's, as in XLA's
dot_general. The transposes of a contraction are contractions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Operand, Value, lift, made_at, ndarray
from minigrad.ops.elementwise import conj, convert, mul
from minigrad.ops.gather import moved
from minigrad.ops.kinds import Bilinear, Draw, Samples
from minigrad.ops.movement import Expand, Permute, Reshape, inverse
from minigrad.types import TensorType, broadcast_shapes, promote, same_size, shape_text

Pairs: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]  # axes of the left operand, axes of the right one
_MATRICES: tuple[Pairs, Pairs] = (((1,), (0,)), ((), ()))


@dataclass(frozen=True)
class DotGeneral(Bilinear):
    """Σ a·b over the `contract` axes, for each index of the `batch` axes; axes are paired in order."""

    contract: Pairs
    batch_axes: Pairs = ((), ())
    label = "dot_general"

    def admit(self, arrays: list[ndarray]) -> bool:
        return arrays[0].dtype is arrays[1].dtype

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        return common_dtype(self.label, *xs)

    def free(self, side: int, rank: int) -> tuple[int, ...]:
        """The axes of an operand that are neither contracted nor batched."""
        taken = (*self.contract[side], *self.batch_axes[side])
        return tuple(d for d in range(rank) if d not in taken)

    def out_type(self, a: TensorType, b: TensorType) -> TensorType:  # type: ignore[override]
        for name, (left, right) in (("contract", self.contract), ("batch", self.batch_axes)):
            if (
                len(left) != len(right)
                or not all(0 <= i < a.ndim for i in left)
                or not all(0 <= j < b.ndim for j in right)
            ):
                raise ArgumentError(f"dot_general: {name} axes {left} and {right} do not pair axes of {a} and {b}")
            for i, j in zip(left, right, strict=True):
                if not same_size(a.shape[i], b.shape[j]):
                    raise ShapeError(
                        f"dot_general: axis {i} of {a} and axis {j} of {b} meet ({name}), but have sizes "
                        f"{a.shape[i]} and {b.shape[j]}"
                    )
        lanes = (a.shape[i] for i in self.batch_axes[0])
        frees = (t.shape[d] for side, t in enumerate((a, b)) for d in self.free(side, t.ndim))
        return TensorType((*lanes, *frees), a.dtype)

    def impl(self, a: ndarray, b: ndarray) -> Any:
        if (self.contract, self.batch_axes) == _MATRICES and a.ndim == b.ndim == 2:
            return np.matmul(a, b)
        lanes = tuple(a.shape[i] for i in self.batch_axes[0])
        free_a, free_b = self.free(0, a.ndim), self.free(1, b.ndim)
        rows, columns = [a.shape[d] for d in free_a], [b.shape[d] for d in free_b]
        # pairs in the order in which the bigger operand stores them, so that merging its axes needs no copy
        side = 0 if a.size >= b.size else 1
        order = sorted(range(len(self.contract[0])), key=lambda k: -[a, b][side].strides[self.contract[side][k]])
        sum_a, sum_b = ([axes[k] for k in order] for axes in self.contract)
        inner = math.prod(a.shape[d] for d in sum_a)
        left = a.transpose(*self.batch_axes[0], *free_a, *sum_a).reshape((*lanes, math.prod(rows), inner))
        right = b.transpose(*self.batch_axes[1], *sum_b, *free_b).reshape((*lanes, inner, math.prod(columns)))
        if left.shape[:-2] != right.shape[:-2]:
            raise ValueError("batch axes differ")
        return np.matmul(_for_blas(left), _for_blas(right)).reshape((*lanes, *rows, *columns))

    def transpose_left(self, y_bar: Any, a: Value, b: Value) -> Any:
        # ȳ [batch, free a, free b] · b over free b -> [batch, free a, contracted axes of b, in b's order]
        (sum_a, sum_b), (lane_a, lane_b) = self.contract, self.batch_axes
        free_a, free_b = self.free(0, a.ndim), self.free(1, b.ndim)
        n = len(lane_a)
        y_free_b = tuple(range(n + len(free_a), n + len(free_a) + len(free_b)))
        a_bar = DotGeneral((y_free_b, free_b), (tuple(range(n)), lane_b))(y_bar, b)
        partner = dict(zip(sum_b, sum_a, strict=True))
        return _placed(a_bar, (*lane_a, *free_a, *(partner[j] for j in sorted(sum_b))))

    def transpose_right(self, y_bar: Any, a: Value, b: Value) -> Any:
        # a · ȳ over free a -> [batch, contracted axes of a, in a's order, free b]
        (sum_a, sum_b), (lane_a, lane_b) = self.contract, self.batch_axes
        free_a, free_b = self.free(0, a.ndim), self.free(1, b.ndim)
        n = len(lane_a)
        y_free_a = tuple(range(n, n + len(free_a)))
        b_bar = DotGeneral((free_a, y_free_a), (lane_a, tuple(range(n))))(a, y_bar)
        partner = dict(zip(sum_a, sum_b, strict=True))
        return _placed(b_bar, (*lane_b, *(partner[i] for i in sorted(sum_a)), *free_b))

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        contract, lanes = (
            tuple(tuple(d + m for d in axes) for axes, m in zip(pairs, mapped, strict=True))
            for pairs in (self.contract, self.batch_axes)
        )
        if all(mapped):
            return DotGeneral(contract, ((0, *lanes[0]), (0, *lanes[1])))(*xs)  # type: ignore[arg-type]
        y = DotGeneral(contract, lanes)(*xs)  # type: ignore[arg-type]
        # the mapped axis is the first free axis of its operand
        first = len(lanes[0]) if mapped[0] else len(lanes[0]) + len(self.free(0, xs[0].ndim))
        return moved(y, first, 0)

    @classmethod
    def samples(cls) -> Samples:
        for a, b, contract, lanes in [
            ((2, 3), (3, 2), ((1,), (0,)), ((), ())),
            ((3,), (3,), ((0,), (0,)), ((), ())),
            ((2,), (3,), ((), ()), ((), ())),
            ((2, 2, 3), (3, 2, 2), ((2,), (0,)), ((1,), (2,))),
            ((2, 3, 4), (4, 2, 3), ((1, 2), (2, 0)), ((), ())),
            ((2, 2, 1, 3), (2, 3, 2), ((3,), (1,)), ((1, 0), (0, 2))),
            ((2, 0), (0, 2), ((1,), (0,)), ((), ())),
        ]:
            yield cls(contract, lanes), (Draw(a), Draw(b))


def _placed(x: Any, axes: tuple[int, ...]) -> Any:
    """x with its axis k moved to place axes[k]."""
    return x if axes == tuple(range(len(axes))) else Permute(inverse(axes))(x)


def _for_blas(x: ndarray) -> ndarray:
    """Matrices that BLAS can read as they lie: rows or columns contiguous. Anything else is copied once, here."""
    *_, rows, columns = x.strides
    return x if columns == x.itemsize or rows == x.itemsize else np.ascontiguousarray(x)


def common_dtype(who: str, *xs: Operand) -> list[Value]:
    values = [lift(x, who) for x in xs]
    dtype = promote(*[x.dtype for x in values])
    return [x if x.dtype == dtype else convert(x, dtype) for x in values]


# ── composites ───────────────────────────────────────────────────────────────────────────────────
def matmul(a: Operand, b: Operand) -> Any:
    """The matrix product, `a @ b`: [..., m, k] and [..., k, n] give [..., m, n]; leading axes broadcast.

    A 1-D operand is a row (left) or a column (right) whose extra axis disappears. ShapeError when the sizes differ.
    """
    a, b = lift(a, "matmul"), lift(b, "matmul")
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul: a scalar has no axis to sum over: {a.type} @ {b.type}", hint="multiply with *")
    row = max(b.ndim - 2, 0)  # the axis of b that is summed over
    if not same_size(a.shape[-1], b.shape[row]):
        raise ShapeError(
            f"matmul: shapes {shape_text(a.shape)} and {shape_text(b.shape)} do not fit: axis -1 of the first has "
            f"size {a.shape[-1]}, axis {row - b.ndim} of the second has size {b.shape[row]}",
            hint="the last axis of the left operand meets the last but one of the right operand",
            lines=made_at((a, b)),
        )
    if b.ndim <= 2:
        return DotGeneral(((a.ndim - 1,), (row,)))(a, b)
    if a.ndim <= 2:
        y = DotGeneral(((a.ndim - 1,), (row,)))(a, b)  # [m, ..., n]
        return y if a.ndim == 1 else moved(y, 0, b.ndim - 2)
    lanes = broadcast_shapes("matmul", a.shape[:-2], b.shape[:-2])
    a, b = (_expanded(x, lanes) for x in (a, b))
    batch_axes = tuple(range(len(lanes)))
    return DotGeneral(((a.ndim - 1,), (b.ndim - 2,)), (batch_axes, batch_axes))(a, b)


def _expanded(x: Value, lanes: tuple[Any, ...]) -> Any:
    shape = (*lanes, *x.shape[-2:])
    return x if x.shape == shape else Expand(shape)(x)


def tensordot(a: Operand, b: Operand, axes: Any = 2) -> Any:
    """Σ a·b over `axes`: a number (that many last axes of a with the first of b) or a pair of axes or of sequences."""
    a, b = lift(a, "tensordot"), lift(b, "tensordot")
    if isinstance(axes, (int, np.integer)):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ArgumentError(f"tensordot: cannot sum over {axes} axes of {a.type} and {b.type}")
        left, right = range(a.ndim - axes, a.ndim), range(axes)
    else:
        left, right = ([x] if isinstance(x, (int, np.integer)) else list(x) for x in axes)  # type: ignore[assignment]
    pairs = _normal("tensordot", a, left), _normal("tensordot", b, right)
    if len(pairs[0]) != len(pairs[1]):
        raise ArgumentError(
            f"tensordot: {len(pairs[0])} axes of the first and {len(pairs[1])} of the second do not pair"
        )
    for i, j in zip(*pairs, strict=True):
        if not same_size(a.shape[i], b.shape[j]):
            raise ShapeError(
                f"tensordot: shapes {shape_text(a.shape)} and {shape_text(b.shape)} do not fit: axis {i} of the "
                f"first has size {a.shape[i]}, axis {j} of the second has size {b.shape[j]}"
            )
    return DotGeneral(pairs)(a, b)


def _normal(who: str, x: Value, axes: Sequence[int]) -> tuple[int, ...]:
    for d in axes:
        if not -x.ndim <= d < x.ndim:
            raise ArgumentError(f"{who}: axis {d} is out of range for {x.type} (rank {x.ndim})")
    found = tuple(d % x.ndim for d in axes)
    if len(set(found)) != len(found):
        raise ArgumentError(f"{who}: axes {tuple(axes)} name an axis of {x.type} twice")
    return found


def dot(a: Operand, b: Operand) -> Any:
    """NumPy's dot: the product with a scalar, else Σ over a's last axis and b's last but one (or only) axis."""
    a, b = lift(a, "dot"), lift(b, "dot")
    if a.ndim == 0 or b.ndim == 0:
        return mul(a, b)
    return matmul(a, b) if b.ndim <= 2 else tensordot(a, b, ((-1,), (-2,)))


def inner(a: Operand, b: Operand) -> Any:
    """Σ over the last axes of both."""
    a, b = lift(a, "inner"), lift(b, "inner")
    return mul(a, b) if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, ((-1,), (-1,)))


def outer(a: Operand, b: Operand) -> Any:
    """a_i·b_j of the flattened operands: [m, n]."""
    a, b = lift(a, "outer"), lift(b, "outer")
    return mul(Reshape((a.size, 1))(a), Reshape((1, b.size))(b))


def vdot(a: Operand, b: Operand) -> Any:
    """Σ conj(a)·b over all elements of two tensors of one size."""
    a, b = lift(a, "vdot"), lift(b, "vdot")
    if not same_size(a.size, b.size):
        raise ShapeError(f"vdot: {a.type} and {b.type} do not have the same number of elements")
    flat = conj(a) if a.dtype.kind == "c" else a
    return matmul(Reshape((a.size,))(flat), Reshape((b.size,))(b))
