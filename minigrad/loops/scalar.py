"""Scalars: what is computed for one element, as data in a small vocabulary that every printer knows.

Floor 4. A `Scalar` is an operation on other scalars. Python's operators build them, so the elementary functions in
`functions.py` read like formulas. Equal scalars are not merged here: the compiler behind the printer does that.

The vocabulary (`op`):
    const load accumulator              leaves: a number, an element of a buffer, what a reduction has come to
    index                               an affine sum of loop counters, as int64
    add sub mul div neg                 integers wrap
    fma muladd                          a·b + c, rounded once; rounded as is quickest
    floor_div rem                       integers only, rounding to zero; never by 0 or −1 (bodies take care)
    min max                             floats: NaN wins; integers; bools
    floor ceil trunc rint sqrt abs copysign
    eq ne lt le gt ge                   floats: false with NaN (ne: true); they give bool
    and or xor not shl shr              integers and bools; shr keeps the sign of signed integers
    select convert bitcast
    rarely                              select(condition, other, usual): compiled, `other` is left out where it can be
    call                                a function of C's mathematical library, by name: fmod
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from minigrad.loops.index import Affine
from minigrad.types import BOOL, INT64, LONG, SHORT, DType

Number: TypeAlias = "Scalar | int | float | bool"
_serial = count()
_NONE: Mapping[int, Any] = MappingProxyType({})
INTEGER_OF = {LONG["f32"]: LONG["i32"], LONG["f64"]: LONG["i64"]}


class Scalar:
    """One scalar operation. `what` is its parameter: the number of a const, a name, (buffer, address) of a load.

    A load from a place that is data has operands: positions, whose strides are the third item of `what`.
    """

    __slots__ = ("args", "dtype", "op", "serial", "what")

    def __init__(self, op: str, args: tuple[Scalar, ...], dtype: DType, what: Any = None) -> None:
        self.op, self.args, self.dtype, self.what = op, args, dtype, what
        self.serial = next(_serial)  # operands are older than what is made of them

    def const(self, x: Any) -> Scalar:
        """A number of this scalar's dtype."""
        return const(x, self.dtype)

    def _with(self, op: str, other: Number) -> Scalar:
        return Scalar(op, (self, as_scalar(other, self.dtype)), self.dtype)

    def _compare(self, op: str, other: Number) -> Scalar:
        return Scalar(op, (self, as_scalar(other, self.dtype)), BOOL)

    def __add__(self, other: Number) -> Scalar:
        return self._with("add", other)

    def __radd__(self, other: Number) -> Scalar:
        return as_scalar(other, self.dtype)._with("add", self)

    def __sub__(self, other: Number) -> Scalar:
        return self._with("sub", other)

    def __rsub__(self, other: Number) -> Scalar:
        return as_scalar(other, self.dtype)._with("sub", self)

    def __mul__(self, other: Number) -> Scalar:
        return self._with("mul", other)

    def __rmul__(self, other: Number) -> Scalar:
        return as_scalar(other, self.dtype)._with("mul", self)

    def __truediv__(self, other: Number) -> Scalar:
        return self._with("div", other)

    def __rtruediv__(self, other: Number) -> Scalar:
        return as_scalar(other, self.dtype)._with("div", self)

    def __and__(self, other: Number) -> Scalar:
        return self._with("and", other)

    def __or__(self, other: Number) -> Scalar:
        return self._with("or", other)

    def __xor__(self, other: Number) -> Scalar:
        return self._with("xor", other)

    def __lshift__(self, other: Number) -> Scalar:
        return self._with("shl", other)

    def __rshift__(self, other: Number) -> Scalar:
        return self._with("shr", other)

    def __neg__(self) -> Scalar:
        return Scalar("neg", (self,), self.dtype)

    def __invert__(self) -> Scalar:
        return Scalar("not", (self,), self.dtype)

    def __lt__(self, other: Number) -> Scalar:
        return self._compare("lt", other)

    def __le__(self, other: Number) -> Scalar:
        return self._compare("le", other)

    def __gt__(self, other: Number) -> Scalar:
        return self._compare("gt", other)

    def __ge__(self, other: Number) -> Scalar:
        return self._compare("ge", other)

    def eq(self, other: Number) -> Scalar:
        return self._compare("eq", other)

    def ne(self, other: Number) -> Scalar:
        return self._compare("ne", other)


def const(x: Any, dtype: DType) -> Scalar:
    return Scalar("const", (), dtype, dtype.type(x))


def as_scalar(x: Number, dtype: DType) -> Scalar:
    return x if isinstance(x, Scalar) else const(x, dtype)


def load(buffer: int, address: Affine, dtype: DType) -> Scalar:
    return Scalar("load", (), dtype, (buffer, address))


def index(of: Affine) -> Scalar:
    return Scalar("index", (), INT64, of)


def unary(op: str, x: Scalar) -> Scalar:
    return Scalar(op, (x,), x.dtype)


def binary(op: str, a: Scalar, b: Number) -> Scalar:
    return Scalar(op, (a, as_scalar(b, a.dtype)), a.dtype)


def fma(a: Scalar, b: Number, c: Number) -> Scalar:
    return Scalar("fma", (a, as_scalar(b, a.dtype), as_scalar(c, a.dtype)), a.dtype)


def select(condition: Scalar, a: Number, b: Number) -> Scalar:
    dtype = a.dtype if isinstance(a, Scalar) else b.dtype  # type: ignore[union-attr]
    return Scalar("select", (condition, as_scalar(a, dtype), as_scalar(b, dtype)), dtype)


def convert(x: Scalar, dtype: DType) -> Scalar:
    return x if x.dtype == dtype else Scalar("convert", (x,), dtype)


def bitcast(x: Scalar, dtype: DType) -> Scalar:
    return x if x.dtype == dtype else Scalar("bitcast", (x,), dtype)


def call(name: str, *xs: Scalar) -> Scalar:
    """A function of C's mathematical library, by its name for doubles."""
    return Scalar("call", xs, xs[0].dtype, name)


def rarely(condition: Scalar, usual: Scalar, other: Scalar) -> Scalar:
    """`other` where the condition holds, which is seldom: it is computed only if it does for one of some neighbours."""
    return Scalar("rarely", (condition, usual, other), usual.dtype)


def needed(roots: Iterable[Scalar], known: Container[int] = (), always: bool = False) -> list[Scalar]:
    """Everything these are made of, operands first; what is known (by serial), and what only that needs, left out.
    `always`: so is what is only rarely needed."""
    found: dict[int, Scalar] = {}
    waiting = list(roots)
    while waiting:
        x = waiting.pop()
        if x.serial not in found and x.serial not in known:
            found[x.serial] = x
            waiting += x.args[:2] if always and x.op == "rarely" else x.args
    return [found[k] for k in sorted(found)]


def place(x: Scalar) -> Affine:
    """Where a load or an index is."""
    found: Affine = x.what if x.op == "index" else x.what[1]
    return found


def put(x: Scalar, at: Affine) -> Any:
    """`what` of a load or an index at another place."""
    return at if x.op == "index" else (x.what[0], at, *x.what[2:])


def moved(x: Scalar, move: Callable[[Affine], Affine], instead: Mapping[int, Scalar] = _NONE) -> Scalar:
    """The scalar with everything in it taken from another place; `instead`: others for some, by serial."""
    new = dict(instead)
    for s in needed([x], instead):
        what = put(s, move(place(s))) if s.op in ("load", "index") else s.what
        new[s.serial] = Scalar(s.op, tuple([new[a.serial] for a in s.args]), s.dtype, what)
    return new[x.serial]


def show(x: Scalar, depth: int = 4) -> str:
    """A scalar as text, for people."""
    if x.op == "const":
        return str(np.asarray(x.what))
    if x.op == "load":
        return f"b{x.what[0]}[{x.what[1]}]"
    if x.op == "index":
        return str(x.what)
    inner = ", ".join(show(a, depth - 1) for a in x.args) if depth else "…"
    name = x.what if x.op == "call" else f"{x.op}.{SHORT[x.dtype]}" if x.op == "convert" else x.op
    return f"{name}({inner})"
