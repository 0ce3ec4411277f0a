"""NumPy's own functions called with our values: `np.exp(x)` is `mnp.exp(x)`, so nothing is lost on the way.

Floor 5. NumPy asks `__array_ufunc__` (for its elementwise functions, and for `ndarray + x`) and `__array_function__`
(for the rest). What `minigrad.numpy` has too is done there, recorded or traced like any op; anything else is done by
NumPy on the numbers, where there are numbers.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from minigrad import tree
from minigrad.op import Array, Value

# What Python's operators ask of an ndarray on the left, by the name the reflected operator has on our side.
OPERATORS = {
    np.add: "add", np.subtract: "sub", np.multiply: "mul", np.true_divide: "truediv", np.floor_divide: "floordiv",
    np.remainder: "mod", np.power: "pow", np.matmul: "matmul", np.bitwise_and: "and", np.bitwise_or: "or",
    np.bitwise_xor: "xor", np.left_shift: "lshift", np.right_shift: "rshift",
}  # fmt: skip
COMPARISONS = {
    np.equal: ("eq", "eq"), np.not_equal: ("ne", "ne"), np.less: ("lt", "gt"), np.less_equal: ("le", "ge"),
    np.greater: ("gt", "lt"), np.greater_equal: ("ge", "le"),
}  # fmt: skip
NAMES: dict[Any, tuple[str, str]] = {**{f: (name, f"r{name}") for f, name in OPERATORS.items()}, **COMPARISONS}


def array_ufunc(self: Value, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """An elementwise function of NumPy with a value of ours among its operands."""
    if method != "__call__" or options:  # np.add.reduce, or into an array given with out=
        return getattr(ufunc, method)(*numbers(inputs), **options)
    if ufunc in NAMES:
        left, right = inputs
        name, reflected = NAMES[ufunc]
        if isinstance(left, Value):
            return getattr(left, f"__{name}__")(right)
        return getattr(right, f"__{reflected}__")(left)
    ours = getattr(sys.modules["minigrad.numpy"], ufunc.__name__, None)
    return ours(*inputs) if ours else ufunc(*numbers(inputs))


def array_function(self: Value, f: Any, types: Any, args: Any, options: Any) -> Any:
    """Any other function of NumPy: ours if a value is more than its numbers, else NumPy's."""
    ours = getattr(sys.modules["minigrad.numpy"], f.__name__, None)
    plain = all(issubclass(t, (Array, np.ndarray)) for t in types)
    if plain or ours is None or f.__module__ != "numpy":
        return f(*numbers(args), **numbers(options))
    return ours(*args, **options)


def numbers(xs: Any) -> Any:
    """The same with NumPy arrays for our values. What has no numbers, or more than them, refuses by its own error."""
    return tree.map(lambda x: np.asarray(x) if isinstance(x, Value) else x, xs)


def install(cls: type) -> None:
    cls.__array_ufunc__ = array_ufunc  # type: ignore[attr-defined]
    cls.__array_function__ = array_function  # type: ignore[attr-defined]


install(Value)
