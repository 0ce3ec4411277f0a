"""Convolutions of one channel a group, without patches: elementwise, tap by tap.

Floor 4. Where (nearly) each channel is a group of its own there is no product of matrices to be made, and patches cost
more than what is done with them. One tap of all windows is one slice; what follows the sum over the taps joins it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import product

import numpy as np

from minigrad.graph import Atom, Const
from minigrad.loops.index import strides
from minigrad.ops import elementwise as e
from minigrad.ops.convolve import Conv
from minigrad.ops.movement import Reshape, Sum
from minigrad.ops.pieces import Concatenate, Pad, Slice
from minigrad.ops.pool import WindowSum
from minigrad.passes.rewrite import Sweep
from minigrad.passes.schedule.pooling import MOST, each_tap
from minigrad.types import TensorType

_OUTPUTS = 2  # of a channel. Depthwise, 3x3: a third to a half of the time with patches; with 4 as much, with 8 more.


def pays(op: Conv, x: TensorType, w: TensorType, places: Sequence[int]) -> bool:
    """Has a convolution of [c, n, ...] with [o, c / groups, ...] so few channels, and elements side by side?"""
    if math.prod(w.shape[2:]) > math.prod(places):
        channels, taps, steps = x.shape[1], places, op.rhs_dilation
    else:
        channels, taps, steps = w.shape[1], w.shape[2:], op.stride
    few = channels == 1 and w.shape[0] // op.groups <= _OUTPUTS and math.prod(taps) <= MOST
    return few and all(step == 1 for step in steps)


def filtered(s: Sweep, op: Conv, x: Atom, w: Atom) -> Atom:
    """[g, n, ...] and [o, 1, *window], x with its border -> [o, n, *places]."""
    g, (o, _, *window) = op.groups, w.type.shape
    taps = each_tap(s, WindowSum(tuple(window), op.stride, op.rhs_dilation), x)
    rest = taps[0].type.shape[1:]
    w = s.emit(Reshape((g, o // g, len(taps))), w)
    terms = []
    for k, a in enumerate(taps):
        weight = s.emit(Slice((0, 0, k), (g, o // g, k + 1), (1, 1, 1)), w)
        weight = s.emit(Reshape((g, o // g, *(1,) * len(rest))), weight)
        terms.append(s.emit(e.mul, s.emit(Reshape((g, 1, *rest)), a), weight))
    return s.emit(Reshape((o, *rest)), reduce(lambda a, b: s.emit(e.add, a, b), terms))


def by_kernel(s: Sweep, op: Conv, x: Atom, y: Atom, places: Sequence[int]) -> Atom:
    """[g·n, 1, ...] and [o, n, *window], x with its border -> [o, 1, *places].

    With zeros after its rows as well, y lies as x does: of both, all images of a channel are one row, and each result
    is the product of two rows, one of them shifted.
    """
    g, (o, n, *window), sizes = op.groups, y.type.shape, x.type.shape[2:]
    high = (a - b for a, b in zip(sizes, window, strict=True))
    pad = Pad((0,) * y.type.ndim, (0, 0, *high), (0,) * y.type.ndim)
    y = s.emit(pad, y, Const(np.asarray(0, y.type.dtype)))
    apart = [step * far for step, far in zip(op.stride, strides(sizes), strict=True)]
    shifts = [sum(k * step for k, step in zip(at, apart, strict=True)) for at in product(*map(range, places))]
    length = n * math.prod(sizes)
    x, y = s.emit(Reshape((g, 1, length)), x), s.emit(Reshape((g, o // g, length)), y)
    y = s.emit(Slice((0, 0, 0), (g, o // g, length - shifts[-1]), (1, 1, 1)), y)
    sums = []
    for k in shifts:
        a = s.emit(Slice((0, 0, k), (g, 1, length - shifts[-1] + k), (1, 1, 1)), x)
        sums.append(s.emit(Reshape((o, 1)), s.emit(Sum((2,)), s.emit(e.mul, a, y))))
    return s.emit(Reshape((o, 1, *places)), s.emit(Concatenate(1), *sums))
