"""NumPy's functions called on our values: `np.sin(x)` is `minigrad.numpy.sin(x)`, whatever kind of value x is.

Floor 5. NumPy asks its arguments first (`__array_ufunc__`, `__array_function__`); it also does so for the operators of
an ndarray, which is how `ndarray @ traced` arrives here. The table is made from the names: a NumPy function is ours of
that name. One without counterpart is an error that says so, because NumPy alone would give an array of objects, or
numbers that have lost their history.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from minigrad import tree
from minigrad.errors import ArgumentError, ValueTypeError
from minigrad.op import Array, Value

OURS = "minigrad.numpy"

# what `np.add.reduce` and `np.add.accumulate` are called
REDUCE = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
}  # fmt: skip
ACCUMULATE = {"add": "cumulative_sum", "multiply": "cumulative_prod", "maximum": "cummax", "minimum": "cummin"}

# an ndarray's operator, seen from its right operand
REFLECTED = {
    np.add: "__radd__", np.subtract: "__rsub__", np.multiply: "__rmul__", np.divide: "__rtruediv__",
    np.floor_divide: "__rfloordiv__", np.remainder: "__rmod__", np.divmod: "__rdivmod__", np.power: "__rpow__",
    np.matmul: "__rmatmul__", np.bitwise_and: "__rand__", np.bitwise_or: "__ror__", np.bitwise_xor: "__rxor__",
    np.left_shift: "__rlshift__", np.right_shift: "__rrshift__", np.equal: "__eq__", np.not_equal: "__ne__",
    np.less: "__gt__", np.less_equal: "__ge__", np.greater: "__lt__", np.greater_equal: "__le__",
}  # fmt: skip

# NumPy's functions that only read the numbers: to print or to keep them, or to fill an ndarray with them
READERS = frozenset((
    np.array2string, np.array_repr, np.array_str, np.copyto, np.may_share_memory, np.save, np.savetxt, np.savez,
    np.savez_compressed, np.shares_memory,
))  # fmt: skip


def _pairs(theirs: Any, ours: Any) -> Iterator[tuple[Any, Callable[..., Any]]]:
    for name in ours.__all__:
        function, there = getattr(ours, name), getattr(theirs, name, None)
        if isinstance(function, ModuleType):
            if isinstance(there, ModuleType):
                yield from _pairs(there, function)
        elif callable(there) and not isinstance(there, type):
            yield there, function


@functools.cache
def _counterparts() -> Mapping[Any, Callable[..., Any]]:
    """Ours for each of NumPy's functions that has one."""
    return dict(_pairs(np, sys.modules[OURS]))


def _counterpart(function: Any) -> Callable[..., Any]:
    if function is np.put_along_axis:
        raise ValueTypeError(
            f"{_spelled(function)} writes into its first argument, which an array of ours cannot take part in",
            hint=f"{OURS}.put_along_axis returns the changed copy",
        )
    found = _counterparts().get(function)
    if found is None and isinstance(function, np.ufunc):
        found = _of_scipy(function)
    if found is None:
        raise ValueTypeError(
            f"{_spelled(function)}: {OURS} has no function of this name",
            hint="compose it of those it has; NumPy's own computes with np.asarray(x), without a derivative",
        )
    return found


def _of_scipy(ufunc: np.ufunc) -> Any:
    """Ours for a ufunc of scipy.special (which only has a name; is it the one SciPy gives that name?)."""
    theirs = getattr(sys.modules.get("scipy.special"), ufunc.__name__, None)
    return getattr(getattr(sys.modules[OURS], "special", None), ufunc.__name__, None) if theirs is ufunc else None


def _spelled(function: Any) -> str:
    """`numpy.linalg.norm`; a ufunc does not know its module."""
    return f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"


@functools.lru_cache(maxsize=512)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    found = inspect.signature(function)
    plain = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    return found.replace(parameters=plain, return_annotation=found.empty)


def _call(theirs: Any, ours: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Ours with the arguments NumPy's was given, or an error that names the argument it does not take."""
    signature = _signature(ours)
    words = {k: v for k, v in kwargs.items() if k != "out" or v is not None}
    try:
        signature.bind(*args, **words)
    except TypeError as error:
        raise ArgumentError(
            f"{_spelled(theirs)} on {_of(args, kwargs)}: {error} ({OURS}.{ours.__name__}{signature})",
            hint="NumPy's further arguments (out, casting, subok, ...) have no meaning for immutable arrays",
        ) from None
    return ours(*args, **words)


def _of(args: Any, kwargs: Any) -> str:
    return " and ".join(str(x.type) for x in tree.leaves((args, dict(kwargs))) if isinstance(x, Value)) or "values"


# ── the protocol ─────────────────────────────────────────────────────────────────────────────────
def array_ufunc(self: Value, ufunc: np.ufunc, method: str, /, *args: Any, out: Any = None, **kwargs: Any) -> Any:
    """What NumPy calls for `np.sin(x)`, `ndarray + x` and `np.add.reduce(x)`."""
    if method != "__call__":
        y = _by_method(ufunc, method, args, kwargs)
    elif ufunc in REFLECTED and not kwargs and isinstance(args[0], (np.ndarray, np.generic)):
        y = getattr(self, REFLECTED[ufunc])(args[0])
    elif kwargs:
        y = _call(ufunc, _counterpart(ufunc), args, kwargs)
    else:
        y = _counterpart(ufunc)(*args)
    return y if out is None else _written(ufunc, y, out)


def _by_method(ufunc: np.ufunc, method: str, args: Any, kwargs: Any) -> Any:
    ours = sys.modules[OURS]
    table = {"reduce": REDUCE, "accumulate": ACCUMULATE}.get(method, {})
    if ufunc.__name__ in table:
        words = {"axis": 0, **kwargs} if len(args) == 1 else kwargs
        return _call(ufunc, getattr(ours, table[ufunc.__name__]), args, words)
    if method == "outer" and not kwargs:
        x1, x2 = args
        return _counterpart(ufunc)(ours.reshape(x1, (*np.shape(x1), *[1] * np.ndim(x2))), x2)
    raise ValueTypeError(f"{_spelled(ufunc)}.{method} has no counterpart in {OURS}", hint="x.at[i].add(y), for one")


def _written(ufunc: np.ufunc, y: Any, out: tuple[Any, ...]) -> Any:
    """`ndarray += x` writes numbers; a value with a history (or none yet) has no place in an ndarray."""
    (target,) = out
    if not isinstance(y, Array) or not isinstance(target, np.ndarray):
        reason = (
            f"a NumPy array holds numbers, and the result, {_of((y,), {})}, is traced or recorded"
            if isinstance(target, np.ndarray)
            else f"out= is a value of minigrad, {_of((target,), {})}, which cannot be written"
        )
        raise ValueTypeError(
            f"{_spelled(ufunc)}: {reason}", hint="make a new value: a = a + x instead of a += x, and no out="
        )
    np.copyto(target, y.array, casting="same_kind")
    return target


def array_function(self: Value, function: Any, types: Sequence[type], args: Any, kwargs: Any, /) -> Any:
    """What NumPy calls for `np.concatenate([x, y])` and every other function that is not a ufunc."""
    if not all(issubclass(t, (Value, np.ndarray)) for t in types):
        return NotImplemented
    if function in READERS:
        args, kwargs = tree.map(lambda x: np.asarray(x) if isinstance(x, Value) else x, (args, kwargs))
        return function(*args, **kwargs)
    return _call(function, _counterpart(function), args, kwargs)
