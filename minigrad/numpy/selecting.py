"""Choosing by conditions, writing at positions, partial order, functions of elements.

Floor 5. What NumPy writes in place is returned as a new array.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.interpreters.batch import batched
from minigrad.numpy.elementwise import truth
from minigrad.numpy.manipulation import ravel, reshape
from minigrad.numpy.named import named
from minigrad.numpy.ordering import argsort, sort
from minigrad.op import Array, Operand, lift
from minigrad.ops import elementwise as e
from minigrad.ops.axes import axis_of
from minigrad.ops.movement import Reshape, expand_to, full
from minigrad.ops.rows import converted
from minigrad.ops.weak import weak_dtype
from minigrad.types import broadcast_shapes, promote


def select(condlist: Sequence[Operand], choicelist: Sequence[Operand], default: Operand = 0) -> Any:
    """Where the first condition holds the first choice, else where the second does the second, ...; else the default.

    >>> import minigrad.numpy as mnp
    >>> x = mnp.arange(4)
    >>> mnp.select([x < 1, x < 3], [x, 10 * x], -1).tolist()
    [0, 10, 20, -1]
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise ArgumentError(f"select: {len(condlist)} conditions for {len(choicelist)} choices")
    dtype = promote(*[weak_dtype(x, "select") for x in (default, *choicelist)])
    y, *choices = [converted(x, dtype, "select") for x in (default, *choicelist)]
    for condition, choice in reversed(list(zip(condlist, choices, strict=True))):
        y = e.where(truth(condition, "select"), choice, y)
    return y


def piecewise(x: Operand, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """A function defined by cases: where a condition holds its function of x, or its number; the last that holds wins.

    One more function than conditions: for where none holds (0 otherwise). Every function gets all of x. The dtype is
    that of x.

    >>> import minigrad.numpy as mnp
    >>> x = mnp.asarray([-2.0, 3.0])
    >>> mnp.piecewise(x, [x < 0, x >= 0], [lambda x: -x, lambda x: x * x]).tolist()
    [2.0, 9.0]
    """
    x = lift(x, "piecewise")
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) else [condlist]
    conditions = [truth(c, "piecewise") for c in conditions]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        y = _case(functions.pop(), x, args, kw)
    elif len(functions) == len(conditions):
        y = full(x.shape, 0, x.dtype)
    else:
        raise ArgumentError(f"piecewise: {len(functions)} functions for {len(conditions)} conditions")
    for condition, function in zip(conditions, functions, strict=True):
        y = e.where(condition, _case(function, x, args, kw), y)
    return y


def _case(function: Any, x: Any, args: Any, kw: Any) -> Any:
    y = function(x, *args, **kw) if callable(function) else function
    return expand_to(e.convert(lift(y, "piecewise"), x.dtype), x.shape)


def put_along_axis(x: Operand, /, indices: Operand, values: Operand, axis: int | None = -1) -> Any:
    """x with values at positions along an axis, row by row; the counterpart of `take_along_axis`. A new array.

    Of values at one position it is unspecified which stays.

    >>> import minigrad.numpy as mnp
    >>> mnp.put_along_axis(mnp.asarray([[1, 2], [3, 4]]), mnp.asarray([[1], [0]]), 9).tolist()
    [[1, 9], [9, 4]]
    """
    x, indices = lift(x, "put_along_axis"), lift(indices, "put_along_axis")
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"put_along_axis: positions must be integers, got {indices.type}")
    if axis is None:
        return Reshape(x.shape)(put_along_axis(ravel(x), ravel(indices), values, axis=0))
    place = axis_of("put_along_axis", axis, x)
    if indices.ndim != x.ndim:
        raise ShapeError(f"put_along_axis: {x.type} and positions {indices.type} must have as many axes")
    shape = tuple(indices.shape[d] if d == place else n for d, n in enumerate(x.shape))
    grid = [
        indices if d == place else Array(np.arange(n).reshape([-1 if k == d else 1 for k in range(x.ndim)]))
        for d, n in enumerate(x.shape)
    ]
    return x.at[tuple(grid)].set(expand_to(e.convert(lift(values, "put_along_axis"), x.dtype), shape))


def _partition(name: str, whole: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of a partial order, which is the whole one."""

    def function(x: Operand, /, kth: Any, axis: int | None = -1) -> Any:
        x = lift(x, name)
        n = x.size if axis is None else x.shape[axis_of(name, axis, x)]
        for k in kth if isinstance(kth, (list, tuple, np.ndarray)) else (kth,):
            if not isinstance(k, (int, np.integer)) or not -n <= k < n:
                raise ArgumentError(f"{name}: element {k!r} is out of range for {n} elements")
        return whole(x, axis=axis)

    return named(function, name, doc, example)


partition = _partition(
    "partition",
    sort,
    "x with its kth elements in their sorted place, smaller ones before and larger ones behind: all of it is sorted.",
    "mnp.asarray([3, 1, 2]), 1 -> [1, 2, 3]",
)
argpartition = _partition(
    "argpartition", argsort, "The positions (int64) that `partition` x.", "mnp.asarray([3, 1, 2]), 1 -> [1, 2, 0]"
)


# ── functions of elements ────────────────────────────────────────────────────────────────────────
_SIGNATURE = re.compile(r"^\(([\w,\s]*)\)(,\(([\w,\s]*)\))*->\(([\w,\s]*)\)(,\(([\w,\s]*)\))*$")


def vectorize(pyfunc: Callable[..., Any], *, excluded: Any = (), signature: str | None = None) -> Callable[..., Any]:
    """A function of scalars (or of what `signature`, as "(n),(n)->()", says) as one of arrays, by vmap: no loop.

    The other axes of the arguments broadcast. `excluded`: places and names of arguments passed on as they are.

    >>> import minigrad.numpy as mnp
    >>> mnp.vectorize(lambda a, b: mnp.where(a > b, a - b, a + b))(mnp.asarray([1, 5]), 3).tolist()
    [4, 2]
    """
    text = None if signature is None else signature.replace(" ", "")
    if text is not None and not _SIGNATURE.match(text):
        raise ArgumentError(f"vectorize: cannot read the signature {signature!r}", hint="write as '(n),(n,m)->(m)'")

    @wraps(pyfunc)
    def function(*args: Any, **kw: Any) -> Any:
        moving = [i for i in range(len(args)) if i not in excluded]
        named = [k for k in kw if k not in excluded]
        xs = [lift(args[i], "vectorize") for i in moving] + [lift(kw[k], "vectorize") for k in named]
        ranks = _core_ranks(text, len(xs))

        def scalar(*values: Any) -> Any:
            full_args, given = list(args), iter(values)
            for i in moving:
                full_args[i] = next(given)
            return pyfunc(*full_args, **{**kw, **{k: next(given) for k in named}})

        return _over_lanes(scalar, xs, ranks)

    return function


def _core_ranks(text: str | None, n: int) -> list[int]:
    """How many axes of each argument the function itself sees."""
    if text is None:
        return [0] * n
    parts = re.findall(r"\(([\w,]*)\)", text.partition("->")[0])
    if len(parts) != n:
        raise ArgumentError(f"vectorize: {n} arguments for the signature {text!r}")
    return [len(list(filter(None, part.split(",")))) for part in parts]


def _over_lanes(f: Callable[..., Any], xs: list[Any], ranks: list[int]) -> Any:
    for x, rank in zip(xs, ranks, strict=True):
        if x.ndim < rank:
            raise ShapeError(f"vectorize: the signature asks for {rank} axes, got {x.type}")
    cores = [x.shape[x.ndim - rank :] for x, rank in zip(xs, ranks, strict=True)]
    lanes = broadcast_shapes("vectorize", *[x.shape[: x.ndim - rank] for x, rank in zip(xs, ranks, strict=True)])
    size = int(np.prod(lanes, dtype=int))
    several: list[bool] = []

    def flat(*values: Any) -> list[Any]:
        y = f(*values)
        several.append(isinstance(y, tuple))
        return list(y) if isinstance(y, tuple) else [y]

    wide = [reshape(expand_to(x, (*lanes, *core)), (size, *core)) for x, core in zip(xs, cores, strict=True)]
    ys = [reshape(y, (*lanes, *y.shape[1:])) for y in batched(flat, wide, [True] * len(xs), size)]
    return tuple(ys) if several[-1] else ys[0]
