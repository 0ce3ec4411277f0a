"""From a kernel of the schedule to loops: `lower(kernel, schedule)` gives a nest and the values its buffers are.

Floor 4. Neighbouring axes over which every address steps evenly become one loop, so a contiguous kernel is a single
loop whatever its rank. A reduction over the innermost axes accumulates in registers; over outer ones it accumulates
into rows of its result, which stay in the cache, so that memory is always read in order (see `together`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from minigrad.graph import Atom, Const, Node, repeated_element
from minigrad.loops import bodies, nest, running, sorting, tiles
from minigrad.loops.index import Affine, Indices, address, extents_of, identity, merged, renamed, strides
from minigrad.loops.nest import Let, Loop, Nest, Start, Statement, Store, Update, around, read
from minigrad.loops.scalar import Scalar, binary, const, convert, index, load, needed, place, put, select
from minigrad.loops.together import together
from minigrad.ops.cumulative import Cumulative
from minigrad.ops.reduce import All, Any_, Max, Min, Prod
from minigrad.ops.rows import Elementwise
from minigrad.passes.schedule.counted import Numbers
from minigrad.passes.schedule.moves import broadcast, moved
from minigrad.passes.schedule.parts import LoopKernel, Part, Root, Schedule, Spot
from minigrad.passes.schedule.places import TAKES, spot
from minigrad.passes.schedule.tails import within_rows
from minigrad.passes.schedule.windows import Interleave
from minigrad.types import INT64, DType, real_of

Meaning: TypeAlias = Callable[[Any, Sequence[Scalar]], Scalar]


def lower(
    kernel: LoopKernel, schedule: Schedule, meaning: Meaning = bodies.body, columns: int = 0
) -> tuple[Nest, list[Atom]]:
    """The loops of a kernel, and which value stands behind each of their buffers, those written first.

    `meaning`: an elementwise op and its operands' elements -> its element. With `columns` no loop goes across rows of
    so many elements.
    """
    body = _Body(schedule, {schedule.base(v): k for k, v in enumerate(kernel.writes())}, meaning)
    if len(kernel.roots) > 1 or kernel.roots[0].kind == "map":
        statements = _Rows(body, kernel).statements(columns)
    elif kernel.roots[0].kind == "reduce":
        statements = body.reduce(kernel.roots[0])
    elif kernel.roots[0].kind == "running":
        statements = body.running(kernel.roots[0])
    elif kernel.roots[0].kind == "sort":
        part = kernel.roots[0].parts[0]
        statements = sorting.statements(body.part(part), part.extents, part.target)
    elif kernel.roots[0].kind == "tiles":
        node = kernel.roots[0].node
        statements = tiles.statements(node, body.buffer(node.ins[0]))
    else:
        statements = [s for part in kernel.roots[0].parts[kernel.in_place :] for s in body.piece(part)]
        if isinstance(kernel.roots[0].node.op, Interleave):
            statements = _in_step(statements)
    dtypes = tuple(real_of(a.type.dtype) for a in body.buffers)  # in loops there are only the parts of complex numbers
    loaded = {x.what[0] for _, s in nest.statements(tuple(statements)) for x in needed(read(s)) if x.op == "load"}
    streamed = frozenset(k for a, k in body.buffers.items() if a in schedule.streamed and k not in loaded)
    every_row = len(statements) == 1  # inside one loop; a single row's memory is for all the loops over it
    room = tuple([(body.buffers[v], v.type.size) for r in kernel.roots for v in r.room if every_row])
    return Nest(tuple(statements), dtypes, len(kernel.writes()), streamed, room), list(body.buffers)


def signature(kernel: LoopKernel, schedule: Schedule) -> tuple[Any, list[Atom]]:
    """What the loops of a kernel depend on, free of names, and the values in the order that names them in it.

    Kernels with equal signatures have the same loops over corresponding values.
    """
    number: dict[Atom, int] = {}

    def name(a: Atom) -> Any:
        if isinstance(a, Const) and repeated_element(a.array) is not None:
            return a.key()
        base = schedule.base(a)
        return number.setdefault(base, len(number)), number.setdefault(a, len(number)), a.type

    rows = []
    for r in kernel.roots:
        parts = tuple([
            (part.extents, part.target, name(part.value[0]), part.value[1],
             tuple([(n.op, view, name(n.out), *map(name, n.ins)) for n, view in part.steps]),
             part.combine, part.put and part.put.dropped,
             tuple([(p.axis, p.at, p.highest, name(p.tensor)) for p in (part.put.positions if part.put else ())]))
            for part in r.parts
        ])  # fmt: skip
        room = tuple(map(name, r.room))
        rows.append((r.kind, r.node.op, name(r.out), room, r in kernel.stored, r in kernel.scratch, parts))
    reused = tuple([(number[i], number[o]) for i, o in schedule.reused.items() if i in number and o in number])
    streamed = tuple([number[a] for a in schedule.streamed if a in number])
    return (kernel.rows, tuple(rows), reused, streamed), list(number)


@dataclass
class _Body:
    """The scalars of one kernel."""

    schedule: Schedule
    buffers: dict[Atom, int]
    meaning: Meaning
    values: dict[tuple[Any, Indices], Scalar] = field(default_factory=dict)
    loads: list[Scalar] = field(default_factory=list)
    scratch: set[Atom] = field(default_factory=set)  # of which there is one row, and how many loops make a row
    rows: int = 0

    def piece(self, part: Part) -> list[Statement]:
        """One part of a join: elements computed and put where they belong."""
        self.values.clear()
        value = self.part(part)
        at: tuple[Scalar, ...] = ()
        steps: tuple[int, ...] = ()
        if part.put is not None:
            value, at, steps = self.put(part, value)
        runs, sizes = _merge(part.extents, [(0, part.target, y) for y in (value, *at)])
        store = Store(0, renamed(part.target, runs), value, at, steps)
        return around([store], range(len(runs)), sizes)

    def put(self, part: Part, value: Scalar) -> tuple[Scalar, tuple[Scalar, ...], tuple[int, ...]]:
        """What is written where the positions of a part point, and their strides."""
        assert part.put is not None
        at, steps, inside = self.spot(part.put)
        old = Scalar("load", at, value.dtype, (0, part.target, steps))
        self.loads.append(old)
        new = value if part.combine == "set" else binary(part.combine, old, value)
        return (new if inside is None else select(inside, new, old)), at, steps

    def reduce(self, root: Root) -> list[Statement]:
        part = root.parts[0]
        value = self.part(part)
        runs, sizes = _merge(part.extents, [(0, part.target, value)])
        target = renamed(part.target, runs)
        combine, start = _combination(root.node.op, value.dtype)
        reduced = [k for k, run in enumerate(runs) if run[-1] in root.node.op.axes]  # type: ignore[attr-defined]
        kept = [k for k in range(len(runs)) if k not in reduced]
        if reduced and reduced[-1] == len(runs) - 1:
            return around(_in_register(combine, start, value, target, reduced, sizes), kept, sizes)
        inner = [k for k in kept if k > max(reduced, default=-1)]
        rows = around([Store(0, target, start)], inner, sizes)
        old = load(0, target, value.dtype)
        value, sizes = together(combine, value, reduced, inner, sizes)
        rows += around([Store(0, target, binary(combine, old, value))], [*reduced, *inner], sizes)
        return around(rows, [k for k in kept if k not in inner], sizes)

    def running(self, root: Root) -> list[Statement]:
        part, op = root.parts[0], root.node.op
        value, view = self.part(part), part.value[1]
        start = running.first(op, view, [self.element(a, view) for a in root.node.ins])
        return running.statements(op, part.extents, part.target, start, value)

    # ── scalars ──────────────────────────────────────────────────────────────────────────────────
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
            at.append(_clipped(position, p.highest))
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
        to = address(at, a.type.shape)
        if a in self.scratch:
            to = _within(to, self.rows)
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


class _Rows:
    """Several roots in loops they share: row by row, each row in stages (see `LoopKernel.stages`)."""

    def __init__(self, body: _Body, kernel: LoopKernel) -> None:
        self.body, self.kernel = body, kernel
        self.stages = kernel.stages()
        self.rows = body.rows = len(kernel.rows)
        body.scratch = {r.out for r in kernel.scratch}
        self.target = {r: k for k, r in enumerate((*kernel.stored, *kernel.scratch))}

    def statements(self, columns: int) -> list[Statement]:
        """First what is added up over the rows is cleared; then the rows."""
        rows = self.kernel.rows
        stages = [stage for k in range(max(self.stages.values()) + 1) for stage in self.loops(k)]
        apart = [within_rows(rows, columns)] if columns else []
        runs = merged([*apart, *(a for stage in stages for a in stage.addresses())], range(len(rows)), rows)
        cleared = [s for r in self.kernel.roots if r.across for s in self.cleared(r)]
        inside = [s for stage in stages for s in stage.statements(runs, self.rows)]
        return [*cleared, *around(inside, range(len(runs)), extents_of(runs, rows))]

    def cleared(self, root: Root) -> list[Statement]:
        """The result of a reduction across the rows, as it begins."""
        to, (_, start) = root.parts[0].target, _combination(root.node.op, root.out.type.dtype)
        runs, sizes = _merge(root.extents, [(0, to, start)])
        kept = [k for k in range(len(runs)) if renamed(to, runs).coefficient(k)]
        return around([Store(self.target[root], renamed(to, runs), start)], kept, sizes)

    def loops(self, number: int) -> Iterator[_Stage]:
        """The roots of one stage: those with one element a row, then one loop for each extent that a row has."""
        roots = [r for r in self.kernel.roots if self.stages[r] == number]
        by_extents: dict[tuple[int, ...], list[Root]] = {}
        for r in filter(self.is_long, roots):
            by_extents.setdefault(r.extents, []).append(r)
        short = [r for r in roots if not self.is_long(r)]
        first, *others = by_extents.values() or [[]]
        yield self.loop([*short, *first])
        yield from map(self.loop, others)

    def loop(self, roots: list[Root]) -> _Stage:
        """One loop over a row, and what comes before it and after it."""
        body, stage = self.body, _Stage()
        # what belongs to the whole row is still there, the rest is computed or loaded again: its loop is over
        body.values = {key: x for key, x in body.values.items() if _is_of_row(key[1], self.rows)}
        body.loads = stage.loads
        for root in roots:
            value, to = body.part(root.parts[0]), root.parts[0].target
            if self.is_long(root):
                stage.extents = root.extents
            if root.kind == "map":
                if not self.is_long(root):
                    stage.before.append(Let(value))
                if root in self.target:
                    block = stage.inside if self.is_long(root) else stage.before
                    place = _within(to, self.rows) if root.out in body.scratch else to
                    block.append(Store(self.target[root], place, value))
                continue
            combine, start = _combination(root.node.op, value.dtype)
            if root.across:
                old = load(self.target[root], to, value.dtype)
                stage.loads.append(old)
                stage.inside.append(Store(self.target[root], to, binary(combine, old, value)))
                continue
            result = Scalar("accumulator", (), value.dtype, root)
            stage.before.append(Start(root, start))
            stage.inside.append(Update(root, combine, value))
            stage.after.append(Let(result))
            body.values[root.out, identity(root.out.type.shape)] = result
            if root in self.target:
                stage.after.append(Store(self.target[root], to, result))
        return stage

    def is_long(self, root: Root) -> bool:
        return root.kind == "reduce" or self.kernel.row_size(root) != 1  # 0 too: its loop runs not at all


@dataclass
class _Stage:
    """One loop over a row, what comes before it and after it; addresses not renamed yet."""

    extents: tuple[int, ...] = ()
    loads: list[Scalar] = field(default_factory=list)
    before: list[Statement] = field(default_factory=list)
    inside: list[Statement] = field(default_factory=list)
    after: list[Statement] = field(default_factory=list)

    def addresses(self) -> list[Affine]:
        stored = [s.address for s in (*self.before, *self.inside, *self.after) if isinstance(s, Store)]
        return [*stored, *map(place, self.loads)]

    def statements(self, rows: list[list[int]], first: int) -> list[Statement]:
        """The stage within the loops over `rows`; its own loops begin with variable `first`."""
        own = merged(self.addresses(), range(first, len(self.extents)), self.extents)
        runs = [*rows, *own]
        for s in self.loads:
            s.what = put(s, renamed(place(s), runs))
        before, inside, after = (
            [replace(s, address=renamed(s.address, runs)) if isinstance(s, Store) else s for s in block]
            for block in (self.before, self.inside, self.after)
        )
        sizes = [*[0] * len(rows), *extents_of(own, self.extents)]
        return [*before, *around(inside, range(len(rows), len(runs)), sizes), *after]


def _in_step(statements: Sequence[Statement]) -> list[Statement]:
    """Loops that go equally far as one, and so inside it: their elements lie side by side, and are independent."""
    loops = [s for s in statements if isinstance(s, Loop)]
    alike = len(loops) == len(statements) and len({(s.variable, s.extent) for s in loops}) == 1
    if not alike:
        return list(statements)
    return [Loop(loops[0].variable, loops[0].extent, tuple(_in_step([s for loop in loops for s in loop.body])))]


def _within(index: Affine, rows: int) -> Affine:
    """The index within a row: without what the loops over rows add."""
    return Affine(index.const, tuple([(v, k) for v, k in index.terms if v >= rows]))


def _is_of_row(at: Indices, rows: int) -> bool:
    return all(v < rows for index in at for v, _ in index.terms)


def _clipped(position: Scalar, highest: int) -> Scalar:
    """A position brought into 0 .. highest, as int64."""
    if highest <= np.iinfo(position.dtype).max:
        position = binary("min", position, highest)
    return convert(position if position.dtype.kind == "u" else binary("max", position, 0), INT64)


def _merge(
    extents: Sequence[int], stores: Sequence[tuple[int, Affine, Scalar]]
) -> tuple[list[list[int]], tuple[int, ...]]:
    """Loops run as one where all addresses allow it; the loads are renamed to the new loops here."""
    loads = [s for s in needed([y for *_, y in stores]) if s.op in ("load", "index")]
    runs = merged([*(to for _, to, _ in stores), *map(place, loads)], range(len(extents)), extents)
    for s in loads:
        s.what = put(s, renamed(place(s), runs))
    return runs, extents_of(runs, extents)


def _in_register(
    combine: str, start: Scalar, value: Scalar, target: Affine, reduced: Sequence[int], sizes: Sequence[int]
) -> list[Statement]:
    result = Scalar("accumulator", (), value.dtype, 0)
    return [
        Start(0, start),
        *around([Update(0, combine, value)], reduced, sizes),
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
