"""Updates where the tensor stands: x with new elements at some places, in the memory of x, if nobody reads x later.

Floor 4. A loop that writes one element a step would copy the whole tensor each time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from minigrad.graph import Atom, Var
from minigrad.loops.index import address, identity
from minigrad.passes.schedule.parts import LoopKernel, Schedule


def in_place(s: Schedule, carries: Mapping[Var, int]) -> None:
    """Let updates share the memory of what they are put into. `carries`: inputs the caller lets be overwritten, if the
    result is the output of that number."""
    last: dict[Atom, int] = {s.base(a): k for k, kernel in enumerate(s.kernels) for a in kernel.reads()}
    given = set(map(s.base, s.graph.outputs))
    updates: dict[Atom, LoopKernel] = {}  # by what they are put into
    owned: set[Atom] = set()
    for k, kernel in enumerate(s.kernels):
        x = _updated(kernel, s) if isinstance(kernel, LoopKernel) else None
        if x is not None and last[x] == k and x not in given:
            updates[x] = kernel  # type: ignore[assignment]
        owned.update(v for v in kernel.writes() if not isinstance(kernel, LoopKernel) or v not in _scratch(kernel))
    for x, c in carries.items():
        end: Atom = x
        while end in updates:
            end = updates[end].roots[0].out
        if s.base(s.graph.outputs[c]) is end:
            owned.add(x)
    for x, kernel in updates.items():
        if x in owned:
            kernel.in_place = True
            s.alias[kernel.roots[0].out] = x


def _scratch(kernel: LoopKernel) -> set[Var]:
    return {r.out for r in kernel.scratch}


def _updated(kernel: LoopKernel, s: Schedule) -> Atom | None:
    """What a kernel copies and then puts elements into, if it reads none of it after the first has been written."""
    parts = kernel.roots[0].parts
    if len(kernel.roots) > 1 or len(parts) != 2 or parts[1].put is None or parts[0].steps:
        return None
    a, view = parts[0].value
    if not isinstance(a, Var) or view != identity(a.type.shape) or a.type.size != kernel.roots[0].out.type.size:
        return None
    x = s.base(a)
    beside = any(s.base(b) is x for b, _ in parts[1].reads)
    return None if beside and math.prod(parts[1].extents) > 1 else x


def reads_where_it_writes(s: Schedule, kernel: LoopKernel, old: Var, out: Var) -> bool:
    """Does a kernel read `old` only where it writes `out`, and never after that?"""
    order = {r.out: k for k, r in enumerate(kernel.roots)}
    writer = kernel.roots[order[out]]
    reads = [(r, a, view) for r in kernel.roots for part in r.parts for a, view in part.reads if s.base(a) is old]
    for _, a, view in reads:
        if a.type.size != out.type.size or not view or address(view, a.type.shape) != writer.parts[0].target:
            return False
    if any(r.kind != "map" or r.extents != kernel.rows for r in kernel.roots):  # then in an earlier loop over the row
        stages = kernel.stages()
        return writer.kind == "map" and all(r is writer or stages[r] < stages[writer] for r, *_ in reads)
    names = {a for _, a, _ in reads}  # one, so that it is loaded once, and before it is written
    return len(names) < 2 and min((order[r.out] for r, *_ in reads), default=0) <= order[out]
