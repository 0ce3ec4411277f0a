"""Order and choice: control_dependencies, group, no_op, identity, tuple; cond and while_loop.

Floor 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import control, tree
from minigrad.errors import ArgumentError, DtypeError, ValueTypeError
from minigrad.op import Value
from minigrad.ops.movement import Reshape
from minigrad.session.building import Identity, as_array, build, building
from minigrad.session.graph_scope import Graph, get_default_graph
from minigrad.session.open_rank import is_open
from minigrad.session.shape import may_be_same
from minigrad.session.tensor import Assumption, Nothing, Operation
from minigrad.source import user_line
from minigrad.types import BOOL, assume_equal


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


# ── choice and repetition ────────────────────────────────────────────────────────────────────────
def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any], name: str = "cond") -> Any:
    """true_fn() if the scalar bool tensor `pred` holds when the graph runs, else false_fn(), in one structure.

    Only what is built inside the functions is conditional; what they use from outside is computed in any case.
    """
    if isinstance(pred, (bool, np.bool_)):
        raise ValueTypeError("cond: the condition is a Python bool", hint="then use Python's if")
    with building(pred) as graph, _assuming(graph, "cond"):
        structures: list[Any] = []
        chosen = control.branch(_scalar_bool(pred), [_flat(f, structures) for f in (false_fn, true_fn)], [])
        return structures[0].unflatten(chosen)


def _scalar_bool(pred: Any) -> Any:
    if not isinstance(pred, Value):
        raise ValueTypeError(f"cond: the condition {pred!r} (a {type(pred).__name__}) is not a tensor")
    if pred.dtype != BOOL:
        raise DtypeError(f"cond: the condition must be bool[], got {pred.type}", hint="compare: x > 0")
    return pred if not is_open(pred) and pred.ndim == 0 else Reshape(())(pred)


def _flat(f: Callable[[], Any], structures: list[Any]) -> Callable[[], list[Any]]:
    """f with a flat list of values as its result; its structure is put on the list."""

    def flat() -> list[Any]:
        leaves, structure = tree.flatten(f())
        structures.append(structure)
        if structure != structures[0]:
            raise ArgumentError(f"cond: true_fn returns the structure {structure!r}, false_fn {structures[0]!r}")
        return [_value(x) for x in leaves]

    return flat


def _value(x: Any) -> Value:
    if isinstance(x, Operation):
        raise ValueTypeError(f"cond: {x.name} is an operation, which has no value", hint="return tensors")
    return x if isinstance(x, Value) else as_array(x)


@contextmanager
def _assuming(graph: Graph | None, who: str) -> Iterator[None]:
    """Sizes that a body takes to be equal are remembered with the op that holds it, the last one made inside."""
    if graph is None:
        yield
        return
    found: list[Assumption] = []
    token = assume_equal.set(lambda a, b: found.append(Assumption(who, a, b, user_line())))
    try:
        yield
    finally:
        assume_equal.reset(token)
    graph.operations[-1].assumed += tuple(found)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: int | None = None,
    name: str = "while",
) -> Any:
    """The loop variables after: while cond(*vars): vars = body(*vars). Their types must stay what they are.

    A gradient through it is computed by running there and back in one op; with maximum_iterations it is a scan of that
    many steps, which can be differentiated again. A single variable in a list is returned bare, as in TensorFlow.
    """
    if shape_invariants is not None:
        raise ArgumentError(
            "while_loop: shapes that change from step to step are not supported", hint="pad to a fixed size"
        )
    if not isinstance(loop_vars, (list, tuple)) or not loop_vars:
        raise ValueTypeError(f"while_loop: loop_vars must be a list of tensors, got {loop_vars!r}")
    leaves, structure = tree.flatten(list(loop_vars))
    with building(*leaves) as graph, _assuming(graph, "while_loop"):
        start = [_value(x) for x in leaves]

        def test(*values: Value) -> Any:
            return _scalar_bool(cond(*structure.unflatten(values)))

        def step(*values: Value) -> list[Any]:
            return _next(body(*structure.unflatten(values)), structure, start)

        end = structure.unflatten(control.repeat(test, step, start, maximum_iterations))
    return end[0] if len(end) == 1 else end if isinstance(loop_vars, list) else tuple(end)


def _next(result: Any, structure: Any, start: Sequence[Value]) -> list[Any]:
    """What the body returned, as flat values of the loop variables' types."""
    given = list(result) if isinstance(result, (list, tuple)) else [result]
    leaves, found = tree.flatten(given)
    if found != structure:
        raise ArgumentError(
            f"while_loop: the body returns the structure {found!r}, the loop variables have {structure!r}"
        )
    values = []
    for k, (x, before) in enumerate(zip(leaves, start, strict=True)):
        y = x if isinstance(x, Value) else as_array(x, before.dtype)
        if y.dtype != before.dtype or not may_be_same(y.shape, before.shape):
            raise ArgumentError(
                f"while_loop: loop variable {k} enters as {before.type} and is {y.type} after one step",
                hint="the body must keep the type: tf.cast, or a fixed shape",
            )
        values.append(y)
    return values
