"""Functions that assign to arrays, run on arrays that cannot be assigned to: `writable(f)` is f as a pure function.

Floor 5. The Array API standard lets code write `x[mask] = 0`, and SciPy's and scikit-learn's array code does. Inside
`writable(f)` every array is a `Writable`: a place that holds a value. Assigning puts `value.at[key].set(y)` into the
place, so nothing is ever modified, and the function can be differentiated, compiled and mapped like any other.
Places share nothing: a slice is a new place (what writing to a slice does to the whole, the standard leaves open).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from minigrad import tree
from minigrad.errors import ArgumentError
from minigrad.lazy import lazy_module
from minigrad.numpy.dtypes import Info
from minigrad.numpy.numpy_calls import OURS
from minigrad.op import Value, ndarray
from minigrad.ops.elementwise import convert, where
from minigrad.ops.movement import Reshape
from minigrad.ops.sugar import BINARY, COMPARE, UNARY
from minigrad.types import BOOL

mnp = lazy_module(OURS)


class Writable:
    """A place that holds a value; what it does is done by the value, what comes out is in a place of its own."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.value, name)
        return _outside_in(found) if callable(found) and not isinstance(found, Value) else _placed(found)

    def __setitem__(self, key: Any, new: Any, /) -> None:
        key, new = _held(key), _held(new)
        x = self.value
        if isinstance(key, Value) and key.dtype == BOOL and (not isinstance(new, Value) or new.ndim == 0):
            mask = Reshape((*key.shape, *[1] * (x.ndim - key.ndim)))(key)  # a `where` needs no numbers
            self.value = convert(where(mask, new, x), x.dtype)
        elif x.ndim == 0 or key is Ellipsis:
            self.value = convert(mnp.broadcast_to(new, x.shape), x.dtype)
        else:
            self.value = x.at[key].set(new)  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[Any]:
        return iter([_placed(x) for x in iter(self.value)])  # type: ignore[call-overload]

    def __array_namespace__(self, /, *, api_version: str | None = None) -> ModuleType:
        self.value.__array_namespace__(api_version=api_version)  # type: ignore[attr-defined] # checks the version
        return _namespace()

    def __array__(self, *args: Any, **kwargs: Any) -> ndarray:
        return self.value.__array__(*args, **kwargs)  # type: ignore[attr-defined,no-any-return]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any, /) -> Any:
        return _placed(self.value.__array_function__(function, (Value,), _held(args), _held(kwargs)))  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"Writable({self.value!r})"


def _held(x: Any) -> Any:
    """The values in places, through containers."""
    return tree.map(lambda leaf: leaf.value if isinstance(leaf, Writable) else leaf, x)


def _placed(x: Any) -> Any:
    """Each value in a place of its own, through containers."""
    return tree.map(lambda leaf: Writable(leaf) if isinstance(leaf, Value) else leaf, x)


def _outside_in(f: Callable[..., Any]) -> Callable[..., Any]:
    """f for places: values in, values out, places again."""

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        return _placed(f(*_held(args), **_held(kwargs)))

    return function


def _method(name: str) -> Callable[..., Any]:
    def method(self: Writable, *args: Any, **kwargs: Any) -> Any:
        return _placed(getattr(self.value, name)(*_held(args), **_held(kwargs)))

    return method


def _assigning(name: str) -> Callable[[Writable, Any], Writable]:
    def method(self: Writable, other: Any) -> Writable:
        self.value = convert(getattr(self.value, name)(_held(other)), self.value.dtype)
        return self

    return method


for _name in (*BINARY, *COMPARE, *UNARY, *(f"r{name}" for name in BINARY), "pos", "bool", "int", "float", "complex"):
    setattr(Writable, f"__{_name}__", _method(f"__{_name}__"))
for _name in ("index", "len", "getitem", "array_ufunc", "dlpack", "dlpack_device", "divmod", "rdivmod", "round"):
    setattr(Writable, f"__{_name}__", _method(f"__{_name}__"))
for _name in BINARY:
    setattr(Writable, f"__i{_name}__", _assigning(f"__{_name}__"))


class _Info(Info):
    """Places may hold traced values, so code had better choose by `where` than by boolean indexing."""

    def capabilities(self) -> dict[str, Any]:
        return {**super().capabilities(), "boolean indexing": False, "data-dependent shapes": False}


@functools.cache
def _namespace() -> ModuleType:
    """minigrad.numpy, for places."""
    found = _placed_module(mnp, f"{OURS}.writable")
    found.__array_namespace_info__ = _Info  # type: ignore[attr-defined]
    return found


def _placed_module(module: Any, name: str) -> ModuleType:
    made = ModuleType(name, module.__doc__)
    for key in module.__all__:
        x = getattr(module, key)
        if isinstance(x, ModuleType):
            x = _placed_module(x, f"{name}.{key}")
        elif callable(x) and not isinstance(x, type) and not hasattr(x, "dtype"):
            x = _outside_in(x)
        setattr(made, key, x)
    return made


def writable(f: Callable[..., Any], /) -> Callable[..., Any]:
    """f, which may assign to its arrays, as a function of immutable ones that changes nothing and has derivatives.

    For code written for the Array API standard, such as SciPy's and scikit-learn's (switched on by
    `SCIPY_ARRAY_API=1` and `sklearn.set_config(array_api_dispatch=True)`). Arguments and results may be nested.

    >>> import minigrad.numpy as mnp
    >>> def doubled_first(x):
    ...     x[0] *= 2
    ...     return x
    >>> x = mnp.asarray([1.0, 2.0])
    >>> mnp.writable(doubled_first)(x).tolist(), x.tolist()
    ([2.0, 2.0], [1.0, 2.0])
    """
    if not callable(f):
        raise ArgumentError(f"writable: takes a function, got {f!r}")

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        return _held(f(*_placed(args), **_placed(kwargs)))

    return function
