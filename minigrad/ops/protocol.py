"""What Python asks of a number: `float(x)`, `if x:`, `f"{x:.3f}"`, `print(x)`, `np.asarray(x)`.

Floor 2. Whatever needs the numbers goes through `x.concrete(why)`, which a value without numbers (traced, mapped,
symbolic) answers with a ConcretizationError that says what to use instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ConcretizationError, DtypeError, ValueTypeError
from minigrad.op import Array, Value, ndarray

# Deciding by numbers (`if x > 0`), counting with them (`range(n)`) and showing them changes no derivative.
STAYING = frozenset({"bool()", "int()", "format()"})


def number(x: Value, why: str) -> Any:
    """The one number of a tensor with one element, as Python's own."""
    array = x.concrete(why) if why in STAYING else numbers(x, why)
    if array.size != 1:
        hint = "use any(x) or all(x)" if why == "bool()" else "pick one element, or use tolist()"
        raise ArgumentError(f"{why} of {x.type}: it has {array.size} elements, not one", hint=hint)
    return array.item()


def _as_number(python: Callable[[Any], Any], why: str) -> Callable[[Any], Any]:
    def method(self: Value, /) -> Any:
        found = number(self, why)
        if type(found) is complex and python is not complex and python is not bool:
            raise DtypeError(f"{why} of {self.type}: a complex number has none", hint="take real(x) first")
        return python(found)

    return method


def index(self: Value, /) -> int:
    """As an index: an integer scalar only."""
    if self.dtype.kind not in "iu" or self.ndim:
        raise DtypeError(f"{self.type} cannot be an index", hint="an integer scalar can")
    return int(self.concrete("int()").item())


def item(self: Value) -> Any:
    """The number of a tensor with one element, as Python's own."""
    return number(self, "item()")


def tolist(self: Value) -> Any:
    """The numbers as nested Python lists."""
    return numbers(self, "tolist()").tolist()


def numbers(self: Value, why: str) -> ndarray:
    """The numbers for code that will not carry on a derivative: so there must be none."""
    if self.differentiated:
        raise ConcretizationError(
            f"{why} of {self.type}, which is being differentiated: the numbers would leave its derivative behind",
            hint="use minigrad.numpy's functions (or NumPy's, on the value itself), or stop_gradient(x)",
        )
    return self.concrete(why)


def to_numpy(self: Value, dtype: Any = None, copy: bool | None = None) -> ndarray:
    """For NumPy: a view that cannot be written, or a copy."""
    array = numbers(self, "numpy.asarray()")
    if copy or (dtype is not None and array.dtype != dtype):
        if copy is False:
            raise DtypeError(f"numpy.asarray(): {self.type} is no {np.dtype(dtype).name} without a copy")
        return np.array(array, dtype)
    view = array.view()
    view.flags.writeable = False
    return view


def show(self: Value) -> str:
    """`<traced f32[2,3], argument x>`: there are no numbers to show."""
    label = getattr(self, "label", "")
    return f"<traced {self.type}, argument {label}>" if label else f"<traced {self.type}>"


def show_array(self: Array) -> str:
    """`Array([1., 2.], dtype=float32)`."""
    text = np.array2string(self.array, separator=", ", prefix="Array(")
    shape = f", shape={self.shape}" if 0 in self.shape and self.shape != (0,) else ""
    return f"Array({text}{shape}, dtype={self.dtype.name})"


def no_hash(self: Array) -> int:
    """Arrays are compared by their elements, so they cannot be looked up by equality."""
    raise ValueTypeError(
        f"an Array cannot be a dict key or in a set ({self.type}): == compares its elements",
        hint="use its numbers, x.item() or tuple(x.tolist()), or id(x)",
    )


def formatted(self: Value, layout: str) -> str:
    """A scalar formats as its number: f"{loss:.3f}"."""
    return format(number(self, "format()"), layout) if layout else str(self)


METHODS: dict[str, Callable[..., Any]] = {
    "__bool__": _as_number(bool, "bool()"),
    "__int__": _as_number(int, "int()"),
    "__float__": _as_number(float, "float()"),
    "__complex__": _as_number(complex, "complex()"),
    "__index__": index,
    "__array__": to_numpy,
    "__repr__": show,
    "__format__": formatted,
    "item": item,
    "tolist": tolist,
}


def install(cls: type) -> None:
    """Put the methods on a class of values."""
    for name, method in METHODS.items():
        setattr(cls, name, method)


install(Value)
for _name, _method in (("__repr__", show_array), ("__str__", lambda self: str(self.array)), ("__hash__", no_hash)):
    setattr(Array, _name, _method)
