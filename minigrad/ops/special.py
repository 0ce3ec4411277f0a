"""Special functions: the error function and its kin, gamma and its kin, Bessel's I, the normal distribution.

Floor 2. Values come from scipy.special, loaded on first use; it keeps float32 in float32. Where the derivative by a
parameter has no closed form (the order of an incomplete gamma, the exponent of zeta), asking for it is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, NotDifferentiableError
from minigrad.frozen import dataclass
from minigrad.lazy import lazy_module
from minigrad.op import Operand, Value, ndarray
from minigrad.ops.elementwise import Elementwise, Row, add, div, exp, log, log1p, mul, neg, reciprocal, row, sign, sub
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.rows import converted
from minigrad.ops.weak import weak_dtype
from minigrad.types import FLOAT32, promote

special = lazy_module("scipy.special")
POSITIVE = (0.3, 4.0)
UNIT = (0.1, 0.9)


def _gauss(x: Any, factor: float) -> Any:
    return mul(factor, exp(neg(mul(x, x))))


def _row(name: str, *partials: Any, of: str = "", singular: bool = True, **more: Any) -> Row:
    """A row of floats whose numbers SciPy's function of that name gives (or the one named `of`)."""

    def of_one(x: ndarray) -> Any:
        return getattr(special, of or name)(x)

    def of_two(x: ndarray, y: ndarray) -> Any:
        return getattr(special, of or name)(x, y)

    return row(name, of_one if len(partials) == 1 else of_two, *partials, takes="f", singular=singular, **more)


# ── the error function and the normal distribution ───────────────────────────────────────────────
# erf' = 2/√π · e^(−x²)
erf = _row("erf", lambda y, x: _gauss(x, 2 / math.sqrt(math.pi)), singular=False)
erfc = _row("erfc", lambda y, x: _gauss(x, -2 / math.sqrt(math.pi)), singular=False)
# the inverse function's derivative: √π/2 · e^(y²)
erfinv = _row("erfinv", lambda y, x: mul(math.sqrt(math.pi) / 2, exp(mul(y, y))), domain=(-0.9, 0.9))
# e^(x²)·erfc(x), which stays a number where erfc underflows
erfcx = _row("erfcx", lambda y, x: sub(mul(2, mul(x, y)), 2 / math.sqrt(math.pi)))
# Φ' = e^(−x²/2)/√(2π), so (Φ⁻¹)' = √(2π)·e^(y²/2) and (log Φ)' = Φ'/Φ = √(2/π) / erfcx(−x/√2), exact in both tails
log_ndtr = _row("log_ndtr", lambda y, x: div(math.sqrt(2 / math.pi), erfcx(mul(x, -math.sqrt(0.5)))), singular=False)
ndtri = _row("ndtri", lambda y, p: mul(math.sqrt(2 * math.pi), exp(mul(0.5, mul(y, y)))), domain=UNIT)
logit = _row("logit", lambda y, p: reciprocal(mul(p, sub(1, p))), domain=UNIT)

# ── products with a logarithm: 0·log 0 is 0 ──────────────────────────────────────────────────────
entr = _row("entr", lambda y, x: neg(add(log(x), 1)), domain=POSITIVE)  # −x·log x
xlogy = _row("xlogy", lambda z, x, y: log(y), lambda z, x, y: div(x, y), domains=((-2.0, 2.0), POSITIVE))
xlog1py = _row(
    "xlog1py", lambda z, x, y: log1p(y), lambda z, x, y: div(x, add(1, y)), domains=((-2.0, 2.0), (-0.6, 2.0))
)

# ── gamma ────────────────────────────────────────────────────────────────────────────────────────
lgamma = _row("lgamma", lambda y, x: digamma(x), of="gammaln", domain=POSITIVE)  # log|Γ(x)|
gamma = _row("gamma", lambda y, x: mul(y, digamma(x)), domain=POSITIVE)
digamma: Row = _row("digamma", lambda y, x: Polygamma(1)(x), domain=POSITIVE)


def _beta_rate(a: Any, b: Any) -> Any:
    """∂/∂a log B(a, b) = ψ(a) − ψ(a + b)."""
    return sub(digamma(a), digamma(add(a, b)))


betaln = _row("betaln", lambda y, a, b: _beta_rate(a, b), lambda y, a, b: _beta_rate(b, a), domain=POSITIVE)
beta = _row("beta", lambda y, a, b: mul(y, _beta_rate(a, b)), lambda y, a, b: mul(y, _beta_rate(b, a)), domain=POSITIVE)


# ── functions with a parameter ───────────────────────────────────────────────────────────────────
class Special(Elementwise):
    """Of so many real operands, all brought to one float dtype."""

    singular: ClassVar[bool] = True
    operands: ClassVar[int] = 1

    def admit(self, arrays: list[ndarray]) -> bool:
        dtype = arrays[0].dtype
        return dtype.kind == "f" and len(arrays) == self.operands and all(a.dtype is dtype for a in arrays)

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        if len(xs) != self.operands:
            raise ArgumentError(f"{self.label} takes {self.operands} operands, got {len(xs)}")
        dtype = promote(*[weak_dtype(x, self.label) for x in xs])
        if dtype.kind == "c":
            raise DtypeError(f"{self.label} does not take {dtype.name}", hint="it takes floats")
        return [converted(x, dtype if dtype.kind == "f" else FLOAT32, self.label) for x in xs]

    def refused(self, what: str) -> NotDifferentiableError:
        return NotDifferentiableError(
            f"{self.label}: the derivative by {what} has no closed form",
            hint="wrap it in stop_gradient, or give a custom rule",
        )


@dataclass(frozen=True)
class Polygamma(Special):
    """The n-th derivative of digamma, n ≥ 1."""

    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ArgumentError(f"polygamma: the order must be at least 1, got {self.n}", hint="order 0 is digamma")

    def impl(self, x: ndarray) -> Any:
        return np.asarray(special.polygamma(self.n, x)).astype(x.dtype)  # scipy gives float64

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        return Polygamma(self.n + 1)(xs[0])

    @classmethod
    def samples(cls) -> Samples:
        for n, shape in [(1, (3,)), (2, ()), (1, (0, 2))]:
            yield cls(n), (Draw(shape, domain=digamma.domain),)


@dataclass(frozen=True)
class BesselI(Special):
    """The modified Bessel function Iₙ(x) of integer order; `scaled` by e^(−|x|), which has a kink at 0: slope 0."""

    n: int
    scaled: bool = False
    label = "bessel_i"

    def impl(self, x: ndarray) -> Any:
        if self.n == 0:
            return special.i0e(x) if self.scaled else special.i0(x)
        if self.n == 1:
            return special.i1e(x) if self.scaled else special.i1(x)
        return np.asarray((special.ive if self.scaled else special.iv)(self.n, x), x.dtype)

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        # Iₙ' = (Iₙ₋₁ + Iₙ₊₁)/2, I₋₁ = I₁; the quotient Iₙ/x of the other recurrence would be 0/0 at 0
        below, above = (BesselI(n, self.scaled)(xs[0]) for n in (abs(self.n - 1), self.n + 1))
        slope = mul(0.5, add(below, above))
        return sub(slope, mul(sign(xs[0]), y)) if self.scaled else slope

    @classmethod
    def samples(cls) -> Samples:
        for n, scaled, shape in [(0, False, (3,)), (1, False, ()), (2, False, (2,)), (0, False, (0, 2))]:
            yield cls(n, scaled), (Draw(shape),)
        for n in (0, 1):
            yield cls(n, True), (Draw((3,), domain=(0.3, 3.0)),)


@dataclass(frozen=True)
class GammaInc(Special):
    """P(a, x) = ∫₀ˣ tᵃ⁻¹e⁻ᵗ dt / Γ(a), or (upper) Q = 1 − P, for a > 0 and x ≥ 0. Not differentiable in a."""

    upper: bool = False
    operands = 2

    @property
    def label(self) -> str:
        return "gammaincc" if self.upper else "gammainc"

    def impl(self, a: ndarray, x: ndarray) -> Any:
        return (special.gammaincc if self.upper else special.gammainc)(a, x)

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        a, x = xs
        if i == 0:
            raise self.refused("its first argument (the order)")
        density = exp(sub(sub(xlogy(sub(a, 1), x), x), lgamma(a)))
        return neg(density) if self.upper else density

    @classmethod
    def samples(cls) -> Samples:
        for upper, shapes in [(False, ((3,), (3,))), (True, ((2, 1), (3,))), (False, ((0,), ()))]:
            yield cls(upper), tuple([Draw(s, domain=POSITIVE) for s in shapes])


@dataclass(frozen=True)
class BetaInc(Special):
    """∫₀ˣ tᵃ⁻¹(1 − t)ᵇ⁻¹ dt / B(a, b), for a, b > 0 and x in [0, 1]. Not differentiable in a and b."""

    operands = 3

    def impl(self, a: ndarray, b: ndarray, x: ndarray) -> Any:
        return special.betainc(a, b, x)

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        a, b, x = xs
        if i < 2:
            raise self.refused(f"its {'first' if i == 0 else 'second'} argument (a parameter)")
        return exp(sub(add(xlogy(sub(a, 1), x), xlog1py(sub(b, 1), neg(x))), betaln(a, b)))

    @classmethod
    def samples(cls) -> Samples:
        for shapes in [((3,), (3,), (3,)), ((), (2, 1), (3,)), ((0,), (), ())]:
            yield cls(), tuple([Draw(s, domain=d) for s, d in zip(shapes, (POSITIVE, POSITIVE, UNIT), strict=True)])


@dataclass(frozen=True)
class Zeta(Special):
    """Hurwitz's ζ(x, q) = Σ 1/(k + q)ˣ over k ≥ 0, for x > 1 and q > 0. Not differentiable in x."""

    operands = 2

    def impl(self, x: ndarray, q: ndarray) -> Any:
        return special.zeta(x, q)

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        x, q = xs
        if i == 0:
            raise self.refused("its first argument (the exponent)")
        return neg(mul(x, Zeta()(add(x, 1), q)))

    @classmethod
    def samples(cls) -> Samples:
        for shapes in [((3,), (3,)), ((2, 1), (3,)), ((), ()), ((0,), ())]:
            yield cls(), tuple([Draw(s, domain=d) for s, d in zip(shapes, ((1.5, 4.0), POSITIVE), strict=True)])
