"""In-place ops: `x.op_(...)` computes `x.op(...)` and assigns the result: numbers to x's memory, history to x.

Floor 6. So an in-place op has no derivative rules of its own. What records saved of the old numbers is found
overwritten when (and only if) a rule reads it: see memory.py and Note [Saved before the change].
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.errors import BackwardError, DtypeError, ShapeError
from minigrad.op import ndarray
from minigrad.ops.elementwise import Convert
from minigrad.source import UNKNOWN
from minigrad.tape.grad_mode import GRAD
from minigrad.tape.interpreter import TAPE
from minigrad.tape.memory import MEMORY
from minigrad.tape.record import Record, record_of
from minigrad.tape.tensor import Tensor
from minigrad.tape.views import View, base_of, renew_views, write_through
from minigrad.types import shape_text


def assign(x: Tensor, y: Tensor, who: str, since: int) -> Tensor:
    """Make x what y is. y must be fresh: computed for this, from time `since` on, and known to nobody else."""
    check_writable(x, y, who)
    if GRAD.get() and (y.requires_grad or x.requires_grad):
        check_not_leaf(x, who)
        y = y if y.dtype == x.dtype else TAPE.apply(Convert(x.dtype), (y,))
        _keep_old(x, y, since)
        write(x, y._array)
        _take_history(x, y)
    else:
        write(x, y._array)
    return x


def write(x: Tensor, numbers: Any) -> None:
    """Numbers into x's memory, past the tape; the memory's log knows."""
    np.copyto(x._array, numbers)
    MEMORY.touch(x._array)


def forget_gradients(tensors: Iterable[Tensor], set_to_none: bool) -> None:
    """No gradients, or zeros in their memory."""
    for x in tensors:
        if set_to_none or x.grad is None:
            x.grad = None
        else:
            write(x.grad, 0)


def _take_history(x: Tensor, y: Tensor) -> None:
    if type(x._kin) is View:
        write_through(x, y)
        return
    x._node, x.requires_grad = y._node, y.requires_grad
    if x._kin:
        renew_views(x)


# Note [Saved before the change]
# The records of y = f(x) may need the old x for their way back (x.mul_(w) does, for w). Its numbers are about to be
# overwritten by y, so they get a copy, as PyTorch's do. Older records that saved x get none: for them it is an error.
def _keep_old(x: Tensor, y: Tensor, since: int) -> None:
    stack = [y._node]
    while stack:
        record = record_of(stack.pop())
        if isinstance(record, Record) and record.seq > since and record.xs is not None:
            record.xs = tuple([a.copy() if _shares(a, x._array) else a for a in record.xs])
            stack.extend(record.ins)


def _shares(a: Any, b: ndarray) -> bool:
    return isinstance(a, np.ndarray) and np.may_share_memory(a, b)


def check_not_leaf(x: Tensor, who: str) -> None:
    """A leaf's numbers are what gradients are taken at: while recording, they may not change under its name."""
    base = base_of(x)
    if base.requires_grad and base._node is None:
        what = "a leaf that requires grad" if base is x else "a view of a leaf that requires grad"
        raise BackwardError(
            f"{who}: {what} cannot be changed in place while the tape is recording",
            hint="to update a parameter, do it inside `with no_grad():`; to compute on, make a new tensor",
        )


def check_writable(x: Tensor, y: Tensor, who: str) -> None:
    if y.shape != x.shape:
        raise ShapeError(
            f"{who}: a result of shape {shape_text(y.shape)} does not fit into {x.type}, which is changed in place",
            hint="the other operand may be broadcast, the tensor itself may not grow",
        )
    if not np.can_cast(y.dtype, x.dtype, "same_kind"):
        raise DtypeError(
            f"{who}: a {y.dtype.name} result cannot be stored in place in {x.type}",
            hint="make a new tensor, or convert x first",
        )
    check_own_places(x, who)


def check_own_places(x: Tensor, who: str) -> None:
    """Every element has a place in memory of its own, which may be written."""
    if not x._array.flags.writeable:
        raise BackwardError(
            f"{who}: several elements of {x.type} share one place in memory (it was expanded), or it is read-only",
            hint="clone() it first",
            lines=[("made at", x.origin())] if x.origin() is not UNKNOWN else (),
        )
