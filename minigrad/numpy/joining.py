"""Joining, splitting, repeating, padding.

Floor 5. Arrays that are joined promote to one dtype. All of it is movement, so its reverse is movement too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError, ValueTypeError
from minigrad.numpy.creation import shape_of
from minigrad.numpy.known import known
from minigrad.numpy.manipulation import atleast_1d, atleast_2d, atleast_3d, expand_dims, ravel
from minigrad.numpy.named import named
from minigrad.op import Array, Operand, Value, lift
from minigrad.ops.axes import axis_of, python_number
from minigrad.ops.elementwise import convert
from minigrad.ops.gather import taken
from minigrad.ops.movement import Expand, Flip, Reshape, expand_to, without
from minigrad.ops.pieces import Concatenate, Pad, slice_axis
from minigrad.ops.rows import converted
from minigrad.ops.weak import weak_dtype
from minigrad.types import as_dtype, promote, same_shape


def _joined(who: str, arrays: Any) -> list[Any]:
    """The arrays as values of one dtype."""
    if not isinstance(arrays, (list, tuple)):
        if isinstance(arrays, (Value, np.ndarray)) and arrays.ndim:
            arrays = unstack(arrays)
        else:
            raise ValueTypeError(f"{who}: takes a list of arrays, got {arrays!r}")
    if not arrays:
        raise ArgumentError(f"{who}: needs at least one array")
    dtype = promote(*[weak_dtype(a, who) for a in arrays])
    return [converted(a, dtype, who) for a in arrays]


def concat(arrays: Any, /, axis: Any = 0, *, dtype: Any = None) -> Any:
    """Joined along an axis they have (None: each flattened first); dtypes promote.

    >>> import minigrad.numpy as mnp
    >>> mnp.concat([mnp.zeros((1, 2)), mnp.ones((2, 2))]).shape
    (3, 2)
    """
    if isinstance(axis, Value) and axis.ndim:
        raise ArgumentError("concat: an axis must be an integer, got another array", hint="concat([x, y])")
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
        if not same_shape(x.shape, xs[0].shape):
            raise ShapeError(f"stack: {xs[0].type} and {x.type} do not have one shape")
    lifted = [expand_dims(x, axis) for x in xs]
    return Concatenate(axis % lifted[0].ndim)(*lifted)


def _joining(name: str, widened: Callable[[Any], Any], axis: int, doc: str, call: str) -> Callable[..., Any]:
    """The public function that joins arrays along a certain axis (or the last), each widened to have it."""

    def function(arrays: Any, /) -> Any:
        xs = [widened(x) for x in _joined(name, arrays)]
        return concat(xs, axis=min(axis, xs[0].ndim - 1))

    return named(function, name, doc, call, "mnp.{name}([mnp.ones({call})] * 2).shape")


hstack = _joining(
    "hstack", atleast_1d, 1, "Joined along the second axis (vectors: along their only one).", "(2, 1) -> (2, 2)"
)
vstack = _joining("vstack", atleast_2d, 0, "Joined along the first axis; vectors are rows.", "3 -> (2, 3)")
dstack = _joining("dstack", atleast_3d, 2, "Joined along the third axis.", "2 -> (1, 2, 2)")
column_stack = _joining(
    "column_stack",
    lambda x: expand_dims(atleast_1d(x), 1) if x.ndim < 2 else x,
    1,
    "Vectors as the columns of a matrix.",
    "3 -> (3, 2)",
)


def unstack(x: Operand, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, without it.

    >>> import minigrad.numpy as mnp
    >>> [row.tolist() for row in mnp.unstack(mnp.arange(4).reshape(2, 2))]
    [[0, 1], [2, 3]]
    """
    x = lift(x, "unstack")
    if x.ndim == 0:
        raise ShapeError(f"unstack: {x.type} has no axis")
    d = axis_of("unstack", axis, x)
    shape = without(x.shape, {d})
    return tuple([Reshape(shape)(slice_axis(x, d, i, i + 1)) for i in range(x.shape[d])])


def split(x: Operand, /, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Parts along an axis: so many equal ones, or cut before each of the given positions.

    >>> import minigrad.numpy as mnp
    >>> [p.tolist() for p in mnp.split(mnp.arange(5), [2, 3])]
    [[0, 1], [2], [3, 4]]
    """
    x = lift(x, "split")
    d, indices_or_sections = axis_of("split", axis, x), python_number(indices_or_sections)
    if not isinstance(indices_or_sections, int) or indices_or_sections < 1:
        return array_split(x, indices_or_sections, axis)
    if isinstance(x.shape[d], int) and x.shape[d] % indices_or_sections:
        raise ShapeError(
            f"split: axis {d} of {x.type} does not divide into {indices_or_sections} equal parts",
            hint="array_split allows unequal parts",
        )
    size = x.shape[d] // indices_or_sections
    return [slice_axis(x, d, size * i, size * (i + 1)) for i in range(indices_or_sections)]


def array_split(x: Operand, /, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As `split`, but the parts need not be equal: the first ones get one more.

    >>> import minigrad.numpy as mnp
    >>> [p.shape for p in mnp.array_split(mnp.arange(5), 2)]
    [(3,), (2,)]
    """
    x = lift(x, "array_split")
    d, indices_or_sections = axis_of("array_split", axis, x), python_number(indices_or_sections)
    n = operator.index(x.shape[d])  # where to cut depends on it
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1:
            raise ArgumentError(f"array_split: needs at least one part, got {indices_or_sections}")
        each, more = divmod(n, indices_or_sections)
        sizes = [each + (i < more) for i in range(indices_or_sections)]
        cuts = list(accumulate(sizes))[:-1]
    else:
        cuts = [slice(int(i)).indices(n)[1] for i in indices_or_sections]
    ends = zip([0, *cuts], [*cuts, n], strict=True)
    return [slice_axis(x, d, a, max(a, b)) for a, b in ends]


# ── repeating and padding ────────────────────────────────────────────────────────────────────────
def tile(x: Operand, repetitions: Any, /) -> Any:
    """x laid side by side: so many times along each of the last axes.

    >>> import minigrad.numpy as mnp
    >>> mnp.tile(mnp.arange(2), (2, 2)).tolist()
    [[0, 1, 0, 1], [0, 1, 0, 1]]
    """
    x = lift(x, "tile")
    times = shape_of("tile", repetitions)
    rank = max(x.ndim, len(times))
    shape = (1,) * (rank - x.ndim) + x.shape
    times = (1,) * (rank - len(times)) + times
    apart = Reshape(tuple(m for n in shape for m in (1, n)))(x)  # [n, ...] -> [1, n, ...]
    wide = Expand(tuple(m for k, n in zip(times, shape, strict=True) for m in (k, n)))(apart)
    return Reshape(tuple(k * n for k, n in zip(times, shape, strict=True)))(wide)


def repeat(x: Operand, repeats: Any, /, axis: int | None = None) -> Any:
    """Each element (or slice along an axis) several times in a row: as often for all, or a count for each.

    Counts for each must be known numbers, for they decide the shape.

    >>> import minigrad.numpy as mnp
    >>> mnp.repeat(mnp.asarray([1, 2]), 2).tolist()
    [1, 1, 2, 2]
    """
    x = lift(x, "repeat")
    if axis is None:
        x, axis = ravel(x), 0
    d = axis_of("repeat", axis, x)
    n = x.shape[d]
    hint = "give the counts as a list or a NumPy array"
    counts = np.asarray(known(repeats, "repeat", hint) if isinstance(repeats, Value) else repeats)
    fits = counts.shape in ((), (1,)) or same_shape(counts.shape, (n,))
    if not fits or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ArgumentError(f"repeat: repeats must be one count or {n} for axis {d} of {x.type}, got {repeats!r}")
    if counts.size == 1 and (counts.ndim == 0 or n != 1):
        k = int(counts.item())
        lead, tail = x.shape[:d], x.shape[d + 1 :]
        wide = Expand((*lead, n, k, *tail))(Reshape((*lead, n, 1, *tail))(x))
        return Reshape((*lead, n * k, *tail))(wide)
    places = Array(np.repeat(np.arange(counts.size), counts))
    return taken(x, places, d) if places.shape[0] else slice_axis(x, d, 0, 0)


def pad(x: Operand, /, pad_width: Any, mode: str = "constant", *, constant_values: Operand = 0) -> Any:
    """Widened at both ends of each axis. `pad_width`: one number, (before, after) for all axes, or one pair an axis.

    Modes: "constant", "edge", "reflect" (without the edge), "symmetric" (with it), "wrap". Constants are one number,
    or numbers that broadcast to [axes, 2], as widths do; they become of x's dtype, and have a gradient.

    >>> import minigrad.numpy as mnp
    >>> mnp.pad(mnp.asarray([1, 2, 3]), (2, 1), mode="reflect").tolist()
    [3, 2, 1, 2, 3, 2]
    """
    x = lift(x, "pad")
    widths = _pad_widths(x, pad_width)
    if mode == "constant":
        value = convert(lift(constant_values, "pad"), x.dtype)
        nothing: tuple[int, ...] = (0,) * x.ndim
        if value.ndim == 0:
            low, high = zip(*widths, strict=True) if widths else ((), ())
            return Pad(low, high, nothing)(x, value)
        values = iter(Reshape((2 * x.ndim,))(expand_to(value, (x.ndim, 2))))
        for d, pair in enumerate(widths):
            low, high = ((*nothing[:d], width, *nothing[d + 1 :]) for width in pair)
            x = Pad(low, nothing, nothing)(x, next(values))
            x = Pad(nothing, high, nothing)(x, next(values))
        return x
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ArgumentError(f"pad: unknown mode {mode!r}", hint="known: constant, edge, reflect, symmetric, wrap")
    for d, (before, after) in enumerate(widths):
        if before or after:
            if x.shape[d] == 0:
                raise ShapeError(f"pad: mode {mode!r} has nothing to copy along axis {d} of {x.type}")
            places: Any = np.pad(np.arange(operator.index(x.shape[d])), (before, after), mode=mode)  # type: ignore[call-overload]
            x = _picked(x, places, d)
    return x


def _picked(x: Any, places: Any, axis: int) -> Any:
    """The elements at known places along an axis, as runs of slices: what a window at a border needs."""
    parts, start = [], 0
    for stop in range(1, len(places) + 1):
        step = places[start + 1] - places[start] if start + 1 < len(places) else 1
        if stop == len(places) or step not in (1, -1) or places[stop] - places[stop - 1] != step:
            lo, hi = min(places[start], places[stop - 1]), max(places[start], places[stop - 1])
            run = slice_axis(x, axis, int(lo), int(hi) + 1)
            parts.append(Flip((axis,))(run) if step == -1 and stop - start > 1 else run)
            start = stop
    return Concatenate(axis)(*parts)


def _pad_widths(x: Value, pad_width: Any) -> list[tuple[int, int]]:
    widths: Any = pad_width
    if isinstance(pad_width, (np.ndarray, Value)):
        widths = widths.tolist()
    if not isinstance(widths, Sequence):
        widths = [(widths, widths)] * x.ndim
    elif len(widths) == 2 and not any(isinstance(w, Sequence) for w in widths):
        widths = [tuple(widths)] * x.ndim
    elif len(widths) == 1:
        widths = [tuple(widths[0]) if isinstance(widths[0], Sequence) else (widths[0],) * 2] * x.ndim
    pairs = [tuple(w) if isinstance(w, Sequence) else (w, w) for w in widths]
    if len(pairs) != x.ndim or not all(len(p) == 2 and all(map(_is_count, p)) for p in pairs):
        raise ArgumentError(
            f"pad: pad_width {pad_width!r} does not fit {x.type}",
            hint="give one (before, after) pair per axis, none negative",
        )
    return [(int(a), int(b)) for a, b in pairs]


def _is_count(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and bool(n >= 0)
