"""The tape's meaning of an op: run NumPy, and record when something here requires grad.

Floor 6. `op(*tensors)` arrives at `Tape.apply`; the operators of `Tensor` come here on a shorter road, because in
eager mode the price of everything is this function's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from minigrad.errors import MixedFrontEndsError
from minigrad.op import (
    EVALUATE,
    Array,
    Handle,
    Interpreter,
    Op,
    Operand,
    Value,
    explain,
    lift,
    ndarray,
    require_one_front_end,
)
from minigrad.ops import sugar
from minigrad.ops.elementwise import Row
from minigrad.source import UNKNOWN, user_place
from minigrad.tape import views
from minigrad.tape.grad_mode import GRAD
from minigrad.tape.memory import tick
from minigrad.tape.record import Record
from minigrad.tape.tensor import Tensor
from minigrad.types import SHORT, TensorType


class Tape(Interpreter):
    """Runs an op on tensors and records it."""

    front_end = "tape"

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        try:
            arrays = [x._array for x in xs]
        except AttributeError:
            xs = tape_values(op, xs)
            if not any(isinstance(x, Tensor) for x in xs):
                return EVALUATE.apply(op, xs)
            arrays = [array_of(x) for x in xs]
        if not op.admit(arrays):
            xs = op.coerce(xs)
            arrays = [array_of(x) for x in xs]
        for x in xs:
            if type(x) is not Array and x.requires_grad and GRAD.get():
                return self.record(op, xs, arrays)
        y = run(op, arrays, xs)
        return tuple(unrecorded(op, xs, arrays, y)) if op.many else views.link(unrecorded(op, xs, arrays, y), xs, op)

    def record(self, op: Op, xs: Sequence[Any], arrays: list[ndarray]) -> Any:
        """Run op, some operand of which requires grad, and remember it."""
        way_back = None
        if op.no_gradient is not None:
            op.no_gradient.check(op)
            y = run(op, arrays, xs)
            return (
                tuple(unrecorded(op, xs, arrays, y)) if op.many else views.link(unrecorded(op, xs, arrays, y), xs, op)
            )
        nodes = [(x._node or x) if type(x) is not Array and x.requires_grad else None for x in xs]
        if type(op).pullback is not Op.pullback:
            y, way_back = pulled_back(op, arrays, nodes)
        else:
            y = run(op, arrays, xs)
        r = Record(op, arrays, y, nodes, tick(), user_place())
        r.way_back = way_back
        if op.many:
            return tuple([Tensor(a, True, (r, k)) if a.dtype.kind in "fc" else Tensor(a) for k, a in enumerate(y)])
        return views.link(Tensor(y, True, r) if y.dtype.kind in "fc" else Tensor(y), xs, op)


def array_of(x: Any) -> ndarray:
    """The numbers of a Tensor or an Array."""
    return x._array if isinstance(x, Tensor) else x.array


def run(op: Op, arrays: Sequence[ndarray], xs: Sequence[Any] = ()) -> Any:
    try:
        y = op.impl(*arrays)
    except (ValueError, TypeError, IndexError):
        explain(op, [TensorType(a.shape, a.dtype) for a in arrays], xs)
        raise
    return tuple(map(np.asarray, y)) if op.many else y if type(y) is np.ndarray else np.asarray(y)


def node_of(x: Any) -> Any:
    """Under which key x's cotangent travels: None if it has none."""
    return (x._node or x) if isinstance(x, Tensor) and x.requires_grad else None


def pulled_back(op: Op, arrays: list[ndarray], nodes: Sequence[Any]) -> tuple[Any, Any]:
    """(result, way back) of an op that may save more than operands and results, by its own `pullback`."""
    saved = op.pullback([Array(a) for a in arrays], [n is not None for n in nodes])
    if saved is NotImplemented:
        return run(op, arrays), None
    y, way_back = saved
    return (tuple([v.array for v in y]) if op.many else y.array), way_back


_AT_HOME = (Tensor, Array, float, int, complex)


def tape_values(op: Op, xs: Sequence[Operand]) -> Sequence[Any]:
    """Operands as Tensors and Arrays."""
    ready = True
    for x in xs:
        if not isinstance(x, _AT_HOME):
            return foreign_values(op, xs)
        ready = ready and isinstance(x, Value)
    return xs if ready else op.coerce(xs)


def foreign_values(op: Op, xs: Sequence[Operand]) -> Sequence[Any]:
    """The same where NumPy arrays are among them. Values of other front-ends are refused, with both lines."""
    handles = [x for x in xs if isinstance(x, Handle)]
    if handles:
        require_one_front_end(op, handles)
    for h in handles:
        h.home()  # raises for a saved value that was overwritten
    values = op.coerce([Array(x) if type(x) is np.ndarray and x.dtype in SHORT else x for x in xs])
    for x in values:
        if not isinstance(x, (Tensor, Array)):
            raise MixedFrontEndsError(
                f"{op.label}: a tape value and a traced value cannot meet in one op",
                hint="pass the tensor's numbers into the traced function as an argument: x.detach().numpy()",
                lines=[("traced value made at", getattr(x, "line", UNKNOWN))],
            )
    return values


TAPE = Tape()
Tensor.tape = TAPE

# Told of every op that leaves no record (comparisons, indices, what needs no grad), while somebody wants to know.
WATCH: ContextVar[Callable[[Op, Sequence[Any], Sequence[Any], Any], None] | None] = ContextVar("watch", default=None)


def unrecorded(op: Op, xs: Sequence[Any], arrays: Sequence[Any], y: Any) -> Any:
    """The result as a tensor, or the results as tensors, without history."""
    if (watch := WATCH.get()) is not None:
        watch(op, [node_of(x) for x in xs], arrays, y)
    return [Tensor(a) for a in y] if op.many else Tensor(y)


# ── rows, by the shorter road ────────────────────────────────────────────────────────────────────
def binary(op: Row, swap: bool = False) -> Callable[[Any, Any], Any]:
    """`x + y` for tensors of one dtype, or a float tensor and a Python number; `Tape.apply` does the rest.

    `swap` is for `2 - x`, of which Python asks x, and gives it the 2.
    """
    numpy, takes, differentiable = op.numpy, op.takes, op.no_gradient is None

    def operator(x: Any, y: Any) -> Any:
        try:
            a = x._array
            dtype = a.dtype
            if isinstance(y, Tensor):
                b, y_grad = y._array, y.requires_grad
            elif type(y) is float and dtype.kind == "f":
                b, y_grad = np.asarray(y, dtype), False
            else:
                return beside(op, x, y, swap)
            if b.dtype is not dtype or dtype.kind not in takes:
                return beside(op, x, y, swap)
            z = numpy(b, a) if swap else numpy(a, b)
        except (AttributeError, ValueError):  # x is no tensor, or the shapes do not fit: fails again, and says why
            return beside(op, x, y, swap)
        if type(z) is not np.ndarray:
            z = np.asarray(z)
        arrays = (b, a) if swap else (a, b)
        x_grad = x.requires_grad
        if (x_grad or y_grad) and differentiable and GRAD.get():
            # node_of of both, in line: a call costs a tenth of the whole
            x_node, y_node = (x._node or x) if x_grad else None, (y._node or y) if y_grad else None
            ins = (y_node, x_node) if swap else (x_node, y_node)
            return Tensor(z, True, Record(op, arrays, z, ins, tick(), user_place()))
        return Tensor(z) if WATCH.get() is None else unrecorded(op, (y, x) if swap else (x, y), arrays, z)

    return operator


def beside(op: Row, x: Any, y: Any, swap: bool) -> Any:
    """op(x, y), or op(y, x), where they are not two tensors of one dtype."""
    if not isinstance(x, Tensor):
        return tensor_of(TAPE.apply(op, (x, y)))
    if not isinstance(y, sugar.OPERANDS):
        if op.no_gradient is None and isinstance(y, (list, tuple)):  # Python would go on to repeat or extend the list
            lift(y, op.label)
        return NotImplemented
    if isinstance(y, np.generic):  # np.sqrt(d) is as weak as the Python number it was made from
        y = y.item()
    return TAPE.apply(op, (y, x) if swap else (x, y))


def unary(op: Row) -> Callable[[Any], Any]:
    """`f(x)` for a tensor of a dtype the row takes."""
    numpy, takes, differentiable = op.numpy, op.takes, op.no_gradient is None
    plain = type(op).__call__ is Op.__call__  # else it does more when called: |z| is a composite

    def function(input: Any) -> Any:
        if not isinstance(input, Tensor) or input._array.dtype.kind not in takes:
            return tensor_of(TAPE.apply(op, (input,)) if plain else op(input))
        a = input._array
        y = numpy(a)
        if type(y) is not np.ndarray:
            y = np.asarray(y)
        if not (input.requires_grad and differentiable and GRAD.get()):
            return unrecorded(op, (input,), (a,), y)
        ins = (input._node or input,)
        return Tensor(y, True, Record(op, (a,), y, ins, tick(), user_place()))

    return function


def tensor_of(y: Any) -> Any:
    """A result as a Tensor, also one of constants."""
    if isinstance(y, Array):
        return Tensor(y.array if y.array.flags.writeable else y.array.copy())
    return type(y)(map(tensor_of, y)) if type(y) in (tuple, list) else y


for _name, _op in (*sugar.BINARY.items(), *sugar.COMPARE.items()):
    if isinstance(_op, Row):
        setattr(Tensor, f"__{_name}__", binary(_op))
        if _name in sugar.BINARY:
            setattr(Tensor, f"__r{_name}__", binary(_op, swap=True))
for _name, _op in sugar.UNARY.items():
    assert isinstance(_op, Row)
    setattr(Tensor, f"__{_name}__", unary(_op))
