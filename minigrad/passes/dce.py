"""dce: dead code elimination. A node whose outputs nobody reads is dropped, unless it has an effect.

Floor 4. One sweep from the end (`graph.live`).
"""

from __future__ import annotations

from collections import Counter

from minigrad.graph import Graph, live
from minigrad.passes.rewrite import inside, rebuilt


def dce(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph without the nodes that nothing depends on; also inside the graphs its ops hold."""
    used = Counter() if used is None else used
    kept = [rebuilt(n, inside(n.op, lambda g: dce(g, used)), n.ins) for n in live(graph.nodes, graph.outputs)]
    if len(kept) < len(graph.nodes):
        used["nobody reads y = f(x)"] += len(graph.nodes) - len(kept)
    elif all(a is b for a, b in zip(kept, graph.nodes, strict=True)):
        return graph
    return Graph(graph.inputs, kept, graph.outputs, graph.name)
