"""Methods on values, from one table: `x.sum()` is `sum(x)`. And what the Array API asks of the array itself.

Floor 5. They are put on `Value`, so eager arrays, traced values and front-end handles all have them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from minigrad.errors import ArgumentError, ImmutableError
from minigrad.numpy import (
    cumulative,
    elementwise,
    from_data,
    indexing,
    joining,
    linear_algebra,
    manipulation,
    ordering,
    reductions,
    searching,
)
from minigrad.numpy.dtypes import DEVICE, astype, check_device
from minigrad.numpy.numpy_calls import OURS, array_function, array_ufunc
from minigrad.op import Value
from minigrad.ops import protocol as protocol  # puts float(), len(), print() on values
from minigrad.ops import sugar as sugar  # and the operators

# methods that are a function of the namespace, its first operand being the array
FROM: dict[Any, tuple[str, ...]] = {
    reductions: ("sum", "prod", "mean", "var", "std", "max", "min", "any", "all", "argmax", "argmin", "ptp"),
    cumulative: ("cumsum", "cumprod"),
    manipulation: ("ravel", "squeeze", "swapaxes"),
    joining: ("repeat",),
    elementwise: ("clip", "round", "conj", "conjugate"),
    linear_algebra: ("dot", "diagonal", "trace"),
    indexing: ("take", "nonzero"),
    ordering: ("sort", "argsort"),
    searching: ("searchsorted",),
}


def reshape(x: Value, /, *shape: Any, copy: Any = None, order: str = "C") -> Any:
    """x.reshape(2, 3) or x.reshape((2, 3))."""
    return manipulation.reshape(x, shape[0] if len(shape) == 1 else shape, order=order)


def transpose(x: Value, /, *axes: Any) -> Any:
    """x.transpose(), x.transpose(1, 0) or x.transpose((1, 0))."""
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return manipulation.transpose(x, order or None)


def to_device(x: Value, device: Any, /, *, stream: Any = None) -> Any:
    """x itself: there is one device."""
    check_device("to_device", device)
    if stream is not None:
        raise ArgumentError("to_device: the cpu has no streams")
    return x


def dlpack(x: Value, /, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None) -> Any:
    """The numbers for other libraries: a copy, which they may write to, unless they insist on `copy=False`."""
    array = protocol.numbers(x, "__dlpack__()")
    return (array if copy is False else array.copy()).__dlpack__(max_version=max_version, dl_device=dl_device)


def dlpack_device(x: Value, /) -> tuple[int, int]:
    """DLPack's word for the cpu."""
    return (1, 0)


def array_namespace(x: Value, /, *, api_version: str | None = None) -> Any:
    """The module minigrad.numpy."""
    if api_version not in (None, *API_VERSIONS):
        raise ArgumentError(f"__array_namespace__: unknown api_version {api_version!r}", hint=", ".join(API_VERSIONS))
    return sys.modules[OURS]


API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


def refuse_assignment(x: Value, key: Any, value: Any, /) -> None:
    """x[key] = value on an immutable array."""
    raise ImmutableError(
        f"an array is immutable, {x.type} cannot be assigned to",
        hint=f"use x = x.at[i].set(value); a library's f that assigns to x runs as {OURS}.writable(f)",
    )


def itself(x: Value, /) -> Any:
    """x: arrays are immutable, so a copy is the array itself."""
    return x


METHODS: dict[str, Callable[..., Any]] = {
    **{name: getattr(module, name) for module, names in FROM.items() for name in names},
    "reshape": reshape,
    "transpose": transpose,
    "flatten": manipulation.ravel,
    "astype": astype,
    "copy": itself,
    "block_until_ready": itself,
    "to_device": to_device,
    "__pos__": elementwise.positive,
    "__round__": elementwise.round,
    "__dlpack__": dlpack,
    "__dlpack_device__": dlpack_device,
    "__array_namespace__": array_namespace,
    "__array_ufunc__": array_ufunc,
    "__array_function__": array_function,
    "__setitem__": refuse_assignment,
}

PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "T": manipulation.transpose,
    "mT": manipulation.matrix_transpose,
    "device": lambda x: DEVICE,
    "real": elementwise.real,
    "imag": elementwise.imag,
    "itemsize": lambda x: x.dtype.itemsize,
    "nbytes": lambda x: x.size * x.dtype.itemsize,
}


def install(cls: type) -> None:
    """Put methods and properties on a class of values."""
    for name, method in METHODS.items():
        setattr(cls, name, method)
    for name, getter in PROPERTIES.items():
        setattr(cls, name, property(getter))


install(Value)
Value.from_list = staticmethod(from_data.from_list)
