"""Sums, products, extremes and statistics over axes.

Floor 5. `axis=None` means all axes. A sum or product of small integers (and bools) is computed in int64 or uint64,
so it does not wrap; means of integers are float32; `dtype=` converts before anything is added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy.creation import full
from minigrad.numpy.elementwise import isclose
from minigrad.numpy.named import OF_ARRAY, named
from minigrad.op import Op, Operand, Value, lift
from minigrad.ops import composite
from minigrad.ops.axes import axes_of, axis_of, kept
from minigrad.ops.elementwise import add, and_, convert, equal, max_, min_, mul, not_equal, or_
from minigrad.ops.elementwise import where as chosen
from minigrad.ops.movement import Permute, Reshape, Sum, expand_to, without
from minigrad.ops.reduce import All, Any_, ArgMax, ArgMin, Max, Min, Prod
from minigrad.types import INT64, LONG, DType, as_dtype, same_shape

OverAxes = Callable[[tuple[int, ...]], Op]


def accumulator(x: Value, dtype: Any) -> DType:
    """The dtype a sum or product is computed in."""
    if dtype is not None:
        return as_dtype(dtype)
    kind = x.dtype.kind
    return INT64 if kind in "bi" else LONG["u64"] if kind == "u" else x.dtype


def _total(
    name: str, op: OverAxes, neutral: int, pair: Callable[..., Any], doc: str, example: str
) -> Callable[..., Any]:
    """The public function of sum or prod."""

    def function(
        x: Operand,
        /,
        axis: Any = None,
        *,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Operand | None = None,
        where: Operand | None = None,
    ) -> Any:
        x = lift(x, name)
        found = accumulator(x, dtype)
        x = x if where is None else chosen(where, x, neutral)
        x = x if x.dtype is found else convert(x, found)
        axes = axes_of(name, axis, x)
        y = op(axes)(x)
        y = kept(y, x.shape, axes) if keepdims else y
        return y if initial is None else pair(y, initial)

    return named(function, name, f"{doc} `where` says which elements count; `initial` is one more.", example, OF_ARRAY)


def _extreme(name: str, op: OverAxes, pair: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of max or min."""

    def function(
        x: Operand,
        /,
        axis: Any = None,
        *,
        keepdims: Any = False,
        initial: Operand | None = None,
        where: Operand | None = None,
    ) -> Any:
        x = lift(x, name)
        if where is not None:
            if initial is None:
                raise ArgumentError(f"{name}: where= may leave nothing over, which has no {name}", hint="give initial=")
            x = chosen(where, x, initial)
        axes = axes_of(name, axis, x)
        if initial is not None and 0 in [x.shape[a] for a in axes]:  # of nothing it is `initial`
            y = full(without(x.shape, axes), initial, dtype=x.dtype)
        else:
            y = op(axes)(x)
        y = kept(y, x.shape, axes) if keepdims else y
        return y if initial is None else pair(y, initial)

    return named(function, name, f"{doc} `where` says which elements count; `initial` is one more.", example, OF_ARRAY)


def _question(name: str, op: OverAxes, neutral: bool, doc: str, example: str) -> Callable[..., Any]:
    """The public function of any or all."""

    def function(x: Operand, /, axis: Any = None, *, keepdims: Any = False, where: Operand | None = None) -> Any:
        x = lift(x, name)
        x = x if where is None else chosen(where, not_equal(x, 0), neutral)
        axes = axes_of(name, axis, x)
        y = op(axes)(x)
        return kept(y, x.shape, axes) if keepdims else y

    return named(function, name, f"{doc} `where` says which elements count.", example, OF_ARRAY)


def _position(name: str, op: Callable[[int], Op], doc: str, example: str) -> Callable[..., Any]:
    """The public function of a reduction to a position."""

    def function(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
        x = lift(x, name)
        if axis is None:
            y = op(0)(Reshape((x.size,))(x))
            return Reshape((1,) * x.ndim)(y) if keepdims else y
        place = axis_of(name, axis, x)
        y = op(place)(x)
        return kept(y, x.shape, (place,)) if keepdims else y

    return named(function, name, doc, example, OF_ARRAY)


sum = _total("sum", Sum, 0, add, "The sum over axes; of nothing it is 0.", "[1, 2, 3] -> 6")
prod = _total(
    "prod",
    Prod,
    1,
    mul,
    "The product over axes, of nothing 1; its gradient is exact where factors are 0.",
    "[2, 3] -> 6",
)
max = amax = _extreme(
    "max", Max, max_, "The largest element over axes; nan wins; those that tie share the gradient.", "[1, 3, 2] -> 3"
)
min = amin = _extreme(
    "min",
    Min,
    min_,
    "The smallest element over axes; nan wins; elements that tie share the gradient.",
    "[1, 3, 2] -> 1",
)
any = _question("any", Any_, False, "Is an element over axes true (not 0)? Of nothing: False.", "[0, 3] -> True")
all = _question("all", All, True, "Are all elements over axes true (not 0)? Of nothing: True.", "[0, 3] -> False")
argmax = _position(
    "argmax", ArgMax, "Where (int64) the first largest element is along an axis, or in ravel(x).", "[1, 3, 3] -> 1"
)
argmin = _position(
    "argmin", ArgMin, "Where (int64) the first smallest element is along an axis, or in ravel(x).", "[3, 1, 1] -> 1"
)


def count_nonzero(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """How many elements (int64) over axes are not 0.

    >>> import minigrad.numpy as mnp
    >>> mnp.count_nonzero(mnp.asarray([0, 3, 4])).tolist()
    2
    """
    return sum(not_equal(lift(x, "count_nonzero"), 0), axis, keepdims=keepdims)


def allclose(x1: Operand, x2: Operand, /, rtol: float = 1e-5, atol: float = 1e-8, *, equal_nan: Any = False) -> Any:
    """Are all elements close (see `isclose`)? A bool scalar, which may be traced.

    >>> import minigrad.numpy as mnp
    >>> mnp.allclose(mnp.ones(2), 1 + 1e-7).tolist()
    True
    """
    return all(isclose(x1, x2, rtol, atol, equal_nan=equal_nan))


def array_equal(x1: Operand, x2: Operand, /, *, equal_nan: Any = False) -> Any:
    """Have they one shape and the same elements? A bool scalar, which may be traced.

    >>> import minigrad.numpy as mnp
    >>> mnp.array_equal(mnp.ones(2), mnp.ones(3)).tolist()
    False
    """
    a, b = lift(x1, "array_equal"), lift(x2, "array_equal")
    if a.shape != b.shape:
        return lift(False)
    same = equal(a, b)
    return all(or_(same, and_(not_equal(a, a), not_equal(b, b))) if equal_nan else same)


def mean(
    x: Operand, /, axis: Any = None, *, keepdims: Any = False, dtype: Any = None, where: Operand | None = None
) -> Any:
    """The arithmetic mean over axes; float32 for integers, nan of nothing. `where` says which elements count.

    >>> import minigrad.numpy as mnp
    >>> mnp.mean(mnp.asarray([1, 2])).tolist()
    1.5
    """
    return composite.mean(_as(dtype, x, "mean"), axis, keepdims=keepdims, among=where)


def _as(dtype: Any, x: Operand, who: str) -> Any:
    x = lift(x, who)
    return x if dtype is None else convert(x, as_dtype(dtype))


def _spread(name: str, function_of: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of var or std."""

    def function(
        x: Operand,
        /,
        axis: Any = None,
        *,
        correction: float = 0.0,
        keepdims: Any = False,
        ddof: float | None = None,
        dtype: Any = None,
        where: Operand | None = None,
    ) -> Any:
        lost = correction if ddof is None else ddof
        return function_of(_as(dtype, x, name), axis, correction=lost, keepdims=keepdims, among=where)

    return named(function, name, doc, example, OF_ARRAY)


var = _spread(
    "var",
    composite.var,
    "The variance over axes: the squared distance to the mean, summed and divided by n - correction.\n\n"
    "NumPy's word for the correction is `ddof`. `where` says which elements count.",
    "[1.0, 3.0] -> 1.0",
)
std = _spread("std", composite.std, "The standard deviation over axes: the root of `var`.", "[1.0, 5.0] -> 2.0")


def ptp(x: Operand, /, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The largest minus the smallest element over axes.

    >>> import minigrad.numpy as mnp
    >>> mnp.ptp(mnp.asarray([1, 5, 3])).tolist()
    4
    """
    return max(x, axis, keepdims=keepdims) - min(x, axis, keepdims=keepdims)


def average(x: Operand, /, axis: Any = None, weights: Operand | None = None, *, keepdims: Any = False) -> Any:
    """The weighted mean over axes: Σ w·x / Σ w. Weights have x's shape, or the sizes of the axes, in their order.

    >>> import minigrad.numpy as mnp
    >>> mnp.average(mnp.asarray([1.0, 4.0]), weights=mnp.asarray([2.0, 1.0])).tolist()
    2.0
    """
    x = lift(x, "average")
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    w = lift(weights, "average")
    if not same_shape(w.shape, x.shape):
        given = axis if isinstance(axis, (tuple, list)) else () if axis is None else (axis,)
        places = [axis_of("average", a, x) for a in given]
        if w.ndim != len(places) or not w.ndim:
            raise ShapeError(f"average: weights {w.type} for {x.type}", hint="give them x's shape, or the axes'")
        sizes = [w.shape[places.index(d)] if d in places else 1 for d in range(x.ndim)]
        w = Permute(tuple(sorted(range(w.ndim), key=places.__getitem__)))(w)
        w = expand_to(Reshape(tuple(sizes))(w), x.shape)
    total = composite.floating(sum(w, axis, keepdims=keepdims), "average")
    return sum(x * w, axis, keepdims=keepdims) / total
