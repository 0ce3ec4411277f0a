"""Python's operators and conversions on values, for every kind of Value at once: `x + y` is `add(x, y)`.

Floor 2. Methods (`x.sum()`, `x.reshape(...)`, `x[i]`) come with `minigrad.numpy`, from its functions; `@` comes with
the contractions. There are no in-place operators: `x += y` makes a new value. Where Python wants numbers (`if x:`,
`float(x)`), `Value.concrete` gives them or says why there are none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError, ValueTypeError
from minigrad.op import Array, Op, Value, ndarray
from minigrad.ops import elementwise as e
from minigrad.ops.movement import Reshape, slice_axis
from minigrad.types import shape_text

BINARY: dict[str, Op] = {
    "add": e.add,
    "sub": e.sub,
    "mul": e.mul,
    "truediv": e.div,
    "floordiv": e.floor_div,
    "mod": e.rem,
    "pow": e.pow_,
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

_OPERANDS = (Value, float, int, np.ndarray, np.generic, complex)  # bool is an int


# ── operators ────────────────────────────────────────────────────────────────────────────────────
def _binary(op: Callable[[Any, Any], Any], swap: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        return op(other, self) if swap else op(self, other)

    return operator


def _unary(op: Op) -> Callable[[Any], Any]:
    def operator(self: Any) -> Any:
        return op(self)

    return operator


def _divmod(a: Any, b: Any) -> tuple[Any, Any]:
    return e.floor_div(a, b), e.rem(a, b)


def _round(self: Any, digits: int | None = None) -> Any:
    """round(x): to the nearest integer, ties to even; round(x, digits): to that many decimals."""
    if not digits:
        return e.round_(self)
    scale = 10.0**digits
    return e.convert(e.div(e.round_(e.mul(self, scale)), scale), self.dtype)


# ── numbers for Python ───────────────────────────────────────────────────────────────────────────
def _number(x: Any, why: str) -> Any:
    """The one element of x as a Python number."""
    array: ndarray = x.concrete(why)
    if array.size == 1:
        return array.item()
    hint = "say which: x.any() or x.all()" if why == "bool()" else "index it, or reduce it to one number"
    raise ShapeError(f"{why} of {array.size} elements, shape {shape_text(array.shape)}", hint=hint)


def _real(x: Any, why: str) -> Any:
    if x.dtype.kind == "c":
        raise DtypeError(f"{why} of a complex number, {x.type}", hint="take real(x), imag(x) or abs(x) first")
    return _number(x, why)


def _index(self: Any) -> int:
    if self.dtype.kind not in "iu":
        raise DtypeError(f"only an integer can be an index, not {self.type}", hint="convert it with int(x)")
    return _number(self, "int()")  # type: ignore[no-any-return]


def _item(self: Any) -> Any:
    """The one element, as a Python number."""
    return _number(self, "item()")


def _tolist(self: Any) -> Any:
    """The elements as Python numbers in nested lists."""
    return self.concrete("tolist()").tolist()


def _array(self: Any, dtype: Any = None, copy: bool | None = None) -> ndarray:
    """What NumPy asks for: a read-only view, or a copy when another dtype (or a copy) is wanted."""
    array: ndarray = self.concrete("numpy.asarray()")
    if copy or (dtype is not None and array.dtype != dtype):
        if copy is False:
            raise ValueError(f"no {np.dtype(dtype)} view of {self.type} without a copy")
        return array.astype(dtype or array.dtype)
    view = array.view()
    view.flags.writeable = False
    return view


# ── containers and text ──────────────────────────────────────────────────────────────────────────
def _len(self: Any) -> int:
    if not self.shape:
        raise ValueTypeError(f"len() of a scalar, {self.type}")
    return operator.index(self.shape[0])


def _iter(self: Any) -> Iterator[Any]:
    if not self.shape:
        raise ValueTypeError(f"cannot iterate over a scalar, {self.type}")
    rows = range(_len(self))
    return (Reshape(self.shape[1:])(slice_axis(self, 0, i, i + 1)) for i in rows)


def _traced_repr(self: Any) -> str:
    label = getattr(self, "label", "")
    return f"<traced {self.type}, argument {label}>" if label else f"<traced {self.type}>"


def _array_repr(self: Array) -> str:
    body = np.array2string(self.array, separator=", ", prefix="Array(")
    shape = "" if self.array.size or self.shape == (0,) else f", shape={shape_text(self.shape)}"
    return f"Array({body}{shape}, dtype={self.dtype.name})"


def _array_str(self: Array) -> str:
    return str(self.array)


def _format(self: Any, how: str) -> str:
    return format(_number(self, "format()"), how) if how else str(self)


def _array_hash(self: Array) -> int:
    raise ValueTypeError(
        f"an Array is no dict key and no member of a set ({self.type}): == compares its elements",
        hint="use id(x), or the numbers: x.item(), tuple(x.tolist())",
    )


METHODS: dict[str, Callable[..., Any]] = {
    "__divmod__": _binary(_divmod),
    "__rdivmod__": _binary(_divmod, swap=True),
    "__pos__": lambda self: self,
    "__round__": _round,
    "__bool__": lambda self: bool(_number(self, "bool()")),
    "__int__": lambda self: int(_real(self, "int()")),
    "__float__": lambda self: float(_real(self, "float()")),
    "__complex__": lambda self: complex(_number(self, "complex()")),
    "__index__": _index,
    "item": _item,
    "tolist": _tolist,
    "__array__": _array,
    "__len__": _len,
    "__iter__": _iter,
    "__repr__": _traced_repr,
    "__format__": _format,
}


def install(cls: type) -> None:
    """Put the operators and conversions on a class of values."""
    for name, op in BINARY.items():
        setattr(cls, f"__{name}__", _binary(op))
        setattr(cls, f"__r{name}__", _binary(op, swap=True))
    for name, op in COMPARE.items():
        setattr(cls, f"__{name}__", _binary(op))
    for name, op in UNARY.items():
        setattr(cls, f"__{name}__", _unary(op))
    for name, method in METHODS.items():
        setattr(cls, name, method)


install(Value)
for _name, _method in (("__repr__", _array_repr), ("__str__", _array_str), ("__hash__", _array_hash)):
    setattr(Array, _name, _method)
