"""Several roots in loops they share: row by row.

Floor 4. A row is done in stages (see `LoopKernel.stages`), each a loop over it, with what there is once a row before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from minigrad.graph import Atom
from minigrad.loops.elements import Elements, combination, merge
from minigrad.loops.index import Affine, Indices, address, extents_of, identity, merged, renamed
from minigrad.loops.nest import Let, Start, Statement, Store, Update, around
from minigrad.loops.scalar import Scalar, binary, load, place, put
from minigrad.passes.schedule.parts import LoopKernel, Root
from minigrad.passes.schedule.tails import within_rows


class Rows:
    """Several roots in loops they share: row by row, each row in stages (see `LoopKernel.stages`)."""

    def __init__(self, body: Elements, kernel: LoopKernel) -> None:
        self.body, self.kernel = body, kernel
        self.stages = kernel.stages()
        self.rows = len(kernel.rows)
        self.scratch: dict[Atom, Root] = {r.out: r for r in kernel.scratch}
        body.scratch, body.within = set(self.scratch), self.within
        self.target = {r: k for k, r in enumerate((*kernel.stored, *kernel.scratch))}

    def statements(self, columns: int) -> list[Statement]:
        """First what is added up over the rows is cleared; then the rows."""
        rows = self.kernel.rows
        stages = [stage for k in range(max(self.stages.values()) + 1) for stage in self.loops(k)]
        apart = [within_rows(rows, columns)] if columns else []
        runs = merged([*apart, *(a for stage in stages for a in stage.addresses())], range(len(rows)), rows)
        cleared = [s for r in self.kernel.roots if self.adds_to(r) for s in self.cleared(r)]
        return [*cleared, *self.over(runs, extents_of(runs, rows), stages)]

    def over(self, runs: list[list[int]], sizes: tuple[int, ...], stages: list[Stage]) -> list[Statement]:
        """The loops over the rows, of these sizes, with the stages inside."""
        inside = [s for stage in stages for s in stage.statements(runs, self.rows)]
        return around(inside, range(len(runs)), sizes)

    def cleared(self, root: Root) -> list[Statement]:
        """The result of a reduction across the rows, as it begins."""
        to, (_, start) = root.parts[0].target, combination(root.node.op, root.out.type.dtype)
        runs, sizes = merge(root.extents, [(0, to, start)])
        kept = [k for k in range(len(runs)) if renamed(to, runs).coefficient(k)]
        return around([Store(self.target[root], renamed(to, runs), start)], kept, sizes)

    def loops(self, number: int) -> Iterator[Stage]:
        """The roots of one stage: those with one element a row, then one loop for each extent that a row has."""
        roots = [r for r in self.kernel.roots if self.stages[r] == number]
        by_extents: dict[tuple[int, ...], list[Root]] = {}
        for r in filter(self.is_long, roots):
            by_extents.setdefault(r.extents, []).append(r)
        short = [r for r in roots if not self.is_long(r)]
        first, *others = by_extents.values() or [[]]
        yield self.loop([*short, *first])
        yield from map(self.loop, others)

    def loop(self, roots: list[Root]) -> Stage:
        """One loop over a row, and what comes before it and after it."""
        body, stage = self.body, Stage()
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
                    place = self.within(root.out, root.parts[0].value[1]) if root.out in self.scratch else to
                    block.append(Store(self.target[root], place, value))
                continue
            combine, start = combination(root.node.op, value.dtype)
            if self.adds_to(root) and not root.total:
                stage.inside.append(self.added(root, stage, combine, value))
                continue
            result = Scalar("accumulator", (), value.dtype, root)
            stage.before.append(Start(root, start))
            stage.inside.append(Update(root, combine, value))
            if self.adds_to(root):
                stage.after.append(self.added(root, stage, combine, result))
                continue
            stage.after.append(Let(result))
            body.values[root.out, identity(root.out.type.shape)] = result
            if root in self.target:
                stage.after.append(Store(self.target[root], to, result))
        return stage

    def adds_to(self, root: Root) -> bool:
        """Does each row, or element, add to what stands in memory?"""
        return root.across and not (root.total and not self.rows)

    def added(self, root: Root, stage: Stage, combine: str, value: Scalar) -> Store:
        to = root.parts[0].target
        old = load(self.target[root], to, value.dtype)
        stage.loads.append(old)
        return Store(self.target[root], to, binary(combine, old, value))

    def within(self, a: Atom, at: Indices) -> Affine:
        """Where an element stands in its row."""
        axes = self.scratch[a].within(self.rows)
        return address(tuple([at[d] for d in axes]), [a.type.shape[d] for d in axes])

    def is_long(self, root: Root) -> bool:
        return root.kind == "reduce" or self.kernel.row_size(root) != 1  # 0 too: its loop runs not at all


@dataclass
class Stage:
    """One loop over a row, what comes before it and after it; addresses not renamed yet."""

    extents: tuple[int, ...] = ()
    loads: list[Scalar] = field(default_factory=list)
    before: list[Statement] = field(default_factory=list)
    each: list[Statement] = field(default_factory=list)  # of columns abreast, what is there once for each
    inside: list[Statement] = field(default_factory=list)
    after: list[Statement] = field(default_factory=list)

    def addresses(self) -> list[Affine]:
        stored = [s.address for s in (*self.before, *self.each, *self.inside, *self.after) if isinstance(s, Store)]
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


def _is_of_row(at: Indices, rows: int) -> bool:
    return all(v < rows for index in at for v, _ in index.terms)
