"""Special functions under SciPy's names: gamma and beta, the error function, Bessel's I, logarithms that stay finite.

Floor 5. Of floats of either width (integers become float32); operands broadcast. Out of its domain a function is nan,
at a pole infinite. Derivatives of every order, save by a parameter that says so.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.numpy.named import binary, unary
from minigrad.op import Operand
from minigrad.ops import composite
from minigrad.ops import special as s
from minigrad.ops.axes import python_number
from minigrad.ops.composite import floating
from minigrad.ops.elementwise import add, logistic, mul, sub

__all__ = [
    "beta", "betainc", "betaln", "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "expit", "gamma", "gammainc",
    "gammaincc", "gammaln", "i0", "i0e", "i1", "i1e", "log_ndtr", "logit", "logsumexp", "multigammaln", "ndtr",
    "ndtri", "polygamma", "xlog1py", "xlogy", "zeta",
]  # fmt: skip


_FORM = "mnp.special.{name}({call}).round(4).tolist()"
_unary, _binary = partial(unary, form=_FORM), partial(binary, form=_FORM)


# ── gamma and beta ───────────────────────────────────────────────────────────────────────────────
gamma = _unary("gamma", s.gamma, "Γ(x), (x - 1)! of integers; nan at negative integers.", "5.0 -> 24.0")
gammaln = _unary("gammaln", s.lgamma, "log |Γ(x)|.", "3.0 -> 0.6930999755859375")
digamma = _unary("digamma", s.digamma, "The derivative of log Γ.", "1.0 -> -0.5771999955177307")
gammainc = _binary(
    "gammainc",
    s.GammaInc(),
    "P(a, x) = ∫₀ˣ tᵃ⁻¹e⁻ᵗ dt / Γ(a), the regularised lower incomplete gamma function, for a > 0, x ≥ 0.\n\n"
    "Its derivative by a has no closed form and is refused. At x = 0 the first derivative is the one-sided limit, "
    "those of higher order are not.",
    "1.0, 0.0 -> 0.0",
)
gammaincc = _binary(
    "gammaincc",
    s.GammaInc(upper=True),
    "Q(a, x) = 1 - P(a, x), exact where P is nearly 1. Derivatives as of `gammainc`.",
    "1.0, 0.0 -> 1.0",
)
beta = _binary("beta", s.beta, "B(a, b) = Γ(a)·Γ(b) / Γ(a + b).", "1.0, 2.0 -> 0.5")
betaln = _binary("betaln", s.betaln, "log |B(a, b)|, without overflow.", "1.0, 1.0 -> 0.0")
zeta = _binary(
    "zeta",
    s.Zeta(),
    "Hurwitz's ζ(x, q) = Σ 1/(k + q)ˣ over k ≥ 0, for x > 1, q > 0. Not differentiable in x.",
    "2.0, 1.0 -> 1.6448999643325806",
)


def betainc(a: Operand, b: Operand, x: Operand, /) -> Any:
    """∫₀ˣ tᵃ⁻¹(1 - t)ᵇ⁻¹ dt / B(a, b), the regularised incomplete beta function, for a, b > 0 and x in [0, 1].

    Its derivatives by a and b have no closed form and are refused. At 0 and 1 the first one by x is the one-sided
    limit, those of higher order are not.

    >>> import minigrad.numpy as mnp
    >>> mnp.special.betainc(1.0, 1.0, 0.25).tolist()
    0.25
    """
    return s.BetaInc()(a, b, x)


def polygamma(n: int, x: Operand, /) -> Any:
    """The n-th derivative of digamma; n is a Python integer, 0 or more.

    >>> import minigrad.numpy as mnp
    >>> mnp.special.polygamma(1, 1.0).round(4).tolist()
    1.6448999643325806
    """
    n = python_number(n)
    if not isinstance(n, int) or n < 0:
        raise ArgumentError(f"polygamma: the order must be an integer, 0 or more, got {n!r}")
    return s.Polygamma(n)(x) if n else s.digamma(x)


def multigammaln(a: Operand, d: int, /) -> Any:
    """log of the gamma function of dimension d, π^(d(d-1)/4)·Π Γ(a - j/2), for a > (d - 1)/2.

    >>> import minigrad.numpy as mnp
    >>> mnp.special.multigammaln(3.0, 1).round(4).tolist()
    0.6930999755859375
    """
    d = python_number(d)
    if not isinstance(d, int) or d < 1:
        raise ArgumentError(f"multigammaln: the dimension must be a positive integer, got {d!r}")
    y = s.lgamma(a)
    for j in range(1, d):
        y = add(y, s.lgamma(sub(a, j / 2)))
    return add(y, d * (d - 1) / 4 * math.log(math.pi))


# ── the error function and the normal distribution ───────────────────────────────────────────────
erf = _unary("erf", s.erf, "2/√π · ∫₀ˣ e^(-t²) dt.", "0.0 -> 0.0")
erfc = _unary("erfc", s.erfc, "1 - erf(x), exact where erf is nearly 1.", "0.0 -> 1.0")
erfcx = _unary("erfcx", s.erfcx, "e^(x²)·erfc(x), which stays a number where erfc underflows.", "0.0 -> 1.0")
erfinv = _unary("erfinv", s.erfinv, "The inverse of erf, on [-1, 1].", "0.0 -> 0.0")
ndtri = _unary("ndtri", s.ndtri, "The inverse of `ndtr`, on [0, 1].", "0.5 -> 0.0")
log_ndtr = _unary("log_ndtr", s.log_ndtr, "log(ndtr(x)), exact far to the left.", "0.0 -> -0.6930999755859375")


def ndtr(x: Operand, /) -> Any:
    """The distribution function of the normal distribution, the integral of its density up to x.

    >>> import minigrad.numpy as mnp
    >>> mnp.special.ndtr(0.0).tolist()
    0.5
    """
    return mul(0.5, s.erfc(mul(x if isinstance(x, float) else floating(x, "ndtr"), -math.sqrt(0.5))))


# ── logarithms ───────────────────────────────────────────────────────────────────────────────────
expit = _unary("expit", logistic, "1 / (1 + e⁻ˣ).", "0.0 -> 0.5")
logit = _unary("logit", s.logit, "log(x / (1 - x)), the inverse of expit, on [0, 1].", "0.5 -> 0.0")
entr = _unary("entr", s.entr, "-x·log x; 0 at 0, where the slope is infinite; -inf below.", "1.0 -> -0.0")
xlogy = _binary("xlogy", s.xlogy, "x1·log x2; 0 where x1 is 0, whatever x2.", "0.0, 0.0 -> 0.0")
xlog1py = _binary("xlog1py", s.xlog1py, "x1·log(1 + x2); 0 where x1 is 0, whatever x2.", "0.0, -1.0 -> 0.0")


def logsumexp(x: Operand, /, axis: Any = None, b: Operand | None = None, keepdims: bool = False) -> Any:
    """log Σ b·eˣ over axes (None: all; b is 1 unless given), without overflow; of nothing it is -inf.

    >>> import minigrad.numpy as mnp
    >>> mnp.special.logsumexp(mnp.asarray([1000.0, 1000.0]), b=0.5).tolist()
    1000.0
    """
    return composite.logsumexp(x, axis, keepdims=keepdims, b=b)


# ── Bessel ───────────────────────────────────────────────────────────────────────────────────────
i0 = _unary("i0", s.BesselI(0), "The modified Bessel function of order 0.", "0.0 -> 1.0")
i1 = _unary("i1", s.BesselI(1), "The modified Bessel function of order 1.", "0.0 -> 0.0")
i0e = _unary("i0e", s.BesselI(0, True), "e^(-|x|)·i0(x); at 0, a kink, its derivative is taken as 0.", "0.0 -> 1.0")
i1e = _unary("i1e", s.BesselI(1, True), "e^(-|x|)·i1(x).", "0.0 -> 0.0")
