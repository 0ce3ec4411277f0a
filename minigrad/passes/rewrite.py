"""One forward sweep with a substitution: what simplify, cse and fold are made of.

Floor 4. A pass reads the old nodes in order. Each either stays, with its operands replaced, or is left out and its
outputs are replaced by other atoms from then on. So a pass is linear in the nodes and needs no second look: when a
node is reached its operands are already in their final form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain
from operator import is_
from typing import Any

import numpy as np

from minigrad.graph import Atom, Const, Graph, Node, Var, map_subgraphs, repeated_element
from minigrad.op import Op, ndarray
from minigrad.ops.movement import Expand, Flip, Permute, Reshape
from minigrad.ops.pieces import Slice
from minigrad.ops.rows import Row
from minigrad.source import UNKNOWN, Line

_MOVES = (Expand, Flip, Permute, Reshape, Slice)  # whatever they do to a tensor of equal elements, it stays one
_LOOK_INTO = 4096  # constants up to this many elements are searched for equal elements


def rebuilt(n: Node, ins: tuple[Atom, ...], inside: Callable[[Graph], Graph] | None = None) -> Node:
    """The node with other operands, and with `inside` done to the graphs its op holds: itself if nothing changed."""
    op = n.op if inside is None or isinstance(n.op, Row) else map_subgraphs(n.op, inside)  # most are rows: no graphs
    same = op is n.op and (ins is n.ins or all(map(is_, ins, n.ins)))
    return n if same else Node(op, ins, n.outs, n.line)


class Sweep:
    """The graph being written: the nodes so far, what replaces what, who made what, and what is constant."""

    def __init__(self, graph: Graph) -> None:
        self.old = graph
        self.nodes: list[Node] = []
        self.line: Line = UNKNOWN  # given to new nodes: that of the old node being rewritten
        self._instead: dict[Atom, Atom] = {}
        self._maker: dict[Var, Node] = {}
        self._uniform: dict[Var, Any] = {}

    def atoms(self, old: tuple[Atom, ...]) -> tuple[Atom, ...]:
        """Old atoms as they are now called; the same tuple if they all keep their names."""
        instead = self._instead
        return old if instead.keys().isdisjoint(old) else tuple([instead.get(a, a) for a in old])

    def replace(self, old: Var, new: Atom) -> None:
        if old.type != new.type:
            raise AssertionError(f"a rewrite changed a type: {old.type} to {new.type}")
        self._instead[old] = new

    def keep(self, n: Node) -> None:
        """Append a node."""
        self.nodes.append(n)
        for v in n.outs:
            self._maker[v] = n
        if isinstance(n.op, _MOVES):
            value = self.uniform(n.ins[0])
            if value is not None:
                self._uniform[n.out] = value

    def emit(self, op: Op, *ins: Atom) -> Var:
        """Append a new one-output node."""
        v = Var(op.out_type(*[a.type for a in ins]), None, self.line)
        self.keep(Node(op, ins, (v,), self.line))
        return v

    def graft(self, graph: Graph, ins: Sequence[Atom], line: Line) -> list[Atom]:
        """Append the nodes of a graph applied to these atoms; its outputs."""
        now: dict[Var, Atom] = dict(zip(graph.inputs, ins, strict=True))
        for n in graph.nodes:
            outs = tuple([Var(v.type, None, line) for v in n.outs])
            self.keep(Node(n.op, tuple([now[a] if isinstance(a, Var) else a for a in n.ins]), outs, line))
            now.update(zip(n.outs, outs, strict=True))
        return [now[a] if isinstance(a, Var) else a for a in graph.outputs]

    def maker(self, a: Atom, kind: Any) -> Node | None:
        """The node that makes an atom, if its op is `kind` (a class, or one particular op)."""
        n = self._maker.get(a) if isinstance(a, Var) else None
        if n is None:
            return None
        fits = isinstance(n.op, kind) if isinstance(kind, (type, tuple)) else n.op is kind
        return n if fits else None

    def read_once(self, v: Any) -> bool:
        """Is there one reader only of an old Var? (Vars made by this sweep count as read more often.)"""
        return self._reads.get(v, 2) == 1

    @cached_property
    def _reads(self) -> Counter[Atom]:
        """How often each old Var is read."""
        return Counter(chain(self.old.outputs, chain.from_iterable(n.ins for n in self.old.nodes)))

    def uniform(self, a: Atom) -> Any:
        """The NumPy scalar that every element of a constant equals to the bit; None if none is known."""
        if isinstance(a, Var):
            return self._uniform.get(a)
        return uniform_element(a.array)

    def graph(self) -> Graph:
        """What has been written: the old graph itself if nothing changed."""
        old = self.old.nodes
        if not self._instead and len(self.nodes) == len(old) and all(map(lambda a, b: a is b, self.nodes, old)):
            return self.old
        return Graph(self.old.inputs, self.nodes, self.atoms(self.old.outputs), self.old.name)


def uniform_element(array: ndarray) -> Any:
    """The element that all of a non-empty array repeats, bit for bit; None if there is none, or it is big and dense."""
    dense = array.size > _LOOK_INTO and any(array.strides)
    return None if dense else repeated_element(array)


def uniform_const(sweep: Sweep, value: Any, type: Any) -> Atom:
    """A constant of equal elements: a scalar, expanded where the shape asks for it (no memory, short text)."""
    scalar = Const(np.asarray(value, type.dtype))
    return scalar if type.shape == () else sweep.emit(Expand(type.shape), scalar)
