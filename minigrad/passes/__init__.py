"""Passes: functions from graph to graph that keep its meaning. Each signs what it did (`PassRecord`).

Floor 4. All are linear in the number of nodes, loops rather than recursions, and go into the graphs that ops hold.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from minigrad import graph as graphs
from minigrad.graph import Graph
from minigrad.passes.cse import cse
from minigrad.passes.dce import dce
from minigrad.passes.fold import fold
from minigrad.passes.record import Pass, PassRecord

DEFAULT: tuple[Pass, ...] = (dce, fold, cse)


def run(graph: Graph, passes: Sequence[Pass] = DEFAULT) -> tuple[Graph, list[PassRecord]]:
    """The graph after these passes, and what each of them did."""
    history = []
    for one_pass in passes:
        used: Counter[str] = Counter()
        start = time.perf_counter()
        after = one_pass(graph, used)
        seconds = time.perf_counter() - start
        if _checking():
            graphs.check(after)
        name = getattr(one_pass, "__name__", "pass")
        equations = tuple(used.most_common())
        history.append(PassRecord(name, len(graph.nodes), len(after.nodes), equations, seconds))
        graph = after
    return graph, history


def _checking() -> bool:
    return True
