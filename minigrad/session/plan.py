"""Plan: from what a run asks for to the graph that runs. Pruning, and state made explicit.

Floor 6. Of all operations only those are kept that a fetch needs, by data or by control dependency; a fed tensor cuts
off what it would have been computed from. What remains is an ordinary graph: feeds, variables and random keys come
in as inputs, fetched values and new variable values go out (see Note [Order of state] in variables.py). It is made
once per (fetches, fed tensors), specialised and compiled once per fed sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from minigrad import backends
from minigrad.graph import Atom, Const, Graph, Node, Var, specialize
from minigrad.op import EVALUATE, using
from minigrad.recompiles import Watch, count
from minigrad.session.building import Identity
from minigrad.session.open_rank import Deferred, OpenType, resolve
from minigrad.session.tensor import (
    Assumption,
    Constant,
    Draw,
    Initialized,
    Nothing,
    Operation,
    Placeholder,
    Read,
    Tensor,
    Write,
)
from minigrad.session.variables import Variable
from minigrad.types import BOOL, UINT32, TensorType, symbols_of

Target: TypeAlias = "Tensor | Operation"
# For each variable, the latest write an operation is ordered after: its place in the order of writes, and the value.
Seen: TypeAlias = "dict[Variable, tuple[int, Atom]]"

KEY = TensorType((2,), UINT32)


def needed(targets: Iterable[Target], fed: frozenset[Var] | set[Var]) -> list[Operation]:
    """The operations these need, in the order they were built (which is an order they can run in)."""
    stack = [t if isinstance(t, Operation) else t.op for t in targets if isinstance(t, Operation) or t.var not in fed]
    found: set[Operation] = set()
    while stack:
        operation = stack.pop()
        if operation in found:
            continue
        found.add(operation)
        stack += operation.control_inputs
        tensor_of = operation.graph.tensor_of
        stack += [tensor_of[a].op for a in operation.atoms if isinstance(a, Var) and a not in fed]
    return sorted(found, key=lambda o: o.index)


class Plan:
    """The pruned graph of one kind of run, what its inputs and outputs are, and its executables by fed sizes."""

    def __init__(self, targets: Sequence[Target], fed: Sequence[Tensor]) -> None:
        self.targets, self.fed = tuple(targets), tuple(fed)
        self.unfed: list[Operation] = []  # placeholders that are needed and not fed
        self.reads: dict[Variable, Var] = {}  # input: the variable's value before the run
        self.lenient: dict[Variable, Var] = {}
        self.flags: dict[Variable, Var] = {}
        self.draws: dict[Operation, Var] = {}
        self.writes: dict[Variable, Atom] = {}  # output: its value after the run
        self.readers: dict[Variable, Operation] = {}
        self.assumed: list[Assumption] = []
        self.executables: dict[Any, backends.Executable] = {}
        self.watch = Watch("session: run")
        self._nodes: list[Node] = []
        self._atom: dict[Atom, Atom] = {}  # what stands for a Var of the session's graph, where it is not itself
        self._seen: dict[Operation, Seen] = {}
        fed_vars = {t.var for t in fed}
        self.operations = needed(self.targets, fed_vars)
        for operation in self.operations:
            self._add(operation, fed_vars)
        self.fetched = [t for t in self.targets if isinstance(t, Tensor) and t.var not in fed_vars]
        self.graph = self._graph()

    def _graph(self) -> Graph:
        sources = (self.reads, self.lenient, self.flags, self.draws)
        inputs = [t.var for t in self.fed] + [v for source in sources for v in source.values()]
        outputs = [self.atom(t.var) for t in self.fetched] + list(self.writes.values())
        return Graph(inputs, self._nodes, outputs, "run")

    def atom(self, a: Atom) -> Atom:
        return self._atom.get(a, a)

    # ── one operation at a time ──────────────────────────────────────────────────────────────────
    def _add(self, operation: Operation, fed: set[Var]) -> None:
        seen = self._seen[operation] = self._ordered_after(operation, fed)
        self.assumed += operation.assumed
        role = operation.role
        if isinstance(role, Node):
            self._add_node(role, fed)
            return
        outs = operation.outputs
        if not outs or outs[0].var in fed:
            return
        out = outs[0].var
        match role:
            case Constant():
                self._atom[out] = Const(role.array)
            case Placeholder(default=None):
                self.unfed.append(operation)
            case Placeholder():
                self._atom[out] = self.atom(role.default)  # type: ignore[arg-type]
            case Read():
                self._atom[out] = self._read(operation, role, seen)
            case Initialized():
                self._atom[out] = self._input(self.flags, role.variable, TensorType((), BOOL), role.variable.name)
            case Draw():
                self._atom[out] = self._input(self.draws, operation, KEY, operation.name)
            case Write():
                value = self._atom[out] = self.atom(role.value)
                self._seen[operation] = {**seen, role.variable: (operation.index, value)}
                self.writes[role.variable] = value
            case Nothing():
                pass

    def _add_node(self, node: Node, fed: set[Var]) -> None:
        ins = node.ins if self._atom.keys().isdisjoint(node.ins) else tuple([self.atom(a) for a in node.ins])
        if isinstance(node.op, Identity):
            if node.out not in fed:
                self._atom[node.out] = ins[0]
            return
        outs = node.outs
        if not fed.isdisjoint(outs):
            # an output that is fed is an input of this graph: the node's own goes nowhere
            outs = tuple([Var(v.type, v.owner, v.line) if v in fed else v for v in outs])
        unchanged = outs is node.outs and ins is node.ins
        self._nodes.append(node if unchanged else Node(node.op, ins, outs, node.line))

    def _ordered_after(self, operation: Operation, fed: set[Var]) -> Seen:
        """The writes this operation is ordered after: everything those it waits for are."""
        merged: Seen = {}
        if not self.writes:
            return merged
        tensor_of = operation.graph.tensor_of
        inputs = [tensor_of[a].op for a in operation.atoms if isinstance(a, Var) and a not in fed]
        for before in (*inputs, *operation.control_inputs):
            other = self._seen[before]
            if other is merged or not other:
                continue
            if not merged:
                merged = other
            elif any(merged.get(v, (-1,))[0] < at for v, (at, _) in other.items()):
                merged = {**merged, **{v: w for v, w in other.items() if merged.get(v, (-1,))[0] < w[0]}}
        return merged

    def _read(self, operation: Operation, role: Read, seen: Seen) -> Atom:
        variable = role.variable
        if role.base and variable in self.writes:
            return self.writes[variable]
        if variable in seen:
            return seen[variable][1]
        self.readers.setdefault(variable, operation)
        return self._input(self.lenient if role.lenient else self.reads, variable, variable.type, variable.name)

    def _input(self, into: Any, key: Any, type: TensorType, label: str) -> Var:
        found: Var | None = into.get(key)
        if found is None:
            found = into[key] = Var(
                type, key.graph.interpreter, key.graph.get_operation_by_name(label.partition(":")[0]).line, label
            )
        return found

    # ── running ──────────────────────────────────────────────────────────────────────────────────
    def executable(self, sizes: dict[str, int], signature: Any) -> backends.Executable:
        """The program for this signature, the backend and the fed shapes, compiled when it is met first."""
        count(traces=1)
        with using(EVALUATE):
            graph = self._concrete(sizes, signature[1:])
            exe = self.executables[signature] = backends.compile(graph)
        return exe

    def _concrete(self, sizes: dict[str, int], shapes: Sequence[Any]) -> Graph:
        if any(isinstance(n.op, Deferred) or isinstance(n.out.type, OpenType) for n in self.graph.nodes if n.outs):
            fed = [t.type.with_shape(shape) for t, shape in zip(self.fed, shapes, strict=True)]
            fed = [TensorType(t.shape, t.dtype) for t in fed]
            return resolve(self.graph, [*fed, *(v.type for v in self.graph.inputs[len(fed) :])], sizes)
        return specialize(self.graph, dict(sizes)) if sizes else self.graph

    def needs(self, operation: Operation) -> str:
        """The name of the first target that needs this operation, for messages."""
        fed = {t.var for t in self.fed}
        return next(t.name for t in self.targets if operation in needed([t], fed))

    @property
    def open_sizes(self) -> set[str]:
        """The symbols whose numbers must be known to run it."""
        every = [*self.graph.inputs, *(v for n in self.graph.nodes for v in n.outs)]
        return symbols_of(tuple({v.type.shape for v in every if not isinstance(v.type, OpenType)}))
