"""The ops that convolutions and pooling are scheduled as. They stand in no user's graph, and no pass but the schedule's
meets them.

Floor 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from minigrad.frozen import dataclass
from minigrad.op import Op, ndarray
from minigrad.ops.convolve import Conv, dilated
from minigrad.types import Shape, TensorType


@dataclass(frozen=True)
class PatchProduct(Op, listed=False):
    """y[o, n, p] = Σ_{c, k} x[c, n, p·stride + k·dilation] · w[o, c, k]: a convolution with the channels outermost.

    With them there, all images lie side by side in one matrix [channels, images·places], and a window of size 1 needs
    no patches at all.
    """

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def out_type(self, x: TensorType, w: TensorType) -> TensorType:  # type: ignore[override]
        places = [
            (n - dilated(k, r)) // s + 1
            for n, k, s, r in zip(x.shape[2:], w.shape[2:], self.stride, self.dilation, strict=True)
        ]
        return TensorType((w.shape[0], x.shape[1], *places), x.dtype)

    def impl(self, x: ndarray, w: ndarray) -> Any:
        rank = len(self.stride)
        conv = Conv(self.stride, ((0, 0),) * rank, (1,) * rank, self.dilation, self.groups)
        return np.swapaxes(conv.impl(np.swapaxes(x, 0, 1), w), 0, 1)


@dataclass(frozen=True)
class Interleave(Op, listed=False):
    """y[..., m·steps + f] = x_f[..., m] over the trailing axes, for each f within the steps, counted row by row."""

    steps: tuple[int, ...]
    sizes: Shape  # of the trailing axes

    def out_type(self, *xs: TensorType) -> TensorType:
        return xs[0].with_shape((*xs[0].shape[: xs[0].ndim - len(self.steps)], *self.sizes))

    def impl(self, *xs: ndarray) -> Any:
        lead = xs[0].shape[: xs[0].ndim - len(self.steps)]
        y = np.empty((*lead, *self.sizes), xs[0].dtype)
        for x, f in zip(xs, phases(self.steps), strict=True):
            at: Any = (..., *(slice(start, None, step) for start, step in zip(f, self.steps, strict=True)))
            y[at] = x
        return y


def phases(steps: Sequence[int]) -> list[tuple[int, ...]]:
    """The places within a step along every axis, row by row."""
    return list(product(*map(range, steps)))


def of_phase(size: int, start: int, step: int) -> int:
    """How many of `size` places are at `start`, `start + step`, ..."""
    return len(range(start, size, step))


def meeting(size: int, gap: int, offset: int, step: int) -> tuple[int, int, int] | None:
    """Which of `size` taps, `gap` apart, fall on multiples of `step` when they begin at `offset`.

    (first tap, from one to the next, the multiple that the first one falls on); None if there is none.
    """
    apart = step // math.gcd(gap, step)
    for k in range(min(size, apart)):
        if (offset + k * gap) % step == 0:
            return k, apart, (offset + k * gap) // step
    return None
