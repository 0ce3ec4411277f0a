"""The elementwise kind: what one row of the table says, and every rule that follows from it.

Floor 2. A row gives the NumPy function, the partial derivatives as ops of (y, *xs), the dtypes it takes and
where to sample it. Type, broadcasting, forward, reverse, batching, tests and documentation follow from the row.
The rows themselves stand in elementwise.py, complex.py, bits.py and special.py; here are only those the rules
of the kind are written in. `table.py` lists them all by name, with the derivatives chosen at the kinks.

A partial may be a Python number, a tensor, or a *bool* tensor, which selects: where it is false the term is zero
whatever the (co)tangent. `None` is the constant zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from inspect import signature
from math import isnan
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, DtypeError
from minigrad.frozen import dataclass
from minigrad.op import NoGradient, Op, Operand, Value, lift, ndarray, registry
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.movement import expand_to, full, pad_rank, sum_to
from minigrad.ops.weak import JOINS, plain_dtype, weak_dtype, weak_scalar
from minigrad.types import (
    BOOL,
    COMPLEX128,
    FLOAT32,
    FLOAT64,
    INT64,
    DType,
    TensorType,
    broadcast_shapes,
    complex_of,
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
        first = types[0]
        dtype = self.out_dtype(*[t.dtype for t in types])
        shape = broadcast_shapes(self.label, *[t.shape for t in types])
        return first if shape is first.shape and dtype is first.dtype else TensorType(shape, dtype)

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no partial()")

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
        if p is None:
            return None
        if type(p) in (int, float):
            return bar if p == 1 else neg(bar) if p == -1 else mul(p, bar)
        if p.dtype == BOOL:
            return where(p, bar, full((), 0, bar.dtype))
        return mul_no_nan(p, bar) if self.singular else mul(p, bar)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        rank = max(x.ndim - m for x, m in zip(xs, mapped, strict=True))
        return self(*[pad_rank(x, rank + 1) if m else x for x, m in zip(xs, mapped, strict=True)])


KIND_NAMES = {"b": "bool", "i": "integers", "u": "unsigned integers", "f": "floats", "c": "complex numbers"}


@dataclass(frozen=True, eq=False)
class Row(Elementwise, listed=False):
    """One row of the table.

    takes: NumPy kind letters of the operands it computes with (b bool, i int, u uint, f float, c complex); what is
    not taken is converted to float32 (integers) or refused. gives: "same", "bool", or of the same width "real" or
    "complex". instead: why operands of a common dtype are refused all the same, and what to write; None where not.
    """

    name: str
    numpy: Callable[..., Any]
    partials: tuple[Callable[..., Any] | None, ...] | NoGradient
    takes: str = "iufc"
    gives: str = "same"
    singular: bool = False  # type: ignore[misc]
    domain: tuple[float, float] = (-2.0, 2.0)
    domains: tuple[tuple[float, float], ...] = ()  # one per operand, where they differ
    instead: Callable[[DType, Sequence[Operand]], tuple[str, str] | None] | None = None
    operands: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        n = self.numpy.nin if isinstance(self.numpy, np.ufunc) else len(signature(self.numpy).parameters)
        object.__setattr__(self, "operands", n)
        object.__setattr__(self, "weak", n == 2 and "f" in self.takes)
        object.__setattr__(self, "impl", self.numpy)  # no method in between: a tenth of an eager op's time
        registry[self.name] = self

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
        if dtype is not arrays[-1].dtype or dtype.kind not in self.takes or len(arrays) != self.operands:
            return False
        return len(arrays) < 3 or all(a.dtype is dtype for a in arrays)

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        if len(xs) != self.operands:
            given = f"{self.operands} operand{'s' * (self.operands != 1)}"
            raise ArgumentError(f"{self.name} takes {given}, got {len(xs)}")
        dtype = self.operand_dtype(plain_dtype(xs) or promote(*[weak_dtype(x, self.name) for x in xs]), xs)
        return [converted(x, dtype, self.name) for x in xs]

    def operand_dtype(self, common: DType, xs: Sequence[Operand]) -> DType:
        """The one dtype all operands are brought to."""
        refusal = self.instead(common, xs) if self.instead else None
        if refusal:
            raise DtypeError(f"{self.name} {refusal[0]}", hint=refusal[1])
        kind = common.kind
        if kind in self.takes:
            return common
        if kind == "b" and "i" in self.takes:
            return INT64
        if kind in "biu" and "f" in self.takes:
            return FLOAT32
        raise DtypeError(
            f"{self.name} does not take {common.name}",
            hint="it takes " + ", ".join(KIND_NAMES[k] for k in self.takes),
        )

    def out_dtype(self, *dtypes: DType) -> DType:
        match self.gives:
            case "same":
                return dtypes[0]
            case "bool":
                return BOOL
            case "real":
                return real_of(dtypes[0])
            case _:
                return complex_of(dtypes[0])

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        assert not isinstance(self.partials, NoGradient)
        rule = self.partials[i]
        return None if rule is None else rule(y, *xs)


class LinearRow(Row, listed=False):
    """Linear over the reals, but no multiplication by a number: in place of partials stand transposes (ȳ, *xs) ↦ x̄.

    Cotangents pair as Re(ȳ·ẏ), without a conjugation: a linear map is transposed, not adjoined. This is JAX's
    convention; for f: C → R the gradient is then ∂f/∂Re z − i ∂f/∂Im z.
    """

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        moved = [full((), 0, x.dtype) if d is None else d for x, d in zip(xs, dots, strict=True)]
        return expand_to(self(*moved), y.shape)

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        assert isinstance(self.partials, tuple)
        bars = [t(y_bar, *xs) if t and w else None for t, w in zip(self.partials, wanted, strict=True)]
        return [None if b is None else sum_to(b, x.shape) for b, x in zip(bars, xs, strict=True)]


def converted(x: Operand, dtype: DType, who: str) -> Value:
    """An operand as a Value of this dtype."""
    if isinstance(x, Value):
        return x if x.dtype is dtype else convert(x, dtype)
    if type(x) in JOINS:
        return weak_scalar(x, dtype, who)
    return convert(lift(x, who), dtype)  # type: ignore[no-any-return]


# ── ops with a parameter or a rule of their own ──────────────────────────────────────────────────
@dataclass(frozen=True)
class Convert(Elementwise):
    """The same numbers in another dtype; from complex to real the real part (`convert` is the function for users)."""

    dtype: DType

    def out_dtype(self, *dtypes: DType) -> DType:
        return self.dtype

    def impl(self, x: ndarray) -> ndarray:
        return (x.real if x.dtype.kind == "c" and self.dtype.kind in "iuf" else x).astype(self.dtype)

    @property
    def no_gradient(self) -> NoGradient | None:  # type: ignore[override]
        return None if is_differentiable(self.dtype) else NoGradient("integers and bools carry no derivative")

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        return self(dots[0])

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        return [convert(y_bar, xs[0].dtype)]

    @classmethod
    def samples(cls) -> Samples:
        for shape, before, after in [((2,), "float64", FLOAT64), ((), "float64", FLOAT32), ((0, 2), "int64", FLOAT64)]:
            yield cls(after), (Draw(shape, before),)
        yield cls(FLOAT64), (Draw((3,), "complex128"),)
        yield cls(COMPLEX128), (Draw((3,), "float64"),)
        yield cls(INT64), (Draw((3,), "float64"),)
        yield cls(BOOL), (Draw((3,), "int64", (-1, 1)),)


def convert(x: Operand, dtype: DType) -> Any:
    """x in another dtype; from complex to real the real part."""
    x = lift(x, "convert")
    return x if x.dtype == dtype else Convert(dtype)(x)


@dataclass(frozen=True)
class Where(Elementwise):
    """`a` where the bool operand is true, else `b`. An untaken side adds no term to the gradient."""

    def admit(self, arrays: list[ndarray]) -> bool:
        return len(arrays) == 3 and arrays[0].dtype.kind == "b" and arrays[1].dtype is arrays[2].dtype

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        if len(xs) != 3:
            raise ArgumentError(f"where takes a condition and two operands, got {len(xs)} arguments")
        condition, a, b = xs
        dtype = plain_dtype((a, b)) or promote(weak_dtype(a, "where"), weak_dtype(b, "where"))
        condition = lift(condition, "where")
        if condition.dtype != BOOL:
            condition = convert(condition, BOOL)
        return [condition, converted(a, dtype, "where"), converted(b, dtype, "where")]

    def out_dtype(self, *dtypes: DType) -> DType:
        return dtypes[1]

    def impl(self, condition: ndarray, a: ndarray, b: ndarray) -> Any:
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

    @classmethod
    def samples(cls) -> Samples:
        for condition, a, b in [
            ((), (), ()),
            ((3,), (3,), (3,)),
            ((2, 1), (3,), ()),
            ((3,), (2, 1), (2, 3)),
            ((0,), (0,), ()),
        ]:
            yield cls(), (Draw(condition, "bool"), Draw(a), Draw(b))
        yield cls(), (Draw((3,), "bool"), Draw((3,), "complex128"), Draw((), "complex128"))


where = Where()


def row(name: str, numpy: Callable[..., Any], *partials: Any, **more: Any) -> Row:
    """A row; a single NoGradient in place of partials refuses them all."""
    rules = partials[0] if len(partials) == 1 and isinstance(partials[0], NoGradient) else partials
    return Row(name, numpy, rules, **more)


def const(k: float) -> Callable[..., float]:
    """The partial that is the same number everywhere."""
    return lambda y, *xs: k


# ── the rows the rules above are written in ──────────────────────────────────────────────────────
# Note [Zero annihilates]
# The chain rule multiplies a partial by a (co)tangent. Where the (co)tangent is zero (an untaken `where` branch,
# a masked element) the term is zero, even if the partial is infinite: sqrt at 0, log at 0, x**y at 0. In floats
# 0 · inf is nan, so ops whose partials can be non-finite multiply with `mul_no_nan`, for which a zero on either
# side gives zero. It is bilinear wherever it is finite, and its own derivatives multiply with itself, so the
# convention holds to every order.
def _mul_no_nan(a: ndarray, b: ndarray) -> Any:
    y = np.multiply(a, b)
    flat = y.ravel()
    # The sum of squares is nan only if an element is: one quick pass finds out that there is nothing to mend.
    return np.where((a == 0) | (b == 0), y.dtype.type(0), y) if isnan(abs(flat.dot(flat))) else y


def not_of_bools(instead: str) -> Callable[..., tuple[str, str] | None]:
    """Bools are added and multiplied as NumPy does, by `or` and `and`; what would make other numbers of them is not."""
    return lambda common, xs: ("does not take bool", instead) if common == BOOL else None


add = row("add", np.add, const(1), const(1), takes="biufc")
mul = row("mul", np.multiply, lambda y, a, b: b, lambda y, a, b: a, takes="biufc")
mul_no_nan = row("mul_no_nan", _mul_no_nan, lambda y, a, b: b, lambda y, a, b: a, singular=True, takes="fc")
neg = row(
    "neg",
    np.negative,
    const(-1),
    instead=not_of_bools("use ~x or logical_not(x), or convert to numbers first"),
)
