"""What it costs to compute a value again, where it is read, instead of storing it.

Floor 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from minigrad.graph import Atom, Const, Graph, Node, Var
from minigrad.loops import bodies

TAKE = 4  # what loading from anywhere costs
LIFTED = 8  # of what is computed, so small a share may be done for each row rather than stored
_CHEAP = 2  # what may be computed again rather than stored
_RELOADED = 6  # as much, if what is loaded for it is one value, and no wider

_Cone: TypeAlias = tuple[dict[Node, int], set[Atom]]  # the nodes it takes and their work; the stored values


class Weights:
    """Of each map or movement of a graph. `kinds`: how its nodes are computed, by identity."""

    def __init__(self, graph: Graph, kinds: Mapping[int, str]) -> None:
        self._weights: dict[Var, tuple[int, int]] = {}  # what an element costs, and how many stored values it loads
        self._ways: dict[Atom, int] = {}  # from stored values: the work of the longest, each node counted once
        self._cones: dict[Var, _Cone] = {}  # of those that are little work
        readers = Counter(a for n in graph.nodes for a in n.ins if isinstance(a, Var))
        for n in graph.nodes:
            k = kinds[id(n)]
            own = TAKE if k == "take" else bodies.cost(n.op) if k == "map" else 0
            if k in ("map", "move", "take"):
                self._ways[n.out] = own + max([self._ways.get(a, 0) for a in n.ins], default=0)
            if k == "take":
                self._weights[n.out] = TAKE, 1
            elif k in ("map", "move"):
                self._weigh(n, own, readers)

    def cost(self, v: Var) -> int:
        return self._weights.get(v, (0, 0))[0]

    def total(self, v: Var) -> int:
        return sum(self._weights.get(v, (0, 1)))

    def way(self, v: Var) -> int:
        return self._ways.get(v, 0)

    def is_cheap(self, v: Var) -> bool:
        """May it be computed wherever it is read?"""
        return self.total(v) <= _CHEAP + 1

    def is_little(self, v: Var) -> bool:
        """Is it one value, and some work? Then to compute it once in each loop is less than to store and load it."""
        return v in self._cones

    def _weigh(self, n: Node, own: int, readers: Mapping[Var, int]) -> None:
        cost, leaves = own, 0
        for a in n.ins:
            if isinstance(a, Const):
                continue
            c, many = self._weights.get(a, (0, 1))
            if readers[a] > 1 and c + many > _CHEAP + 1 and a not in self._cones:
                c, many = 0, 1  # will be stored itself
            cost, leaves = cost + c, leaves + many
        self._weights[n.out] = (min(cost, 10**6), min(leaves, 10**6))
        self._cone(n, own)

    def _cone(self, n: Node, own: int) -> None:
        """Note what a value is computed from, if that is little."""
        work, leaves = ({n: own} if own else {}), set[Atom]()
        for a in n.ins:
            if isinstance(a, Var) and a.type.size * LIFTED > n.out.type.size:  # else once for many of these, or little
                more, others = self._cones.get(a, ({}, {a}))
                work.update(more)
                leaves |= others
        narrow = all(a.type.dtype.itemsize <= n.out.type.dtype.itemsize for a in leaves)
        if len(leaves) <= 1 and narrow and sum(work.values()) <= _RELOADED:
            self._cones[n.out] = work, leaves
