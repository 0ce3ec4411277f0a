"""Special functions of one element: inverses of the error function and of Φ, and products with a logarithm.

Floor 4. The inverses are Wichura's algorithm AS 241 (1988, PPND16), computed in float64; that of the error function in
float32 is two polynomials of log(1 − x²), as in Giles (2010), fitted here. The greatest errors: docs/functions.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigrad.loops import functions as f
from minigrad.loops.scalar import Scalar, binary, convert, fma, select, unary
from minigrad.types import FLOAT64

# the coefficients of the paper's rational functions, by rising powers. Of the first one, P/Q, the numerator is
# (P − c·Q)/s with c = P/Q at s = 0: then P/Q = c + s·(this)/Q, and roundings of the lesser term count for little;
# of the others, functions of t = r − 1.6 and t = r − 5, it is P − r·Q: then P/Q = r + (this)/Q, 0.3 of it at most
_SLOPE = 2.5066282746310007  # √(2π), as the paper's quotient has it
_MIDDLE = (
    (4.87476594139995, 176.9004440290076, 2358.305945449973, 14221.483431164575,
     38579.04915793209, 40495.706885421416, 10591.799914467876),
    (1.0, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077,
     21213.794301586595867, 39307.89580009271061, 28729.085735721942674, 5226.495278852854561),
)  # fmt: skip
_OUTER = (
    (-0.17656288925031652, 0.345231243536131, 1.0340898665288463, 0.8678357586032407, 0.34372455518330025,
     0.0693588822481842, 0.006649028332053472, 0.00022694952457869228, -1.0507500716444169e-09),
    (1.0, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455,
     0.14810397642748007459, 0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR = (
    (1.6579046435011038, 1.4646238783846748, 0.5003449287477244, 0.08525388445151601, 0.007722482579997442,
     0.00036347590036696245, 7.941616633176106e-06, 5.888225387626871e-08, -2.0442631033899397e-15),
    (1.0, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525,
     7.868691311456132591e-4, 1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15),
)  # fmt: skip
# erfinv(x)/x with w = −log(1 − x²): in powers of w − 2 up to w = 4, then of √w − 3: relative error 9.5e-10 and 1.8e-8
_NEAR_ZERO = (
    1.3772152109673244, 0.24976807479791155, -0.00196813552143862, -0.0016921732058575974, 0.00021592029356523167,
    7.6112173751137e-06, -4.861770605508604e-06, 3.0218989629753173e-07, 6.554680039836343e-08, -9.588405974192304e-09,
)  # fmt: skip
_NEAR_ONE = (
    2.8329767865020212, 1.001674761840349, 0.009446046028700222, -0.007634402968752668, 0.005680631946250476,
    -0.0036065969314824464, 0.001502405100198419, -5.0372872616124505e-05, -0.0003244740895206519,
    0.00011892698803832937,
)  # fmt: skip


def _quantile(q: Scalar, tail: Scalar, scale: float = 1.0) -> Scalar:
    """scale·Φ⁻¹(½ + q); `tail` is the probability beyond it, ½ − |q|, which may be known better than q."""

    def ratio(x: Scalar, of: tuple[Sequence[float], Sequence[float]]) -> Scalar:
        return f.polynomial(x, [c * scale for c in of[0]]) / f.polynomial(x, of[1])

    s = q * q
    middle = q * f.muladd(s, ratio(0.180625 - s, _MIDDLE), q.const(_SLOPE * scale))
    r = unary("sqrt", -f.log(tail))
    size = f.muladd(r, q.const(scale), select(r <= 5.0, ratio(r - 1.6, _OUTER), ratio(r - 5.0, _FAR)))
    size = select(tail.eq(0.0), math.inf, size)
    return select(f.absolute(q) <= 0.425, middle, binary("copysign", size, q))


def ndtri(p: Scalar) -> Scalar:
    wide = convert(p, FLOAT64)
    y = _quantile(wide - 0.5, binary("min", wide, 1.0 - wide))
    return convert(y, p.dtype)


def erfinv(x: Scalar) -> Scalar:
    """√½·Φ⁻¹((1 + x)/2) in float64."""
    if x.dtype == FLOAT64:
        return _quantile(x * 0.5, 0.5 - f.absolute(x) * 0.5, math.sqrt(0.5))
    w = -f.log(fma(x, -x, 1.0))  # 1 − x² rounded once
    y = x * select(w < 4.0, f.polynomial(w - 2.0, _NEAR_ZERO), f.polynomial(unary("sqrt", w) - 3.0, _NEAR_ONE))
    return select(f.absolute(x).eq(1.0), x * math.inf, y)


def logit(p: Scalar) -> Scalar:
    """log(p/(1 − p)); near ½ as log(1 + s) − log(1 − s) with s = 2p − 1, which is exact there."""
    s = p * 2.0 - 1.0
    near = f.log1p(s) - f.log1p(-s)
    return select((p > 0.3) & (p < 0.65), near, f.log(p / (1.0 - p)))


def entr(x: Scalar) -> Scalar:
    y = select(x < 0.0, -math.inf, -x * f.log(x))
    return select(x.eq(0.0), 0.0, y)


def xlogy(x: Scalar, y: Scalar) -> Scalar:
    return select(x.eq(0.0) & y.eq(y), 0.0, x * f.log(y))


def xlog1py(x: Scalar, y: Scalar) -> Scalar:
    return select(x.eq(0.0) & y.eq(y), 0.0, x * f.log1p(y))
