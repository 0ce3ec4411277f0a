"""Running totals along one axis: sum, product, log-sum-exp, forwards or backwards.

Floor 2. Under them lies one primitive, the first-order linear recurrence h_i = a_i·h_{i-1} + b_i. Its derivatives
are recurrences again, which makes those of the running product exact where factors are zero, to every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Array, Operand, Value, lift, ndarray
from minigrad.ops.elementwise import convert, equal, exp, mul, sub, where
from minigrad.ops.kinds import Draw, Linear, Samples
from minigrad.ops.movement import Axial, full
from minigrad.ops.pieces import Pad
from minigrad.types import FLOAT32, TensorType, normal_axis, promote


@dataclass(frozen=True)
class Cumulative(Axial):
    """Along `axis`, from its start, or from its end when `reverse`. Type and shape are kept."""

    axis: int
    reverse: bool = False
    takes: ClassVar[str] = "iufc"

    def admit(self, arrays: list[ndarray]) -> bool:
        return all(a.dtype.kind in self.takes for a in arrays)

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        x = lift(xs[0], self.label)
        if x.dtype.kind not in self.takes:
            raise DtypeError(f"{self.label} does not take {x.type}", hint="convert it first")
        return [x]

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        normal_axis(self.label, self.axis, x)
        return x

    def accumulated(self, ufunc: np.ufunc, x: ndarray) -> ndarray:
        return turned(self, ufunc.accumulate(turned(self, x), axis=self.axis, dtype=x.dtype))

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis, reverse in [((4,), 0, False), ((2, 3), 1, True), ((2, 3, 2), 1, False), ((2, 0), 1, False)]:
            yield cls(axis, reverse), (Draw(shape, distinct=True),)


class CumSum(Cumulative, Linear):
    """y_i = x_0 + ... + x_i."""

    def impl(self, x: ndarray) -> ndarray:
        return self.accumulated(np.add, x)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        return replace(self, reverse=not self.reverse)(y_bar)


@dataclass(frozen=True)
class LinearRecurrence(Cumulative):
    """h_i = a_i·h_{i-1} + b_i with h_{-1} = 0, along `axis`; a and b have one shape and dtype."""

    label = "linear_recurrence"

    def admit(self, arrays: list[ndarray]) -> bool:
        a, b = arrays
        return a.dtype is b.dtype and a.shape == b.shape and a.dtype.kind in self.takes

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        a, b = (lift(x, self.label) for x in xs)
        dtype = promote(a.dtype, b.dtype)
        return [convert(a, dtype), convert(b, dtype)]

    def out_type(self, a: TensorType, b: TensorType) -> TensorType:  # type: ignore[override]
        normal_axis(self.label, self.axis, a)
        if a != b:
            raise ShapeError(f"linear_recurrence: factors {a} and terms {b} must have one type")
        return b

    def impl(self, a: ndarray, b: ndarray) -> ndarray:
        if a.shape != b.shape:
            raise ValueError("shapes differ")
        h = np.array(b)
        a_, h_ = (np.moveaxis(turned(self, t), self.axis, 0) for t in (a, h))
        for i in range(1, len(h_)):
            h_[i] += a_[i] * h_[i - 1]
        return h

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        # ḣ_i = a_i·ḣ_{i-1} + (ȧ_i·h_{i-1} + ḃ_i): the same recurrence with other terms
        a_dot, b_dot = dots
        term = None if a_dot is None else mul(a_dot, self.previous(y))
        return self(xs[0], b_dot if term is None else term if b_dot is None else term + b_dot)

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        # the transpose in the terms runs the other way, h̄_i + a_{i+1}·b̄_{i+1}; ȧ enters as the term ȧ_i·h_{i-1}
        next_factor = shifted(xs[0], self.axis, 0, reverse=not self.reverse)
        b_bar = LinearRecurrence(self.axis, not self.reverse)(next_factor, y_bar)
        return [mul(b_bar, self.previous(y)) if wanted[0] else None, b_bar if wanted[1] else None]

    def previous(self, h: Any) -> Any:
        return shifted(h, self.axis, 0, reverse=self.reverse)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis, reverse in [((4,), 0, False), ((2, 3), 1, True), ((3, 2), 0, False), ((2, 0), 1, False)]:
            yield cls(axis, reverse), (Draw(shape), Draw(shape))


class CumProd(Cumulative):
    """y_i = x_0 ⋯ x_i."""

    def impl(self, x: ndarray) -> ndarray:
        return self.accumulated(np.multiply, x)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        # y_i = x_i·y_{i-1}, so ẏ_i = x_i·ẏ_{i-1} + ẋ_i·y_{i-1}, with y_{-1} = 1
        before = shifted(y, self.axis, 1, reverse=self.reverse)
        return LinearRecurrence(self.axis, self.reverse)(xs[0], mul(before, dots[0]))


class CumLogSumExp(Cumulative):
    """y_i = log(e^{x_0} + ... + e^{x_i}), without overflow."""

    takes = "f"

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        x = lift(xs[0], self.label)
        return Cumulative.coerce(self, [convert(x, FLOAT32) if x.dtype.kind in "biu" else x])

    def impl(self, x: ndarray) -> ndarray:
        return self.accumulated(np.logaddexp, x)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        # ẏ_i = e^{y_{i-1} - y_i}·ẏ_{i-1} + e^{x_i - y_i}·ẋ_i: both factors are at most 1, with y_{-1} = -inf
        empty = equal(y, -np.inf)  # nothing but -inf so far: both weights are 0, not e^{-inf + inf}
        safe = where(empty, full(y.shape, 0, y.dtype), y)
        before = shifted(y, self.axis, -np.inf, reverse=self.reverse)
        decay, weight = exp(sub(before, safe)), exp(sub(xs[0], safe))
        return LinearRecurrence(self.axis, self.reverse)(decay, mul(weight, dots[0]))


def shifted(x: Any, axis: int, first: float, reverse: bool) -> Any:
    """x_{i-1} along an axis, with `first` in the place that has no predecessor (reverse: x_{i+1}, at the end)."""
    low, high = [0] * len(x.shape), [0] * len(x.shape)
    low[axis], high[axis] = (-1, 1) if reverse else (1, -1)
    return Pad(tuple(low), tuple(high), (0,) * len(low))(x, Array(np.asarray(first, x.dtype)))


def turned(op: Cumulative, x: ndarray) -> ndarray:
    return np.flip(x, op.axis) if op.reverse else x
