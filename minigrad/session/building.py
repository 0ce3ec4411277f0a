"""How a function of this front-end builds: in the right graph, under a name, with operands as TensorFlow takes them.

Floor 6. `tf.nn.softmax(x, name="p")` is a composite of several ops; its result is called `p:0` all the same, and what
it was made of stands under `p/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import minigrad.numpy as mnp
from minigrad.errors import DtypeError, ShapeError, ValueTypeError
from minigrad.frozen import dataclass
from minigrad.op import Array, Handle, Value, ndarray, short_repr, using
from minigrad.ops.kinds import Linear
from minigrad.session.graph_scope import Graph, get_default_graph, inside_body
from minigrad.session.open_rank import defer, is_open
from minigrad.session.tensor import Tensor
from minigrad.types import SHORT, TensorType, as_dtype


@dataclass(frozen=True)
class Identity(Linear):
    """The same value at another place of the order; `plan.py` takes it out again."""

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x

    def impl(self, x: ndarray) -> ndarray:
        return x

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        return y_bar

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return xs[0]


def graph_of(operands: Iterable[Any]) -> Graph:
    """The graph of the first operand that has one, else the default graph."""
    for x in operands:
        for y in x if isinstance(x, (list, tuple)) else (x,):
            if isinstance(y, Handle) and y.front_end == "session":
                return y.graph  # type: ignore[attr-defined, no-any-return]
    return get_default_graph()


@contextmanager
def building(*operands: Any) -> Iterator[Graph | None]:
    """Ops inside are appended to the operands' graph, those without tensor operands too.

    Inside the body of a `cond` or `while_loop` another graph is being built: then this changes nothing and gives None.
    """
    if inside_body():
        yield None
        return
    graph = graph_of(operands)
    with using(graph.interpreter):
        yield graph


def build(name: str | None, default: str, f: Callable[..., Any], *operands: Any, **parameters: Any) -> Any:
    """f(*operands, **parameters) built as one named thing; operands that are lists become tensors."""
    with building(*operands) as graph:
        if graph is None:
            return f(*map(operand, operands), **parameters)
        start = len(graph.operations)
        reserved = graph.names.unique(default if name is None else graph.names.check(name))
        with graph.names.under(reserved + "/"):
            xs = [operand(x) for x in operands]
            if graph.has_open_ranks and any(map(is_open, xs)):
                y = defer(graph.interpreter, default, lambda *values: f(*values, **parameters), xs)
            else:
                y = f(*xs, **parameters)
            return christen(y, graph, reserved, start)


def christen(y: Any, graph: Graph, name: str, start: int) -> Any:
    """y, called `name`; if it is not made here (nothing was to be done), an identity of it is."""
    if isinstance(y, (list, tuple)):
        return y
    if not isinstance(y, Tensor) or y.op.index < start or len(y.op.outputs) > 1:
        y = Identity()(y)
    graph.rename(y.op, name)
    return y


def operand(x: Any) -> Any:
    """An operand as ops take it: Python numbers stay weak, lists become tensors, lists *of* tensors are stacked."""
    if not isinstance(x, list):
        return x
    like = next((v for v in x if isinstance(v, Value)), None)
    if like is None:
        return as_array(x)
    return mnp.stack([v if isinstance(v, Value) else as_array(v, like.dtype) for v in x])


def as_array(value: Any, dtype: Any = None, who: str = "constant") -> Array:
    """Numbers by TensorFlow's rule: Python integers are int32 (int64 if they must be), floats float32, arrays keep
    their dtype."""
    if isinstance(value, Handle):
        raise ValueTypeError(
            f"{who}: {value!r} is a tensor already", hint="tf.identity(x) copies one, tf.stack joins several"
        )
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ShapeError(f"{who}: {short_repr(value)} is not a tensor: {error}") from None
    if array.dtype.kind not in "biufc":
        raise ValueTypeError(f"{who}: cannot make a tensor of {short_repr(value)} (dtype {array.dtype})")
    if dtype is not None:
        return Array(_cast(array, as_dtype(dtype), value, who))
    if _is_python(value):
        kind = array.dtype.kind
        small = kind == "i" and (not array.size or (array.min() >= -(2**31) and array.max() < 2**31))
        target = "float32" if kind == "f" else "int32" if small else "complex64" if kind == "c" else array.dtype
        return Array(array.astype(target))
    if array.dtype not in SHORT:
        as_dtype(array.dtype)  # raises, naming it
    return Array(np.array(array))


def _is_python(value: Any) -> bool:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return not isinstance(value, (np.ndarray, np.generic))


def _cast(array: ndarray, dtype: Any, value: Any, who: str) -> ndarray:
    order = "biufc"
    if order.index(array.dtype.kind) > order.index(dtype.kind) and not np.array_equal(array.astype(dtype), array):
        raise DtypeError(f"{who}: {short_repr(value)} does not fit in {dtype.name}", hint="use tf.cast to round it")
    if array.dtype.kind in "iu" and dtype.kind in "iu" and not np.array_equal(array.astype(dtype), array):
        raise DtypeError(f"{who}: {short_repr(value)} does not fit in {dtype.name}", hint="use a wider integer dtype")
    return array.astype(dtype)
