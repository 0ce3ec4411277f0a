"""Running sums and products, and differences: functions along one axis.

Floor 5. Small integers accumulate in int64 or uint64, as in `sum`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.numpy.manipulation import ravel
from minigrad.numpy.named import OF_ARRAY, named
from minigrad.numpy.reductions import accumulator
from minigrad.op import Op, Operand, lift
from minigrad.ops import cumulative as c
from minigrad.ops import running
from minigrad.ops.axes import axis_of, python_number
from minigrad.ops.elementwise import convert, not_equal, sub
from minigrad.ops.movement import expand_to, full, keep_axes
from minigrad.ops.pieces import Concatenate, slice_axis
from minigrad.types import promote


def _cumulative(name: str, op: Callable[[int], Op], start: int, doc: str, example: str) -> Callable[..., Any]:
    """The public function of a running sum or product, by the Array API's name."""

    def function(x: Operand, /, *, axis: int | None = None, dtype: Any = None, include_initial: Any = False) -> Any:
        x = lift(x, name)
        if axis is None:
            if x.ndim != 1:
                raise ArgumentError(f"{name}: {x.type} needs an axis", hint="only a vector goes without")
            axis = 0
        place = axis_of(name, axis, x)
        x = convert(x, accumulator(x, dtype))
        y = op(place)(x)
        if not include_initial:
            return y
        edge = keep_axes(x.shape, {place})
        return Concatenate(place)(full(edge, start, y.dtype), y)

    doc = f"{doc} along an axis; with `include_initial` a {start} in front. A vector needs no axis."
    return named(function, name, doc, example, OF_ARRAY)


def _of_all(name: str, cumulative: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function by NumPy's name, which without an axis takes all elements in a row."""

    def function(x: Operand, /, axis: int | None = None, dtype: Any = None) -> Any:
        return cumulative(ravel(x) if axis is None else x, axis=0 if axis is None else axis, dtype=dtype)

    return named(function, name, f"{doc} along an axis, or of all elements in a row.", example, OF_ARRAY)


def _so_far(name: str, extreme: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of a running extreme."""

    def function(x: Operand, /, axis: int = 0) -> Any:
        x = lift(x, name)
        return extreme(x, axis_of(name, axis, x))

    return named(function, name, doc, example, OF_ARRAY)


cumulative_sum = _cumulative("cumulative_sum", c.CumSum, 0, "x₀, x₀ + x₁, ...", "[1, 2, 3] -> [1, 3, 6]")
cumulative_prod = _cumulative("cumulative_prod", c.CumProd, 1, "x₀, x₀·x₁, ...", "[1, 2, 3] -> [1, 2, 6]")
cumsum = _of_all("cumsum", cumulative_sum, "x₀, x₀ + x₁, ...", "[[1, 2], [3, 4]] -> [1, 3, 6, 10]")
cumprod = _of_all("cumprod", cumulative_prod, "x₀, x₀·x₁, ...", "[[1, 2], [3, 4]] -> [1, 2, 6, 24]")
cummax = _so_far("cummax", running.cummax, "The largest element so far, along an axis.", "[1, 3, 2] -> [1, 3, 3]")
cummin = _so_far("cummin", running.cummin, "The smallest element so far, along an axis.", "[2, 3, 1] -> [2, 2, 1]")


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
    place, n = axis_of("diff", axis, x), python_number(n)
    if not isinstance(n, int) or n < 0:
        raise ArgumentError(f"diff: n must be a count, got {n!r}")
    ends = keep_axes(x.shape, {place})
    parts = [expand_to(p, p.shape or ends) for p in (lift(p, "diff") for p in (prepend, x, append) if p is not None)]
    if len(parts) > 1:
        dtype = promote(*[p.dtype for p in parts])
        x = Concatenate(place)(*[convert(p, dtype) for p in parts])
    for _ in range(n):
        size = x.shape[place]
        edge = 0 if size == 0 else 1
        high, low = slice_axis(x, place, edge, size), slice_axis(x, place, 0, size - edge)
        x = not_equal(high, low) if x.dtype.kind == "b" else sub(high, low)
    return x
