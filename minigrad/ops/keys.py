"""What `x[key]` means: NumPy's indexing keys, read once into a `Selection`.

Floor 2. A key's entries are integers, slices, None, one Ellipsis, bool masks, integer tensors (lists too) and traced
scalar integers. Here negative positions are wrapped and those out of range refused, where the numbers are known;
indexing.py turns a Selection into ops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from minigrad.errors import ArgumentError, ConcretizationError, DtypeError, IndexRangeError, ShapeError, ValueTypeError
from minigrad.op import Array, Handle, Value, lift, ndarray
from minigrad.ops.axes import size_value
from minigrad.ops.elementwise import add, less, where
from minigrad.ops.gather import as_int64
from minigrad.types import Dim, Shape, Size, broadcast_shapes

Entry: TypeAlias = Any  # None, int, slice, or a Value: integers (a tensor, or a scalar not known yet)


@dataclass
class Selection:
    """A key against a type. The static region first, then starts that are data, then tensors of positions.

    `layout` is the result's axes in order: an axis of x (int), None for a new one, "lanes" for the broadcast shape
    of the tensors of positions.
    """

    starts: list[Size]
    stops: list[Size]
    steps: list[int]
    flips: list[int] = field(default_factory=list)
    dynamic: dict[int, Value] = field(default_factory=dict)
    tensors: dict[int, Value] = field(default_factory=dict)
    layout: list[int | str | None] = field(default_factory=list)
    lanes: Shape = ()

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The shape of the static region."""
        bounds = zip(self.starts, self.stops, self.steps, strict=True)
        return tuple(b - a if s == 1 else (b - a + s - 1) // s for a, b, s in bounds)

    @property
    def shape(self) -> Shape:
        """The shape of the result."""
        sizes = self.sizes
        shape: list[Size] = []
        for axis in self.layout:
            shape += [1] if axis is None else list(self.lanes) if isinstance(axis, str) else [sizes[axis]]
        return tuple(shape)


def select(x: Value, key: Any) -> Selection:
    """The meaning of a key for x, or an error that names the entry, the axis and its size."""
    entries = _aligned(x, _entries(key))
    found = Selection([0] * x.ndim, list(x.shape), [1] * x.ndim)
    fancy = any(isinstance(e, Value) and e.ndim > 0 for e in entries)
    axis, groups, inside = 0, 0, False
    for e in entries:
        positional = fancy and (isinstance(e, Value) or type(e) is int)
        if positional:
            found.tensors[axis] = positions_along(e, axis, x)
            groups += not inside
            if groups == 1 and not inside:
                found.layout.append("lanes")
        elif e is None:
            found.layout.append(None)
        elif isinstance(e, slice):
            found.starts[axis], found.stops[axis], found.steps[axis], flipped = _bounds(e, axis, x)
            found.flips += [axis] * flipped
            found.layout.append(axis)
        elif isinstance(e, Value):
            found.dynamic[axis] = positions_along(e, axis, x)
        elif type(e) is int:
            at = found.starts[axis] = _wrapped(e, axis, x)
            found.stops[axis] = at + 1
        inside = positional
        axis += e is not None and e is not Ellipsis
    if groups > 1:  # NumPy's rule: tensors of positions that do not stand together put their axes first
        found.layout.remove("lanes")
        found.layout.insert(0, "lanes")
    if fancy:
        found.lanes = broadcast_shapes("index", *[t.shape for t in found.tensors.values()])
    return found


def _entries(key: Any) -> list[Entry]:
    """The entries of a key, tensors lifted, masks still whole."""
    entries: list[Entry] = []
    for e in key if isinstance(key, tuple) else (key,):
        if e is None or e is Ellipsis or isinstance(e, slice) or type(e) is int:
            entries.append(e)
        elif isinstance(e, np.integer):
            entries.append(int(e))
        elif isinstance(e, (bool, np.bool_)):
            entries.append(Array(np.asarray(e)))
        elif isinstance(e, (list, np.ndarray, Value)):
            entries.append(_tensor(e))
        else:
            raise ValueTypeError(
                f"index: {e!r} (a {type(e).__name__}) is not an index",
                hint="an index is an integer, a slice, None, ..., an integer tensor or a bool mask",
            )
    return entries


def _tensor(e: Any) -> Any:
    """A tensor of positions or a mask; a scalar whose number is known becomes an int."""
    if isinstance(e, list):
        try:
            array = np.asarray(e)
        except ValueError:
            array = np.empty(0, object)
        e = array.astype(np.int64) if array.shape == (0,) and array.dtype.kind == "f" else array
        if e.dtype.kind not in "biu":
            raise ValueTypeError("index: a list used as an index must hold integers or bools", hint="stack it first")
    value = lift(e, "index")
    if value.dtype.kind not in "biu":
        raise DtypeError(f"index: positions must be integers or bools, got {value.type}")
    if value.ndim == 0 and value.dtype.kind != "b":
        number = known(value)
        return value if number is None else int(number)
    return value


def single_flag(key: Any) -> bool | None:
    """The bool that a key is, if it is one and its value is known."""
    if isinstance(key, (bool, np.bool_)):
        return bool(key)
    if isinstance(key, Value) and key.dtype.kind == "b" and key.ndim == 0:
        array = known(key)
        return None if array is None else bool(array)
    return None


def known(x: Value) -> ndarray | None:
    """The numbers, if there are any yet."""
    if isinstance(x, Array):
        return x.array
    if isinstance(x, Handle):
        try:
            return x.concrete("index()")
        except ConcretizationError:
            return None
    return None


def _aligned(x: Value, entries: list[Entry]) -> list[Entry]:
    """Entries with masks written as positions and the Ellipsis as full slices (it stays, as a mark before them)."""
    if sum(e is Ellipsis for e in entries) > 1:
        raise ArgumentError("index: only one ... may stand in a key")
    masks = [isinstance(e, Value) and e.dtype.kind == "b" for e in entries]
    spans = [e.ndim if m else int(e is not None and e is not Ellipsis) for e, m in zip(entries, masks, strict=True)]
    used = sum(spans)
    if used > x.ndim:
        raise IndexRangeError(f"index: {used} indices for {x.type}, which has {x.ndim} axes")
    if not any(e is Ellipsis for e in entries):
        entries, masks, spans = [*entries, Ellipsis], [*masks, False], [*spans, 0]
    out: list[Entry] = []
    axis = 0
    for e, mask, span in zip(entries, masks, spans, strict=True):
        if mask:
            out += _mask_positions(e, axis, x)
        elif e is Ellipsis:
            out += [e, *[slice(None)] * (x.ndim - used)]
            span = x.ndim - used
        else:
            out.append(e)
        axis += span
    return out


def _mask_positions(mask: Value, axis: int, x: Value) -> list[Entry]:
    array = known(mask)
    if array is None:
        raise ConcretizationError(
            f"index: how many elements of the traced mask {mask.type} are true is not known yet, so {x.type} "
            "indexed with it has no shape",
            hint="use where(mask, x, 0), or positions = nonzero(mask, size=n)",
        )
    here = x.shape[axis : axis + array.ndim]
    if array.shape != here:
        raise ShapeError(f"index: a mask of shape {array.shape} does not fit axes of sizes {here} of {x.type}")
    if array.ndim == 0:
        raise ArgumentError("index: a single bool is an index only by itself", hint="use where, or index with None")
    return [Array(p) for p in array.nonzero()]


def _wrapped(i: int, axis: int, x: Value) -> Size:
    n = x.shape[axis]
    if isinstance(n, int) and not -n <= i < n:
        raise out_of_range(i, axis, x)
    return n + i if i < 0 else i


def out_of_range(i: int, axis: int, x: Value) -> IndexRangeError:
    return IndexRangeError(f"index: {i} is out of range for axis {axis} of size {x.shape[axis]} of {x.type}")


def positions_along(e: Any, axis: int, x: Value) -> Any:
    """Positions from 0, as int64; those that are known are checked, the others will be clipped."""
    n = x.shape[axis]
    array = np.asarray(e) if type(e) is int else known(e)
    if array is None or isinstance(n, Dim):
        positions = as_int64(e)
        return where(less(positions, 0), add(positions, size_value(x, (axis,))), positions)
    bad = (array < -n) | (array >= n)
    if bad.any():
        raise out_of_range(int(array[bad][0]), axis, x)
    array = array.astype(np.int64)
    return Array(np.where(array < 0, array + n, array) if (array < 0).any() else array)


def _bounds(s: slice, axis: int, x: Value) -> tuple[Size, Size, int, bool]:
    """Start, stop and step (positive), and whether the axis is then turned round."""
    n = x.shape[axis]
    start, stop, step = (_number(v) for v in (s.start, s.stop, s.step))
    if step == 0:
        raise ArgumentError("index: a slice's step must not be 0")
    if isinstance(n, Dim):
        return (*_symbolic_bounds(start, stop, step, axis, x), step is not None and step < 0)
    first, last, by = slice(start, stop, step).indices(n)
    count = len(range(first, last, by))
    if count == 0:
        return 0, 0, 1, False
    if by > 0:
        return first, last, by, False
    return first + (count - 1) * by, first + 1, -by, True


def _symbolic_bounds(
    start: int | None, stop: int | None, step: int | None, axis: int, x: Value
) -> tuple[Size, Size, int]:
    """Along an axis of unknown size n: a start from the left, a stop from the right need no comparison with n."""
    n = x.shape[axis]
    if step in (None, 1) and (stop is None or stop < 0):
        first = start or 0
        return (n + first if first < 0 else first), (n if stop is None else n + stop), 1
    if start is None and stop is None and (step == -1 or (step or 1) > 0):
        return 0, n, abs(step or 1)
    raise ArgumentError(
        f"index: whether the slice fits axis {axis} of size {n} of {x.type} is not known until the graph is fed",
        hint="slices such as x[1:] and x[:-1] are known to fit; or give the axis a fixed size",
    )


def _number(v: Any) -> int | None:
    if v is None or type(v) is int:
        return v
    if isinstance(v, Value):
        if v.ndim != 0 or v.dtype.kind not in "iu":
            raise ValueTypeError(f"index: a slice's bounds must be integers, got {v.type}")
        array = known(v)
        if array is None:
            raise ConcretizationError(
                f"index: a slice's bound {v.type} is traced, so the result has no shape",
                hint="use dynamic_slice(x, starts, sizes), or mark the argument static",
            )
        return int(array)
    if hasattr(v, "__index__"):
        return int(v.__index__())
    raise ValueTypeError(f"index: a slice's bounds must be integers, got {v!r}")
