"""plan: where every value lives. Inputs and outputs are the caller's arrays; what is between shares one arena.

Floor 4. A value's place in the arena is free again after the last kernel that reads it. Places are aligned to 64 bytes,
and no kernel writes where it reads, save updates in place. Loops and branches have their temporaries in the same arena.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

from minigrad.graph import Atom, Const, Var
from minigrad.op import ndarray
from minigrad.passes.schedule.parts import ControlKernel, CopyKernel, Kernel, LoopKernel, Schedule
from minigrad.types import TensorType

ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Place:
    """kind: "constant", "input" or "output" with a number, or "arena" with an offset in bytes."""

    kind: str
    at: int


@dataclass(eq=False)
class Plan:
    """The places of all values a schedule stores, and what the program as a whole needs: constants, an arena's size.

    `held`: the plans of a kernel's schedules, in the same arena, and its spare places there. Their inputs and outputs
    are for the kernel to place: slices of its operands and results, what it carries.
    """

    schedule: Schedule
    places: dict[Atom, Place]
    constants: list[ndarray]
    held: dict[ControlKernel, tuple[list[Plan], list[Place]]] = field(default_factory=dict)
    arena: int = 0

    def place(self, a: Atom) -> Place:
        return self.places[self.schedule.base(a)]


def plan(schedule: Schedule) -> Plan:
    """Places for everything."""
    arena = _Arena()
    result = _plan(schedule, [], arena)
    result.arena = arena.end
    return result


def _plan(schedule: Schedule, constants: list[ndarray], arena: _Arena) -> Plan:
    places: dict[Atom, Place] = {v: Place("input", k) for k, v in enumerate(schedule.graph.inputs)}
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
    result = Plan(schedule, places, constants)
    _fill(result, last, arena)
    return result


def _fill(plan: Plan, last: dict[Atom, int], arena: _Arena) -> None:
    """Places in the arena for what has none yet, and for what kernels hold, while everything around it lives."""
    dying: dict[int, list[tuple[int, int]]] = {}
    for k, kernel in enumerate(plan.schedule.kernels):
        for v in kernel.writes():
            base = plan.schedule.base(v)
            if base not in plan.places:
                gap = arena.take(_size(v, kernel))
                plan.places[base] = Place("arena", gap[0])
                dying.setdefault(last[base], []).append(gap)
        if isinstance(kernel, ControlKernel):
            spares = [arena.take(_bytes(t.size, t)) for t in kernel.spares()]
            inside = [_plan(held, plan.constants, arena) for held in kernel.held]
            plan.held[kernel] = inside, [Place("arena", start) for start, _ in spares]
            dying.setdefault(k, []).extend(spares)
        for gap in dying.pop(k, ()):
            arena.release(gap)


def _size(v: Var, kernel: Kernel) -> int:
    """Bytes for a value; of scratch only one row is ever there, or as many as go abreast."""
    size = v.type.size
    if isinstance(kernel, LoopKernel):
        size = next((kernel.room(r) for r in kernel.scratch if r.out is v), size)
    return _bytes(size, v.type)


def _bytes(size: int, t: TensorType) -> int:
    nbytes: int = max(size, 1) * t.dtype.itemsize
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


class _Arena:
    """Gaps (start, size) are taken first fit and given back."""

    def __init__(self) -> None:
        self.end = 0
        self._free: list[tuple[int, int]] = []  # sorted, never touching

    def take(self, size: int) -> tuple[int, int]:
        for i, (start, gap) in enumerate(self._free):
            if gap >= size:
                self._free[i : i + 1] = [(start + size, gap - size)] if gap > size else []
                return start, size
        self.end += size
        return self.end - size, size

    def release(self, gap: tuple[int, int]) -> None:
        free = self._free
        insort(free, gap)
        i = free.index(gap)
        if i + 1 < len(free) and sum(free[i]) == free[i + 1][0]:
            free[i : i + 2] = [(free[i][0], free[i][1] + free[i + 1][1])]
        if i and sum(free[i - 1]) == free[i][0]:
            free[i - 1 : i + 1] = [(free[i - 1][0], free[i - 1][1] + free[i][1])]
