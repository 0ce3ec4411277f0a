"""From a kernel of the schedule to loops: `lower(kernel, schedule)` gives a nest and the values its buffers are.

Floor 4. Neighbouring axes over which every address steps evenly become one loop, so a contiguous kernel is a single
loop whatever its rank. A reduction over the innermost axes accumulates in registers; over outer ones it accumulates
into rows of its result, which stay in the cache, so that memory is always read in order (see `together`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.graph import Atom, Const, repeated_element
from minigrad.loops import bodies, nest, running, sorting, tiles
from minigrad.loops.columns import Columns
from minigrad.loops.elements import Elements, Meaning, combination, merge
from minigrad.loops.index import Affine, renamed
from minigrad.loops.nest import Loop, Nest, Start, Statement, Store, Update, around, read
from minigrad.loops.rows import Rows
from minigrad.loops.scalar import Scalar, binary, load, needed, select
from minigrad.loops.together import in_blocks, together
from minigrad.passes.schedule.parts import LoopKernel, Part, Root, Schedule
from minigrad.passes.schedule.windows import Interleave
from minigrad.types import real_of


def lower(
    kernel: LoopKernel, schedule: Schedule, meaning: Meaning = bodies.body, columns: int = 0
) -> tuple[Nest, list[Atom]]:
    """The loops of a kernel, and which value stands behind each of their buffers, those written first.

    `meaning`: an elementwise op and its operands' elements -> its element. With `columns` no loop goes across rows of
    so many elements.
    """
    body = _Loops(schedule, {schedule.base(v): k for k, v in enumerate(kernel.writes())}, meaning)
    if len(kernel.roots) > 1 or kernel.roots[0].kind == "map":
        statements = (Columns if kernel.abreast else Rows)(body, kernel).statements(columns)
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
    room = [(body.buffers[v], v.type.size) for r in kernel.roots for v in r.room if every_row]
    if kernel.abreast:
        room += [(body.buffers[r.out], kernel.abreast) for r in kernel.scratch]
    return Nest(tuple(statements), dtypes, len(kernel.writes()), streamed, tuple(room)), list(body.buffers)


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
    return (kernel.rows, kernel.abreast, tuple(rows), reused, streamed), list(number)


class _Loops(Elements):
    """The statements of kernels of one root, in loops of their own."""

    def piece(self, part: Part) -> list[Statement]:
        """One part of a join: elements computed and put where they belong."""
        self.values.clear()
        value = self.part(part)
        at: tuple[Scalar, ...] = ()
        steps: tuple[int, ...] = ()
        if part.put is not None:
            value, at, steps = self.put(part, value)
        runs, sizes = merge(part.extents, [(0, part.target, y) for y in (value, *at)])
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
        runs, sizes = merge(part.extents, [(0, part.target, value)])
        target = renamed(part.target, runs)
        combine, start = combination(root.node.op, value.dtype)
        reduced = [k for k, run in enumerate(runs) if run[-1] in root.node.op.axes]  # type: ignore[attr-defined]
        kept = [k for k in range(len(runs)) if k not in reduced]
        if reduced and reduced[-1] == len(runs) - 1:
            return around(_in_register(combine, start, value, target, reduced, sizes), kept, sizes)
        inner = [k for k in kept if k > max(reduced, default=-1)]
        rows = around([Store(0, target, start)], inner, sizes)
        old = load(0, target, value.dtype)
        value, sizes = together(combine, value, reduced, inner, sizes)
        rows += around([Store(0, target, binary(combine, old, value))], [*reduced, *inner], sizes)
        if inner and kept == inner:
            rows = in_blocks(rows, inner[-1], sizes[inner[-1]], len(sizes))
        return around(rows, [k for k in kept if k not in inner], sizes)

    def running(self, root: Root) -> list[Statement]:
        part, op = root.parts[0], root.node.op
        value, view = self.part(part), part.value[1]
        start = running.first(op, view, [self.element(a, view) for a in root.node.ins])
        return running.statements(op, part.extents, part.target, start, value)


def _in_step(statements: Sequence[Statement]) -> list[Statement]:
    """Loops that go equally far as one, and so inside it: their elements lie side by side, and are independent."""
    loops = [s for s in statements if isinstance(s, Loop)]
    alike = len(loops) == len(statements) and len({(s.variable, s.extent) for s in loops}) == 1
    if not alike:
        return list(statements)
    return [Loop(loops[0].variable, loops[0].extent, tuple(_in_step([s for loop in loops for s in loop.body])))]


def _in_register(
    combine: str, start: Scalar, value: Scalar, target: Affine, reduced: Sequence[int], sizes: Sequence[int]
) -> list[Statement]:
    result = Scalar("accumulator", (), value.dtype, 0)
    return [
        Start(0, start),
        *around([Update(0, combine, value)], reduced, sizes),
        Store(0, target, result),
    ]
