"""Where values come into a graph: placeholders and constants.

Floor 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.op import Array, Value
from minigrad.session.building import as_array, building, operand
from minigrad.session.graph_scope import get_default_graph, inside_body
from minigrad.session.open_rank import OpenType
from minigrad.session.shape import as_sizes
from minigrad.session.tensor import Constant, Placeholder, Tensor
from minigrad.types import TensorType, as_dtype


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A value to be fed when the graph runs. A size of None is known then: until then it is a symbol (n0, n1, ...).

    Two sizes that only the feed can show to be equal are taken to be equal while building, and checked at every run.
    Without a shape even the rank is open: what depends on it is built when it is fed.

    >>> graph = get_default_graph()
    >>> x = placeholder("float32", [None, 784])
    >>> x.shape.as_list()
    [None, 784]
    """
    dtype = as_dtype(dtype)
    graph = get_default_graph()
    if shape is None:
        graph.has_open_ranks = True
        return graph.source("Placeholder", Placeholder(), OpenType(dtype), name)
    sizes = graph.fresh_sizes(as_sizes("placeholder", shape))
    return graph.name_symbols(graph.source("Placeholder", Placeholder(), TensorType(sizes, dtype), name))


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A placeholder that need not be fed: without a feed it is `input`."""
    default: Tensor = convert_to_tensor(input)
    graph = default.graph
    wanted = as_sizes("placeholder_with_default", shape)
    known = default.type.shape
    if len(wanted) != len(known) or any(n is not None and n != m for n, m in zip(wanted, known)):
        raise ShapeError(
            f"placeholder_with_default: {default.name} is {default.type}, which does not fit {shape}",
            lines=default.made(),
        )
    type = TensorType(graph.fresh_sizes(wanted), default.dtype)
    return graph.name_symbols(graph.source("PlaceholderWithDefault", Placeholder(default.var), type, name))


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """A tensor with these numbers. Python integers are int32 here, as in TensorFlow (elsewhere in minigrad int64).

    With a shape, a single value fills it, and as many values as it has elements are laid out in it.
    """
    array = as_array(value, dtype).array
    if shape is not None:
        sizes = [n for n in as_sizes("constant", shape) if isinstance(n, int)]
        if array.size != 1 and array.size != int(np.prod(sizes)):
            raise ArgumentError(f"constant: {array.size} values do not fill shape {shape}")
        array = np.full(sizes, array.reshape(-1)[0]) if array.size == 1 else array.reshape(sizes)
    if inside_body():
        return as_array(array)
    graph = get_default_graph()
    return graph.source("Const", Constant(array), TensorType(array.shape, array.dtype), name or "Const")


def convert_to_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """The tensor itself, a variable's value, or a constant."""
    if isinstance(value, Tensor):
        return value
    if hasattr(value, "read_value"):
        return value.value()
    with building(value):
        found = operand(value)
        if isinstance(found, Value) and not isinstance(found, Array):
            return found
        return constant(found.array if isinstance(found, Array) else found, dtype, name=name)
