"""Variables: state that sessions keep. The graph only says where it is read and written.

Floor 6.

Note [Order of state]
In one run, each variable has the value it had before the run, except
- for a read that is *ordered after* a write of it, by data or by control_dependencies: it sees the latest of the writes
  it is ordered after;
- for writes: those of one variable that a run contains happen one after another, in the order in which they were
  built, and `assign_add` builds on what the one before it left.
Operations are built after what they depend on, so the order of building never contradicts the dependencies. A read
made without a control dependency in force is the variable itself, `v:0`; made inside `control_dependencies` it is a
new operation that waits. After the run the variable has the value of the last write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from minigrad.errors import ArgumentError, DtypeError, SessionError, ShapeError, ValueTypeError
from minigrad.graph import Const, Var
from minigrad.op import Handle, Interpreter, Value, ndarray
from minigrad.ops.elementwise import add, convert, sub, where
from minigrad.session.building import as_array, building, operand
from minigrad.session.graph_scope import Graph, GraphKeys, get_default_graph, inside_body
from minigrad.session.open_rank import is_open, settle
from minigrad.session.shape import TensorShape, may_be_same, static
from minigrad.session.tensor import Constant, Initialized, Nothing, Operation, Read, Tensor, Write, the_session
from minigrad.source import Line, user_line
from minigrad.types import TensorType, as_dtype


class Variable(Handle):
    """A tensor whose value a session keeps from run to run, and that `assign` changes.

    initial_value: a tensor, numbers, or a function that makes one of them. Its shape must be known.

    >>> with Graph().as_default():
    ...     v = Variable([1.0, 2.0], name="v")
    >>> v.name, v.shape
    ('v:0', TensorShape((2,)))
    """

    __slots__ = ("__weakref__", "initial_value", "initializer", "snapshot", "trainable")
    front_end: ClassVar[str] = "session"

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Sequence[str] | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if initial_value is None:
            raise ArgumentError(f"variable {name or 'Variable'!r} needs an initial value")
        if inside_body():
            raise SessionError(
                "a variable cannot be made inside the body of a cond or while_loop", hint="make it outside"
            )
        with building(initial_value) as graph:
            assert graph is not None
            with graph.control_dependencies(None):
                self._make(graph, initial_value, name or "Variable", dtype)
        self.trainable = trainable
        keys = list(collections) if collections is not None else [GraphKeys.GLOBAL_VARIABLES]
        for key in [*keys, *([GraphKeys.TRAINABLE_VARIABLES] if trainable else [])]:
            graph.add_to_collection(key, self)

    def _make(self, graph: Graph, initial_value: Any, name: str, dtype: Any) -> None:
        reserved = graph.names.unique(graph.names.check(name))
        with graph.names.under(reserved + "/"):
            value = initial_value() if callable(initial_value) else initial_value
            first = _initial(graph, value, None if dtype is None else as_dtype(dtype))
            type = TensorType(static(f"variable {reserved!r}", first.type.shape), first.dtype)
            self.initial_value: Tensor = first
            line = user_line()
            out = Var(type, graph.interpreter, line, reserved)
            self.snapshot: Tensor = graph.add("Variable", Read(self), (out,), line, reserved + "/").outputs[0]
            self.initializer: Operation = self._write("Assign", first).op

    # ── what it is ───────────────────────────────────────────────────────────────────────────────
    @property
    def op(self) -> Operation:
        return self.snapshot.op

    @property
    def graph(self) -> Graph:
        return self.snapshot.op.graph

    @property
    def name(self) -> str:
        return self.snapshot.name

    @property
    def type(self) -> TensorType:  # type: ignore[override]
        return self.snapshot.var.type

    @property
    def shape(self) -> TensorShape:
        return self.snapshot.shape

    def get_shape(self) -> TensorShape:
        return self.shape

    # ── reading ──────────────────────────────────────────────────────────────────────────────────
    def read(self) -> Tensor:
        """What an op that is given the variable takes: `v:0`, or a read that waits for the control inputs in force."""
        return self.read_value() if self.graph.control_inputs else self.snapshot

    def value(self) -> Tensor:
        return self.read()

    def read_value(self) -> Tensor:
        """A new operation that reads the variable, after the control inputs in force."""
        return self.graph.source("ReadVariable", Read(self), self.type, f"{self.op.name.rpartition('/')[2]}/read")

    def initialized_value(self) -> Tensor:
        """Its value if it has one, else its initial value: for making one variable's start depend on another's."""
        graph = self.graph
        with building(self), graph.control_dependencies(None):
            value = graph.source("ReadVariable", Read(self, lenient=True), self.type)
            return where(is_variable_initialized(self), value, self.initial_value)  # type: ignore[no-any-return]

    def eval(self, session: Any = None, feed_dict: dict[Any, Any] | None = None) -> Any:
        """Its value, in the given or the default session."""
        return the_session(session, "eval()").run(self, feed_dict)

    def load(self, value: Any, session: Any = None) -> None:
        """Give it a value in a session, without any operation."""
        the_session(session, "load()").load(self, value)

    # ── writing ──────────────────────────────────────────────────────────────────────────────────
    def assign(self, value: Any, name: str | None = None) -> Tensor:
        """A tensor that, when it runs, gives the variable this value and is that value."""
        return self._update("Assign", value, lambda x: x, name)

    def assign_add(self, delta: Any, name: str | None = None) -> Tensor:
        return self._update("AssignAdd", delta, lambda x: add(self._base(), x), name)

    def assign_sub(self, delta: Any, name: str | None = None) -> Tensor:
        return self._update("AssignSub", delta, lambda x: sub(self._base(), x), name)

    def _base(self) -> Tensor:
        return self.graph.source("ReadVariable", Read(self, base=True), self.type)

    def _update(self, type: str, value: Any, combine: Callable[[Any], Any], name: str | None) -> Tensor:
        if inside_body():
            raise SessionError(
                f"{type} of {self.name} inside the body of a cond or while_loop",
                hint="let the body return the new value, and assign it outside",
                lines=self.snapshot.made(),
            )
        with building(self) as graph:
            assert graph is not None
            reserved = graph.names.unique(type if name is None else graph.names.check(name))
            with graph.names.under(reserved + "/"):
                value = operand(value)
                if not isinstance(value, Value):
                    value = as_array(value, self.dtype, type)
                if value.dtype != self.dtype:
                    raise DtypeError(
                        f"{type}: {self.name} is {self.dtype.name}, the value {value.dtype.name}",
                        hint="convert it with tf.cast",
                        lines=self.snapshot.made(),
                    )
                return self._write(type, combine(value), reserved)

    def _write(self, type: str, value: Any, name: str | None = None) -> Tensor:
        """The operation that stores a value, which must have the variable's type."""
        if is_open(value):
            value = settle(value, self.type, f"{type}: the value for {self.name}")
        if not may_be_same(value.type.shape, self.type.shape):
            raise ShapeError(
                f"{type}: {self.name} is {self.type}, the value {value.type}: the shapes differ",
                lines=self.snapshot.made(),
            )
        if isinstance(value, Variable):
            value = value.read()
        atom = value.var if isinstance(value, Tensor) else Const(value.array)
        line = user_line()
        out = Var(self.type, self.graph.interpreter, line)
        return self.graph.add(type, Write(self, atom), (out,), line, type if name is None else name + "/").outputs[0]

    # ── a value among values ─────────────────────────────────────────────────────────────────────
    def home(self) -> Interpreter:
        return self.graph.interpreter

    def origin(self) -> Line:
        return self.op.line

    def concrete(self, why: str) -> ndarray:
        return self.snapshot.concrete(why)

    __eq__, __ne__, __hash__ = Tensor.__eq__, Tensor.__ne__, object.__hash__
    __bool__, __iter__, __len__, __array__ = Tensor.__bool__, Tensor.__iter__, Tensor.__len__, Tensor.__array__

    def __repr__(self) -> str:
        return f"<Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"


def _initial(graph: Graph, x: Any, dtype: Any) -> Tensor:
    if isinstance(x, Handle):
        value: Any = x.read() if isinstance(x, Variable) else x
        found: Tensor = value if dtype is None else convert(value, dtype)
        return found
    array = as_array(x, dtype, "Variable").array
    return graph.source("Const", Constant(array), TensorType(array.shape, array.dtype), "initial_value")


# ── over several variables ───────────────────────────────────────────────────────────────────────
def global_variables() -> list[Variable]:
    return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)


def trainable_variables(scope: str | None = None) -> list[Variable]:
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def variables_initializer(var_list: Sequence[Variable], name: str = "init") -> Operation:
    """One operation that gives each of them its initial value."""
    graph = var_list[0].graph if var_list else get_default_graph()
    with graph.control_dependencies(None), graph.control_dependencies([v.initializer for v in var_list]):
        return graph.add("NoOp", Nothing(), (), user_line(), name)


def global_variables_initializer() -> Operation:
    """One operation that gives every variable made so far its initial value."""
    return variables_initializer(global_variables())


def is_variable_initialized(variable: Variable) -> Tensor:
    """Whether the session has a value for it, as a bool tensor."""
    return variable.graph.source("IsVariableInitialized", Initialized(variable), TensorType((), as_dtype(bool)))


def assign(ref: Variable, value: Any, name: str | None = None) -> Tensor:
    return _variable(ref, "assign").assign(value, name)


def assign_add(ref: Variable, value: Any, name: str | None = None) -> Tensor:
    return _variable(ref, "assign_add").assign_add(value, name)


def assign_sub(ref: Variable, value: Any, name: str | None = None) -> Tensor:
    return _variable(ref, "assign_sub").assign_sub(value, name)


def _variable(x: Any, who: str) -> Variable:
    if not isinstance(x, Variable):
        raise ValueTypeError(f"{who}: {x!r} is not a variable")
    return x
