"""Reductions that leave nan out: nansum, nanmean, nanmedian and their kin.

Floor 5. Each is its plain namesake where nothing is nan. A slice of nothing but nan gives nan (sums 0, products 1,
positions -1). Elements that are nan have gradient 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.numpy import cumulative, ordering, reductions
from minigrad.numpy.indexing import take_along_axis
from minigrad.numpy.named import OF_ARRAY, named
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


def _total(name: str, plain: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of nansum, nanprod or nanmean."""

    def function(x: Operand, /, axis: Any = None, *, dtype: Any = None, keepdims: Any = False) -> Any:
        x = lift(x, name)
        return plain(x, axis, dtype=dtype, keepdims=keepdims, where=_present(x))

    return named(function, name, doc, example, OF_ARRAY)


def _running(name: str, plain: Callable[..., Any], neutral: int, doc: str, example: str) -> Callable[..., Any]:
    """The public function of nancumsum or nancumprod."""

    def function(x: Operand, /, axis: int | None = None, dtype: Any = None) -> Any:
        return plain(_filled(lift(x, name), neutral), axis, dtype)

    return named(function, name, doc, example, OF_ARRAY)


def _extreme(
    name: str, plain: Callable[..., Any], beyond: float, nothing: float, doc: str, example: str
) -> Callable[..., Any]:
    """The public function of an extreme or its place: nan becomes a number `beyond` all, a slice of nan `nothing`."""

    def function(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
        x = lift(x, name)
        y = plain(_filled(x, beyond), axis, keepdims=keepdims)
        if x.dtype.kind != "f":
            return y
        return e.where(reductions.all(e.isnan(x), axis, keepdims=keepdims), nothing, y)

    return named(function, name, doc, example, OF_ARRAY)


def _spread(name: str, plain: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of nanvar or nanstd."""

    def function(
        x: Operand,
        /,
        axis: Any = None,
        *,
        correction: float = 0.0,
        keepdims: Any = False,
        ddof: float | None = None,
        dtype: Any = None,
    ) -> Any:
        x = lift(x, name)
        lost, here = correction if ddof is None else ddof, _present(x)
        y = plain(x, axis, correction=lost, dtype=dtype, keepdims=keepdims, where=here)
        if here is None:
            return y
        return e.where(e.greater(reductions.sum(here, axis, keepdims=keepdims), lost), y, nan)

    return named(function, name, doc, example, OF_ARRAY)


nansum = _total("nansum", reductions.sum, "The sum of the elements that are not nan.", "[1.0, mnp.nan, 2.0] -> 3.0")
nanprod = _total(
    "nanprod", reductions.prod, "The product of the elements that are not nan.", "[3.0, mnp.nan, 2.0] -> 6.0"
)
nanmean = _total("nanmean", reductions.mean, "The mean of the elements that are not nan.", "[1.0, mnp.nan, 2.0] -> 1.5")
nancumsum = _running(
    "nancumsum", cumulative.cumsum, 0, "`cumsum` with nan counted as 0.", "[1.0, mnp.nan, 2.0] -> [1.0, 1.0, 3.0]"
)
nancumprod = _running(
    "nancumprod", cumulative.cumprod, 1, "`cumprod` with nan counted as 1.", "[3.0, mnp.nan, 2.0] -> [3.0, 3.0, 6.0]"
)
nanmax = _extreme(
    "nanmax", reductions.max, -inf, nan, "The largest element that is not nan.", "[1.0, mnp.nan, 2.0] -> 2.0"
)
nanmin = _extreme(
    "nanmin", reductions.min, inf, nan, "The smallest element that is not nan.", "[1.0, mnp.nan, 2.0] -> 1.0"
)
nanargmax = _extreme(
    "nanargmax",
    reductions.argmax,
    -inf,
    -1,
    "Where the first largest element that is not nan is (int64).",
    "[1.0, mnp.nan, 2.0] -> 2",
)
nanargmin = _extreme(
    "nanargmin",
    reductions.argmin,
    inf,
    -1,
    "Where the first smallest element that is not nan is (int64).",
    "[mnp.nan, 1.0, 2.0] -> 1",
)
nanvar = _spread(
    "nanvar",
    reductions.var,
    "The variance of the elements that are not nan; nan where there are not more than `correction` (or `ddof`).",
    "[1.0, mnp.nan, 3.0] -> 1.0",
)
nanstd = _spread(
    "nanstd",
    reductions.std,
    "The root of `nanvar`; where it is 0 its derivative is taken as 0.",
    "[1.0, mnp.nan, 3.0] -> 1.0",
)


# ── order statistics ─────────────────────────────────────────────────────────────────────────────
def nanmedian(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The middle of the elements that are not nan, or the mean of the two middle ones.

    >>> import minigrad.numpy as mnp
    >>> mnp.nanmedian(mnp.asarray([1.0, mnp.nan, 2.0])).tolist()
    1.5
    """
    return _quantile("nanmedian", x, 0.5, axis, keepdims)


def _at_fractions(name: str, whole: float, example: str) -> Callable[..., Any]:
    """The public function of nanquantile or nanpercentile."""

    def function(x: Operand, /, q: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
        return _quantile(name, x, ordering.fractions(name, q, whole), axis, keepdims)

    return named(function, name, f"`{name[3:]}` of the elements that are not nan.", example)


nanquantile = _at_fractions("nanquantile", 1, "mnp.asarray([0.0, mnp.nan, 2.0]), 0.25 -> 0.5")
nanpercentile = _at_fractions("nanpercentile", 100, "mnp.asarray([0.0, mnp.nan, 2.0]), 25 -> 0.5")


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
