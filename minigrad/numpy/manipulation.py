"""Changing shape and order: reshape, transpose, join, split, repeat, pad.

Floor 5. All of it is movement: linear, without arithmetic, the reverse of each made of the others.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError, ValueTypeError
from minigrad.op import Operand, Value, lift
from minigrad.ops.axes import axes_of, axis_of
from minigrad.ops.elementwise import convert
from minigrad.ops.movement import Concatenate, Expand, Flip, Pad, Permute, Reshape, expand_to, slice_axis
from minigrad.types import Dim, as_dtype, broadcast_shapes, normal_axis, promote, shape_text

from minigrad.numpy.creation import shape_of  # isort: skip


# ── the same elements under another shape ────────────────────────────────────────────────────────
def reshape(x: Operand, /, shape: Any, *, copy: Any = None) -> Any:
    """The same elements in row-major order; one size may be -1, which stands for what is left.

    >>> import minigrad.numpy as mnp
    >>> mnp.reshape(mnp.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    x = lift(x, "reshape")
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if -1 in sizes:
        sizes = _filled(x, sizes)
    sizes = shape_of("reshape", sizes)
    return x if sizes == x.shape else Reshape(sizes)(x)


def _filled(x: Value, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    if sizes.count(-1) > 1:
        raise ArgumentError(f"reshape: only one size may be -1, got shape {shape_text(sizes)}")
    known = math.prod(n for n in sizes if n != -1)
    rest: Any = x.size // known if isinstance(known, Dim) or known else 0
    if isinstance(x.size, int) and isinstance(known, int) and rest * known != x.size:
        raise ShapeError(f"reshape: {x.size} elements of {x.type} cannot fill shape {shape_text(sizes)}")
    return tuple(rest if n == -1 else n for n in sizes)


def ravel(x: Operand, /) -> Any:
    """All elements in a row.

    >>> import minigrad.numpy as mnp
    >>> mnp.ravel(mnp.ones((2, 2))).shape
    (4,)
    """
    x = lift(x, "ravel")
    return x if x.ndim == 1 else Reshape((x.size,))(x)


def expand_dims(x: Operand, /, axis: Any = 0) -> Any:
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
    gone = tuple(d for d, n in enumerate(shape) if n == 1) if axis is None else axes_of("squeeze", axis, x)
    for d in gone:
        if shape[d] != 1:
            raise ShapeError(f"squeeze: axis {d} of {x.type} has size {shape[d]}, not 1")
    return Reshape(tuple(n for d, n in enumerate(shape) if d not in gone))(x) if gone else x


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
    shape = broadcast_shapes("broadcast_arrays", *[x.shape for x in xs])
    return [expand_to(x, shape) for x in xs]


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
    many = (tuple, list)
    from_ = [normal_axis("moveaxis", a, x.type) for a in (source if isinstance(source, many) else (source,))]
    to = [normal_axis("moveaxis", a, x.type) for a in (destination if isinstance(destination, many) else (destination,))]
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
    n = x.shape[axis]
    k = int(shift) % n if n else 0
    return Concatenate(axis)(slice_axis(x, axis, n - k, n), slice_axis(x, axis, 0, n - k)) if k else x


# ── joining and splitting ────────────────────────────────────────────────────────────────────────
def _joined(who: str, arrays: Any) -> list[Any]:
    """The arrays as values of one dtype."""
    if not isinstance(arrays, (list, tuple)):
        if isinstance(arrays, (Value, np.ndarray)) and arrays.ndim:
            arrays = unstack(arrays)
        else:
            raise ValueTypeError(f"{who}: takes a list of arrays, got {arrays!r}")
    if not arrays:
        raise ArgumentError(f"{who}: needs at least one array")
    weak = (builtins.bool, int, float, complex)
    dtype = promote(*[type(a) if type(a) in weak else lift(a, who).dtype for a in arrays])
    return [convert(lift(a, who), dtype) for a in arrays]


def concat(arrays: Any, /, axis: Any = 0, *, dtype: Any = None) -> Any:
    """Joined along an axis they have (None: each flattened first); dtypes promote.

    >>> import minigrad.numpy as mnp
    >>> mnp.concat([mnp.zeros((1, 2)), mnp.ones((2, 2))]).shape
    (3, 2)
    """
    xs = _joined("concat", arrays)
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    if xs[0].ndim == 0:
        raise ShapeError(f"concat: {xs[0].type} has no axis to join along", hint="use stack")
    y = Concatenate(axis_of("concat", axis, xs[0]))(*xs)
    return y if dtype is None else convert(y, as_dtype(dtype))


concatenate = concat


def stack(arrays: Any, /, axis: int = 0) -> Any:
    """Joined along a new axis; all must have one shape.

    >>> import minigrad.numpy as mnp
    >>> mnp.stack([mnp.zeros(2), mnp.ones(2)], axis=1).tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    xs = _joined("stack", arrays)
    for x in xs:
        if x.shape != xs[0].shape:
            raise ShapeError(f"stack: {xs[0].type} and {x.type} do not have one shape")
    lifted = [expand_dims(x, axis) for x in xs]
    return Concatenate(axis % lifted[0].ndim)(*lifted)


def hstack(arrays: Any, /) -> Any:
    """Joined along the second axis (vectors: along their only one).

    >>> import minigrad.numpy as mnp
    >>> mnp.hstack([mnp.ones((2, 1)), mnp.ones((2, 3))]).shape
    (2, 4)
    """
    xs = [atleast_1d(x) for x in _joined("hstack", arrays)]
    return concat(xs, axis=0 if xs[0].ndim == 1 else 1)


def vstack(arrays: Any, /) -> Any:
    """Joined along the first axis; vectors are rows.

    >>> import minigrad.numpy as mnp
    >>> mnp.vstack([mnp.ones(2), mnp.ones((3, 2))]).shape
    (4, 2)
    """
    return concat([atleast_2d(x) for x in _joined("vstack", arrays)])


def dstack(arrays: Any, /) -> Any:
    """Joined along the third axis.

    >>> import minigrad.numpy as mnp
    >>> mnp.dstack([mnp.ones(2), mnp.ones(2)]).shape
    (1, 2, 2)
    """
    return concat([atleast_3d(x) for x in _joined("dstack", arrays)], axis=2)


def column_stack(arrays: Any, /) -> Any:
    """Vectors as the columns of a matrix.

    >>> import minigrad.numpy as mnp
    >>> mnp.column_stack([mnp.zeros(3), mnp.ones(3)]).shape
    (3, 2)
    """
    xs = [expand_dims(atleast_1d(x), 1) if x.ndim < 2 else x for x in _joined("column_stack", arrays)]
    return concat(xs, axis=1)


def atleast_1d(x: Operand, /) -> Any:
    """x, a scalar as a vector of one.

    >>> import minigrad.numpy as mnp
    >>> mnp.atleast_1d(2.0).shape
    (1,)
    """
    x = lift(x, "atleast_1d")
    return x if x.ndim else Reshape((1,))(x)


def atleast_2d(x: Operand, /) -> Any:
    """x, a vector as one row.

    >>> import minigrad.numpy as mnp
    >>> mnp.atleast_2d(mnp.ones(3)).shape
    (1, 3)
    """
    x = lift(x, "atleast_2d")
    return x if x.ndim > 1 else Reshape((1, *(x.shape or (1,))))(x)


def atleast_3d(x: Operand, /) -> Any:
    """x with axes added to make three: a vector [n] becomes [1, n, 1], a matrix [n, m] becomes [n, m, 1].

    >>> import minigrad.numpy as mnp
    >>> mnp.atleast_3d(mnp.ones(3)).shape
    (1, 3, 1)
    """
    x = lift(x, "atleast_3d")
    return x if x.ndim > 2 else Reshape((*atleast_2d(x).shape, 1))(x)


def unstack(x: Operand, /, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, without it.

    >>> import minigrad.numpy as mnp
    >>> [row.tolist() for row in mnp.unstack(mnp.arange(4).reshape(2, 2))]
    [[0, 1], [2, 3]]
    """
    x = lift(x, "unstack")
    if x.ndim == 0:
        raise ShapeError(f"unstack: {x.type} has no axis")
    d = axis_of("unstack", axis, x)
    shape = (*x.shape[:d], *x.shape[d + 1 :])
    return tuple([Reshape(shape)(slice_axis(x, d, i, i + 1)) for i in range(x.shape[d])])


def split(x: Operand, indices_or_sections: Any, /, axis: int = 0) -> list[Any]:
    """Parts along an axis: so many equal ones, or cut before each of the given positions.

    >>> import minigrad.numpy as mnp
    >>> [p.tolist() for p in mnp.split(mnp.arange(5), [2, 3])]
    [[0, 1], [2], [3, 4]]
    """
    x = lift(x, "split")
    d = axis_of("split", axis, x)
    if not isinstance(indices_or_sections, int) or indices_or_sections < 1:
        return array_split(x, indices_or_sections, axis)
    if isinstance(x.shape[d], int) and x.shape[d] % indices_or_sections:
        raise ShapeError(
            f"split: axis {d} of {x.type} does not divide into {indices_or_sections} equal parts",
            hint="array_split allows unequal parts",
        )
    size = x.shape[d] // indices_or_sections
    return [slice_axis(x, d, size * i, size * (i + 1)) for i in range(indices_or_sections)]


def array_split(x: Operand, indices_or_sections: Any, /, axis: int = 0) -> list[Any]:
    """As `split`, but the parts need not be equal: the first ones get one more.

    >>> import minigrad.numpy as mnp
    >>> [p.shape for p in mnp.array_split(mnp.arange(5), 2)]
    [(3,), (2,)]
    """
    x = lift(x, "array_split")
    d = axis_of("array_split", axis, x)
    n = x.shape[d]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1:
            raise ArgumentError(f"array_split: needs at least one part, got {indices_or_sections}")
        each, more = divmod(n, indices_or_sections)
        sizes = [each + (i < more) for i in range(indices_or_sections)]
        cuts = list(accumulate(sizes))[:-1]
    else:
        cuts = [slice(int(i)).indices(n)[1] for i in indices_or_sections]
    ends = zip([0, *cuts], [*cuts, n], strict=True)
    return [slice_axis(x, d, a, builtins.max(a, b)) for a, b in ends]


# ── repeating and padding ────────────────────────────────────────────────────────────────────────
def tile(x: Operand, repetitions: Any, /) -> Any:
    """x laid side by side: so many times along each of the last axes.

    >>> import minigrad.numpy as mnp
    >>> mnp.tile(mnp.arange(2), (2, 2)).tolist()
    [[0, 1, 0, 1], [0, 1, 0, 1]]
    """
    x = lift(x, "tile")
    times = shape_of("tile", repetitions)
    rank = builtins.max(x.ndim, len(times))
    shape = (1,) * (rank - x.ndim) + x.shape
    times = (1,) * (rank - len(times)) + times
    apart = Reshape(tuple(m for n in shape for m in (1, n)))(x)  # [n, ...] -> [1, n, ...]
    wide = Expand(tuple(m for k, n in zip(times, shape, strict=True) for m in (k, n)))(apart)
    return Reshape(tuple(k * n for k, n in zip(times, shape, strict=True)))(wide)


def pad(x: Operand, pad_width: Any, /, mode: str = "constant", *, constant_values: Operand = 0) -> Any:
    """Widened at both ends of each axis. `pad_width`: one number, (before, after) for all axes, or one pair an axis.

    Modes: "constant", "edge", "reflect" (without the edge), "symmetric" (with it), "wrap".

    >>> import minigrad.numpy as mnp
    >>> mnp.pad(mnp.asarray([1, 2, 3]), (2, 1), mode="reflect").tolist()
    [3, 2, 1, 2, 3, 2]
    """
    x = lift(x, "pad")
    widths = _pad_widths(x, pad_width)
    if mode == "constant":
        value = convert(lift(constant_values, "pad"), x.dtype)
        low, high = zip(*widths, strict=True) if widths else ((), ())
        return Pad(low, high, (0,) * x.ndim)(x, value)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ArgumentError(f"pad: unknown mode {mode!r}", hint="known: constant, edge, reflect, symmetric, wrap")
    for d, (before, after) in enumerate(widths):
        if before or after:
            if x.shape[d] == 0:
                raise ShapeError(f"pad: mode {mode!r} has nothing to copy along axis {d} of {x.type}")
            places: Any = np.pad(np.arange(x.shape[d]), (before, after), mode=mode)  # type: ignore[call-overload]
            x = _picked(x, places, d)
    return x


def _picked(x: Any, places: Any, axis: int) -> Any:
    """The elements at known places along an axis, as runs of slices: what a window at a border needs."""
    parts, start = [], 0
    for stop in range(1, len(places) + 1):
        step = places[start + 1] - places[start] if start + 1 < len(places) else 1
        if stop == len(places) or step not in (1, -1) or places[stop] - places[stop - 1] != step:
            lo, hi = builtins.min(places[start], places[stop - 1]), builtins.max(places[start], places[stop - 1])
            run = slice_axis(x, axis, int(lo), int(hi) + 1)
            parts.append(Flip((axis,))(run) if step == -1 and stop - start > 1 else run)
            start = stop
    return Concatenate(axis)(*parts)


def _pad_widths(x: Value, pad_width: Any) -> list[tuple[int, int]]:
    widths: Any = pad_width
    if not isinstance(widths, Sequence):
        widths = [(widths, widths)] * x.ndim
    elif len(widths) == 2 and not any(isinstance(w, Sequence) for w in widths):
        widths = [tuple(widths)] * x.ndim
    elif len(widths) == 1:
        widths = [tuple(widths[0]) if isinstance(widths[0], Sequence) else (widths[0],) * 2] * x.ndim
    pairs = [tuple(w) if isinstance(w, Sequence) else (w, w) for w in widths]
    if len(pairs) != x.ndim or any(len(p) != 2 or any(not isinstance(w, (int, np.integer)) or w < 0 for w in p) for p in pairs):
        raise ArgumentError(
            f"pad: pad_width {pad_width!r} does not fit {x.type}", hint="give one (before, after) pair per axis, none negative"
        )
    return [(int(a), int(b)) for a, b in pairs]

