"""Running sums and products, and differences: functions along one axis.

Floor 5. Small integers accumulate in int64 or uint64, as in `sum`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.numpy.manipulation import ravel
from minigrad.numpy.reductions import accumulator
from minigrad.op import Op, Operand, lift
from minigrad.ops import cumulative as c
from minigrad.ops import running
from minigrad.ops.axes import axis_of
from minigrad.ops.elementwise import convert, not_equal, sub
from minigrad.ops.movement import full
from minigrad.ops.pieces import Concatenate, slice_axis
from minigrad.types import promote


def cumulative_sum(x: Operand, /, *, axis: int | None = None, dtype: Any = None, include_initial: Any = False) -> Any:
    """x₀, x₀ + x₁, ... along an axis; with `include_initial` a 0 in front. A vector needs no axis.

    >>> import minigrad.numpy as mnp
    >>> mnp.cumulative_sum(mnp.asarray([1, 2, 3]), include_initial=True).tolist()
    [0, 1, 3, 6]
    """
    return _running("cumulative_sum", c.CumSum, 0, x, axis, dtype, include_initial)


def cumulative_prod(x: Operand, /, *, axis: int | None = None, dtype: Any = None, include_initial: Any = False) -> Any:
    """x₀, x₀·x₁, ... along an axis; with `include_initial` a 1 in front. A vector needs no axis.

    >>> import minigrad.numpy as mnp
    >>> mnp.cumulative_prod(mnp.asarray([1, 2, 3])).tolist()
    [1, 2, 6]
    """
    return _running("cumulative_prod", c.CumProd, 1, x, axis, dtype, include_initial)


def _running(
    who: str, op: Callable[[int], Op], start: int, x: Operand, axis: int | None, dtype: Any, include_initial: Any
) -> Any:
    x = lift(x, who)
    if axis is None:
        if x.ndim != 1:
            raise ArgumentError(f"{who}: {x.type} needs an axis", hint="only a vector goes without")
        axis = 0
    place = axis_of(who, axis, x)
    x = convert(x, accumulator(x, dtype))
    y = op(place)(x)
    if not include_initial:
        return y
    edge = tuple(1 if d == place else n for d, n in enumerate(x.shape))
    return Concatenate(place)(full(edge, start, y.dtype), y)


def cumsum(x: Operand, /, axis: int | None = None, dtype: Any = None) -> Any:
    """x₀, x₀ + x₁, ... along an axis, or of all elements in a row.

    >>> import minigrad.numpy as mnp
    >>> mnp.cumsum(mnp.asarray([[1, 2], [3, 4]])).tolist()
    [1, 3, 6, 10]
    """
    return cumulative_sum(ravel(x) if axis is None else x, axis=0 if axis is None else axis, dtype=dtype)


def cumprod(x: Operand, /, axis: int | None = None, dtype: Any = None) -> Any:
    """x₀, x₀·x₁, ... along an axis, or of all elements in a row.

    >>> import minigrad.numpy as mnp
    >>> mnp.cumprod(mnp.asarray([[1, 2], [3, 4]]), axis=0).tolist()
    [[1, 2], [3, 8]]
    """
    return cumulative_prod(ravel(x) if axis is None else x, axis=0 if axis is None else axis, dtype=dtype)


def cummax(x: Operand, /, axis: int = 0) -> Any:
    """The largest element so far, along an axis.

    >>> import minigrad.numpy as mnp
    >>> mnp.cummax(mnp.asarray([1, 3, 2])).tolist()
    [1, 3, 3]
    """
    x = lift(x, "cummax")
    return running.cummax(x, axis_of("cummax", axis, x))


def cummin(x: Operand, /, axis: int = 0) -> Any:
    """The smallest element so far, along an axis.

    >>> import minigrad.numpy as mnp
    >>> mnp.cummin(mnp.asarray([2, 3, 1])).tolist()
    [2, 2, 1]
    """
    x = lift(x, "cummin")
    return running.cummin(x, axis_of("cummin", axis, x))


def diff(
    x: Operand, /, n: int = 1, axis: int = -1, *, prepend: Operand | None = None, append: Operand | None = None
) -> Any:
    """x₁ - x₀, x₂ - x₁, ... along an axis, n times over; prepend and append are joined on first.

    By position n comes before the axis, as in NumPy.

    >>> import minigrad.numpy as mnp
    >>> mnp.diff(mnp.asarray([1, 4, 9])).tolist()
    [3, 5]
    """
    x = lift(x, "diff")
    place = axis_of("diff", axis, x)
    if not isinstance(n, int) or n < 0:
        raise ArgumentError(f"diff: n must be a count, got {n!r}")
    parts = [lift(p, "diff") for p in (prepend, x, append) if p is not None]
    if len(parts) > 1:
        dtype = promote(*[p.dtype for p in parts])
        x = Concatenate(place)(*[convert(p, dtype) for p in parts])
    for _ in range(n):
        size = x.shape[place]
        edge = 0 if size == 0 else 1
        high, low = slice_axis(x, place, edge, size), slice_axis(x, place, 0, size - edge)
        x = not_equal(high, low) if x.dtype.kind == "b" else sub(high, low)
    return x
