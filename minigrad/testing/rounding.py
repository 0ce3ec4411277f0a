"""What rounding may do to a result: measured, by evaluating again with each value on the way off in its last bits.

Floor 7. Two orders of the same arithmetic differ by roundings on the way, and what these do to a result depends on the
program: 1 - tanh(9)² has lost nine digits. Random last bits at each operation show how many (stochastic arithmetic:
J. Vignes, Mathematics and Computers in Simulation 35, 1993).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.control.call import Called
from minigrad.graph import run
from minigrad.op import Array, Evaluate, Op, Operand, ndarray, using
from minigrad.types import is_differentiable, real_of

TRIALS = 8
LAST_BITS = 2.0  # ulps that an operation may be off, either way: elementary functions have up to four between two


class Rounded(Evaluate):
    """Evaluation whose every float is off by up to `LAST_BITS` ulps, at random. A call's graph is gone through, too."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        if isinstance(op, Called):
            return tuple(run(op.graph, op.coerce(xs)))
        ys = super().apply(op, xs)
        return tuple(map(self._off, ys)) if op.many else self._off(ys)

    def _off(self, y: Array) -> Array:
        if not is_differentiable(y.dtype):
            return y
        ulp = np.finfo(real_of(y.dtype)).eps
        off = 1 + ulp * self.rng.uniform(-LAST_BITS, LAST_BITS, y.shape)
        return Array(np.asarray(y.array * off.astype(real_of(y.dtype))))


def moved_by_rounding(f: Callable[..., Sequence[Any]], points: Sequence[Sequence[ndarray]]) -> list[float]:
    """How far rounding moves each result of f, the largest movement of its elements at any of these points.

    >>> from minigrad import numpy as mnp
    >>> [moved_by_rounding(lambda x: [1 - mnp.tanh(x) ** 2], [[np.array(x)]])[0] < 1e-14 for x in (0.5, 9.0)]
    [True, True]
    >>> f"{1 - np.tanh(0.5) ** 2:.1g} {1 - np.tanh(9.0) ** 2:.1g}"  # beside which the one is little, the other much
    '0.8 6e-08'
    """
    rng = np.random.default_rng(0)
    found: list[float] = []
    for xs in points:
        exact = [y.concrete("rounding") for y in f(*map(Array, xs))]
        found = found or [0.0] * len(exact)
        for _ in range(TRIALS):
            with using(Rounded(rng)), np.errstate(all="ignore"):
                ys = [y.concrete("rounding") for y in f(*map(Array, xs))]
                found = [max(far, _distance(a, b)) for far, a, b in zip(found, exact, ys)]
    return found


def _distance(a: ndarray, b: ndarray) -> float:
    if not is_differentiable(a.dtype):
        return 0.0
    far = np.abs(a - b)
    return float(np.max(far[np.isfinite(far)], initial=0.0))
