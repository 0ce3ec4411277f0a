"""The function of a program while it is being written: its lines, blocks and loops.

Floor 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.loops import signals
from minigrad.loops.llvm_scalars import Module
from minigrad.types import TensorType


class Blocks:
    """LLVM's text, block by block; and how much work has been written since the last look for signals."""

    def __init__(self, vector: int) -> None:
        self.module = Module(vector)
        self.lines: list[str] = []
        self.block, self.count = "entry", 0
        self.work = self.unlooked = 0  # scalar operations in all, and since a look for signals; here, without loops

    def emit(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"  %r{self.count} = {text}")
        return f"%r{self.count}"

    def begin(self, block: str) -> None:
        self.lines.append(f"{block}:")
        self.block = block

    def worked(self, work: int) -> None:
        """So much has been done: is it time to look for signals?"""
        self.work += work
        self.unlooked += work
        if self.unlooked > signals.OFTEN:
            self.look()

    def look(self) -> None:
        self.unlooked = 0
        raised = self.emit(f"call i32 @{signals.CHECK}(ptr %state)")
        self.unless(raised)

    def unless(self, raised: str, left: bool = False) -> None:
        """End here if this is not 0: something has raised (`left`: in a part, which has let go of everything)."""
        self.count += 1
        k, fine = self.count, self.emit(f"icmp eq i32 {raised}, 0")
        self.lines.append(f"  br i1 {fine}, label %fine{k}, label %stop{k}")
        self.begin(f"stop{k}")
        self.lines += [f"  ret i32 {raised}"] if left else leave(raised)
        self.begin(f"fine{k}")

    def copy(self, into: str, source: str, t: TensorType) -> None:
        """Copy a value; onto itself is fine."""
        if t.size:
            name = "llvm.memcpy.p0.p0.i64"
            self.module.declarations[name] = f"declare void @{name}(ptr, ptr, i64, i1)"
            self.lines.append(f"  call void @{name}(ptr {into}, ptr {source}, i64 {bytes_of(t)}, i1 false)")

    def loop(
        self, start: Sequence[str], first: Sequence[str], second: Sequence[str]
    ) -> tuple[str, list[str], list[str]]:
        """Begin a loop: its counter, where the carries are in this step, and where their new values go.

        They start where they are given; then `first` and `second` take turns.
        """
        self.count += 1
        self.unlooked = 0
        k, before = self.count, self.block
        self.lines.append(f"  br label %loop{k}")
        self.begin(f"loop{k}")
        self.lines.append(f"  %i{k} = phi i64 [0, %{before}], [%n{k}, %next{k}]")
        now, new, old = ([f"%{what}{k}.{j}" for j in range(len(start))] for what in ("now", "new", "old"))
        for names, begins, later in ((now, start, new), (new, first, old), (old, second, new)):
            for name, begin, then in zip(names, begins, later):
                self.lines.append(f"  {name} = phi ptr [{begin}, %{before}], [{then}, %next{k}]")
        return f"%i{k}", now, new

    def next(self, i: str) -> str:
        """The end of a step: the counter of the next. Every so much work there is a look for signals."""
        self.work += signals.LONG
        done = self.emit("load i64, ptr %work")
        done = self.emit(f"add i64 {done}, {self.unlooked + signals.STEP}")
        self.lines.append(f"  store i64 {done}, ptr %work")
        self.count += 1
        k, much = self.count, self.emit(f"icmp ugt i64 {done}, {signals.OFTEN}")
        self.lines.append(f"  br i1 {much}, label %look{k}, label %go{k}")
        self.begin(f"look{k}")
        self.lines.append("  store i64 0, ptr %work")
        self.look()
        self.lines.append(f"  br label %go{k}")
        self.begin(f"go{k}")
        self.lines.append(f"  br label %next{i[2:]}")
        self.begin(f"next{i[2:]}")
        self.lines.append(f"  %n{i[2:]} = add nuw nsw i64 {i}, 1")
        return f"%n{i[2:]}"

    def slice(self, pointer: str, step: str, t: TensorType) -> str:
        offset = self.emit(f"mul nsw i64 {step}, {bytes_of(t)}")
        return self.emit(f"getelementptr i8, ptr {pointer}, i64 {offset}")


def leave(result: str | int) -> list[str]:
    return [f"  call void @{signals.LEAVE}(ptr %state)", f"  ret i32 {result}"]


def bytes_of(t: TensorType) -> int:
    nbytes: int = t.size * t.dtype.itemsize
    return nbytes
