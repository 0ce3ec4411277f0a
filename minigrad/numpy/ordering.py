"""Sorting, order statistics, and the distinct elements.

Floor 5. Sorts are stable in both directions; nan counts as the largest. The shape of unique_* depends on the numbers:
eagerly, and in `grad` without `jit`, it is exact; in a graph it is a ConcretizationError unless `size=` fixes it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy.indexing import SIZED, flatnonzero, take
from minigrad.numpy.known import known
from minigrad.numpy.manipulation import ravel
from minigrad.numpy.named import OF_ARRAY, named
from minigrad.op import Array, Operand, Value, lift
from minigrad.ops import elementwise as e
from minigrad.ops import sort as order
from minigrad.ops.axes import axes_of, axis_of, kept
from minigrad.ops.composite import floating
from minigrad.ops.cumulative import CumSum
from minigrad.ops.gather import Scatter
from minigrad.ops.movement import Permute, Reshape, full, keep_axes, without
from minigrad.ops.pieces import Concatenate, slice_axis
from minigrad.ops.reduce import Any_
from minigrad.types import BOOL, INT64


def _sorting(name: str, along: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of sort or argsort."""

    def function(
        x: Operand, /, axis: int | None = -1, *, descending: Any = False, stable: Any = True, kind: str | None = None
    ) -> Any:
        x = lift(x, name)
        if axis is None:
            x, axis = ravel(x), -1
        return along(x, axis=axis_of(name, axis, x), descending=bool(descending))

    return named(
        function, name, f"{doc}\n\nAlways stable, whatever `stable` and NumPy's `kind` allow.", example, OF_ARRAY
    )


sort = _sorting(
    "sort",
    order.sort,
    "x in rising (or falling) order along an axis; None: all elements as one row.",
    "[3, 1, 2] -> [1, 2, 3]",
)
argsort = _sorting(
    "argsort", order.argsort, "The positions (int64) that sort x along an axis.", "[3, 1, 2] -> [1, 2, 0]"
)


def lexsort(keys: Sequence[Operand], /, axis: int = -1) -> Any:
    """The positions that sort by the last key, among equals by the one before it, and so on.

    >>> import minigrad.numpy as mnp
    >>> mnp.lexsort([mnp.asarray([2, 1, 1]), mnp.asarray([1, 1, 0])]).tolist()
    [2, 1, 0]
    """
    xs = [lift(k, "lexsort") for k in keys]
    if not xs:
        raise ArgumentError("lexsort: needs at least one key")
    return order.argsort(*xs[::-1], axis=axis_of("lexsort", axis, xs[0]))


def top_k(x: Operand, k: int, /) -> tuple[Any, Any]:
    """The k largest elements of the last axis, largest first, and their positions (int64).

    >>> import minigrad.numpy as mnp
    >>> [t.tolist() for t in mnp.top_k(mnp.asarray([1, 3, 2]), 2)]
    [[3, 2], [1, 2]]
    """
    return order.top_k(x, k)


# ── order statistics ─────────────────────────────────────────────────────────────────────────────
def median(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The middle element over axes, or the mean of the two middle ones; nan if there is a nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.median(mnp.asarray([3, 1, 2, 10])).tolist()
    2.5
    """
    return _quantile("median", x, 0.5, axis, keepdims)


def quantile(x: Operand, /, q: Any, axis: Any = None, *, method: str = "linear", keepdims: Any = False) -> Any:
    """The q-th quantile over axes, q in [0, 1], between sorted elements.

    Methods: "linear" interpolation; of the two neighbours the "lower", "higher" or "nearest", or their "midpoint".

    q is a number, or a list or array of them, whose axes then come first; it must be known.

    >>> import minigrad.numpy as mnp
    >>> mnp.quantile(mnp.asarray([0.0, 1.0, 2.0]), 0.25).tolist()
    0.5
    """
    return _quantile("quantile", x, fractions("quantile", q), axis, keepdims, method)


def percentile(x: Operand, /, q: Any, axis: Any = None, *, method: str = "linear", keepdims: Any = False) -> Any:
    """`quantile` with q in [0, 100].

    >>> import minigrad.numpy as mnp
    >>> mnp.percentile(mnp.asarray([0.0, 1.0, 2.0]), [25, 50]).tolist()
    [0.5, 1.0]
    """
    return _quantile("percentile", x, fractions("percentile", q, 100), axis, keepdims, method)


def fractions(who: str, q: Any, whole: float = 1) -> Any:
    """q / whole as an array of numbers in [0, 1]."""
    q = np.asarray(q) if isinstance(q, Value) else q
    numbers = isinstance(q, (int, float, list, tuple, np.ndarray, np.number)) and np.asarray(q).dtype.kind in "iuf"
    if not numbers or not np.all((np.asarray(q) >= 0) & (np.asarray(q) <= whole)):
        raise ArgumentError(f"{who}: q must be a number in [0, {whole}], or an array of them, got {q!r}")
    return np.asarray(q) / whole


def rows_over(x: Value, axes: tuple[int, ...]) -> Any:
    """[.., n, ..] -> [*others, n]: the elements over axes as rows."""
    others = [d for d in range(x.ndim) if d not in axes]
    n = operator.index(math.prod(x.shape[d] for d in axes))
    return Reshape((*(x.shape[d] for d in others), n))(Permute((*others, *axes))(x))


def for_each_fraction(f: Callable[[float], Any], q: Any, x: Value, axes: tuple[int, ...], keepdims: Any) -> Any:
    """f of every fraction, [*others, 1] each, stacked to [*q, *others]."""
    shape = keep_axes(x.shape, axes) if keepdims else without(x.shape, axes)
    parts = [Reshape((1, *shape))(f(float(part))) for part in np.ravel(q)]
    if not parts:
        return full((*np.shape(q), *shape), 0, x.dtype)
    return Reshape((*np.shape(q), *shape))(Concatenate(0)(*parts))


# from a place between two elements, counted from 0, to the place whose value is given
METHODS: dict[str, Callable[[float], float]] = {
    "linear": lambda place: place,
    "lower": math.floor,
    "higher": math.ceil,
    "nearest": round,
    "midpoint": lambda place: (math.floor(place) + math.ceil(place)) / 2,
}


def _quantile(who: str, x: Operand, q: Any, axis: Any, keepdims: Any, method: str = "linear") -> Any:
    x = floating(x, who)
    if method not in METHODS:
        raise ArgumentError(f"{who}: unknown method {method!r}", hint=f"known: {', '.join(METHODS)}")
    axes = axes_of(who, axis, x)
    rows = rows_over(x, axes)
    n, last = rows.shape[-1], rows.ndim - 1
    if n == 0:
        raise ArgumentError(f"{who}: {x.type} has no elements along axes {axes}")
    rising = order.sort(rows, axis=last)
    broken = kept(Any_((last,))(e.isnan(rows)), rows.shape, (last,))

    def at(fraction: float) -> Any:
        place = METHODS[method](fraction * (n - 1))
        low, part = int(place), place - int(place)
        y = slice_axis(rising, last, low, low + 1)
        if part:
            y = e.add(e.mul(y, 1 - part), e.mul(slice_axis(rising, last, low + 1, low + 2), part))
        return e.where(broken, math.nan, y)

    return for_each_fraction(at, q, x, axes, keepdims)


# ── the distinct elements ────────────────────────────────────────────────────────────────────────
class UniqueAll(NamedTuple):
    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    values: Any
    inverse_indices: Any


def unique_values(x: Operand, /, *, size: int | None = None) -> Any:
    """The distinct elements in rising order (every nan is distinct). With `size`, exactly so many: the largest repeats.

    >>> import minigrad.numpy as mnp
    >>> mnp.unique_values(mnp.asarray([3, 1, 3])).tolist()
    [1, 3]
    """
    return _distinct(x, "unique_values", size=size).values


def _so_many(x: Value, who: str, size: int, equal_nan: bool) -> UniqueAll:
    """As many distinct elements as are asked for, by ops: each begins a run of the sorted elements."""
    shape, x = x.shape, ravel(x)
    n = x.shape[0]
    if n == 0:
        raise ShapeError(f"{who}: {x.type} has no element to fill size {size} with")
    places = order.argsort(x, axis=0)
    rising = take(x, places)
    high, low = slice_axis(rising, 0, 1, n), slice_axis(rising, 0, 0, n - 1)
    new = e.not_equal(high, low)
    if equal_nan:
        new = e.and_(new, e.equal(low, low))  # nan comes last, so what follows one is another
    new = Concatenate(0)(full((1,), True, BOOL), new)
    starts = flatnonzero(new, size=size + 1, fill_value=n)
    ends, starts = slice_axis(starts, 0, 1, size + 1), slice_axis(starts, 0, 0, size)
    first = take(places, e.min_(starts, n - 1))
    run = e.sub(CumSum(0)(e.convert(new, INT64)), 1)  # of each sorted element; of each element, it is scattered back
    inverse = Scatter((0,), "set", "drop")(full((n,), 0, INT64), run, Reshape((n, 1))(places))
    return UniqueAll(take(x, first), first, Reshape(shape)(inverse), e.sub(ends, starts))


def unique_all(x: Operand, /, *, size: int | None = None) -> UniqueAll:
    """The distinct elements in rising order, where each first stands, which one each element is, and how many.

    With `size`, exactly so many: the largest repeats, 0 times; those left out are still counted by the inverse.

    >>> import minigrad.numpy as mnp
    >>> [t.tolist() for t in mnp.unique_all(mnp.asarray([3, 1, 3]))]
    [[1, 3], [1, 0], [1, 0, 1], [1, 2]]
    """
    return _distinct(x, "unique_all", size=size)


def _distinct(
    x: Operand, who: str, axis: int | None = None, equal_nan: bool = False, size: int | None = None
) -> UniqueAll:
    x = lift(x, who)
    if size is not None:
        return _so_many(x, who, size, equal_nan)
    found = np.unique(
        known(x, who, SIZED),
        return_index=True,
        return_inverse=True,
        return_counts=True,
        axis=axis,
        equal_nan=equal_nan,
    )
    indices, inverse, counts = (Array(t.astype(np.int64)) for t in found[1:])
    # the values by a gather, so that they carry a gradient
    inverse = inverse if axis is not None else Reshape(x.shape)(inverse)
    return UniqueAll(take(x, indices, axis), indices, inverse, counts)


def unique_counts(x: Operand, /, *, size: int | None = None) -> UniqueCounts:
    """The distinct elements in rising order, and how many of each (`size`: as in `unique_all`).

    >>> import minigrad.numpy as mnp
    >>> [t.tolist() for t in mnp.unique_counts(mnp.asarray([3, 1, 3]))]
    [[1, 3], [1, 2]]
    """
    found = _distinct(x, "unique_counts", size=size)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Operand, /, *, size: int | None = None) -> UniqueInverse:
    """The distinct elements in rising order, and which one each element of x is, in its shape.

    With `size`, exactly so many, as in `unique_all`.

    >>> import minigrad.numpy as mnp
    >>> [t.tolist() for t in mnp.unique_inverse(mnp.asarray([3, 1, 3]))]
    [[1, 3], [1, 0, 1]]
    """
    found = _distinct(x, "unique_inverse", size=size)
    return UniqueInverse(found.values, found.inverse_indices)


def unique(
    x: Operand,
    /,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: int | None = None,
) -> Any:
    """NumPy's spelling: the distinct elements (or slices along an axis), and what else is asked for, as a tuple.

    All nan are one, unless `equal_nan=False`.

    >>> import minigrad.numpy as mnp
    >>> mnp.unique(mnp.asarray([3, 1, 3])).tolist()
    [1, 3]
    """
    wanted = (return_index, return_inverse, return_counts)
    if size is not None and axis is not None:
        raise ArgumentError("unique: size= is of all elements, not along an axis")
    values, *rest = _distinct(x, "unique", None if axis is None else axis_of("unique", axis, lift(x)), equal_nan, size)
    return (values, *(part for part, w in zip(rest, wanted, strict=True) if w)) if any(wanted) else values
