"""Pooling as arithmetic on slices: tap k of every window is one strided slice.

Floor 4. The position of a window's largest element is kept as the number of its tap, and the derivative goes back to
the elements by asking, for each of them, the windows it is in: no element is written to twice, none at a place that is
data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from minigrad.graph import Atom, Const, Var
from minigrad.ops import elementwise as e
from minigrad.ops.pieces import Pad, Slice
from minigrad.ops.pool import Windowing
from minigrad.ops.rows import Row
from minigrad.passes.rewrite import Sweep, uniform_const
from minigrad.passes.schedule.windows import Interleave, meeting, of_phase, phases
from minigrad.types import LONG, TensorType

MOST = 64  # taps that are written out: of a window, or of one of its axes where each can be done by itself
_TOGETHER = 16  # taps of a window done at once
_TAP = LONG["i8"]  # the number of a tap


def is_small(op: Windowing, t: TensorType, by_axis: bool = False) -> bool:
    """Can the windows be written out, tap by tap?"""
    taps = max((*op.window, 1)) if by_axis else math.prod(op.window)
    return math.prod(op.window) > 0 and taps <= MOST and t.size > 0 and math.prod(op.places(t)) > 0


def window_sum(s: Sweep, op: Windowing, x: Atom) -> Atom:
    return _combined(s, e.add, op, x)


def window_max(s: Sweep, op: Windowing, x: Atom) -> Atom:
    return _combined(s, e.max_, op, x)


def _combined(s: Sweep, row: Row, op: Windowing, x: Atom) -> Atom:
    """The elements of each window combined; large windows axis by axis."""
    if math.prod(op.window) <= _TOGETHER:
        return reduce(lambda a, b: s.emit(row, a, b), each_tap(s, op, x))
    for d in range(len(op.window)):
        alone = [tuple(p[k] if k == d else 1 for k in range(len(p))) for p in (op.window, op.stride, op.dilation)]
        x = reduce(lambda a, b: s.emit(row, a, b), each_tap(s, type(op)(*alone), x))
    return x


def first_largest(s: Sweep, op: Windowing, x: Atom) -> Atom:
    """The number (int32) of the tap with each window's first largest element; NaN wins."""
    taps = each_tap(s, op, x)
    largest = reduce(lambda a, b: s.emit(e.max_, a, b), taps)
    found: Atom = uniform_const(s, len(taps) - 1, largest.type.with_dtype(_TAP))
    for k in reversed(range(len(taps) - 1)):
        number = Const(np.asarray(k, _TAP))
        found = s.emit(e.where, s.emit(e.equal, taps[k], largest), number, found)
        if x.type.dtype.kind == "f":  # if there is a NaN nothing equals the largest
            found = s.emit(e.where, s.emit(e.not_equal, taps[k], taps[k]), number, found)
    return found


def added_back(s: Sweep, op: Windowing, sizes: Sequence[int], y_bar: Atom, tap: Atom) -> Atom:
    """y_bar of each window added where its element of this tap stands, among `sizes` trailing zeros.

    Element q = m·stride + f is tap k of window (q - k·dilation) / stride, if that is whole: m less a shift.
    """
    rank = len(op.window)
    met = {f: _windows_of(op, f) for f in phases(op.stride)}
    many = {f: [of_phase(*a) for a in zip(sizes, f, op.stride, strict=True)] for f in met}
    places = y_bar.type.shape[y_bar.type.ndim - rank :]
    shifts = [shift for found in met.values() for _, shift in found]
    low = [max([0, *(shift[d] for shift in shifts)]) for d in range(rank)]
    high = [max([0, *(many[f][d] - shift[d] - places[d] for f in met for _, shift in met[f])]) for d in range(rank)]
    y_bar, tap = _bordered(s, y_bar, low, high, 0), _bordered(s, tap, low, high, -1)
    zero = Const(np.asarray(0, y_bar.type.dtype))
    parts = []
    for f, found in met.items():
        t = y_bar.type.with_shape((*y_bar.type.shape[: y_bar.type.ndim - rank], *many[f]))
        terms = []
        for number, shift in found if t.size else ():
            start = [a - b for a, b in zip(low, shift, strict=True)]
            here, value = (_slice(s, a, start, many[f], (1,) * rank) for a in (tap, y_bar))
            terms.append(s.emit(e.where, s.emit(e.equal, here, Const(np.asarray(number, _TAP))), value, zero))
        parts.append(reduce(lambda a, b: s.emit(e.add, a, b), terms) if terms else uniform_const(s, 0, t))
    return s.emit(Interleave(op.stride, tuple(sizes)), *parts)


def _windows_of(op: Windowing, f: Sequence[int]) -> list[tuple[int, tuple[int, ...]]]:
    """The taps (their numbers, and how many windows back) as which elements at `f` within a stride are met."""
    axes: list[Any] = []
    for size, gap, step, start in zip(op.window, op.dilation, op.stride, f, strict=True):
        first = meeting(size, gap, -start, step)
        if first is None:
            return []
        k, apart, shift = first
        axes.append([(j, shift + (j - k) * gap // step) for j in range(k, size, apart)])
    found = []
    for taps in product(*axes):
        number = reduce(lambda total, t: total * t[1] + t[0][0], zip(taps, op.window, strict=True), 0)
        found.append((number, tuple(shift for _, shift in taps)))
    return found


def each_tap(s: Sweep, op: Windowing, x: Atom) -> list[Var]:
    """For each element of the window, that element of every window."""
    rank = len(op.window)
    places = op.places(x.type)[x.type.ndim - rank :]
    return [
        _slice(s, x, [k * r for k, r in zip(at, op.dilation, strict=True)], places, op.stride)
        for at in product(*map(range, op.window))
    ]


def _slice(s: Sweep, x: Atom, start: Sequence[int], sizes: Sequence[int], steps: Sequence[int]) -> Var:
    lead = x.type.ndim - len(sizes)
    stops = [a + (m - 1) * step + 1 for a, m, step in zip(start, sizes, steps, strict=True)]
    return s.emit(Slice((*(0,) * lead, *start), (*x.type.shape[:lead], *stops), (*(1,) * lead, *steps)), x)


def _bordered(s: Sweep, x: Atom, low: Sequence[int], high: Sequence[int], value: int) -> Atom:
    if not any((*low, *high)):
        return x
    lead = (0,) * (x.type.ndim - len(low))
    pad = Pad((*lead, *low), (*lead, *high), (0,) * x.type.ndim)
    return s.emit(pad, x, Const(np.asarray(value, x.type.dtype)))
