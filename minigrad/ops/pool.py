"""Pooling: sums, means and maxima over windows of the trailing axes.

Floor 2. `WindowSum` is linear and its transpose is a WindowSum; the largest element of a window is read at the
position that `WindowArgMax` finds, so max pooling needs no rule of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Array, NoGradient, Op, Operand, Value, lift, ndarray
from minigrad.ops.along import TakeAlongAxis
from minigrad.ops.convolve import dilated, paddings, per_axis, windows
from minigrad.ops.elementwise import convert, div
from minigrad.ops.kinds import Draw, Linear, Samples
from minigrad.ops.movement import Reshape, full, zero
from minigrad.ops.pieces import Pad
from minigrad.types import FLOAT32, INT64, Shape, TensorType


@dataclass(frozen=True)
class Windowing(Op):
    """Every window of the trailing axes: elements `dilation` apart, windows `stride` apart. Leading axes are kept."""

    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    def places(self, x: TensorType) -> Shape:
        lead = x.ndim - len(self.window)
        if lead < 0:
            raise ShapeError(f"{self.label}: a window of shape {self.window} needs {len(self.window)} axes, got {x}")
        places = []
        for n, k, s, r in zip(x.shape[lead:], self.window, self.stride, self.dilation, strict=True):
            m = (n - dilated(k, r)) // s + 1
            places.append(max(m, 0) if isinstance(m, int) else m)
        return (*x.shape[:lead], *places)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return self(xs[0])  # the mapped axis is one more leading axis

    @classmethod
    def samples(cls) -> Samples:
        for shape, window, stride, dilation in [
            ((2, 6), (2,), (2,), (1,)),
            ((7,), (3,), (2,), (2,)),
            ((2, 4, 5), (2, 3), (1, 2), (1, 1)),
            ((2, 3), (4,), (1,), (1,)),
            ((0, 3), (2,), (1,), (1,)),
        ]:
            yield cls(window, stride, dilation), (Draw(shape, distinct=True),)


class WindowSum(Windowing, Linear):
    """The sum of each window."""

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if x.dtype.kind == "b":
            raise DtypeError(f"windowsum: {x} holds no numbers", hint="convert to an integer dtype first")
        return x.with_shape(self.places(x))

    def impl(self, x: ndarray) -> Any:
        axes = tuple(range(-len(self.window), 0))
        return windows(x, self.window, self.stride, self.dilation).sum(axes, dtype=x.dtype)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        # x̄[q] = Σ_k ȳ[(q - k·dilation) / stride]: windows of stride 1 over ȳ spread out by the stride
        rank = len(self.window)
        lead = (0,) * (x.ndim - rank)
        low: list[Any] = [*lead]
        high: list[Any] = [*lead]
        for d in range(rank):
            span = dilated(self.window[d], self.dilation[d]) - 1
            low.append(span)
            high.append(x.shape[d - rank] - dilated(y_bar.shape[d - rank], self.stride[d]))
        spread = Pad(tuple(low), tuple(high), (*lead, *(s - 1 for s in self.stride)))(y_bar, zero(y_bar.dtype))
        return WindowSum(self.window, (1,) * rank, self.dilation)(spread)


class WindowArgMax(Windowing):
    """Where each window's first largest element stands (int64), counted through the trailing axes as one; NaN wins."""

    no_gradient = NoGradient("it returns positions")

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if x.dtype.kind == "c":
            raise DtypeError(f"windowargmax does not take complex numbers: {x}")
        if 0 in self.window:
            raise ArgumentError(f"windowargmax: a window of shape {self.window} has no elements")
        return TensorType(self.places(x), INT64)

    def impl(self, x: ndarray) -> Any:
        rank = len(self.window)
        views = windows(x, self.window, self.stride, self.dilation)
        places = views.shape[: x.ndim]
        if 0 in places:
            return np.zeros(places, np.int64)
        best = views.reshape(*places, math.prod(self.window)).argmax(-1)
        inside = np.unravel_index(best.reshape(-1), self.window)  # NumPy 2.4 errs for more than 8192 rows of one
        position = np.zeros(places, np.int64)
        for d, offset in enumerate(inside):
            axis = x.ndim - rank + d
            first = np.arange(places[axis]).reshape(-1, *(1,) * (rank - 1 - d)) * self.stride[d]
            position = position * x.shape[axis] + first + offset.reshape(places) * self.dilation[d]
        return position


# ── the functions users call ─────────────────────────────────────────────────────────────────────
def max_pool(x: Operand, window: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Any:
    """The largest element of each window of the trailing axes; the derivative goes to the first of those that tie.

    `window` is a shape; `stride` defaults to it; padding (see `conv`) never wins.
    """
    x, shape, steps, gaps, pads = _prepared("max_pool", x, window, stride, padding, dilation)
    lowest = -np.inf if x.dtype.kind == "f" else False if x.dtype.kind == "b" else np.iinfo(x.dtype).min
    x = _padded(x, pads, lowest)
    rank = len(shape)
    lead = x.shape[: x.ndim - rank]
    where_ = WindowArgMax(shape, steps, gaps)(x)
    flat = Reshape((*lead, math.prod(x.shape[x.ndim - rank :])))(x)
    positions = Reshape((*lead, math.prod(where_.shape[x.ndim - rank :])))(where_)
    return Reshape(where_.shape)(TakeAlongAxis(len(lead))(flat, positions))


def sum_pool(x: Operand, window: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Any:
    """The sum of each window of the trailing axes; padding adds nothing."""
    x, shape, steps, gaps, pads = _prepared("sum_pool", x, window, stride, padding, dilation)
    return WindowSum(shape, steps, gaps)(_padded(x, pads, 0))


def avg_pool(
    x: Operand, window: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, *, count_padding: bool = True
) -> Any:
    """The mean of each window of the trailing axes; padding counts as zeros, or not at all."""
    x, shape, steps, gaps, pads = _prepared("avg_pool", x, window, stride, padding, dilation)
    x = x if x.dtype.kind in "fc" else convert(x, FLOAT32)
    pool = WindowSum(shape, steps, gaps)
    total = pool(_padded(x, pads, 0))
    if count_padding:
        return div(total, math.prod(shape))
    return div(total, pool(_padded(full(x.shape[x.ndim - len(shape) :], 1, x.dtype), pads, 0)))


def _prepared(who: str, x: Operand, window: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Any, ...]:
    x = lift(x, who)
    rank = 1 if isinstance(window, int) else len(window)
    shape = per_axis(who, "window", window, rank)
    if rank > x.ndim:
        raise ShapeError(f"{who}: a window of shape {shape} needs {rank} axes, got {x.type}")
    steps = shape if stride is None else per_axis(who, "stride", stride, rank)
    gaps = per_axis(who, "dilation", dilation, rank)
    spans = [dilated(k, r) for k, r in zip(shape, gaps, strict=True)]
    return x, shape, steps, gaps, paddings(who, padding, x.shape[x.ndim - rank :], spans, steps)


def _padded(x: Any, pads: Any, value: Any) -> Any:
    if all(p == (0, 0) for p in pads):
        return x
    lead = (0,) * (len(x.shape) - len(pads))
    low, high = ((*lead, *(p[side] for p in pads)) for side in (0, 1))
    return Pad(low, high, (0,) * len(low))(x, Array(np.asarray(value, x.dtype)))
