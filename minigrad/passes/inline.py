"""inline: calls of graphs replaced by the graphs. y = call f(x) -> the nodes of f on x.

Floor 4. For backends that compile the whole program: calls, checkpoints and functions with rules of their own are what
their graph says once nothing will be differentiated any more. Nodes keep their lines.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from operator import is_

from minigrad.control import Call, Checkpoint, Cond, CustomJvp, CustomVjp, Scan, While
from minigrad.graph import Atom, Graph, Node, Var
from minigrad.passes.rewrite import rebuilt

CALLS = (Call, CustomJvp, CustomVjp)
_ENTERED = (Scan, While, Cond)  # whose graphs are compiled with the rest


def inline(graph: Graph, used: Counter[str] | None = None, calls: tuple[type, ...] = (*CALLS, Checkpoint)) -> Graph:
    """The graph without calls."""
    used = Counter() if used is None else used
    if not any(isinstance(n.op, (*calls, *_ENTERED)) for n in graph.nodes):
        return graph
    now: dict[Var, Atom] = {}
    nodes: list[Node] = []

    def atom(a: Atom) -> Atom:
        return now.get(a, a) if isinstance(a, Var) else a

    inside = partial(inline, used=used, calls=calls)
    for n in graph.nodes:
        ins = n.ins if now.keys().isdisjoint(n.ins) else tuple([atom(a) for a in n.ins])
        if not isinstance(n.op, calls):
            nodes.append(rebuilt(n, ins, inside))
            continue
        used["y = call f(x) -> y = f(x)"] += 1
        held = inline(n.op.graph, used, calls)  # type: ignore[attr-defined]
        copied: dict[Var, Atom] = dict(zip(held.inputs, ins, strict=True))
        for m in held.nodes:
            outs = tuple([Var(v.type, v.owner, v.line, v.label) for v in m.outs])
            copied_ins = tuple([copied[a] if isinstance(a, Var) else a for a in m.ins])
            nodes.append(Node(m.op, copied_ins, outs, m.line))
            copied.update(zip(m.outs, outs, strict=True))
        results = [copied[a] if isinstance(a, Var) else a for a in held.outputs]
        now.update(zip(n.outs, results, strict=True))
    if len(nodes) == len(graph.nodes) and all(map(is_, nodes, graph.nodes)):
        return graph
    return Graph(graph.inputs, nodes, [atom(a) for a in graph.outputs], graph.name)
