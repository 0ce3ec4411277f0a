"""Which roots are computed together: kernels, and the order they run in.

Floor 4. Every root gets a level: one more than those of the values it loads, or the same as theirs where it can be
computed at the same point of the same loops. Roots of one level and one loop space that are so connected form a
kernel. Levels make this safe: a path from one kernel to another always climbs, so no two wait for each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from minigrad.graph import Atom, Graph, Node, Var
from minigrad.loops.index import Indices, identity
from minigrad.passes.schedule.columns import abreast, turned
from minigrad.passes.schedule.inline import Inliner
from minigrad.passes.schedule.matmul import MatMul
from minigrad.passes.schedule.order import copy_outputs, ordered
from minigrad.passes.schedule.parts import (
    ForeignKernel,
    Kernel,
    LibraryKernel,
    LoopKernel,
    PatchKernel,
    Root,
    Schedule,
)
from minigrad.passes.schedule.patches import Patches
from minigrad.types import TensorType

_ROOTS, _WORK = 16, 600  # in one kernel: more would not fit the machine's registers, or take long to compile
_ROW = 1 << 16  # elements of a row that are sure to stay in the cache between two loops over it
_SHORT, _FEW = 16, 4096  # rows this short are not worth loops of their own, unless there are few elements in all


@dataclass(eq=False)
class Group:
    """Roots computed together, and the loops they share: all of their loops, unless there are reductions among them."""

    roots: list[Root]
    rows: tuple[int, ...]
    places: tuple[int, ...] = ()  # of the rows' axes, from the last, if loops are turned (see `columns`)
    abreast: int = 0  # as of their kernel

    @property
    def fixed(self) -> bool:
        return any(r.kind == "reduce" and not r.across for r in self.roots)

    @property
    def loops(self) -> tuple[int, ...]:
        """The rows, but none if what is added up over all of them can be added up in one loop."""
        whole = not self.fixed and all(r.extents == self.rows for r in self.roots)
        return () if whole and any(r.total for r in self.roots) else self.rows


class Groups:
    """Roots gathered into groups, in the graph's order."""

    def __init__(self, found: Inliner) -> None:
        self.found = found
        self.levels: dict[Var, int] = {}
        self.group: dict[Var, Group] = {}
        self.beside: dict[tuple[int, Atom, tuple[int, ...]], Root] = {}
        self.apart: list[tuple[Root, Root, str]] = []  # what loads what from another kernel, and why it is another
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
        reads = [a for part in root.parts for a, _ in part.reads]
        level = max([1, *map(self._level, reads)])
        mine = Group([root], _rows(root))
        joined = self._together(mine, [a for a in reads if self._level(a) == level])
        if joined is None:  # something of this level is loaded, and is there only when its kernel is done
            level, joined = level + 1, mine
        root.level = self.levels[root.out] = level
        for a in reads if not root.alone else ():
            beside = self.beside.setdefault((level, a, root.extents), root)
            if beside is not root and root.kind in ("map", "reduce"):
                united = self._united(joined, self.group[beside.out])
                joined = joined if isinstance(united, str) else united
        for r in joined.roots:
            self.group[r.out] = joined

    def _together(self, mine: Group, reads: list[Atom]) -> Group | None:
        """The group of a root and of the values of its own level that it loads; None if they do not go together."""
        for a in reads:
            mate = self.found.roots.get(a) if isinstance(a, Var) else None
            if mate is None:
                return None
            theirs = self.group[mate.out]
            united = self._united(mine, theirs)
            inside = mate.kind == "reduce" and mate.kept is None and not mate.total  # not over the innermost axes
            if isinstance(united, str) and inside and not theirs.places:
                united = _turned(mine, theirs, mate.out.type.shape, _places(mate))
            if isinstance(united, str):
                if mate.total:
                    united = f"one needs all {math.prod(mate.extents)} elements of the other"
                self.apart.append((mine.roots[-1], mate, united))
                return None
            mine = united
        return mine

    def _united(self, a: Group, b: Group) -> Group | str:
        """Both groups in one kernel, if they can share their outer loops; else why they cannot."""
        if any(r.out is b.roots[0].out for r in a.roots):  # already together
            return a
        if a.places or b.places:
            one = a if a.places else b
            return _turned(a, b, one.rows, one.places)
        rows = min(a.rows, b.rows, key=len)
        roots = [*b.roots, *a.roots]
        if any(g.fixed and g.rows != rows for g in (a, b)):
            return f"their rows differ: {_sizes(a.rows)} and {_sizes(b.rows)}"
        if any(r.alone for r in roots):
            return "pads, concatenations, products, running totals and sorts have loops of their own"
        whole = all(r.extents == rows for r in roots)
        if not whole:
            length = max(math.prod(r.extents[len(rows) :]) for r in roots)
            unfit = _against_rows(math.prod(rows), length)
            if unfit:
                return unfit
        if any(r.extents[: len(rows)] != rows or (r.kept is not None and r.kept != rows) for r in roots):
            return f"not all of it runs over the rows {_sizes(rows)}"
        if not _room(roots):
            return "together they would be larger than kernels may be"
        return Group(roots, rows) if _same_rows(roots, rows) else "it reads more than its own row"


def _places(mate: Root) -> tuple[int, ...]:
    """Of the axes that a reduction keeps, counted from the last."""
    axes = mate.node.op.axes  # type: ignore[attr-defined]
    return tuple([d - len(mate.extents) for d in range(len(mate.extents)) if d not in axes])


def _turned(a: Group, b: Group, rows: tuple[int, ...], places: tuple[int, ...]) -> Group | str:
    """Both groups in one kernel whose rows lie along these axes, if that can be done and is worth it; else why not."""
    every = [(r, (group.rows, group.places) == (rows, places)) for group in (b, a) for r in group.roots]
    found = [r if already else turned(r, rows, places) for r, already in every]
    roots = [r for r in found if r is not None]
    if len(roots) < len(found):
        return f"not all of it runs over the rows {_sizes(rows)}"
    long = max((r.extents[len(rows) :] for r in roots), key=math.prod)
    length, stretch = math.prod(long), math.prod(long[len(long) + 1 + places[-1] :])
    if places[-1] == -1:
        width, unfit = abreast(rows, places, length)
    else:
        width, unfit = 0, _against_rows(math.prod(rows), length) or _against_rows(math.prod(rows), stretch)
    if unfit:
        return unfit
    if not _room(roots):
        return "together they would be larger than kernels may be"
    return Group(roots, rows, places, width) if _same_rows(roots, rows) else "it reads more than its own row"


def _sizes(rows: tuple[int, ...]) -> str:
    return "×".join(map(str, rows)) or "one"


def _rows(root: Root) -> tuple[int, ...]:
    """The loops a root could share with others."""
    return root.extents if root.kept is None else root.kept


def _against_rows(rows: int, length: int) -> str:
    """What speaks against a kernel whose outer loop goes over so many rows; nothing if nothing does."""
    if rows <= 1:
        return f"one needs all {length} elements of the other, and there is only one such row"
    if length > _ROW:
        return f"a row of {length} elements does not stay in the cache between two loops over it"
    short = length < _SHORT and rows * length > _FEW
    return f"rows of {length} element{'s' * (length != 1)} are too short for loops of their own" if short else ""


def _room(roots: Iterable[Root]) -> bool:
    every = list(roots)
    return len(every) <= _ROOTS and sum(part.cost for r in every for part in r.parts) <= _WORK


def _same_rows(roots: list[Root], rows: tuple[int, ...]) -> bool:
    """Does each root load only its own row of the others, and are all reductions along or across rows?"""
    here, by_value = identity(rows), {r.out: r for r in roots}
    for root in roots:
        if root.kind == "reduce" and not root.across and root.kept is None:
            return False
        for a, view in root.parts[0].reads:
            mate = by_value.get(a) if isinstance(a, Var) else None
            if mate is not None and (mate.across or _of_row(view, mate, len(rows)) != here):
                return False
    return True


def _of_row(view: Indices, mate: Root, rows: int) -> Indices:
    """In which row of a root a place lies; less than that, if it may be anywhere."""
    return tuple([view[d] for d in mate.row(rows) if d < len(view)])


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
            kernels.append(_library(n, *found.calls[n.out]))
        elif n.out in found.roots:
            together = groups.group[n.out]
            if id(together) in made:
                places[made[id(together)]] = k
                continue
            made[id(together)] = len(kernels)
            kernels.append(LoopKernel(together.roots, together.loops, together.abreast))
        else:
            continue
        places.append(k)
    position = {id(n): k for k, n in enumerate(graph.nodes)}
    for kernel in kernels:
        if isinstance(kernel, LoopKernel):
            kernel.roots.sort(key=lambda r: position[id(r.node)])
    result = Schedule(graph, kernels, found.alias, why=found.why, apart=groups.apart)
    _keep(result)
    result.kernels = ordered(result, places)
    copy_outputs(result)
    return result


def _library(n: Node, call: MatMul | Patches, a: Atom, b: Atom) -> Kernel:
    if isinstance(call, MatMul):
        return LibraryKernel(n, call, (a, b))
    return PatchKernel(n, call, (a, b), panel=Var(TensorType((call.blocks[0], *call.panel), call.dtype)))


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
            later = _read_later(kernel)
            if kernel.abreast:  # scratch for a block of columns would be as much memory as the value itself
                long = {r.out for r in kernel.roots if r.kind == "map" and kernel.row_size(r) > 1}
                outside |= long & later
            kernel.stored = [r for r in kernel.roots if r.out in outside]
            kernel.scratch = [r for r in kernel.roots if r.out in later and r.out not in outside]


def _read_later(kernel: LoopKernel) -> set[Atom]:
    """The values that a later loop of the same row loads again; all that are loaded, if rows go abreast."""
    stages = kernel.stages()
    found: set[Atom] = set()
    for root in kernel.roots:
        for a, view in root.parts[0].reads:
            mate = next((r for r in kernel.roots if r.out is a), None)
            if mate is None or (not kernel.abreast and (mate.kind != "map" or kernel.row_size(mate) == 1)):
                continue
            short = kernel.row_size(mate) == 1 or mate.kind == "reduce"
            if short or stages[mate] != stages[root] or view != mate.parts[0].value[1]:
                found.add(a)
    return found
