"""Slices of a fixed size that start where the data says.

Floor 2. `DynamicSlice` reads one, `DynamicUpdateSlice` writes one; the starts are scalar operands, so a loop can move
the window. A start that would let the window stick out is moved so that it fits, as in XLA.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Op, Operand, Value, lift, ndarray
from minigrad.ops.elementwise import convert, max_, min_
from minigrad.ops.gather import Gather, Scatter, as_int64, iota, with_lane
from minigrad.ops.kinds import Draw, Linear, Samples
from minigrad.ops.movement import Expand, Permute, Reshape, full, inverse
from minigrad.ops.pieces import Concatenate
from minigrad.types import INT64, Shape, TensorType


class Windowed(Op):
    """Operands: `tensors` tensors, then one scalar integer start per axis of the first."""

    tensors: ClassVar[int]

    def admit(self, arrays: list[ndarray]) -> bool:
        return all(a.dtype.kind in "iu" for a in arrays[self.tensors :]) and all(
            a.dtype is arrays[0].dtype for a in arrays[1 : self.tensors]
        )

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        values = [lift(x, self.label) for x in xs]
        for s in values[self.tensors :]:
            if s.dtype.kind not in "iu":
                raise DtypeError(f"{self.label}: a start must be an integer, got {s.type}")
        dtype = values[0].dtype
        return [*(convert(x, dtype) for x in values[: self.tensors]), *values[self.tensors :]]

    def check_window(self, x: TensorType, sizes: Shape, starts: Sequence[TensorType]) -> None:
        if len(sizes) != x.ndim or len(starts) != x.ndim:
            raise ArgumentError(
                f"{self.label}: {x} needs one start and one size per axis, got {len(starts)} starts and sizes {sizes}"
            )
        for n, m in zip(x.shape, sizes, strict=True):
            if isinstance(n, int) and isinstance(m, int) and not 0 <= m <= n:
                raise ShapeError(f"{self.label}: a window of sizes {sizes} does not fit in {x}")
        for s in starts:
            if s.shape != ():
                raise ShapeError(f"{self.label}: a start must be a scalar, got {s}")


@dataclass(frozen=True)
class DynamicSlice(Linear, Windowed):
    """x[s_0 : s_0 + sizes[0], ...] for scalar starts s."""

    sizes: tuple[Any, ...]
    label = "dynamic_slice"
    tensors = 1

    def out_type(self, x: TensorType, *starts: TensorType) -> TensorType:  # type: ignore[override]
        self.check_window(x, self.sizes, starts)
        return x.with_shape(self.sizes)

    def impl(self, x: ndarray, *starts: ndarray) -> ndarray:
        return x[_window(x, self.sizes, starts)]

    def transpose(self, y_bar: Any, x: Value, *starts: Value) -> Any:  # type: ignore[override]
        return DynamicUpdateSlice()(full(x.shape, 0, y_bar.dtype), y_bar, *starts)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        x, *starts = xs
        if not any(mapped[1:]):
            return DynamicSlice((size, *self.sizes))(x, 0, *starts)
        # a start per lane: gather along the axes on which the window can move
        axes, where_ = _lane_coordinates(x.shape[mapped[0] :], self.sizes, starts, mapped[1:], size)
        if mapped[0]:
            axes_of_x, where_ = (0, *(a + 1 for a in axes)), with_lane(where_)
        else:
            axes_of_x = axes
        y = Gather(axes_of_x)(x, where_)  # [size, *sizes of axes, *other sizes]
        return Permute(inverse((0, *_axes_first(axes, len(starts)))))(y)

    @classmethod
    def samples(cls) -> Samples:
        start = Draw((), "int64", (-1, 4))
        yield cls((2,)), (Draw((5,)), start)
        yield cls((2, 3)), (Draw((3, 3)), start, start)
        yield cls((0, 2)), (Draw((3, 3)), start, start)


@dataclass(frozen=True)
class DynamicUpdateSlice(Linear, Windowed):
    """x with `update` in place of x[s_0 : s_0 + its size, ...] for scalar starts s. Linear in (x, update)."""

    label = "dynamic_update_slice"
    tensors = 2
    linear: ClassVar[int | None] = 2

    def out_type(self, x: TensorType, update: TensorType, *starts: TensorType) -> TensorType:  # type: ignore[override]
        self.check_window(x, update.shape, starts)
        if x.dtype != update.dtype:
            raise DtypeError(f"dynamic_update_slice: an update of {x} must have its dtype, got {update}")
        return x

    def impl(self, x: ndarray, update: ndarray, *starts: ndarray) -> ndarray:
        window = _window(x, update.shape, starts)
        out = np.array(x)
        out[window] = update
        return out

    def transpose(self, y_bar: Any, x: Value, update: Value, *starts: Value) -> Any:  # type: ignore[override]
        nothing = full(update.shape, 0, y_bar.dtype)
        return [self(y_bar, nothing, *starts), DynamicSlice(update.shape)(y_bar, *starts)]

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        x, update, *starts = (
            v if m or i > 1 else Expand((size, *v.shape))(v) for i, (v, m) in enumerate(zip(xs, mapped, strict=True))
        )
        if not any(mapped[2:]):
            return self(x, update, 0, *starts)
        axes, where_ = _lane_coordinates(x.shape[1:], update.shape[1:], starts, mapped[2:], size)
        update = Permute((0, *_axes_first(axes, len(starts))))(update)
        return Scatter((0, *(a + 1 for a in axes)))(x, update, with_lane(where_))

    @classmethod
    def samples(cls) -> Samples:
        start = Draw((), "int64", (-1, 4))
        yield cls(), (Draw((5,)), Draw((2,)), start)
        yield cls(), (Draw((3, 3)), Draw((2, 3)), start, start)
        yield cls(), (Draw((3, 3)), Draw((0, 2)), start, start)


def _window(x: ndarray, sizes: Shape, starts: Sequence[ndarray]) -> tuple[slice, ...]:
    if not len(starts) == len(sizes) == x.ndim or any(m > n for n, m in zip(x.shape, sizes, strict=True)):
        raise ValueError("the window does not fit")
    firsts = [min(max(int(s), 0), n - m) for s, n, m in zip(starts, x.shape, sizes, strict=True)]
    return tuple(slice(s, s + m) for s, m in zip(firsts, sizes, strict=True))


def _axes_first(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """All axes 1 .. rank, with `axes` (counted without the mapped one) in front."""
    return tuple(a + 1 for a in (*axes, *(d for d in range(rank) if d not in axes)))


def _lane_coordinates(
    shape: Shape, sizes: Shape, starts: Sequence[Value], mapped: Sequence[bool], size: int
) -> tuple[tuple[int, ...], Any]:
    """The axes on which a window can move, and the coordinates of its elements: [size, *sizes of axes, len(axes)]."""
    axes = tuple(d for d, (n, m) in enumerate(zip(shape, sizes, strict=True)) if n != m)
    block = (size, *(sizes[a] for a in axes), 1)
    columns = []
    for k, a in enumerate(axes):
        first = min_(max_(as_int64(starts[a]), 0), shape[a] - sizes[a])
        lanes = Reshape((size, *(1,) * (len(block) - 1)))(first) if mapped[a] else first
        columns.append(lanes + iota(block, k + 1))
    nothing = full((size, 0), 0, INT64)
    return axes, Concatenate(len(axes) + 1)(*columns) if columns else nothing
