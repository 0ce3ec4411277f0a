"""Convolutions of one channel a group, without patches: elementwise, tap by tap.

Floor 4. Where each output is of one channel there is hardly a product of matrices to be made, and patches cost more
than what is done with them. One tap of all windows is one slice; what follows the sum over the taps joins it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import product

from minigrad.graph import Atom
from minigrad.ops import elementwise as e
from minigrad.ops.convolve import Conv
from minigrad.ops.movement import Permute, Reshape, Sum
from minigrad.ops.pieces import Concatenate, Slice
from minigrad.ops.pool import WindowSum
from minigrad.passes.rewrite import Sweep
from minigrad.passes.schedule.pooling import MOST, each_tap
from minigrad.passes.schedule.windows import permuted
from minigrad.types import TensorType

# From how few outputs of a channel, or taps, on. Against patches, 3x3: depthwise a third of the time; 2 to 64 outputs
# of one channel (64 images of 28x28, 8 of 112x112) 0.6 to 1 of it, the derivative by the kernel 0.3 to 1. Of one image
# 8 to 32 outputs take 1.1 to 1.25 of the time, their derivative 0.4 to 1; of 8 of 112x112 that of 4 takes 1.8.
_OUTPUTS, _TAPS = 2, 9


def pays(op: Conv, x: TensorType, w: TensorType, places: Sequence[int]) -> bool:
    """Has a convolution of [c, ..., n] with [o, c / groups, ...] so few channels, and elements side by side?"""
    if math.prod(w.shape[2:]) > math.prod(places):
        channels, taps, steps = x.shape[-1], math.prod(places), op.rhs_dilation
    else:
        channels, taps, steps = w.shape[1], math.prod(w.shape[2:]), op.stride
    few = taps <= _TAPS or (w.shape[0] // op.groups <= _OUTPUTS and taps <= MOST)
    return channels == 1 and few and all(step == 1 for step in steps)


def filtered(s: Sweep, op: Conv, x: Atom, w: Atom) -> Atom:
    """[g, ..., n] and [o, 1, *window], x with its border -> [o, *places, n]."""
    g, (o, _, *window) = op.groups, w.type.shape
    taps = each_tap(s, WindowSum((*window, 1), (*op.stride, 1), (*op.rhs_dilation, 1)), x)
    rest = taps[0].type.shape[1:]
    w = s.emit(Reshape((g, o // g, len(taps))), w)
    terms = []
    for k, a in enumerate(taps):
        weight = s.emit(Slice((0, 0, k), (g, o // g, k + 1), (1, 1, 1)), w)
        weight = s.emit(Reshape((g, o // g, *(1,) * len(rest))), weight)
        terms.append(s.emit(e.mul, s.emit(Reshape((g, 1, *rest)), a), weight))
    return s.emit(Reshape((o, *rest)), reduce(lambda a, b: s.emit(e.add, a, b), terms))


def images(s: Sweep, op: Conv, x: Atom) -> Atom:
    """[g·n, ..., 1] -> [g, ..., n]: the images of a channel innermost, as they lay before."""
    (many, *sizes, _), g = x.type.shape, op.groups
    if g == 1:
        return permuted(s, (len(sizes) + 1, *range(1, len(sizes) + 1), 0), x)
    return s.emit(Permute((0, *range(2, len(sizes) + 2), 1)), s.emit(Reshape((g, many // g, *sizes)), x))


def by_kernel(s: Sweep, op: Conv, x: Atom, y: Atom, places: Sequence[int]) -> Atom:
    """[g, ..., n], with its border, and [o, n, *window] -> [o, *places, 1]: for each tap a sum of products."""
    (g, *_, n), (o, _, *window) = x.type.shape, y.type.shape
    rank = len(window)
    y = permuted(s, (0, *range(2, rank + 2), 1), y)
    lead = () if 1 in (g, o // g) else (g,)
    y = s.emit(Reshape((*lead, o // g, *window, n)), y) if lead else y
    sums = []
    for at in product(*map(range, places)):
        first = [k * step for k, step in zip(at, op.stride, strict=True)]
        last = [k + (m - 1) * r + 1 for k, m, r in zip(first, window, op.rhs_dilation, strict=True)]
        a: Atom = s.emit(Slice((0, *first, 0), (g, *last, n), (1, *op.rhs_dilation, 1)), x)
        a = s.emit(Reshape((g, 1, *window, n)), a) if lead else a
        total = s.emit(Sum(tuple(range(len(lead) + 1, len(lead) + rank + 2))), s.emit(e.mul, a, y))
        sums.append(s.emit(Reshape((o, 1)), total))
    return s.emit(Reshape((o, *places, 1)), s.emit(Concatenate(1), *sums))
