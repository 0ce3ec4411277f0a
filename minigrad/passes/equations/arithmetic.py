"""Equations of sums, differences, products and quotients.

Floor 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.graph import Atom, Const, Node
from minigrad.ops import elementwise as e
from minigrad.passes.equations.table import equation, kind, shaped, with_uniform
from minigrad.passes.rewrite import Sweep, uniform_const


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
