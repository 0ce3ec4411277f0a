"""Views: tensors that show another tensor's memory, and what a write through one means for the histories.

Floor 6. A result that shares its operand's memory is linked to the *base* that owns it, with the ops that lead from
base to view. When base or a view is written in place with recording on:

    base ← WriteThrough(steps)(base, value)      a new history for the base
    view ← Show(steps)(base)                     and from it new histories for all its living views

so every view, older ones too, has the gradient of what it shows now. Both are ordinary ops with ordinary rules.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from minigrad.errors import BackwardError
from minigrad.frozen import dataclass
from minigrad.op import Array, Op, Value, ndarray
from minigrad.ops.elementwise import where
from minigrad.ops.movement import full
from minigrad.source import user_place
from minigrad.tape.memory import owner, tick
from minigrad.tape.record import Record
from minigrad.tape.tensor import Tensor
from minigrad.types import TensorType


class View:
    """What a view knows: its base, and the ops from there to here (None: they take other operands too)."""

    __slots__ = ("base", "steps")

    def __init__(self, base: Tensor, steps: tuple[Op, ...] | None) -> None:
        self.base, self.steps = base, steps


def link(y: Tensor, xs: Sequence[Any], op: Op) -> Tensor:
    """y = op(xs), told whose memory it shows if it is not its own."""
    if y._array.base is None or not xs or not isinstance(xs[0], Tensor):
        return y
    x = xs[0]
    if owner(y._array) is not owner(x._array):
        return y
    base, steps = (x._kin.base, x._kin.steps) if type(x._kin) is View else (x, ())
    y._kin = View(base, None if len(xs) > 1 or steps is None else (*steps, op))
    if base._kin is None:
        base._kin = []
    base._kin = [r for r in base._kin if r() is not None] if len(base._kin) > 16 else base._kin
    base._kin.append(weakref.ref(y))
    return y


def base_of(x: Tensor) -> Tensor:
    """The tensor whose memory x shows: itself if it is no view."""
    return x._kin.base if type(x._kin) is View else x


def write_through(view: Tensor, value: Tensor) -> None:
    """view was overwritten by value: give its base and the base's other views their new histories."""
    kin: View = view._kin
    base = kin.base
    if kin.steps is None:
        raise BackwardError(
            "in-place change through a view whose position depends on a tensor cannot be recorded",
            hint="use index_put or where to make a changed copy",
        )
    base_node = (base._node or base) if base.requires_grad else None
    op = WriteThrough(kin.steps)
    old = np.broadcast_to(np.zeros((), base.dtype), base.shape)  # the rule reads only its type
    ins = [base_node, (value._node or value) if value.requires_grad else None]
    base._node = Record(op, (old, value._array), base._array, ins, tick(), user_place())
    base.requires_grad = True
    renew_views(base)


def renew_views(base: Tensor) -> None:
    """The base has a new history: its views continue from it."""
    for reference in base._kin or ():
        view = reference()
        if view is None:
            continue
        if not base.requires_grad:
            view._node, view.requires_grad = None, False
            continue
        if view._kin.steps is None:
            raise BackwardError("in-place change of a tensor with a view whose position depends on a tensor")
        shown = Record(Show(view._kin.steps), (base._array,), view._array, [base._node], tick(), user_place())
        view._node, view.requires_grad = shown, True


def _follow(steps: tuple[Op, ...], x: Any) -> Any:
    return reduce(lambda shown, op: op(shown), steps, x)


@dataclass(frozen=True)
class Show(Op, listed=False):
    """The part of the base that a view shows."""

    steps: tuple[Op, ...]

    def out_type(self, base: TensorType) -> TensorType:  # type: ignore[override]
        return reduce(lambda t, op: op.out_type(t), self.steps, base)

    def impl(self, base: ndarray) -> ndarray:
        return reduce(lambda a, op: op.impl(a), self.steps, base)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        return _follow(self.steps, dots[0])


@dataclass(frozen=True)
class WriteThrough(Op, listed=False):
    """The base after the part that a view shows was replaced by a value."""

    steps: tuple[Op, ...]

    @property
    def label(self) -> str:
        return "write through a view"

    def out_type(self, base: TensorType, value: TensorType) -> TensorType:  # type: ignore[override]
        return base

    def impl(self, base: ndarray, value: ndarray) -> ndarray:
        changed = base.copy()
        Show(self.steps).impl(changed)[...] = value
        return changed

    def mask(self, shape: Any) -> Array:
        """True where the view shows."""
        return Array(self.impl(np.zeros(shape, bool), np.ones((), bool)))

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        base_dot, value_dot = (full(x.shape, 0, x.dtype) if d is None else d for x, d in zip(xs, dots, strict=True))
        return self(base_dot, value_dot)

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        kept = where(self.mask(xs[0].shape), full((), 0, y_bar.dtype), y_bar) if wanted[0] else None
        return [kept, _follow(self.steps, y_bar) if wanted[1] else None]
