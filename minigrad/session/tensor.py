"""What a graph is made of, as its user holds it: Operation and Tensor; and the roles an Operation can play.

Floor 6. Most operations are one node of the graph. The others are where values come in (a placeholder, a constant,
a variable read, a random key) or where they are kept (a write); `plan.py` turns those into explicit inputs and
outputs of the graph that runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias

from minigrad.errors import ArgumentError, ConcretizationError, ShapeError, ValueTypeError
from minigrad.graph import Atom, Node, Var
from minigrad.op import Handle, Interpreter, ndarray
from minigrad.session.open_rank import OpenType
from minigrad.session.shape import TensorShape, as_sizes
from minigrad.session.stacks import Stack
from minigrad.source import Line, user_line
from minigrad.types import Dim, Size, TensorType

if TYPE_CHECKING:
    from minigrad.session.graph_scope import Graph
    from minigrad.session.session import Session
    from minigrad.session.variables import Variable

sessions: Stack[Session] = Stack("sessions")


# ── the roles ────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True, eq=False)
class Placeholder:
    """Its value is fed; without a feed it is `default`, if there is one."""

    default: Var | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Its value stands in the graph (and may still be fed instead)."""

    array: ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """The value of a variable. `base`: what a write in the same run builds on (see Note [Order of state])."""

    variable: Variable
    base: bool = False
    lenient: bool = False  # zeros while the variable is not initialised, instead of an error


@dataclass(frozen=True, slots=True, eq=False)
class Initialized:
    """Whether a variable has a value when the run starts."""

    variable: Variable


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """A variable gets a new value."""

    variable: Variable
    value: Atom


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """A random key, another one in every run."""

    graph_seed: int | None
    op_seed: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Nothing:
    """No value: only the operations it waits for matter."""


Role: TypeAlias = Node | Placeholder | Constant | Read | Initialized | Write | Draw | Nothing


class Assumption:
    """Two sizes taken to be equal while `line` was built, because only the feed can tell."""

    __slots__ = ("left", "line", "right", "who")

    def __init__(self, who: str, left: Size, right: Size, line: Line) -> None:
        self.who, self.left, self.right, self.line = who, left, right, line


# ── operations ───────────────────────────────────────────────────────────────────────────────────
class Operation:
    """One step of a graph: it has a name, inputs, outputs, and the operations it must wait for."""

    __slots__ = ("assumed", "control_inputs", "graph", "index", "line", "name", "outputs", "role", "type")

    def __init__(self, graph: Graph, name: str, type: str, role: Role, vars: tuple[Var, ...], line: Line) -> None:
        self.graph, self.name, self.type, self.role, self.line = graph, name, type, role, line
        self.index = len(graph.operations)
        self.control_inputs: tuple[Operation, ...] = graph.control_inputs
        self.assumed: tuple[Assumption, ...] = ()
        self.outputs = tuple([Tensor(self, k, v) for k, v in enumerate(vars)])

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """The operands, as the graph knows them."""
        role = self.role
        if isinstance(role, Node):
            return role.ins
        if isinstance(role, Write):
            return (role.value,)
        if isinstance(role, Placeholder) and role.default is not None:
            return (role.default,)
        return ()

    @property
    def inputs(self) -> list[Tensor]:
        """The operands that are tensors of the graph (numbers written into an expression are not)."""
        return [self.graph.tensor_of[a] for a in self.atoms if isinstance(a, Var)]

    @property
    def node_def(self) -> str:
        """The operation as one line of text."""
        ins = [f"{a.type} constant" if not isinstance(a, Var) else self.graph.tensor_of[a].name for a in self.atoms]
        return f"{self.name} = {self.type}({', '.join([*ins, *('^' + c.name for c in self.control_inputs)])})"

    def run(self, feed_dict: dict[Any, Any] | None = None, session: Session | None = None) -> None:
        """Run it in the given or the default session."""
        the_session(session, "run()").run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<Operation {self.name!r} type={self.type}>"


def the_session(session: Session | None, what: str) -> Session:
    """The session given, or the default one."""
    found = session if session is not None else sessions.top()
    if found is None:
        raise ArgumentError(
            f"{what}: no default session here",
            hint=f"use it inside `with tf.Session() as sess:`, or pass {what[:-1]}session=sess)",
        )
    return found


class Tensor(Handle):
    """A value that an operation will have when a session runs it. `==` is identity, as in TensorFlow 1."""

    __slots__ = ("__weakref__", "op", "value_index", "var")
    front_end: ClassVar[str] = "session"

    def __init__(self, op: Operation, value_index: int, var: Var) -> None:
        self.op, self.value_index, self.var = op, value_index, var

    @property
    def type(self) -> TensorType:  # type: ignore[override]
        return self.var.type

    @property
    def name(self) -> str:
        return f"{self.op.name}:{self.value_index}"

    @property
    def graph(self) -> Graph:
        return self.op.graph

    @property
    def shape(self) -> TensorShape:
        if isinstance(self.var.type, OpenType):
            raise ShapeError(
                f"the rank of {self.name} is not known until it is fed",
                hint="give the placeholder a shape, as [None, 784], or use x.set_shape(...)",
                lines=self.made(),
            )
        return TensorShape(self.var.type.shape)

    def get_shape(self) -> TensorShape:
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Say more about the shape: sizes given here are checked against the feed when the graph runs."""
        sizes, type = as_sizes("set_shape", shape), self.type
        if isinstance(type, OpenType):
            if not isinstance(self.op.role, Placeholder):
                raise ShapeError(f"set_shape: the rank of {self.name} depends on what is fed", lines=self.made())
            self.var.type = TensorType(self.graph.fresh_sizes(sizes), type.dtype)
            self.graph.name_symbols(self)
            return
        if len(sizes) != type.ndim:
            raise ShapeError(f"set_shape: {self.name} has rank {type.ndim}, got {list(sizes)}", lines=self.made())
        merged = []
        for n, m in zip(type.shape, sizes, strict=True):
            if m is None or n == m:
                merged.append(n)
                continue
            if not isinstance(n, Dim) and not isinstance(m, Dim):
                raise ShapeError(f"set_shape: {self.name} is {type}, which cannot be {list(sizes)}", lines=self.made())
            self.op.assumed += (Assumption("set_shape", n, m, user_line()),)
            merged.append(m if isinstance(n, Dim) else n)
        self.var.type = type.with_shape(tuple(merged))

    def consumers(self) -> list[Operation]:
        """The operations that read it."""
        return [o for o in self.graph.operations if any(a is self.var for a in o.atoms)]

    def eval(self, feed_dict: dict[Any, Any] | None = None, session: Session | None = None) -> Any:
        """Its value, in the given or the default session."""
        return the_session(session, "eval()").run(self, feed_dict)

    def home(self) -> Interpreter:
        return self.op.graph.interpreter

    def origin(self) -> Line:
        return self.op.line

    def made(self) -> list[tuple[str, Line]]:
        """For messages."""
        return [(f"{self.name} made at", self.op.line)]

    def concrete(self, why: str) -> ndarray:
        raise ConcretizationError(
            f"{why} of the session tensor {self.name}, {self.type}: it has no value until a session runs it",
            hint="use tf.where, tf.cond or tf.while_loop inside the graph, or sess.run(...) to get the number",
            lines=self.made(),
        )

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self.concrete("bool()"))

    def __iter__(self) -> NoReturn:
        self.concrete("iteration")
        raise AssertionError

    def __len__(self) -> int:
        raise ValueTypeError(
            f"len() of the session tensor {self.name}, {self.type}", hint="use x.shape[0]", lines=self.made()
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> ndarray:
        return self.concrete("a NumPy array")

    def __repr__(self) -> str:
        return f"<Tensor {self.name!r} shape={self._shape_text()} dtype={self.dtype.name}>"

    def _shape_text(self) -> str:
        return "<unknown>" if isinstance(self.var.type, OpenType) else str(self.shape)

    def __str__(self) -> str:
        return f'Tensor("{self.name}", shape={self._shape_text()}, dtype={self.dtype.name})'
