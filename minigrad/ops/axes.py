"""Axes as users give them, and sizes as numbers a program can compute with.

Floor 2. Every function over axes begins with `axes_of`; `size_value` is how a size enters arithmetic: as a Python
number when it is known, else through the op `SizeOf`, which is answered once the graph is fed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.frozen import dataclass
from minigrad.op import Array, NoGradient, Op, Value, ndarray
from minigrad.ops.cumulative import CumSum
from minigrad.ops.elementwise import less_equal, sub
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.movement import Expand, Reshape, keep_axes
from minigrad.types import FLOAT32, INT64, Dim, DType, TensorType, normal_axes, normal_axis


def axes_of(who: str, axis: Any, x: Value) -> tuple[int, ...]:
    """The axes a user means (None: all of them) as sorted numbers from 0."""
    rank = x.ndim
    if axis is None:
        return tuple(range(rank))
    if type(axis) is int and -rank <= axis < rank:
        return (axis % rank,)
    return normal_axes(who, axis, x.type)


def axis_of(who: str, axis: Any, x: Value) -> int:
    """The one axis a user means, as a number from 0."""
    rank = x.ndim
    return axis % rank if type(axis) is int and -rank <= axis < rank else normal_axis(who, axis, x.type)


def python_number(n: Any) -> Any:
    """A NumPy scalar as Python's own number, where one is a parameter; anything else as it is."""
    return n.item() if isinstance(n, np.generic) else n


def kept(y: Value, shape: tuple[Any, ...], axes: Sequence[int]) -> Any:
    """A reduction's result with the reduced axes put back, of size 1; `shape` is what was reduced."""
    return Reshape(keep_axes(shape, axes))(y) if axes else y


@dataclass(frozen=True)
class SizeOf(Op):
    """How many elements x has along `axes`, as a scalar. The operand is asked for its shape only.

    Needed where a symbolic size enters arithmetic (the mean over a batch of unknown size). It has an operand, not
    a size, as its parameter so that it goes where the operand goes: to its graph, its trace, its front-end.
    """

    axes: tuple[int, ...]
    dtype: DType = INT64
    no_gradient: ClassVar[NoGradient | None] = NoGradient("a size does not depend on the values")

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return TensorType((), self.dtype)

    def impl(self, x: ndarray) -> ndarray:
        return np.asarray(math.prod(x.shape[a] for a in self.axes), self.dtype)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return Expand((size,))(SizeOf(tuple(a + 1 for a in self.axes), self.dtype)(xs[0]))

    @classmethod
    def samples(cls) -> Samples:
        for shape, axes in [((), ()), ((3,), (0,)), ((2, 3, 4), (0, 2)), ((0, 3), (1,))]:
            yield cls(axes), (Draw(shape),)
        yield cls((0,), FLOAT32), (Draw((3, 2)),)


def size_value(x: Value, axes: Sequence[int], dtype: DType = INT64) -> Any:
    """The number of elements along axes: a Python int when known, else a scalar of `dtype`."""
    n = math.prod(x.shape[a] for a in axes)
    return SizeOf(tuple(axes), dtype)(x) if isinstance(n, Dim) else n


def full_like(x: Value, value: Any, dtype: DType) -> Any:
    """A constant of x's shape. With a symbolic shape it is computed where x lives."""
    if any(isinstance(n, Dim) for n in x.shape):
        return Expand(x.shape)(SizeOf((), dtype)(x) * Array(np.asarray(value, dtype)))  # SizeOf over no axes: 1
    return Array(np.full(x.shape, value, dtype))


def positions(x: Value, axis: int) -> Any:
    """0, 1, 2, ... (int64) along an axis of x, as a vector."""
    axis %= x.ndim
    n = x.shape[axis]
    if isinstance(n, int):
        return Array(np.arange(n))
    return CumSum(0)(Expand((n,))(SizeOf((), INT64)(x))) - 1


def triangle(x: Value, k: Any = 0) -> Any:
    """Where column - row <= k on the last two axes of x: bool [t, s], true at and below the k-th diagonal."""
    t, s = x.shape[-2:]
    if isinstance(t, int) and isinstance(s, int):
        return Array(np.tri(t, s, k=k, dtype=np.bool_))
    return less_equal(sub(Reshape((1, s))(positions(x, -1)), Reshape((t, 1))(positions(x, -2))), k)
