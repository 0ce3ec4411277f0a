"""Loops in LLVM IR, around what a vector takes: their counters, what is known inside, and loops in tiles.

Floor 4. They have their test at the end, as LLVM wants them (a single pass is no loop).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from minigrad.loops.llvm_lanes import Lanes, numbers
from minigrad.loops.llvm_scalars import Module, memory
from minigrad.loops.nest import Loop, Statement
from minigrad.loops.scalar import Scalar
from minigrad.loops.vectors import Tiles, Vectors
from minigrad.types import DType

# Passes of the inner loop, of a block of tiles. All at once: 4000x4000 float32 14 ms in place of 10, (2, 1, 0) of
# 64x64x1000 3.6 in place of 2.6, as lines of the cache are gone before their second half is read.
_ROWS = 1024


class Loops(Lanes):
    """Lines being written, in blocks."""

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self.slots: list[str] = []  # memory on the stack: for accumulators, until LLVM finds them registers, and tiles
        self.block = "entry"

    @contextmanager
    def scope(self, **attributes: Any) -> Any:
        """What becomes known inside is forgotten; these attributes have other values inside."""
        before = {name: getattr(self, name) for name in ("known", "places", *attributes)}
        self.known, self.places = dict(self.known), dict(self.places)
        for name, x in attributes.items():
            setattr(self, name, x)
        yield
        for name, x in before.items():
            setattr(self, name, x)

    def begin(self, low: str, high: str, step: int, carried: Sequence[tuple[str, str, str]] = ()) -> Any:
        """The counter of a loop that begins here, and what ends it. `carried`: type, first value, name of its phi.

        Who ends it gives the new values of the carried in order.
        """
        self.count += 1
        k, before = self.count, self.block
        i, following = f"%i{k}", f"%n{k}"
        if low.isdigit() and high.isdigit() and int(high) - int(low) <= step:
            return low, [first for _, first, _ in carried], lambda *new: None  # a single pass
        self.lines.append(f"  br label %loop{k}\nloop{k}:")
        place = len(self.lines)
        self.lines.append("")
        self.block = f"loop{k}"

        def close(*new: str) -> None:
            heads = [f"  {i} = phi i64 [{low}, %{before}], [{following}, %{self.block}]"]
            for (t, first, name), x in zip(carried, new, strict=True):
                heads.append(f"  {name} = phi {t} [{first}, %{before}], [{x}, %{self.block}]")
            self.lines[place] = "\n".join(heads)
            self.lines.append(f"  {following} = add nuw nsw i64 {i}, {step}")
            last = self.emit(f"icmp eq i64 {following}, {high}" if step == 1 else f"icmp sge i64 {following}, {high}")
            self.lines.append(f"  br i1 {last}, label %done{k}, label %loop{k}\ndone{k}:")
            self.block = f"done{k}"

        return i, [name for *_, name in carried], close

    @contextmanager
    def unless_equal(self, a: str, b: str) -> Any:
        self.count += 1
        k, same = self.count, self.emit(f"icmp eq i64 {a}, {b}")
        self.lines.append(f"  br i1 {same}, label %none{k}, label %some{k}\nsome{k}:")
        self.block = f"some{k}"
        yield
        self.lines.append(f"  br label %none{k}\nnone{k}:")
        self.block = f"none{k}"

    def uniform(self, how: Vectors) -> dict[int, str]:
        """By serial, in every lane what does not change."""
        known = {}
        for x in how.uniform:
            self.places["at", x.serial] = one = self.value(x)
            known[x.serial] = self.spread(one, x.dtype, how.lanes)
        return known

    # ── tiles ────────────────────────────────────────────────────────────────────────────────────
    def tiles(
        self, s: Loop, found: Tiles, low: str, high: str, inside: Callable[[tuple[Statement, ...]], None]
    ) -> None:
        """Loops in tiles: what is in order along the outer one is read so, turned, and kept until the tile is done.

        `inside` prints the body.
        """
        lanes, inner, slots = found.how.lanes, found.inner, {}
        for x in found.loads:
            slots[x.serial] = slot = f"%tile{len(self.slots)}"
            self.slots.append(f"  {slot} = alloca [{lanes} x {memory(x.dtype, lanes)}]")
        with ExitStack() as loops, self.scope(turned={}):

            def counted(low: str, high: str, step: int) -> str:
                i, _, close = self.begin(low, high, step)
                loops.callback(close)
                return str(i)

            for loop in found.others:
                self.places["variable", loop.variable] = counted("0", str(loop.extent), 1)
            first = counted("0", str(inner.extent), _ROWS)
            end = self.least(self.emit(f"add nuw nsw i64 {first}, {_ROWS}"), str(inner.extent))
            i = counted(low, high, lanes)
            j = counted(first, end, lanes)
            with self.scope(lanes=lanes, mask=""):
                self.places["variable", s.variable], self.places["variable", inner.variable] = i, j
                if s.extent % lanes or high != str(s.extent):
                    self.mask = self.lanes_until(i, high)
                for x in found.loads:
                    self.tile(x, inner, slots[x.serial])
            u = counted("0", self.least(self.emit(f"sub nuw nsw i64 {high}, {i}"), str(lanes)), 1)
            self.places["variable", s.variable] = self.emit(f"add nuw nsw i64 {i}, {u}")
            for x in found.loads:
                row = f"getelementptr {memory(x.dtype, lanes)}, ptr {slots[x.serial]}, i64 {u}"
                self.turned[x.serial] = self.emit(row)
            self.known.update(self.uniform(found.how))
            with self.scope(lanes=lanes, mask="", moving=inner.variable):
                self.places["variable", inner.variable] = j
                self.mask = self.lanes_until(j, str(inner.extent)) if inner.extent % lanes else ""
                inside(inner.body)

    def tile(self, x: Scalar, inner: Loop, slot: str) -> None:
        """A tile of a load, turned. Rows behind the last are the last one again."""
        buffer, address = x.what
        t, step, rows = memory(x.dtype, self.lanes), address.coefficient(inner.variable), []
        first, at = self.pointer(buffer, address, x.dtype), self.places["variable", inner.variable]
        last = self.emit(f"sub nuw nsw i64 {inner.extent - 1}, {at}")
        for k in range(self.lanes):
            row = self.least(last, str(k)) if inner.extent % self.lanes else str(k)
            row = self.emit(f"mul nsw i64 {row}, {step}")
            pointer = self.emit(f"getelementptr {memory(x.dtype)}, ptr {first}, i64 {row}")
            load = f"load {t}, ptr {pointer}, align {x.dtype.itemsize}"
            rows.append(self.loaded(pointer, x.dtype) if self.mask else self.emit(load))
        for k, column in enumerate(self.transposed(rows, x.dtype)):
            to = self.emit(f"getelementptr {t}, ptr {slot}, i64 {k}")
            self.lines.append(f"  store {t} {column}, ptr {to}, align {self.lanes * x.dtype.itemsize}")

    def transposed(self, rows: Sequence[str], dtype: DType) -> list[str]:
        """As many vectors as each has lanes: the first elements of all, the second ones, and so on.

        In steps: a half of one vector changes places with the other half of that k before it, for k = 1, 2, 4 ...
        """
        n, t, xs, k = self.lanes, memory(dtype, self.lanes), list(rows), 1
        while k < n:
            low = numbers([i if i & k == 0 else n + i - k for i in range(n)])
            high = numbers([i + k if i & k == 0 else n + i for i in range(n)])
            for i in (i for i in range(n) if i & k == 0):
                pair = f"{t} {xs[i]}, {t} {xs[i + k]}"
                xs[i], xs[i + k] = (self.emit(f"shufflevector {pair}, {places}") for places in (low, high))
            k *= 2
        return xs
