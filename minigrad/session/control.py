"""Order and choice: control_dependencies, group, no_op, identity, tuple; cond and while_loop.

Floor 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import tree
from minigrad.errors import ArgumentError, ConcretizationError, ShapeError, ValueTypeError
from minigrad.op import EVALUATE, Handle, Value, interpreter
from minigrad.session.building import Identity, build, building, graph_of, operand
from minigrad.session.graph_scope import Append, Graph, get_default_graph
from minigrad.session.inputs import convert_to_tensor
from minigrad.session.tensor import Nothing, Operation
from minigrad.source import user_line


def control_dependencies(control_inputs: Sequence[Any] | None) -> Any:
    """`with control_dependencies([a, b]):` operations created inside wait for a and b; None forgets outer ones."""
    return _graph(control_inputs or ()).control_dependencies(control_inputs)


def _graph(xs: Sequence[Any]) -> Graph:
    return next((x.graph for x in xs if hasattr(x, "graph")), None) or get_default_graph()


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing; it waits for the control inputs in force."""
    return get_default_graph().add("NoOp", Nothing(), (), user_line(), name)


def group(*inputs: Any, name: str = "group_deps") -> Operation:
    """One operation that is done when all of these (tensors, operations, lists of them) are done."""
    flat = [x for x in tree.leaves(list(inputs)) if x is not None]
    graph = _graph(flat)
    with graph.control_dependencies([graph.as_operation(x, "group") for x in flat]):
        return graph.add("NoOp", Nothing(), (), user_line(), name)


def identity(input: Any, name: str | None = None) -> Any:
    """The same value as a new operation, which waits for the control inputs in force."""
    return build(name, "Identity", lambda x: Identity()(x), input)


def tuple_(tensors: Sequence[Any], control_inputs: Sequence[Any] | None = None, name: str = "tuple") -> list[Any]:
    """The tensors, each of which waits until all of them (and control_inputs) are done."""
    present = [t for t in tensors if t is not None]
    with control_dependencies([*present, *(control_inputs or ())]):
        return [None if t is None else identity(t, name) for t in tensors]
