"""Pieces: ops that cut a piece out of a tensor, set it into a larger one, and join pieces. All linear, as movement is.

Floor 2. `Slice` and `Pad` are each other's transposes; `Concatenate` is taken apart again by slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Value, ndarray, type_of
from minigrad.ops.kinds import Draw, Linear, Samples
from minigrad.ops.movement import Sum, every_lane, zero
from minigrad.types import Size, TensorType, normal_axes, same_size


@dataclass(frozen=True)
class Slice(Linear):
    """x[starts[0]:stops[0]:steps[0], ...]: bounds within the axis, steps positive."""

    starts: tuple[Any, ...]
    stops: tuple[Any, ...]
    steps: tuple[int, ...]

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if not len(self.starts) == len(self.stops) == len(self.steps) == x.ndim:
            raise ArgumentError(f"slice: one start, stop and step per axis of {x}, got {self}")
        sizes: list[Size] = []
        for n, a, b, s in zip(x.shape, self.starts, self.stops, self.steps, strict=True):
            known = all(isinstance(k, int) for k in (n, a, b))
            if s < 1 or (known and not 0 <= a <= b <= n):
                raise ArgumentError(f"slice: {a}:{b}:{s} does not lie in an axis of size {n} of {x}")
            sizes.append(b - a if s == 1 else (b - a + (s - 1)) // s)
        return x.with_shape(tuple(sizes))

    def impl(self, x: ndarray) -> Any:
        return x[tuple(map(slice, self.starts, self.stops, self.steps))]

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        sizes = type_of(y_bar).shape
        # what the strided slice covers ends at start + (size - 1)·step + 1; the rest of the axis is padding
        ends = [a + (m - 1) * s + 1 if m != 0 else a for a, m, s in zip(self.starts, sizes, self.steps, strict=True)]
        high = tuple(n - e for n, e in zip(x.shape, ends, strict=True))
        return Pad(self.starts, high, tuple(s - 1 for s in self.steps))(y_bar, zero(x.dtype))

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return Slice((0, *self.starts), (size, *self.stops), (1, *self.steps))(xs[0])

    @classmethod
    def samples(cls) -> Samples:
        for shape, starts, stops, steps in [
            ((4,), (1,), (3,), (1,)),
            ((7,), (1,), (6,), (3,)),
            ((3, 5), (0, 1), (3, 5), (2, 2)),
            ((4,), (2,), (2,), (1,)),
            ((0, 3), (0, 0), (0, 2), (1, 1)),
            ((), (), (), ()),
        ]:
            yield cls(starts, stops, steps), (Draw(shape),)


@dataclass(frozen=True)
class Pad(Linear):
    """`low` and `high` copies of a value around each axis, `interior` between elements; negative low and high crop."""

    low: tuple[Any, ...]
    high: tuple[Any, ...]
    interior: tuple[int, ...]
    linear: ClassVar[int | None] = 2

    def out_type(self, x: TensorType, value: TensorType) -> TensorType:  # type: ignore[override]
        if not len(self.low) == len(self.high) == len(self.interior) == x.ndim or value.shape != ():
            raise ArgumentError(f"pad: one low, high and interior per axis of {x} and a scalar value, got {self}")
        sizes: list[Size] = []
        for n, lo, hi, mid in zip(x.shape, self.low, self.high, self.interior, strict=True):
            m = lo + n + hi + ((n - 1) * mid if mid and n != 0 else 0)
            if isinstance(m, int) and (m < 0 or mid < 0):
                raise ArgumentError(f"pad: an axis of size {n} of {x} cannot be cropped by {lo} and {hi}")
            sizes.append(m)
        return x.with_shape(tuple(sizes))

    def impl(self, x: ndarray, value: ndarray) -> Any:
        out: ndarray = np.full(self.out_type(_t(x), _t(value)).shape, value, x.dtype)
        into, from_ = [], []
        for n, m, lo, mid in zip(x.shape, out.shape, self.low, self.interior, strict=True):
            step = mid + 1
            first = max(0, -(lo // step))  # the first source element with a place in the output: ceil(-lo/step)
            last = max(first, min(n, (m - 1 - lo) // step + 1))  # one past the last one
            from_.append(slice(first, last))
            into.append(slice(lo + first * step, lo + last * step, step))
        if all(s.stop > s.start for s in from_):
            out[tuple(into)] = x[tuple(from_)]
        return out

    def transpose(self, y_bar: Any, x: Value, value: Value) -> Any:  # type: ignore[override]
        inverse_pad = Pad(tuple(-lo for lo in self.low), tuple(-hi for hi in self.high), (0,) * x.ndim)
        middle = inverse_pad(y_bar, zero(x.dtype))
        sizes = middle.shape
        x_bar = Slice((0,) * x.ndim, sizes, tuple(m + 1 for m in self.interior))(middle)
        total, kept = (Sum(tuple(range(t.ndim)))(t) for t in (y_bar, x_bar))
        return [x_bar, total - kept]

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        x, value = xs
        pad = Pad((0, *self.low), (0, *self.high), (0, *self.interior))
        # a value per lane has no mask to choose it by on this floor (and 0 · inf is nan): the lanes are looped over
        return NotImplemented if mapped[1] else pad(x, value)

    @classmethod
    def samples(cls) -> Samples:
        for shape, low, high, interior in [
            ((3,), (1,), (2,), (0,)),
            ((2, 3), (0, 1), (2, 0), (1, 2)),
            ((5,), (-1,), (-2,), (0,)),
            ((3,), (-2,), (1,), (1,)),
            ((0, 2), (1, 0), (1, 0), (0, 0)),
            ((), (), (), ()),
        ]:
            yield cls(low, high, interior), (Draw(shape), Draw(()))


@dataclass(frozen=True)
class Concatenate(Linear):
    """Joined along an existing axis."""

    axis: int
    linear: ClassVar[int | None] = None

    def out_type(self, *types: TensorType) -> TensorType:
        first = types[0]
        (axis,) = normal_axes("concatenate", self.axis, first)
        total: Size = 0
        for t in types:
            fits = t.ndim == first.ndim and all(
                d == axis or same_size(n, m) for d, (n, m) in enumerate(zip(t.shape, first.shape, strict=False))
            )
            if not fits or t.dtype != first.dtype:
                raise ShapeError(f"concatenate: {first} and {t} do not fit together along axis {self.axis}")
            total = total + t.shape[axis]
        return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))

    def impl(self, *xs: ndarray) -> ndarray:
        return np.concatenate(xs, self.axis)

    def transpose(self, y_bar: Any, *xs: Value) -> Any:
        bars, start = [], 0
        for x in xs:
            stop = start + x.shape[self.axis]
            bars.append(slice_axis(y_bar, self.axis, start, stop))
            start = stop
        return bars

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return Concatenate(self.axis + (self.axis >= 0))(*every_lane(xs, mapped, size))

    @classmethod
    def samples(cls) -> Samples:
        cases: list[tuple[int, list[tuple[int, ...]]]] = [
            (0, [(2,), (3,)]),
            (1, [(2, 1), (2, 3), (2, 2)]),
            (0, [(2, 3)]),
            (0, [(0, 2), (2, 2)]),
            (-1, [(2, 2), (2, 2)]),
        ]
        for axis, shapes in cases:
            yield cls(axis), tuple([Draw(s) for s in shapes])


def _t(x: ndarray) -> TensorType:
    return TensorType(x.shape, x.dtype)


def slice_axis(x: Any, axis: int, start: Any, stop: Any, step: int = 1) -> Any:
    """x[start:stop:step] along one axis."""
    rank = len(x.shape)
    axis %= rank
    starts, stops, steps = [0] * rank, list(x.shape), [1] * rank
    starts[axis], stops[axis], steps[axis] = start, stop, step
    return Slice(tuple(starts), tuple(stops), tuple(steps))(x)
