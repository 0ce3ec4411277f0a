"""Reading and writing at positions that are data: gather and scatter at tuples of coordinates.

Floor 2. `Gather(axes)` and `Scatter(axes, "add")` are each other's transposes. Index operands come last and hold
coordinates from 0. No op can refuse a position, because under tracing there is no number to look at: a position beyond
the axis is clipped to its nearest end, or dropped (read as 0, not written), as the op's `beyond` says. Wrapping
negative positions and refusing those out of range is the work of keys.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, NotDifferentiableError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Array, Op, Operand, Value, lift, ndarray
from minigrad.ops.cumulative import CumSum
from minigrad.ops.elementwise import convert, div, equal, min_, mul, where
from minigrad.ops.kinds import Draw, Linear, Samples
from minigrad.ops.movement import Expand, Permute, Reshape, along, full, without
from minigrad.ops.pieces import Concatenate
from minigrad.types import INT64, Shape, TensorType, normal_axis, promote, same_shape


class Indexed(Op):
    """The last operand is positions: an integer tensor."""

    def admit(self, arrays: list[ndarray]) -> bool:
        return arrays[-1].dtype.kind in "iu" and all(a.dtype is arrays[0].dtype for a in arrays[1:-1])

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        values = [lift(x, self.label) for x in xs]
        if values[-1].dtype.kind not in "iu":
            raise DtypeError(f"{self.label}: positions must be integers, got {values[-1].type}")
        dtype = promote(*[x.dtype for x in values[:-1]])
        return [*(convert(x, dtype) for x in values[:-1]), values[-1]]


# ── at tuples of coordinates ─────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Gather(Linear, Indexed):
    """y[*b, *rest] = x[... indices[*b, k] on axis axes[k] ...]: x, indices [*b, len(axes)] -> [*b, *rest of x]."""

    axes: tuple[int, ...]
    beyond: str = "clip"

    def out_type(self, x: TensorType, indices: TensorType) -> TensorType:  # type: ignore[override]
        _check_coordinates(self.label, self.axes, x, indices)
        rest = without(x.shape, self.axes)
        if any(x.shape[a] == 0 for a in self.axes) and 0 not in (*indices.shape, *rest) and self.beyond == "clip":
            raise ArgumentError(f"gather: {x} has no elements to read along axes {self.axes}")
        return x.with_shape((*indices.shape[:-1], *rest))

    def impl(self, x: ndarray, indices: ndarray) -> ndarray:
        if len(self.axes) == indices.shape[-1] == 1 and self.beyond == "clip":
            taken = x.take(signed(indices[..., 0]), self.axes[0], mode="clip")
            return (
                taken
                if self.axes[0] == 0
                else np.moveaxis(taken, range(self.axes[0], self.axes[0] + indices.ndim - 1), range(indices.ndim - 1))
            )
        table, position, inside = _flattened(x, indices, self.axes, self.beyond)
        if inside is None:
            return table.take(position, 0)
        out = np.zeros((*position.shape, *table.shape[1:]), x.dtype)
        out[inside] = table[position[inside]]
        return out

    def transpose(self, y_bar: Any, x: Value, indices: Value) -> Any:  # type: ignore[override]
        return Scatter(self.axes, "add", self.beyond)(full(x.shape, 0, y_bar.dtype), y_bar, indices)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        x, indices = xs
        if not mapped[0]:
            return self(x, indices)
        axes = tuple(a + 1 for a in self.axes)
        if mapped[1]:
            return replace(self, axes=(0, *axes))(x, with_lane(indices))
        y = replace(self, axes=axes)(x, indices)  # [*b, size, *rest]
        return moved(y, indices.ndim - 1, 0)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axes, index in [((5,), (0,), (3, 1)), ((4, 3), (1,), (2, 2, 1)), ((3, 4, 2), (2, 0), (3, 2))]:
            for beyond in ("clip", "drop"):
                yield cls(axes, beyond), (Draw(shape), Draw(index, "int64", (-1, 5)))
        yield cls((0,)), (Draw((3, 0)), Draw((2, 1), "int64", (0, 2)))
        yield cls(()), (Draw((3,)), Draw((2, 0), "int64", (0, 2)))


_REDUCERS: dict[str, np.ufunc] = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


@dataclass(frozen=True)
class Scatter(Linear, Indexed):
    """x with updates [*b, *rest] put at indices [*b, len(axes)] along `axes`.

    mode "set" replaces (of several updates of one place the last wins, as in NumPy); "add", "mul", "min" and "max"
    combine. Linear in (x, updates) for set and add.
    """

    axes: tuple[int, ...]
    mode: str = "set"
    beyond: str = "drop"
    linear: ClassVar[int | None] = 2

    def out_type(self, x: TensorType, updates: TensorType, indices: TensorType) -> TensorType:  # type: ignore[override]
        _check_coordinates(self.label, self.axes, x, indices)
        rest = without(x.shape, self.axes)
        wanted = (*indices.shape[:-1], *rest)
        if not same_shape(wanted, updates.shape) or updates.dtype != x.dtype:
            raise ShapeError(f"scatter: updates for {x} at {indices} must be {x.with_shape(wanted)}, got {updates}")
        return x

    def impl(self, x: ndarray, updates: ndarray, indices: ndarray) -> ndarray:
        out = np.array(x)
        order = (*self.axes, *(d for d in range(x.ndim) if d not in self.axes))
        view, position, inside = _flattened(out, indices, self.axes, self.beyond)
        rest = view.shape[1:]
        if updates.shape != (*position.shape, *rest):
            raise ValueError("updates do not fit")
        position, updates = position.reshape(-1), updates.reshape(position.size, *rest)
        if inside is not None:
            keep = inside.reshape(-1)
            position, updates = position[keep], updates[keep]
        if self.mode == "set":
            view[position] = updates
        elif position.size:
            combine_at(_REDUCERS[self.mode], view, position, updates)
        dims = tuple(out.shape[d] for d in order)
        return view.reshape(dims).transpose(np.argsort(order))

    def transpose(self, y_bar: Any, x: Value, updates: Value, indices: Value) -> Any:  # type: ignore[override]
        u_bar = Gather(self.axes, self.beyond)(y_bar, indices)
        if self.mode == "add":
            return [y_bar, u_bar]
        nothing = full(updates.shape, 0, y_bar.dtype)
        return [self(y_bar, nothing, indices), where(self.winners(x, updates, indices), u_bar, nothing)]

    def winners(self, x: Value, updates: Value, indices: Value) -> Any:
        """Which updates a "set" leaves standing (bool, broadcast against updates): the last of those of one place."""
        lanes = indices.shape[:-1]
        number = Reshape(lanes)(iota((math.prod(lanes),), 0))
        here = tuple(range(len(self.axes)))
        board = full(tuple(x.shape[a] for a in self.axes), 0, INT64)
        board = Scatter(here, "set", self.beyond)(board, number, indices)
        won = equal(Gather(here, self.beyond)(board, indices), number)
        return Reshape((*lanes, *(1,) * (updates.ndim - len(lanes))))(won)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        if self.mode in ("set", "add"):
            return Linear.jvp(self, y, xs, dots)
        return self.jvp_mul(xs, dots) if self.mode == "mul" else self.jvp_extremum(y, xs, dots)

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        if self.mode in ("set", "add"):
            return Linear.vjp(self, y_bar, y, xs, wanted)
        return NotImplemented  # the transpose of the jvp

    def jvp_mul(self, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        x, updates, indices = xs
        if dots[1] is not None:
            raise NotDifferentiableError(
                "scatter with mode 'mul' has no derivative in its updates: where two of them meet, that of one is "
                "the product of the others",
                hint="without repeated positions, write it as x.at[i].set(x[i] * updates)",
            )
        return mul(dots[0], self(full(x.shape, 1, x.dtype), updates, indices))

    def jvp_extremum(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        """x and the updates that reach the extremum of their place share it equally."""
        x, updates, indices = xs
        total, dtype = replace(self, mode="add"), x.dtype
        x_won = convert(equal(x, y), dtype)
        u_won = convert(equal(updates, Gather(self.axes, self.beyond)(y, indices)), dtype)
        x_dot = full(x.shape, 0, dtype) if dots[0] is None else mul(x_won, dots[0])
        u_dot = full(updates.shape, 0, dtype) if dots[1] is None else mul(u_won, dots[1])
        return div(total(x_dot, u_dot, indices), total(x_won, u_won, indices))

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        x, updates = (v if m else Expand((size, *v.shape))(v) for v, m in zip(xs[:2], mapped, strict=False))
        axes = tuple(a + 1 for a in self.axes)
        if mapped[2]:
            return replace(self, axes=(0, *axes))(x, updates, with_lane(xs[2]))
        updates = moved(updates, 0, xs[2].ndim - 1)  # [size, *b, *rest] -> [*b, size, *rest]
        return replace(self, axes=axes)(x, updates, xs[2])

    @classmethod
    def samples(cls) -> Samples:
        cases = [((5,), (3,), (0,), (3, 1)), ((4, 3), (2, 4), (1,), (2, 1)), ((3, 4, 2), (3, 4), (2, 0), (3, 2))]
        for shape, updates, axes, index in cases:
            for mode in ("set", "add", "mul", "min", "max"):
                draws = (Draw(shape, distinct=True), Draw(updates, distinct=True), Draw(index, "int64", (-1, 5)))
                yield cls(axes, mode), draws
        yield cls((0,), "add", "clip"), (Draw((3, 2)), Draw((4, 2)), Draw((4, 1), "int64", (-2, 5)))
        yield cls((0,), "add"), (Draw((3, 2)), Draw((0, 2)), Draw((0, 1), "int64", (0, 2)))


def combine_at(ufunc: np.ufunc, table: ndarray, position: ndarray, updates: ndarray) -> None:
    """table[p] = ufunc(table[p], u) for all (p, u), repeats included, in place.

    `ufunc.at` walks rows one by one; sorting equal positions together and reducing each run at once is several
    times faster once rows have a few elements.
    """
    row = math.prod(table.shape[1:])
    if row < 4:
        ufunc.at(table, position, updates)
        return
    order = np.argsort(position, kind="stable")
    position = position[order]
    starts = np.flatnonzero(np.r_[True, position[1:] != position[:-1]])
    places = position[starts]
    table[places] = ufunc(table[places], ufunc.reduceat(updates[order], starts, axis=0))


def _flattened(
    x: ndarray, indices: ndarray, axes: tuple[int, ...], beyond: str
) -> tuple[ndarray, ndarray, ndarray | None]:
    """x as a table of rows along `axes`, the row of each coordinate tuple, and which are inside (None: all)."""
    sizes = np.array([x.shape[a] for a in axes], np.int64)
    rest = tuple(d for d in range(x.ndim) if d not in axes)
    table = x.transpose(*axes, *rest).reshape(math.prod(sizes.tolist()), *(x.shape[d] for d in rest))
    indices = signed(indices)
    inside: ndarray | None = None
    if beyond == "drop":
        fits = np.asarray(((indices >= 0) & (indices < sizes)).all(-1))
        inside = None if fits.all() else fits
    if inside is not None or beyond == "clip":
        indices = np.clip(indices, 0, np.maximum(sizes - 1, 0))
    strides = np.array([math.prod(sizes[k + 1 :].tolist()) for k in range(len(axes))], np.int64)
    return table, indices @ strides, inside


def signed(indices: ndarray) -> ndarray:
    """Positions as int64: those too large for it are beyond every axis, not negative."""
    if indices.dtype == np.uint64:
        indices = np.minimum(indices, np.iinfo(np.int64).max)
    return indices.astype(np.int64, copy=False)


def as_int64(x: Operand) -> Any:
    """The same for values."""
    x = lift(x, "positions")
    return convert(min_(x, np.iinfo(np.int64).max) if x.dtype == np.uint64 else x, INT64)


def _check_coordinates(who: str, axes: tuple[int, ...], x: TensorType, indices: TensorType) -> None:
    for a in axes:
        normal_axis(who, a, x)
    if indices.ndim == 0 or indices.shape[-1] != len(axes):
        raise ShapeError(f"{who}: indices into axes {axes} of {x} must be [..., {len(axes)}], got {indices}")


def taken(x: Any, positions: Any, axis: int) -> Any:
    """The slices of x at positions along an axis: [.., n, ..] at [*b] -> [.., *b, ..]."""
    y = Gather((axis,))(x, Reshape((*positions.shape, 1))(positions))  # [*b, *rest of x]
    b = len(positions.shape)
    return Permute((*range(b, b + axis), *range(b), *range(b + axis, len(y.shape))))(y) if axis else y


# ── words the rules are written in ───────────────────────────────────────────────────────────────
def moved(x: Any, source: int, target: int) -> Any:
    """x with one axis moved."""
    if source == target:
        return x
    order = [d for d in range(len(x.shape)) if d != source]
    order.insert(target, source)
    return Permute(tuple(order))(x)


def iota(shape: Shape, axis: int) -> Any:
    """Each element's position (int64) along one axis."""
    n = shape[axis]
    line = Array(np.arange(n)) if isinstance(n, int) else CumSum(0)(full((n,), 1, INT64)) - 1
    return Expand(shape)(along(line, axis, len(shape)))


def with_lane(indices: Any) -> Any:
    """Coordinates with the number of the lane (axis 0) in front: [size, *b, k] -> [size, *b, k + 1]."""
    lane = iota((*indices.shape[:-1], 1), 0)
    return Concatenate(len(indices.shape) - 1)(lane, convert(indices, INT64))
