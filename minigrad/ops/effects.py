"""Ops that do something besides returning: print, call back into Python, check a condition.

Floor 2. `effect` keeps them in the graph, in their order. Derivatives pass them by: they see the values, nothing flows
through them. Under `vmap` each lane is a run of its own: a print per lane, a call per lane; a failed check names its
lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, CheckFailedError, ValueTypeError
from minigrad.frozen import dataclass
from minigrad.op import NoGradient, Op, Operand, Value, ndarray
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.movement import Reshape, every_lane
from minigrad.ops.pieces import slice_axis
from minigrad.ops.rows import convert
from minigrad.source import Line, user_line
from minigrad.types import BOOL, INT64, TensorType, is_differentiable, promote, same_shape


def each_lane(op: Op, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> list[Any]:
    """The op run on every lane, in order."""
    lanes = []
    for i in range(size):
        lane = [Reshape(x.shape[1:])(slice_axis(x, 0, i, i + 1)) if m else x for x, m in zip(xs, mapped, strict=True)]
        lanes.append(op(*lane))
    return lanes


def fill(who: str, text: str, xs: Sequence[ndarray]) -> str:
    """The text with its {} filled."""
    try:
        return text.format(*xs)
    except (IndexError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ArgumentError(
            f"{who}: {text!r} cannot be filled with {len(xs)} operand{'s' * (len(xs) != 1)}: {error}",
            hint="one {} per operand, in order; {{ and }} for braces",
        ) from None


@dataclass(frozen=True)
class Print(Op):
    """Writes `format`, its {} filled with the operands, when it runs. Returns nothing: an empty tuple."""

    format: str
    many: ClassVar[bool] = True
    effect: ClassVar[bool] = True
    no_gradient: ClassVar[NoGradient | None] = NoGradient("print returns nothing")

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        return ()

    def impl(self, *xs: ndarray) -> tuple[ndarray, ...]:
        print(fill("print", self.format, xs))
        return ()

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        each_lane(self, xs, mapped, size)
        return ()

    @classmethod
    def samples(cls) -> Samples:
        yield cls("{} {:.3f}"), (Draw((2, 2)), Draw(()))


def read_only(x: ndarray) -> ndarray:
    """A copy for the user's function to keep: compiled programs use the memory of their values again."""
    copy = np.array(x)
    copy.flags.writeable = False
    return copy


@dataclass(frozen=True)
class Callback(Op):
    """f(*ndarrays), a Python function called when the op runs. Its results must have the types that were declared."""

    f: Callable[..., Any]
    out_types: tuple[TensorType, ...]
    many: ClassVar[bool] = True
    effect: ClassVar[bool] = True

    @property
    def no_gradient(self) -> NoGradient:  # type: ignore[override]
        floats = any(is_differentiable(t.dtype) for t in self.out_types)
        return NoGradient("a callback is Python code that minigrad does not see into", refuse=floats)

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        return self.out_types

    def impl(self, *xs: ndarray) -> tuple[ndarray, ...]:
        given = self.f(*[read_only(x) for x in xs])
        several = isinstance(given, tuple) or (isinstance(given, list) and len(self.out_types) > 1)
        ys = tuple(given) if several else () if given is None else (given,)
        if len(ys) != len(self.out_types):
            raise ValueTypeError(
                f"{self._who()} gave {len(ys)} result{'s' * (len(ys) != 1)}, declared were {len(self.out_types)}"
            )
        return tuple(self._checked(i, y, t) for i, (y, t) in enumerate(zip(ys, self.out_types, strict=True)))

    def _checked(self, i: int, y: Any, declared: TensorType) -> ndarray:
        weak = type(y) in (bool, int, float, complex) and promote(declared.dtype, type(y)) == declared.dtype
        array = np.array(y, declared.dtype if weak else None)  # a copy: the function may go on changing its own
        if not same_shape(array.shape, declared.shape) or array.dtype != declared.dtype:
            shape = ",".join(map(str, array.shape))
            raise ValueTypeError(
                f"{self._who()}: result {i} is {array.dtype.name}[{shape}], declared was {declared}",
                hint="declare what it returns, or convert in the function",
            )
        return array

    def _who(self) -> str:
        return f"callback {getattr(self.f, '__name__', repr(self.f))}"

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        if self.out_types:
            return NotImplemented  # the loop over lanes stacks the results
        each_lane(self, xs, mapped, size)
        return ()

    @classmethod
    def samples(cls) -> Samples:
        yield cls(np.sign, (TensorType((2,), INT64),)), (Draw((2,), "int64"),)
        yield cls(np.divmod, (TensorType((), INT64),) * 2), (Draw((), "int64"), Draw((), "int64", (1, 5)))


@dataclass(frozen=True)
class Assert(Op):
    """Raises CheckFailedError when its bool operand is false anywhere: `message` filled with the other operands.

    `elementwise`: the others have the condition's shape, and the message shows the element where it failed first.
    """

    message: str
    lanes: int = 0  # leading axes that vmap put in front, to say which lane failed
    elementwise: bool = False
    line: Line = field(default_factory=user_line, compare=False)
    many: ClassVar[bool] = True
    effect: ClassVar[bool] = True
    no_gradient: ClassVar[NoGradient | None] = NoGradient("assert returns nothing")

    def parameters(self) -> dict[str, Any]:
        return {"message": self.message, "lanes": self.lanes, "elementwise": self.elementwise}

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        condition, *rest = Op.coerce(self, xs)
        return [condition if condition.dtype == BOOL else convert(condition, BOOL), *rest]

    def admit(self, arrays: list[ndarray]) -> bool:
        return bool(arrays[0].dtype.kind == "b")

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        return ()

    def impl(self, condition: ndarray, *xs: ndarray) -> tuple[ndarray, ...]:
        if condition.all():
            return ()
        place = tuple([int(i) for i in np.argwhere(~condition)[0]])
        lane = place[: self.lanes]
        where = f" (lane {lane[0] if self.lanes == 1 else lane} of vmap)" if self.lanes else ""
        text = fill("assert", self.message, [x[place if self.elementwise else lane] for x in xs])
        raise CheckFailedError(f"assert: {text}{where}", lines=[("asserted at", self.line)])

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return replace(self, lanes=self.lanes + 1)(*every_lane(xs, mapped, size))

    @classmethod
    def samples(cls) -> Samples:
        yield cls("{} and {}"), (Draw((2,), "int64", (1, 9)), Draw(()), Draw((2,)))
        yield cls("{}", elementwise=True), (Draw((2, 3), "int64", (1, 9)), Draw((2, 3)))
