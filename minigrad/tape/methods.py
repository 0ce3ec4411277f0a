"""Methods of Tensor, from the tables: `x.exp()` is `exp(x)`, and `x.exp_()` puts the result into x.

Floor 6. `x += y` is `x.add_(y)`: it changes the tensor, as in PyTorch, and not what the name stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.numpy.named import called
from minigrad.ops.elementwise import Convert
from minigrad.ops.movement import expand_to
from minigrad.tape import selection, shapes
from minigrad.tape.creation import make_new
from minigrad.tape.functions import FUNCTIONS, on_tape
from minigrad.tape.inplace import assign
from minigrad.tape.memory import tick
from minigrad.tape.random import Generator, stream
from minigrad.tape.tensor import Tensor, rebuilt
from minigrad.types import LONG

NOT_METHODS = {"cat", "concat", "stack", "einsum", "tensordot", "where", "equal"}
# functions whose result has the operand's shape, so that it can be put into it
IN_PLACE = [
    "add", "sub", "mul", "div", "pow", "neg", "abs", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p",
    "sqrt", "rsqrt", "sin", "cos", "tan", "tanh", "sigmoid", "relu", "floor", "ceil", "trunc", "round",
    "reciprocal", "clamp", "clip", "masked_fill", "remainder", "floor_divide", "sign", "tril", "triu", "square",
    "nan_to_num",
]  # fmt: skip
OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow", "floordiv": "floor_divide"}
DTYPES = {"float": "f32", "double": "f64", "long": "i64", "int": "i32", "bool": "bool", "short": "i16", "byte": "u8"}


def in_place(f: Callable[..., Any], name: str) -> Callable[..., Any]:
    """f(x, ...), put into x."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        since = tick()
        return assign(self, f(self, *args, **kwargs), name, since)

    return called(method, name, f"`{name[:-1]}`, in place.")


@on_tape
def _filled(x: Tensor, value: Any) -> Any:
    """value in the shape and dtype of x, in new memory."""
    value = value if isinstance(value, Tensor) else Tensor(np.asarray(value))
    return Convert(x.dtype)(expand_to(value, x.shape))


def copy_(self: Tensor, src: Any) -> Tensor:
    """Take over another tensor's elements, which broadcast and are converted; its history comes with them."""
    return assign(self, _filled(self, src), "copy_", tick())


def fill_(self: Tensor, value: Any) -> Tensor:
    """The same value everywhere."""
    return assign(self, _filled(self, value), "fill_", tick())


def zero_(self: Tensor) -> Tensor:
    """0 everywhere."""
    return assign(self, _filled(self, 0), "zero_", tick())


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Normally distributed numbers."""
    drawn = stream(generator).standard_normal(self.shape) * std + mean
    return assign(self, Tensor(drawn.astype(self.dtype)), "normal_", tick())


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Numbers distributed uniformly in [a, b)."""
    drawn = stream(generator).random(self.shape) * (b - a) + a
    return assign(self, Tensor(drawn.astype(self.dtype)), "uniform_", tick())


def type_as(self: Tensor, other: Tensor) -> Any:
    """In another tensor's dtype."""
    return shapes.to(self, other.dtype)


def _converter(short: str) -> Callable[[Tensor], Any]:
    return lambda self: shapes.to(self, LONG[short])


def _is_floating_point(self: Tensor) -> bool:
    return self.dtype.kind == "f"


METHODS: dict[str, Callable[..., Any]] = {
    **{name: f for name, f in FUNCTIONS.items() if name not in NOT_METHODS},
    **shapes.SHAPES,
    **selection.SELECTION,
    **{f"{name}_": in_place(FUNCTIONS[name], f"{name}_") for name in IN_PLACE},
    **{f"__i{name}__": in_place(FUNCTIONS[f], f"{f}_") for name, f in OPERATORS.items()},
    **{name: _converter(short) for name, short in DTYPES.items()},
    **{f"new_{name}": make_new(name) for name in ("zeros", "ones", "empty", "full", "tensor")},
    **{f.__name__: f for f in (copy_, fill_, zero_, normal_, uniform_, type_as)},
    "where": lambda self, condition, other: FUNCTIONS["where"](condition, self, other),
    "equal": FUNCTIONS["equal"],
    "cpu": lambda self: self,
    "view_as": lambda self, other: shapes.view(self, other.shape),
    "reshape_as": lambda self, other: shapes.reshape(self, other.shape),
    "is_floating_point": _is_floating_point,
    "ravel": shapes.flatten,
    "__getitem__": selection.get,
    "__setitem__": selection.put,
    "__deepcopy__": lambda self, memo: _deep_copy(self),
    "__matmul__": FUNCTIONS["matmul"],
    "copy": shapes.clone,
}
PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "T": lambda x: shapes.permute(x, tuple(range(x.ndim))[::-1]),
    "mT": lambda x: shapes.transpose(x, -2, -1),
    "real": FUNCTIONS["real"],
    "imag": FUNCTIONS["imag"],
}


def _deep_copy(x: Tensor) -> Any:
    copy = rebuilt(type(x), x._array.copy(), x.requires_grad and x._node is None)
    copy.grad = None if x.grad is None else Tensor(x.grad._array.copy())
    return copy


for _name, _method in METHODS.items():
    setattr(Tensor, _name, _method)
for _name, _getter in PROPERTIES.items():
    setattr(Tensor, _name, property(_getter))
