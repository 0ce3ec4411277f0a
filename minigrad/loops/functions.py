"""The elementary functions as branch-free formulas in the scalar vocabulary, so that every printer vectorises them.

Floor 4. float32 and float64. Each reduces its argument to a short interval and evaluates a polynomial there. The
coefficients were fitted here, by Chebyshev interpolation in 60 digits (the relative error of each fit stands beside
it); the reductions are the classical ones: Cody & Waite (1980) for exp, Kahan's for log1p, a quotient
(x − 4)/(x + 4) for erfc as in Schonfelder (1978).

`trigonometric`, `powers` and `hyperbolic` have the others, for float32 often by way of float64, where short formulas
are good to half an ulp of it. Special values follow C99, annex F.

The greatest errors are in docs/functions.md, measured by `minigrad.testing.accuracy`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps

from minigrad.loops.scalar import INTEGER_OF, Scalar, binary, bitcast, convert, fma, select, unary
from minigrad.types import FLOAT32, FLOAT64

_LOG2E = 1 / math.log(2)


def polynomial(x: Scalar, coefficients: Sequence[float]) -> Scalar:
    """c0 + c1·x + c2·x² + ..., by Horner's rule."""
    y = x.const(coefficients[-1])
    for c in coefficients[-2::-1]:
        y = muladd(y, x, x.const(c))
    return y


def muladd(a: Scalar, b: Scalar, c: Scalar) -> Scalar:
    """a·b + c, rounded once or twice as the machine likes."""
    return Scalar("muladd", (a, b, c), a.dtype)


def fast_two_sum(a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
    """(s, t) with s + t = a + b exactly and s = a + b rounded, for |a| ≥ |b| or a = 0 (Dekker 1971)."""
    s = a + b
    return s, b - (s - a)


def two_product(a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
    """(p, t) with p + t = a·b exactly and p = a·b rounded."""
    p = a * b
    return p, fma(a, b, -p)


def in_float64(formula: Callable[..., Scalar]) -> Callable[..., Scalar]:
    """A formula for float64, as one for float32 too: short, and good to half an ulp of it."""

    @wraps(formula)
    def body(*xs: Scalar) -> Scalar:
        return convert(formula(*(convert(x, FLOAT64) for x in xs)), xs[0].dtype)

    return body


def is_nan(x: Scalar) -> Scalar:
    return x.ne(x)


def absolute(x: Scalar) -> Scalar:
    return unary("abs", x)


# ── exp ──────────────────────────────────────────────────────────────────────────────────────────
# (e^r − 1 − r) / r² for |r| ≤ ½·log 2: relative error 6.5e-8 and 1.4e-18 (of a term that is at most 7% of the whole)
_EXP = {
    FLOAT32: (0.5, 0.16666576989698775, 0.041666554617204574, 0.008363179052722578, 0.0013926183587713494),
    FLOAT64: (
        0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326136, 0.0013888888888883748,
        0.00019841269874820627, 2.4801587325547743e-05, 2.7557255400206422e-06, 2.75572736431103e-07,
        2.5105217004720745e-08, 2.0914686968086876e-09,
    ),
}  # fmt: skip
# log 2 in two parts, the first with so few bits that its product with n is exact
LOG2 = {
    FLOAT32: (0.693145751953125, 1.4286068203094173e-06),
    FLOAT64: (0.6931471803691238, 1.9082149292705877e-10),
}
_MAGIC = {FLOAT32: 1.5 * 2.0**23, FLOAT64: 1.5 * 2.0**52}  # adding it rounds to an integer, kept in the lowest bits
_MANTISSA = {FLOAT32: 23, FLOAT64: 52}
_BIAS = {FLOAT32: 127, FLOAT64: 1023}
_EXP_RANGE = {FLOAT32: (-104.0, 90.0), FLOAT64: (-746.0, 711.0)}  # beyond it exp and half of it are 0 or inf


def clamped(x: Scalar, low: float, high: float) -> Scalar:
    """x between two numbers; NaN stays NaN."""
    x = select(x > high, high, x)
    return select(x < low, low, x)


def nearest(x: Scalar) -> tuple[Scalar, Scalar]:
    """The nearest integer, as a float and as an integer; |x| below 2^22 (2^51). NaN gives NaN and any integer."""
    t = x + _MAGIC[x.dtype]
    integer = INTEGER_OF[x.dtype]
    return t - _MAGIC[x.dtype], bitcast(t, integer) - bitcast(x.const(_MAGIC[x.dtype]), integer)


def _reduced(x: Scalar) -> tuple[Scalar, Scalar]:
    """(r, n) with x = n·log 2 + r and |r| ≤ ½·log 2."""
    n, k = nearest(x * _LOG2E)
    high, low = LOG2[x.dtype]
    return muladd(n, x.const(-low), muladd(n, x.const(-high), x)), k


def power_of_two(k: Scalar, dtype_of: Scalar) -> Scalar:
    """2^k for an exponent in the normal range."""
    return bitcast((k + _BIAS[dtype_of.dtype]) << _MANTISSA[dtype_of.dtype], dtype_of.dtype)


def _scaled(y: Scalar, n: Scalar) -> Scalar:
    """y·2^n, the power in two factors, so that results may be subnormal or overflow to inf."""
    half = n >> 1
    return y * power_of_two(half, y) * power_of_two(n - half, y)


def exp(x: Scalar, half: bool = False) -> Scalar:
    """e^x = 2^n · e^r; `half`: half of it, for x ≥ 0, which overflows later."""
    r, n = _reduced(clamped(x, *_EXP_RANGE[x.dtype]))
    return _scaled(muladd(polynomial(r, _EXP[x.dtype]), r * r, r) + 1.0, n - 1 if half else n)


def exp_of_pair(x: Scalar, low: Scalar) -> Scalar:
    """e^(x + low), hardly less exact than once rounded: r and 1 + r are pairs."""
    return _exp_of_pair(clamped(x, *_EXP_RANGE[x.dtype]), low)


def _exp_of_pair(x: Scalar, low: Scalar) -> Scalar:
    n, k = nearest(x * _LOG2E)
    high_part, low_part = LOG2[x.dtype]
    longer = fma(n, -high_part, x)  # exact
    r = longer - n * low_part
    r, low = fast_two_sum(r, low + fma(n, -low_part, longer - r))
    y, lost = fast_two_sum(x.const(1.0), r)
    return _scaled(y + (lost + muladd(polynomial(r, _EXP[x.dtype]), r * r, low)), k)


def expm1(x: Scalar) -> Scalar:
    """e^x − 1 = 2·(s·q + (s − ½)) with q = e^r − 1 and s = 2^(n−1)."""
    low, high = {FLOAT32: (-30.0, 88.8), FLOAT64: (-50.0, 709.9)}[x.dtype]
    r, n = _reduced(clamped(x, low, high))
    q = muladd(polynomial(r, _EXP[x.dtype]), r * r, r)
    s = power_of_two(n - 1, x)
    y = muladd(s, q, s - 0.5)
    return select(absolute(x) < 4 * _TINY[x.dtype], x, y + y)  # half of it would be subnormal; and the sign of zero


def exp2(x: Scalar) -> Scalar:
    """2^x = 2^n · e^((x − n)·log 2)."""
    low, high = {FLOAT32: (-151.0, 129.0), FLOAT64: (-1076.0, 1025.0)}[x.dtype]
    x = clamped(x, low, high)
    n, k = nearest(x)
    r = (x - n) * math.log(2)
    return _scaled(muladd(polynomial(r, _EXP[x.dtype]), r * r, r) + 1.0, k)


# ── log ──────────────────────────────────────────────────────────────────────────────────────────
# (log(1 + f) − f + f²/2) / f³ for √½ ≤ 1 + f ≤ √2: relative error 2.9e-8
_LOG = (
    0.33333331180030046, -0.24999996957950882, 0.200007157488921, -0.16667802319501254, 0.1424905764569748,
    -0.12425687331451106, 0.1168541992348674, -0.11479733846637635, 0.06971611471451178,
)  # fmt: skip
# (2·atanh(s) − 2s) / s³ in powers of s², s = f/(2 + f): relative error 3.1e-16
_ATANH = (
    0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496, 0.1818289243253687,
    0.15331611722055008, 0.14617807153417325,
)  # fmt: skip
_ROOT_HALF_BITS = {FLOAT32: 0x3F3504F3, FLOAT64: 0x3FE6A09E667F3BCD}  # √½
LEAST = {FLOAT32: 2.0**-149, FLOAT64: 2.0**-1074}
_TINY = {FLOAT32: 2.0**-126, FLOAT64: 2.0**-1022}  # the least normal number


def parts(x: Scalar) -> tuple[Scalar, Scalar]:
    """(f, e) with x = 2^e · (1 + f) and √½ ≤ 1 + f < √2, for positive x."""
    dtype, bits = x.dtype, _MANTISSA[x.dtype]
    integer = INTEGER_OF[dtype]
    small = x < _TINY[dtype]
    i = bitcast(select(small, x * 2.0**bits, x), integer)
    shifted = i - _ROOT_HALF_BITS[dtype]
    e = convert((shifted >> bits) + select(small, i.const(-bits), i.const(0)), dtype)
    m = bitcast((shifted & ((1 << bits) - 1)) + _ROOT_HALF_BITS[dtype], dtype)
    return m - 1.0, e


def log_special(x: Scalar, y: Scalar) -> Scalar:
    """y, or what a logarithm is where x is not a positive finite number."""
    y = select(x > 0.0, y, math.nan)  # and NaN for NaN
    y = select(x.eq(0.0), -math.inf, y)
    return select(x.eq(math.inf), x, y)


def _log1p_parts(f: Scalar) -> tuple[Scalar, Scalar]:
    """log(1 + f) = f − correction, by a polynomial (float32) or by 2·atanh(f / (2 + f)): (f, correction)."""
    half = f * f * 0.5
    if f.dtype == FLOAT32:
        return f, half - f * f * f * polynomial(f, _LOG)
    s = f / (f + 2.0)
    return f, half - s * (half + s * s * polynomial(s * s, _ATANH))


def log(x: Scalar) -> Scalar:
    """log x = e·log 2 + log(1 + f)."""
    f, e = parts(x)
    f, correction = _log1p_parts(f)
    high, low = LOG2[x.dtype]
    return log_special(x, muladd(e, x.const(high), f - (correction - e * low)))


def log_by(x: Scalar, scale: float) -> Scalar:
    """e + scale·log(1 + f): the logarithm to the base 2, if `scale` is 1/log 2."""
    f, e = parts(x)
    f, correction = _log1p_parts(f)
    return log_special(x, muladd(f - correction, x.const(scale), e))


def log1p(x: Scalar) -> Scalar:
    """log(1 + x) = log u + (x − (u − 1))/u with u = 1 + x as rounded."""
    u = x + 1.0
    usual = absolute(x) < 2.0**60
    lost = select(usual, x - (u - 1.0), x.const(0.0))
    y = log(u) + select(u > 0.0, lost / u, x.const(0.0))
    return select(absolute(x) < 2.0**-60, x, y)


# ── tanh, logistic ───────────────────────────────────────────────────────────────────────────────
def tanh(x: Scalar) -> Scalar:
    """tanh x = m/(m + 2) with m = e^(2|x|) − 1; 1 from |x| = 20 on."""
    a = absolute(x)
    m = expm1(select(a > 20.0, 20.0, a) * 2.0)
    return select(x.eq(0.0), x, binary("copysign", m / (m + 2.0), x))


def logistic(x: Scalar) -> Scalar:
    """1/(1 + e^(−x)), with e^(−|x|) only, so that nothing overflows and small results keep their digits."""
    e = exp(-absolute(x))
    return select(x >= 0.0, 1.0, e) / (e + 1.0)


# ── erf, erfc ────────────────────────────────────────────────────────────────────────────────────
# erf(x)/x in powers of x², |x| ≤ 1: relative error 1.2e-9 and 1.3e-19
_ERF = {
    FLOAT32: (
        1.1283791658483509, -0.37612626666720334, 0.11283594715160218, -0.026854212010626412, 0.005189087423433974,
        -0.000801686428716587, 7.875875062685488e-05,
    ),
    FLOAT64: (
        1.1283791670955126, -0.3761263890318375, 0.11283791670954879, -0.026866170645076792, 0.0052239776248180145,
        -0.000854832698083379, 0.0001205533111164271, -1.4925595266831182e-05, 1.6461000484121368e-06,
        -1.6350312701054695e-07, 1.4659775274047436e-08, -1.1372848856791674e-09, 5.957176147748911e-11,
    ),
}  # fmt: skip
_ERF_FIRST_LOW = 1.533545961316588e-17  # 2/√π less the first coefficient
# e^(x²)·erfc(x)·(x + 2) in powers of t = (x − 4)/(x + 4), from x = 0.45 on: relative error 4.9e-9 and 2.3e-18
_ERFC = {
    FLOAT32: (
        0.8219967501534189, -0.45841262057363963, 0.33576871108059453, -0.21233918606208624, 0.11293932252541208,
        -0.04776993110596581, 0.013688263031971385, -0.0009057911113215159, -0.001882192484927466,
        0.0019353513642975972,
    ),
    FLOAT64: (
        0.8219967457503683, -0.45841263156053874, 0.33576934442870676, -0.21233819791861308, 0.11292523308023619,
        -0.04779530596059308, 0.013783401871079029, -0.0006821612754716821, -0.002008471581081397,
        0.001317294742343921, -0.00041152932571108733, 1.884656484726841e-05, 4.147730407889021e-05,
        -1.5054859110917836e-05, -1.1959361095214634e-06, 2.2425228213357035e-06, -2.75495925778112e-07,
        -2.6894628509536416e-07, 7.036104669233707e-08, 3.1775787181259156e-08, -8.706254707188605e-09,
        -3.331795973478399e-09,
    ),
}  # fmt: skip
_ERFC_END = {FLOAT32: 10.1, FLOAT64: 27.3}  # from here on erfc rounds to 0
# erfc(x)^⅛ in powers of x, from 1 to 3.95, where erf is 1 to half an ulp: error of erf 3.6e-9
_EIGHTH_ROOT = (
    1.0003728890674568, -0.1429346606165447, -0.06553900087327466, -0.007043531924160863,
    0.010248554536724049, -0.0014983141701653089, -4.153070867150394e-05, 1.5784409231125007e-05,
)  # fmt: skip


def _erfc_tail(a: Scalar) -> Scalar:
    """erfc for a ≥ 0.45: e^(−a²) with the square in two parts, for its rounding error would be magnified a² times.

    Eight roundings follow e^(−a²): float32 would be 4.6 ulp off, so they are done in float64.
    """
    a = clamped(a, 0.45, _ERFC_END[a.dtype])
    square = a * a
    rest = fma(a, a, -square)
    if a.dtype == FLOAT64:
        return _exp_of_pair(-square, -rest) * (polynomial((a - 4.0) / (a + 4.0), _ERFC[a.dtype]) / (a + 2.0))
    rest, e, wide = (convert(x, FLOAT64) for x in (rest, exp(-square), a))
    tail = (e - e * rest) * (polynomial((wide - 4.0) / (wide + 4.0), _ERFC[a.dtype]) / (wide + 2.0))
    return convert(tail, a.dtype)


def erf(x: Scalar) -> Scalar:
    """1 − erfc(|x|) beyond one. There float32 needs few digits of erfc: (erfc^⅛)^8, without e^(−x²)."""
    a = absolute(x)
    small = clamped(x, -1.0, 1.0)
    near = small * polynomial(small * small, _ERF[x.dtype])
    if x.dtype == FLOAT32:
        tail = polynomial(select(a > 3.95, 3.95, a), _EIGHTH_ROOT)
        for _ in range(3):
            tail = tail * tail
    else:
        tail = select(is_nan(x), x, _erfc_tail(a))
    return select(a < 1.0, near, binary("copysign", 1.0 - tail, x))


def erfc(x: Scalar) -> Scalar:
    small = clamped(x, -1.0, 1.0)
    if x.dtype == FLOAT32:
        near, end = 1.0 - small * polynomial(small * small, _ERF[FLOAT32]), 0.5
    else:
        near, end = _one_minus_erf(small), 0.8
    tail = _erfc_tail(absolute(x))
    far = select(x < 0.0, 2.0 - tail, tail)
    return select(absolute(x) < end, near, select(is_nan(x), x, far))


def _one_minus_erf(x: Scalar) -> Scalar:
    """For |x| ≤ 1 in float64: 1 − 2x/√π, the larger part of erf, as a pair. To round it once would cost 4 ulp."""
    first, *others = _ERF[FLOAT64]
    p, low = two_product(x, x.const(first))
    rest = muladd(x * x * x, polynomial(x * x, others), muladd(x, x.const(_ERF_FIRST_LOW), low))
    y, lost = fast_two_sum(x.const(1.0), -p)
    return y + (lost - rest)
