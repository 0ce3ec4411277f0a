"""Nests printed as LLVM IR: one function each, its buffers as pointers.

Floor 4. Text, because LLVM reads it faster than Python can build it. Loops are printed with their test at the end, as
LLVM wants them (an empty one is left out). Only reductions may be reassociated: everything else keeps the order and the
roundings it was written with, so NaN, infinities and signed zeros come out as they should. A bool is one byte in
memory and one bit in a register.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from minigrad.loops.index import Affine
from minigrad.loops.nest import Let, Loop, Nest, Start, Statement, Store, Update
from minigrad.loops.scalar import Scalar, needed
from minigrad.types import FLOAT32, FLOAT64, DType

_INTRINSICS = {
    "fma": "fma", "muladd": "fmuladd", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint",
    "sqrt": "sqrt", "abs": "fabs", "copysign": "copysign",
}  # fmt: skip
_FLOAT = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTEGER = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor", "shl": "shl"}
_SIGNED = {"floor_div": "sdiv", "rem": "srem", "shr": "ashr"}
_UNSIGNED = {"floor_div": "udiv", "rem": "urem", "shr": "lshr"}
_FLOATS = {"float": FLOAT32, "double": FLOAT64}
_PURE = "nounwind willreturn memory(none)"  # nothing reads errno


def register(dtype: DType) -> str:
    """The LLVM type of a scalar."""
    if dtype.kind == "f":
        return "float" if dtype.itemsize == 4 else "double"
    return "i1" if dtype.kind == "b" else f"i{dtype.itemsize * 8}"


def memory(dtype: DType) -> str:
    """The LLVM type of an element of a buffer."""
    return "i8" if dtype.kind == "b" else register(dtype)


def literal(x: Any, dtype: DType) -> str:
    if dtype.kind == "f":
        return "0x" + struct.pack(">d", float(x)).hex().upper()  # LLVM writes floats as the double they equal
    return ("true" if x else "false") if dtype.kind == "b" else str(int(x))


@dataclass
class Module:
    """What stands around the functions: declarations, each once."""

    declarations: dict[str, str] = field(default_factory=dict)

    def intrinsic(self, name: str, dtype: DType, operands: int) -> str:
        t = register(dtype)
        full = f"@llvm.{name}.{ {'float': 'f32', 'double': 'f64'}.get(t, t) }"
        self.declarations[full] = f"declare {t} {full}({', '.join([t] * operands)})"
        return full

    def library(self, name: str, dtype: DType, operands: int) -> str:
        t = register(dtype)
        full = f"@{name}{'f' if t == 'float' else ''}"
        self.declarations[full] = f"declare {t} {full}({', '.join([t] * operands)}) {_PURE}"
        return full


def function(nest: Nest, module: Module, span: Loop | None = None) -> str:
    """`(ptr noalias %b0, ...) { ... }`: the parameters and the body of the function for a nest.

    Of the loop `span` only the passes %low .. %high − 1 are run: two more parameters, which come first.

    Buffers that are written are not reached by any other parameter (the plan sees to it), and what is only read may
    be reached twice without harm: so all may be `noalias`.
    """
    printer = _Printer(nest, module, span)
    printer.block_of(nest.body)
    attributes = ("noalias nocapture" if k < nest.outputs else "noalias nocapture readonly" for k in range(1 << 30))
    parameters = ", ".join([f"ptr {a} %b{k}" for a, k in zip(attributes, range(len(nest.buffers)))])
    parameters = f"i64 %low, i64 %high, {parameters}" if span else parameters
    lines = ["entry:", *printer.slots, *printer.lines, "  ret void"]
    return f"({parameters}) #0 {{\n" + "\n".join(lines) + "\n}"


class _Printer:
    """One function being written."""

    def __init__(self, nest: Nest, module: Module, span: Loop | None) -> None:
        self.nest, self.module, self.span = nest, module, span
        self.lines: list[str] = []
        self.slots: list[str] = []  # where accumulators live, until LLVM finds them registers
        self.block, self.count = "entry", 0
        self.known: dict[Any, str] = {}  # scalars and addresses already computed here or in a block around
        self.scope: list[Any] = []  # the keys of `known` that go when the block ends
        self.accumulators: dict[Any, str] = {}

    def name(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def emit(self, text: str) -> str:
        name = self.name()
        self.lines.append(f"  {name} = {text}")
        return name

    def know(self, key: Any, name: str) -> str:
        self.known[key] = name
        self.scope.append(key)
        return name

    # ── statements ───────────────────────────────────────────────────────────────────────────────
    def block_of(self, body: tuple[Statement, ...]) -> None:
        for s in body:
            match s:
                case Loop():
                    self.loop(s)
                case Store():
                    self.store(s)
                case Let():
                    self.value(s.value)
                case Start():
                    t = register(s.value.dtype)
                    value = self.value(s.value)
                    self.accumulators[s.accumulator] = slot = f"%acc{len(self.slots)}"
                    self.slots.append(f"  {slot} = alloca {t}")
                    self.lines.append(f"  store {t} {value}, ptr {slot}")
                case Update():
                    self.update(s)

    def loop(self, s: Loop) -> None:
        if s.extent == 0:
            return
        self.count += 1
        before, head, after = self.block, f"loop{self.count}", f"done{self.count}"
        i, step, last = f"%i{self.count}", f"%n{self.count}", f"%c{self.count}"
        self.lines.append(f"  br label %{head}\n{head}:")
        place = len(self.lines)
        self.lines.append("")
        self.block, outer, self.scope = head, self.scope, []
        self.know(("variable", s.variable), i)
        self.block_of(s.body)
        low, high = ("%low", "%high") if s is self.span else (0, s.extent)
        self.lines[place] = f"  {i} = phi i64 [{low}, %{before}], [{step}, %{self.block}]"
        self.lines.append(f"  {step} = add nuw nsw i64 {i}, 1")
        self.lines.append(f"  {last} = icmp eq i64 {step}, {high}")
        self.lines.append(f"  br i1 {last}, label %{after}, label %{head}\n{after}:")
        for key in self.scope:
            del self.known[key]
        self.block, self.scope = after, outer

    def store(self, s: Store) -> None:
        value, dtype = self.value(s.value), s.value.dtype
        if dtype.kind == "b":
            value = self.emit(f"zext i1 {value} to i8")
        for x in s.at:
            self.value(x)
        pointer = self.pointer(s.buffer, s.address, dtype, s.at, s.steps)
        self.lines.append(f"  store {memory(dtype)} {value}, ptr {pointer}, align {dtype.itemsize}")

    def update(self, s: Update) -> None:
        dtype, slot = s.value.dtype, self.accumulators[s.accumulator]
        value = self.value(s.value)
        old = self.emit(f"load {register(dtype)}, ptr {slot}")
        new = self.binary(s.combine, old, value, dtype, reassociate=True)
        self.lines.append(f"  store {register(dtype)} {new}, ptr {slot}")

    # ── addresses ────────────────────────────────────────────────────────────────────────────────
    def pointer(
        self, buffer: int, address: Affine, dtype: DType, at: Sequence[Scalar] = (), steps: Sequence[int] = ()
    ) -> str:
        offset = self.affine(address)
        for place, step in zip(at, steps, strict=True):
            term = self.emit(f"mul nsw i64 {self.known[place.serial]}, {step}")
            offset = self.emit(f"add nsw i64 {offset}, {term}")
        return self.emit(f"getelementptr inbounds {memory(dtype)}, ptr %b{buffer}, i64 {offset}")

    def affine(self, address: Affine) -> str:
        """The sum, outer variables first, so that its beginning can be lifted out of the inner loops."""
        total, parts = str(address.const), []
        for variable, k in address.terms:
            parts.append((variable, k))
            key = (address.const, *parts)
            if key not in self.known:
                term = self.known["variable", variable]
                if k != 1:
                    term = self.emit(f"mul nsw i64 {term}, {k}")
                self.know(key, term if total == "0" else self.emit(f"add nsw i64 {total}, {term}"))
            total = self.known[key]
        return total

    # ── scalars ──────────────────────────────────────────────────────────────────────────────────
    def value(self, x: Scalar) -> str:
        """The name of a scalar, computed here if it is not known yet."""
        for s in needed([x]):
            if s.op == "const":
                self.known[s.serial] = literal(s.what, s.dtype)
            elif s.serial not in self.known:
                self.know(s.serial, self.compute(s))
        return self.known[x.serial]

    def compute(self, x: Scalar) -> str:
        if x.op == "load":
            buffer, address, *steps = x.what
            at = self.pointer(buffer, address, x.dtype, x.args, *steps)
            name = self.emit(f"load {memory(x.dtype)}, ptr {at}, align {x.dtype.itemsize}")
            return self.emit(f"trunc i8 {name} to i1") if x.dtype.kind == "b" else name
        if x.op == "accumulator":
            return self.emit(f"load {register(x.dtype)}, ptr {self.accumulators[x.what]}")
        if x.op == "index":
            return self.affine(x.what)
        args, t = [self.known[a.serial] for a in x.args], register(x.dtype)
        match x.op:
            case "neg":
                return self.emit(f"fneg {t} {args[0]}" if x.dtype.kind == "f" else f"sub {t} 0, {args[0]}")
            case "not":
                return self.emit(f"xor {t} {args[0]}, {'true' if t == 'i1' else -1}")
            case "select":
                return self.emit(f"select i1 {args[0]}, {t} {args[1]}, {t} {args[2]}")
            case "bitcast":
                same = register(x.args[0].dtype) == t
                return args[0] if same else self.emit(f"bitcast {register(x.args[0].dtype)} {args[0]} to {t}")
            case "convert":
                return self.convert(args[0], x.args[0].dtype, x.dtype)
            case "eq" | "ne" | "lt" | "le" | "gt" | "ge":
                return self.compare(x.op, args, x.args[0].dtype)
            case "call":
                return self.call(self.module.library(x.what, x.dtype, len(args)), args, t)
        if x.op in _INTRINSICS:
            return self.call(self.module.intrinsic(_INTRINSICS[x.op], x.dtype, len(args)), args, t)
        return self.binary(x.op, args[0], args[1], x.dtype)

    def call(self, name: str, args: list[str], t: str) -> str:
        return self.emit(f"call {t} {name}({', '.join(f'{t} {a}' for a in args)})")

    def binary(self, op: str, a: str, b: str, dtype: DType, reassociate: bool = False) -> str:
        t, kind = register(dtype), dtype.kind
        if op in ("min", "max"):
            if kind == "b":
                return self.emit(f"{'or' if op == 'max' else 'and'} i1 {a}, {b}")
            name = f"{op}imum" if kind == "f" else f"{'u' if kind == 'u' else 's'}{op}"
            return self.call(self.module.intrinsic(name, dtype, 2), [a, b], t)
        if kind == "f":
            return self.emit(f"{_FLOAT[op]}{' reassoc' if reassociate else ''} {t} {a}, {b}")
        if kind == "b" and op == "add":
            op = "or"
        table = _INTEGER if op in _INTEGER else _UNSIGNED if kind in "bu" else _SIGNED
        return self.emit(f"{table[op]} {t} {a}, {b}")

    def compare(self, op: str, args: list[str], dtype: DType) -> str:
        t, kind = register(dtype), dtype.kind
        if kind == "f":
            return self.emit(f"fcmp {'une' if op == 'ne' else 'o' + op} {t} {args[0]}, {args[1]}")
        sign = "" if op in ("eq", "ne") else "s" if kind == "i" else "u"
        return self.emit(f"icmp {sign}{op} {t} {args[0]}, {args[1]}")

    def convert(self, x: str, old: DType, new: DType) -> str:
        a, b = register(old), register(new)
        if new.kind == "b":
            return self.emit(f"fcmp une {a} {x}, 0.0" if old.kind == "f" else f"icmp ne {a} {x}, 0")
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
        a = register(old)
        wide = new.itemsize > 4 or (new.itemsize == 4 and new.kind == "u")
        bits = 64 if wide else 32
        limit = literal(2.0 ** (bits - 1), old)
        if new.itemsize == 8 and new.kind == "u":  # the upper half of the range lies above what a signed integer holds
            above = self.emit(f"fcmp oge {a} {x}, {limit}")
            less = self.emit(f"fsub {a} {x}, {limit}")
            low, high = self.signed(x, a, 64, limit), self.signed(less, a, 64, limit)
            flipped = self.emit(f"xor i64 {high}, {-(2**63)}")
            return self.emit(f"select i1 {above}, i64 {flipped}, i64 {low}")
        y = self.signed(x, a, bits, limit)
        return y if new.itemsize * 8 == bits else self.emit(f"trunc i{bits} {y} to {register(new)}")

    def signed(self, x: str, a: str, bits: int, limit: str) -> str:
        size = self.call(self.module.intrinsic("fabs", _FLOATS[a], 1), [x], a)
        fits = self.emit(f"fcmp olt {a} {size}, {limit}")
        y = self.emit(f"fptosi {a} {x} to i{bits}")
        return self.emit(f"select i1 {fits}, i{bits} {y}, i{bits} {-(2 ** (bits - 1))}")
