"""What one vector, or one scalar, takes in LLVM IR: addresses, loads, and what goes across the lanes.

Floor 4. The lanes of a vector are neighbouring passes of a loop. A mask says which of them there are, if not all are:
nothing is loaded or stored for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.loops.index import Affine
from minigrad.loops.llvm_scalars import Module, Scalars, literal, memory, overload, register
from minigrad.loops.scalar import Scalar, needed
from minigrad.loops.vectors import NEAR
from minigrad.types import DType

_OWN = ("load", "accumulator", "index", "rarely")  # not known by their operands alone
_NARROW = 16  # bytes of the narrowest vectors that can be masked
_ACROSS = {"add": "fadd", "mul": "fmul", "max": "fmaximum", "min": "fminimum"}


class Lanes(Scalars):
    """Lines being written, of one pass or of `lanes` passes of a loop."""

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self.places: dict[Any, str] = {}  # addresses already computed here or in a block around
        self.accumulators: dict[Any, str] = {}
        self.turned: dict[int, str] = {}  # loads that are done already: where the vector is, by their serials
        self.moving: int | None = None  # in vectors: the variable of the loop,
        self.mask = ""  # and which lanes there are, if not all
        self.ends: dict[str, tuple[str, str]] = {}  # by mask: the pass of its first lane, and the one it ends before

    # ── across the lanes ─────────────────────────────────────────────────────────────────────────
    def together(self, combine: str, xs: Sequence[str], dtype: DType) -> str:
        """One vector from several."""
        while len(xs) > 1:
            pairs = [self.binary(combine, a, b, dtype, reassociate=True) for a, b in zip(xs[::2], xs[1::2])]
            xs = [*pairs, *xs[len(pairs) * 2 :]]
        return xs[0]

    def across(self, combine: str, x: str, dtype: DType, lanes: int) -> str:
        """One scalar from the lanes of a vector."""
        t, v = register(dtype), register(dtype, lanes)
        if dtype.kind == "f":
            name, flags = _ACROSS[combine], "nsz " if combine in ("max", "min") else "reassoc "
            start = f"{t} {literal(neutral(combine, dtype), dtype)}, " if flags == "reassoc " else ""
        else:
            sign = "u" if dtype.kind in "bu" else "s"
            name = f"{sign}{combine}" if combine in ("max", "min") else combine
            name = {"umax": "or", "add": "or", "umin": "and", "mul": "and"}.get(name, name) if t == "i1" else name
            flags = start = ""
        full = f"@llvm.vector.reduce.{name}.{overload(v)}"
        self.module.declarations[full] = f"declare {t} {full}({f'{t}, ' if start else ''}{v})"
        return self.emit(f"call {flags}{t} {full}({start}{v} {x})")

    def spread(self, x: str, dtype: DType, lanes: int) -> str:
        """A scalar in every lane."""
        v = register(dtype, lanes)
        one = self.emit(f"insertelement {v} poison, {register(dtype)} {x}, i64 0")
        return self.emit(f"shufflevector {v} {one}, {v} poison, <{lanes} x i32> zeroinitializer")

    def lanes_until(self, i: str, high: str) -> str:
        """Which lanes of the vector that begins with pass i are before `high`."""
        mask = self.active(i, high, self.lanes)
        self.ends[mask] = i, high
        return mask

    def active(self, i: str, high: str, lanes: int) -> str:
        name, mask = f"@llvm.get.active.lane.mask.v{lanes}i1.i64", f"<{lanes} x i1>"
        self.module.declarations[name] = f"declare {mask} {name}(i64, i64)"
        return self.emit(f"call {mask} {name}(i64 {i}, i64 {high})")

    def masked(self, dtype: DType, mask: str) -> tuple[int, str]:
        """How many lanes a masked load or store takes, and which of them.

        Eight bytes are moved as sixteen. Left to itself LLVM 22 makes the mask of eight one of sixteen by a copy of its
        lower bits that clears the others; where masks have to be kept on the stack, as around a call, it takes that for
        a plain copy and leaves it out, and what lies behind the eight is overwritten.
        """
        lanes = _NARROW // dtype.itemsize
        if self.module.vector < 64 or lanes <= self.lanes:  # no registers for masks; nothing to add
            return self.lanes, mask
        i, high = self.ends[mask]
        end = self.least(high, self.emit(f"add nuw nsw i64 {i}, {self.lanes}"))
        return lanes, self.active(i, end, lanes)

    def least(self, a: str, b: str) -> str:
        self.module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
        return self.emit(f"call i64 @llvm.umin.i64(i64 {a}, i64 {b})")

    def resized(self, x: str, dtype: DType, lanes: int, to: int) -> str:
        """The first lanes of a vector in memory; if there are to be more, the others anything."""
        t = memory(dtype, lanes)
        return self.emit(f"shufflevector {t} {x}, {t} poison, {numbers([min(k, lanes) for k in range(to)])}")

    # ── addresses ────────────────────────────────────────────────────────────────────────────────
    def pointer(
        self, buffer: int, address: Affine, dtype: DType, at: Sequence[Scalar] = (), steps: Sequence[int] = ()
    ) -> str:
        offset = self.affine(address)
        for place, step in zip(at, steps, strict=True):
            one = self.places.get(("at", place.serial)) or self.known[place.serial]  # the same in all lanes
            term = self.emit(f"mul nsw i64 {one}, {step}")
            offset = self.emit(f"add nsw i64 {offset}, {term}")
        inbounds = "" if self.mask else "inbounds "  # of several masked vectors the last may lie beyond the end
        return self.emit(f"getelementptr {inbounds}{memory(dtype)}, ptr %b{buffer}, i64 {offset}")

    def affine(self, address: Affine) -> str:
        """The sum, outer variables first, so that its beginning can be lifted out of the inner loops; the number last,
        so that places that only differ in it are one sum."""
        total, parts = "0", []
        for variable, k in address.terms:
            parts.append((variable, k))
            key = tuple(parts)
            if key not in self.places:
                term = self.places["variable", variable]
                if k != 1:
                    term = self.emit(f"mul nsw i64 {term}, {k}")
                self.places[key] = term if total == "0" else self.emit(f"add nsw i64 {total}, {term}")
            total = self.places[key]
        if not address.const:
            return total
        return str(address.const) if total == "0" else self.emit(f"add nsw i64 {total}, {address.const}")

    # ── scalars ──────────────────────────────────────────────────────────────────────────────────
    def value(self, x: Scalar) -> str:
        """The name of a scalar, computed here if it is not known yet."""
        for s in needed([x], self.known, always=True):
            self.known[s.serial] = self.literal(s.what, s.dtype) if s.op == "const" else self.once(s)
        return self.known[x.serial]

    def once(self, x: Scalar) -> str:
        """The name of a scalar whose operands are known; of one that equals it, if there is one. (LLVM sees that only
        within a block, and `rarely` ends one.)"""
        if x.op in _OWN:
            return self.compute(x)
        names = [self.known[a.serial] for a in x.args]
        equal = (x.op, x.dtype, x.what, x.args[-1].dtype, *names)
        if equal not in self.known:
            self.known[equal] = self.compute(x)
        return self.known[equal]

    def compute(self, x: Scalar) -> str:
        if x.op == "load":
            return self.load(x)
        if x.op == "accumulator":
            return self.emit(f"load {register(x.dtype)}, ptr {self.accumulators[x.what]}")
        if x.op == "index":
            return self.index(x)
        return super().compute(x)

    def index(self, x: Scalar) -> str:
        one = self.affine(x.what)
        if self.lanes == 1:
            return one
        step, t = x.what.coefficient(self.moving), self.type(x.dtype)
        numbers = ", ".join([f"i64 {k * step}" for k in range(self.lanes)])
        return self.emit(f"add {t} {self.spread(one, x.dtype, self.lanes)}, <{numbers}>")

    def load(self, x: Scalar) -> str:
        t = memory(x.dtype, self.lanes)
        if x.serial in self.turned:
            y = self.emit(f"load {t}, ptr {self.turned[x.serial]}, align {self.lanes * x.dtype.itemsize}")
        elif self.lanes > 1 and any(a.op != "const" and ("at", a.serial) not in self.places for a in x.args):
            y = self.anywhere(x)
        else:
            y = self.in_order(x)
        return self.emit(f"trunc {t} {y} to {self.type(x.dtype)}") if x.dtype.kind == "b" else y

    def in_order(self, x: Scalar) -> str:
        """Elements equally far apart, as they lie in memory."""
        buffer, address, *steps = x.what
        t, pointer = memory(x.dtype, self.lanes), self.pointer(buffer, address, x.dtype, x.args, *steps)
        step = address.coefficient(self.moving) if self.lanes > 1 else 1
        if step != 1:
            return self.apart(pointer, step, x.dtype)
        if self.mask:
            return self.loaded(pointer, x.dtype)
        return self.emit(f"load {t}, ptr {pointer}, align {x.dtype.itemsize}")

    def loaded(self, pointer: str, dtype: DType) -> str:
        """A vector, zeros in the lanes that the mask leaves out."""
        lanes, mask = self.masked(dtype, self.mask)
        t, masks = memory(dtype, lanes), f"<{lanes} x i1>"
        name = f"@llvm.masked.load.{overload(t)}.p0"
        self.module.declarations[name] = f"declare {t} {name}(ptr, i32, {masks}, {t})"
        y = self.emit(f"call {t} {name}(ptr {pointer}, i32 {dtype.itemsize}, {masks} {mask}, {t} zeroinitializer)")
        return y if lanes == self.lanes else self.resized(y, dtype, lanes, self.lanes)

    def apart(self, pointer: str, step: int, dtype: DType) -> str:
        """The elements that lie `step` apart; neighbours are read together."""
        if self.mask or step not in NEAR:
            return self.gather(pointer, step, dtype)
        one, t, n = memory(dtype), memory(dtype, self.lanes), self.lanes
        first, second = (1 - n, 1 - n) if step < 0 else (0, n - 1)  # the second ends with the last that is wanted
        halves = []
        for start in (first, second):
            at = self.emit(f"getelementptr {one}, ptr {pointer}, i64 {start}")
            halves.append(self.emit(f"load {t}, ptr {at}, align {dtype.itemsize}"))
        places = range(n - 1, -1, -1) if step < 0 else [k if k < n else k + 1 for k in range(0, 2 * n, 2)]
        return self.emit(f"shufflevector {t} {halves[0]}, {t} {halves[1]}, {numbers(places)}")

    def gather(self, pointer: str, step: int, dtype: DType) -> str:
        """The elements that lie `step` apart, one by one."""
        return self.gathered(pointer, numbers([k * step for k in range(self.lanes)]), dtype, self.mask)

    def anywhere(self, x: Scalar) -> str:
        """The elements at positions that differ from lane to lane.

        Without a mask: positions are brought into their axes, so that in lanes that are left out they are inside, too.
        """
        buffer, address, steps = x.what
        t, total = f"<{self.lanes} x i64>", ""
        for at, step in zip(x.args, steps, strict=True):
            term = self.known[at.serial]
            if step != 1:
                term = self.emit(f"mul nsw {t} {term}, splat (i64 {step})")
            total = self.emit(f"add nsw {t} {total}, {term}") if total else term
        return self.gathered(self.pointer(buffer, address, x.dtype), f"{t} {total}", x.dtype)

    def gathered(self, pointer: str, offsets: str, dtype: DType, mask: str = "") -> str:
        """The elements that so many elements lie behind a place."""
        t, pointers, masks = memory(dtype, self.lanes), f"<{self.lanes} x ptr>", f"<{self.lanes} x i1>"
        name = f"@llvm.masked.gather.{overload(t)}.v{self.lanes}p0"
        self.module.declarations[name] = f"declare {t} {name}({pointers}, i32, {masks}, {t})"
        at = self.emit(f"getelementptr {memory(dtype)}, ptr {pointer}, {offsets}")
        rest = f"{masks} {mask or 'splat (i1 true)'}, {t} zeroinitializer"
        return self.emit(f"call {t} {name}({pointers} {at}, i32 {dtype.itemsize}, {rest})")


def numbers(numbers: Sequence[int]) -> str:
    return f"<{len(numbers)} x i32> <{', '.join([f'i32 {n}' for n in numbers])}>"


def neutral(combine: str, dtype: DType) -> Any:
    """What changes nothing."""
    if combine in ("add", "or"):
        return -0.0 if dtype.kind == "f" else 0
    if combine in ("mul", "and"):
        return 1 if combine == "mul" or dtype.kind == "b" else -1
    if dtype.kind == "f":
        return -np.inf if combine == "max" else np.inf
    if dtype.kind == "b":
        return combine == "min"
    limits = np.iinfo(dtype)
    return limits.min if combine == "max" else limits.max
