"""dce: dead code elimination. A node whose outputs nobody reads is dropped, unless it has an effect.

Floor 4. One sweep from the end.
"""

from __future__ import annotations

from collections import Counter

from minigrad.graph import Graph, Node, map_subgraphs
from minigrad.passes.rewrite import rebuilt


def dce(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph without the nodes that nothing depends on; also inside the graphs its ops hold."""
    used = Counter() if used is None else used
    needed: set[object] = set(graph.outputs)
    kept: list[Node] = []
    for n in reversed(graph.nodes):
        if n.op.effect or not needed.isdisjoint(n.outs):
            needed.update(n.ins)
            kept.append(rebuilt(n, map_subgraphs(n.op, lambda g: dce(g, used)), n.ins))
        else:
            used["dead"] += 1
    return Graph(graph.inputs, kept[::-1], graph.outputs, graph.name)
