"""Rows that are columns: so many go abreast, in the innermost loops.

Floor 4. What there is once a column lies in memory, of one block of columns, and is computed in loops over it.
"""

from __future__ import annotations

from dataclasses import replace

from minigrad.graph import Atom
from minigrad.loops.elements import combination
from minigrad.loops.index import Affine, Indices, address, divisor, extents_of, merged, renamed, side_by_side, variable
from minigrad.loops.nest import Loop, Start, Statement, Store, Update, around
from minigrad.loops.rows import Rows, Stage
from minigrad.loops.scalar import Scalar, place, put
from minigrad.passes.schedule.parts import Root


class Columns(Rows):
    """The statements of a kernel whose rows are columns."""

    def within(self, a: Atom, at: Indices) -> Affine:
        return address(at, a.type.shape)  # until the loops are known

    def over(self, runs: list[list[int]], sizes: tuple[int, ...], stages: list[Stage]) -> list[Statement]:
        *others, columns = sizes
        width = divisor(columns, self.kernel.abreast)
        inside = [s for stage in stages for s in self.abreast(stage, runs, width)]
        return around(inside, range(len(runs)), (*others, columns // width))

    def loop(self, roots: list[Root]) -> Stage:
        body, stage = self.body, Stage()
        body.values, body.loads = {}, stage.loads
        short = [r for r in roots if not self.is_long(r)]
        stage.each = [self.stored(r, body.part(r.parts[0])) for r in short]
        body.values = {}  # from here on they are loaded
        for root in roots[len(short) :]:
            value, stage.extents = body.part(root.parts[0]), root.extents
            if root.kind == "map":
                stage.inside += [self.stored(root, value)] if root in self.target else []
                continue
            combine, start = combination(root.node.op, value.dtype)
            if root.total:
                result = Scalar("accumulator", (), value.dtype, root)
                stage.before.append(Start(root, start))
                stage.inside.append(Update(root, combine, value))
                stage.after.append(self.added(root, stage, combine, result))
            else:
                stage.each.append(self.stored(root, start))
                stage.inside.append(self.added(root, stage, combine, value))
        return stage

    def stored(self, root: Root, value: Scalar) -> Store:
        return Store(self.target[root], root.parts[0].target, value)

    def abreast(self, stage: Stage, runs: list[list[int]], width: int) -> list[Statement]:
        """The statements of a stage for a block of columns."""
        own = merged(stage.addresses(), range(self.rows, len(stage.extents)), stage.extents)
        every = [*runs, *own]
        column, place_of = len(runs) - 1, len(every)
        scratch = {self.target[r] for r in self.kernel.scratch}

        def moved(at: Affine, buffer: int) -> Affine:
            if buffer in scratch:  # one block's
                return variable(place_of)
            return side_by_side(renamed(at, every), column, place_of, width)

        def all_of(block: list[Statement]) -> tuple[Statement, ...]:
            return tuple([replace(s, address=moved(s.address, s.buffer)) if isinstance(s, Store) else s for s in block])

        for x in stage.loads:
            x.what = put(x, moved(place(x), x.what[0] if x.op == "load" else -1))
        sizes = [*[0] * len(runs), *extents_of(own, stage.extents)]
        each = [Loop(place_of, width, all_of(stage.each))] if stage.each else []
        inside = [Loop(place_of, width, all_of(stage.inside))] if stage.inside else []
        return [*stage.before, *each, *around(inside, range(len(runs), len(every)), sizes), *all_of(stage.after)]
