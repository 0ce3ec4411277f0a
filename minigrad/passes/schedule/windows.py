"""The ops that convolutions and pooling are scheduled as. They stand in no user's graph, and no pass but the schedule's
meets them.

Floor 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from minigrad.frozen import dataclass
from minigrad.graph import Atom
from minigrad.op import Op, ndarray
from minigrad.ops.convolve import Conv, dilated
from minigrad.ops.movement import Permute
from minigrad.passes.rewrite import Sweep
from minigrad.types import Shape, TensorType


@dataclass(frozen=True)
class PatchProduct(Op, listed=False):
    """y[o, p, n] = Σ_{c, k} x[c, p·stride + k·dilation, n] · w[o, c, k]: a convolution, channels first and images last.

    With them there, all images lie side by side in one matrix [channels, places·images]: a window of size 1 needs no
    patches at all, and those of others are rows of neighbouring elements. `summed`: many taps and few places, as in the
    derivative by the kernel, and y[o, n, p].
    """

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    summed: bool

    def out_type(self, x: TensorType, w: TensorType) -> TensorType:  # type: ignore[override]
        places = [
            (n - dilated(k, r)) // s + 1
            for n, k, s, r in zip(x.shape[1:-1], w.shape[2:], self.stride, self.dilation, strict=True)
        ]
        images = x.shape[-1]
        return TensorType((w.shape[0], *((images, *places) if self.summed else (*places, images))), x.dtype)

    def impl(self, x: ndarray, w: ndarray) -> Any:
        rank = len(self.stride)
        conv = Conv(self.stride, ((0, 0),) * rank, (1,) * rank, self.dilation, self.groups)
        return np.moveaxis(conv.impl(np.moveaxis(x, -1, 0), w), 0, 1 if self.summed else -1)


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


@dataclass(frozen=True)
class Mixed(Op, listed=False):
    """y[to + target[k, l]] = Σ_{i, j} matrix[k, i]·matrix[l, j]·x[at + source[i, j]] for each tile of x.

    x and y are taken as flat; `shape` is that of y, of which each element belongs to one tile. `loops` run over the
    tiles: (how many, stride of `at`, of `to`), a row's neighbours last. `source` and `target` are the sums of what they
    give for either index.
    """

    matrix: tuple[tuple[float, ...], ...]
    shape: Shape
    loops: tuple[tuple[int, int, int], ...]
    source: tuple[tuple[int, ...], tuple[int, ...]]
    target: tuple[tuple[int, ...], tuple[int, ...]]

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x.with_shape(self.shape)

    def impl(self, x: ndarray) -> Any:
        steps = (np.ix_(*(np.arange(a[0]) * a[side] for a in self.loops), *np.zeros((2, 1), int)) for side in (1, 2))
        at, to = (reduce(np.add, places) for places in steps)
        matrix, y = np.array(self.matrix, x.dtype), np.empty(self.shape, x.dtype)
        tiles = x.ravel()[at + np.add.outer(*self.source)]
        y.ravel()[to + np.add.outer(*self.target)] = np.einsum("ki,lj,...ij->...kl", matrix, matrix, tiles)
        return y


def permuted(s: Sweep, order: Sequence[int], a: Atom) -> Atom:
    """The axes of a in this order; of a permutation, those of what it was made from."""
    inner = s.maker(a, Permute)
    if inner is not None:
        order, a = [inner.op.order[k] for k in order], inner.ins[0]  # type: ignore[attr-defined]
    return a if list(order) == list(range(len(order))) else s.emit(Permute(tuple(order)), a)


def exchange(rank: int) -> Permute:
    """The order with channels and batch exchanged: that of a derivative by the kernel."""
    return Permute((rank - 1, *range(1, rank - 1), 0))


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
