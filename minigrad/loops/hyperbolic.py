"""The hyperbolic functions and their inverses.

Floor 4. See `functions`.
"""

from __future__ import annotations

import math

from minigrad.loops import functions as f
from minigrad.loops.scalar import Scalar, binary, select, unary
from minigrad.types import FLOAT32, FLOAT64

# (sinh x − x)/x³ in powers of x², |x| ≤ 1: relative error 1.2e-9, and Taylor's to 5e-17, of 15% of the whole
_SINH = {
    FLOAT32: (0.16666666647269898, 0.008333339598399152, 0.00019838122709649533, 2.806141706188748e-06),
    FLOAT64: tuple([1 / math.factorial(k) for k in range(3, 19, 2)]),
}


def sinh(x: Scalar) -> Scalar:
    """h − 1/(4h) with h = e^|x|/2; below one x + x³·P(x²)."""
    h = f.exp(f.absolute(x), half=True)
    small = f.clamped(x, -1.0, 1.0)
    square = small * small
    near = f.muladd(small * square, f.polynomial(square, _SINH[x.dtype]), small)
    return select(f.absolute(x) < 1.0, near, binary("copysign", h - 0.25 / h, x))


def cosh(x: Scalar) -> Scalar:
    """h + 1/(4h) with h = e^|x|/2."""
    h = f.exp(f.absolute(x), half=True)
    return h + 0.25 / h


def asinh(x: Scalar) -> Scalar:
    """log(1 + |x| + x²/(1 + √(1 + x²))); from 2^28 on log|x| + log 2."""
    a = f.absolute(x)
    small = a < 2.0**28
    s = select(small, a * a, 0.0)
    y = f.log1p(a + select(small, s / (unary("sqrt", s + 1.0) + 1.0), -1.0))
    return binary("copysign", y + select(small, x.const(0.0), x.const(math.log(2))), x)


def acosh(x: Scalar) -> Scalar:
    """log(1 + t + √(t·(t + 2))) with t = x − 1; from 2^28 on log x + log 2."""
    t, small = x - 1.0, x < 2.0**28
    s = select(small, t, 0.0)
    y = f.log1p(t + unary("sqrt", s * (s + 2.0))) + select(small, x.const(0.0), x.const(math.log(2)))
    return select(x < 1.0, math.nan, y)


def atanh(x: Scalar) -> Scalar:
    """½·log(1 + 2a/(1 − a)) with a = |x|; below ½ the argument is 2a + 2a²/(1 − a), which rounds less."""
    a = f.absolute(x)
    t = a + a
    small = a < 0.5
    return binary("copysign", f.log1p(select(small, t, 0.0) + select(small, t * a, t) / (1.0 - a)) * 0.5, x)
