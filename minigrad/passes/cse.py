"""cse: common subexpression elimination. Two nodes with the same op and operands are one.

Floor 4. One forward sweep with a dictionary. Constants are the same when their bytes are.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from minigrad.graph import Atom, Const, Graph, Node
from minigrad.passes.rewrite import Sweep, rebuilt

_COMPARED = 4096  # bytes; bigger constants are the same only when they are the same array


def cse(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph with each computation done once; nodes with effects are never merged."""
    used = Counter() if used is None else used
    sweep = Sweep(graph)
    first: dict[Any, Node] = {}
    inside = partial(cse, used=used)
    for n in graph.nodes:
        n = rebuilt(n, sweep.atoms(n.ins), inside)
        twin = _twin(n, first)
        if twin is None:
            sweep.keep(n)
            continue
        used["y = f(x); z = f(x) -> z = y"] += 1
        for v, same in zip(n.outs, twin.outs, strict=True):
            sweep.replace(v, same)
    return sweep.graph()


def _twin(n: Node, first: dict[Any, Node]) -> Node | None:
    """The earlier node that computes the same; if there is none, this one is remembered."""
    if n.op.effect:
        return None
    try:
        twin = first.setdefault((n.op, *map(_key, n.ins)), n)
    except TypeError:  # a parameter that cannot be hashed: never the same
        return None
    # equal keys are not enough: 0.0 == -0.0 and 1 == True as parameters
    return None if twin is n or repr(twin.op) != repr(n.op) else twin


def _key(a: Atom) -> Any:
    if not isinstance(a, Const):
        return a
    if a.array.size * a.array.itemsize <= _COMPARED:
        return a.key()
    return (id(a.array), a.type)
