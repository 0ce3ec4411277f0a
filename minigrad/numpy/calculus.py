"""Functions on a grid: slopes, areas, unwrapped angles; grids with even ratios; polynomials.

Floor 5.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy.creation import linspace
from minigrad.numpy.cumulative import diff
from minigrad.op import Operand, Value, lift
from minigrad.ops import elementwise as e
from minigrad.ops.axes import axis_of
from minigrad.ops.composite import floating
from minigrad.ops.cumulative import CumSum
from minigrad.ops.movement import Reshape, Sum, along
from minigrad.ops.pieces import Concatenate, slice_axis
from minigrad.types import as_dtype


def trapezoid(y: Operand, /, x: Operand | None = None, dx: Operand = 1.0, axis: int = -1) -> Any:
    """The area under y along an axis by trapezoids, at places x (a vector, or of y's shape) or dx apart.

    >>> import minigrad.numpy as mnp
    >>> mnp.trapezoid(mnp.asarray([1.0, 2.0, 3.0])).tolist()
    4.0
    """
    y = floating(y, "trapezoid")
    place = axis_of("trapezoid", axis, y)
    n = y.shape[place]
    width = dx
    if x is not None:
        x = lift(x, "trapezoid")
        width = diff(x, axis=0 if x.ndim == 1 else axis)
        if x.ndim == 1:
            width = along(width, place, y.ndim)
    pairs = e.add(slice_axis(y, place, min(1, n), n), slice_axis(y, place, 0, max(n - 1, 0)))
    return Sum((place,))(e.mul(0.5, e.mul(width, pairs)))


def gradient(f: Operand, /, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slopes of f along axes (None: all), by differences of second order, of `edge_order` (1, 2) at the ends.

    `varargs`: one distance for all axes, or for each a distance or the vector of coordinates. One axis gives an
    array, several a list.

    >>> import minigrad.numpy as mnp
    >>> mnp.gradient(mnp.asarray([1.0, 4.0, 9.0, 16.0])).tolist()
    [3.0, 4.0, 6.0, 7.0]
    """
    f = floating(f, "gradient")
    given = range(f.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = [axis_of("gradient", a, f) for a in given]
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient: edge_order must be 1 or 2, got {edge_order!r}")
    steps = [1.0] * len(axes) if not varargs else list(varargs) * (len(axes) if len(varargs) == 1 else 1)
    if len(steps) != len(axes):
        raise ArgumentError(f"gradient: {len(varargs)} distances for {len(axes)} axes of {f.type}")
    slopes = [_slope(f, step, d, edge_order) for step, d in zip(steps, axes, strict=True)]
    return slopes[0] if len(slopes) == 1 else slopes


def _slope(f: Value, step: Any, axis: int, edge_order: int) -> Any:
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ShapeError(f"gradient: axis {axis} of {f.type} needs at least {edge_order + 1} elements")

    def at(start: int, stop: int) -> Any:
        return slice_axis(f, axis, start, stop)

    widths = _widths(f, step, axis)  # h_i = x_{i+1} − x_i, as a tensor that broadcasts along the axis, and a reader
    left, right = widths(0, n - 2), widths(1, n - 1)
    # the parabola through three neighbours: weights of f_{i-1}, f_i, f_{i+1}
    inside = e.add(
        e.mul(e.div(left, e.mul(right, e.add(left, right))), e.sub(at(2, n), at(1, n - 1))),
        e.mul(e.div(right, e.mul(left, e.add(left, right))), e.sub(at(1, n - 1), at(0, n - 2))),
    )
    first = e.div(e.sub(at(1, 2), at(0, 1)), widths(0, 1))
    last = e.div(e.sub(at(n - 1, n), at(n - 2, n - 1)), widths(n - 2, n - 1))
    if edge_order == 2:  # the same parabola's slope at its ends: twice the chord's less the middle's
        turn_first = e.div(e.sub(slice_axis(inside, axis, 0, 1), first), widths(1, 2))
        turn_last = e.div(e.sub(last, slice_axis(inside, axis, n - 3, n - 2)), widths(n - 3, n - 2))
        first = e.sub(first, e.mul(turn_first, widths(1, 2)))
        last = e.add(last, e.mul(turn_last, widths(n - 3, n - 2)))
    return Concatenate(axis)(first, inside, last)


def _widths(f: Value, step: Any, axis: int) -> Any:
    """start, stop -> the distances between neighbours in that range, or the one distance they all have."""
    h = e.convert(lift(step, "gradient"), f.dtype)
    if h.ndim == 0:
        return lambda start, stop: h
    if h.ndim != 1 or h.shape[0] != f.shape[axis]:
        raise ShapeError(f"gradient: coordinates {h.type} for axis {axis} of {f.type}")
    gaps = diff(h)
    widths = along(gaps, axis, f.ndim)
    return lambda start, stop: slice_axis(widths, axis, start, stop)


def unwrap(p: Operand, /, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    """Angles without jumps: neighbours that differ by `discont` (at least half a period) or more are moved by periods.

    >>> import minigrad.numpy as mnp
    >>> mnp.unwrap(mnp.asarray([0.0, 3.0, 6.5]), period=4).tolist()
    [0.0, -1.0, -1.5]
    """
    p = floating(p, "unwrap")
    place = axis_of("unwrap", axis, p)
    n = p.shape[place]
    if n == 0:
        return p
    half = period / 2
    step = diff(p, axis=place)
    near = e.sub(e.rem(e.add(step, half), period), half)
    near = e.where(e.and_(e.equal(near, -half), e.greater(step, 0)), half, near)
    jumps = e.greater_equal(e.abs_(step), half if discont is None else max(discont, half))
    moved = CumSum(place)(e.where(jumps, e.sub(near, step), 0))
    return Concatenate(place)(slice_axis(p, place, 0, 1), e.add(slice_axis(p, place, 1, n), moved))


# ── even ratios ──────────────────────────────────────────────────────────────────────────────────
def logspace(
    start: Operand, /, stop: Operand, num: int = 50, endpoint: Any = True, base: Operand = 10.0, dtype: Any = None
) -> Any:
    """base to the powers from start to stop, evenly spaced.

    >>> import minigrad.numpy as mnp
    >>> mnp.logspace(0, 3, 4).tolist()
    [1.0, 10.0, 100.0, 1000.0]
    """
    y = e.pow_(base, linspace(start, stop, num, endpoint=endpoint))
    return y if dtype is None else e.convert(y, as_dtype(dtype))


def geomspace(start: Operand, /, stop: Operand, num: int = 50, endpoint: Any = True, dtype: Any = None) -> Any:
    """`num` numbers from start to stop (of one sign) with one ratio between neighbours: floats [num, ..].

    Of arrays, which broadcast, the new axis is the first. Differentiable in both.

    >>> import minigrad.numpy as mnp
    >>> mnp.geomspace(1, 8, 4).round(5).tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    first, last = floating(start, "geomspace"), floating(stop, "geomspace")
    power = linspace(0.0, 1.0, num, endpoint=endpoint, dtype=(first * last).dtype)
    # start·(stop/start)^t; at t = 0 and 1 exactly start and stop
    power = Reshape((power.shape[0], *[1] * max(first.ndim, last.ndim)))(power)
    y = e.mul(first, e.pow_(e.div(last, first), power))
    y = e.where(e.equal(power, 1), last, y)
    return y if dtype is None else e.convert(y, as_dtype(dtype))


def polyval(p: Operand, /, x: Operand) -> Any:
    """p₀·xⁿ + p₁·xⁿ⁻¹ + ... + pₙ of a vector of coefficients, by Horner's rule.

    >>> import minigrad.numpy as mnp
    >>> mnp.polyval(mnp.asarray([1, 0, 2]), 3).tolist()
    11
    """
    p, x = lift(p, "polyval"), lift(x, "polyval")
    if p.ndim != 1:
        raise ShapeError(f"polyval: takes a vector of coefficients, got {p.type}")
    y = e.mul(x, 0)
    for i in range(p.shape[0]):
        y = e.add(e.mul(y, x), Reshape(())(slice_axis(p, 0, i, i + 1)))
    return y
