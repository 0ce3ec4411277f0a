"""Roots and logarithms of complex numbers, by formulas for their parts.

Floor 4. See `pairs`. They are computed in float64: so those of complex64 are right to the last bit but one, in each
part. Infinities, nan and signed zeros are as in C99, annex G.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from minigrad.graph import Atom, Const, Var
from minigrad.ops import elementwise as e
from minigrad.ops.rows import Convert, Where
from minigrad.types import FLOAT64

Pair: TypeAlias = tuple[Atom, Atom]
Emit: TypeAlias = Callable[..., Var]
Rule: TypeAlias = Callable[[Emit, Pair], Pair]


def _number(x: float) -> Const:
    return Const(np.asarray(x, FLOAT64))


def in_float64(rule: Rule) -> Rule:
    """A rule for pairs of float64, as one for float32 too."""

    def body(do: Emit, x: Pair) -> Pair:
        dtype = x[0].type.dtype
        if dtype == FLOAT64:
            return rule(do, x)
        re, im = rule(do, (do(Convert(FLOAT64), x[0]), do(Convert(FLOAT64), x[1])))
        return do(Convert(dtype), re), do(Convert(dtype), im)

    return body


def _scaled(do: Emit, x: Pair, *cases: tuple[float, float]) -> tuple[Var, Var, Var]:
    """Both parts times a factor, so that |z| neither overflows nor is subnormal, and a number that goes with it.

    (factor, number) for large z, for small z, for others.
    """
    high = do(e.max_, do(e.abs_, x[0]), do(e.abs_, x[1]))
    is_large, is_small = do(e.greater, high, _number(2.0**1020)), do(e.less, high, _number(2.0**-960))
    scale, number = (
        do(Where(), is_large, _number(a), do(Where(), is_small, _number(b), _number(c)))
        for a, b, c in zip(*cases, strict=True)
    )
    return do(e.mul, x[0], scale), do(e.mul, x[1], scale), number


@in_float64
def sqrt(do: Emit, x: Pair) -> Pair:
    """√(a + i·b) = t + i·b/2t, or |b|/2t ± i·t for negative a, with t = √((|a| + |a + i·b|)/2)."""
    a, b = x
    half = math.sqrt(0.5)
    re, im, factor = _scaled(do, x, (0.25, 2 * half), (2.0**100, 2.0**-50 * half), (1.0, half))
    t = do(e.mul, do(e.sqrt, do(e.add, do(e.abs_, re), do(e.hypot, re, im))), factor)
    other = do(Where(), do(e.equal, t, _number(0)), b, do(e.div, b, do(e.add, t, t)))
    left, endless = do(e.less, a, _number(0)), do(e.equal, do(e.abs_, b), _number(np.inf))
    re = do(Where(), left, do(e.abs_, other), t)
    im = do(Where(), left, do(e.copysign, t, b), other)
    return do(Where(), endless, _number(np.inf), re), do(Where(), endless, b, im)


@in_float64
def log(do: Emit, x: Pair) -> Pair:
    """log|z| + i·arg z. Near 1 the first is ½·log(1 + ((h − 1)·(h + 1) + l²)) with the parts' sizes h ≥ l: right to an
    ulp or two of log z."""
    a, b = x
    sizes = do(e.abs_, a), do(e.abs_, b)
    high, low = do(e.max_, *sizes), do(e.min_, *sizes)
    beyond = do(e.mul, do(e.sub, high, _number(1)), do(e.add, high, _number(1)))
    near_one = do(e.mul, do(e.log1p, do(e.add, beyond, do(e.mul, low, low))), _number(0.5))
    re, im, lost = _scaled(do, x, (0.25, math.log(4)), (2.0**100, -100 * math.log(2)), (1.0, 0.0))
    far = do(e.add, do(e.log, do(e.hypot, re, im)), lost)
    near = do(e.and_, do(e.greater, high, _number(0.5)), do(e.less, high, _number(2)))
    return do(Where(), near, near_one, far), do(e.atan2, b, a)


def log_to(base: float) -> Rule:
    """The logarithm to another base."""

    def rule(do: Emit, x: Pair) -> Pair:
        re, im = log(do, x)
        factor = Const(np.asarray(1 / math.log(base), re.type.dtype))
        return do(e.mul, re, factor), do(e.mul, im, factor)

    return rule
