"""Arrays cut, turned and put together: NumPy's shorthands for one axis, blocks, Vandermonde's matrix.

Floor 5. Movement, and one running product.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy.joining import concat, split
from minigrad.numpy.linear_algebra import diag
from minigrad.numpy.manipulation import atleast_1d, flip, moveaxis, ravel, swapaxes
from minigrad.numpy.named import OF_ARRAY, named, unary
from minigrad.op import Operand, lift
from minigrad.ops.axes import axis_of, python_number
from minigrad.ops.cumulative import CumProd
from minigrad.ops.movement import Reshape, expand_to, full
from minigrad.ops.pieces import Concatenate

# ── turned ───────────────────────────────────────────────────────────────────────────────────────
fliplr = unary("fliplr", partial(flip, axis=1), "Reversed along the second axis.", "[[1, 2]] -> [[2, 1]]", OF_ARRAY)
flipud = unary("flipud", partial(flip, axis=0), "Reversed along the first axis.", "[1, 2] -> [2, 1]", OF_ARRAY)


def rot90(x: Operand, /, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Turned k times by a right angle, from the first of two axes towards the second.

    >>> import minigrad.numpy as mnp
    >>> mnp.rot90(mnp.asarray([[1, 2], [3, 4]])).tolist()
    [[2, 4], [1, 3]]
    """
    x = lift(x, "rot90")
    first, second = (axis_of("rot90", a, x) for a in axes)
    if first == second:
        raise ArgumentError(f"rot90: axes {tuple(axes)} of {x.type} are the same")
    match k % 4:
        case 1:
            return swapaxes(flip(x, axis=second), first, second)
        case 2:
            return flip(x, axis=(first, second))
        case 3:
            return flip(swapaxes(x, first, second), axis=second)
    return x


def rollaxis(x: Operand, /, axis: int, start: int = 0) -> Any:
    """An axis moved to lie before the axis now at `start`. (`moveaxis` is easier to read.)

    >>> import minigrad.numpy as mnp
    >>> mnp.rollaxis(mnp.ones((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    x = lift(x, "rollaxis")
    place, start = axis_of("rollaxis", axis, x), python_number(start)
    if not isinstance(start, int) or not -x.ndim <= start <= x.ndim:
        raise ArgumentError(f"rollaxis: start {start!r} is out of range for {x.type} (rank {x.ndim})")
    start = start + x.ndim if start < 0 else start
    return moveaxis(x, place, start - (place < start))


# ── cut ──────────────────────────────────────────────────────────────────────────────────────────
def _split_along(name: str, axis: int, rank: int, doc: str, example: str) -> Callable[..., Any]:
    """The public function of `split` along a certain axis, of arrays of this rank or more."""

    def function(x: Operand, /, indices_or_sections: Any) -> list[Any]:
        x = lift(x, name)
        if x.ndim < rank:
            raise ShapeError(f"{name}: needs at least {rank} ax{'is' if rank == 1 else 'es'}, got {x.type}")
        return split(x, indices_or_sections, axis=min(axis, x.ndim - 1))

    return named(function, name, f"`split` along {doc}.", example, "[p.shape for p in mnp.{name}(mnp.ones({call}), 2)]")


hsplit = _split_along("hsplit", 1, 1, "the second axis (of a vector: along its only one)", "4 -> [(2,), (2,)]")
vsplit = _split_along("vsplit", 0, 2, "the first axis of a matrix or more", "(4, 3) -> [(2, 3), (2, 3)]")
dsplit = _split_along("dsplit", 2, 3, "the third axis", "(2, 3, 4) -> [(2, 3, 2), (2, 3, 2)]")


# ── put together ─────────────────────────────────────────────────────────────────────────────────
def append(x: Operand, /, values: Operand, axis: int | None = None) -> Any:
    """values behind x along an axis; without one, both flattened.

    >>> import minigrad.numpy as mnp
    >>> mnp.append(mnp.asarray([[1, 2]]), mnp.asarray([3])).tolist()
    [1, 2, 3]
    """
    return concat([x, values], axis=axis)


def block(arrays: Any, /) -> Any:
    """An array of blocks: the innermost lists are joined along the last axis, those around them along the one before.

    >>> import minigrad.numpy as mnp
    >>> one = mnp.ones((1, 1))
    >>> mnp.block([[one, 2 * one], [3 * one, 4 * one]]).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    depth = _depth(arrays)
    return _joined_block(arrays, depth, max(depth, _largest_rank(arrays)))


def _depth(arrays: Any) -> int:
    """How deep the lists are nested: equally everywhere, or it is an error."""
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(a) for a in arrays}
    if len(depths) != 1:
        what = "an empty list" if not depths else "lists of different depths"
        raise ShapeError(f"block: {what} among the blocks", hint="every block in as many lists")
    return 1 + depths.pop()


def _largest_rank(arrays: Any) -> int:
    return max(map(_largest_rank, arrays)) if isinstance(arrays, list) else int(lift(arrays, "block").ndim)


def _joined_block(arrays: Any, depth: int, rank: int) -> Any:
    if not isinstance(arrays, list):
        x = lift(arrays, "block")
        return Reshape((1,) * (rank - x.ndim) + x.shape)(x)
    return concat([_joined_block(a, depth - 1, rank) for a in arrays], axis=-depth)


def diagflat(x: Operand, /, k: int = 0) -> Any:
    """The matrix with all elements of x as its k-th diagonal.

    >>> import minigrad.numpy as mnp
    >>> mnp.diagflat(mnp.asarray([[1, 2]])).tolist()
    [[1, 0], [0, 2]]
    """
    return diag(ravel(x), k)


def vander(x: Operand, /, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of a vector [n] as columns: [n, N], from x^(N-1) down to 1, or up from 1; N is n unless given.

    >>> import minigrad.numpy as mnp
    >>> mnp.vander(mnp.asarray([2, 3]), 3).tolist()
    [[4, 2, 1], [9, 3, 1]]
    """
    x = atleast_1d(x)
    columns = x.shape[0] if N is None else N
    if x.ndim != 1 or columns < 0:
        raise ShapeError(f"vander: takes a vector and a number of columns, 0 or more, got {x.type} and {columns}")
    n = x.shape[0]
    if columns < 2:
        return full((n, columns), 1, x.dtype)
    powers = CumProd(1)(expand_to(Reshape((n, 1))(x), (n, columns - 1)))
    y = Concatenate(1)(full((n, 1), 1, x.dtype), powers)
    return y if increasing else flip(y, axis=1)
