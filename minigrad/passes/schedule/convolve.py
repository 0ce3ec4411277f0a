"""Convolutions by the best of four ways: one product of matrices, Winograd's, elementwise, or as a `PatchProduct`.

Floor 4. The shape decides (see `winograd.pays` and `direct.pays`). Everything has the channels outermost and the batch
innermost, [C, ..., N].
The convolutions that are derivatives come through here, too: that by the kernel has a window as large as an image and
few places, that by the input of a strided convolution has steps between the elements of its input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import starmap
from typing import Any

import numpy as np

from minigrad.graph import Atom, Const
from minigrad.ops.contract import DotGeneral
from minigrad.ops.convolve import Conv, dilated
from minigrad.ops.movement import Permute, Reshape
from minigrad.ops.pieces import Pad, Slice
from minigrad.passes.rewrite import Sweep, uniform_const
from minigrad.passes.schedule import direct, winograd
from minigrad.passes.schedule.windows import Interleave, PatchProduct, exchange, meeting, of_phase, permuted, phases
from minigrad.types import TensorType


def convolution(s: Sweep, op: Conv, x: Atom, w: Atom) -> Atom:
    """[c, ..., n] and [o, c / groups, ...] -> [o, ..., n]."""
    if any(step > 1 for step in op.lhs_dilation) and all(step == 1 for step in op.stride):
        return _spread(s, op, x, w)
    rank, window = len(op.stride), w.type.shape[2:]
    (n, _, *places) = op.out_type(_first(x.type), w.type).shape
    if winograd.pays(op, x.type, w.type, places):
        if winograd.is_by_kernel(w.type, places):
            return winograd.by_kernel(s, _bordered(s, op, x, winograd.reach(window, x.type.shape[0]), True), w)
        return winograd.filtered(s, _bordered(s, op, x, winograd.reach(places, n), False), w, places)
    spans = (dilated(k, r) for k, r in zip(window, op.rhs_dilation, strict=True))
    sizes = [(k - 1) * step + span for k, step, span in zip(places, op.stride, spans, strict=True)]
    few, by_kernel = math.prod(places), math.prod(window) > math.prod(places)
    tap_by_tap = direct.pays(op, x.type, w.type, places) and not (op.groups == 1 and 1 in (few, math.prod(window)))
    if tap_by_tap and by_kernel:
        return direct.by_kernel(s, op, _bordered(s, op, direct.images(s, op, x), sizes, False), w, places)
    x = _bordered(s, op, x, sizes, by_kernel)
    if op.groups == 1 and math.prod(window) == 1:  # a matrix for each place
        x = _every(s, x, places, op.stride)
        y = s.emit(DotGeneral(((1,), (0,))), w, x)
        return s.emit(Reshape((w.type.shape[0], *places, n)), y)
    if op.groups == 1 and few == 1:  # one window
        x = _every(s, x, window, op.rhs_dilation)
        y = s.emit(DotGeneral((tuple(range(1, rank + 2)), tuple(range(rank + 1)))), w, x)
        return s.emit(Reshape((w.type.shape[0], *places, n)), y)
    if tap_by_tap:
        return direct.filtered(s, op, x, w)
    summed = math.prod(window) >= few
    y = s.emit(PatchProduct(op.stride, op.rhs_dilation, op.groups, summed), x, w)
    return s.emit(Permute((0, *range(2, rank + 2), 1)), y) if summed else y


def _bordered(s: Sweep, op: Conv, x: Atom, sizes: list[Any], by_kernel: bool) -> Atom:
    """x with as much of its border, and of itself, as the windows reach."""
    low = [lo for lo, _ in op.padding]
    high = [
        size - lo - dilated(n, step)
        for size, lo, n, step in zip(sizes, low, x.type.shape[1:-1], op.lhs_dilation, strict=True)
    ]
    if max((*low, *high), default=0) <= 0 and all(step == 1 for step in op.lhs_dilation):
        return _every(s, x, sizes, (1,) * len(sizes), [-lo for lo in low])
    pad = Pad((0, *low, 0), (0, *high, 0), (0, *(step - 1 for step in op.lhs_dilation), 0))
    if not by_kernel:
        return s.emit(pad, x, _zero(x))
    turn = exchange(x.type.ndim)  # padded as it lies for the convolution itself, which has the same border
    return s.emit(turn, s.emit(pad, permuted(s, turn.order, x), _zero(x)))


def _every(s: Sweep, x: Atom, sizes: Sequence[int], steps: Sequence[int], starts: Sequence[int] | None = None) -> Atom:
    """So many elements along the axes between the first and the last, so many steps apart."""
    c, *before, n = x.type.shape
    if before == list(sizes):
        return x
    starts = starts or (0,) * len(sizes)
    stops = (a + (m - 1) * step + 1 for a, m, step in zip(starts, sizes, steps, strict=True))
    return s.emit(Slice((0, *starts, 0), (c, *stops, n), (1, *steps, 1)), x)


def _spread(s: Sweep, op: Conv, x: Atom, w: Atom) -> Atom:
    """A convolution of x spread out, without its zeros: outputs as far apart as its elements meet the same taps."""
    o, n, sizes = w.type.shape[0], x.type.shape[-1], op.out_type(_first(x.type), w.type).shape[2:]
    steps, places = op.lhs_dilation, phases(op.lhs_dilation)
    many = {f: [of_phase(*a) for a in zip(sizes, f, steps, strict=True)] for f in places}
    found = {f: y for f in places if 0 not in many[f] and (y := _of_phase(s, op, x, w, f, many[f])) is not None}
    if len(found) == 1:
        ((f, y),) = found.items()
        ends = (start + dilated(m, step) for start, m, step in zip(f, many[f], steps, strict=True))
        high = (size - end for size, end in zip(sizes, ends, strict=True))
        return s.emit(Pad((0, *f, 0), (0, *high, 0), (0, *(step - 1 for step in steps), 0)), y, _zero(x))
    for f in places:
        if f not in found:
            found[f] = uniform_const(s, 0, TensorType((o, *many[f], n), x.type.dtype))
    return s.emit(Interleave((*steps, 1), (*sizes, n)), *(found[f] for f in places))


def _of_phase(s: Sweep, op: Conv, x: Atom, w: Atom, f: Sequence[int], many: Sequence[int]) -> Atom | None:
    """The outputs f, f + step, ...; None if they meet no tap.

    Output q meets tap k at element (q + k·gap - low) / step of x, if that is whole: a convolution with every so many
    taps.
    """
    window, shape, steps = w.type.shape[2:], w.type.shape, op.lhs_dilation
    offsets = [start - low for start, (low, _) in zip(f, op.padding, strict=True)]
    taps = list(starmap(meeting, zip(window, op.rhs_dilation, offsets, steps, strict=True)))
    found = [t for t in taps if t is not None]
    if len(found) < len(taps):
        return None
    if any(k > 0 or min(apart, size) > 1 for (k, apart, _), size in zip(found, window, strict=True)):
        starts, apart = ([t[i] for t in found] for i in (0, 1))
        w = s.emit(Slice((0, 0, *starts), shape, (1, 1, *apart)), w)
    gaps = tuple(r * t[1] // step for r, t, step in zip(op.rhs_dilation, found, steps, strict=True))
    padding = []
    for d, (_, _, first) in enumerate(found):
        span = many[d] + (w.type.shape[d + 2] - 1) * gaps[d]
        padding.append((-first, span - x.type.shape[d + 1] + first))
    unit = (1,) * len(steps)
    return convolution(s, Conv(unit, tuple(padding), unit, gaps, op.groups), x, w)


def _first(t: TensorType) -> TensorType:
    """With the batch first."""
    return t.with_shape((t.shape[-1], *t.shape[:-1]))


def _zero(x: Atom) -> Const:
    return Const(np.asarray(0, x.type.dtype))
