"""The elements of a kernel's values as scalars: computed on the way, numbers, or loads from its buffers.

Floor 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from minigrad.graph import Atom, Const, Node, repeated_element
from minigrad.loops import running
from minigrad.loops.index import Affine, Indices, address, extents_of, merged, renamed, strides
from minigrad.loops.scalar import Scalar, binary, const, convert, index, load, needed, place, put, select
from minigrad.ops.cumulative import Cumulative
from minigrad.ops.reduce import All, Any_, Max, Min, Prod
from minigrad.ops.rows import Elementwise
from minigrad.passes.schedule.counted import Numbers
from minigrad.passes.schedule.moves import broadcast, moved
from minigrad.passes.schedule.parts import Part, Schedule, Spot
from minigrad.passes.schedule.places import TAKES, spot
from minigrad.types import INT64, DType

Meaning: TypeAlias = Callable[[Any, Sequence[Scalar]], Scalar]  # of an elementwise op and its operands' elements


@dataclass
class Elements:
    """The scalars of one kernel: those that are known where its statements are being made."""

    schedule: Schedule
    buffers: dict[Atom, int]
    meaning: Meaning
    values: dict[tuple[Any, Indices], Scalar] = field(default_factory=dict)
    loads: list[Scalar] = field(default_factory=list)
    scratch: set[Atom] = field(default_factory=set)  # of which there is one row
    within: Callable[[Atom, Indices], Affine] = lambda a, at: address(at, a.type.shape)  # where it stands in that

    def part(self, part: Part) -> Scalar:
        """The value of a part, its steps taken in order."""
        for node, view in reversed(part.steps):
            if (node.out, view) not in self.values:
                self.values[node.out, view] = self.step(node, view, part)
        return self.element(*part.value)

    def step(self, node: Node, view: Indices, part: Part) -> Scalar:
        """One element of a node, from elements of its operands."""
        if isinstance(node.op, Elementwise):
            return self.meaning(node.op, [self.element(a, broadcast(view, a.type.shape)) for a in node.ins])
        if isinstance(node.op, TAKES):
            return self.taken(node, view)
        if isinstance(node.op, Numbers):
            self.loads.append(index(*view))
            return convert(self.loads[-1], node.op.dtype)
        if isinstance(node.op, Cumulative):
            xs = [self.element(a, view) for a in node.ins]
            return running.following(node, view, xs, self.buffer, self.meaning)
        (x,) = node.ins
        at = moved(node.op, view, node.out.type.shape, x.type.shape, part.extents)
        assert at is not None, "an affine reshape"
        return self.element(x, at)

    def taken(self, node: Node, view: Indices) -> Scalar:
        """An element of x at positions that are data."""
        x, place = node.ins[0], spot(node, view)
        at, steps, inside = self.spot(place)
        found = Scalar("load", at, x.type.dtype, (self.buffer(x), address(place.rest, place.shape), steps))
        self.loads.append(found)
        return found if inside is None else select(inside, found, 0)

    def spot(self, place: Spot) -> tuple[tuple[Scalar, ...], tuple[int, ...], Scalar | None]:
        """The positions of a place, brought into its axes, their strides, and whether they were there (None: all)."""
        at, inside, every = [], None, strides(place.shape)
        for p in place.positions:
            position = self.element(p.tensor, p.at)
            at.append(clipped(position, p.highest))
            if place.dropped:
                within = at[-1].eq(convert(position, INT64))
                inside = within if inside is None else inside & within
        return tuple(at), tuple([every[p.axis] for p in place.positions]), inside

    def element(self, a: Atom, at: Indices) -> Scalar:
        """An element computed before, a number, or a load."""
        known = self.values.get((a, at))
        if known is not None:
            return known
        if isinstance(a, Const):
            same = repeated_element(a.array)
            if same is not None:
                return const(same, a.type.dtype)
        to = self.within(a, at) if a in self.scratch else address(at, a.type.shape)
        found = load(self.buffer(a), to, a.type.dtype)
        self.loads.append(found)
        self.values[a, at] = found
        return found

    def buffer(self, a: Atom) -> int:
        base = self.schedule.base(a)
        taken_over = self.schedule.reused.get(base)  # type: ignore[arg-type]
        if taken_over in self.buffers:  # the same memory: one buffer, so that no two overlap
            base = taken_over
        return self.buffers.setdefault(base, len(self.buffers))


def clipped(position: Scalar, highest: int) -> Scalar:
    """A position brought into 0 .. highest, as int64."""
    if highest <= np.iinfo(position.dtype).max:
        position = binary("min", position, highest)
    return convert(position if position.dtype.kind == "u" else binary("max", position, 0), INT64)


def merge(
    extents: Sequence[int], stores: Sequence[tuple[int, Affine, Scalar]]
) -> tuple[list[list[int]], tuple[int, ...]]:
    """Loops run as one where all addresses allow it; the loads are renamed to the new loops here."""
    loads = [s for s in needed([y for *_, y in stores]) if s.op in ("load", "index")]
    runs = merged([*(to for _, to, _ in stores), *map(place, loads)], range(len(extents)), extents)
    for s in loads:
        s.what = put(s, renamed(place(s), runs))
    return runs, extents_of(runs, extents)


def combination(op: Any, dtype: DType) -> tuple[str, Scalar]:
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
