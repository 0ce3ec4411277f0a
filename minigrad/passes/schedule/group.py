"""Which roots are computed together: kernels, and the order they run in.

Floor 4. Every root gets a level: one more than those of the values it loads, or the same as theirs where it can be
computed at the same point of the same loops. Roots of one level and one loop space that are so connected form a
kernel. Levels make this safe: a path from one kernel to another always climbs, so no two wait for each other.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from minigrad.graph import Atom, Graph, Var
from minigrad.loops.index import identity
from minigrad.passes.schedule.inline import Inliner
from minigrad.passes.schedule.parts import CopyKernel, ForeignKernel, Kernel, LibraryKernel, LoopKernel, Root, Schedule

_ROOTS, _WORK = 12, 600  # in one kernel: more would not fit the machine's registers, or take long to compile


class Groups:
    """Roots gathered into kernels, in the graph's order."""

    def __init__(self, found: Inliner) -> None:
        self.found = found
        self.levels: dict[Var, int] = {}
        self.group: dict[Var, list[Root]] = {}  # the roots computed together with a root, itself included
        self.beside: dict[tuple[int, Atom, tuple[int, ...]], Root] = {}
        for n in found.graph.nodes:
            root = found.roots.get(n.out) if n.outs else None
            if root is not None:
                self._place(root)
            elif found.kinds[id(n)] in ("foreign", "library"):
                call = found.calls.get(n.outs[0]) if n.outs else None
                reads = call[1:] if call else n.ins
                level = 1 + max(map(self._level, reads), default=0)
                self.levels.update(dict.fromkeys(n.outs, level))

    def _level(self, a: Atom) -> int:
        while isinstance(a, Var) and a in self.found.alias:
            a = self.found.alias[a]
        return self.levels.get(a, 0) if isinstance(a, Var) else 0

    def _place(self, root: Root) -> None:
        level, mates = 1, []
        for part in root.parts:
            for a, _ in part.reads:
                mate = self._mate(root, a)
                level = max(level, self._level(a) + (mate is None))
                if mate is not None:
                    mates.append(mate)
        mates = [m for m in mates if m.level == level]
        if mates and not self._room([root, *mates]):
            level, mates = level + 1, []
        root.level = self.levels[root.out] = level
        self._join(root, mates)

    def _mate(self, root: Root, a: Atom) -> Root | None:
        """The root of a value that `root` loads just where it would be computed."""
        mate = self.found.roots.get(a) if isinstance(a, Var) else None
        if mate is None or mate.kind != "map" or root.kind != "map" or mate.extents != root.extents:
            return None
        here = identity(root.extents)
        return mate if all(view == here for b, view in root.parts[0].reads if b is a) else None

    def _room(self, roots: Iterable[Root]) -> bool:
        together = {id(r): r for root in roots for r in self.group.get(root.out, [root])}
        work = sum(part.cost for r in together.values() for part in r.parts)
        return len(together) <= _ROOTS and work <= _WORK

    def _join(self, root: Root, mates: list[Root]) -> None:
        """One group of the root, its mates, and whoever loads the same value in the same loops."""
        self.group[root.out] = [root]
        if root.kind == "map":
            for a, _ in root.parts[0].reads:
                beside = self.beside.setdefault((root.level, a, root.extents), root)
                if beside is not root and self._room([root, *mates, beside]):
                    mates = [*mates, beside]
        for mate in mates:
            mine, other = self.group[root.out], self.group[mate.out]
            if mine is not other:
                other += mine
                self.group.update({r.out: other for r in mine})


def schedule(graph: Graph, found: Inliner) -> Schedule:
    """The kernels in an order that can be run: as near to the graph's as their dependences allow."""
    groups = Groups(found)
    kernels: list[Kernel] = []
    places: list[int] = []  # of a kernel's last node in the graph
    made: dict[int, int] = {}  # the kernel of a group
    for k, n in enumerate(graph.nodes):
        kind = found.kinds[id(n)]
        if kind == "foreign":
            kernels.append(ForeignKernel(n))
        elif n.outs[0] in found.calls:
            kernels.append(LibraryKernel(n, found.calls[n.out][0], found.calls[n.out][1:]))
        elif n.out in found.roots:
            roots = groups.group[n.out]
            if id(roots) in made:
                places[made[id(roots)]] = k
                continue
            made[id(roots)] = len(kernels)
            kernels.append(LoopKernel(roots, []))
        else:
            continue
        places.append(k)
    position = {id(n): k for k, n in enumerate(graph.nodes)}
    for kernel in kernels:
        if isinstance(kernel, LoopKernel):
            kernel.roots.sort(key=lambda r: position[id(r.node)])
    result = Schedule(graph, kernels, found.alias)
    _keep(result)
    result.kernels = _ordered(result, places)
    _copies(result)
    return result


def _keep(s: Schedule) -> None:
    """Decide which roots are written to memory: those somebody outside their kernel loads."""
    outside = {s.base(a) for a in s.graph.outputs}
    for kernel in s.kernels:
        own = {r.out for r in kernel.roots} if isinstance(kernel, LoopKernel) else set()
        outside.update(s.base(a) for a in kernel.reads() if a not in own)
        if isinstance(kernel, LoopKernel) and len(kernel.roots) == 1:
            outside.add(kernel.roots[0].out)
    for kernel in s.kernels:
        if isinstance(kernel, LoopKernel):
            kernel.stored = [r for r in kernel.roots if r.out in outside]


def _ordered(s: Schedule, places: list[int]) -> list[Kernel]:
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


def _copies(s: Schedule) -> None:
    """Outputs that no kernel can write directly: inputs, constants, and values that are already an output."""
    written = {v for kernel in s.kernels for v in kernel.writes()}
    for k, a in enumerate(s.graph.outputs):
        base = s.base(a)
        if base in written:
            written.remove(base)
        else:
            s.kernels.append(CopyKernel(a, k))


