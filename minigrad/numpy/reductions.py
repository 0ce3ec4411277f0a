"""Sums, products, extremes and statistics over axes.

Floor 5. `axis=None` means all axes. A sum or product of small integers (and bools) is computed in int64 or uint64,
so it does not wrap; means of integers are float32; `dtype=` converts before anything is added.
"""

from __future__ import annotations

from typing import Any

from minigrad.op import Operand, Value, lift
from minigrad.ops import composite
from minigrad.ops.axes import axes_of, kept
from minigrad.ops.elementwise import convert
from minigrad.ops.movement import Sum
from minigrad.types import INT64, LONG, DType, as_dtype


def _accumulator(x: Value, dtype: Any) -> DType:
    """The dtype a sum or product is computed in."""
    if dtype is not None:
        return as_dtype(dtype)
    kind = x.dtype.kind
    return INT64 if kind in "bi" else LONG["u64"] if kind == "u" else x.dtype


def sum(x: Operand, /, axis: Any = None, *, dtype: Any = None, keepdims: Any = False) -> Any:
    """The sum over axes; of nothing it is 0.

    >>> import minigrad.numpy as mnp
    >>> mnp.sum(mnp.ones((2, 3)), axis=0).tolist()
    [2.0, 2.0, 2.0]
    """
    x = lift(x, "sum")
    axes = axes_of("sum", axis, x)
    y = Sum(axes)(convert(x, _accumulator(x, dtype)))
    return kept(y, x.shape, axes) if keepdims else y


def mean(x: Operand, /, axis: Any = None, *, dtype: Any = None, keepdims: Any = False) -> Any:
    """The arithmetic mean over axes; float32 for integers, nan of nothing.

    >>> import minigrad.numpy as mnp
    >>> mnp.mean(mnp.asarray([1, 2])).tolist()
    1.5
    """
    x = lift(x, "mean")
    return composite.mean(x if dtype is None else convert(x, as_dtype(dtype)), axis, keepdims=keepdims)


def var(x: Operand, /, axis: Any = None, *, correction: float = 0.0, keepdims: Any = False) -> Any:
    """The variance over axes: the squared distance to the mean, summed and divided by n - correction.

    >>> import minigrad.numpy as mnp
    >>> mnp.var(mnp.asarray([1.0, 3.0])).tolist()
    1.0
    """
    return composite.var(lift(x, "var"), axis, correction=correction, keepdims=keepdims)


def std(x: Operand, /, axis: Any = None, *, correction: float = 0.0, keepdims: Any = False) -> Any:
    """The standard deviation over axes: the root of `var`.

    >>> import minigrad.numpy as mnp
    >>> mnp.std(mnp.asarray([1.0, 5.0])).tolist()
    2.0
    """
    return composite.std(lift(x, "std"), axis, correction=correction, keepdims=keepdims)
