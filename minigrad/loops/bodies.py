"""What the elementwise ops compute for one element: the engine's column of their table.

Floor 4. Operands are of one dtype (bool, integer or float), as the ops' own `coerce` brings them. The semantics are
NumPy's: integers wrap, dividing them by zero gives 0, a NaN wins in max and min, shifting by the width or more leaves
the sign. An op or a dtype that is not here runs through its NumPy implementation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from operator import mul
from typing import Any

from minigrad.loops import functions as f
from minigrad.loops import gamma, hyperbolic, powers, special, trigonometric
from minigrad.loops.scalar import Scalar, binary, bitcast, call, const, convert, fma, rarely, select, unary
from minigrad.loops.threefry import threefry
from minigrad.op import Op
from minigrad.ops.bits import Bitcast
from minigrad.ops.rows import Convert, Row, Where
from minigrad.ops.threefry import Hash
from minigrad.types import BOOL, FLOAT64, DType

Body = Callable[..., Scalar]


def _kind(x: Scalar) -> str:
    return x.dtype.kind


def _extremum(op: str) -> Body:
    return lambda a, b: binary(op, a, b)


_PLAIN = (-2, -1.5, -1, -0.5, 0.5, 1.5, 2, 2.5, 3, 3.5, 4)  # at most four roundings


def is_plain(p: Scalar) -> bool:
    """Is the power with this exponent a short formula?"""
    return p.op == "const" and p.what in _PLAIN


def _power(x: Scalar, p: Scalar) -> Scalar:
    return _product(x, float(p.what)) if is_plain(p) else powers.power(x, p)


def _product(x: Scalar, p: float) -> Scalar:
    """x^p for a multiple of ½: factors x, or 1/x, so that nothing overflows before the result, and a square root."""
    if p == 0.5:
        return unary("sqrt", x)  # as NumPy does, also of -inf
    whole, half = int(abs(p)), int(abs(p) % 1 * 2)
    base = select(x.eq(0.0), 0.0, x) if half else x  # the root of -0 is -0; these powers of it are those of 0
    root = unary("sqrt", base)
    y = reduce(mul, [1.0 / z if p < 0 else z for z in [base] * whole + [root] * half])
    return select(x.eq(-math.inf), 0.0 if p < 0 else math.inf, y) if half else y


def _nothing_divides(a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
    """(b made safe to divide integers by, was it not)."""
    if b.op == "const" and b.what not in (0, -1):
        return b, const(False, BOOL)
    unsafe = b.eq(0) if _kind(b) == "u" else b.eq(0) | b.eq(-1)
    return select(unsafe, 1, b), unsafe


def _floor_div(a: Scalar, b: Scalar) -> Scalar:
    if _kind(a) == "f":
        return _float_division(a, b)[0]
    safe, _ = _nothing_divides(a, b)
    q = binary("floor_div", a, safe)
    if _kind(a) == "i":
        rest = binary("rem", a, safe)
        q = q - convert(rest.ne(0) & ((rest < 0) ^ (safe < 0)), a.dtype)
        q = select(b.eq(-1), -a, q)
    return select(b.eq(0), 0, q)


def _rem(a: Scalar, b: Scalar) -> Scalar:
    if _kind(a) == "f":
        return _float_division(a, b)[1]
    safe, unsafe = _nothing_divides(a, b)
    r = binary("rem", a, safe)
    if _kind(a) == "i":
        r = select(r.ne(0) & ((r < 0) ^ (safe < 0)), r + safe, r)
    return select(unsafe, 0, r)


def _fmod(a: Scalar, b: Scalar) -> Scalar:
    """What a leaves after whole multiples of b, exactly: a quotient of so few bits is one too great at most, and what
    it leaves then has no more bits than b. The greatest b are left to C, for a fused product may be done in parts."""
    rest, size = f.absolute(a), f.absolute(b)
    quotient = rest / size
    bits, greatest = {4: (22, 127), 8: (51, 990)}[a.dtype.itemsize]
    few = (quotient < 2.0**bits) & (size < 2.0**greatest)
    rest = fma(unary("trunc", quotient), -size, rest)
    return rarely(~few, binary("copysign", select(rest < 0.0, rest + size, rest), a), call("fmod", a, b))


def _float_division(a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
    """(a // b, a % b) of floats, the remainder with the divisor's sign: as Python defines them."""
    r = _fmod(a, b)
    quotient = (a - r) / b
    turned = r.ne(0.0) & ((b < 0.0) ^ (r < 0.0))
    quotient = select(turned, quotient - 1.0, quotient)
    floor = unary("floor", quotient)
    floor = select(quotient - floor > 0.5, floor + 1.0, floor)
    floor = select(quotient.ne(0.0), floor, binary("copysign", a.const(0.0), a / b))
    rest = select(r.ne(0.0), select(turned, r + b, r), binary("copysign", a.const(0.0), b))
    zero = b.eq(0.0)
    return select(zero, a / b, floor), select(zero, r, rest)


def _shift(op: str) -> Body:
    def shifted(a: Scalar, b: Scalar) -> Scalar:
        width = a.dtype.itemsize * 8
        inside = b < width if _kind(b) == "u" else (b >= 0) & (b < width)
        beyond = a >> (width - 1) if op == "shr" and _kind(a) == "i" else a.const(0)
        return select(inside, binary(op, a, select(inside, b, 0)), beyond)

    return shifted


def _abs(x: Scalar) -> Scalar:
    return unary("abs", x) if _kind(x) == "f" else x if _kind(x) == "u" else select(x < 0, -x, x)


def _sign(x: Scalar) -> Scalar:
    y = convert(x > 0, x.dtype)
    if _kind(x) == "u":
        return y
    y = select(x < 0, -1, y)
    return select(f.is_nan(x), x, y) if _kind(x) == "f" else y


def _rounding(op: str) -> Body:
    return lambda x: unary(op, x) if _kind(x) == "f" else x


def _is_finite(x: Scalar) -> Scalar:
    return f.absolute(x) < math.inf if _kind(x) == "f" else const(True, BOOL)


def _is_nan(x: Scalar) -> Scalar:
    return f.is_nan(x) if _kind(x) == "f" else const(False, BOOL)


def _logaddexp(a: Scalar, b: Scalar) -> Scalar:
    """max + log(1 + e^(−|a − b|)); equal infinities are their own result."""
    high, low = binary("max", a, b), binary("min", a, b)
    y = high + f.log1p(f.exp(low - high))
    return select(a.eq(b) & (f.absolute(a).eq(math.inf)), a, y)


def _hypot(x: Scalar, y: Scalar) -> Scalar:
    """√(x² + y²): in float64 no square of a float32 overflows; else the greater one is taken out of the root."""
    a, b = f.absolute(x), f.absolute(y)
    if x.dtype.itemsize == 4:
        a_, b_ = convert(a, FLOAT64), convert(b, FLOAT64)
        r = convert(unary("sqrt", a_ * a_ + b_ * b_), x.dtype)
    else:
        high, low = binary("max", a, b), binary("min", a, b)
        ratio = low / select(high.eq(0.0), 1.0, high)
        r = high * unary("sqrt", 1.0 + ratio * ratio)
    return select(a.eq(math.inf) | b.eq(math.inf), math.inf, r)


BODIES: dict[str, Body] = {
    "add": lambda a, b: a | b if _kind(a) == "b" else a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a & b if _kind(a) == "b" else a * b,
    "div": lambda a, b: a / b,
    "mul_no_nan": lambda a, b: select(a.eq(0.0) | b.eq(0.0), 0.0, a * b),
    "neg": lambda x: -x,
    "reciprocal": lambda x: 1.0 / x,
    "pow": _power,
    "floor_div": _floor_div,
    "rem": _rem,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "not": lambda x: ~x,
    "shift_left": _shift("shl"),
    "shift_right": _shift("shr"),
    "real": lambda x: x,
    "imag": lambda x: x.const(0),
    "conj": lambda x: x,
    "equal": lambda a, b: a.eq(b),
    "not_equal": lambda a, b: a.ne(b),
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "isfinite": _is_finite,
    "isnan": _is_nan,
    "max": _extremum("max"),
    "min": _extremum("min"),
    "clip": lambda x, low, high: binary("min", binary("max", x, low), high),
    "abs": _abs,
    "sign": _sign,
    "copysign": lambda a, b: binary("copysign", a, b),
    "floor": _rounding("floor"),
    "ceil": _rounding("ceil"),
    "trunc": _rounding("trunc"),
    "round": _rounding("rint"),
    "exp": f.exp,
    "exp2": f.exp2,
    "expm1": f.expm1,
    "log": f.log,
    "log1p": f.log1p,
    "logaddexp": _logaddexp,
    "logistic": f.logistic,
    "hypot": _hypot,
    "sqrt": lambda x: unary("sqrt", x),
    "rsqrt": lambda x: 1.0 / unary("sqrt", x),
    "tanh": f.tanh,
    "erf": f.erf,
    "erfc": f.erfc,
    "ndtri": special.ndtri,
    "erfinv": special.erfinv,
    "lgamma": gamma.lgamma,
    "digamma": gamma.digamma,
    "logit": special.logit,
    "entr": special.entr,
    "xlogy": special.xlogy,
    "xlog1py": special.xlog1py,
    "stop_gradient": lambda x: x,
    **{name: getattr(powers, name) for name in ("log2", "log10", "cbrt", "nextafter")},
    **{name: getattr(hyperbolic, name) for name in ("sinh", "cosh", "asinh", "acosh", "atanh")},
    **{name: getattr(trigonometric, name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "atan2")},
}  # fmt: skip

# How much one element costs, in additions; what is not named costs 1. For deciding what to compute again.
COSTS = {
    **dict.fromkeys(("stop_gradient", "real", "conj"), 0),
    **dict.fromkeys(("div", "reciprocal", "sqrt", "rsqrt", "hypot"), 5),
    **dict.fromkeys(("exp", "exp2", "log", "logistic", "expm1", "log1p", "tanh", "logaddexp", "floor_div", "rem"), 20),
    **dict.fromkeys(("entr", "xlogy", "xlog1py"), 20),
    **dict.fromkeys(("sin", "cos", "erf", "erfc", "logit"), 40),
    **dict.fromkeys(("ndtri", "erfinv", "lgamma", "digamma"), 120),
    **dict.fromkeys(("pow", "log2", "log10", "cbrt", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh",
                     "atanh", "atan2", "nextafter"), 60),
    "threefry": 120,
}  # fmt: skip


def is_native(op: Op, dtypes: Sequence[DType]) -> bool:
    """Is there a body for this op on operands of these dtypes?"""
    if any(d.kind == "c" for d in dtypes):
        return False
    if isinstance(op, Row):
        return op.name in BODIES and not (op.name == "pow" and dtypes[0].kind != "f")
    if isinstance(op, Convert | Bitcast):
        return op.dtype.kind != "c"
    return isinstance(op, Where | Hash)


def body(op: Any, xs: Sequence[Scalar]) -> Scalar:
    """One element of op(*xs)."""
    match op:
        case Row():
            return BODIES[op.name](*xs)
        case Convert():
            return convert(xs[0], op.dtype)
        case Hash():
            return threefry(op.dtype, *xs)
        case Bitcast():
            return bitcast(xs[0], op.dtype)
        case _:
            return select(xs[0], xs[1], xs[2])


def cost(op: Any) -> int:
    return COSTS.get(op.name, 1) if isinstance(op, Row | Hash) else 1
