"""New tensors: from data, or of a shape. Their memory is their own and may be written.

Floor 6. The numbers come from `minigrad.numpy`'s creation functions; here they get PyTorch's signatures
(sizes as arguments, `requires_grad`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad.numpy as mnp
from minigrad.errors import MixedFrontEndsError, ValueTypeError
from minigrad.numpy.named import F, called
from minigrad.op import Array, Handle, ndarray
from minigrad.source import user_place
from minigrad.tape.shapes import sizes, to
from minigrad.tape.tensor import Tensor, check_differentiable
from minigrad.types import as_dtype


def _fresh(value: Any, requires_grad: bool, who: str) -> Tensor:
    if not isinstance(value, (Tensor, Array)):
        what = f"a {value.front_end} value" if isinstance(value, Handle) else "a traced value"
        raise MixedFrontEndsError(
            f"{who}: {what}, {value.type}, has no numbers to make a tensor from",
            hint="run or return it first; a tensor is made from numbers",
            lines=[("made at", value.origin())],
        )
    array: ndarray = value._array if isinstance(value, Tensor) else value.array
    if requires_grad:
        check_differentiable(array, who)
    made = Tensor(np.array(array), requires_grad)
    made._place = user_place()
    return made


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A leaf with a copy of the data: a number, nested lists, an array, another tensor (without its history).

    Python floats give float32, ints int64, bools bool; arrays keep their dtype.

    >>> import minigrad.tape as torch
    >>> torch.tensor([[1, 2], [3, 4]]).sum()
    tensor(10)
    """
    return _fresh(_array_of(data, dtype, device), requires_grad, "tensor")


def _array_of(data: Any, dtype: Any, device: Any = None) -> Any:
    if isinstance(data, Tensor):
        data = Array(data._array)
    return mnp.asarray(data, dtype=dtype, device=device)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor, without a copy where possible (a tensor of this dtype is returned itself)."""
    if isinstance(data, Tensor):
        return to(data, dtype=dtype, device=device)  # type: ignore[no-any-return]
    if isinstance(data, np.ndarray) and data.dtype.isnative:
        as_dtype(data.dtype)  # refuses what is not supported
        return to(Tensor(np.asarray(data)), dtype=dtype, device=device)  # type: ignore[no-any-return]
    return tensor(data, dtype=dtype, device=device)


def from_numpy(array: ndarray) -> Tensor:
    """The array's memory as a tensor: a change of one is a change of the other."""
    if not isinstance(array, np.ndarray):
        raise ValueTypeError(f"from_numpy: needs a NumPy array, got {type(array).__name__}", hint="use tensor(...)")
    return as_tensor(array)


def _sized(name: str) -> Callable[..., Tensor]:
    """`zeros(2, 3)` and `zeros((2, 3))`."""
    shared = getattr(mnp, name)

    def function(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        return _fresh(shared(sizes(size), dtype=dtype, device=device), requires_grad, name)

    return _named(function, name, shared)


def _valued(name: str) -> Callable[..., Tensor]:
    """`full`, `arange`, `linspace`, `eye`: the shared function's own arguments."""
    shared = getattr(mnp, name)

    def function(*args: Any, requires_grad: bool = False, **kwargs: Any) -> Tensor:
        return _fresh(shared(*args, **kwargs), requires_grad, name)

    return _named(function, name, shared)


def _alike(name: str) -> Callable[..., Tensor]:
    """`zeros_like(x)`, of x's shape and dtype."""
    shared = getattr(mnp, name)

    def function(input: Tensor, *args: Any, requires_grad: bool = False, **kwargs: Any) -> Tensor:
        return _fresh(shared(Array(input._array), *args, **kwargs), requires_grad, name)

    return _named(function, name, shared)


def _named(function: F, name: str, shared: Any) -> F:
    return called(function, name, (shared.__doc__ or "").partition("\n")[0])


CREATION: dict[str, Callable[..., Any]] = {
    **{name: _sized(name) for name in ("zeros", "ones", "empty")},
    **{name: _valued(name) for name in ("full", "arange", "linspace", "eye")},
    **{name: _alike(name) for name in ("zeros_like", "ones_like", "empty_like", "full_like")},
    "tensor": tensor,
    "as_tensor": as_tensor,
    "from_numpy": from_numpy,
}


def make_new(name: str) -> Callable[..., Tensor]:
    """`x.new_zeros(2, 3)`: of x's dtype."""
    make = CREATION[name]

    def method(self: Tensor, *args: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return make(*args, dtype=as_dtype(dtype or self.dtype), **kwargs)  # type: ignore[no-any-return]

    return _named(method, f"new_{name}", make)
