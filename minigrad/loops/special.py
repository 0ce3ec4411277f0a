"""Special functions of one element: inverses of the error function and of Φ, and products with a logarithm.

Floor 4. The inverses are Wichura's algorithm AS 241 (1988, PPND16), computed in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigrad.loops import functions as f
from minigrad.loops.scalar import Scalar, binary, convert, select, unary
from minigrad.types import FLOAT64

# the coefficients of the paper's rational functions, by rising powers
_MIDDLE = (
    (3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077,
     21213.794301586595867, 39307.89580009271061, 28729.085735721942674, 5226.495278852854561),
)  # fmt: skip
_OUTER = (
    (1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
     1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833, 7.7454501427834140764e-4),
    (1.0, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455,
     0.14810397642748007459, 0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR = (
    (6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 0.29656057182850489123,
     0.026532189526576123093, 0.0012426609473880784386, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525,
     7.868691311456132591e-4, 1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15),
)  # fmt: skip


def _ratio(x: Scalar, of: tuple[Sequence[float], Sequence[float]]) -> Scalar:
    return f.polynomial(x, of[0]) / f.polynomial(x, of[1])


def _quantile(q: Scalar, tail: Scalar) -> Scalar:
    """Φ⁻¹(½ + q); `tail` is the probability beyond it, ½ − |q|, which may be known better than q."""
    middle = q * _ratio(0.180625 - q * q, _MIDDLE)
    r = unary("sqrt", -f.log(tail))
    size = select(r <= 5.0, _ratio(r - 1.6, _OUTER), _ratio(r - 5.0, _FAR))
    size = select(tail.eq(0.0), math.inf, size)
    return select(f.absolute(q) <= 0.425, middle, binary("copysign", size, q))


def ndtri(p: Scalar) -> Scalar:
    wide = convert(p, FLOAT64)
    y = _quantile(wide - 0.5, binary("min", wide, 1.0 - wide))
    return convert(y, p.dtype)


def erfinv(x: Scalar) -> Scalar:
    """√½·Φ⁻¹((1 + x)/2)."""
    wide = convert(x, FLOAT64)
    y = _quantile(wide * 0.5, 0.5 - f.absolute(wide) * 0.5) * math.sqrt(0.5)
    return convert(y, x.dtype)


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
