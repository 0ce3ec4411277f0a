"""Graph: the program, built before it runs. The default-graph stack, names, scopes, collections, how ops join it.

Floor 6. A session graph is a `minigrad.graph.Builder` that users hold by Tensors. Ops on Tensors are routed to the
graph's `Append` interpreter, which lowers operands to Vars and constants and appends a node with the user's line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from minigrad.errors import (
    ArgumentError,
    GraphError,
    MixedFrontEndsError,
    SessionError,
    UnknownNameError,
    ValueTypeError,
)
from minigrad.graph import Atom, Builder, Const, Var
from minigrad.op import EVALUATE, Array, Handle, Interpreter, Op, Operand, Value, interpreter, leaked
from minigrad.session.names import Names
from minigrad.session.open_rank import Deferred, defer, is_open
from minigrad.session.shape import TensorShape
from minigrad.session.sizes import partly_known
from minigrad.session.stacks import Stack
from minigrad.session.tensor import Assumption, Operation, Role, Tensor
from minigrad.source import Line, node_line, user_line
from minigrad.types import Dim, Size, TensorType, assume_equal

graphs: Stack[Graph] = Stack("graphs")


class GraphKeys:
    """Names of the standard collections."""

    GLOBAL_VARIABLES = "variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    LOCAL_VARIABLES = "local_variables"
    GLOBAL_STEP = "global_step"


def _assume_in_default_graph(a: Size, b: Size) -> None:
    get_default_graph().assume(a, b)


def inside_body() -> bool:
    """Is the body of a cond or while_loop being traced? Then ops go to its graph, not to the program's."""
    it = interpreter.get()
    return it is not EVALUATE and not isinstance(it, Append)


class Append(Interpreter):
    """Ops become nodes of one graph."""

    front_end = "session"

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        if self.graph.has_open_ranks and not isinstance(op, Deferred) and any(map(is_open, xs)):
            return defer(self, op.label, op, xs)
        return self.graph.add_node(op, [self.lower(op, x, xs) for x in op.coerce(xs)])

    def lower(self, op: Op, x: Value, xs: Sequence[Operand]) -> Atom:
        """An operand as the graph's nodes know it."""
        if isinstance(x, Array):
            return Const(x.array)
        if isinstance(x, Handle) and x.front_end == "session":
            tensor: Tensor = x if type(x) is Tensor else x.read()  # type: ignore[attr-defined]
            if tensor.op.graph is not self.graph:
                raise self._other_graph(op, tensor, xs)
            return tensor.var
        if isinstance(x, Handle):
            ours = next((h for h in xs if isinstance(h, Handle) and h.front_end == "session"), None)
            raise MixedFrontEndsError(
                f"{op.label}: a session value and a {x.front_end} value cannot meet in one op",
                hint="take the numbers out of one of them first",
                lines=[(f"{h.front_end} value made at", h.origin()) for h in (ours, x) if h is not None],
            )
        raise leaked(op, x)

    def _other_graph(self, op: Op, tensor: Tensor, xs: Sequence[Operand]) -> GraphError:
        ours = [x for x in xs if isinstance(x, Handle) and getattr(x, "graph", None) is self.graph]
        other = f"the graph of {ours[0].name}" if ours else "the default graph"  # type: ignore[attr-defined]
        lines = [(f"{h.name} made at", h.origin()) for h in (*ours[:1], tensor)]  # type: ignore[attr-defined]
        return GraphError(
            f"{op.label}: {tensor.name} belongs to another graph than {other}",
            hint="build both under one `with graph.as_default():`",
            lines=lines,
        )


class Graph:
    """A program to be run by sessions.

    >>> from minigrad.session.inputs import constant
    >>> graph = Graph()
    >>> with graph.as_default():
    ...     x = constant(2.0, name="x")
    ...     y = x * x
    >>> [o.name for o in graph.get_operations()]
    ['x', 'mul']
    """

    def __init__(self) -> None:
        self.builder = Builder()
        self.interpreter = Append(self)
        self.operations: list[Operation] = []
        self.by_name: dict[str, Operation] = {}
        self.tensor_of: dict[Var, Tensor] = {}
        self.names = Names()
        self.control_inputs: tuple[Operation, ...] = ()
        self.collections: dict[str, list[Any]] = {}
        self.variables: dict[str, Any] = {}  # get_variable's, by full name
        self.plans: dict[Any, Any] = {}
        self.watches: dict[Any, Any] = {}  # of recompiles, by the user's line that runs
        self.seed: int | None = None
        self.finalized = False
        self.has_open_ranks = False
        self.sizes_of: dict[Var, Any] = {}  # sizes.py: integer tensors whose values are sizes
        self.unfeedable: set[Tensor] = set()
        self.symbols: dict[str, tuple[Tensor, int]] = {}  # where each unknown size came in
        self._assuming: list[tuple[Size, Size, Line]] = []

    # ── growing ──────────────────────────────────────────────────────────────────────────────────
    def add_node(self, op: Op, ins: Sequence[Atom]) -> Any:
        """Append op(*ins); the Tensor, or the tuple of them."""
        self.check_open(op.label)
        line = node_line()
        if type(getattr(op, "shape", None)) is TensorShape:  # in a graph a shape is a plain tuple
            op = replace(op, shape=tuple(op.shape))  # type: ignore[attr-defined,type-var]
        token = assume_equal.set(self.assume)
        try:
            self.builder.add_node(op, ins, self.interpreter, line)
        finally:
            assume_equal.reset(token)
            assumed, self._assuming = self._assuming, []
        node = self.builder.nodes[-1]
        added = self.add(op.label, node, node.outs, line)
        if assumed:  # a line that failed before it came to a node has left assumptions that hold for nobody
            added.assumed = tuple([Assumption(op.label, a, b, line) for a, b, at in assumed if at == line])
        if self.sizes_of:
            known = partly_known(node, self.sizes_of)
            if known is not None:
                self.sizes_of[node.out] = known
        return added.outputs if op.many else added.outputs[0]

    def add(self, type: str, role: Role, vars: tuple[Var, ...], line: Line, name: str | None = None) -> Operation:
        """Append an operation. A given name is made unique; without one the type is the name."""
        self.check_open(type)
        unique = self.names.unique(type if name is None else self.names.check(name))
        operation = Operation(self, unique, type, role, vars, line)
        self.operations.append(operation)
        self.by_name[unique] = operation
        for tensor in operation.outputs:
            self.tensor_of[tensor.var] = tensor
        return operation

    def source(self, type: str, role: Role, out: TensorType, name: str | None = None) -> Tensor:
        """Append an operation whose value comes from outside the graph."""
        line = user_line()
        tensor = self.add(type, role, (Var(out, self.interpreter, line),), line, name).outputs[0]
        tensor.var.label = tensor.op.name
        return tensor

    def rename(self, operation: Operation, name: str) -> None:
        del self.by_name[operation.name]
        operation.name = name
        self.by_name[name] = operation

    def check_open(self, what: str) -> None:
        if self.finalized:
            raise SessionError(
                f"{what}: the graph is finalized and cannot be modified",
                hint="build everything before graph.finalize(); inside a training loop only sess.run should stand",
            )

    def assume(self, a: Size, b: Size) -> None:
        """Remember, with the node this line comes to, that two sizes were taken to be equal."""
        self._assuming.append((a, b, node_line()))

    def fresh_sizes(self, sizes: Sequence[int | Dim | None]) -> tuple[Size, ...]:
        """The sizes, with a new symbol for each None."""
        if assume_equal.get() is None:
            # functions made of several ops compare sizes before they come to the first: whoever makes symbols listens
            assume_equal.set(_assume_in_default_graph)
        found: list[Size] = []
        for n in sizes:
            if n is None:
                n = Dim.symbol(f"n{len(self.symbols)}")
                self.symbols[str(n)] = None  # type: ignore[assignment]  # the tensor is made next
            found.append(n)
        return tuple(found)

    def name_symbols(self, tensor: Tensor) -> Tensor:
        """Remember that the new symbols of this tensor's shape came in with it."""
        for axis, n in enumerate(tensor.type.shape):
            if isinstance(n, Dim) and self.symbols.get(str(n), ...) is None:
                self.symbols[str(n)] = (tensor, axis)
        return tensor

    # ── scopes ───────────────────────────────────────────────────────────────────────────────────
    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """The graph that functions build in, inside the block."""
        with graphs.holding(self):
            yield self

    def name_scope(self, name: str | None) -> Any:
        """Names made inside stand under `name/`."""
        return self.names.under(name)

    @contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Operations *created inside* wait for these; None forgets the waits of outer blocks."""
        outer = self.control_inputs
        waits = (
            ()
            if control_inputs is None
            else tuple(self.as_operation(c, "control_dependencies") for c in control_inputs)
        )
        self.control_inputs = () if control_inputs is None else tuple(dict.fromkeys((*outer, *waits)))
        try:
            yield
        finally:
            self.control_inputs = outer

    def unique_name(self, name: str) -> str:
        """Reserve and return a name nobody has."""
        return self.names.unique(name)

    def finalize(self) -> None:
        """From now on nothing can be added."""
        self.finalized = True

    @property
    def version(self) -> int:
        return len(self.operations)

    # ── looking things up ────────────────────────────────────────────────────────────────────────
    def get_operations(self) -> list[Operation]:
        """In the order of their creation."""
        return list(self.operations)

    def get_operation_by_name(self, name: str) -> Operation:
        if not isinstance(name, str):
            raise ValueTypeError(f"an operation name is text, got {name!r}")
        if ":" in name:
            raise ArgumentError(
                f"the name {name!r} refers to a tensor, not an operation", hint="leave out what follows the colon"
            )
        if name not in self.by_name:
            raise UnknownNameError(
                f"the name {name!r} refers to an operation that is not in the graph", hint=self._similar(name)
            )
        return self.by_name[name]

    def get_tensor_by_name(self, name: str) -> Tensor:
        if not isinstance(name, str):
            raise ValueTypeError(f"a tensor name is text, got {name!r}")
        op_name, colon, index = name.partition(":")
        if not colon or not index.isdigit():
            what = "refers to an operation, not a tensor" if op_name in self.by_name else "is not a tensor name"
            raise ArgumentError(
                f"the name {name!r} {what}", hint='tensor names have the form "<operation>:<output>", as "x:0"'
            )
        if op_name not in self.by_name:
            raise UnknownNameError(
                f"the name {name!r} refers to a tensor that does not exist: "
                f"there is no operation {op_name!r} in the graph",
                hint=self._similar(op_name),
            )
        outputs = self.by_name[op_name].outputs
        if int(index) >= len(outputs):
            raise UnknownNameError(
                f"the name {name!r} refers to a tensor that does not exist: "
                f"the operation {op_name!r} has {len(outputs)} output{'s' * (len(outputs) != 1)}"
            )
        return outputs[int(index)]

    def _similar(self, name: str) -> str | None:
        near = [n for n in self.by_name if n.lower() == name.lower() or n.rpartition("/")[2] == name][:3]
        return f"did you mean {' or '.join(map(repr, near))}?" if near else None

    def as_operation(self, x: Any, who: str) -> Operation:
        """The operation that x (an Operation, Tensor, Variable or name) stands for."""
        if isinstance(x, str):
            x = self.get_tensor_by_name(x) if ":" in x else self.get_operation_by_name(x)
        if isinstance(x, Handle) and x.front_end == "session":
            x = x.op  # type: ignore[attr-defined]
        if not isinstance(x, Operation):
            raise ValueTypeError(f"{who}: {x!r} (a {type(x).__name__}) is neither a tensor nor an operation")
        if x.graph is not self:
            raise GraphError(f"{who}: {x.name} belongs to another graph", lines=[(f"{x.name} made at", x.line)])
        return x

    def is_feedable(self, tensor: Tensor) -> bool:
        return tensor not in self.unfeedable

    def prevent_feeding(self, tensor: Tensor) -> None:
        self.unfeedable.add(tensor)

    def add_to_collection(self, name: str, value: Any) -> None:
        self.collections.setdefault(name, []).append(value)

    def get_collection(self, name: str, scope: str | None = None) -> list[Any]:
        found = self.collections.get(name, [])
        return [x for x in found if scope is None or getattr(x, "name", "").startswith(scope)]

    def __repr__(self) -> str:
        return f"<session graph with {len(self.operations)} operations>"


_process_graph = [Graph()]


def get_default_graph() -> Graph:
    """The innermost `with graph.as_default()`'s, or the process's own."""
    return graphs.top() or _process_graph[0]


def reset_default_graph() -> None:
    """Begin a new default graph; not inside a `with graph.as_default():`."""
    if graphs.top() is not None:
        raise SessionError("reset_default_graph inside `with graph.as_default():`", hint="leave the block first")
    _process_graph[0] = Graph()


def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Any:
    """`with name_scope("layer"):` names made inside stand under `layer/`."""
    return get_default_graph().name_scope(default_name if name is None and default_name else name)


def add_to_collection(name: str, value: Any) -> None:
    get_default_graph().add_to_collection(name, value)


def get_collection(key: str, scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(key, scope)
