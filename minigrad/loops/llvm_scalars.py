"""Scalars printed as LLVM IR, one at a time or as vectors of so many lanes.

Floor 4. A vector is spelled by its type alone: the instructions are the same. A bool is one byte in memory and one bit
in a register. Only reductions may be reassociated: everything else keeps the order and the roundings it was written
with, so NaN, infinities and signed zeros come out as they should.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from minigrad.loops.scalar import Scalar
from minigrad.types import BOOL, LONG, DType

_INTRINSICS = {
    "fma": "fma", "muladd": "fmuladd", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint",
    "sqrt": "sqrt", "abs": "fabs", "copysign": "copysign",
}  # fmt: skip
_FLOAT = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTEGER = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor", "shl": "shl"}
_SIGNED = {"floor_div": "sdiv", "rem": "srem", "shr": "ashr"}
_UNSIGNED = {"floor_div": "udiv", "rem": "urem", "shr": "lshr"}
_PURE = "nounwind willreturn memory(none)"  # nothing reads errno


def register(dtype: DType, lanes: int = 1) -> str:
    """The LLVM type of a scalar, or of so many."""
    if dtype.kind == "f":
        t = "float" if dtype.itemsize == 4 else "double"
    else:
        t = "i1" if dtype.kind == "b" else f"i{dtype.itemsize * 8}"
    return _wide(t, lanes)


def memory(dtype: DType, lanes: int = 1) -> str:
    """The LLVM type of an element of a buffer, or of so many."""
    return _wide("i8", lanes) if dtype.kind == "b" else register(dtype, lanes)


def _wide(t: str, lanes: int) -> str:
    return t if lanes == 1 else f"<{lanes} x {t}>"


def overload(t: str) -> str:
    """How the name of an intrinsic spells a type: <16 x float> is v16f32."""
    if t.startswith("<"):
        count, _, element = t[1:-1].partition(" x ")
        return f"v{count}{overload(element)}"
    return {"float": "f32", "double": "f64"}.get(t, t)


def literal(x: Any, dtype: DType, lanes: int = 1) -> str:
    if dtype.kind == "f":
        one = "0x" + struct.pack(">d", float(x)).hex().upper()  # LLVM writes floats as the double they equal
    else:
        one = ("true" if x else "false") if dtype.kind == "b" else str(int(x))
    return one if lanes == 1 else f"splat ({register(dtype)} {one})"


@dataclass
class Module:
    """What stands around the functions: declarations, each once. `vector`: the bytes of the machine's vectors."""

    vector: int
    declarations: dict[str, str] = field(default_factory=dict)

    def intrinsic(self, name: str, t: str, operands: int) -> str:
        full = f"@llvm.{name}.{overload(t)}"
        self.declarations[full] = f"declare {t} {full}({', '.join([t] * operands)})"
        return full

    def library(self, name: str, dtype: DType, operands: int) -> str:
        t = register(dtype)
        full = f"@{name}{'f' if t == 'float' else ''}"
        self.declarations[full] = f"declare {t} {full}({', '.join([t] * operands)}) {_PURE}"
        return full


class Scalars:
    """Lines being written, of `lanes` scalars each."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self.count, self.lanes = 0, 1
        self.known: dict[Any, str] = {}  # the scalars already computed here or in a block around, by serial

    def emit(self, text: str) -> str:
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def type(self, dtype: DType) -> str:
        return register(dtype, self.lanes)

    def literal(self, x: Any, dtype: DType) -> str:
        return literal(x, dtype, self.lanes)

    def compute(self, x: Scalar) -> str:
        """A scalar whose operands are known."""
        args, t = [self.known[a.serial] for a in x.args], self.type(x.dtype)
        match x.op:
            case "neg":
                zero = self.literal(0, x.dtype)
                return self.emit(f"fneg {t} {args[0]}" if x.dtype.kind == "f" else f"sub {t} {zero}, {args[0]}")
            case "not":
                return self.emit(f"xor {t} {args[0]}, {self.literal(-1, x.dtype)}")
            case "select":
                return self.emit(f"select {self.type(x.args[0].dtype)} {args[0]}, {t} {args[1]}, {t} {args[2]}")
            case "bitcast":
                old = self.type(x.args[0].dtype)
                return args[0] if old == t else self.emit(f"bitcast {old} {args[0]} to {t}")
            case "convert":
                return self.convert(args[0], x.args[0].dtype, x.dtype)
            case "eq" | "ne" | "lt" | "le" | "gt" | "ge":
                return self.compare(x.op, args, x.args[0].dtype)
            case "call":
                return self.one_by_one(self.module.library(x.what, x.dtype, len(args)), args, register(x.dtype))
        if x.op in _INTRINSICS:
            return self.call(self.module.intrinsic(_INTRINSICS[x.op], t, len(args)), args, t)
        return self.binary(x.op, args[0], args[1], x.dtype)

    def call(self, name: str, args: list[str], t: str, flags: str = "") -> str:
        return self.emit(f"call {flags}{t} {name}({', '.join(f'{t} {a}' for a in args)})")

    def one_by_one(self, name: str, args: list[str], one: str) -> str:
        """A function of scalars, for each lane."""
        if self.lanes == 1:
            return self.call(name, args, one)
        t = _wide(one, self.lanes)
        result = "poison"
        for k in range(self.lanes):
            y = self.call(name, [self.emit(f"extractelement {t} {a}, i64 {k}") for a in args], one)
            result = self.emit(f"insertelement {t} {result}, {one} {y}, i64 {k}")
        return result

    def binary(self, op: str, a: str, b: str, dtype: DType, reassociate: bool = False) -> str:
        t, kind = self.type(dtype), dtype.kind
        if op in ("min", "max"):
            if kind == "b":
                return self.emit(f"{'or' if op == 'max' else 'and'} {t} {a}, {b}")
            name = f"{op}imum" if kind == "f" else f"{'u' if kind == 'u' else 's'}{op}"
            flags = "nsz " if reassociate and kind == "f" else ""  # which of two zeros is a matter of order too
            return self.call(self.module.intrinsic(name, t, 2), [a, b], t, flags)
        if kind == "f":
            return self.emit(f"{_FLOAT[op]}{' reassoc' if reassociate else ''} {t} {a}, {b}")
        if kind == "b" and op == "add":
            op = "or"
        table = _INTEGER if op in _INTEGER else _UNSIGNED if kind in "bu" else _SIGNED
        return self.emit(f"{table[op]} {t} {a}, {b}")

    def compare(self, op: str, args: list[str], dtype: DType) -> str:
        t, kind = self.type(dtype), dtype.kind
        if kind == "f":
            return self.emit(f"fcmp {'une' if op == 'ne' else 'o' + op} {t} {args[0]}, {args[1]}")
        sign = "" if op in ("eq", "ne") else "s" if kind == "i" else "u"
        return self.emit(f"icmp {sign}{op} {t} {args[0]}, {args[1]}")

    def convert(self, x: str, old: DType, new: DType) -> str:
        a, b = self.type(old), self.type(new)
        if new.kind == "b":
            zero = self.literal(0, old)
            return self.emit(f"fcmp une {a} {x}, {zero}" if old.kind == "f" else f"icmp ne {a} {x}, {zero}")
        if old.kind == "f":
            if new.kind != "f":
                return self.truncate(x, old, new)
            if a == b:
                return x
            return self.emit(f"{'fpext' if new.itemsize > old.itemsize else 'fptrunc'} {a} {x} to {b}")
        if new.kind == "f":
            return self.emit(f"{'sitofp' if old.kind == 'i' else 'uitofp'} {a} {x} to {b}")
        if old.kind != "b" and new.itemsize <= old.itemsize:
            return x if new.itemsize == old.itemsize else self.emit(f"trunc {a} {x} to {b}")
        return self.emit(f"{'sext' if old.kind == 'i' else 'zext'} {a} {x} to {b}")

    def truncate(self, x: str, old: DType, new: DType) -> str:
        """A float to an integer, toward zero. What does not fit gives what the machine's instruction gives, as NumPy
        does: the least integer of 32 bits (64 for wider types), its low bits for narrower types."""
        a, bits = self.type(old), 64 if new.itemsize > 4 or (new.itemsize == 4 and new.kind == "u") else 32
        integer = LONG[f"i{bits}"]
        limit, b = self.literal(2.0 ** (bits - 1), old), self.type(integer)
        if new.itemsize == 8 and new.kind == "u":  # the upper half of the range lies above what a signed integer holds
            above = self.emit(f"fcmp oge {a} {x}, {limit}")
            less = self.emit(f"fsub {a} {x}, {limit}")
            low, high = self.signed(x, a, integer, limit), self.signed(less, a, integer, limit)
            flipped = self.emit(f"xor {b} {high}, {self.literal(-(2**63), integer)}")
            return self.emit(f"select {self.type(BOOL)} {above}, {b} {flipped}, {b} {low}")
        y = self.signed(x, a, integer, limit)
        return y if new.itemsize * 8 == bits else self.emit(f"trunc {b} {y} to {self.type(new)}")

    def signed(self, x: str, a: str, integer: DType, limit: str) -> str:
        size = self.call(self.module.intrinsic("fabs", a, 1), [x], a)
        fits = self.emit(f"fcmp olt {a} {size}, {limit}")
        b, least = self.type(integer), self.literal(-(2 ** (8 * integer.itemsize - 1)), integer)
        y = self.emit(f"fptosi {a} {x} to {b}")
        return self.emit(f"select {self.type(BOOL)} {fits}, {b} {y}, {b} {least}")
