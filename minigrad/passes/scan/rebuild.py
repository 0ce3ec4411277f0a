"""What a loop saved for another loop, computed again there if that is cheaper than storing and loading it.

Floor 4. The way back through a scan reads a stack of everything its steps saved. Elementwise values are made again from
those that must be stacked anyway, the loop's own slices and its constants.
"""

from __future__ import annotations

from minigrad.control import Scan
from minigrad.graph import Atom, Const, Node, Var
from minigrad.loops import bodies
from minigrad.passes.scan.apart import Apart
from minigrad.passes.scan.rules import MOVES

# Additions' worth of work in a value that is made again. One costs about 0.03 ns an element where vectors have eight
# lanes; storing an element and loading it from beyond the cache about 1 ns.
_WORK = 32


def rebuilt_values(loop: Apart) -> None:
    """x[t] = f(u[t], w), saved by a scan -> f(x'[t], w) in the body, where x' = u is stacked too."""
    for maker in {id(n): n for a in loop.xs.values() if (n := loop.sweep.maker(a, Scan)) is not None}.values():
        if maker.op.length == loop.length:  # type: ignore[attr-defined]
            _Source(maker, loop).rebuild()


class _Source:
    """The scan that made the stacks."""

    def __init__(self, n: Node, loop: Apart) -> None:
        op = n.op
        assert isinstance(op, Scan)
        self.loop, self.nodes = loop, op.body.nodes
        self.consts, _, self.xs = (
            dict(zip(a, b, strict=True)) for a, b in zip(op.split(op.body.inputs), op.split(n.ins))
        )
        self.place: dict[Atom, int] = {v: k for k, m in enumerate(self.nodes) for v in m.outs}
        values = dict(zip(n.outs[op.carry :], op.body.outputs[op.carry :], strict=True))
        self.wanted: dict[Atom, Var] = {}  # what the loop reads of it: value -> slice
        for inner, outer in loop.xs.items():
            if outer in values:
                self.wanted.setdefault(values[outer], inner)
        self.here: dict[Atom, Atom] = {}  # its values as the loop has them

    def rebuild(self) -> None:
        again: dict[Var, Atom] = {}
        for value, inner in sorted(self.wanted.items(), key=lambda w: self.place.get(w[0], -1)):
            steps = self.steps(value)
            if steps is None:
                self.here[value] = inner
                continue
            self.loop.used["scan: x[t] = f(u[t]) saved -> f(u[t]) again"] += 1
            for m in steps:
                self.here[m.out] = self.loop.emit(m.op, *map(self.atom, m.ins))
            del self.loop.xs[inner]
            again[inner] = self.atom(value)
        self.loop.substitute(again)

    def steps(self, value: Atom) -> list[Node] | None:
        """The nodes to make a value from what the loop has, in order; None if that is too much, or cannot be done."""
        steps: dict[int, Node] = {}  # by their places in the body
        wanted, work = [value], 0
        while wanted:
            a = wanted.pop()
            if isinstance(a, Const) or a in self.here or a in self.consts or a in self.xs:
                continue
            place = self.place.get(a)
            if place is None:
                return None
            n, moves = self.nodes[place], isinstance(self.nodes[place].op, MOVES)
            work += 0 if place in steps or moves else bodies.cost(n.op)
            if work > _WORK or not (moves or bodies.is_native(n.op, [x.type.dtype for x in n.ins])):
                return None
            if place not in steps:
                steps[place] = n
                wanted += n.ins
        return [steps[place] for place in sorted(steps)]

    def atom(self, a: Atom) -> Atom:
        if isinstance(a, Const):
            return a
        if a not in self.here:
            table, outer = (self.loop.consts, self.consts) if a in self.consts else (self.loop.xs, self.xs)
            self.here[a] = self.loop.inner(outer[a], table)
        return self.here[a]
