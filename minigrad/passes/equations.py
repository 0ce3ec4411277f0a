"""The equations simplify uses. Each is a name that says it, the ops it starts from, and a function that matches it.

Floor 4. `exact`: both sides are equal to the bit (payloads of nan aside). `zero sign`: but for the sign of a zero.
`ulp`: up to a rounding. Left out because floats forbid them: x + 0.0 -> x (-0.0 + 0.0 is 0.0), x * 0 -> 0 (nan, inf),
x - x -> 0 (nan, inf), log(exp x) -> x (exp overflows: inf becomes finite), exp(log x) -> x (x < 0), -(a - b) -> b - a
(the sign of zero), and anything that reorders two roundings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from minigrad.graph import Atom, Const, Node
from minigrad.op import Op
from minigrad.ops import bits, complex
from minigrad.ops import elementwise as e
from minigrad.ops.movement import Concatenate, Expand, Flip, Pad, Permute, Reshape, Slice, Sum
from minigrad.ops.rows import Convert, Elementwise, Row, Where
from minigrad.passes.rewrite import Sweep, uniform_const
from minigrad.types import DType, TensorType, broadcast_shapes

Rule: TypeAlias = Callable[[Sweep, Node], "Atom | None"]
Safety: TypeAlias = Literal["exact", "zero sign", "ulp"]


@dataclass(frozen=True)
class Equation:
    """`rule(sweep, node)` gives what the node equals by this equation, or None if it does not fit."""

    name: str
    rule: Rule
    safety: Safety = "exact"


EQUATIONS: list[Equation] = []
_of_row: dict[int, list[Equation]] = {}  # by identity: rows are single objects
_of_class: dict[type, list[Equation]] = {}


def equations_of(op: Op) -> Iterator[Equation]:
    """The equations that may fit a node of this op, in the order to try them."""
    yield from _of_row.get(id(op), ())
    for cls in type(op).__mro__:
        yield from _of_class.get(cls, ())


def equation(name: str, *starts: Any, safety: Safety = "exact") -> Callable[[Rule], Rule]:
    """Put a rule in the table, under the ops (rows, or classes) it starts from."""

    def add(rule: Rule) -> Rule:
        entry = Equation(name, rule, safety)
        EQUATIONS.append(entry)
        for start in starts:
            table: Any = _of_class if isinstance(start, type) else _of_row
            table.setdefault(start if isinstance(start, type) else id(start), []).append(entry)
        return rule

    return add


# ── words the rules are written in ───────────────────────────────────────────────────────────────
def shaped(s: Sweep, a: Atom, type: TensorType) -> Atom:
    """An operand that broadcasts to the result's shape, in that shape."""
    return a if a.type.shape == type.shape else s.emit(Expand(type.shape), a)


def kind(n: Node) -> str:
    return n.out.type.dtype.kind


def with_uniform(s: Sweep, n: Node) -> Iterator[tuple[Atom, Any]]:
    """(x, c) for a commutative op, where every element of the other operand is the number c."""
    for x, other in (n.ins, n.ins[::-1]):
        c = s.uniform(other)
        if c is not None:
            yield x, c


# ── adding, multiplying ──────────────────────────────────────────────────────────────────────────
@equation("x + 0 -> x", e.add)
def _add_zero(s: Sweep, n: Node) -> Atom | None:
    for x, c in with_uniform(s, n):
        if c == 0 and (kind(n) in "iu" or (kind(n) == "f" and np.signbit(c))):  # floats: only -0.0 changes no x
            return shaped(s, x, n.out.type)
    return None


@equation("x - 0 -> x", e.sub)
def _sub_zero(s: Sweep, n: Node) -> Atom | None:
    c = s.uniform(n.ins[1])
    fits = c is not None and c == 0 and (kind(n) in "iu" or (kind(n) == "f" and not np.signbit(c)))
    return shaped(s, n.ins[0], n.out.type) if fits else None


@equation("x - x -> 0", e.sub)
def _sub_self(s: Sweep, n: Node) -> Atom | None:
    same = n.ins[0] is n.ins[1] and kind(n) in "iu"  # floats: inf - inf is nan
    return uniform_const(s, 0, n.out.type) if same else None


@equation("x + neg y -> x - y", e.add)
def _add_neg(s: Sweep, n: Node) -> Atom | None:
    for x, y in (n.ins, n.ins[::-1]):
        negated = s.maker(y, e.neg)
        if negated:
            return s.emit(e.sub, x, negated.ins[0])
    return None


@equation("x - neg y -> x + y", e.sub)
def _sub_neg(s: Sweep, n: Node) -> Atom | None:
    negated = s.maker(n.ins[1], e.neg)
    return s.emit(e.add, n.ins[0], negated.ins[0]) if negated else None


@equation("x * 1 -> x", e.mul)
def _mul_one(s: Sweep, n: Node) -> Atom | None:
    if kind(n) != "c":  # complex: inf * (1 + 0i) has a nan
        for x, c in with_uniform(s, n):
            if c == 1:
                return shaped(s, x, n.out.type)
    return None


@equation("x * -1 -> neg x", e.mul)
def _mul_minus_one(s: Sweep, n: Node) -> Atom | None:
    if kind(n) in "if":
        for x, c in with_uniform(s, n):
            if c == -1:
                return shaped(s, s.emit(e.neg, x), n.out.type)
    return None


@equation("x * 0 -> 0", e.mul)
def _mul_zero(s: Sweep, n: Node) -> Atom | None:
    zero = kind(n) in "iu" and any(c == 0 for _, c in with_uniform(s, n))  # floats: nan and inf stay nan
    return uniform_const(s, 0, n.out.type) if zero else None


@equation("neg x * neg y -> x * y", e.mul, e.div)
def _mul_negs(s: Sweep, n: Node) -> Atom | None:
    x, y = (s.maker(a, e.neg) for a in n.ins)
    return s.emit(n.op, x.ins[0], y.ins[0]) if x and y and kind(n) != "c" else None


@equation("x / 1 -> x", e.div)
def _div_one(s: Sweep, n: Node) -> Atom | None:
    c = s.uniform(n.ins[1])
    return shaped(s, n.ins[0], n.out.type) if c is not None and c == 1 and kind(n) == "f" else None


@equation("x / 2^k -> x * 2^-k", e.div)
def _div_power(s: Sweep, n: Node) -> Atom | None:
    c = s.uniform(n.ins[1])
    if c is None or kind(n) != "f" or abs(np.frexp(c)[0]) != 0.5:
        return None
    sign, power, limits = np.sign(c), 1 - int(np.frexp(c)[1]), np.finfo(c.dtype)  # 1/c = sign · 2^power
    # with a normal inverse both sides round the same real number
    if not limits.minexp <= power < limits.maxexp:
        return None
    inverse = np.ldexp(sign, power)
    return s.emit(e.mul, n.ins[0], uniform_const(s, inverse, n.ins[1].type))


@equation("mul_no_nan(x, c) -> x * c", e.mul_no_nan, safety="zero sign")
def _mul_no_nan(s: Sweep, n: Node) -> Atom | None:
    # with a finite c without zeros, 0 · c = 0 whatever the other operand's zero; an infinite x stays infinite
    for a in n.ins:
        value: Any = s.uniform(a)
        if value is None and isinstance(a, Const):
            value = a.array
        if value is not None and np.all((value != 0) & np.isfinite(value)):
            return s.emit(e.mul, *n.ins)
    return None


# ── one operand, powers, choices ─────────────────────────────────────────────────────────────────
@equation("neg (neg x) -> x", e.neg)
def _neg_neg(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], e.neg)
    return inner.ins[0] if inner else None


@equation("abs (neg x) -> abs x", e.abs_)
def _abs_neg(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], e.neg)
    return s.emit(e.abs_, inner.ins[0]) if inner else None


@equation("abs (abs x) -> abs x", e.abs_)
def _abs_abs(s: Sweep, n: Node) -> Atom | None:
    # abs of the smallest integer is itself
    return n.ins[0] if s.maker(n.ins[0], e.abs_) else None


@equation("real x -> x", complex.real, complex.conj)
def _real(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if n.ins[0].type.dtype.kind != "c" else None


@equation("conj (conj x) -> x", complex.conj)
@equation("not (not x) -> x", bits.not_)
def _undone(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], n.op)
    return inner.ins[0] if inner else None


@equation("pow(x, 0) -> 1", e.pow_)
def _pow_zero(s: Sweep, n: Node) -> Atom | None:
    c = s.uniform(n.ins[1])  # IEEE 754: pow(x, 0) is 1 for every x, nan too
    return uniform_const(s, 1, n.out.type) if c is not None and c == 0 and kind(n) in "iuf" else None


@equation("pow(x, 1) -> x", e.pow_)
def _pow_one(s: Sweep, n: Node) -> Atom | None:
    c = s.uniform(n.ins[1])
    return shaped(s, n.ins[0], n.out.type) if c is not None and c == 1 and kind(n) in "iuf" else None


@equation("pow(x, 2) -> x * x", e.pow_, safety="ulp")
def _pow_two(s: Sweep, n: Node) -> Atom | None:
    c = s.uniform(n.ins[1])
    if c is None or c != 2 or kind(n) not in "iuf":
        return None
    return shaped(s, s.emit(e.mul, n.ins[0], n.ins[0]), n.out.type)


@equation("max(x, x) -> x", e.max_)
@equation("min(x, x) -> x", e.min_)
@equation("x & x -> x", bits.and_)
@equation("x | x -> x", bits.or_)
def _itself(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if n.ins[0] is n.ins[1] else None


@equation("where(constant, a, b) -> a or b", Where)
def _where_constant(s: Sweep, n: Node) -> Atom | None:
    c = s.uniform(n.ins[0])
    return None if c is None else shaped(s, n.ins[1 if c else 2], n.out.type)


@equation("where(c, a, a) -> a", Where)
def _where_same(s: Sweep, n: Node) -> Atom | None:
    return shaped(s, n.ins[1], n.out.type) if n.ins[1] is n.ins[2] else None


# ── dtypes ───────────────────────────────────────────────────────────────────────────────────────
@equation("convert(x, its dtype) -> x", Convert)
def _convert_same(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if n.ins[0].type.dtype == n.out.type.dtype else None


@equation("convert(convert(x, b), c) -> convert(x, c)", Convert)
def _convert_twice(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], Convert)
    if not inner:
        return None
    x, c = inner.ins[0], n.out.type.dtype
    # the middle dtype must lose nothing; float to integer out of range is not defined: its bits may differ by way
    wild = x.type.dtype.kind == "f" and c.kind in "iu"
    return s.emit(Convert(c), x) if holds(x.type.dtype, inner.out.type.dtype) and not wild else None


_DIGITS = {"float32": 24, "complex64": 24, "float64": 53, "complex128": 53}


def holds(a: DType, b: DType) -> bool:
    """Does b hold every value of a exactly? (NumPy's "safe" casting lets int64 lose digits in float64.)"""
    if a.kind in "iu" and b.kind in "fc":
        return a.itemsize * 8 - (a.kind == "i") <= _DIGITS[b.name]
    return np.can_cast(a, b, "safe")


# ── movement ─────────────────────────────────────────────────────────────────────────────────────
@equation("reshape(x, its shape) -> x", Reshape)
@equation("expand(x, its shape) -> x", Expand)
def _same_shape(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if n.ins[0].type.shape == n.out.type.shape else None


@equation("reshape(reshape x) -> reshape x", Reshape)
@equation("expand(expand x) -> expand x", Expand)
def _move_twice(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], type(n.op))
    return s.emit(n.op, inner.ins[0]) if inner else None


@equation("permute(x, in order) -> x", Permute)
def _permute_nothing(s: Sweep, n: Node) -> Atom | None:
    order = n.op.order  # type: ignore[attr-defined]
    return n.ins[0] if order == tuple(range(len(order))) else None


@equation("permute(permute x) -> permute x", Permute)
def _permute_twice(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], Permute)
    if not inner:
        return None
    first, then = inner.op.order, n.op.order  # type: ignore[attr-defined]
    return s.emit(Permute(tuple(first[k] for k in then)), inner.ins[0])


@equation("x[:] -> x", Slice)
def _slice_everything(s: Sweep, n: Node) -> Atom | None:
    x, op = n.ins[0], n.op
    whole = op.starts == (0,) * x.type.ndim and op.stops == x.type.shape  # type: ignore[attr-defined]
    return x if whole and x.type == n.out.type else None


@equation("pad(x, nothing) -> x", Pad)
def _pad_nothing(s: Sweep, n: Node) -> Atom | None:
    op: Any = n.op
    return n.ins[0] if all(k == 0 for k in (*op.low, *op.high, *op.interior)) else None


@equation("flip(x, axes of size 1) -> x", Flip)
def _flip_nothing(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if all(n.out.type.shape[a] == 1 for a in n.op.axes) else None  # type: ignore[attr-defined]


@equation("flip(flip x) -> x", Flip)
def _flip_twice(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], Flip)
    return inner.ins[0] if inner and set(inner.op.axes) == set(n.op.axes) else None  # type: ignore[attr-defined]


@equation("concatenate(x) -> x", Concatenate)
def _concatenate_one(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if len(n.ins) == 1 else None


# ── sums ─────────────────────────────────────────────────────────────────────────────────────────
@equation("sum(x, axes of size 1) -> reshape x", Sum, safety="zero sign")
def _sum_nothing(s: Sweep, n: Node) -> Atom | None:
    x = n.ins[0]
    trivial = all(x.type.shape[a] == 1 for a in n.op.axes)  # type: ignore[attr-defined]
    return s.emit(Reshape(n.out.type.shape), x) if trivial else None  # NumPy's sum of -0.0 alone is 0.0


@equation("sum(expand x) -> x * count", Sum, safety="ulp")
def _sum_expand(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], Expand)
    if not inner:
        return None
    x, big, axes = inner.ins[0], n.ins[0].type.shape, n.op.axes  # type: ignore[attr-defined]
    lead = len(big) - x.type.ndim
    sizes = [big[a] for a in axes]
    repeated = all(a < lead or x.type.shape[a - lead] == 1 for a in axes)
    if not repeated or not all(isinstance(k, int) for k in sizes):
        return None
    # the summed axes go from x, the others stay repeated; no more nodes than the two this replaces
    small = tuple(k for d, k in enumerate(x.type.shape) if d + lead not in axes)
    moves = (small != x.type.shape) + (small != n.out.type.shape)
    if moves > int(s.read_once(n.ins[0])):
        return None
    count = Const(np.asarray(np.prod(sizes, dtype=np.int64)).astype(x.type.dtype))
    reduced = x if small == x.type.shape else s.emit(Reshape(small), x)
    return shaped(s, s.emit(e.mul, reduced, count), n.out.type)


# ── broadcasting: elementwise ops repeat their operands themselves ───────────────────────────────
@equation("f(expand x, y) -> f(x, y)", Elementwise)
def _bare_operands(s: Sweep, n: Node) -> Atom | None:
    if len(n.ins) < 2:
        return None
    shape = n.out.type.shape
    ins = list(n.ins)
    for i, a in enumerate(ins):
        bare = bare_operand(s, a)
        if bare is not a:
            rest = [b.type.shape for k, b in enumerate(ins) if k != i]
            if broadcast_shapes("simplify", bare.type.shape, *rest) == shape:
                ins[i] = bare
    return None if all(map(lambda a, b: a is b, ins, n.ins)) else s.emit(n.op, *ins)


@equation("f(expand x) -> expand(f x)", Row, Convert)
def _expand_later(s: Sweep, n: Node) -> Atom | None:
    bare = [bare_operand(s, a) for a in n.ins]
    shapes = [b.type.shape for b in bare]
    pays = any(s.maker(a, Expand) and s.read_once(a) for a in n.ins)  # else this would add a node
    if not pays or (len(shapes) > 1 and broadcast_shapes("simplify", *shapes) == n.out.type.shape):
        return None
    return s.emit(Expand(n.out.type.shape), s.emit(n.op, *bare))


def bare_operand(s: Sweep, a: Atom) -> Atom:
    """An operand before it was expanded; a constant of equal elements as a scalar."""
    inner = s.maker(a, Expand)
    if inner:
        return inner.ins[0]
    if isinstance(a, Const) and a.type.shape != ():
        c = s.uniform(a)
        return a if c is None else Const(np.asarray(c))
    return a
