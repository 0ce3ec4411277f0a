"""Making arrays from a shape or from a range.

Floor 5. Floats are float32 and integers int64 unless `dtype` or an operand says otherwise.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy.dtypes import check_device
from minigrad.numpy.named import OF_ARRAY, named
from minigrad.op import Array, Operand, Value, lift
from minigrad.ops import axes, movement
from minigrad.ops.elementwise import add, convert, div, mul, sub, where
from minigrad.ops.movement import Expand, Reshape
from minigrad.ops.weak import JOINS, weak_dtype
from minigrad.types import FLOAT32, INT64, Dim, DType, as_dtype, promote


# ── from a shape ─────────────────────────────────────────────────────────────────────────────────
def shape_of(who: str, shape: Any) -> tuple[Any, ...]:
    """A shape as the user gives it (a size, or a sequence of them), checked."""
    shape = sizes_of(shape)
    sizes = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else (shape,)
    return tuple([_size(who, n, shape) for n in sizes])


def sizes_of(shape: Any) -> Any:
    """A shape that is a vector as a list of integers."""
    found: Any = shape
    return [n.__index__() for n in found] if isinstance(shape, (np.ndarray, Value)) and shape.ndim else shape


def _size(who: str, n: Any, shape: Any) -> Any:
    if isinstance(n, Dim):
        return n
    try:
        n = n.__index__()
    except AttributeError:
        raise ArgumentError(f"{who}: a shape is a tuple of integers, got {shape!r}") from None
    if n < 0:
        raise ArgumentError(f"{who}: a size cannot be negative, got shape {shape!r}")
    return n


def full(shape: Any, fill_value: Operand, dtype: Any = None, *, device: Any = None) -> Any:
    """An array of one value, of the value's dtype unless `dtype` says otherwise.

    >>> import minigrad.numpy as mnp
    >>> mnp.full((2, 2), 7).tolist()
    [[7, 7], [7, 7]]
    """
    check_device("full", device)
    shape = shape_of("full", shape)
    if type(fill_value) in JOINS:
        return _constant(shape, fill_value, as_dtype(dtype or type(fill_value)))
    x = lift(fill_value, "full")
    return movement.expand_to(x if dtype is None else convert(x, as_dtype(dtype)), shape)


def _constant(shape: tuple[Any, ...], value: Any, dtype: DType) -> Any:
    if any(isinstance(n, Dim) for n in shape):
        return movement.full(shape, value, dtype)
    return Array(np.full(shape, _fitting("full", value, dtype)))


def _fitting(who: str, value: Any, dtype: DType) -> Any:
    """A Python number as one of the dtype."""
    try:
        return np.asarray(value, dtype)
    except (OverflowError, TypeError) as error:
        raise ArgumentError(f"{who}: {value!r} does not fit in {dtype.name}: {error}") from None


def _filled(name: str, value: int, doc: str, example: str) -> Callable[..., Any]:
    """The public function of an array full of one number."""

    def function(shape: Any, dtype: Any = None, *, device: Any = None) -> Any:
        check_device(name, device)
        return _constant(shape_of(name, shape), value, as_dtype(dtype or FLOAT32))

    return named(function, name, f"{doc}, float32 unless `dtype` says otherwise.", example)


zeros = _filled("zeros", 0, "Zeros", "3 -> [0.0, 0.0, 0.0]")
ones = _filled("ones", 1, "Ones", "(1, 2), dtype=int -> [[1, 1]]")
empty = _filled(
    "empty",
    0,
    "An array whose values do not matter: zeros, since an immutable array nobody can fill had better be defined",
    "(2, 0) -> [[], []]",
)


def full_like(x: Operand, /, fill_value: Operand, dtype: Any = None, *, device: Any = None) -> Any:
    """One value in the shape and dtype of x.

    >>> import minigrad.numpy as mnp
    >>> mnp.full_like(mnp.ones((2,)), 3).tolist()
    [3.0, 3.0]
    """
    check_device("full_like", device)
    x = lift(x, "full_like")
    found = as_dtype(dtype) if dtype is not None else x.dtype
    if type(fill_value) in JOINS:
        return axes.full_like(x, _fitting("full_like", fill_value, found).item(), found)
    return movement.expand_to(convert(lift(fill_value, "full_like"), found), x.shape)


def _alike(name: str, value: int, doc: str, example: str) -> Callable[..., Any]:
    """The public function of one number in the shape and dtype of x."""

    def function(x: Operand, /, dtype: Any = None, *, device: Any = None) -> Any:
        return full_like(x, value, dtype, device=device)

    return named(function, name, doc, example, OF_ARRAY)


zeros_like = _alike("zeros_like", 0, "Zeros in the shape and dtype of x.", "[1, 2] -> [0, 0]")
ones_like = _alike("ones_like", 1, "Ones in the shape and dtype of x.", "[1, 2] -> [1, 1]")
empty_like = _alike("empty_like", 0, "An array like x whose values do not matter (see `empty`).", "[1, 2] -> [0, 0]")


# ── ranges and matrices ──────────────────────────────────────────────────────────────────────────
def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Any:
    """start, start + step, ... up to but without stop; `arange(n)` counts from 0. Integers give int64, floats float32.

    The size depends on the arguments' values, so they must be known: a traced value is a ConcretizationError.

    >>> import minigrad.numpy as mnp
    >>> mnp.arange(2, 8, 3).tolist()
    [2, 5]
    """
    check_device("arange", device)
    if stop is None:
        start, stop = 0, start
    ends = [x.concrete("arange()").item() if isinstance(x, Value) else x for x in (start, stop, step)]
    if any(isinstance(x, complex) for x in ends):
        raise ArgumentError(f"arange: takes real numbers, got {', '.join(map(str, ends))}")
    if ends[2] == 0:
        raise ArgumentError("arange: the step is 0")
    found = as_dtype(dtype) if dtype is not None else promote(*[weak_dtype(x, "arange") for x in ends])
    size = builtins.max(0, math.ceil((ends[1] - ends[0]) / ends[2]))
    if all(type(x) is int for x in ends):
        size = len(range(*ends))  # exact for integers beyond 2**53
        return Array(np.arange(*ends, dtype=found if found.kind in "iufc" else INT64).astype(found))
    return Array((ends[0] + np.arange(size) * ends[2]).astype(found))


def linspace(
    start: Operand,
    stop: Operand,
    /,
    num: int = 50,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: Any = True,
    retstep: bool = False,
) -> Any:
    """`num` evenly spaced numbers from start to stop, both included unless `endpoint=False`. Differentiable in both.

    With `retstep` the distance between them as well: (numbers, distance).

    >>> import minigrad.numpy as mnp
    >>> mnp.linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    check_device("linspace", device)
    (num,) = shape_of("linspace", num)
    if retstep:
        gaps = num - 1 if endpoint else num
        step = div(sub(stop, start), gaps) if gaps > 0 else lift(math.nan)
        return linspace(start, stop, num, dtype=dtype, endpoint=endpoint), step
    if type(start) in JOINS and type(stop) in JOINS:
        found = as_dtype(dtype) if dtype is not None else promote(float, type(start), type(stop))
        return Array(np.linspace(start, stop, num, endpoint=endpoint).astype(found))
    fraction = np.arange(num) / builtins.max(num - 1 if endpoint else num, 1)
    found = promote(float, *[weak_dtype(x, "linspace") for x in (start, stop)])
    rank = builtins.max(lift(start).ndim, lift(stop).ndim)
    ramp = Array(fraction.astype(found).reshape(num, *[1] * rank))  # the new axis is the first
    y = add(mul(start, sub(1, ramp)), mul(stop, ramp))
    return y if dtype is None else convert(y, as_dtype(dtype))


def eye(n_rows: int, n_cols: int | None = None, /, k: int = 0, *, dtype: Any = None, device: Any = None) -> Any:
    """Ones on the k-th diagonal (k > 0: above), zeros elsewhere.

    >>> import minigrad.numpy as mnp
    >>> mnp.eye(2, 3, k=1).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    check_device("eye", device)
    n, m = shape_of("eye", (n_rows, n_rows if n_cols is None else n_cols))
    return Array(np.eye(n, m, k=k, dtype=as_dtype(dtype or FLOAT32)))


def identity(n: int, dtype: Any = None) -> Any:
    """The n×n identity matrix.

    >>> import minigrad.numpy as mnp
    >>> mnp.identity(2, dtype=int).tolist()
    [[1, 0], [0, 1]]
    """
    return eye(n, dtype=dtype)


def tri(n_rows: int, n_cols: int | None = None, /, k: int = 0, dtype: Any = None) -> Any:
    """Ones at and below the k-th diagonal.

    >>> import minigrad.numpy as mnp
    >>> mnp.tri(2, 3).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    n, m = shape_of("tri", (n_rows, n_rows if n_cols is None else n_cols))
    return Array(np.tri(n, m, k=k, dtype=as_dtype(dtype or FLOAT32)))


def _triangle(name: str, lower: bool, doc: str, example: str) -> Callable[..., Any]:
    """The public function of one triangle of a matrix."""

    def function(x: Operand, /, k: int = 0) -> Any:
        x, k = lift(x, name), axes.python_number(k)
        if x.ndim < 2:
            raise ShapeError(f"{name}: needs at least 2 axes, got {x.type}")
        zero = movement.zero(x.dtype)
        return where(axes.triangle(x, k), x, zero) if lower else where(axes.triangle(x, k - 1), zero, x)

    return named(function, name, f"x with zeros {doc} the k-th diagonal of its last two axes.", example, OF_ARRAY)


tril = _triangle("tril", True, "above", "[[1, 2], [3, 4]] -> [[1, 0], [3, 4]]")
triu = _triangle("triu", False, "below", "[[1, 2], [3, 4]] -> [[1, 2], [0, 4]]")


def meshgrid(*arrays: Operand, indexing: str = "xy", sparse: bool = False) -> list[Any]:
    """The coordinate grids of one-dimensional arrays; "xy" swaps the first two axes, "ij" does not.

    `sparse` ones have size 1 along the axes that they do not depend on.

    >>> import minigrad.numpy as mnp
    >>> [g.tolist() for g in mnp.meshgrid(mnp.arange(2), mnp.arange(3), indexing="ij")]
    [[[0, 0, 0], [1, 1, 1]], [[0, 1, 2], [0, 1, 2]]]
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    xs = [lift(x, "meshgrid") for x in arrays]
    for x in xs:
        if x.ndim > 1:
            raise ShapeError(f"meshgrid: takes one-dimensional arrays, got {x.type}")
    place = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        place[:2] = [1, 0]
    shape: list[Any] = [1] * len(xs)
    for x, d in zip(xs, place, strict=True):
        shape[d] = math.prod(x.shape)
    grids = []
    for x, d in zip(xs, place, strict=True):
        line = [1] * len(xs)
        line[d] = shape[d]
        grid = Reshape(tuple(line))(x)
        grids.append(grid if sparse else Expand(tuple(shape))(grid))
    return grids
