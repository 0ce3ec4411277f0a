"""Elementwise ops: arithmetic, comparisons, rounding, exponentials, roots and circles. One row per scalar function.

Floor 2. The kind and its machinery are in rows.py and offered here too. Integers behave as NumPy's: they wrap
around, // and % round toward minus infinity, division by zero gives 0; a tensor of negative powers gives what x**p
rounds to (toward zero). Partials are written so that they stay finite and keep their digits where y does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.frozen import dataclass
from minigrad.lazy import lazy_module
from minigrad.op import NoGradient, Operand, ndarray, type_of
from minigrad.ops.bits import BITS, Bitcast, and_, not_, or_, shift_left, shift_right, xor
from minigrad.ops.complex import complex_, conj, imag, real
from minigrad.ops.movement import full
from minigrad.ops.rows import (
    Convert,
    Elementwise,
    LinearRow,
    Row,
    Where,
    add,
    const,
    convert,
    mul,
    mul_no_nan,
    neg,
    not_of_bools,
    row,
    where,
)
from minigrad.types import DType

special = lazy_module("scipy.special")


# ── arithmetic ───────────────────────────────────────────────────────────────────────────────────
def _power(x: ndarray, p: ndarray) -> Any:
    if p.ndim == 0 and p == 2:
        return np.multiply(x, x)  # the commonest power, twenty times as quick
    if p.dtype.kind != "i" or (p >= 0).all():
        return np.power(x, p)
    # integers have no fractions: 1 and -1 stay what they are, everything else rounds to 0
    flipped = np.where(p % 2 == 0, 1, x).astype(x.dtype)
    return np.where(p >= 0, np.power(x, np.maximum(p, 0)), np.where(np.abs(x) == 1, flipped, 0).astype(x.dtype))


def _pow_p(y: Any, x: Any, p: Any) -> Any:
    """x^p·log x; where x = 0 the limit for p > 0, which is 0."""
    return mul(y, log(where(equal(x, 0), 1, x)))


def _no_fractions(common: DType, xs: Sequence[Operand]) -> tuple[str, str] | None:
    """Powers written as negative integers, as in x ** -1, mean a fraction, which would silently be 0."""
    p = xs[1]
    if common.kind in "biu" and isinstance(p, (int, np.integer)) and p < 0:
        return (
            f"does not raise integers to the negative power {p}: the result would be a fraction",
            f"write the power as a float, {float(p)}, or convert the integers to float first",
        )
    return None


sub = row(
    "sub",
    np.subtract,
    const(1),
    const(-1),
    instead=not_of_bools("use a ^ b or logical_xor(a, b), or convert to numbers first"),
)
div: Row = row(
    "div",
    np.true_divide,
    lambda y, a, b: reciprocal(b),
    lambda y, a, b: neg(div(y, b)),
    takes="fc",
    singular=True,
    domains=((-2.0, 2.0), (0.5, 2.0)),
)
# p·x^(p−1): where p = 0 the product is 0 even if the power is infinite (x = 0)
_pow_x = lambda y, x, p: mul_no_nan(p, pow_(x, sub(p, 1)))
pow_: Row = row("pow", _power, _pow_x, _pow_p, singular=True, domains=((0.3, 2.0), (-2.0, 2.0)), instead=_no_fractions)
floor_div = row(
    "floor_div", np.floor_divide, None, None, takes="iuf", domains=((2.2, 2.8), (0.9, 1.1))
)  # a step function: the samples stay on one step
rem = row(
    "rem",
    np.remainder,  # the sign of the divisor, as Python's %
    const(1),
    lambda y, a, b: neg(floor_div(a, b)),
    takes="iuf",
    singular=True,
    domains=((2.2, 2.8), (0.9, 1.1)),
)
reciprocal: Row = row(
    "reciprocal", np.reciprocal, lambda y, x: neg(mul(y, y)), takes="fc", singular=True, domain=(0.5, 2.0)
)


# ── comparisons ──────────────────────────────────────────────────────────────────────────────────
COMPARISON = NoGradient("a comparison gives bool")
equal = row("equal", np.equal, COMPARISON, takes="biufc", gives="bool")
not_equal = row("not_equal", np.not_equal, COMPARISON, takes="biufc", gives="bool")
less = row("less", np.less, COMPARISON, takes="biuf", gives="bool")
less_equal = row("less_equal", np.less_equal, COMPARISON, takes="biuf", gives="bool")
greater = row("greater", np.greater, COMPARISON, takes="biuf", gives="bool")
greater_equal = row("greater_equal", np.greater_equal, COMPARISON, takes="biuf", gives="bool")
isfinite = row("isfinite", np.isfinite, COMPARISON, takes="biufc", gives="bool")
isnan = row("isnan", np.isnan, COMPARISON, takes="biufc", gives="bool")


# ── the larger, the smaller, between ─────────────────────────────────────────────────────────────
def _tie(a: Any, b: Any) -> Any:
    """1 where a > b, 1/2 where equal: a tie shares the derivative."""
    return where(equal(a, b), full((), 0.5, a.dtype), convert(greater(a, b), a.dtype))


def _between(x: ndarray, lo: ndarray, hi: ndarray) -> Any:
    return np.minimum(np.maximum(x, lo), hi)  # where lo > hi, hi, as NumPy says


max_ = row("max", np.maximum, lambda y, a, b: _tie(a, b), lambda y, a, b: _tie(b, a), takes="biuf")
min_ = row("min", np.minimum, lambda y, a, b: _tie(b, a), lambda y, a, b: _tie(a, b), takes="biuf")
clip = row(
    "clip",
    _between,
    lambda y, x, lo, hi: and_(less_equal(lo, x), less_equal(x, hi)),
    lambda y, x, lo, hi: and_(less(x, lo), less_equal(lo, hi)),
    lambda y, x, lo, hi: greater(max_(x, lo), hi),
    takes="iuf",
    domains=((-2.0, 2.0), (-1.5, 0.0), (0.5, 1.5)),
)


# ── sign, size and angle ─────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, eq=False, repr=False)
class PartsRow(Row, listed=False):
    """A row for reals that also takes complex operands, by a composite of their parts."""

    parts: Any = None

    def __call__(self, *xs: Operand) -> Any:
        if len(xs) == 1 and type_of(xs[0]).dtype.kind == "c":
            return self.parts(xs[0])
        return super().__call__(*xs)


def _complex_sign(z: Any) -> Any:  # z / |z|, and 0 at 0
    zero = equal(z, 0)
    return where(zero, 0, div(z, abs_(where(zero, 1, z))))


def _share(a: Any, r: Any) -> Any:
    """a / r, and 0 where r = 0: the gradient of a length at the origin is 0 (the smallest subgradient)."""
    return div(a, where(equal(r, 0), 1, r))


abs_: Row = PartsRow("abs", np.abs, (lambda y, x: sign(x),), takes="iuf", parts=lambda z: hypot(real(z), imag(z)))
sign: Row = PartsRow("sign", np.sign, (None,), takes="iuf", domain=(0.2, 2.0), parts=_complex_sign)
hypot: Row = row("hypot", np.hypot, lambda y, a, b: _share(a, y), lambda y, a, b: _share(b, y), takes="f")
# ∂atan2(a, b) = (b·ȧ − a·ḃ)/r² with r = |(a, b)|, divided twice so that r² cannot overflow
atan2 = row(
    "atan2",
    np.arctan2,
    lambda y, a, b: _share(_share(b, hypot(a, b)), hypot(a, b)),
    lambda y, a, b: neg(_share(_share(a, hypot(a, b)), hypot(a, b))),
    takes="f",
    domains=((-2.0, 2.0), (0.5, 2.0)),
)
copysign: Row = row(
    "copysign",
    np.copysign,
    lambda y, a, b: mul(sign(a), copysign(1, b)),
    None,
    takes="f",
    domains=((0.2, 2.0), (0.2, 2.0)),
)
nextafter = row("nextafter", np.nextafter, NoGradient("it moves by one float, which is no smooth function"), takes="f")


# ── rounding: steps, whose derivative is 0; integers stay what they are ──────────────────────────
def _round(x: ndarray) -> Any:
    return np.rint(x) if x.dtype.kind == "f" else x  # ties to even


STEP = {"takes": "iuf", "domain": (0.1, 0.4)}
floor = row("floor", np.floor, None, **STEP)
ceil = row("ceil", np.ceil, None, **STEP)
trunc = row("trunc", np.trunc, None, **STEP)
round_ = row("round", _round, None, **STEP)


# ── exponentials and logarithms ──────────────────────────────────────────────────────────────────
def _logistic(x: ndarray) -> Any:
    return special.expit(x) if x.dtype.kind == "f" else 1 / (1 + np.exp(-x))


def _logaddexp_share(a: Any, b: Any) -> Any:
    """e^a / (e^a + e^b) = logistic(a − b); 1/2 where both are the same infinity."""
    difference = sub(a, b)
    return logistic(where(and_(equal(a, b), isnan(difference)), 0, difference))


POSITIVE = (0.3, 3.0)
# where exp overflows its partial is infinite: where(x > 30, x, log1p(exp(x))) must have a gradient at 1000
exp = row("exp", np.exp, lambda y, x: y, takes="fc", singular=True)
exp2 = row("exp2", np.exp2, lambda y, x: mul(y, math.log(2)), takes="fc", singular=True)
expm1 = row(
    "expm1", np.expm1, lambda y, x: exp(x), takes="fc", singular=True
)  # y + 1 would lose its digits near y = −1
log = row("log", np.log, lambda y, x: reciprocal(x), takes="fc", singular=True, domain=POSITIVE)
log2 = row("log2", np.log2, lambda y, x: div(1 / math.log(2), x), takes="fc", singular=True, domain=POSITIVE)
log10 = row("log10", np.log10, lambda y, x: div(1 / math.log(10), x), takes="fc", singular=True, domain=POSITIVE)
log1p = row("log1p", np.log1p, lambda y, x: reciprocal(add(1, x)), takes="fc", singular=True, domain=(-0.6, 2.0))
logaddexp = row(
    "logaddexp",
    np.logaddexp,
    lambda y, a, b: _logaddexp_share(a, b),
    lambda y, a, b: _logaddexp_share(b, a),
    takes="f",
)
logistic = row("logistic", _logistic, lambda y, x: mul(y, sub(1, y)), takes="fc")


# ── roots ────────────────────────────────────────────────────────────────────────────────────────
def _rsqrt(x: ndarray) -> Any:
    return np.reciprocal(np.sqrt(x))


sqrt = row("sqrt", np.sqrt, lambda y, x: div(0.5, y), takes="fc", singular=True, domain=POSITIVE)
rsqrt = row("rsqrt", _rsqrt, lambda y, x: mul(-0.5, div(y, x)), takes="fc", singular=True, domain=POSITIVE)
cbrt = row("cbrt", np.cbrt, lambda y, x: div(1 / 3, mul(y, y)), takes="f", singular=True, domain=POSITIVE)


# ── circles and hyperbolas ───────────────────────────────────────────────────────────────────────
def _inverse_root(x: Any) -> Any:
    """1/√(1 − x²), by factors: 1 − x² loses its digits near 1."""
    return rsqrt(mul(sub(1, x), add(1, x)))


INSIDE = (-0.9, 0.9)
sin = row("sin", np.sin, lambda y, x: cos(x), takes="fc")
cos: Row = row("cos", np.cos, lambda y, x: neg(sin(x)), takes="fc")
tan = row("tan", np.tan, lambda y, x: add(1, mul(y, y)), takes="fc", singular=True, domain=(-1.2, 1.2))
asin = row("asin", np.arcsin, lambda y, x: _inverse_root(x), takes="fc", singular=True, domain=INSIDE)
acos = row("acos", np.arccos, lambda y, x: neg(_inverse_root(x)), takes="fc", singular=True, domain=INSIDE)
atan = row("atan", np.arctan, lambda y, x: reciprocal(add(1, mul(x, x))), takes="fc")
sinh = row("sinh", np.sinh, lambda y, x: cosh(x), takes="fc", singular=True)
cosh: Row = row("cosh", np.cosh, lambda y, x: sinh(x), takes="fc", singular=True)
tanh = row("tanh", np.tanh, lambda y, x: sub(1, mul(y, y)), takes="fc")
asinh = row("asinh", np.arcsinh, lambda y, x: rsqrt(add(1, mul(x, x))), takes="fc")
# √(x−1)·√(x+1), not √(x²−1): left of the imaginary axis they differ in sign
acosh = row(
    "acosh",
    np.arccosh,
    lambda y, x: mul(rsqrt(sub(x, 1)), rsqrt(add(x, 1))),
    takes="fc",
    singular=True,
    domain=(1.3, 3.0),
)
atanh = row(
    "atanh",
    np.arctanh,
    lambda y, x: reciprocal(mul(sub(1, x), add(1, x))),
    takes="fc",
    singular=True,
    domain=INSIDE,
)

__all__ = [
    "Convert", "Elementwise", "LinearRow", "PartsRow", "Row", "Where", "const", "convert", "row", "where",
    "add", "sub", "mul", "mul_no_nan", "div", "pow_", "rem", "floor_div", "reciprocal", "neg", "max_", "min_", "clip",
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isfinite", "isnan",
    "BITS", "Bitcast", "and_", "or_", "xor", "not_", "shift_left", "shift_right",
    "abs_", "sign", "hypot", "atan2", "copysign", "nextafter", "floor", "ceil", "trunc", "round_",
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logistic", "sqrt", "rsqrt", "cbrt",
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "real", "imag", "conj", "complex_",
]  # fmt: skip
