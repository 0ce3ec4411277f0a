"""A scan taken apart, so that rules can move work in and out of it, and put together again.

Floor 4. Atoms of the body are called inner, those of the graph around it outer. What goes before the loop is written at
once; what comes after it waits in `after` until the loop is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.control import Scan
from minigrad.control.loop import stacked
from minigrad.control.transform import batch_all
from minigrad.graph import Atom, Const, Graph, Node, Var, live
from minigrad.op import Op
from minigrad.passes.rewrite import Sweep, rebuilt


@dataclass(eq=False)
class Carry:
    """inner value, inner value after the step; outer value before the loop and after it."""

    inside: Var
    next: Atom
    start: Atom
    end: Var


class Apart:
    """The parts of one scan: consts and xs as inner -> outer, ys as outer -> inner."""

    def __init__(self, n: Node, sweep: Sweep, used: Counter[str]) -> None:
        op = n.op
        assert isinstance(op, Scan)
        self.sweep, self.used, self.line = sweep, used, n.line
        self.name, self.length, self.reverse = op.body.name, op.length, op.reverse
        (k, c, x), (ks, cs, xs) = op.split(op.body.inputs), op.split(n.ins)
        outputs = op.body.outputs
        self.consts: dict[Var, Atom] = dict(zip(k, ks, strict=True))
        self.carries = list(map(Carry, c, outputs[: op.carry], cs, n.outs[: op.carry]))
        self.xs: dict[Var, Atom] = dict(zip(x, xs, strict=True))
        self.ys: dict[Var, Atom] = dict(zip(n.outs[op.carry :], outputs[op.carry :], strict=True))
        self.nodes = list(op.body.nodes)
        self.first: list[Node] = []  # new nodes of the body, before the others
        self.after: list[Callable[[], None]] = []

    def together(self) -> Node:
        """The scan as it is now."""
        outputs = [*(c.next for c in self.carries), *self.ys.values()]
        inputs = [*self.consts, *(c.inside for c in self.carries), *self.xs]
        body = Graph(inputs, live([*self.first, *self.nodes], outputs), outputs, self.name)
        op = Scan(body, self.length, len(self.consts), len(self.carries), self.reverse)
        ins = (*self.consts.values(), *(c.start for c in self.carries), *self.xs.values())
        return Node(op, ins, (*(c.end for c in self.carries), *self.ys), self.line)

    # ── the body ─────────────────────────────────────────────────────────────────────────────────
    def substitute(self, new: dict[Var, Atom]) -> None:
        """Read other atoms in place of these."""

        def now(a: Atom) -> Atom:
            return new.get(a, a) if isinstance(a, Var) else a

        self.nodes = [rebuilt(n, tuple(map(now, n.ins))) for n in self.nodes]
        self.ys = {v: now(a) for v, a in self.ys.items()}
        for c in self.carries:
            c.next = now(c.next)

    def emit(self, op: Op, *ins: Atom) -> Var:
        """A new node of the body, before the others."""
        v = Var(op.out_type(*[a.type for a in ins]), None, self.line)
        self.first.append(Node(op, ins, (v,), self.line))
        return v

    def inner(self, outer: Atom, table: dict[Var, Atom]) -> Atom:
        """The inner name of an outer constant or stack (by which `table`), a new one if it has none."""
        if isinstance(outer, Const) and table is self.consts:
            return outer
        found = next((v for v, a in table.items() if a is outer), None)
        if found is None:
            t = outer.type
            found = Var(t if table is self.consts else t.with_shape(t.shape[1:]), None, self.line)
            table[found] = outer
        return found

    def uses(self) -> Counter[Atom]:
        """How often each inner atom is read."""
        found: Counter[Atom] = Counter(a for n in self.nodes for a in n.ins)
        found.update([*(c.next for c in self.carries), *self.ys.values()])
        return found

    def makers(self) -> dict[Atom, Node]:
        return {v: n for n in self.nodes for v in n.outs}

    def depending(self, on: Iterable[Atom]) -> set[Atom]:
        """The inner values that are computed from these, them included."""
        found = set(on)
        for n in (*self.first, *self.nodes):
            if not found.isdisjoint(n.ins):
                found.update(n.outs)
        return found

    def varying(self) -> set[Atom]:
        """The inner values that differ from step to step."""
        return self.depending([*(c.inside for c in self.carries), *self.xs])

    # ── around it ────────────────────────────────────────────────────────────────────────────────
    def stack(self, inner: Atom) -> Atom:
        """The outer stack of an inner value, which is one already or becomes one of the ys."""
        there = self.stack_there(inner)
        if there is None:
            there = Var(stacked(self.length, inner.type), None, self.line)
            self.ys[there] = inner
        return there

    def stack_there(self, inner: Atom) -> Atom | None:
        if isinstance(inner, Var) and inner in self.xs:
            return self.xs[inner]
        return next((v for v, a in self.ys.items() if a is inner), None)

    def part(self, targets: Sequence[Atom], given: Iterable[Atom]) -> Graph:
        """From given inner values and constants, as far as they are needed, to the targets."""
        stop = set(given)
        needed, nodes = set(targets), []
        for n in reversed([*self.first, *self.nodes]):
            if not needed.isdisjoint(n.outs) and not stop.issuperset(n.outs):
                nodes.append(n)
                needed.update(n.ins)
        inputs = [v for v in dict.fromkeys([*given, *self.consts]) if isinstance(v, Var) and v in needed]
        return Graph(inputs, nodes[::-1], targets, self.name)

    def lifted(self, targets: Sequence[Atom], given: dict[Atom, Atom]) -> list[Atom]:
        """Stacks of inner values, computed for all steps at once from the stacks of others (inner -> outer)."""
        if all(a in given for a in targets):
            return [given[a] for a in targets]
        graph = self.part(targets, given)
        every = batch_all(graph, tuple([v in given for v in graph.inputs]), self.length)
        outers: dict[Any, Atom] = {**self.consts, **given}
        return self.sweep.graft(every, [outers[v] for v in graph.inputs], self.line)
