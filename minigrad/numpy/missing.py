"""Reductions that leave nan out: nansum, nanmean, nanmedian and their kin.

Floor 5. Each is its plain namesake where nothing is nan. A slice of nothing but nan gives nan (sums 0, products 1,
positions -1). Elements that are nan have gradient 0.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.numpy import cumulative, ordering, reductions
from minigrad.numpy.indexing import take_along_axis
from minigrad.op import Operand, lift
from minigrad.ops import elementwise as e
from minigrad.ops.axes import axes_of
from minigrad.ops.composite import floating
from minigrad.types import INT64


def _present(x: Any) -> Any:
    """Which elements are not nan; None: all of them."""
    return e.not_(e.isnan(x)) if x.dtype.kind in "fc" else None


def _filled(x: Any, value: float) -> Any:
    """x with a number in place of nan."""
    return e.where(e.isnan(x), value, x) if x.dtype.kind in "fc" else x


def nansum(x: Operand, /, axis: Any = None, *, dtype: Any = None, keepdims: Any = False) -> Any:
    """The sum of the elements that are not nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.nansum(mnp.asarray([1.0, mnp.nan, 2.0])).tolist()
    3.0
    """
    x = lift(x, "nansum")
    return reductions.sum(x, axis, dtype=dtype, keepdims=keepdims, where=_present(x))


def nanprod(x: Operand, /, axis: Any = None, *, dtype: Any = None, keepdims: Any = False) -> Any:
    """The product of the elements that are not nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanprod(mnp.asarray([3.0, mnp.nan, 2.0])).tolist()
    6.0
    """
    x = lift(x, "nanprod")
    return reductions.prod(x, axis, dtype=dtype, keepdims=keepdims, where=_present(x))


def nancumsum(x: Operand, /, axis: int | None = None, dtype: Any = None) -> Any:
    """`cumsum` with nan counted as 0.

    >>> import minigrad.numpy as mnp
    >>> mnp.nancumsum(mnp.asarray([1.0, mnp.nan, 2.0])).tolist()
    [1.0, 1.0, 3.0]
    """
    return cumulative.cumsum(_filled(lift(x, "nancumsum"), 0), axis, dtype)


def nancumprod(x: Operand, /, axis: int | None = None, dtype: Any = None) -> Any:
    """`cumprod` with nan counted as 1.

    >>> import minigrad.numpy as mnp
    >>> mnp.nancumprod(mnp.asarray([3.0, mnp.nan, 2.0])).tolist()
    [3.0, 3.0, 6.0]
    """
    return cumulative.cumprod(_filled(lift(x, "nancumprod"), 1), axis, dtype)


def nanmax(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The largest element that is not nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanmax(mnp.asarray([1.0, mnp.nan, 2.0])).tolist()
    2.0
    """
    return _extreme(lift(x, "nanmax"), reductions.max, -math.inf, axis, keepdims)


def nanmin(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The smallest element that is not nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanmin(mnp.asarray([1.0, mnp.nan, 2.0])).tolist()
    1.0
    """
    return _extreme(lift(x, "nanmin"), reductions.min, math.inf, axis, keepdims)


def _extreme(x: Any, function: Any, beyond: float, axis: Any, keepdims: Any) -> Any:
    y = function(_filled(x, beyond), axis, keepdims=keepdims)
    if x.dtype.kind != "f":
        return y
    return e.where(reductions.all(e.isnan(x), axis, keepdims=keepdims), math.nan, y)


def nanargmax(x: Operand, /, axis: int | None = None, *, keepdims: Any = False) -> Any:
    """Where the first largest element that is not nan is (int64).

    >>> import minigrad.numpy as mnp
    >>> mnp.nanargmax(mnp.asarray([1.0, mnp.nan, 2.0])).tolist()
    2
    """
    return _position(lift(x, "nanargmax"), reductions.argmax, -math.inf, axis, keepdims)


def nanargmin(x: Operand, /, axis: int | None = None, *, keepdims: Any = False) -> Any:
    """Where the first smallest element that is not nan is (int64).

    >>> import minigrad.numpy as mnp
    >>> mnp.nanargmin(mnp.asarray([mnp.nan, 1.0, 2.0])).tolist()
    1
    """
    return _position(lift(x, "nanargmin"), reductions.argmin, math.inf, axis, keepdims)


def _position(x: Any, function: Any, beyond: float, axis: Any, keepdims: Any) -> Any:
    y = function(_filled(x, beyond), axis, keepdims=keepdims)
    if x.dtype.kind != "f":
        return y
    return e.where(reductions.all(e.isnan(x), axis, keepdims=keepdims), -1, y)


# ── means and what builds on them ────────────────────────────────────────────────────────────────
def nanmean(x: Operand, /, axis: Any = None, *, dtype: Any = None, keepdims: Any = False) -> Any:
    """The mean of the elements that are not nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanmean(mnp.asarray([1.0, mnp.nan, 2.0])).tolist()
    1.5
    """
    x = lift(x, "nanmean")
    return reductions.mean(x, axis, dtype=dtype, keepdims=keepdims, where=_present(x))


def nanvar(
    x: Operand,
    /,
    axis: Any = None,
    *,
    correction: float = 0.0,
    keepdims: Any = False,
    ddof: float | None = None,
    dtype: Any = None,
) -> Any:
    """The variance of the elements that are not nan; nan where there are not more than `correction` (or `ddof`).

    >>> import minigrad.numpy as mnp
    >>> mnp.nanvar(mnp.asarray([1.0, mnp.nan, 3.0])).tolist()
    1.0
    """
    return _spread(reductions.var, "nanvar", x, axis, correction if ddof is None else ddof, dtype, keepdims)


def nanstd(
    x: Operand,
    /,
    axis: Any = None,
    *,
    correction: float = 0.0,
    keepdims: Any = False,
    ddof: float | None = None,
    dtype: Any = None,
) -> Any:
    """The root of `nanvar`; where it is 0 its derivative is taken as 0.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanstd(mnp.asarray([1.0, mnp.nan, 3.0])).tolist()
    1.0
    """
    return _spread(reductions.std, "nanstd", x, axis, correction if ddof is None else ddof, dtype, keepdims)


def _spread(function: Any, who: str, x: Operand, axis: Any, lost: float, dtype: Any, keepdims: Any) -> Any:
    x = lift(x, who)
    here = _present(x)
    y = function(x, axis, correction=lost, dtype=dtype, keepdims=keepdims, where=here)
    if here is None:
        return y
    return e.where(e.greater(reductions.sum(here, axis, keepdims=keepdims), lost), y, math.nan)


# ── order statistics ─────────────────────────────────────────────────────────────────────────────
def nanmedian(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The middle of the elements that are not nan, or the mean of the two middle ones.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanmedian(mnp.asarray([1.0, mnp.nan, 2.0])).tolist()
    1.5
    """
    return _quantile("nanmedian", x, 0.5, axis, keepdims)


def nanquantile(x: Operand, q: Any, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """`quantile` of the elements that are not nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanquantile(mnp.asarray([0.0, mnp.nan, 2.0]), 0.25).tolist()
    0.5
    """
    return _quantile("nanquantile", x, ordering.fractions("nanquantile", q), axis, keepdims)


def nanpercentile(x: Operand, q: Any, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """`percentile` of the elements that are not nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanpercentile(mnp.asarray([0.0, mnp.nan, 2.0]), 25).tolist()
    0.5
    """
    return _quantile("nanpercentile", x, ordering.fractions("nanpercentile", q, 100), axis, keepdims)


def _quantile(who: str, x: Operand, q: Any, axis: Any, keepdims: Any) -> Any:
    x = floating(x, who)
    axes = axes_of(who, axis, x)
    rows = ordering.rows_over(x, axes)
    if rows.shape[-1] == 0:
        raise ArgumentError(f"{who}: {x.type} has no elements along axes {axes}")
    rising = ordering.sort(rows)  # nan last
    last = reductions.count_nonzero(e.not_(e.isnan(rows)), -1, keepdims=True)
    last = e.max_(e.sub(last, 1), 0)  # of nothing but nan, the first nan

    def at(fraction: float) -> Any:
        place = e.mul(e.convert(last, x.dtype), fraction)
        low = e.convert(place, INT64)
        part = e.sub(place, e.convert(low, x.dtype))
        below, above = (take_along_axis(rising, p) for p in (low, e.min_(e.add(low, 1), last)))
        return e.add(e.mul(below, e.sub(1, part)), e.mul(above, part))

    return ordering.for_each_fraction(at, q, x, axes, keepdims)
