"""The largest and the smallest element so far, along one axis.

Floor 2. One op finds where the running extremum stands; reading it there gives the values and their derivative.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minigrad.frozen import dataclass
from minigrad.op import NoGradient, Operand, ndarray
from minigrad.ops.along import TakeAlongAxis
from minigrad.ops.cumulative import Cumulative, turned
from minigrad.types import INT64, TensorType, normal_axis


@dataclass(frozen=True)
class RunningArg(Cumulative):
    """Where (int64, along `axis`) the running extremum stands: the first of those that tie; a NaN wins and stays."""

    largest: bool = True
    takes: ClassVar[str] = "biuf"
    no_gradient: ClassVar[NoGradient] = NoGradient("it returns positions")
    label = "running_arg"

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        normal_axis(self.label, self.axis, x)
        return x.with_dtype(INT64)

    def impl(self, x: ndarray) -> ndarray:
        n = x.shape[self.axis]
        x = np.moveaxis(turned(self, x), self.axis, 0)
        ufunc, beats = (np.maximum, np.greater) if self.largest else (np.minimum, np.less)
        best = ufunc.accumulate(x, axis=0)
        new = np.ones(x.shape, bool)
        new[1:] = beats(x[1:], best[:-1]) | ((x[1:] != x[1:]) & (best[:-1] == best[:-1]))
        steps = np.arange(n).reshape(-1, *(1,) * (x.ndim - 1))
        where_ = np.maximum.accumulate(np.where(new, steps, 0), axis=0)
        return turned(self, np.moveaxis(n - 1 - where_ if self.reverse else where_, 0, self.axis))


def cummax(x: Operand, axis: int, reverse: bool = False) -> Any:
    """The largest element so far; its derivative goes to the first of those that tie."""
    return TakeAlongAxis(axis)(x, RunningArg(axis, reverse)(x))


def cummin(x: Operand, axis: int, reverse: bool = False) -> Any:
    """The smallest element so far; its derivative goes to the first of those that tie."""
    return TakeAlongAxis(axis)(x, RunningArg(axis, reverse, largest=False)(x))
