"""simplify: the table of equations is in `equations`; this applies them, one forward sweep.

Floor 4. A node is matched when its operands are already simplified, and each equation's result is again matched at
once, so one sweep is enough. Results never have more nodes than what they replace.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from minigrad.graph import Atom, Graph, Node, Var
from minigrad.op import Op
from minigrad.passes.dce import dce
from minigrad.passes.equations import equations_of
from minigrad.passes.rewrite import Sweep, rebuilt


def simplify(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph rewritten by the equations, without the nodes this left unread."""
    used = Counter() if used is None else used
    sweep = Simplifier(graph, used)
    inside = partial(simplify, used=used)
    for n in graph.nodes:
        n = rebuilt(n, sweep.atoms(n.ins), inside)
        sweep.line = n.line
        simpler = sweep.simpler(n)
        if simpler is None:
            sweep.keep(n)
        else:
            sweep.replace(n.out, simpler)
    after = sweep.graph()
    return after if after is graph else dce(after)


class Simplifier(Sweep):
    """A sweep whose new nodes are simplified before they are written."""

    def __init__(self, graph: Graph, used: Counter[str]) -> None:
        super().__init__(graph)
        self.used = used

    def simpler(self, n: Node) -> Atom | None:
        """What a node equals by the first equation that fits."""
        for equation in equations_of(n.op):
            atom = equation.rule(self, n)
            if atom is not None:
                self.used[equation.name] += 1
                return atom
        return None

    def emit(self, op: Op, *ins: Atom) -> Atom:  # type: ignore[override]
        # rules come back here with operands that are in normal form: the depth is that of one equation, not the graph's
        n = Node(op, ins, (Var(op.out_type(*[a.type for a in ins]), None, self.line),), self.line)
        simpler = self.simpler(n)
        if simpler is None:
            self.keep(n)
            return n.out
        return simpler
