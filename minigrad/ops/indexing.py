"""`x[key]` and `x.at[key].set(v)`: NumPy's indexing as slices, gathers and scatters. No rules here.

Floor 2. keys.py reads the key; this file turns the Selection into ops: a static region (Slice, Flip), a window that
starts where the data says (DynamicSlice), tensors of positions (Gather, Scatter), and the layout of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError, ValueTypeError
from minigrad.op import Array, Operand, Value, lift
from minigrad.ops.axes import full_like
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.elementwise import add, convert, div, max_, min_, mul, neg, pow_, where
from minigrad.ops.gather import Gather, Scatter
from minigrad.ops.keys import Selection, select, single_flag
from minigrad.ops.movement import Expand, Flip, Permute, Reshape, inverse, zero
from minigrad.ops.pieces import Concatenate, Pad, Slice
from minigrad.types import BOOL, broadcast_shapes, shape_text

COMBINE: dict[str, Callable[[Any, Any], Any]] = {"add": add, "mul": mul, "min": min_, "max": max_}


def index(x: Operand, key: Any, /) -> Any:
    """x[key], as NumPy: basic indices give a slice, tensors of positions a gather.

    Positions out of range raise IndexRangeError where the numbers are known; traced ones are clipped.
    """
    x = lift(x, "index")
    flag = single_flag(key)
    if flag is not None:  # a mask without axes: all of x along a new axis, or none of it
        x, key = Reshape((1, *x.shape))(x), slice(0, int(flag))
    s = select(x, key)
    y = _read_window(_read_region(x, s), s)
    if s.tensors:
        y = Gather(tuple(s.tensors))(y, _coordinates(s))
    return _arranged(y, s)


def index_update(x: Operand, key: Any, value: Operand, mode: str = "set") -> Any:
    """A copy of x in which x[key] is replaced by `value` ("set") or combined with it ("add", "mul", "min", "max").

    `value` broadcasts to x[key] and takes x's dtype. Where positions repeat, "set" keeps the last value and the other
    modes combine them all. Traced positions out of range are dropped.
    """
    if mode != "set" and mode not in COMBINE:
        raise ArgumentError(f"index: unknown mode {mode!r}", hint="set, add, mul, min or max")
    x, value = lift(x, "index"), lift(value, "index")
    value = convert(value, x.dtype)
    if value.ndim == 0 and isinstance(key, Value) and key.dtype == BOOL and key.shape == x.shape:
        return where(key, value if mode == "set" else COMBINE[mode](x, value), x)  # traced masks may
    s = select(x, key)
    if broadcast_shapes("index", value.shape, s.shape) != s.shape:
        raise ShapeError(
            f"index: a value of shape {shape_text(value.shape)} does not fit the {shape_text(s.shape)} indexed"
        )
    new = _disarranged(value if value.shape == s.shape else Expand(s.shape)(value), s)
    if s.tensors:
        old, axes, where_ = _read_region(x, s), tuple(s.tensors), _coordinates(s)
        if mode == "mul" and _distinct(where_):  # then it has a derivative in `value` too
            mode, new = "set", mul(Gather(axes)(old, where_), new)
        new = Scatter(axes, mode)(old, new, where_)
    else:
        if mode != "set":  # a region has no position twice
            new = COMBINE[mode](_read_window(_read_region(x, s), s), new)
        if s.dynamic:
            new = DynamicUpdateSlice()(_read_region(x, s), new, *_window_starts(s))
    return _write_region(x, new, s)


# ── the static region ────────────────────────────────────────────────────────────────────────────
def _whole(x: Value, s: Selection) -> bool:
    return all(a == 0 for a in s.starts) and tuple(s.stops) == x.shape and all(k == 1 for k in s.steps)


def _read_region(x: Any, s: Selection) -> Any:
    if not _whole(x, s):
        x = Slice(tuple(s.starts), tuple(s.stops), tuple(s.steps))(x)
    return Flip(tuple(s.flips))(x) if s.flips else x


def _write_region(x: Any, new: Any, s: Selection) -> Any:
    if s.flips:
        new = Flip(tuple(s.flips))(new)
    if _whole(x, s):
        return new
    if all(k == 1 for k in s.steps) and all(isinstance(a, int) for a in s.starts):
        return DynamicUpdateSlice()(x, new, *s.starts)
    # strided: spread the new elements out over x's shape, and choose them where they land
    ends = [a + (n - 1) * k + 1 if n != 0 else a for a, n, k in zip(s.starts, s.sizes, s.steps, strict=True)]
    high = tuple(n - e for n, e in zip(x.shape, ends, strict=True))
    spread = Pad(tuple(s.starts), high, tuple(k - 1 for k in s.steps))
    return where(spread(full_like(new, True, BOOL), zero(BOOL)), spread(new, zero(x.dtype)), x)


# ── the window, and the positions ────────────────────────────────────────────────────────────────
def _window_starts(s: Selection) -> list[Any]:
    return [s.dynamic.get(d, 0) for d in range(len(s.starts))]


def _read_window(x: Any, s: Selection) -> Any:
    if not s.dynamic:
        return x
    return DynamicSlice(tuple(1 if d in s.dynamic else n for d, n in enumerate(s.sizes)))(x, *_window_starts(s))


def _coordinates(s: Selection) -> Any:
    """The tensors of positions as coordinates: [*lanes, number of tensors]."""
    tensors = list(s.tensors.values())
    if all(isinstance(t, Array) for t in tensors):
        return Array(np.stack(np.broadcast_arrays(*[t.array for t in tensors]), -1))  # type: ignore[attr-defined]
    columns = [Reshape((*s.lanes, 1))(t if t.shape == s.lanes else Expand(s.lanes)(t)) for t in tensors]
    return columns[0] if len(columns) == 1 else Concatenate(len(s.lanes))(*columns)


def _distinct(coordinates: Any) -> bool:
    """Is it known that no position occurs twice?"""
    if not isinstance(coordinates, Array):
        return False
    rows = coordinates.array.reshape(-1, coordinates.shape[-1])
    return len(np.unique(rows, axis=0)) == len(rows)


# ── the layout ───────────────────────────────────────────────────────────────────────────────────
def _order(s: Selection) -> tuple[int, ...]:
    """How the axes [*lanes, *axes of x] are permuted to the layout."""
    rank, kept, order = len(s.lanes), 0, []
    for axis in s.layout:
        if axis == "lanes":
            order += list(range(rank))
        elif axis is not None:
            order.append(rank + kept)
            kept += 1
    return tuple(order)


def _arranged(y: Any, s: Selection) -> Any:
    """A gathered (or sliced) tensor in the layout of the result."""
    if s.tensors and (order := _order(s)) != tuple(range(len(order))):
        y = Permute(order)(y)
    shape = s.shape
    return y if y.shape == shape else Reshape(shape)(y)


def _disarranged(value: Any, s: Selection) -> Any:
    """The inverse: a value in the layout of the result as updates (or as the region) it is written to."""
    if not s.tensors:
        shape = tuple(1 if d in s.dynamic else n for d, n in enumerate(s.sizes))
        return value if value.shape == shape else Reshape(shape)(value)
    order = _order(s)
    sizes = (*s.lanes, *(s.sizes[d] for d in sorted(a for a in s.layout if isinstance(a, int))))
    value = Reshape(tuple(sizes[k] for k in order))(value)
    return value if order == tuple(range(len(order))) else Permute(inverse(order))(value)


# ── on values ────────────────────────────────────────────────────────────────────────────────────
class At:
    """`x.at`: index it, then say what to do there. Gives changed copies; x stays as it is."""

    __slots__ = ("key", "x")

    def __init__(self, x: Value, key: Any = ...) -> None:
        self.x, self.key = x, key

    def __getitem__(self, key: Any) -> At:
        return At(self.x, key)

    def get(self) -> Any:
        return index(self.x, self.key)

    def set(self, value: Operand) -> Any:
        return index_update(self.x, self.key, value)

    def add(self, value: Operand) -> Any:
        return index_update(self.x, self.key, value, "add")

    def multiply(self, value: Operand) -> Any:
        return index_update(self.x, self.key, value, "mul")

    mul = multiply

    def min(self, value: Operand) -> Any:
        return index_update(self.x, self.key, value, "min")

    def max(self, value: Operand) -> Any:
        return index_update(self.x, self.key, value, "max")

    def subtract(self, value: Operand) -> Any:
        return index_update(self.x, self.key, neg(value), "add")

    def divide(self, value: Operand) -> Any:
        return index_update(self.x, self.key, div(1, value), "mul")

    def power(self, value: Operand) -> Any:
        return index_update(self.x, self.key, pow_(self.get(), value))

    def apply(self, function: Callable[[Any], Any]) -> Any:
        """function applied to the elements there (once, even where positions repeat)."""
        return index_update(self.x, self.key, function(self.get()))


def length(x: Value) -> int:
    """len(x): the size of axis 0."""
    if x.ndim == 0:
        raise ValueTypeError(f"len() of a scalar, {x.type}")
    return int(x.shape[0])


def iterate(x: Value) -> Iterator[Any]:
    """for row in x: x[0], x[1], ..."""
    if x.ndim == 0:
        raise ValueTypeError(f"cannot iterate over a scalar, {x.type}")
    return (index(x, i) for i in range(length(x)))


# What `ops.sugar` puts on values.
METHODS: dict[str, Any] = {"__getitem__": index, "__len__": length, "__iter__": iterate, "at": property(At)}
