"""Operators and indexing on values: `x + y` is `add(x, y)`, from tables, for every kind of Value at once.

Floor 2. There are no in-place operators: `x += y` makes a new value. What Python asks of numbers (`float(x)`, `if x`,
`print(x)`) is in protocol.py. Methods (`x.sum()`, `x.reshape(...)`) come with `minigrad.numpy`, from its functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.errors import ValueTypeError
from minigrad.op import Op, Value
from minigrad.ops import elementwise as e
from minigrad.ops.contract import matmul
from minigrad.ops.indexing import METHODS as INDEXING

BINARY: dict[str, Callable[..., Any]] = {
    "add": e.add,
    "sub": e.sub,
    "mul": e.mul,
    "truediv": e.div,
    "floordiv": e.floor_div,
    "mod": e.rem,
    "pow": e.pow_,
    "matmul": matmul,
    "and": e.and_,
    "or": e.or_,
    "xor": e.xor,
    "lshift": e.shift_left,
    "rshift": e.shift_right,
}
COMPARE: dict[str, Op] = {
    "eq": e.equal,
    "ne": e.not_equal,
    "lt": e.less,
    "le": e.less_equal,
    "gt": e.greater,
    "ge": e.greater_equal,
}
UNARY: dict[str, Op] = {"neg": e.neg, "abs": e.abs_, "invert": e.not_}

OPERANDS = (Value, float, int, np.ndarray, np.generic, complex)  # the commonest first; bool is an int


def _binary(op: Callable[..., Any], swap: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any, /) -> Any:
        if not isinstance(other, OPERANDS):
            if isinstance(other, (list, tuple)):  # Python would go on to repeat the list, or call it unequal
                raise ValueTypeError(
                    f"{getattr(op, 'label', '@')}: a {type(other).__name__} is not a tensor",
                    hint="make one of it first: asarray([...])",
                )
            return NotImplemented
        return op(other, self) if swap else op(self, other)

    return operator


def _unary(op: Op) -> Callable[[Any], Any]:
    def operator(self: Any, /) -> Any:
        return op(self)

    return operator


def _divmod(a: Any, b: Any) -> tuple[Any, Any]:
    return e.floor_div(a, b), e.rem(a, b)


MORE: dict[str, Callable[..., Any]] = {
    "__divmod__": _binary(_divmod),
    "__rdivmod__": _binary(_divmod, swap=True),
    "__pos__": lambda self: self,
}


def install(cls: type) -> None:
    """Put the operators on a class of values."""
    for name, op in BINARY.items():
        setattr(cls, f"__{name}__", _binary(op))
        setattr(cls, f"__r{name}__", _binary(op, swap=True))
    for name, op in COMPARE.items():
        setattr(cls, f"__{name}__", _binary(op))
    for name, op in UNARY.items():
        setattr(cls, f"__{name}__", _unary(op))
    for name, method in (MORE | INDEXING).items():
        setattr(cls, name, method)


install(Value)
