"""Reading and adding at positions along one axis, each row with positions of its own.

Floor 2. `TakeAlongAxis` and `AddAlongAxis` are each other's transposes. A position beyond the axis is clipped to its
nearest end; refusing it, where it is known, is the work of keys.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Value, ndarray
from minigrad.ops.gather import Indexed
from minigrad.ops.kinds import Draw, Linear, Samples
from minigrad.ops.movement import Axial
from minigrad.types import TensorType, normal_axis, same_size


@dataclass(frozen=True)
class TakeAlongAxis(Linear, Indexed, Axial):
    """y[..., j, ...] = x[..., indices[..., j, ...], ...]: shapes agree save along `axis`."""

    axis: int
    label = "take_along_axis"

    def out_type(self, x: TensorType, indices: TensorType) -> TensorType:  # type: ignore[override]
        axis = normal_axis(self.label, self.axis, x)
        _check_alongside(self.label, x, indices, axis)
        if x.shape[axis] == 0 and 0 not in indices.shape:
            raise ArgumentError(f"take_along_axis: axis {axis} of {x} has no elements to take")
        return x.with_shape(indices.shape)

    def impl(self, x: ndarray, indices: ndarray) -> ndarray:
        _check_alongside(self.label, x, indices, self.axis)
        if not indices.size:
            return np.zeros(indices.shape, x.dtype)
        return np.take_along_axis(x, clipped(indices, x.shape[self.axis]), self.axis)

    def transpose(self, y_bar: Any, x: Value, indices: Value) -> Any:  # type: ignore[override]
        return AddAlongAxis(self.axis, x.shape[self.axis])(y_bar, indices)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis, index in [
            ((4,), 0, (6,)),
            ((3, 4), 1, (3, 2)),
            ((3, 2, 2), 0, (2, 2, 2)),
            ((3, 2), 0, (0, 2)),
        ]:
            yield cls(axis), (Draw(shape), Draw(index, "int64", (-1, 4)))


@dataclass(frozen=True)
class AddAlongAxis(Linear, Indexed, Axial):
    """y[..., indices[..., j, ...], ...] += updates[..., j, ...] into zeros of `size` along `axis`."""

    axis: int
    size: Any
    label = "add_along_axis"

    def out_type(self, updates: TensorType, indices: TensorType) -> TensorType:  # type: ignore[override]
        axis = normal_axis(self.label, self.axis, updates)
        _check_alongside(self.label, updates, indices, None)
        return updates.with_shape((*updates.shape[:axis], self.size, *updates.shape[axis + 1 :]))

    def impl(self, updates: ndarray, indices: ndarray) -> ndarray:
        _check_alongside(self.label, updates, indices, None)
        shape = (*updates.shape[: self.axis], self.size, *updates.shape[self.axis + 1 :])
        grid = list(np.ogrid[tuple(map(slice, updates.shape))]) if updates.ndim else []
        grid[self.axis] = clipped(indices, self.size)
        out = np.zeros(shape, updates.dtype)
        if out.size:
            position = np.ravel_multi_index(tuple(grid), shape).reshape(-1)
            np.add.at(out.reshape(-1), position, updates.reshape(-1))
        return out

    def transpose(self, y_bar: Any, updates: Value, indices: Value) -> Any:  # type: ignore[override]
        return TakeAlongAxis(self.axis)(y_bar, indices)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis in [((4,), 0), ((3, 4), 1), ((3, 2, 2), 0), ((0, 2), 0)]:
            yield cls(axis, 3), (Draw(shape), Draw(shape, "int64", (-1, 4)))


def _check_alongside(who: str, x: Any, indices: Any, but: int | None) -> None:
    fits = indices.ndim == x.ndim and all(
        d == but or same_size(n, m) for d, (n, m) in enumerate(zip(x.shape, indices.shape, strict=True))
    )
    if not fits:
        save = "" if but is None else f" save along axis {but}"
        raise ShapeError(f"{who}: {x} and positions {indices} must have one shape{save}")


def clipped(indices: ndarray, size: int) -> ndarray:
    return np.clip(indices, 0, max(size - 1, 0))
