"""dce: dead code elimination. A node whose outputs nobody reads is dropped, unless it has an effect.

Floor 4. One sweep from the end (`graph.live`).
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from minigrad.graph import Graph, live
from minigrad.passes.rewrite import rebuilt


def dce(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph without the nodes that nothing depends on; also inside the graphs its ops hold."""
    used = Counter() if used is None else used
    inside = partial(dce, used=used)
    kept = [rebuilt(n, n.ins, inside) for n in live(graph.nodes, graph.outputs)]
    if len(kept) < len(graph.nodes):
        used["nobody reads y = f(x)"] += len(graph.nodes) - len(kept)
    elif all(a is b for a, b in zip(kept, graph.nodes, strict=True)):
        return graph
    return Graph(graph.inputs, kept, graph.outputs, graph.name)
