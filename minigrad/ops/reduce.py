"""Reductions: prod, max, min, any, all, argmax, argmin. (`Sum`, which is linear, stands in movement.py.)

Floor 2. A nonlinear reduction writes one thing, its `weights`: ∂y/∂x as a tensor of x's shape. Both modes follow:
ẏ = Σ w·ẋ over the reduced axes, x̄ = w·expand(ȳ).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, DtypeError
from minigrad.frozen import dataclass
from minigrad.op import NoGradient, Operand, Value, lift, ndarray
from minigrad.ops.cumulative import CumProd, shifted
from minigrad.ops.elementwise import convert, div, equal, mul, not_equal
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.movement import Axial, Expand, Permute, Reshape, Sum, drop_axes, inverse, keep_axes, without
from minigrad.types import BOOL, INT64, Shape, TensorType, normal_axis

_KIND_NAMES = {"b": "bool", "c": "complex numbers"}


class Reducing(Axial):
    """Of one operand, of the kinds of dtype it takes."""

    takes: ClassVar[str] = "biuf"

    def admit(self, arrays: list[ndarray]) -> bool:
        return arrays[0].dtype.kind in self.takes

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        x = lift(xs[0], self.label)
        if x.dtype.kind not in self.takes:
            raise DtypeError(f"{self.label} does not take {_KIND_NAMES[x.dtype.kind]}: {x.type}")
        return [x]


@dataclass(frozen=True)
class Reduction(Reducing):
    """Over `axes` (distinct, sorted, counted from 0), which disappear. The dtype is kept."""

    axes: tuple[int, ...]

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x.with_shape(drop_axes(self.label, x, self.axes))

    @classmethod
    def samples(cls) -> Samples:
        for shape, axes in [((), ()), ((3,), (0,)), ((2, 3, 2), (0, 2)), ((2, 3), (1,)), ((2, 2), ()), ((0, 3), (1,))]:
            yield cls(axes), (Draw(shape, distinct=True),)


class WeightedReduction(Reduction):
    """A differentiable reduction. `weights(y, x)` is ∂y/∂x, in ops, so that it can be differentiated again."""

    def weights(self, y: Any, x: Value) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no weights()")

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        return Sum(self.axes)(mul(self.weights(y, xs[0]), dots[0]))

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        return [mul(self.weights(y, xs[0]), restored(y_bar, xs[0].shape, self.axes))]


class Extremum(WeightedReduction):
    """The largest or smallest element; a NaN wins. Elements that tie share the derivative equally."""

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        shape = drop_axes(self.label, x, self.axes)
        if any(x.shape[a] == 0 for a in self.axes):
            raise ArgumentError(
                f"{self.label}: {x} has no elements along axes {self.axes}, so it has no {self.label}",
                hint="give `initial`, or leave empty tensors out",
            )
        return x.with_shape(shape)

    def weights(self, y: Any, x: Value) -> Any:
        chosen = convert(equal(x, restored(y, x.shape, self.axes)), x.dtype)
        return div(chosen, restored(Sum(self.axes)(chosen), x.shape, self.axes))


class Max(Extremum):
    def impl(self, x: ndarray) -> Any:
        return np.maximum.reduce(x, axis=self.axes)


class Min(Extremum):
    def impl(self, x: ndarray) -> Any:
        return np.minimum.reduce(x, axis=self.axes)


class Prod(WeightedReduction):
    """The product over `axes`; of nothing it is 1. Integers wrap."""

    takes = "iufc"

    def impl(self, x: ndarray) -> Any:
        return np.multiply.reduce(x, axis=self.axes, dtype=x.dtype)

    def weights(self, y: Any, x: Value) -> Any:
        """The product of the others, (x_0 ⋯ x_{i-1})·(x_{i+1} ⋯ x_{n-1}): no division, so zeros are welcome."""
        others = [a for a in range(x.ndim) if a not in self.axes]
        order = (*others, *self.axes)
        moved = Permute(order)(x)
        flat = Reshape((*(x.shape[a] for a in others), math.prod(x.shape[a] for a in self.axes)))(moved)
        axis = len(others)
        before, after = (CumProd(axis, r)(shifted(flat, axis, 1, reverse=r)) for r in (False, True))
        return Permute(inverse(order))(Reshape(moved.shape)(mul(before, after)))


class Logical(Reduction):
    """Of bools; other dtypes are compared with 0 first."""

    no_gradient = NoGradient("the result is bool")
    takes = "b"

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        x = lift(xs[0], self.label)
        return [x if x.dtype == BOOL else not_equal(x, 0)]

    @classmethod
    def samples(cls) -> Samples:
        for shape, axes in [((), ()), ((3,), (0,)), ((2, 3, 2), (0, 2)), ((0, 3), (0,))]:
            yield cls(axes), (Draw(shape, "bool", (0, 1)),)


class All(Logical):
    """Are all of them true? (Of nothing: yes.)"""

    def impl(self, x: ndarray) -> Any:
        return np.logical_and.reduce(x, axis=self.axes)


class Any_(Logical):
    """Is one of them true? (Of nothing: no.)"""

    label = "any"

    def impl(self, x: ndarray) -> Any:
        return np.logical_or.reduce(x, axis=self.axes)


@dataclass(frozen=True)
class ArgExtremum(Reducing):
    """The position (int64) along `axis`, which disappears, of the first largest or smallest element; a NaN wins."""

    axis: int
    no_gradient: ClassVar[NoGradient] = NoGradient("it returns positions")

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        axis = normal_axis(self.label, self.axis, x)
        if x.shape[axis] == 0:
            raise ArgumentError(f"{self.label}: axis {axis} of {x} has no elements")
        return TensorType(without(x.shape, {axis}), INT64)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis in [((3,), 0), ((2, 3), 0), ((2, 3, 2), 1), ((0, 3), 1)]:
            yield cls(axis), (Draw(shape),)


class ArgMax(ArgExtremum):
    def impl(self, x: ndarray) -> Any:
        return np.argmax(x, axis=self.axis)


class ArgMin(ArgExtremum):
    def impl(self, x: ndarray) -> Any:
        return np.argmin(x, axis=self.axis)


def restored(y: Any, shape: Shape, axes: Sequence[int]) -> Any:
    """A reduction's result repeated along the axes that it lost: of `shape` again."""
    return Expand(shape)(Reshape(keep_axes(shape, axes))(y))
