"""The tape's meaning of an op: run NumPy, and record when something here requires grad.

Floor 6. `op(*tensors)` arrives at `Tape.apply`; the operators of `Tensor` come here on a shorter road, because in
eager mode the price of everything is this function's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.errors import MixedFrontEndsError
from minigrad.op import EVALUATE, Array, Handle, Interpreter, Op, Operand, ndarray, require_one_front_end
from minigrad.ops import sugar
from minigrad.ops.elementwise import Row
from minigrad.source import UNKNOWN, user_place
from minigrad.tape import views
from minigrad.tape.grad_mode import GRAD
from minigrad.tape.memory import tick
from minigrad.tape.record import Record
from minigrad.tape.tensor import Tensor
from minigrad.types import SHORT, TensorType, is_differentiable


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
        recording = GRAD.get() and op.no_gradient is None and any(isinstance(x, Tensor) and x.requires_grad for x in xs)
        if recording and type(op).pullback is not Op.pullback:
            return pulled_back(op, xs, arrays)
        y = run(op, arrays)
        if not recording:
            if op.no_gradient is not None and GRAD.get() and any(getattr(x, "requires_grad", False) for x in xs):
                op.no_gradient.check(op)
            return tuple([Tensor(a) for a in y]) if op.many else views.link(Tensor(y), xs, op)
        if op.many:
            return record_many(op, xs, arrays, y)
        return views.link(record(op, arrays, y, [node_of(x) for x in xs]), xs, op)


def array_of(x: Any) -> ndarray:
    """The numbers of a Tensor or an Array."""
    return x._array if isinstance(x, Tensor) else x.array


def run(op: Op, arrays: Sequence[ndarray]) -> Any:
    try:
        y = op.impl(*arrays)
    except (ValueError, TypeError, IndexError):
        op.out_type(*[TensorType(a.shape, a.dtype) for a in arrays])  # says it better, if it is the user's
        raise
    return tuple(map(np.asarray, y)) if op.many else y if type(y) is np.ndarray else np.asarray(y)


def node_of(x: Any) -> Any:
    """Under which key x's cotangent travels: None if it has none."""
    return (x._node or x) if isinstance(x, Tensor) and x.requires_grad else None


def record(op: Op, arrays: Sequence[Any], y: ndarray, ins: Sequence[Any]) -> Tensor:
    """The result as a tensor with this op as its history."""
    if y.dtype.kind not in "fc":
        return Tensor(y)
    return Tensor(y, True, Record(op, arrays, y, ins, tick(), user_place()))


def record_many(op: Op, xs: Sequence[Any], arrays: Any, y: tuple[ndarray, ...]) -> tuple[Tensor, ...]:
    r = Record(op, arrays, y, [node_of(x) for x in xs], tick(), user_place())
    return tuple([Tensor(a, True, (r, k)) if is_differentiable(a.dtype) else Tensor(a) for k, a in enumerate(y)])


def pulled_back(op: Op, xs: Sequence[Any], arrays: list[ndarray]) -> Any:
    """An op that saves more than its operands and results for the way back, by its own `pullback`."""
    wanted = [node_of(x) is not None for x in xs]
    saved = op.pullback([Array(a) for a in arrays], wanted)
    if saved is NotImplemented:
        y = run(op, arrays)
    else:
        y = tuple([v.array for v in saved[0]]) if op.many else saved[0].array
    ys = record_many(op, xs, arrays, y) if op.many else (record(op, arrays, y, [node_of(x) for x in xs]),)
    if saved is not NotImplemented:
        for t in ys:
            if t.grad_fn is not None:
                t.grad_fn.way_back = saved[1]
    return ys if op.many else ys[0]


def tape_values(op: Op, xs: Sequence[Operand]) -> Sequence[Any]:
    """Operands as Tensors and Arrays. Values of other front-ends are refused, with both lines."""
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


# ── rows, by the shorter road ────────────────────────────────────────────────────────────────────
def binary(op: Row, swap: bool = False) -> Callable[[Any, Any], Any]:
    """`x + y` for tensors of one dtype, or a float tensor and a Python number; `Tape.apply` does the rest."""
    numpy, takes, differentiable = op.numpy, op.takes, op.no_gradient is None
    weak = isinstance(numpy, np.ufunc)  # ufuncs know what a Python number beside an array means

    def operator(self: Any, other: Any) -> Any:
        if not isinstance(self, Tensor):
            return tensor_of(TAPE.apply(op, (self, other)))
        a, dtype = self._array, self._array.dtype
        b: Any = other
        if isinstance(other, Tensor):
            b = other._array
            fits = b.dtype is dtype and dtype.kind in takes
            grads = other.requires_grad or self.requires_grad
        elif isinstance(other, sugar.OPERANDS):
            fits, grads = weak and dtype.kind == "f" and type(other) in (float, int), self.requires_grad
        else:
            return NotImplemented
        if not fits:
            return TAPE.apply(op, (other, self) if swap else (self, other))
        arrays = (b, a) if swap else (a, b)
        try:
            y = numpy(*arrays)
        except ValueError:
            y = run(op, [np.asarray(x, dtype) for x in arrays])  # fails again, and says why
        if type(y) is not np.ndarray:
            y = np.asarray(y)
        if not (grads and differentiable and GRAD.get()):
            return Tensor(y)
        node, other_node = node_of(self), node_of(other)
        ins = (other_node, node) if swap else (node, other_node)
        return Tensor(y, True, Record(op, arrays, y, ins, tick(), user_place()))

    return operator


def unary(op: Row) -> Callable[[Any], Any]:
    """`f(x)` for a tensor of a dtype the row takes."""
    numpy, takes, differentiable = op.numpy, op.takes, op.no_gradient is None

    def function(input: Any) -> Any:
        if not isinstance(input, Tensor) or input._array.dtype.kind not in takes:
            return tensor_of(TAPE.apply(op, (input,)))
        a = input._array
        y = numpy(a)
        if type(y) is not np.ndarray:
            y = np.asarray(y)
        if not (input.requires_grad and differentiable and GRAD.get()):
            return Tensor(y)
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
