"""The order in which kernels run, and the outputs that none of them writes.

Floor 4.
"""

from __future__ import annotations

import heapq

from minigrad.graph import Atom
from minigrad.passes.schedule.parts import CopyKernel, ForeignKernel, Kernel, Schedule


def ordered(s: Schedule, places: list[int]) -> list[Kernel]:
    """Sorted so that what is loaded is there; effects keep their order."""
    writer: dict[Atom, int] = {v: k for k, kernel in enumerate(s.kernels) for v in kernel.writes()}
    waits: list[set[int]] = []
    last_effect: int | None = None
    for k, kernel in enumerate(s.kernels):
        before = {writer[v] for v in map(s.base, kernel.reads()) if v in writer} - {k}
        if isinstance(kernel, ForeignKernel) and kernel.node.op.effect:
            before |= {last_effect} if last_effect is not None else set()
            last_effect = k
        waits.append(before)
    readers: dict[int, list[int]] = {}
    for k, before in enumerate(waits):
        for b in before:
            readers.setdefault(b, []).append(k)
    ready = [(places[k], k) for k, before in enumerate(waits) if not before]
    heapq.heapify(ready)
    order: list[Kernel] = []
    while ready:
        _, k = heapq.heappop(ready)
        order.append(s.kernels[k])
        for r in readers.get(k, ()):
            waits[r].discard(k)
            if not waits[r]:
                heapq.heappush(ready, (places[r], r))
    assert len(order) == len(s.kernels), "kernels wait for each other"
    return order


def copy_outputs(s: Schedule) -> None:
    """Outputs that no kernel can write directly: inputs, constants, and values that are already an output."""
    written = {v for kernel in s.kernels for v in kernel.writes()}
    for k, a in enumerate(s.graph.outputs):
        base = s.base(a)
        if base in written:
            written.remove(base)
        else:
            s.kernels.append(CopyKernel(a, k))
