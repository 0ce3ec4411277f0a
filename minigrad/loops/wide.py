"""Functions whose float32 results are computed in float64, where short formulas are good to half an ulp of float32.

Floor 4. Powers, logarithms to other bases, roots and the inverse trigonometric functions; in float64 these are the C
library's. The hyperbolic functions and log2 are formulas in both. Special values follow C99, annex F.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from minigrad.loops import functions as f
from minigrad.loops.scalar import Scalar, binary, call, convert, select, unary
from minigrad.types import FLOAT32, FLOAT64

# atan(√z)/√z for 0 ≤ z ≤ 1, by Chebyshev interpolation: relative error 4.5e-10
_ATAN = (
    0.999999999553536, -0.33333322488892886, 0.19999558099881345, -0.14278576019471825, 0.11050771244156139,
    -0.08785043170557441, 0.06685281272740956, -0.043928407362148966, 0.02191294303867669, -0.007030668149871582,
    0.001057607174681669,
)  # fmt: skip
_LOG2 = math.log(2)


def widened(name: str, formula: Callable[..., Scalar]) -> Callable[..., Scalar]:
    """The body of a function: the formula in float64 for float32, the C library's function for float64."""

    def body(*xs: Scalar) -> Scalar:
        if xs[0].dtype != FLOAT32:
            return call(name, *xs)
        return convert(formula(*(convert(x, FLOAT64) for x in xs)), FLOAT32)

    return body


def both(formula: Callable[[Scalar], Scalar]) -> Callable[[Scalar], Scalar]:
    """The body of a function whose formula is good enough in float64 itself."""
    return lambda x: formula(x) if x.dtype == FLOAT64 else convert(formula(convert(x, FLOAT64)), FLOAT32)


# ── hyperbolic ───────────────────────────────────────────────────────────────────────────────────
def _half_exp(a: Scalar) -> Scalar:
    """e^a / 2 by the square of e^(a/2), which overflows no earlier than the result."""
    h = f.exp(a * 0.5)
    return h * 0.5 * h


def sinh(x: Scalar) -> Scalar:
    """(m + m/(m + 1))/2 with m = e^|x| − 1; from 22 on e^|x|/2."""
    a = f.absolute(x)
    m = f.expm1(select(a > 22.0, 22.0, a))
    return binary("copysign", select(a < 22.0, (m + m / (m + 1.0)) * 0.5, _half_exp(a)), x)


def cosh(x: Scalar) -> Scalar:
    """(e^|x| + e^−|x|)/2; from 22 on e^|x|/2."""
    a = f.absolute(x)
    e = f.exp(select(a > 22.0, 22.0, a))
    return select(a < 22.0, (e + 1.0 / e) * 0.5, _half_exp(a))


def asinh(x: Scalar) -> Scalar:
    """log(1 + |x| + x²/(1 + √(1 + x²))); from 2^28 on log|x| + log 2."""
    a = f.absolute(x)
    s = select(a < 2.0**28, a * a, 0.0)
    y = f.log1p(a + s / (unary("sqrt", s + 1.0) + 1.0))
    return binary("copysign", select(a < 2.0**28, y, f.log(a) + _LOG2), x)


def acosh(x: Scalar) -> Scalar:
    """log(1 + t + √(t·(t + 2))) with t = x − 1; from 2^28 on log x + log 2."""
    t = select(x < 2.0**28, x - 1.0, 0.0)
    y = select(x < 2.0**28, f.log1p(t + unary("sqrt", t * (t + 2.0))), f.log(x) + _LOG2)
    return select(x < 1.0, math.nan, y)


def atanh(x: Scalar) -> Scalar:
    """½·log(1 + 2a/(1 − a)) with a = |x|; below ½ the argument is 2a + 2a²/(1 − a), which rounds less."""
    a = f.absolute(x)
    t = a + a
    small = a < 0.5
    return binary("copysign", f.log1p(select(small, t, 0.0) + select(small, t * a, t) / (1.0 - a)) * 0.5, x)


# ── logarithms, powers, roots ────────────────────────────────────────────────────────────────────
def log2(x: Scalar) -> Scalar:
    """e + log(1 + f)/log 2 with x = 2^e·(1 + f): powers of two are exact."""
    return f.log_by(x, 1 / _LOG2)


def log10(x: Scalar) -> Scalar:
    return f.log(x) * (1 / math.log(10))


def cbrt(x: Scalar) -> Scalar:
    return binary("copysign", f.exp(f.log(f.absolute(x)) * (1 / 3)), x)


def power(x: Scalar, p: Scalar) -> Scalar:
    """e^(p·log|x|), negative for odd powers of negative numbers."""
    a, whole = f.absolute(x), unary("floor", p).eq(p)
    odd = whole & (unary("floor", p * 0.5) * 2.0).ne(p)
    size = f.log(a)
    y = f.exp(select(size.eq(0.0) & p.eq(p), 0.0, p * size))
    y = select(odd, binary("copysign", y, x), y)
    y = select((x < 0.0) & (a < math.inf) & ~whole, math.nan, y)
    return select(x.eq(1.0) | p.eq(0.0), 1.0, y)


# ── trigonometric ────────────────────────────────────────────────────────────────────────────────
def tan(x: Scalar) -> Scalar:
    """sin r/cos r, or −cos r/sin r in odd quadrants."""
    sine, cosine, q = f.sin_and_cos(x)
    odd = (q & 1).ne(0)
    return select(x.eq(0.0), x, select(odd, -cosine, sine) / select(odd, sine, cosine))


def _angle(y: Scalar, x: Scalar) -> Scalar:
    """atan(y/x) for y and x from 0 to ∞, 0/0 counting as 0 and ∞/∞ as 1."""
    low, high = binary("min", y, x), binary("max", y, x)
    t = select(low.eq(math.inf), 1.0, low / select(high.eq(0.0), 1.0, high))
    angle = t * f.polynomial(t * t, _ATAN)
    return select(y > x, math.pi / 2 - angle, angle)


def atan(x: Scalar) -> Scalar:
    return binary("copysign", _angle(f.absolute(x), x.const(1.0)), x)


def asin(x: Scalar) -> Scalar:
    """atan(|x|/√(1 − x²))."""
    return binary("copysign", _angle(f.absolute(x), unary("sqrt", (1.0 - x) * (x + 1.0))), x)


def acos(x: Scalar) -> Scalar:
    """2·atan(√(1 − x)/√(1 + x))."""
    return _angle(unary("sqrt", 1.0 - x), unary("sqrt", x + 1.0)) * 2.0


def atan2(y: Scalar, x: Scalar) -> Scalar:
    angle = _angle(f.absolute(y), f.absolute(x))
    left = binary("copysign", x.const(1.0), x) < 0.0
    return binary("copysign", select(left, math.pi - angle, angle), y)
