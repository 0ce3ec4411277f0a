"""Elementwise ops: one row per scalar function.

Floor 2. A row gives the NumPy function, the partial derivatives as ops of (y, *xs), the dtypes it takes and
where to sample it. Type, broadcasting, forward, reverse, batching, tests and documentation follow from the row.

A partial may be a Python number, a tensor, or a *bool* tensor, which selects: where it is false the term is zero
whatever the (co)tangent. `None` is the constant zero. At the kinks the table `KINKS` says what holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import DtypeError
from minigrad.op import Array, NoGradient, Op, Operand, Value, lift, ndarray
from minigrad.ops.movement import expand_to, full, pad_rank, sum_to
from minigrad.types import (
    BOOL,
    FLOAT32,
    INT64,
    DType,
    TensorType,
    broadcast_shapes,
    is_differentiable,
    promote,
    real_of,
)


class Elementwise(Op):
    """Acts on elements; operands broadcast. Subclasses give `partial(i, y, xs)` or their own jvp and vjp."""

    singular: ClassVar[bool] = False  # may a partial be infinite or nan where y is not? See Note [Zero annihilates]

    def out_dtype(self, *dtypes: DType) -> DType:
        return dtypes[0]

    def out_type(self, *types: TensorType) -> TensorType:
        shapes = [t.shape for t in types]
        dtype = self.out_dtype(*[t.dtype for t in types])
        return TensorType(broadcast_shapes(self.label, *shapes), dtype)

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        raise NotImplementedError(f"{self.label}: partial")

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        total: Any = None
        for i, dot in enumerate(dots):
            term = None if dot is None else self.term(self.partial(i, y, xs), dot)
            if term is not None:
                total = term if total is None else add(total, term)
        return None if total is None else expand_to(total, y.shape)

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        bars: list[Any] = []
        for i, x in enumerate(xs):
            term = self.term(self.partial(i, y, xs), y_bar) if wanted[i] else None
            bars.append(None if term is None else sum_to(term, x.shape))
        return bars

    def term(self, p: Any, bar: Any) -> Any:
        """partial · (co)tangent."""
        if p is None or (type(p) in (int, float) and p == 0):
            return None
        if type(p) in (int, float):
            return bar if p == 1 else neg(bar) if p == -1 else mul(p, bar)
        if p.dtype == BOOL:
            return where(p, bar, full((), 0, bar.dtype))
        return mul_no_nan(p, bar) if self.singular else mul(p, bar)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        rank = max(x.ndim - m for x, m in zip(xs, mapped, strict=True))
        return self(*[pad_rank(x, rank + 1) if m else x for x, m in zip(xs, mapped, strict=True)])


@dataclass(frozen=True, eq=False)
class Row(Elementwise):
    """One row of the table.

    takes: NumPy kind letters of the operands it computes with (b bool, i int, u uint, f float, c complex); what is
    not taken is converted to float32 (integers) or refused. gives: "same", "bool", "real" (of a complex).
    """

    name: str
    numpy: Callable[..., Any]
    partials: tuple[Callable[..., Any] | None, ...] | NoGradient
    takes: str = "iufc"
    gives: str = "same"
    singular: bool = False  # type: ignore[misc]
    domain: tuple[float, float] = (-2.0, 2.0)
    domains: tuple[tuple[float, float], ...] = ()  # one per operand, where they differ
    doc: str = ""
    operands: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        n = self.numpy.nin if isinstance(self.numpy, np.ufunc) else len(signature(self.numpy).parameters)
        object.__setattr__(self, "operands", n)

    @property
    def label(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__

    def parameters(self) -> dict[str, Any]:
        return {}

    @property
    def no_gradient(self) -> NoGradient | None:  # type: ignore[override]
        return self.partials if isinstance(self.partials, NoGradient) else None

    def sample_domain(self, i: int) -> tuple[float, float]:
        return self.domains[i] if self.domains else self.domain

    def admit(self, arrays: list[ndarray]) -> bool:
        dtype = arrays[0].dtype
        if dtype.kind not in self.takes:
            return False
        return all(a.dtype is dtype for a in arrays) if len(arrays) > 1 else True

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        if len(xs) != self.operands:
            raise TypeError(f"{self.name} takes {self.operands} operands, got {len(xs)}")
        dtype = self.operand_dtype(xs)
        return [_converted(x, dtype, self.name) for x in xs]

    def operand_dtype(self, xs: Sequence[Operand]) -> DType:
        """The one dtype all operands are brought to."""
        common = promote(*[_weak_dtype(x, self.name) for x in xs])
        kind = common.kind
        if kind in self.takes:
            return common
        if kind == "b" and "i" in self.takes:
            return INT64
        if kind in "biu" and "f" in self.takes:
            return FLOAT32
        raise DtypeError(
            f"{self.name} does not take {common.name}",
            hint="it takes " + ", ".join(_KIND_NAMES[k] for k in self.takes),
        )

    def out_dtype(self, *dtypes: DType) -> DType:
        if self.gives == "bool":
            return BOOL
        return real_of(dtypes[0]) if self.gives == "real" else dtypes[0]

    def impl(self, *xs: ndarray) -> Any:
        return self.numpy(*xs)

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        assert not isinstance(self.partials, NoGradient)
        rule = self.partials[i]
        return None if rule is None else rule(y, *xs)


_KIND_NAMES = {"b": "bool", "i": "integers", "u": "unsigned integers", "f": "floats", "c": "complex numbers"}


def _weak_dtype(x: Operand, who: str) -> Any:
    """The dtype of a Value or array; a Python scalar answers with its (weak) Python type."""
    if isinstance(x, Value):
        return x.dtype
    return type(x) if type(x) in (bool, int, float, complex) else lift(x, who).dtype


def _converted(x: Operand, dtype: DType, who: str) -> Value:
    if isinstance(x, Value):
        return x if x.dtype == dtype else convert(x, dtype)
    if type(x) in (bool, int, float, complex):
        try:
            return Array(np.asarray(x, dtype))
        except OverflowError as error:
            raise DtypeError(f"{who}: {error}") from None
    lifted = lift(x, who)
    return lifted if lifted.dtype == dtype else convert(lifted, dtype)


# ── ops with a parameter or a rule of their own ──────────────────────────────────────────────────
@dataclass(frozen=True)
class Convert(Elementwise):
    """The same numbers in another dtype (`convert(x, dtype)` is the function for users)."""

    dtype: DType

    def out_dtype(self, *dtypes: DType) -> DType:
        if dtypes[0].kind == "c" and self.dtype.kind != "c":
            raise DtypeError(f"convert: {dtypes[0].name} does not fit in {self.dtype.name}", hint="take real(x) first")
        return self.dtype

    def impl(self, x: ndarray) -> ndarray:  # type: ignore[override]
        return x.astype(self.dtype)

    @property
    def no_gradient(self) -> NoGradient | None:  # type: ignore[override]
        return None if is_differentiable(self.dtype) else NoGradient("integers and bools carry no derivative")

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        return self(dots[0])

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        return [convert(y_bar, xs[0].dtype)]


def convert(x: Operand, dtype: DType) -> Any:
    """x in another dtype; from complex to real takes the real part."""
    x = lift(x, "convert")
    if x.dtype == dtype:
        return x
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = real(x)
    return x if x.dtype == dtype else Convert(dtype)(x)


@dataclass(frozen=True)
class Where(Elementwise):
    """`a` where the bool operand is true, else `b`. An untaken side adds no term to the gradient."""

    def admit(self, arrays: list[ndarray]) -> bool:
        return arrays[0].dtype.kind == "b" and arrays[1].dtype is arrays[2].dtype

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        condition, a, b = xs
        dtype = promote(_weak_dtype(a, "where"), _weak_dtype(b, "where"))
        condition = lift(condition, "where")
        if condition.dtype != BOOL:
            condition = not_equal(condition, 0)
        return [condition, _converted(a, dtype, "where"), _converted(b, dtype, "where")]

    def out_dtype(self, *dtypes: DType) -> DType:
        return dtypes[1]

    def impl(self, condition: ndarray, a: ndarray, b: ndarray) -> Any:  # type: ignore[override]
        return np.where(condition, a, b)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        nothing = full((), 0, y.dtype)
        a_dot, b_dot = (nothing if d is None else d for d in dots[1:])
        return expand_to(where(xs[0], a_dot, b_dot), y.shape)

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        condition, a, b = xs
        nothing = full((), 0, y.dtype)
        return [
            None,
            sum_to(where(condition, y_bar, nothing), a.shape) if wanted[1] else None,
            sum_to(where(condition, nothing, y_bar), b.shape) if wanted[2] else None,
        ]


where = Where()


# Note [Zero annihilates]
# The chain rule multiplies a partial by a (co)tangent. Where the (co)tangent is zero (an untaken `where` branch,
# a masked element) the term is zero, even if the partial is infinite: sqrt at 0, log at 0, x**y at 0. In floats
# 0 · inf is nan, so ops whose partials can be non-finite multiply with `mul_no_nan`, for which a zero on either
# side gives zero. It is bilinear wherever it is finite, and its own derivatives multiply with itself, so the
# convention holds to every order.
def _mul_no_nan(a: ndarray, b: ndarray) -> Any:
    y = np.multiply(a, b)
    return np.where((a == 0) | (b == 0), y.dtype.type(0), y)


def row(name: str, numpy: Callable[..., Any], *partials: Any, **more: Any) -> Row:
    """A row; a single NoGradient in place of partials refuses them all."""
    rules = partials[0] if len(partials) == 1 and isinstance(partials[0], NoGradient) else partials
    return Row(name, numpy, rules, **more)


def _const(k: float) -> Callable[..., float]:
    return lambda y, *xs: k


def _tie(a: Any, b: Any) -> Any:
    """1 where a > b, 1/2 where equal: a tie shares the derivative."""
    half, dtype = where(equal(a, b), 0.5, 0.0), a.dtype
    return convert(where(greater(a, b), 1.0, half), dtype)


def _signed_pow_x(y: Any, x: Any, p: Any) -> Any:  # p·x^(p-1), and 0 where p = 0
    return where(equal(p, 0), full((), 0, y.dtype), mul(p, pow_(x, sub(p, 1))))


def _pow_p(y: Any, x: Any, p: Any) -> Any:  # x^p·log x, and 0 at x = 0 for p > 0, as the limit says
    safe = where(equal(x, 0), full((), 1, y.dtype), x)
    return mul(y, log(safe))


BOOLEAN = NoGradient("a comparison gives bool")
STEP = (None,)  # piecewise constant: the derivative is zero

# ── arithmetic ───────────────────────────────────────────────────────────────────────────────────
add = row("add", np.add, _const(1), _const(1))
sub = row("sub", np.subtract, _const(1), _const(-1))
mul = row("mul", np.multiply, lambda y, a, b: b, lambda y, a, b: a)
mul_no_nan = row("mul_no_nan", _mul_no_nan, lambda y, a, b: b, lambda y, a, b: a, singular=True)
div = row(
    "div",
    np.true_divide,
    lambda y, a, b: reciprocal(b),
    lambda y, a, b: neg(div(y, b)),
    takes="fc",
    singular=True,
    domains=((-2.0, 2.0), (0.5, 2.0)),
)
pow_ = row("pow", np.power, _signed_pow_x, _pow_p, singular=True, domains=((0.3, 2.0), (-2.0, 2.0)))
neg = row("neg", np.negative, _const(-1))
abs_ = row("abs", np.abs, lambda y, x: sign(x), takes="iuf")
sign = row("sign", np.sign, *STEP, takes="iuf", domain=(0.2, 2.0))
reciprocal = row("reciprocal", np.reciprocal, lambda y, x: neg(mul(y, y)), takes="fc", singular=True, domain=(0.5, 2.0))
max_ = row("max", np.maximum, lambda y, a, b: _tie(a, b), lambda y, a, b: _tie(b, a), takes="biuf")
min_ = row("min", np.minimum, lambda y, a, b: _tie(b, a), lambda y, a, b: _tie(a, b), takes="biuf")

# ── comparisons ──────────────────────────────────────────────────────────────────────────────────
equal = row("equal", np.equal, BOOLEAN, takes="biufc", gives="bool")
not_equal = row("not_equal", np.not_equal, BOOLEAN, takes="biufc", gives="bool")
less = row("less", np.less, BOOLEAN, takes="biuf", gives="bool")
less_equal = row("less_equal", np.less_equal, BOOLEAN, takes="biuf", gives="bool")
greater = row("greater", np.greater, BOOLEAN, takes="biuf", gives="bool")
greater_equal = row("greater_equal", np.greater_equal, BOOLEAN, takes="biuf", gives="bool")

# ── exponentials, logarithms, roots, circles ─────────────────────────────────────────────────────
exp = row("exp", np.exp, lambda y, x: y, takes="fc")
log = row("log", np.log, lambda y, x: reciprocal(x), takes="fc", singular=True, domain=(0.3, 3.0))
sqrt = row("sqrt", np.sqrt, lambda y, x: div(0.5, y), takes="fc", singular=True, domain=(0.3, 3.0))
sin = row("sin", np.sin, lambda y, x: cos(x), takes="fc")
cos = row("cos", np.cos, lambda y, x: neg(sin(x)), takes="fc")
tanh = row("tanh", np.tanh, lambda y, x: sub(1, mul(y, y)), takes="fc")


# ── the parts of complex numbers: linear over the reals ──────────────────────────────────────────
real = row("real", np.real, lambda y, z: None, takes="biufc", gives="real")
