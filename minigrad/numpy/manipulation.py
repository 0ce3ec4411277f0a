"""Changing shape and order: reshape, squeeze, transpose, flip, roll.

Floor 5. All of it is movement: linear, without arithmetic, the reverse of each made of the others.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import types
from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy.creation import shape_of, sizes_of
from minigrad.numpy.named import named
from minigrad.op import Operand, Value, lift
from minigrad.ops.axes import axes_of, axis_of
from minigrad.ops.movement import Flip, Permute, Reshape, expand_to, without
from minigrad.ops.pieces import Concatenate, slice_axis
from minigrad.types import Dim, same_size, shape_text


def shape(x: Operand, /) -> Any:
    """The sizes of x's axes, a tuple.

    >>> import minigrad.numpy as mnp
    >>> mnp.shape(mnp.ones((2, 3)))
    (2, 3)
    """
    return lift(x, "shape").shape


def ndim(x: Operand, /) -> int:
    """How many axes x has.

    >>> import minigrad.numpy as mnp
    >>> mnp.ndim(3.0)
    0
    """
    return lift(x, "ndim").ndim


def size(x: Operand, /, axis: int | None = None) -> Any:
    """How many elements x has, or its size along an axis.

    >>> import minigrad.numpy as mnp
    >>> mnp.size(mnp.ones((2, 3)), 1)
    3
    """
    x = lift(x, "size")
    return x.size if axis is None else x.shape[axis_of("size", axis, x)]


# ── the same elements under another shape ────────────────────────────────────────────────────────
def reshape(x: Operand, /, shape: Any, *, copy: Any = None, order: str = "C") -> Any:
    """The same elements in row-major order; one size may be -1, which stands for what is left.

    In `order` "F" they are read and placed column by column: the first index changes fastest.

    >>> import minigrad.numpy as mnp
    >>> mnp.reshape(mnp.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    x = lift(x, "reshape")
    shape = sizes_of(shape)
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if _by_columns("reshape", order):
        return transpose(reshape(transpose(x), sizes[::-1]))
    if -1 in sizes:
        sizes = _filled(x, sizes)
    sizes = shape_of("reshape", sizes)
    return x if sizes == x.shape else Reshape(sizes)(x)


def _by_columns(who: str, order: str) -> bool:
    if order not in ("C", "F"):
        raise ArgumentError(f"{who}: unknown order {order!r}", hint="known: C, row by row; F, column by column")
    return order == "F"


def _filled(x: Value, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    if sizes.count(-1) > 1:
        raise ArgumentError(f"reshape: only one size may be -1, got shape {shape_text(sizes)}")
    known = math.prod(n for n in sizes if n != -1)
    rest: Any = x.size // known if isinstance(known, Dim) or known else 0
    if isinstance(x.size, int) and isinstance(known, int) and rest * known != x.size:
        raise ShapeError(f"reshape: {x.size} elements of {x.type} cannot fill shape {shape_text(sizes)}")
    return tuple(rest if n == -1 else n for n in sizes)


def ravel(x: Operand, /, order: str = "C") -> Any:
    """All elements in a row, read as by `reshape`.

    >>> import minigrad.numpy as mnp
    >>> mnp.ravel(mnp.ones((2, 2))).shape
    (4,)
    """
    x = lift(x, "ravel")
    if _by_columns("ravel", order):
        x = transpose(x)
    return x if x.ndim == 1 else Reshape((x.size,))(x)


def expand_dims(x: Operand, /, axis: Any) -> Any:
    """New axes of size 1 at the given places of the result.

    >>> import minigrad.numpy as mnp
    >>> mnp.expand_dims(mnp.ones((2, 3)), axis=(0, -1)).shape
    (1, 2, 3, 1)
    """
    x = lift(x, "expand_dims")
    new = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    rank = x.ndim + len(new)
    for a in new:
        if not isinstance(a, (int, np.integer)) or not -rank <= a < rank:
            raise ArgumentError(f"expand_dims: axis {a!r} is out of range for {x.type} with {len(new)} new axes")
    places = {int(a) % rank for a in new}
    if len(places) != len(new):
        raise ArgumentError(f"expand_dims: axes {new} name an axis twice")
    old = iter(x.shape)
    return Reshape(tuple(1 if d in places else next(old) for d in range(rank)))(x)


def squeeze(x: Operand, /, axis: Any = None) -> Any:
    """Without the given axes, which must have size 1 (None: without every axis of size 1).

    >>> import minigrad.numpy as mnp
    >>> mnp.squeeze(mnp.ones((1, 2, 1)), axis=0).shape
    (2, 1)
    """
    x = lift(x, "squeeze")
    shape = x.shape
    gone = (
        tuple(d for d, n in enumerate(shape) if operator.index(n) == 1) if axis is None else axes_of("squeeze", axis, x)
    )
    for d in gone:
        if not same_size(shape[d], 1):
            raise ShapeError(f"squeeze: axis {d} of {x.type} has size {shape[d]}, not 1")
    return Reshape(without(shape, gone))(x) if gone else x


def _at_least(rank: int, widened: Callable[[Any], Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of x with axes added, of size 1, to make so many: `widened(shape)` is its shape then."""
    name = f"atleast_{rank}d"

    def function(x: Operand, /, *more: Operand) -> Any:
        if more:
            return tuple([function(y) for y in (x, *more)])
        x = lift(x, name)
        return x if x.ndim >= rank else Reshape(widened(x.shape))(x)

    return named(function, name, f"{doc} Of several arrays, a tuple.", example, "mnp.{name}({call}).shape")


atleast_1d = _at_least(1, lambda shape: (1,), "x, a scalar as a vector of one.", "2.0 -> (1,)")
atleast_2d = _at_least(2, lambda shape: (1, *(shape or (1,))), "x, a vector as one row.", "mnp.ones(3) -> (1, 3)")
atleast_3d = _at_least(
    3,
    lambda shape: (*shape, 1) if len(shape) == 2 else (1, *(shape or (1,)), 1),
    "x with axes added to make three: a vector [n] becomes [1, n, 1], a matrix [n, m] becomes [n, m, 1].",
    "mnp.ones(3) -> (1, 3, 1)",
)


def broadcast_to(x: Operand, /, shape: Any) -> Any:
    """x repeated to `shape` by the broadcasting rule (no memory is used).

    >>> import minigrad.numpy as mnp
    >>> mnp.broadcast_to(mnp.arange(2), (2, 2)).tolist()
    [[0, 1], [0, 1]]
    """
    return expand_to(lift(x, "broadcast_to"), shape_of("broadcast_to", shape))


def broadcast_arrays(*arrays: Operand) -> list[Any]:
    """All arrays broadcast to their common shape.

    >>> import minigrad.numpy as mnp
    >>> [a.shape for a in mnp.broadcast_arrays(mnp.ones((3, 1)), mnp.ones(2))]
    [(3, 2), (3, 2)]
    """
    xs = [lift(x, "broadcast_arrays") for x in arrays]
    if not xs:
        return []
    common = types.broadcast_shapes("broadcast_arrays", *[x.shape for x in xs])
    return [expand_to(x, common) for x in xs]


def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that arrays of these shapes broadcast to.

    >>> import minigrad.numpy as mnp
    >>> mnp.broadcast_shapes((3, 1), (2,))
    (3, 2)
    """
    who = "broadcast_shapes"
    return types.broadcast_shapes(who, *[shape_of(who, s) for s in shapes]) if shapes else ()


# ── the same elements in another order ───────────────────────────────────────────────────────────
def permute_dims(x: Operand, /, axes: Any) -> Any:
    """Axis k of the result is axis axes[k] of x.

    >>> import minigrad.numpy as mnp
    >>> mnp.permute_dims(mnp.ones((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = lift(x, "permute_dims")
    if not isinstance(axes, (tuple, list)) or len(axes) != x.ndim:
        raise ArgumentError(f"permute_dims: {axes!r} is not an order of the {x.ndim} axes of {x.type}")
    return Permute(tuple([axis_of("permute_dims", a, x) for a in axes]))(x)


def transpose(x: Operand, /, axes: Any = None) -> Any:
    """The axes in the given order, or reversed.

    >>> import minigrad.numpy as mnp
    >>> mnp.transpose(mnp.ones((2, 3, 4))).shape
    (4, 3, 2)
    """
    x = lift(x, "transpose")
    return permute_dims(x, tuple(range(x.ndim))[::-1] if axes is None else axes)


def matrix_transpose(x: Operand, /) -> Any:
    """The last two axes swapped.

    >>> import minigrad.numpy as mnp
    >>> mnp.matrix_transpose(mnp.ones((5, 2, 3))).shape
    (5, 3, 2)
    """
    x = lift(x, "matrix_transpose")
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose: needs at least 2 axes, got {x.type}")
    return swapaxes(x, -1, -2)


def swapaxes(x: Operand, /, axis1: int, axis2: int) -> Any:
    """Two axes change places.

    >>> import minigrad.numpy as mnp
    >>> mnp.swapaxes(mnp.ones((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    x = lift(x, "swapaxes")
    a, b = axis_of("swapaxes", axis1, x), axis_of("swapaxes", axis2, x)
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return Permute(tuple(order))(x)


def moveaxis(x: Operand, source: Any, destination: Any, /) -> Any:
    """Axes moved to new places; the others keep their order.

    >>> import minigrad.numpy as mnp
    >>> mnp.moveaxis(mnp.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = lift(x, "moveaxis")
    from_, to = (
        [axis_of("moveaxis", a, x) for a in (axes if isinstance(axes, (tuple, list)) else (axes,))]
        for axes in (source, destination)
    )
    if len(from_) != len(to) or len(set(from_)) != len(from_) or len(set(to)) != len(to):
        raise ArgumentError(f"moveaxis: cannot move axes {source} of {x.type} to {destination}")
    order = [d for d in range(x.ndim) if d not in from_]
    for place, d in sorted(zip(to, from_, strict=True)):
        order.insert(place, d)
    return Permute(tuple(order))(x)


def flip(x: Operand, /, axis: Any = None) -> Any:
    """Reversed along the given axes (None: along all).

    >>> import minigrad.numpy as mnp
    >>> mnp.flip(mnp.arange(3)).tolist()
    [2, 1, 0]
    """
    x = lift(x, "flip")
    return Flip(axes_of("flip", axis, x))(x)


def roll(x: Operand, /, shift: Any, axis: Any = None) -> Any:
    """Shifted along axes, what falls off one end coming back at the other; without `axis`, all elements as one row.

    >>> import minigrad.numpy as mnp
    >>> mnp.roll(mnp.arange(4), 1).tolist()
    [3, 0, 1, 2]
    """
    x = lift(x, "roll")
    if axis is None:
        flat = ravel(x)
        return reshape(_rolled(flat, shift, 0), x.shape)
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    shifts = tuple(shift) if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    if len(axes) == 1 and len(shifts) > 1:
        axes = axes * len(shifts)
    if len(shifts) != len(axes):
        raise ArgumentError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    for s, a in zip(shifts, axes, strict=True):
        x = _rolled(x, s, axis_of("roll", a, x))
    return x


def _rolled(x: Any, shift: int, axis: int) -> Any:
    n, k = x.shape[axis], int(shift)
    if isinstance(n, int):
        k %= max(n, 1)
    cut = n - k if k > 0 else -k  # of an axis of unknown size the shift must fall within it
    return Concatenate(axis)(slice_axis(x, axis, cut, n), slice_axis(x, axis, 0, cut)) if k else x
