"""Finding places in order: searchsorted, interp, isin.

Floor 5. A binary search over n elements is log₂(n) rounds of one gather and one choice, all queries at once: Shar's
(Knuth, The Art of Computer Programming 3, 6.2.1), whose steps depend on nothing but n.
"""

from __future__ import annotations

from typing import Any

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.numpy.manipulation import flip, ravel
from minigrad.op import Operand, lift
from minigrad.ops import elementwise as e
from minigrad.ops.axes import full_like
from minigrad.ops.composite import floating
from minigrad.ops.gather import taken
from minigrad.ops.movement import Reshape
from minigrad.ops.pieces import slice_axis
from minigrad.ops.reduce import Any_
from minigrad.types import INT32, INT64, promote


def searchsorted(x1: Operand, x2: Operand, /, side: str = "left", *, sorter: Operand | None = None) -> Any:
    """Where (int64) the elements of x2 would be inserted into the sorted vector x1 to keep it sorted.

    "left": before equal elements, "right": behind them. `sorter` is the order that sorts x1.

    >>> import minigrad.numpy as mnp
    >>> mnp.searchsorted(mnp.asarray([1, 2, 2, 3]), mnp.asarray([2, 5]), side="right").tolist()
    [3, 4]
    """
    x, queries = lift(x1, "searchsorted"), lift(x2, "searchsorted")
    if x.ndim != 1:
        raise ShapeError(f"searchsorted: takes a sorted vector, got {x.type}")
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    if sorter is not None:
        x = taken(x, lift(sorter, "searchsorted"), 0)
    dtype = promote(x.dtype, queries.dtype)
    x, queries = e.convert(x, dtype), e.convert(queries, dtype)
    n, floats = x.shape[0], dtype.kind == "f"
    place = full_like(queries, 0, INT32 if n < 1 << 30 else INT64)  # the narrower, the more at once
    before, last = (e.less if side == "left" else e.less_equal), floats and e.isnan(queries)  # nan comes last
    # invariant: what lies before the place goes before the query, and the answer is less than 2^(k + 1) behind it
    for k in reversed(range(n.bit_length())):
        found = taken(x, e.add(place, 2**k - 1), 0)
        right = before(found, queries)
        if floats:
            right = e.or_(right, e.and_(last, e.not_(e.isnan(found))) if side == "left" else last)
        step = 2**k if 2 ** (k + 1) <= n else n + 1 - 2**k  # the first one makes what is left a power of two
        place = e.where(right, e.add(place, step), place)
    return e.convert(place, INT64)


def digitize(x: Operand, /, bins: Operand, right: bool = False) -> Any:
    """Which bin (int64, 0: before the first edge) each element falls in, of edges that rise or fall: [n] -> 0 to n.

    An edge belongs to the bin above it, or to the one below if `right`. Positions have no gradient.

    >>> import minigrad.numpy as mnp
    >>> mnp.digitize(mnp.asarray([0.5, 2.0]), mnp.asarray([1.0, 2.0])).tolist()
    [0, 2]
    """
    edges = lift(bins, "digitize")
    if edges.ndim != 1:
        raise ShapeError(f"digitize: bins are a vector of edges, got {edges.type}")
    n = edges.shape[0]
    falling = e.greater(slice_axis(edges, 0, 0, min(n, 1)), slice_axis(edges, 0, n - min(n, 1), n))
    falling = Any_((0,))(falling)
    place = searchsorted(e.where(falling, flip(edges), edges), x, side="left" if right else "right")
    return e.where(falling, e.sub(n, place), place)


def interp(x: Operand, /, xp: Operand, fp: Operand, left: Operand | None = None, right: Operand | None = None) -> Any:
    """The line through the points (xp, fp), xp rising, at x; beyond the ends `left` and `right`, or the values there.

    xp and fp are vectors [n], n > 0; the result is a float of x's shape. Differentiable by x, xp and fp; at a point
    x has the slope to its right, beyond the ends 0.

    >>> import minigrad.numpy as mnp
    >>> mnp.interp(1.5, mnp.asarray([1.0, 2.0]), mnp.asarray([10.0, 20.0])).tolist()
    15.0
    """
    x, xp, fp = floating(x, "interp"), floating(xp, "interp"), floating(fp, "interp")
    if xp.ndim != 1 or xp.shape != fp.shape or xp.shape[0] == 0:
        raise ShapeError(f"interp: takes the points as two equally long vectors, got {xp.type} and {fp.type}")
    if "c" in (x.dtype.kind, xp.dtype.kind):
        raise DtypeError(f"interp: complex numbers are in no order, got {x.type} among {xp.type}")
    y = _along_line(x, xp, fp)
    n = xp.shape[0]
    if left is not None:
        y = e.where(e.less(x, Reshape(())(slice_axis(xp, 0, 0, 1))), left, y)
    if right is not None:
        y = e.where(e.greater(x, Reshape(())(slice_axis(xp, 0, n - 1, n))), right, y)
    return y


def _along_line(x: Any, xp: Any, fp: Any) -> Any:
    n = xp.shape[0]
    if n == 1:
        return e.add(full_like(x, 0, x.dtype), Reshape(())(fp))
    place = e.clip(searchsorted(xp, x, side="right"), 1, n - 1)
    x0, x1 = taken(xp, e.sub(place, 1), 0), taken(xp, place, 0)
    f0, f1 = taken(fp, e.sub(place, 1), 0), taken(fp, place, 0)
    part = e.clip(e.div(e.sub(x, x0), e.sub(x1, x0)), 0.0, 1.0)
    return e.add(f0, e.mul(part, e.sub(f1, f0)))


def isin(x1: Operand, x2: Operand, /, *, invert: bool = False) -> Any:
    """Is each element of x1 one of x2's?

    >>> import minigrad.numpy as mnp
    >>> mnp.isin(mnp.asarray([1, 2, 3]), mnp.asarray([3, 1])).tolist()
    [True, False, True]
    """
    x, elements = lift(x1, "isin"), ravel(lift(x2, "isin"))
    found = Any_((x.ndim,))(e.equal(Reshape((*x.shape, 1))(x), elements))
    return e.not_(found) if invert else found
