"""Roots, logarithms, hyperbolic and circular functions of complex numbers, by formulas for their parts.

Floor 4. See `pairs`. They are computed in float64: so those of complex64 are right to the last bit but one, in each
part. Infinities, nan and signed zeros are as in C99, annex G; signs that it leaves open are as NumPy has them.
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


# ── hyperbolic and circular ──────────────────────────────────────────────────────────────────────
def _growth(do: Emit, a: Atom) -> tuple[Var, Var, Var]:
    """(sinh a, cosh a, 1), or from 709 on (±½e^(|a|/2), ½e^(|a|/2), e^(|a|/2)): the third times another is the whole,
    which may overflow where its product with a sine does not."""
    size = do(e.abs_, a)
    big, half = do(e.greater, size, _number(709)), do(e.exp, do(e.mul, size, _number(0.5)))
    rest = do(e.mul, half, _number(0.5))
    sinh, cosh = do(Where(), big, do(e.copysign, rest, a), do(e.sinh, a)), do(Where(), big, rest, do(e.cosh, a))
    return sinh, cosh, do(Where(), big, half, _number(1))


def _at_the_end(do: Emit, x: Pair) -> tuple[Var, Var]:
    """(has the second part no sine?, and is the first infinite?)."""
    lost = do(e.not_, do(e.isfinite, x[1]))
    return lost, do(e.and_, lost, do(e.equal, do(e.abs_, x[0]), _number(np.inf)))


@in_float64
def sinh(do: Emit, x: Pair) -> Pair:
    """sinh a·cos b + i·cosh a·sin b; a zero part stays zero, and an infinite a infinite."""
    a, b = x
    (s, c, rest), (lost, endless) = _growth(do, a), _at_the_end(do, x)
    re, im = do(e.mul, do(e.mul, s, do(e.cos, b)), rest), do(e.mul, do(e.mul, c, do(e.sin, b)), rest)
    flat = do(e.and_, lost, do(e.equal, a, _number(0)))
    re = do(Where(), endless, _number(np.inf), do(Where(), flat, a, re))
    return re, do(Where(), do(e.equal, b, _number(0)), b, im)


@in_float64
def cosh(do: Emit, x: Pair) -> Pair:
    """cosh a·cos b + i·sinh a·sin b; the second is zero where a or b is, and an infinite a gives an infinite number."""
    a, b = x
    (s, c, rest), (lost, endless) = _growth(do, a), _at_the_end(do, x)
    re, im = do(e.mul, do(e.mul, c, do(e.cos, b)), rest), do(e.mul, do(e.mul, s, do(e.sin, b)), rest)
    flat = do(e.and_, lost, do(e.equal, a, _number(0)))
    signed = do(e.mul, do(e.copysign, _number(0), a), do(e.copysign, _number(1), b))
    zero = do(Where(), do(e.isnan, a), b, signed)
    im = do(Where(), do(e.equal, b, _number(0)), zero, do(Where(), flat, _number(0), im))
    return do(Where(), endless, _number(np.inf), re), im


@in_float64
def tanh(do: Emit, x: Pair) -> Pair:
    """(β·ρ·s + i·t)/(1 + β·s²) with s = sinh a, t = tan b, β = 1 + t² and ρ = √(1 + s²) (Kahan 1987); from |a| = 22 on
    ±1 + i·4·sin b·cos b·e^(−2|a|)."""
    a, b = x
    size, (lost, endless) = do(e.abs_, a), _at_the_end(do, x)
    far = do(e.greater, size, _number(22))
    s, t = do(e.sinh, do(Where(), far, _number(0), a)), do(e.tan, b)
    squares = do(e.mul, s, s), do(e.add, _number(1), do(e.mul, t, t))
    below = do(e.add, _number(1), do(e.mul, *squares))
    re = do(e.div, do(e.mul, do(e.mul, squares[1], do(e.sqrt, do(e.add, _number(1), squares[0]))), s), below)
    re, im = (
        do(Where(), do(e.equal, a, _number(0)), a, re),
        do(Where(), do(e.equal, b, _number(0)), b, do(e.div, t, below)),
    )
    wave = do(Where(), endless, do(e.copysign, _number(0), b), do(e.mul, do(e.sin, b), do(e.cos, b)))
    little = do(e.mul, do(e.mul, wave, _number(4)), do(e.exp, do(e.mul, size, _number(-2))))
    one = do(Where(), do(e.and_, lost, do(e.not_, endless)), _number(np.nan), do(e.copysign, _number(1), a))
    return do(Where(), far, one, re), do(Where(), far, little, im)


def odd_turned(rule: Rule) -> Rule:
    """sin z = i·sinh(−i·z), and tan likewise."""

    def body(do: Emit, x: Pair) -> Pair:
        re, im = rule(do, (x[1], do(e.neg, x[0])))
        return do(e.neg, im), re

    return body


def cos(do: Emit, x: Pair) -> Pair:
    """cosh(i·z)."""
    return cosh(do, (do(e.neg, x[1]), x[0]))
