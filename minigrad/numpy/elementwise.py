"""Functions of elements: one line each, because they differ only in the op.

Floor 5. Operands broadcast and promote by the op's own rules; Python numbers are weak.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from minigrad.numpy.named import binary, unary
from minigrad.op import Operand, lift
from minigrad.ops import elementwise as e
from minigrad.ops.complex import complex_
from minigrad.ops.composite import floating
from minigrad.types import BOOL, INT64

# ── arithmetic ───────────────────────────────────────────────────────────────────────────────────
add = binary("add", e.add, "x1 + x2.", "1, 2 -> 3")
subtract = binary("subtract", e.sub, "x1 - x2.", "1, 2 -> -1")
multiply = binary("multiply", e.mul, "x1 · x2.", "2, 3 -> 6")
divide = true_divide = binary("divide", e.div, "x1 / x2.", "1, 2 -> 0.5")
floor_divide = binary("floor_divide", e.floor_div, "x1 / x2 rounded down, as Python's //.", "-7, 2 -> -4")
remainder = mod = binary("remainder", e.rem, "What floor_divide leaves; it has the sign of x2.", "-7, 2 -> 1")
pow = power = binary("pow", e.pow_, "x1 to the power x2.", "2, 3 -> 8")
maximum = binary("maximum", e.max_, "The larger of x1 and x2; nan wins.", "2, 3 -> 3")
minimum = binary("minimum", e.min_, "The smaller of x1 and x2; nan wins.", "2, 3 -> 2")
negative = unary("negative", e.neg, "-x.", "2 -> -2")
abs = absolute = unary("abs", e.abs_, "|x|, real for complex x.", "-2 -> 2")
sign = unary("sign", e.sign, "-1, 0 or 1; for complex x, x/|x|.", "-2.5 -> -1.0")
reciprocal = unary("reciprocal", e.reciprocal, "1 / x.", "2.0 -> 0.5")
positive = unary("positive", lambda x: lift(x, "positive"), "x itself.", "2 -> 2")
hypot = binary("hypot", e.hypot, "√(x1² + x2²), without overflow.", "3, 4 -> 5.0")
copysign = binary("copysign", e.copysign, "|x1| with the sign of x2.", "2.0, -0.0 -> -2.0")
nextafter = binary("nextafter", e.nextafter, "The float next to x1 on the way to x2.", "0.0, 0.0 -> 0.0")

# ── comparisons and bits ─────────────────────────────────────────────────────────────────────────
equal = binary("equal", e.equal, "x1 == x2.", "1, 2 -> False")
not_equal = binary("not_equal", e.not_equal, "x1 != x2.", "1, 2 -> True")
less = binary("less", e.less, "x1 < x2.", "1, 2 -> True")
less_equal = binary("less_equal", e.less_equal, "x1 <= x2.", "1, 2 -> True")
greater = binary("greater", e.greater, "x1 > x2.", "1, 2 -> False")
greater_equal = binary("greater_equal", e.greater_equal, "x1 >= x2.", "1, 2 -> False")
isfinite = unary("isfinite", e.isfinite, "Neither infinite nor nan?", "1 -> True")
isnan = unary("isnan", e.isnan, "Not a number?", "1 -> False")
bitwise_and = binary("bitwise_and", e.and_, "x1 & x2, of integers or bools.", "6, 3 -> 2")
bitwise_or = binary("bitwise_or", e.or_, "x1 | x2, of integers or bools.", "6, 3 -> 7")
bitwise_xor = binary("bitwise_xor", e.xor, "x1 ^ x2, of integers or bools.", "6, 3 -> 5")
bitwise_invert = bitwise_not = invert = unary("bitwise_invert", e.not_, "~x, of integers or bools.", "6 -> -7")
bitwise_left_shift = left_shift = binary("bitwise_left_shift", e.shift_left, "x1 · 2**x2.", "3, 2 -> 12")
bitwise_right_shift = right_shift = binary("bitwise_right_shift", e.shift_right, "x1 // 2**x2.", "12, 2 -> 3")

# ── rounding ─────────────────────────────────────────────────────────────────────────────────────
floor = unary("floor", e.floor, "The largest integer not above x, in x's dtype.", "-1.5 -> -2.0")
ceil = unary("ceil", e.ceil, "The smallest integer not below x, in x's dtype.", "-1.5 -> -1.0")
trunc = unary("trunc", e.trunc, "x without its fraction.", "-1.5 -> -1.0")
rint = unary(
    "rint",
    lambda x: round(floating(x, "rint")),
    "The nearest integer as a float, halves to the even one.",
    "2.5 -> 2.0",
)

# ── exponentials, logarithms, roots ──────────────────────────────────────────────────────────────
exp = unary("exp", e.exp, "e to the power x.", "0 -> 1.0")
exp2 = unary("exp2", e.exp2, "2 to the power x.", "3 -> 8.0")
expm1 = unary("expm1", e.expm1, "eˣ - 1, exact near 0.", "0 -> 0.0")
log = unary("log", e.log, "The natural logarithm; -inf at 0, nan below.", "1 -> 0.0")
log2 = unary("log2", e.log2, "The logarithm to base 2.", "8 -> 3.0")
log10 = unary("log10", e.log10, "The logarithm to base 10.", "1 -> 0.0")
log1p = unary("log1p", e.log1p, "log(1 + x), exact near 0.", "0 -> 0.0")
logaddexp = binary("logaddexp", e.logaddexp, "log(exp(x1) + exp(x2)), without overflow.", "-1e9, 0 -> 0.0")
sqrt = unary("sqrt", e.sqrt, "The square root; nan below 0.", "4 -> 2.0")
rsqrt = unary("rsqrt", e.rsqrt, "1 / √x.", "4 -> 0.5")
cbrt = unary("cbrt", e.cbrt, "The cube root, of negative numbers too.", "-8 -> -2.0")

# ── circles and hyperbolas ───────────────────────────────────────────────────────────────────────
sin = unary("sin", e.sin, "The sine.", "0 -> 0.0")
cos = unary("cos", e.cos, "The cosine.", "0 -> 1.0")
tan = unary("tan", e.tan, "The tangent.", "0 -> 0.0")
asin = arcsin = unary("asin", e.asin, "The angle in [-π/2, π/2] whose sine is x.", "0 -> 0.0")
acos = arccos = unary("acos", e.acos, "The angle in [0, π] whose cosine is x.", "1 -> 0.0")
atan = arctan = unary("atan", e.atan, "The angle in (-π/2, π/2) whose tangent is x.", "0 -> 0.0")
atan2 = arctan2 = binary("atan2", e.atan2, "The angle of the point (x2, x1), in [-π, π].", "0, 1 -> 0.0")
sinh = unary("sinh", e.sinh, "The hyperbolic sine.", "0 -> 0.0")
cosh = unary("cosh", e.cosh, "The hyperbolic cosine.", "0 -> 1.0")
tanh = unary("tanh", e.tanh, "The hyperbolic tangent.", "0 -> 0.0")
asinh = arcsinh = unary("asinh", e.asinh, "The inverse of sinh.", "0 -> 0.0")
acosh = arccosh = unary("acosh", e.acosh, "The inverse of cosh, nan below 1.", "1 -> 0.0")
atanh = arctanh = unary("atanh", e.atanh, "The inverse of tanh.", "0 -> 0.0")
deg2rad = unary("deg2rad", lambda x: e.mul(floating(x, "deg2rad"), math.pi / 180), "Degrees as radians.", "0 -> 0.0")
rad2deg = unary("rad2deg", lambda x: e.mul(floating(x, "rad2deg"), 180 / math.pi), "Radians as degrees.", "0 -> 0.0")

# ── complex numbers ──────────────────────────────────────────────────────────────────────────────
real = unary("real", e.real, "The real part.", "1 + 2j -> 1.0")
imag = unary("imag", e.imag, "The imaginary part; 0 of a real number.", "1 + 2j -> 2.0")
conj = conjugate = unary("conj", e.conj, "The conjugate.", "1 + 2j -> (1-2j)")


def square(x: Operand, /) -> Any:
    """x · x.

    >>> import minigrad.numpy as mnp
    >>> mnp.square(3).tolist()
    9
    """
    x = lift(x, "square")
    return e.mul(x, x)


def clip(
    x: Operand,
    /,
    min: Operand | None = None,
    max: Operand | None = None,
    *,
    a_min: Operand | None = None,
    a_max: Operand | None = None,
) -> Any:
    """x held between min and max (either may be None; NumPy also calls them a_min and a_max).

    An edge belongs to the inside, so x has the gradient there.

    >>> import minigrad.numpy as mnp
    >>> mnp.clip(mnp.asarray([-1.0, 0.5, 3.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    x = lift(x, "clip")
    min, max = a_min if min is None else min, a_max if max is None else max
    if min is None and max is None:
        return x
    if x.dtype.kind in "iu" and all(b is None or type(b) is int for b in (min, max)):
        info = np.iinfo(x.dtype)  # a bound beyond the dtype's own does not bound
        low, high = int(info.min), int(info.max)
        min = low if min is None else builtins.min(builtins.max(min, low), high)
        max = high if max is None else builtins.min(builtins.max(max, low), high)
    if x.dtype.kind in "biu" and (min is None or max is None):  # no infinity among integers
        y = e.min_(x, max) if min is None else e.max_(x, min)
    else:
        y = e.clip(x, -math.inf if min is None else min, math.inf if max is None else max)
    return e.convert(y, x.dtype) if y.dtype.kind == x.dtype.kind else y  # wider bounds do not widen x


def round(x: Operand, /, decimals: int = 0) -> Any:
    """Rounded to so many decimals (negative: to tens, hundreds ..), halves to the even neighbour, in x's dtype.

    Of complex numbers both parts. The derivative is taken as 0.

    >>> import minigrad.numpy as mnp
    >>> mnp.round(mnp.asarray([0.5, 1.5, 2.25]), 1).tolist()
    [0.5, 1.5, 2.200000047683716]
    """
    x = lift(x, "round")
    if x.dtype.kind == "c":
        return complex_(round(e.real(x), decimals), round(e.imag(x), decimals))
    if decimals == 0 or x.dtype.kind == "b" or (x.dtype.kind in "iu" and decimals > 0):
        return e.round_(x)
    if x.dtype.kind in "iu":
        ten, wide = 10**-decimals, e.convert(x, x.dtype if x.dtype.itemsize == 8 else INT64)
        whole = e.floor_div(wide, ten)
        twice = e.mul(e.sub(wide, e.mul(whole, ten)), 2)
        up = e.greater(e.add(twice, e.and_(whole, 1)), ten)  # of a half, if that makes it even
        return e.convert(e.mul(e.add(whole, e.convert(up, wide.dtype)), ten), x.dtype)
    scale = 10.0 ** builtins.abs(decimals)
    return e.round_(x * scale) / scale if decimals > 0 else e.round_(x / scale) * scale


around = round


signbit = unary(
    "signbit",
    lambda x: e.less(e.copysign(1.0, floating(x, "signbit")), 0),
    "Is the sign negative? That of -0.0 is.",
    "-0.0 -> True",
)


def isinf(x: Operand, /) -> Any:
    """Infinite, of either sign?

    >>> import minigrad.numpy as mnp
    >>> mnp.isinf(mnp.asarray([1.0, -mnp.inf])).tolist()
    [False, True]
    """
    x = floating(x, "isinf")
    if x.dtype.kind == "c":
        return e.or_(isinf(e.real(x)), isinf(e.imag(x)))
    return e.equal(e.abs_(x), math.inf)


# ── logic: anything that is not 0 is true ────────────────────────────────────────────────────────
def truth(x: Operand, who: str) -> Any:
    """x as bools."""
    x = lift(x, who)
    return x if x.dtype == BOOL else e.not_equal(x, 0)


def _of_truths(name: str, op: e.Row, doc: str, example: str) -> Any:
    return binary(name, lambda a, b: op(truth(a, name), truth(b, name)), doc, example)


logical_and = _of_truths("logical_and", e.and_, "Are both true?", "True, 0 -> False")
logical_or = _of_truths("logical_or", e.or_, "Is either true?", "True, 0 -> True")
logical_xor = _of_truths("logical_xor", e.xor, "Is exactly one of them true?", "True, 1 -> False")
logical_not = unary("logical_not", lambda x: e.not_(truth(x, "logical_not")), "Is it false?", "0 -> True")


# ── comparing floats ─────────────────────────────────────────────────────────────────────────────
def isclose(x1: Operand, x2: Operand, /, rtol: float = 1e-5, atol: float = 1e-8, *, equal_nan: Any = False) -> Any:
    """|x1 - x2| <= atol + rtol·|x2|, or equal (as infinities are).

    >>> import minigrad.numpy as mnp
    >>> mnp.isclose(1.0, 1.0 + 1e-6).tolist()
    True
    """
    a, b = floating(x1, "isclose"), floating(x2, "isclose")
    near = e.less_equal(e.abs_(e.sub(a, b)), e.add(atol, e.mul(rtol, e.abs_(b))))
    close = e.or_(e.and_(near, e.isfinite(b)), e.equal(a, b))
    return e.or_(close, e.and_(e.isnan(a), e.isnan(b))) if equal_nan else close


def nan_to_num(
    x: Operand, /, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """x with nan replaced, and infinities by numbers (the dtype's largest unless given). Always a copy.

    Of complex numbers each part. What was replaced has the gradient 0.

    >>> import minigrad.numpy as mnp
    >>> mnp.nan_to_num(mnp.asarray([mnp.nan, 1.0])).tolist()
    [0.0, 1.0]
    """
    x = lift(x, "nan_to_num")
    if x.dtype.kind in "biu":
        return x
    if x.dtype.kind == "c":
        return complex_(*[nan_to_num(part(x), copy, nan, posinf, neginf) for part in (e.real, e.imag)])
    largest = float(np.finfo(x.dtype).max)
    high, low = largest if posinf is None else posinf, -largest if neginf is None else neginf
    x = e.where(e.isnan(x), nan, x)
    return e.where(e.equal(x, math.inf), high, e.where(e.equal(x, -math.inf), low, x))


def sinc(x: Operand, /) -> Any:
    """sin(πx) / (πx), and 1 at 0. A float or complex number of x's shape; integers give float32.

    >>> import minigrad.numpy as mnp
    >>> mnp.sinc(0.0).tolist()
    1.0
    """
    x = floating(x, "sinc")
    angle = e.mul(x, math.pi)
    small = e.less(e.abs_(angle), 0.1)
    near, far = e.where(small, angle, 0), e.where(small, 1, angle)
    squared, series = e.mul(near, near), 1 / math.factorial(11)
    for k in builtins.range(9, 0, -2):  # Σ (-a²)ᵏ/(2k + 1)!, to 2e-22: near 0 the quotient's derivatives cancel
        series = e.sub(1 / math.factorial(k), e.mul(series, squared))
    return e.where(small, series, e.div(e.sin(far), far))


def heaviside(x1: Operand, x2: Operand, /) -> Any:
    """0 below 0, 1 above, x2 at 0.

    >>> import minigrad.numpy as mnp
    >>> mnp.heaviside(mnp.asarray([-1.0, 0.0, 2.0]), 0.5).tolist()
    [0.0, 0.5, 1.0]
    """
    x = floating(x1, "heaviside")
    return e.where(e.equal(x, 0), x2, e.where(e.isnan(x), x, e.where(e.less(x, 0), 0.0, 1.0)))
