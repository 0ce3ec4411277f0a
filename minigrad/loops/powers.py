"""Powers, roots, and logarithms to other bases.

Floor 4. See `functions`. What is raised to a power magnifies the error of its logarithm up to 745 times: in float64 a
pair of numbers holds that logarithm to 64 bits (as in Muller et al., Handbook of Floating-Point Arithmetic, 2018,
sections 4.3 and 10.4).
"""

from __future__ import annotations

import math

from minigrad.loops import functions as f
from minigrad.loops.scalar import INTEGER_OF, Scalar, binary, bitcast, convert, fma, select, unary
from minigrad.types import FLOAT32, FLOAT64

# (2·atanh(√z)/√z − 2 − ⅔z)/z² for 0 ≤ z ≤ ((√2 − 1)/(√2 + 1))²: relative error 6.5e-17
_ATANH = (
    0.4, 0.28571428571429364, 0.22222222221655885, 0.18181818335392802, 0.1538459496251843, 0.1333480469384731,
    0.11706236339491206, 0.11723178623876518,
)  # fmt: skip
_THIRDS = (0.6666666666666666, 3.700743415417188e-17)  # ⅔ in two parts, as log 10 below
_LOG10E = (0.4342944819032518, 1.098319650216765e-17)
# ∛(1 + f) for √½ ≤ 1 + f ≤ √2: relative error 1.7e-6
_CBRT = (
    0.9999993820104695, 0.3333159207625349, -0.11100089136810636, 0.06245218449875826, -0.04435650623891691,
    0.02556608271860522,
)  # fmt: skip


def _log_pair(x: Scalar) -> tuple[Scalar, Scalar]:
    """log x, for float64, as the sum of two numbers: relative error 2^−64.

    log x = e·log 2 + 2s + s·z·(⅔ + z·P(z)) with s = f/(2 + f) and z = s²; all but P is computed in pairs.
    """
    m, e = f.parts(x)
    d, d_low = f.fast_two_sum(x.const(2.0), m)
    inverse = 1.0 / d
    s = m * inverse
    s_low = (fma(-s, d, m) - s * d_low) * inverse
    z, z_low = f.two_product(s, s)
    z_low = z_low + s * s_low * 2.0
    q, q_low = f.fast_two_sum(x.const(_THIRDS[0]), z * f.polynomial(z, _ATANH))
    w, w_low = f.two_product(z, q)
    w_low = w_low + (z * (q_low + _THIRDS[1]) + z_low * q)
    p, p_low = f.two_product(s, w)
    p_low = p_low + (s * w_low + s_low * w)
    log2, log2_low = f.LOG2[FLOAT64]
    y, lost = f.fast_two_sum(e * log2, s * 2.0)
    y, rest = f.fast_two_sum(y, p)
    y, low = f.fast_two_sum(y, rest + (lost + (s_low * 2.0 + (p_low + e * log2_low))))
    return f.log_special(x, y), low


def log2(x: Scalar) -> Scalar:
    """e + log(1 + f)/log 2 with x = 2^e·(1 + f): powers of two are exact."""
    return f.log_by(x, 1 / math.log(2))


def log10(x: Scalar) -> Scalar:
    """log x/log 10, in float64 in pairs: powers of ten are exact."""
    if x.dtype == FLOAT32:
        return convert(f.log(convert(x, FLOAT64)) * _LOG10E[0], FLOAT32)
    y, low = _log_pair(x)
    p, lost = f.two_product(y, x.const(_LOG10E[0]))
    return f.log_special(x, p + (lost + (y * _LOG10E[1] + low * _LOG10E[0])))


@f.in_float64
def cbrt(x: Scalar) -> Scalar:
    """∛x = 2^k·y with y³ = m = 2^(e − 3k)·(1 + f): a polynomial, then a step of Halley's, y + y·(m − y³)/(m + 2y³)."""
    a = f.absolute(x)
    m, e = f.parts(a)
    n, k = f.nearest(e * (1 / 3))
    rest = e - n * 3.0
    near = f.polynomial(m, _CBRT) * select(rest < 0.0, 2 ** (-1 / 3), select(rest > 0.0, 2 ** (1 / 3), x.const(1.0)))
    m = (m + 1.0) * select(rest < 0.0, 0.5, select(rest > 0.0, 2.0, x.const(1.0)))
    square, lost = f.two_product(near, near)
    cube = square * near
    gap = fma(-square, near, m) - lost * near
    y = (near + near * (gap / (m + cube * 2.0))) * f.power_of_two(k, x)
    return select(x.eq(0.0) | ~(a < math.inf), x, binary("copysign", y, x))


def power(x: Scalar, p: Scalar) -> Scalar:
    """e^(p·log|x|), negative for odd powers of negative numbers."""
    dtype = x.dtype
    x, p = convert(x, FLOAT64), convert(p, FLOAT64)
    a, whole = f.absolute(x), unary("floor", p).eq(p)
    odd = whole & (unary("floor", p * 0.5) * 2.0).ne(p)
    size, low = (f.log(a), None) if dtype == FLOAT32 else _log_pair(a)
    product = p * size
    bounded = select(size.eq(0.0) & p.eq(p), 0.0, product)  # for infinite powers of ±1
    if low is None:
        y = f.exp(bounded)
    else:
        lost = fma(p, size, -product) + p * low
        y = f.exp_of_pair(bounded, select(f.absolute(lost) < 2.0**-30, lost, 0.0))  # more where e^ is 0 or ∞, or nan
    y = select(odd, binary("copysign", y, x), y)
    y = select((x < 0.0) & (a < math.inf) & ~whole, math.nan, y)
    return convert(select(x.eq(1.0) | p.eq(0.0), 1.0, y), dtype)


def nextafter(x: Scalar, y: Scalar) -> Scalar:
    """The float beside x in the direction of y: as integers neighbours differ by 1."""
    bits = bitcast(x, INTEGER_OF[x.dtype])
    away = (x < y) ^ (x < 0.0)
    moved = bitcast(select(away, bits + 1, bits - 1), x.dtype)
    moved = select(x.eq(0.0), binary("copysign", x.const(f.LEAST[x.dtype]), y), moved)
    return select(x.eq(y), y, select(x.eq(x) & y.eq(y), moved, x + y))
