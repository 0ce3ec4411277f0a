"""Movement: ops that say where elements go, and compute nothing. All linear; each other's transposes.

Floor 2. `Sum` stands here too, because it is the transpose of `Expand`.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Array, Op, Value, ndarray
from minigrad.ops.kinds import Draw, Linear, Samples
from minigrad.types import Dim, Shape, TensorType, broadcast_shapes, normal_axes, same_shape, same_size, shape_text


@dataclass(frozen=True)
class Reshape(Linear):
    """The same elements in row-major order under another shape."""

    shape: Shape

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if not same_size(x.size, math.prod(self.shape)):
            raise ShapeError(f"reshape: {x.size} elements of {x} cannot fill shape {shape_text(self.shape)}")
        return x.with_shape(self.shape)

    def impl(self, x: ndarray) -> Any:
        return x.reshape(self.shape)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        return Reshape(x.shape)(y_bar)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return Reshape((size, *self.shape))(xs[0])

    @classmethod
    def samples(cls) -> Samples:
        for before, after in [((2, 3), (3, 2)), ((6,), (1, 2, 3)), ((), (1, 1)), ((0, 2), (3, 0)), ((2, 2), (4,))]:
            yield cls(after), (Draw(before),)


@dataclass(frozen=True)
class Permute(Linear):
    """Axis k of the output is axis order[k] of the input."""

    order: tuple[int, ...]

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if sorted(self.order) != list(range(x.ndim)):
            raise ArgumentError(f"permute: {self.order} is not an order of the {x.ndim} axes of {x}")
        return x.with_shape(tuple(x.shape[k] for k in self.order))

    def impl(self, x: ndarray) -> Any:
        return x.transpose(self.order)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        return Permute(inverse(self.order))(y_bar)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return Permute((0, *(k + 1 for k in self.order)))(xs[0])

    @classmethod
    def samples(cls) -> Samples:
        for shape, order in [
            ((2, 3), (1, 0)),
            ((2, 3, 4), (1, 2, 0)),
            ((), ()),
            ((0, 2), (1, 0)),
            ((2, 2, 2), (2, 0, 1)),
        ]:
            yield cls(order), (Draw(shape),)


@dataclass(frozen=True)
class Expand(Linear):
    """Broadcast to `shape` by NumPy's rule: new leading axes, and axes of size 1 repeated."""

    shape: Shape

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if x.ndim > len(self.shape) or not same_shape(broadcast_shapes("expand", x.shape, self.shape), self.shape):
            raise ShapeError(f"expand: {x} does not broadcast to shape {shape_text(self.shape)}")
        return x.with_shape(self.shape)

    def impl(self, x: ndarray) -> Any:
        if x.ndim:
            return np.broadcast_to(x, self.shape)
        # the same in a quarter of the time; by name the arguments would take twice as long
        y: ndarray = np.ndarray(self.shape, x.dtype, x, 0, (0,) * len(self.shape))
        y.setflags(write=False)
        return y

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        return sum_to(y_bar, x.shape)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return Expand((size, *self.shape))(pad_rank(xs[0], len(self.shape) + 1))

    @classmethod
    def samples(cls) -> Samples:
        for before, after in [
            ((), (2,)),
            ((3,), (2, 3)),
            ((2, 1), (2, 3)),
            ((1, 3, 1), (2, 4, 3, 2)),
            ((1,), (0,)),
            ((2,), (2,)),
        ]:
            yield cls(after), (Draw(before),)


Linear.expand = Expand


class Axial(Op):
    """Acts along `axis`, or over `axes`, counted from 0: behind a mapped axis each of them is one further on."""

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        op: Any = self
        places = {"axis": op.axis + 1} if hasattr(op, "axis") else {"axes": tuple(a + 1 for a in op.axes)}
        return replace(op, **places)(*every_lane(xs, mapped, size))


@dataclass(frozen=True)
class Sum(Linear, Axial):
    """The sum over `axes`, which disappear. The dtype is kept (integers wrap)."""

    axes: tuple[int, ...]

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if x.dtype.kind == "b":
            raise DtypeError(f"sum: {x} holds no numbers", hint="convert to an integer dtype first")
        return x.with_shape(drop_axes("sum", x, self.axes))

    def impl(self, x: ndarray) -> Any:
        return np.add.reduce(x, axis=self.axes, dtype=x.dtype)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        leading = not self.axes or self.axes[-1] == len(self.axes) - 1  # which broadcasting makes again by itself
        return Expand(x.shape)(y_bar if leading else Reshape(keep_axes(x.shape, self.axes))(y_bar))

    @classmethod
    def samples(cls) -> Samples:
        for shape, axes in [
            ((3,), (0,)),
            ((2, 3), (1,)),
            ((2, 3, 4), (0, 2)),
            ((2, 3), ()),
            ((), ()),
            ((0, 2), (0,)),
            ((2, 0), (0,)),
        ]:
            yield cls(axes), (Draw(shape),)
        yield cls((0,)), (Draw((3, 2), "complex128"),)


@dataclass(frozen=True)
class Flip(Linear, Axial):
    """Reversed along `axes`."""

    axes: tuple[int, ...]

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        normal_axes("flip", self.axes, x)
        return x

    def impl(self, x: ndarray) -> Any:
        return np.flip(x, self.axes)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        return self(y_bar)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axes in [((3,), (0,)), ((2, 3), (0, 1)), ((2, 3, 2), (1,)), ((0, 2), (0,)), ((2,), ()), ((), ())]:
            yield cls(axes), (Draw(shape),)


# ── words the rules are written in ───────────────────────────────────────────────────────────────
def zero(dtype: Any) -> Array:
    return Array(np.zeros((), dtype))


def one(dtype: Any) -> Array:
    return Array(np.ones((), dtype))


def full(shape: Shape, value: Any, dtype: Any) -> Any:
    """A constant tensor of any shape, symbolic ones too."""
    scalar = Array(np.asarray(value, dtype))
    if any(isinstance(n, Dim) for n in shape):
        return Expand(shape)(scalar)
    return Array(np.broadcast_to(scalar.array, shape))


def inverse(order: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def keep_axes(shape: Shape, axes: Container[int]) -> Shape:
    """The shape after a reduction that keeps its axes, with size 1."""
    return tuple(1 if d in axes else n for d, n in enumerate(shape))


def drop_axes(who: str, x: TensorType, axes: Sequence[int]) -> Shape:
    """The shape after a reduction over axes, which must be axes of x."""
    if axes != normal_axes(who, axes, x):
        raise ArgumentError(f"{who}: axes {axes} of {x} must be distinct, sorted and counted from 0")
    return without(x.shape, axes)


def without(shape: Shape, axes: Container[int]) -> Shape:
    """The shape without these axes."""
    return tuple(n for d, n in enumerate(shape) if d not in axes)


def along(vector: Any, axis: int, rank: int) -> Any:
    """[n] -> [1, .., n, .., 1]: a vector laid along one of so many axes."""
    return Reshape(tuple(vector.shape[0] if d == axis else 1 for d in range(rank)))(vector)


def every_lane(xs: Sequence[Value], mapped: Sequence[bool], size: int) -> list[Any]:
    """The operands of a batch rule, all of them mapped: those that were not are repeated."""
    return [x if m else Expand((size, *x.shape))(x) for x, m in zip(xs, mapped, strict=True)]


def pad_rank(x: Any, rank: int) -> Any:
    """[b, ...] -> [b, 1, ..., 1, ...] of the given rank: room for NumPy's rule beside a mapped leading axis."""
    shape = x.shape
    return x if len(shape) == rank else Reshape((*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]))(x)


def sum_to(x: Any, shape: Shape) -> Any:
    """The transpose of broadcasting `shape` to x's shape: sum over the axes that were repeated."""
    big = x.shape
    if big == shape:
        return x
    lead = len(big) - len(shape)
    axes = (*range(lead), *(d + lead for d, n in enumerate(shape) if n == 1 and big[d + lead] != 1))
    summed = Sum(axes)(x) if axes else x
    return summed if summed.shape == shape else Reshape(shape)(summed)


def expand_to(x: Any, shape: Shape) -> Any:
    return x if x.shape == shape else Expand(shape)(x)
