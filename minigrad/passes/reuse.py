"""Memory of outputs: which donated inputs' becomes an output's, and which is written past the caches.

Floor 4. `reuse`: an output may lie where an input lay, if the kernel that writes it comes after all that read the
input; that kernel itself may read the element it is about to write, as the update of a parameter does. `stream`: to
write past the caches spares reading what is overwritten, a third of what a copy moves.
"""

from __future__ import annotations

from collections.abc import Iterable

from minigrad.graph import Var
from minigrad.passes.schedule.in_place import reads_where_it_writes
from minigrad.passes.schedule.parts import CopyKernel, Kernel, LibraryKernel, LoopKernel, Schedule

STREAM = 1 << 22  # bytes; who reads so much later finds little of it in a cache


def reuse(schedule: Schedule, donated: Iterable[int]) -> dict[int, int]:
    """For outputs, the number of the input whose memory they take over; recorded in `schedule.reused`, too."""
    graph, found = schedule.graph, dict[int, int]()
    free = [j for j in donated if graph.inputs[j].type.size]
    copied = {kernel.output for kernel in schedule.kernels if isinstance(kernel, CopyKernel)}
    for k, a in enumerate(graph.outputs):
        out = schedule.base(a)
        if k in copied or not isinstance(out, Var):
            continue
        for j in free:
            old = graph.inputs[j]
            if old.type == out.type == a.type and _may_lie_there(schedule, old, out):
                found[k] = j
                schedule.reused[old] = out
                free.remove(j)
                break
    return found


def stream(schedule: Schedule) -> None:
    """Record in `schedule.streamed` the large outputs that lie in memory of their own and that no kernel reads."""
    reads = {schedule.base(a) for kernel in schedule.kernels for a in kernel.reads()}
    taken = {*reads, *schedule.reused.values()}
    outputs = {schedule.base(a) for a in schedule.graph.outputs}
    schedule.streamed = {a for a in outputs - taken if a.type.size * a.type.dtype.itemsize >= STREAM}


def _may_lie_there(schedule: Schedule, old: Var, out: Var) -> bool:
    kernels = list(enumerate(schedule.kernels))
    at = next(k for k, kernel in kernels if any(v is out for v in kernel.writes()))
    readers = [k for k, kernel in kernels if any(schedule.base(a) is old for a in kernel.reads())]
    last = max(readers, default=-1)
    return last < at or (last == at and _as_it_writes(schedule, schedule.kernels[at], old, out))


def _as_it_writes(schedule: Schedule, kernel: Kernel, old: Var, out: Var) -> bool:
    """Can a kernel write `out` where `old` stands, although it reads it?"""
    if isinstance(kernel, LibraryKernel):
        read = any(schedule.base(a) is old for a in kernel.operands) or out is kernel.node.out
        return kernel.tail is not None and not read and reads_where_it_writes(schedule, kernel.tail, old, out)
    return isinstance(kernel, LoopKernel) and reads_where_it_writes(schedule, kernel, old, out)
