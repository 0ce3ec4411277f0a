"""Reading by position: take, take_along_axis, where, nonzero and its kin.

Floor 5. `x[key]` and `x.at[key]` are in `ops.indexing`. Negative positions count from the end; positions out of range
are an IndexRangeError where they are known, and clipped where they are traced.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.numpy.elementwise import truth
from minigrad.numpy.known import INSTEAD, known
from minigrad.numpy.manipulation import ravel
from minigrad.op import Array, Operand, Value, lift
from minigrad.ops import elementwise as e
from minigrad.ops.along import TakeAlongAxis
from minigrad.ops.axes import axis_of
from minigrad.ops.cumulative import CumSum
from minigrad.ops.gather import Scatter
from minigrad.ops.indexing import index
from minigrad.ops.keys import positions_along
from minigrad.ops.movement import Reshape, expand_to, full, without
from minigrad.ops.pieces import Concatenate
from minigrad.types import INT64, broadcast_shapes

SIZED = "give size=n (what is missing is filled, what is too much dropped), or " + INSTEAD


def take(x: Operand, indices: Operand, /, axis: int | None = None) -> Any:
    """The slices of x at positions along an axis: [.., n, ..] at [*b] -> [.., *b, ..]. Without axis, of ravel(x).

    >>> import minigrad.numpy as mnp
    >>> mnp.take(mnp.asarray([10, 20, 30]), mnp.asarray([2, 0])).tolist()
    [30, 10]
    """
    x = lift(x, "take")
    if axis is None:
        x, axis = ravel(x), 0
    if isinstance(indices, (list, tuple, range)):
        indices = np.asarray(indices, np.int64)
    positions = lift(indices, "take")
    if positions.dtype.kind not in "iu":
        raise DtypeError(f"take: positions must be integers, got {positions.type}")
    return index(x, (*(slice(None),) * axis_of("take", axis, x), positions))


def take_along_axis(x: Operand, indices: Operand, /, axis: int | None = -1) -> Any:
    """For each row its own positions along an axis (None: of ravel(x)); the other axes of x and indices broadcast.

    >>> import minigrad.numpy as mnp
    >>> mnp.take_along_axis(mnp.asarray([[1, 2], [3, 4]]), mnp.asarray([[1], [0]])).tolist()
    [[2], [3]]
    """
    x, indices = lift(x, "take_along_axis"), lift(indices, "take_along_axis")
    if axis is None:
        x, axis = ravel(x), 0
    place = axis_of("take_along_axis", axis, x)
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"take_along_axis: positions must be integers, got {indices.type}")
    indices = positions_along(indices, place, x)
    lanes, many = (without(t.shape, {place}) for t in (x, indices))
    common = broadcast_shapes("take_along_axis", lanes, many)
    x, indices = (expand_to(t, (*common[:place], t.shape[place], *common[place:])) for t in (x, indices))
    return TakeAlongAxis(place)(x, indices)


def where(
    condition: Operand,
    x1: Operand | None = None,
    x2: Operand | None = None,
    /,
    *,
    size: int | None = None,
    fill_value: int = 0,
) -> Any:
    """x1 where the condition holds, else x2; the untaken one adds nothing to the gradient, not even nan.

    With the condition alone: `nonzero(condition)`, to which `size` and `fill_value` belong.

    >>> import minigrad.numpy as mnp
    >>> mnp.where(mnp.asarray([True, False]), 1, 2).tolist()
    [1, 2]
    """
    if x1 is None and x2 is None:
        return nonzero(condition, size=size, fill_value=fill_value)
    if x1 is None or x2 is None:
        raise ArgumentError("where: one of x1 and x2 is missing", hint="give both, or the condition alone")
    return e.where(condition, x1, x2)


def nonzero(x: Operand, /, *, size: int | None = None, fill_value: int = 0) -> tuple[Any, ...]:
    """The indices of the elements that are not 0, one array per axis, in row-major order.

    How many there are depends on the numbers. With `size` there are exactly so many, in a graph too: the first ones,
    then `fill_value`.

    >>> import minigrad.numpy as mnp
    >>> [axis.tolist() for axis in mnp.nonzero(mnp.asarray([[0, 3], [4, 0]]))]
    [[0, 1], [1, 0]]
    """
    x = lift(x, "nonzero")
    if x.ndim == 0:
        x = Reshape((1,))(x)
    if size is None:
        return tuple([Array(found) for found in known(x, "nonzero", SIZED).nonzero()])
    flat = _first_true(ravel(truth(x, "nonzero")), size)
    missing = e.less(flat, 0)
    columns, stride = [], math.prod(x.shape)
    for n in x.shape:
        stride //= max(n, 1)
        place = e.rem(e.floor_div(flat, max(stride, 1)), max(n, 1))
        columns.append(e.where(missing, fill_value, place))
    return tuple(columns)


def _first_true(flags: Value, size: int) -> Any:
    """The positions of the first `size` trues of a vector, then -1: each one's rank is a running count."""
    n = flags.shape[0]
    rank = e.sub(CumSum(0)(e.convert(flags, INT64)), 1)
    target = e.where(flags, rank, size)  # beyond the end: dropped
    return Scatter((0,), "set", "drop")(full((size,), -1, INT64), Array(np.arange(n)), Reshape((n, 1))(target))


def argwhere(x: Operand, /, *, size: int | None = None, fill_value: int = 0) -> Any:
    """The indices of the elements that are not 0, one row per element (`size`: as in `nonzero`).

    >>> import minigrad.numpy as mnp
    >>> mnp.argwhere(mnp.asarray([[0, 3], [4, 0]])).tolist()
    [[0, 1], [1, 0]]
    """
    x = lift(x, "argwhere")
    if size is None:
        return Array(np.argwhere(known(x, "argwhere", SIZED)))
    columns = nonzero(x, size=size, fill_value=fill_value)[: x.ndim]
    return Concatenate(1)(full((size, 0), 0, INT64), *[Reshape((size, 1))(column) for column in columns])


def flatnonzero(x: Operand, /, *, size: int | None = None, fill_value: int = 0) -> Any:
    """The positions in ravel(x) of the elements that are not 0 (`size`: as in `nonzero`).

    >>> import minigrad.numpy as mnp
    >>> mnp.flatnonzero(mnp.asarray([[0, 3], [4, 0]])).tolist()
    [1, 2]
    """
    return nonzero(ravel(x), size=size, fill_value=fill_value)[0]


def bincount(x: Operand, /, weights: Operand | None = None, minlength: int = 0, *, length: int | None = None) -> Any:
    """How often each of 0, 1, 2, ... occurs in integers [n], or the sums of their weights.

    Without `length` the result is as long as the largest of them asks, which must be known, or as `minlength`.
    Integers beyond `length` are dropped; negative ones are an ArgumentError where they are known, and dropped else.
    int64, or the weights' dtype; by the weights, which have x's shape, there is a gradient.

    >>> import minigrad.numpy as mnp
    >>> mnp.bincount(mnp.asarray([0, 2, 2])).tolist()
    [1, 0, 2]
    """
    x = lift(x, "bincount")
    if x.ndim != 1 or x.dtype.kind not in "iu":
        raise DtypeError(f"bincount: takes a vector of integers, got {x.type}")
    if length is None:
        numbers = known(x, "bincount", "give length=n")
        if numbers.size and numbers.min() < 0:
            raise ArgumentError(f"bincount: counts from 0 up, got {numbers.min()}")
        length = max(minlength, int(numbers.max()) + 1 if numbers.size else 0)
    many = lift(np.ones((), np.int64) if weights is None else weights, "bincount")
    if weights is not None and many.shape != x.shape:
        raise ShapeError(f"bincount: weights {many.type} for {x.type}")
    start = full((length,), 0, many.dtype)
    return Scatter((0,), "add", "drop")(start, expand_to(many, x.shape), Reshape((*x.shape, 1))(x))
