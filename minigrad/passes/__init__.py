"""Passes: functions from graph to graph that keep its meaning. Each signs what it did (`PassRecord`).

Floor 4. All are linear in the number of nodes, loops rather than recursions, and go into the graphs that ops hold.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence

from minigrad import config
from minigrad.graph import Graph, check
from minigrad.passes.cse import cse
from minigrad.passes.dce import dce
from minigrad.passes.fold import fold
from minigrad.passes.record import Pass, PassRecord
from minigrad.passes.scan import scans
from minigrad.passes.simplify import simplify

__all__ = ["DEFAULT", "PassRecord", "cse", "dce", "fold", "run", "scans", "simplify"]

# fold before simplify: what it finds constant the equations can use; cse last: equal things are then written equally
DEFAULT: tuple[Pass, ...] = (dce, fold, simplify, cse, scans, dce)


def run(graph: Graph, passes: Sequence[Pass] = DEFAULT) -> tuple[Graph, list[PassRecord]]:
    """The graph after these passes, and what each of them did."""
    history = []
    for one_pass in passes:
        used: Counter[str] = Counter()
        start = time.perf_counter()
        after = one_pass(graph, used)
        seconds = time.perf_counter() - start
        if config.check_graphs.get():
            check(after)
        name = getattr(one_pass, "__name__", "pass")
        equations = tuple(used.most_common())
        history.append(PassRecord(name, len(graph.nodes), len(after.nodes), equations, seconds))
        if "passes" in config.log.get():
            print(f"minigrad: {graph.name}, {str(history[-1])[2:]}", file=sys.stderr)
        graph = after
    return graph, history
