"""scans: loops of known length rewritten by equations of their own, the table of which is in `rules` and `rebuild`.

Floor 4. Work that is the same in every step, or that can be done for all steps at once, leaves the loop: a recurrent
network multiplies its inputs by their weights before it, and the gradient of a weight is one contraction after it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from minigrad.control import Scan
from minigrad.graph import Graph, Node
from minigrad.passes.cse import cse
from minigrad.passes.dce import dce
from minigrad.passes.inline import CALLS, inline
from minigrad.passes.rewrite import Sweep, rebuilt
from minigrad.passes.scan import rules
from minigrad.passes.scan.apart import Apart
from minigrad.passes.scan.rebuild import rebuilt_values
from minigrad.passes.simplify import simplify

RULES = (
    rules.unchanged_carry,
    rules.equal_slices,
    rules.hoisted,
    rules.contracted_before,
    rebuilt_values,
    rules.contracted_after,
    rules.summed_after,
    rules.stacks_of_one,
)


def scans(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph with its scans rewritten and, where this changed something, simplified."""
    used = Counter() if used is None else used
    sweep = Sweep(graph)
    inside, opened = partial(scans, used=used), partial(_opened, used=used)
    for n in graph.nodes:
        n = rebuilt(n, n.ins, opened) if isinstance(n.op, Scan) else n
        n = rebuilt(n, sweep.atoms(n.ins), inside)
        sweep.line = n.line
        if isinstance(n.op, Scan) and n.op.length:
            _rewrite(n, sweep, used)
        else:
            sweep.keep(n)
    after = sweep.graph()
    return after if after is graph else simplify(dce(after, used), used)


def _opened(body: Graph, used: Counter[str]) -> Graph:
    """A body whose calls are what they call, so that rules see it. Not checkpoints: cse would keep what they forget."""
    after = inline(body, used, CALLS)
    return body if after is body else cse(simplify(after, used), used)


def _rewrite(n: Node, sweep: Sweep, used: Counter[str]) -> None:
    loop, before = Apart(n, sweep, used), used.total()
    for rule in RULES:
        rule(loop)
    sweep.keep(loop.together() if used.total() > before else n)
    for write in loop.after:
        write()
