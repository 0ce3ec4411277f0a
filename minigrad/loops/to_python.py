"""Nests printed as Python: one function each, its buffers as flat arrays.

Floor 4. The text is for reading, for stepping through and for numba, and means the same in all three: every number is
of a stated type (`f32(0.5)`), integers narrower than 64 bits are narrowed again after each operation (numba widens
them), and an elementary function is a call of a Python function printed from the same formula that the other printer
expands. A scalar that is used twice, or would make a line too long, gets a name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from minigrad.loops import bodies, prelude
from minigrad.loops.index import Affine
from minigrad.loops.nest import Let, Loop, Nest, Start, Statement, Store, Update, read, statements
from minigrad.loops.prelude import PythonFunction
from minigrad.loops.scalar import Scalar, needed
from minigrad.ops.rows import Row
from minigrad.ops.threefry import Hash
from minigrad.types import SHORT, DType

_WIDTH = 88  # of an expression; a longer one is cut by naming a part of it
_SMALL = 4  # operations of a body that is printed where it stands
# How tightly Python binds: an operand that binds less than its place asks for is put in parentheses.
_TERNARY, _NOT, _COMPARE, _OR, _XOR, _AND, _SHIFT, _SUM, _PRODUCT, _MINUS, _ATOM = range(11)
_SIGNS = {
    "add": ("+", _SUM), "sub": ("-", _SUM), "mul": ("*", _PRODUCT), "div": ("/", _PRODUCT), "and": ("&", _AND),
    "or": ("|", _OR), "xor": ("^", _XOR), "shl": ("<<", _SHIFT), "shr": (">>", _SHIFT),
}  # fmt: skip
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NUMPY = ("floor", "ceil", "trunc", "rint", "sqrt", "copysign")
_WRAPPING = ("add", "sub", "mul", "and", "or", "xor", "shl")  # their low bits depend on their operands' low bits only
_COMBINED = {"add": prelude.PLUS, "mul": prelude.TIMES}
_INTEGER_DIVISION = {"floor_div": ("//", prelude.QUOTIENT), "rem": ("%", prelude.REMAINDER)}
_EXTREMA = {"max": prelude.MAXIMUM, "min": prelude.MINIMUM}


def kernel(nest: Nest) -> PythonFunction:
    """The function for a nest. It is called `kernel`, its buffers b0, b1, ...: who prints a program renames them."""
    printer = _Printer(_uses(x for _, s in statements(nest.body) if not isinstance(s, Let) for x in read(s)))
    printer.block(nest.body)
    parameters = ", ".join(f"b{k}" for k in range(len(nest.buffers)))
    body = printer.lines or ["    pass"]
    return PythonFunction("kernel", "\n".join([f"def kernel({parameters}):", *body, ""]), tuple(printer.functions))


def meaning(op: Any, xs: Sequence[Scalar]) -> Scalar:
    """One element of op(*xs): a call of a function of its own if its formula is long."""
    if isinstance(op, Row | Hash) and not (op.name == "pow" and bodies.is_plain(xs[1])):
        function, dtype = _expansion(op, tuple(x.dtype for x in xs))
        if function is not None:
            return Scalar("call", tuple(xs), dtype, function)
    return bodies.body(op, xs)


@cache
def _expansion(op: Row | Hash, dtypes: tuple[DType, ...]) -> tuple[PythonFunction | None, DType]:
    letters = "xyz"[: len(dtypes)]
    y = bodies.body(op, [Scalar("argument", (), d, a) for a, d in zip(letters, dtypes, strict=True)])
    if sum(s.op not in ("const", "argument") for s in needed([y])) <= _SMALL:
        return None, y.dtype
    printer = _Printer(_uses([y]))
    printer.line(f"return {printer.value(y)}")
    name = f"{op.name}_{SHORT[y.dtype if isinstance(op, Hash) else dtypes[-1]]}"
    text = "\n".join([f"def {name}({', '.join(letters)}):", *printer.lines, ""])
    return PythonFunction(name, text, tuple(printer.functions)), y.dtype


def _uses(values: Iterable[Scalar]) -> Counter[int]:
    """How often each scalar is wanted."""
    roots = list(values)
    count = Counter(x.serial for x in roots)
    for s in needed(roots):
        count.update(a.serial for a in s.args)
    return count


def number(x: Any, dtype: DType) -> str:
    """A number of a type, as Python."""
    if dtype.kind == "b":
        return str(bool(x))
    text = str(np.asarray(x, dtype)[()])  # nan, inf, -0.0, 1e-08; the shortest that reads back to the same bits
    if dtype.kind == "f" and np.isfinite(x) and dtype.type(float(text)) != x:
        text = repr(float(x))  # rounded first to a double, then to float32, it would read back to another
    return f"{SHORT[dtype]}({text})"


class _Printer:
    """One function being written."""

    def __init__(self, uses: Counter[int]) -> None:
        self.uses = uses
        self.lines: list[str] = []
        self.functions: dict[PythonFunction, None] = {}  # that are called, in order
        self.depth, self.names = 1, 0
        self.known: dict[int, tuple[str, int]] = {}  # scalar -> its expression, and how tightly that binds
        self.wide: dict[int, tuple[str, int]] = {}  # the same before it was narrowed, for sums that narrow it anyway
        self.accumulators: dict[Any, str] = {}
        self.scope: list[int] = []  # the keys of `known` that go when the block ends

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def call(self, function: PythonFunction, *args: str) -> str:
        self.functions[function] = None
        return f"{function.name}({', '.join(args)})"

    # ── statements ───────────────────────────────────────────────────────────────────────────────
    def block(self, body: tuple[Statement, ...]) -> None:
        for s, following in zip(body, (*body[1:], None), strict=True):
            match s:
                case Loop():
                    self.loop(s)
                case Store():
                    for x in s.at:
                        if not self.value(x).isidentifier():
                            self.name(x)
                    self.value(s.value)
                    place = self.place(s.buffer, s.address, s.at, s.steps)
                    self.line(f"{place} = {self.value(s.value)}")
                case Let():
                    stored = isinstance(following, Store) and following.value is s.value  # and so it is computed there
                    if not (stored and self.uses[s.value.serial] == 1) and not self.value(s.value).isidentifier():
                        self.name(s.value)
                case Start():
                    name = self.accumulators.setdefault(s.accumulator, f"acc{len(self.accumulators)}")
                    self.line(f"{name} = {self.value(s.value)}")
                case Update():
                    self.line(f"{self.accumulators[s.accumulator]} = {self.combined(s)}")

    def loop(self, s: Loop) -> None:
        if s.extent == 0:
            return
        self.line(f"for i{s.variable} in range({s.extent}):")
        self.depth += 1
        outer, self.scope = self.scope, []
        first = len(self.lines)
        self.block(s.body)
        if len(self.lines) == first:  # nothing in it that runs
            self.lines.pop()
        for key in self.scope:
            del self.known[key]
        self.scope = outer
        self.depth -= 1

    def combined(self, s: Update) -> str:
        name, value, dtype = self.accumulators[s.accumulator], self.value(s.value), s.value.dtype
        if s.combine == "set":
            return value
        if dtype.kind == "f" and s.combine in _COMBINED:
            return self.call(_COMBINED[s.combine], name, value)
        return self.narrowed(self.binary(s.combine, (name, _ATOM), (value, _TERNARY), dtype), dtype)[0]

    # ── scalars ──────────────────────────────────────────────────────────────────────────────────
    def value(self, x: Scalar) -> str:
        """The expression of a scalar; what it needs and has no name yet is computed here if it is to have one."""
        for s in needed([x]):
            if s.serial not in self.known:
                if sum(len(self.known[a.serial][0]) for a in s.args) > _WIDTH:
                    self.name(max(s.args, key=lambda a: len(self.known[a.serial][0])))
                text, binds = self.compute(s)
                self.known[s.serial] = text, binds
                self.scope.append(s.serial)
                leaf = s.op in ("const", "argument", "accumulator")
                if not leaf and (self.uses[s.serial] > 1 or len(text) > _WIDTH):
                    self.name(s)
        return self.known[x.serial][0]

    def name(self, s: Scalar) -> None:
        """Give a scalar a name here."""
        name = f"t{self.names}"
        self.names += 1
        self.line(f"{name} = {self.known[s.serial][0]}")
        self.known[s.serial] = name, _ATOM
        self.wide.pop(s.serial, None)

    def at(self, x: Scalar, place: int) -> str:
        """An operand, in parentheses if its place asks for more than it binds."""
        text, binds = self.known[x.serial]
        return text if binds >= place else f"({text})"

    def compute(self, x: Scalar) -> tuple[str, int]:
        match x.op:
            case "const":
                return number(x.what, x.dtype), _ATOM
            case "argument":
                return x.what, _ATOM
            case "accumulator":
                return self.accumulators[x.what], _ATOM
            case "index":
                return f"i64({_index(x.what)})", _ATOM
            case "load":
                return self.load(x), _ATOM
            case "select":
                return self.select(*x.args)
            case "rarely":
                return self.select(x.args[0], x.args[2], x.args[1])
            case "convert":
                return self.convert(x.args[0], x.dtype)
            case "neg":
                return self.narrowed((f"-{self.at(x.args[0], _MINUS)}", _MINUS), x.dtype, x.serial)
            case "not" if x.dtype.kind == "b":
                return f"not {self.at(x.args[0], _NOT)}", _NOT
            case "not":
                return self.narrowed((f"~{self.at(x.args[0], _MINUS)}", _MINUS), x.dtype, x.serial)
        if x.op in _COMPARISONS:
            a, b = (self.at(y, _OR) for y in x.args)
            return f"{a} {_COMPARISONS[x.op]} {b}", _COMPARE
        return self.function(x)

    def load(self, x: Scalar) -> str:
        buffer, address, *steps = x.what
        return self.place(buffer, address, x.args, steps[0] if steps else ())

    def place(self, buffer: int, address: Affine, at: Sequence[Scalar], steps: Sequence[int]) -> str:
        """An element at an affine address, plus positions that are data times their strides."""
        terms = [
            self.at(x, _PRODUCT) if step == 1 else f"{step}*{self.at(x, _MINUS)}"
            for x, step in zip(at, steps, strict=True)
        ]
        if address.terms or address.const or not terms:
            terms.append(_index(address))
        return f"b{buffer}[{' + '.join(terms)}]"

    def function(self, x: Scalar) -> tuple[str, int]:
        """What is a call, or else a sign between two operands."""
        args = [self.known[a.serial][0] for a in x.args]
        match x.op:
            case "bitcast":
                return f"{self.typed(x.args[0])}.view({SHORT[x.dtype]})", _ATOM
            case "abs":
                return f"abs({args[0]})", _ATOM
            case "fma":
                wide = x.dtype.itemsize == 8
                return self.call(prelude.FUSED_F64 if wide else prelude.FUSED_F32, *args), _ATOM
            case "muladd":
                a, b, c = x.args
                return f"{self.at(a, _PRODUCT)} * {self.at(b, _MINUS)} + {self.at(c, _PRODUCT)}", _SUM
            case "call" if isinstance(x.what, PythonFunction):
                return self.call(x.what, *args), _ATOM
            case "call":
                return f"np.{x.what}({', '.join(args)})", _ATOM
        if x.op in _NUMPY:
            return f"np.{x.op}({', '.join(args)})", _ATOM
        left, right = (self.known[y.serial] for y in x.args)
        if x.op in _WRAPPING:
            left = self.wide.get(x.args[0].serial, left)
            right = self.wide.get(x.args[1].serial, right) if x.op != "shl" else right
        return self.narrowed(self.binary(x.op, left, right, x.dtype), x.dtype, x.serial)

    def typed(self, x: Scalar) -> str:
        """A scalar in the form `i32(...)`, which numba asks for where bits are read as another type."""
        (text, binds), short = self.known[x.serial], SHORT[x.dtype]
        return text if binds == _ATOM and text.startswith(f"{short}(") else f"{short}({text})"

    def binary(self, op: str, a: tuple[str, int], b: tuple[str, int], dtype: DType) -> tuple[str, int]:
        if op in _EXTREMA and dtype.kind != "b":
            return self.call(_EXTREMA[op], a[0], b[0]), _ATOM
        if op in _INTEGER_DIVISION:
            sign, function = _INTEGER_DIVISION[op]
            if dtype.kind == "i":
                return self.call(function, a[0], b[0]), _ATOM
            binds = _PRODUCT
        else:
            if dtype.kind == "b":
                op = {"add": "or", "max": "or", "mul": "and", "min": "and"}.get(op, op)
            sign, binds = _SIGNS[op]
        left, right = (text if binding >= place else f"({text})" for (text, binding), place in
                       ((a, binds), (b, binds + 1)))  # fmt: skip
        return f"{left} {sign} {right}", binds

    def select(self, condition: Scalar, a: Scalar, b: Scalar) -> tuple[str, int]:
        """Both sides are computed before: then it is a choice of two numbers, not of two ways to go."""
        for side in (a, b):
            if side.op not in ("const", "argument", "accumulator") and not self.known[side.serial][0].isidentifier():
                self.name(side)
        return f"{self.at(a, _NOT)} if {self.at(condition, _NOT)} else {self.at(b, _NOT)}", _TERNARY

    def narrowed(self, wide: tuple[str, int], dtype: DType, serial: int | None = None) -> tuple[str, int]:
        """numba computes with integers of 64 bits: brought back to their own."""
        if dtype.kind not in "iu" or SHORT[dtype] == "i64":
            return wide
        if serial is not None:
            self.wide[serial] = wide
        return f"{SHORT[dtype]}({wide[0]})", _ATOM

    def convert(self, x: Scalar, dtype: DType) -> tuple[str, int]:
        text = self.known[x.serial][0]
        if dtype.kind == "b":
            return f"{self.at(x, _OR)} != {number(0, x.dtype)}", _COMPARE
        if x.dtype.kind == "f" and dtype.kind in "iu":
            return self.call(prelude.truncation(x.dtype, dtype), text), _ATOM
        return f"{SHORT[dtype]}({text})", _ATOM


def _index(address: Affine) -> str:
    return re.sub(r"\+ -", "- ", str(address))


def flat(functions: Iterable[PythonFunction]) -> Iterator[PythonFunction]:
    """Functions with all that they use, each before those that use it."""
    for f in functions:
        yield from flat(f.uses)
        yield f
