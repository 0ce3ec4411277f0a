"""Sorting, along one axis, stable, NaN last (as NumPy).

Floor 2. The derivative of sorting is the permutation it applied. Equal elements keep their order, so at ties the
derivative is that of the stable order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Array, NoGradient, Operand, Value, lift, ndarray
from minigrad.ops.along import TakeAlongAxis
from minigrad.ops.axes import size_value
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.movement import Axial, Expand, Flip, Reshape
from minigrad.ops.pieces import Concatenate, slice_axis
from minigrad.ops.reduce import ArgMax, Max
from minigrad.ops.stop import stop_gradient
from minigrad.types import INT64, TensorType, normal_axis, same_shape

_WIDTH, _MANY = 3, 1 << 13  # of blocks in rows that are not sorted as a whole; elements, of fewer a sort is quicker


class Sorting(Axial):
    """Operands of one shape (dtypes may differ), sorted together by the first of them."""

    axis: int

    def check_operands(self, types: Sequence[TensorType], keys: int) -> None:
        if not 1 <= keys <= len(types):
            raise ArgumentError(f"{self.label}: cannot sort {len(types)} operands by {keys} of them")
        normal_axis(self.label, self.axis, types[0])
        for t in types:
            if not same_shape(t.shape, types[0].shape):
                raise ShapeError(f"{self.label}: operands sorted together must have one shape, got {types[0]} and {t}")


@dataclass(frozen=True)
class ArgSort(Sorting):
    """The positions (int64) that put the operands in order: by the first, among equals by the second, and so on."""

    axis: int
    no_gradient: ClassVar[NoGradient] = NoGradient("it returns positions")

    def out_type(self, *types: TensorType) -> TensorType:
        self.check_operands(types, len(types))
        return types[0].with_dtype(INT64)

    def impl(self, *keys: ndarray) -> Any:
        if any(k.shape != keys[0].shape for k in keys):
            raise ValueError("shapes differ")
        if len(keys) == 1:
            return np.argsort(keys[0], self.axis, kind="stable")
        return np.lexsort(keys[::-1], self.axis)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis in [((5,), 0), ((2, 4), 1), ((3, 2, 2), 0), ((2, 0), 1)]:
            yield cls(axis), (Draw(shape),)
            yield cls(axis), (Draw(shape, "int64", (0, 1)), Draw(shape))


@dataclass(frozen=True)
class Sort(Sorting):
    """The operands in the order of the first `keys` of them (the others are carried along): a tuple."""

    axis: int
    keys: int = 1
    many: ClassVar[bool] = True

    def out_type(self, *types: TensorType) -> Sequence[TensorType]:
        self.check_operands(types, self.keys)
        return types

    def impl(self, *xs: ndarray) -> Any:
        if self.keys > len(xs):
            raise ValueError("more keys than operands")
        if len(xs) == 1:
            return (np.sort(xs[0], self.axis, kind="stable"),)
        order = ArgSort(self.axis).impl(*xs[: self.keys])
        return tuple([np.take_along_axis(x, order, self.axis) for x in xs])

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        order = ArgSort(self.axis)(*xs[: self.keys])
        return tuple([None if d is None else TakeAlongAxis(self.axis)(d, order) for d in dots])

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis in [((5,), 0), ((2, 4), 1), ((3, 2, 2), 0), ((2, 0), 1)]:
            draw = Draw(shape, distinct=True)
            yield cls(axis), (draw,)
            yield cls(axis), (draw, Draw(shape))
            yield cls(axis, 2), (Draw(shape, "int64", (0, 1)), draw, Draw(shape))


def sort(*xs: Operand, axis: int = -1, keys: int = 1, descending: bool = False) -> Any:
    """xs sorted together along `axis` by the first `keys` of them; one operand gives a tensor, several a tuple.

    Stable both ways: among equals the earlier comes first. NaN counts as the largest.
    """
    values = [lift(x, "sort") for x in xs]
    axis = normal_axis("sort", axis, values[0].type)
    if descending:
        order = argsort(*values[:keys], axis=axis, descending=True)
        ys = tuple([TakeAlongAxis(axis)(x, order) for x in values])
    else:
        ys = Sort(axis, keys)(*values)
    return ys[0] if len(ys) == 1 else ys


def argsort(*xs: Operand, axis: int = -1, descending: bool = False) -> Any:
    """The positions that sort xs: by the first, among equals by the second, and so on. Stable both ways."""
    values = [lift(x, "argsort") for x in xs]
    axis = normal_axis("argsort", axis, values[0].type)
    if not descending:
        return ArgSort(axis)(*values)
    # of the flipped operands the stable order, read from its end, is descending with equals in their first order
    flip, last = Flip((axis,)), size_value(values[0], (axis,)) - 1
    return last - flip(ArgSort(axis)(*[flip(x) for x in values]))


def top_k(x: Operand, k: int) -> tuple[Any, Any]:
    """The k largest elements along the last axis, largest first, and their positions (int64); NaN is the largest."""
    x = lift(x, "top_k")
    if x.ndim == 0:
        raise ShapeError("top_k: a scalar has no axis to search")
    if x.dtype.kind == "c":
        raise DtypeError(f"top_k does not take complex numbers: {x.type}")
    n = x.shape[-1]
    if not isinstance(k, (int, np.integer)) or k < 0 or (isinstance(n, int) and k > n):
        raise ArgumentError(
            f"top_k: k must be an integer from 0 to {n}, the size of the last axis of {x.type}, got {k!r}"
        )
    positions = _largest(stop_gradient(x), int(k))
    return TakeAlongAxis(x.ndim - 1)(x, positions), positions


def _largest(x: Any, k: int) -> Any:
    """The positions of the k largest elements of rows, in order.

    They lie in the k blocks of neighbours whose own largest come first: of any other block, k elements come before all.
    """
    (*rows, n), last = x.shape, x.ndim - 1
    if k == 1:
        return Reshape((*rows, 1))(ArgMax(last)(x))
    known = k > 0 and all(isinstance(m, int) for m in x.shape)
    width = math.isqrt(n // k) if known else 0  # so that there are about k·width blocks
    if width < _WIDTH or math.prod(x.shape) < _MANY:
        return slice_axis(argsort(x, descending=True), last, 0, k)
    whole = n - n % width
    blocks = Max((last + 1,))(Reshape((*rows, whole // width, width))(slice_axis(x, last, 0, whole)))
    chosen = Reshape((*rows, k, 1))(sort(_largest(blocks, k)))  # equals keep their order
    inside = Reshape((*rows, k * width))(chosen * width + Array(np.arange(width)))
    places = Concatenate(last)(inside, Expand((*rows, n - whole))(Array(np.arange(whole, n))))
    return TakeAlongAxis(last)(places, _largest(TakeAlongAxis(last)(x, places), k))
