"""Nests printed as LLVM IR: one function each, its buffers as pointers.

Floor 4. Text, because LLVM reads it faster than Python can build it. Loops are printed with their test at the end, as
LLVM wants them (an empty one is left out); innermost ones in vectors, where they can be (see `vectors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.loops.llvm_lanes import neutral, numbers
from minigrad.loops.llvm_loops import Loops
from minigrad.loops.llvm_scalars import Module, literal, memory, overload, register
from minigrad.loops.nest import Let, Loop, Nest, Start, Statement, Store, Update, read
from minigrad.loops.scalar import Scalar, needed
from minigrad.loops.vectors import Vectors, tiles, vectors
from minigrad.types import DType


def function(nest: Nest, module: Module, spans: Sequence[tuple[Loop, int]] = ()) -> str:
    """`(ptr noalias %b0, ...) { ... }`: the parameters and the body of the function for a nest.

    Of the loops in `spans` only the passes %low0 .. %high0 − 1 (of the first) are run: two more parameters each, which
    come first. They are multiples of the step that stands with the loop, or its end.

    Buffers that are written are not reached by any other parameter (the plan sees to it), and what is only read may
    be reached twice without harm: so all may be `noalias`.
    """
    printer = _Printer(nest, module, spans)
    printer.block_of(nest.body)
    attributes = ("noalias nocapture" if k < nest.outputs else "noalias nocapture readonly" for k in range(1 << 30))
    parameters = ", ".join([f"ptr {a} %b{k}" for a, k in zip(attributes, range(len(nest.buffers)))])
    parameters = "".join([f"i64 %low{k}, i64 %high{k}, " for k in range(len(spans))]) + parameters
    end = ["  fence seq_cst"] if printer.streams else []  # before another thread hears that this is done
    lines = ["entry:", *printer.slots, *printer.lines, *end, "  ret void"]
    return f"({parameters}) #0 {{\n" + "\n".join(lines) + "\n}"


class _Printer(Loops):
    """One function being written."""

    def __init__(self, nest: Nest, module: Module, spans: Sequence[tuple[Loop, int]]) -> None:
        super().__init__(module)
        self.nest, self.spans = nest, spans
        self.streams = False  # are there stores past the caches?

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
        spans = (k for k, (loop, _) in enumerate(self.spans) if loop is s)
        low, high = next(((f"%low{k}", f"%high{k}") for k in spans), ("0", str(s.extent)))
        found = tiles(s, self.module.vector)
        if found is not None:
            self.tiles(s, found, low, high, self.block_of)
            return
        how = vectors(s, self.module.vector)
        if how is not None and self.halves(s, how.lanes):
            how = vectors(s, self.module.vector // 2)
        if how is not None:
            self.vectors(s, how, low, high)
            return
        with self.scope():
            i, _, close = self.begin(low, high, 1)
            self.places["variable", s.variable] = i
            self.block_of(s.body)
            close()

    def halves(self, s: Loop, lanes: int) -> bool:
        """Would half vectors begin at multiples of their size, and so go past the caches, but whole ones not?"""
        stores = (t for t in s.body if isinstance(t, Store) and t.buffer in self.nest.streamed)
        steps = [k for t in stores for v, k in ((0, t.address.const), *t.address.terms) if v != s.variable]
        return bool(steps) and s.extent % lanes != 0 and all(k % (lanes // 2) == 0 for k in (s.extent, *steps))

    def compute(self, x: Scalar) -> str:
        return self.rarely(*x.args) if x.op == "rarely" else super().compute(x)

    def rarely(self, condition: Scalar, usual: Scalar, other: Scalar) -> str:
        """A select whose other value is computed in a block of its own, which is passed by if no lane wants it."""
        wanted, x, t = self.known[condition.serial], self.known[usual.serial], self.type(usual.dtype)
        one = wanted if self.lanes == 1 else self.across("max", wanted, condition.dtype, self.lanes)
        self.count += 1
        k, before = self.count, self.block
        self.lines.append(f"  br i1 {one}, label %rare{k}, label %usual{k}\nrare{k}:")
        self.block = f"rare{k}"
        with self.scope():
            y = self.value(other)
        y = self.emit(f"select {self.type(condition.dtype)} {wanted}, {t} {y}, {t} {x}")
        self.lines.append(f"  br label %usual{k}\nusual{k}:")
        rare, self.block = self.block, f"usual{k}"
        return self.emit(f"phi {t} [{x}, %{before}], [{y}, %{rare}]")

    def store(self, s: Store) -> None:
        value, dtype = self.value(s.value), s.value.dtype
        t = memory(dtype, self.lanes)
        if dtype.kind == "b":
            value = self.emit(f"zext {self.type(dtype)} {value} to {t}")
        for x in s.at:
            self.value(x)
        pointer = self.pointer(s.buffer, s.address, dtype, s.at, s.steps)
        how = ""
        if not self.mask and s.buffer in self.nest.streamed and self.is_aligned(s):
            how = f"align {self.lanes * dtype.itemsize}, !nontemporal !0"
            self.module.declarations["!0"] = "!0 = !{i32 1}"
            self.streams = True
        self.stored(t, value, pointer, dtype, self.mask, how)

    def stored(self, t: str, value: str, pointer: str, dtype: DType, mask: str, how: str = "") -> None:
        """Write a vector, or a scalar: those lanes that the mask has."""
        if not mask:
            self.lines.append(f"  store {t} {value}, ptr {pointer}, {how or f'align {dtype.itemsize}'}")
            return
        lanes, mask = self.masked(dtype, mask)
        if lanes != self.lanes:
            t, value = memory(dtype, lanes), self.resized(value, dtype, self.lanes, lanes)
        name, masks = f"@llvm.masked.store.{overload(t)}.p0", f"<{lanes} x i1>"
        self.module.declarations[name] = f"declare void {name}({t}, ptr, i32, {masks})"
        self.lines.append(f"  call void {name}({t} {value}, ptr {pointer}, i32 {dtype.itemsize}, {masks} {mask})")

    def weave(self, stores: Sequence[Store], high: str) -> None:
        """Store what lies side by side: the first elements of all values, then the second ones."""
        values, n, dtype = [self.value(s.value) for s in stores], len(stores), stores[0].value.dtype
        t, one, lanes = memory(dtype, self.lanes), memory(dtype), self.lanes
        if n > 2:  # two vectors twice as long, as LLVM shuffles two
            t, values = memory(dtype, 2 * lanes), [self.side_by_side(values[k : k + 2], dtype) for k in (0, 2)]
        pointer = self.pointer(stores[0].buffer, stores[0].address, dtype)
        for k in range(0, n * lanes, lanes):
            places = numbers([j % n * lanes + j // n for j in range(k, k + lanes)])
            x = self.emit(f"shufflevector {t} {values[0]}, {t} {values[1]}, {places}")
            at = self.emit(f"getelementptr {one}, ptr {pointer}, i64 {k}")
            mask = ""
            if self.mask:
                ends = self.places["variable", self.moving], high
                low, end = (self.emit(f"mul nuw nsw i64 {i}, {n}") for i in ends)
                mask = self.lanes_until(self.emit(f"add nuw nsw i64 {low}, {k}"), end)
            self.stored(memory(dtype, lanes), x, at, dtype, mask)

    def side_by_side(self, xs: Sequence[str], dtype: DType) -> str:
        """One vector from two; from one, twice that."""
        t = memory(dtype, self.lanes)
        return self.emit(f"shufflevector {t} {xs[0]}, {t} {xs[-1]}, {numbers(range(2 * self.lanes))}")

    def is_aligned(self, s: Store) -> bool:
        """Do vectors stored here begin at multiples of their size, as the memory of large outputs does?"""
        steps = [s.address.const, *(k for v, k in s.address.terms if v != self.moving)]
        starts = all(self.moving != loop.variable or step % self.lanes == 0 for loop, step in self.spans)
        return self.lanes > 1 and starts and not s.at and all(k % self.lanes == 0 for k in steps)

    def update(self, s: Update) -> None:
        value = self.value(s.value)
        self.combined(s, value)

    def combined(self, s: Update, value: str) -> None:
        """accumulator = combine(accumulator, value)."""
        t, slot = register(s.value.dtype), self.accumulators[s.accumulator]
        if s.combine != "set":
            old = self.emit(f"load {t}, ptr {slot}")
            value = self.binary(s.combine, old, value, s.value.dtype, reassociate=True)
        self.lines.append(f"  store {t} {value}, ptr {slot}")

    # ── vectors ──────────────────────────────────────────────────────────────────────────────────
    def vectors(self, s: Loop, how: Vectors, low: str, high: str) -> None:
        """A loop in vectors; what does not change is computed before it."""
        with self.scope():
            self.stretches(s, how, self.uniform(how), low, high)

    def stretches(self, s: Loop, how: Vectors, known: dict[int, str], low: str, high: str) -> None:
        """Full vectors as long as there are any, then what is left, masked."""
        step = how.lanes * how.unroll
        passes = next((n for loop, n in self.spans if loop is s), None)
        if s.extent % step == 0 and (passes is None or passes % step == 0):
            self.full(s, how, known, low, high, how.unroll)
        elif how.long or 2 * how.lanes < s.extent < 4 * how.lanes:  # a mask costs less than a second loop
            self.full(s, how, known, low, high, how.unroll, masked=True)
        elif passes is not None:
            size = self.emit(f"sub nuw nsw i64 {high}, {low}")
            middle = self.emit(f"and i64 {size}, {-step}")
            middle = self.emit(f"add nuw nsw i64 {low}, {middle}")
            with self.unless_equal(low, middle):
                self.full(s, how, known, low, middle, how.unroll)
            with self.unless_equal(middle, high):
                self.full(s, how, known, middle, high, masked=True)
        else:
            middle = str(s.extent // step * step)
            if middle != low:
                self.full(s, how, known, low, middle, how.unroll)
            if s.extent - int(middle) == 1:
                self.one(s, middle)
            else:
                self.full(s, how, known, middle, high, masked=True)

    def one(self, s: Loop, at: str) -> None:
        """A single pass. Not as a vector with one lane: of a narrowed number LLVM 22 then stores all that was not cut
        off, over what lies behind it, if it knows the mask (a masked store of a truncated vector, made a scalar one).
        """
        with self.scope():
            self.places["variable", s.variable] = at
            self.block_of(s.body)

    def full(
        self, s: Loop, how: Vectors, known: dict[int, str], low: str, high: str, unroll: int = 1, masked: bool = False
    ) -> None:
        """The passes low .. high − 1, `unroll` vectors at a time."""
        updates = [t for t in s.body if isinstance(t, Update) for _ in range(unroll)]
        with self.scope(lanes=how.lanes, mask="", moving=s.variable):
            carried = []
            for t in updates:
                self.count += 1
                first = literal(neutral(t.combine, t.value.dtype), t.value.dtype, how.lanes)
                carried.append((self.type(t.value.dtype), first, f"%sum{self.count}"))
            i, old, close = self.begin(low, high, how.lanes * unroll, carried)
            new: list[str] = []
            starts = [i, *(self.emit(f"add nuw nsw i64 {i}, {u * how.lanes}") for u in range(1, unroll))]
            masks = [self.lanes_until(at, high) if masked else "" for at in starts]
            vectors = [(dict(known), {**self.places, ("variable", s.variable): at}, m) for at, m in zip(starts, masks)]
            for statement in s.body:
                # side by side: they do not wait for each other
                for x in needed(read(statement), vectors[0][0], always=True):
                    for vector in vectors:
                        self.enter(*vector)
                        self.value(x)
                for vector in vectors:
                    self.enter(*vector)
                    if isinstance(statement, Store) and statement.buffer in how.woven:
                        if statement is how.woven[statement.buffer][-1]:
                            self.weave(how.woven[statement.buffer], high)
                    elif isinstance(statement, Store):
                        self.store(statement)
                    elif isinstance(statement, Update):
                        new.append(self.added(statement, old[len(new)]))
            close(*new)
            self.mask = ""
            firsts = range(0, len(updates), unroll)
            sums = [self.together(updates[k].combine, new[k : k + unroll], updates[k].value.dtype) for k in firsts]
        for t, total in zip(updates[::unroll], sums):
            self.combined(t, self.across(t.combine, total, t.value.dtype, how.lanes))

    def enter(self, known: dict[int, str], places: dict[Any, str], mask: str) -> None:
        """Write the next lines for this one of several vectors."""
        self.known, self.places, self.mask = known, places, mask

    def added(self, s: Update, old: str) -> str:
        """The lanes of an accumulator after this pass."""
        value = self.value(s.value)
        new = self.binary(s.combine, old, value, s.value.dtype, reassociate=True)
        t = self.type(s.value.dtype)
        return self.emit(f"select <{self.lanes} x i1> {self.mask}, {t} {new}, {t} {old}") if self.mask else new
