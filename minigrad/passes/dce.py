"""dce: dead code elimination. A node whose outputs nobody reads is dropped, unless it has an effect.

Floor 4. One sweep from the end. Of loops and branches what is computed for nobody is dropped too: outputs, carries that
only they themselves read, operands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from minigrad.control import Cond, Scan, While
from minigrad.graph import Atom, Graph, Node, live
from minigrad.op import Op
from minigrad.passes.rewrite import rebuilt


def dce(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph without the nodes that nothing depends on; also inside the graphs its ops hold."""
    used = Counter() if used is None else used
    inside = partial(dce, used=used)
    needed: set[Atom] = set(graph.outputs)
    kept: list[Node] = []
    for n in reversed(graph.nodes):
        if not n.op.effect and needed.isdisjoint(n.outs):
            used["nobody reads y = f(x)"] += 1
            continue
        if isinstance(n.op, Scan | While | Cond):
            n = _narrowed(n, [v in needed for v in n.outs], used)
        n = rebuilt(n, n.ins, inside)
        kept.append(n)
        needed.update(n.ins)
    kept.reverse()
    if len(kept) == len(graph.nodes) and all(map(lambda a, b: a is b, kept, graph.nodes)):
        return graph
    return Graph(graph.inputs, kept, graph.outputs, graph.name)


def _narrowed(n: Node, wanted: list[bool], used: Counter[str]) -> Node:
    """A loop or branch without the outputs nobody wants, and without the operands that then nothing reads."""
    op = n.op
    match op:
        case Cond(branches=branches):
            read = [any(rows) for rows in zip(*(_read(g, wanted) for g in branches), strict=True)]
            narrow: Op = Cond(tuple([_part(g, read, wanted) for g in branches]))
            read = [True, *read]  # the index
        case Scan(body=body, consts=k, carry=c):
            read = _looped(k, c, wanted, body)
            narrow = replace(op, body=_part(body, read, wanted), consts=sum(read[:k]), carry=sum(wanted[:c]))
        case While(cond=cond, body=body, consts=k):
            read = _looped(k, len(wanted), wanted, body, cond)
            narrow = replace(op, cond=_part(cond, read, [True]), body=_part(body, read, wanted), consts=sum(read[:k]))
        case _:
            raise AssertionError(op.label)
    if all(wanted) and all(read):
        return n
    used["nobody reads y, or x: y, z = loop f(x, w) -> z = loop f(w)"] += 1
    ins = tuple([a for a, r in zip(n.ins, read, strict=True) if r])
    return Node(narrow, ins, tuple([v for v, w in zip(n.outs, wanted, strict=True) if w]), n.line)


def _looped(consts: int, carry: int, wanted: list[bool], body: Graph, *others: Graph) -> list[bool]:
    """Which operands of a loop are needed; the carries that what is wanted depends on are marked as wanted, too."""
    while True:
        read = [any(rows) for rows in zip(_read(body, wanted), *(_read(g, [True]) for g in others), strict=True)]
        more = [w or r for w, r in zip(wanted[:carry], read[consts : consts + carry], strict=True)]
        if more == wanted[:carry]:
            return [*read[:consts], *more, *read[consts + carry :]]
        wanted[:carry] = more


def _read(graph: Graph, wanted: Sequence[bool]) -> list[bool]:
    """Which inputs the wanted outputs need."""
    outputs = [a for a, w in zip(graph.outputs, wanted, strict=True) if w]
    needed: set[Atom] = {*outputs, *(a for n in live(graph.nodes, outputs) for a in n.ins)}
    return [v in needed for v in graph.inputs]


def _part(graph: Graph, read: Sequence[bool], wanted: Sequence[bool]) -> Graph:
    inputs = [v for v, r in zip(graph.inputs, read, strict=True) if r]
    outputs = [a for a, w in zip(graph.outputs, wanted, strict=True) if w]
    return Graph(inputs, live(graph.nodes, outputs), outputs, graph.name)
