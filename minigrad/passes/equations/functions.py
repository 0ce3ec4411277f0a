"""Equations of functions, powers, choices and conversions.

Floor 4.
"""

from __future__ import annotations

import numpy as np

from minigrad.graph import Atom, Node
from minigrad.ops import bits, complex
from minigrad.ops import elementwise as e
from minigrad.ops.rows import Convert, Where
from minigrad.passes.equations.table import equation, kind, shaped
from minigrad.passes.rewrite import Sweep, uniform_const
from minigrad.types import DType


@equation("neg (neg x) -> x", e.neg)
def _neg_neg(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], e.neg)
    return inner.ins[0] if inner else None


@equation("abs (neg x) -> abs x", e.abs_)
def _abs_neg(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], e.neg) if kind(n) != "u" else None  # unsigned: neg x is 2^n - x, and abs does nothing
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
