"""The hyperbolic functions and their inverses, computed in float64.

Floor 4. See `functions`.
"""

from __future__ import annotations

import math

from minigrad.loops import functions as f
from minigrad.loops.scalar import Scalar, binary, select, unary


def _half_exp(a: Scalar) -> Scalar:
    """e^a / 2 by the square of e^(a/2), which overflows no earlier than the result."""
    h = f.exp(a * 0.5)
    return h * 0.5 * h


@f.in_float64
def sinh(x: Scalar) -> Scalar:
    """(m + m/(m + 1))/2 with m = e^|x| − 1; from 22 on e^|x|/2."""
    a = f.absolute(x)
    m = f.expm1(select(a > 22.0, 22.0, a))
    return binary("copysign", select(a < 22.0, (m + m / (m + 1.0)) * 0.5, _half_exp(a)), x)


@f.in_float64
def cosh(x: Scalar) -> Scalar:
    """(e^|x| + e^−|x|)/2; from 22 on e^|x|/2."""
    a = f.absolute(x)
    e = f.exp(select(a > 22.0, 22.0, a))
    return select(a < 22.0, (e + 1.0 / e) * 0.5, _half_exp(a))


@f.in_float64
def asinh(x: Scalar) -> Scalar:
    """log(1 + |x| + x²/(1 + √(1 + x²))); from 2^28 on log|x| + log 2."""
    a = f.absolute(x)
    s = select(a < 2.0**28, a * a, 0.0)
    y = f.log1p(a + s / (unary("sqrt", s + 1.0) + 1.0))
    return binary("copysign", select(a < 2.0**28, y, f.log(a) + math.log(2)), x)


@f.in_float64
def acosh(x: Scalar) -> Scalar:
    """log(1 + t + √(t·(t + 2))) with t = x − 1; from 2^28 on log x + log 2."""
    t = select(x < 2.0**28, x - 1.0, 0.0)
    y = select(x < 2.0**28, f.log1p(t + unary("sqrt", t * (t + 2.0))), f.log(x) + math.log(2))
    return select(x < 1.0, math.nan, y)


@f.in_float64
def atanh(x: Scalar) -> Scalar:
    """½·log(1 + 2a/(1 − a)) with a = |x|; below ½ the argument is 2a + 2a²/(1 − a), which rounds less."""
    a = f.absolute(x)
    t = a + a
    small = a < 0.5
    return binary("copysign", f.log1p(select(small, t, 0.0) + select(small, t * a, t) / (1.0 - a)) * 0.5, x)
