"""Print, py_func, Assert, check_numerics: operations that do something besides giving a value.

Floor 6. They happen when something that is fetched needs them, by data or by control dependency, in the order in which
they were built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import minigrad.numpy as mnp
from minigrad.errors import ArgumentError
from minigrad.ops import effects
from minigrad.session.building import Identity, build, building, operand
from minigrad.session.graph_scope import Graph
from minigrad.session.shape import as_sizes
from minigrad.session.tensor import Operation
from minigrad.types import TensorType, as_dtype


def _happening(graph: Graph | None, op: Any, xs: Sequence[Any]) -> list[Operation]:
    """Append an op without results; the operation, unless it went into the body of a cond or while_loop."""
    op(*map(operand, xs))
    return [] if graph is None else [graph.operations[-1]]


def _after(graph: Graph | None, before: Sequence[Operation], value: Any, name: str | None, op_type: str) -> Any:
    """The value again, as an operation that waits."""
    if graph is None:
        return value
    with graph.control_dependencies(before):
        return build(name, op_type, lambda x: Identity()(x), value)


def Print(input_: Any, data: Sequence[Any], message: str | None = None, name: str = "Print") -> Any:
    """input_ itself; whenever it is computed, the message and the data are printed first: `message[1 2][3]`."""
    text = (message or "").replace("{", "{{").replace("}", "}}") + "[{}]" * len(data)
    with building(input_, *data) as graph:
        return _after(graph, _happening(graph, effects.Print(text), data), input_, name, "Print")


def Assert(condition: Any, data: Sequence[Any], name: str = "Assert") -> Operation | None:
    """An operation that raises CheckFailedError, showing the data, when the condition is false anywhere.

    Make others wait for it: `with tf.control_dependencies([tf.Assert(x > 0, [x])]):`.
    """
    text = "assertion failed: " + "[{}]" * len(data)
    with building(condition, *data) as graph:
        made = _happening(graph, effects.Assert(text), [condition, *data])
        if graph is not None:
            graph.rename(made[0], graph.names.unique(graph.names.check(name)))
        return made[0] if made else None


def check_numerics(tensor: Any, message: str, name: str = "CheckNumerics") -> Any:
    """The tensor itself; CheckFailedError, with the line that built this, when an element is nan or infinite."""
    text = message.replace("{", "{{").replace("}", "}}") + ": the tensor has nan or infinite elements: {}"
    with building(tensor) as graph:
        made = _happening(graph, effects.Assert(text), [mnp.all(mnp.isfinite(tensor)), tensor])
        return _after(graph, made, tensor, name, "CheckNumerics")


def checked(message: str, condition: Any, tensor: Any) -> Any:
    """The tensor itself; CheckFailedError, its message filled with the element, where the condition is false."""
    with building(tensor) as graph:
        made = _happening(graph, effects.Assert(message, elementwise=True), [condition, tensor])
        return _after(graph, made, tensor, None, "Checked")


def py_func(
    func: Callable[..., Any],
    inp: Sequence[Any],
    Tout: Any,
    stateful: bool = True,
    name: str = "PyFunc",
    shapes: Any = None,
) -> Any:
    """A Python function of ndarrays, called when the graph runs; it has no gradient.

    Tout: the dtype of its result, or a list of dtypes. shapes: the shape, or a list of shapes (TensorFlow finds them
    out when it runs; here they are part of the graph). A list of dtypes gives a list of tensors.
    """
    several = isinstance(Tout, (list, tuple))
    dtypes = list(Tout) if several else [Tout]
    if shapes is None:
        raise ArgumentError("py_func: the shape of the result must be given", hint="shapes=x.shape, or a list of them")
    wanted = list(shapes) if several else [shapes]
    if len(wanted) != len(dtypes):
        raise ArgumentError(f"py_func: {len(dtypes)} dtypes in Tout, but {len(wanted)} shapes")
    sizes = [as_sizes("py_func", s) for s in wanted]
    if any(n is None for s in sizes for n in s):
        raise ArgumentError(
            "py_func: a size of the result is None", hint="sizes are numbers, or x.shape[0] of a tensor"
        )
    types = tuple(TensorType(tuple(s), as_dtype(d)) for s, d in zip(sizes, dtypes, strict=True))
    with building(*inp) as graph:
        results = list(effects.Callback(func, types)(*map(operand, inp)))
        if graph is not None:
            graph.rename(graph.operations[-1], graph.names.unique(graph.names.check(name)))
        return results if several else results[0]
