"""From a kernel of the schedule to loops: `lower(kernel, schedule)` gives a nest and the values its buffers are.

Floor 4. Neighbouring axes over which every address steps evenly become one loop, so a contiguous kernel is a single
loop whatever its rank. A reduction over the innermost axes accumulates in registers; over outer ones it accumulates
into rows of its result, which stay in the cache, so that memory is always read in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from minigrad.graph import Atom, Const, repeated_element
from minigrad.loops import bodies
from minigrad.loops.index import Affine, Indices, address, extents_of, merged, renamed
from minigrad.loops.nest import Loop, Nest, Start, Statement, Store, Update
from minigrad.loops.scalar import Scalar, binary, const, load, needed
from minigrad.ops.reduce import All, Any_, Max, Min, Prod
from minigrad.ops.rows import Elementwise
from minigrad.passes.schedule.moves import broadcast, moved
from minigrad.passes.schedule.parts import LoopKernel, Part, Root, Schedule
from minigrad.types import DType

Meaning: TypeAlias = Callable[[Any, Sequence[Scalar]], Scalar]


def lower(kernel: LoopKernel, schedule: Schedule, meaning: Meaning = bodies.body) -> tuple[Nest, list[Atom]]:
    """The loops of a kernel, and which value stands behind each of their buffers, those written first.

    `meaning`: an elementwise op and its operands' elements -> its element.
    """
    body = _Body(schedule, {v: k for k, v in enumerate(kernel.writes())}, meaning)
    if kernel.roots[0].kind == "map":
        statements = body.map(kernel)
    elif kernel.roots[0].kind == "reduce":
        statements = body.reduce(kernel.roots[0])
    else:
        statements = [s for part in kernel.roots[0].parts for s in body.piece(part)]
    dtypes = tuple(a.type.dtype for a in body.buffers)
    return Nest(tuple(statements), dtypes, len(kernel.stored)), list(body.buffers)


@dataclass
class _Body:
    """The scalars of one kernel."""

    schedule: Schedule
    buffers: dict[Atom, int]
    meaning: Meaning
    values: dict[tuple[Any, Indices], Scalar] = field(default_factory=dict)

    def map(self, kernel: LoopKernel) -> list[Statement]:
        """Every root at each point of one loop space."""
        extents = kernel.roots[0].extents
        results = {r: self.part(r.parts[0]) for r in kernel.roots}
        stores = [(k, r.parts[0].target, results[r]) for k, r in enumerate(kernel.stored)]
        runs, sizes = _merge(extents, stores)
        return _around([Store(k, renamed(to, runs), y) for k, to, y in stores], range(len(runs)), sizes)

    def piece(self, part: Part) -> list[Statement]:
        """One part of a join: elements computed and put where they belong."""
        self.values.clear()
        stores = [(0, part.target, self.part(part))]
        runs, sizes = _merge(part.extents, stores)
        return _around([Store(k, renamed(to, runs), y) for k, to, y in stores], range(len(runs)), sizes)

    def reduce(self, root: Root) -> list[Statement]:
        part = root.parts[0]
        value = self.part(part)
        runs, sizes = _merge(part.extents, [(0, part.target, value)])
        target = renamed(part.target, runs)
        combine, start = _combination(root.node.op, value.dtype)
        reduced = [k for k, run in enumerate(runs) if run[-1] in root.node.op.axes]  # type: ignore[attr-defined]
        kept = [k for k in range(len(runs)) if k not in reduced]
        if reduced and reduced[-1] == len(runs) - 1:
            return _around(_in_register(combine, start, value, target, reduced, sizes), kept, sizes)
        inner = [k for k in kept if k > max(reduced, default=-1)]
        rows = _around([Store(0, target, start)], inner, sizes)
        old = load(0, target, value.dtype)
        rows += _around([Store(0, target, binary(combine, old, value))], [*reduced, *inner], sizes)
        return _around(rows, [k for k in kept if k not in inner], sizes)

    # ── scalars ──────────────────────────────────────────────────────────────────────────────────
    def part(self, part: Part) -> Scalar:
        """The value of a part, its steps taken in order."""
        for node, view in reversed(part.steps):
            if (node.out, view) not in self.values:
                if isinstance(node.op, Elementwise):
                    xs = [self.element(a, broadcast(view, a.type.shape)) for a in node.ins]
                    self.values[node.out, view] = self.meaning(node.op, xs)
                else:
                    (x,) = node.ins
                    at = moved(node.op, view, node.out.type.shape, x.type.shape, part.extents)
                    assert at is not None, "an affine reshape"
                    self.values[node.out, view] = self.element(x, at)
        return self.element(*part.value)

    def element(self, a: Atom, at: Indices) -> Scalar:
        """An element computed before, a number, or a load."""
        known = self.values.get((a, at))
        if known is not None:
            return known
        if isinstance(a, Const):
            same = repeated_element(a.array)
            if same is not None:
                return const(same, a.type.dtype)
        found = load(self.buffer(a), address(at, a.type.shape), a.type.dtype)
        self.values[a, at] = found
        return found

    def buffer(self, a: Atom) -> int:
        return self.buffers.setdefault(self.schedule.base(a), len(self.buffers))


def _merge(
    extents: Sequence[int], stores: Sequence[tuple[int, Affine, Scalar]]
) -> tuple[list[list[int]], tuple[int, ...]]:
    """Loops run as one where all addresses allow it; the loads are renamed to the new loops here."""
    loads = [s for s in needed([y for *_, y in stores]) if s.op == "load"]
    runs = merged([*(to for _, to, _ in stores), *(s.what[1] for s in loads)], range(len(extents)), extents)
    for s in loads:
        s.what = (s.what[0], renamed(s.what[1], runs))
    return runs, extents_of(runs, extents)


def _around(body: Sequence[Statement], loops: Sequence[int], sizes: Sequence[int]) -> list[Statement]:
    """The statements inside these loops, the first one outermost."""
    statements = list(body)
    for k in reversed(loops):
        statements = [Loop(k, sizes[k], tuple(statements))]
    return statements


def _in_register(
    combine: str, start: Scalar, value: Scalar, target: Affine, reduced: Sequence[int], sizes: Sequence[int]
) -> list[Statement]:
    result = Scalar("accumulator", (), value.dtype, 0)
    return [
        Start(0, start),
        *_around([Update(0, combine, value)], reduced, sizes),
        Store(0, target, result),
    ]


def _combination(op: Any, dtype: DType) -> tuple[str, Scalar]:
    """How a reduction combines, and what it comes to for nothing."""
    match op:
        case Prod():
            return "mul", const(1, dtype)
        case All():
            return "and", const(True, dtype)
        case Any_():
            return "or", const(False, dtype)
        case Max() | Min():
            name = "max" if isinstance(op, Max) else "min"
            if dtype.kind == "f":
                return name, const(-np.inf if name == "max" else np.inf, dtype)
            if dtype.kind == "b":
                return name, const(name == "min", dtype)
            limits = np.iinfo(dtype)
            return name, const(limits.min if name == "max" else limits.max, dtype)
    return "add", const(0, dtype)
