"""plan: where every value lives. Inputs and outputs are the caller's arrays; what is between shares one arena.

Floor 4. A value's place in the arena is free again after the last kernel that reads it. Places are aligned to 64 bytes,
and no kernel writes where it reads.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from minigrad.graph import Atom, Const, Var
from minigrad.op import ndarray
from minigrad.passes.schedule.parts import CopyKernel, Kernel, LoopKernel, Schedule

ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Place:
    """kind: "constant", "input" or "output" with a number, or "arena" with an offset in bytes."""

    kind: str
    at: int


@dataclass(eq=False)
class Plan:
    """The places of all values a schedule stores, the constants among them, and the size of the arena."""

    schedule: Schedule
    places: dict[Atom, Place]
    constants: list[ndarray]
    arena: int

    def place(self, a: Atom) -> Place:
        return self.places[self.schedule.base(a)]


def plan(schedule: Schedule) -> Plan:
    """Places for everything, the arena filled first fit."""
    places: dict[Atom, Place] = {v: Place("input", k) for k, v in enumerate(schedule.graph.inputs)}
    constants: list[ndarray] = []
    copied = {kernel.output for kernel in schedule.kernels if isinstance(kernel, CopyKernel)}
    for k, a in enumerate(schedule.graph.outputs):
        if k not in copied:
            places[schedule.base(a)] = Place("output", k)
    last: dict[Atom, int] = {}
    for k, kernel in enumerate(schedule.kernels):
        for a in (*kernel.reads(), *kernel.writes()):
            base = schedule.base(a)
            last[base] = k
            if isinstance(base, Const) and base not in places:
                places[base] = Place("constant", len(constants))
                constants.append(base.array)
    arena = _fill(schedule, places, last)
    return Plan(schedule, places, constants, arena)


def _fill(schedule: Schedule, places: dict[Atom, Place], last: dict[Atom, int]) -> int:
    """Places in the arena for what has none yet; the bytes it takes."""
    free: list[tuple[int, int]] = []  # (start, size), sorted, never touching
    dying: dict[int, list[tuple[int, int]]] = {}
    end = 0
    for k, kernel in enumerate(schedule.kernels):
        for v in kernel.writes():
            if v in places:
                continue
            size = _size(v, kernel)
            start = _first_fit(free, size)
            if start is None:
                start, end = end, end + size
            places[v] = Place("arena", start)
            dying.setdefault(last[v], []).append((start, size))
        for gap in dying.pop(k, ()):
            _release(free, gap)
    return end


def _size(v: Var, kernel: Kernel) -> int:
    """Bytes for a value; of scratch only one row is ever there."""
    size = v.type.size
    if isinstance(kernel, LoopKernel):
        size = next((kernel.row_size(r) for r in kernel.scratch if r.out is v), size)
    nbytes: int = max(size, 1) * v.type.dtype.itemsize
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def _first_fit(free: list[tuple[int, int]], size: int) -> int | None:
    for i, (start, gap) in enumerate(free):
        if gap >= size:
            free[i : i + 1] = [(start + size, gap - size)] if gap > size else []
            return start
    return None


def _release(free: list[tuple[int, int]], gap: tuple[int, int]) -> None:
    insort(free, gap)
    i = free.index(gap)
    if i + 1 < len(free) and sum(free[i]) == free[i + 1][0]:
        free[i : i + 2] = [(free[i][0], free[i][1] + free[i + 1][1])]
    if i and sum(free[i - 1]) == free[i][0]:
        free[i - 1 : i + 1] = [(free[i - 1][0], free[i - 1][1] + free[i][1])]
