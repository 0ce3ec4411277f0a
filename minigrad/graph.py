"""The graph: typed SSA. Var, Const, Node, Graph, the builder that makes them and the check that holds them to it.

Floor 1. A graph is immutable once built; passes make new ones. Ops that hold graphs (cond, scan, ...) have them
as fields. Two graphs are equal when they say the same, whatever their Vars are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigrad.errors import ConcretizationError, GraphError, ShapeError
from minigrad.op import Array, Interpreter, Op, Value, made_at, ndarray
from minigrad.source import UNKNOWN, Line, user_line
from minigrad.types import Size, TensorType, substitute


class Var(Value):
    """A name in a graph: an input, or an output of one node. Under `Build` it is also the value the user holds."""

    __slots__ = ("label", "line", "owner", "type")

    def __init__(self, type: TensorType, owner: Any = None, line: Line = UNKNOWN, label: str = "") -> None:
        self.type = type
        self.owner, self.line, self.label = owner, line, label

    def origin(self) -> Line:
        return self.line

    def concrete(self, why: str) -> ndarray:
        raise self.owner.no_value(self, why)


class Const:
    """A constant operand. Its array is the graph's own and is never written."""

    __slots__ = ("array", "type")

    def __init__(self, array: ndarray) -> None:
        self.array = array
        self.type = TensorType(array.shape, array.dtype)

    def key(self) -> tuple[Any, ...]:
        """What it says, to the bit. A repeated element counts once, however the array is laid out."""
        element = repeated_element(self.array)
        return ("const", self.type, self.array.tobytes() if element is None else element.tobytes())


def repeated_element(array: ndarray) -> Any:
    """The element that all of a non-empty array is, bit for bit; None if they differ."""
    if array.size == 0:
        return None
    first = array.flat[0]
    if all(s == 0 or n == 1 for s, n in zip(array.strides, array.shape, strict=True)):
        return first  # a broadcast: there is one element in memory
    return first if array.tobytes() == first.tobytes() * array.size else None


Atom = Var | Const


class Node:
    """One application of an op: `outs = op(*ins)`, made at `line` of the user's program."""

    __slots__ = ("ins", "line", "op", "outs")

    def __init__(self, op: Op, ins: tuple[Atom, ...], outs: tuple[Var, ...], line: Line) -> None:
        self.op, self.ins, self.outs, self.line = op, ins, outs, line

    @property
    def out(self) -> Var:
        return self.outs[0]


class Graph:
    """`outputs` as a function of `inputs`, by way of `nodes` in an order that can be run."""

    __slots__ = ("__weakref__", "_hash", "_key", "inputs", "name", "nodes", "outputs")

    def __init__(self, inputs: Iterable[Var], nodes: Iterable[Node], outputs: Iterable[Atom], name: str = "f") -> None:
        self.inputs, self.nodes, self.outputs = tuple(inputs), tuple(nodes), tuple(outputs)
        self.name = name
        self._key: tuple[Any, ...] | None = None
        self._hash: int | None = None

    @property
    def in_types(self) -> tuple[TensorType, ...]:
        return tuple(v.type for v in self.inputs)

    @property
    def out_types(self) -> tuple[TensorType, ...]:
        return tuple(v.type for v in self.outputs)

    @property
    def effect(self) -> bool:
        """Does running it do something besides returning?"""
        return any(n.op.effect for n in self.nodes)

    def key(self) -> tuple[Any, ...]:
        """What the graph says, free of names: the ground of equality and hash."""
        if self._key is None:
            number: dict[Var, int] = {v: i for i, v in enumerate(self.inputs)}
            rows = []
            for n in self.nodes:
                rows.append((n.op, tuple(_atom_key(a, number) for a in n.ins)))
                for v in n.outs:
                    number[v] = len(number)
            self._key = (self.in_types, tuple(rows), tuple(_atom_key(a, number) for a in self.outputs))
        return self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and (self is other or self.key() == other.key())

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.key())
        return self._hash

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self.inputs)} inputs, {len(self.nodes)} nodes, {len(self.outputs)} outputs>"


def _atom_key(a: Atom, number: dict[Var, int]) -> Any:
    return a.key() if isinstance(a, Const) else number[a]


def run(graph: Graph, xs: Sequence[Any]) -> list[Any]:
    """The outputs for these inputs, each op given to the interpreter in force. Values die after their last use."""
    env: dict[Var, Any] = dict(zip(graph.inputs, xs, strict=True))
    last = last_uses(graph)
    for i, n in enumerate(graph.nodes):
        ys = n.op(*[env[a] if isinstance(a, Var) else Array(a.array) for a in n.ins])
        for v, y in zip(n.outs, ys if n.op.many else (ys,), strict=True):
            env[v] = y
        for v in last.get(i, ()):
            del env[v]
    return [env[a] if isinstance(a, Var) else Array(a.array) for a in graph.outputs]


def last_uses(graph: Graph) -> dict[int, list[Var]]:
    """For each node (by position), the Vars that nobody reads after it."""
    kept = {a for a in graph.outputs if isinstance(a, Var)}
    last: dict[Var, int] = {}
    for i, n in enumerate(graph.nodes):
        for a in (*n.outs, *n.ins):
            if isinstance(a, Var) and a not in kept:
                last[a] = i
    dying: dict[int, list[Var]] = {}
    for v, i in last.items():
        dying.setdefault(i, []).append(v)
    return dying


def live(nodes: Sequence[Node], outputs: Iterable[Any]) -> list[Node]:
    """The nodes the outputs need, and those with effects, in their order."""
    needed = {a for a in outputs if isinstance(a, Var)}
    kept = []
    for n in reversed(nodes):
        if n.op.effect or not needed.isdisjoint(n.outs):
            kept.append(n)
            needed.update(a for a in n.ins if isinstance(a, Var))
    return kept[::-1]


# ── graphs inside ops ────────────────────────────────────────────────────────────────────────────
class LazyGraph:
    """A graph that is made when it is first needed: a rule may call the function that it belongs to."""

    __slots__ = ("_graph", "_make")

    def __init__(self, make: Callable[[], Graph]) -> None:
        self._make: Callable[[], Graph] = make
        self._graph: Graph | None = None

    @property
    def graph(self) -> Graph:
        if self._graph is None:
            self._graph = self._make()
        return self._graph


def subgraphs(op: Op) -> Iterator[Graph]:
    """The graphs an op holds, in the order of its fields."""
    for held in op.parameters().values():
        if isinstance(held, Graph):
            yield held
        elif isinstance(held, tuple):
            yield from (g for g in held if isinstance(g, Graph))


def map_subgraphs(op: Op, f: Any) -> Op:
    """The same op with every graph it holds replaced by f(graph): the op itself if f gives each graph back."""
    changed: dict[str, Any] = {}
    for name, held in op.parameters().items():
        if isinstance(held, Graph):
            new = f(held)
            if new is not held:
                changed[name] = new
        elif isinstance(held, tuple) and any(isinstance(g, Graph) for g in held):
            news = tuple(f(g) if isinstance(g, Graph) else g for g in held)
            if any(a is not b for a, b in zip(news, held, strict=True)):
                changed[name] = news
    return replace(op, **changed) if changed else op  # type: ignore[type-var]


def renewed(graph: Graph, var: Callable[[Var], Var], op: Callable[[Op], Op]) -> Graph:
    """The graph with a Var of its own for each, `var` of the old one, and with `op` of each op."""
    new: dict[Var, Var] = {}

    def renew(v: Var) -> Var:
        new[v] = var(v)
        return new[v]

    def atom(a: Atom) -> Atom:
        return new[a] if isinstance(a, Var) else a

    inputs = [renew(v) for v in graph.inputs]
    nodes = []
    for n in graph.nodes:
        ins = tuple(map(atom, n.ins))
        nodes.append(Node(op(n.op), ins, tuple(map(renew, n.outs)), n.line))
    return Graph(inputs, nodes, map(atom, graph.outputs), graph.name)


def specialize(graph: Graph, sizes: dict[str, Size]) -> Graph:
    """The graph with symbolic dimensions replaced, in types and in the parameters of ops."""

    def var(v: Var) -> Var:
        return Var(substitute(v.type, sizes), v.owner, v.line, v.label)

    return renewed(graph, var, lambda op: specialize_op(op, sizes))


def specialize_op(op: Op, sizes: dict[str, Size]) -> Op:
    """The op with symbolic dimensions in its parameters (and its graphs) replaced."""
    op = map_subgraphs(op, lambda g: specialize(g, sizes))
    old = op.parameters()
    changed = {k: s for k, v in old.items() if not isinstance(v, Graph) and (s := substitute(v, sizes)) != v}
    return replace(op, **changed) if changed else op  # type: ignore[type-var]


# ── building ─────────────────────────────────────────────────────────────────────────────────────
class Builder:
    """Appends nodes. Types are inferred as they are appended, so a wrong program stops at its wrong line."""

    def __init__(self) -> None:
        self.inputs: list[Var] = []
        self.nodes: list[Node] = []

    def add_input(self, type: TensorType, owner: Interpreter | None, label: str, line: Line = UNKNOWN) -> Var:
        v = Var(type, owner, line, label)
        self.inputs.append(v)
        return v

    def add_node(self, op: Op, ins: Sequence[Atom], owner: Interpreter | None, line: Line) -> Any:
        """The output Var, or the tuple of them when the op has many."""
        try:
            types = op.out_type(*[a.type for a in ins])
        except ShapeError as error:
            error.also(made_at(ins))
            raise
        outs = tuple([Var(t, owner, line) for t in types]) if op.many else (Var(types, owner, line),)
        self.nodes.append(Node(op, tuple(ins), outs, line))
        return outs if op.many else outs[0]

    def graph(self, outputs: Sequence[Atom], name: str = "f") -> Graph:
        return Graph(self.inputs, self.nodes, outputs, name)


def depends_on(v: Var, inputs: Sequence[Var], nodes: Sequence[Node]) -> list[Var]:
    """The inputs a Var was computed from."""
    needed = {v}
    for n in reversed(nodes):
        if not needed.isdisjoint(n.outs):
            needed.update(a for a in n.ins if isinstance(a, Var))
    return [i for i in inputs if i in needed]


def no_value_error(v: Var, why: str, inputs: Sequence[Var], nodes: Sequence[Node], use: str) -> ConcretizationError:
    """Python wants the value of a Var: say which arguments it came from, where it was made, and what to use."""
    names = [i.label for i in depends_on(v, inputs, nodes) if i.label]
    given = any(v is i for i in inputs)
    whence = f", argument {v.label}" if given and v.label else ""
    if names and not whence:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        whence = f", which depends on argument{'s' * (len(names) > 1)} {', '.join(names[:3])}{more}"
    made = [] if v.line.same_place(user_line()) else [("passed at" if given else "made at", v.line)]
    return ConcretizationError(f"{why} of a traced value {v.type}{whence}", hint=use, lines=made)


# ── the check ────────────────────────────────────────────────────────────────────────────────────
def check(graph: Graph) -> Graph:
    """The graph itself, if every name is defined once before it is used and every type is what its op says."""
    defined: set[Var] = set()
    for v in graph.inputs:
        _define(v, defined, "an input")
    for i, n in enumerate(graph.nodes):
        where = f"node {i}, {n.op.label}"
        for a in n.ins:
            if isinstance(a, Var) and a not in defined:
                raise GraphError(f"{where}: operand {a.type} is not defined before it", lines=[("made at", n.line)])
        for g in subgraphs(n.op):
            check(g)
        types = n.op.out_type(*[a.type for a in n.ins])
        types = tuple(types) if n.op.many else (types,)
        if types != tuple(v.type for v in n.outs):
            shown = " ".join(str(v.type) for v in n.outs), " ".join(map(str, types))
            raise GraphError(f"{where}: has type {shown[0]}, its op says {shown[1]}", lines=[("made at", n.line)])
        for v in n.outs:
            _define(v, defined, where)
    for a in graph.outputs:
        if isinstance(a, Var) and a not in defined:
            raise GraphError(f"an output {a.type} is never defined")
    return graph


def _define(v: Var, defined: set[Var], where: str) -> None:
    if v in defined:
        raise GraphError(f"{where}: {v.type} is defined twice")
    defined.add(v)


def const(x: Any, dtype: Any) -> Const:
    return Const(np.asarray(x, dtype))
