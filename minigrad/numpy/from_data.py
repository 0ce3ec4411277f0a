"""Arrays from data: numbers, nested lists, and other libraries' arrays.

Floor 5. Python floats become float32, Python ints int64; NumPy arrays keep their dtype (float64 included). A list
may hold traced values and tensors: it is stacked by ops. Where a list is an operand of any function, it is read here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError, ValueTypeError
from minigrad.numpy.dtypes import check_device
from minigrad.op import Array, Value, lift, ndarray
from minigrad.ops.elementwise import convert
from minigrad.ops.movement import Reshape
from minigrad.ops.pieces import Concatenate
from minigrad.ops.weak import JOINS, weak_dtype
from minigrad.types import FLOAT32, DType, as_dtype, promote


def asarray(obj: Any, /, dtype: Any = None, *, device: Any = None, copy: Any = None) -> Any:
    """An array of the data: a number, nested lists of numbers (and of values), a NumPy array (copied), a value.

    Without `dtype`: Python floats give float32, ints int64, bools bool; whatever has a dtype keeps it.
    Lists that are not rectangular are a ShapeError.

    >>> import minigrad.numpy as mnp
    >>> mnp.asarray([[1, 2.5], [3, 4]]).dtype.name
    'float32'
    """
    check_device("asarray", device)
    wanted = None if dtype is None else as_dtype(dtype)
    if copy is False and not isinstance(obj, Value):
        raise ArgumentError(f"asarray: a {type(obj).__name__} must be copied, for it may change", hint="copy=None")
    # a number of a wanted dtype is not to go by way of float32 or int64
    number = wanted is not None and type(obj) in JOINS and (wanted.kind in "fc" or type(obj) is int)
    if number or isinstance(obj, (list, tuple, range)):
        return from_list(obj, "asarray", wanted)
    x = lift(obj, "asarray")
    return x if wanted is None else convert(x, wanted)


def from_list(obj: Any, who: str, wanted: DType | None = None) -> Any:
    """A value of nested lists, wherever one stands for an operand; of `wanted`, or of what the leaves promote to.

    (Or of one number.) What does not fit is an error.
    """
    leaves = {type(obj)} if type(obj) in JOINS else _leaf_types(obj, who)
    if any(isinstance(t, type) and issubclass(t, Value) for t in leaves):
        x = _stack_nested(obj, who)
        return x if wanted is None else convert(x, wanted)
    found = wanted or (promote(*sorted(leaves, key=str)) if leaves else FLOAT32)
    try:
        return Array(_from_lists(obj, found))
    except OverflowError as error:
        raise ArgumentError(f"{who}: {error}") from None
    except (ValueError, TypeError) as error:
        if "inhomogeneous" in str(error):
            raise ShapeError(f"{who}: the nested lists are not rectangular", hint="rows: one length") from None
        raise ValueTypeError(f"{who}: cannot make {found.name} of the list: {error}") from None


def array(obj: Any, /, dtype: Any = None, *, copy: Any = None, ndmin: int = 0, device: Any = None) -> Any:
    """`asarray`; axes of size 1 are put in front until there are `ndmin`.

    >>> import minigrad.numpy as mnp
    >>> mnp.array([1, 2], ndmin=2).tolist()
    [[1, 2]]
    """
    x = asarray(obj, dtype, device=device, copy=copy)
    return x if x.ndim >= ndmin else Reshape((1,) * (ndmin - x.ndim) + x.shape)(x)


def _from_lists(obj: Any, dtype: DType) -> ndarray:
    if dtype.kind in "iu":  # NumPy would wrap 1.5 to 1 silently, or refuse: convert as astype does
        loose = np.asarray(obj)
        return loose.astype(dtype) if loose.dtype.kind in "bfc" else np.asarray(obj, dtype)
    return np.array(obj, dtype)


MOST_AXES = 64  # of a NumPy array


def _leaf_types(obj: Any, who: str, depth: int = 1) -> set[Any]:
    """The Python types of the numbers in nested lists; for what has a dtype, the dtype; for values, their class."""
    if depth > MOST_AXES:
        raise ShapeError(
            f"{who}: the lists are nested more than {MOST_AXES} deep",
            hint="an array has no more axes; does a list hold itself?",
        )
    found: set[Any] = set()
    for t in set(map(type, obj)):
        if t in JOINS or issubclass(t, Value):
            found.add(t)
        elif issubclass(t, (list, tuple, range)):
            for inner in obj:
                if isinstance(inner, (list, tuple, range)):
                    found |= _leaf_types(inner, who, depth + 1)
        else:
            found |= {lift(x, who).dtype for x in obj if type(x) is t}
    return found


def _stack_nested(obj: Any, who: str) -> Any:
    """A list with values in it, by ops: [x, [..]] -> stack."""
    rows = [_stack_nested(o, who) if isinstance(o, (list, tuple)) else o for o in obj]
    dtype = promote(*[weak_dtype(r, who) for r in rows])
    rows = [convert(lift(r, who), dtype) for r in rows]
    shape = rows[0].shape
    for r in rows:
        if r.shape != shape:
            raise ShapeError(f"{who}: the list holds {rows[0].type} and {r.type}", hint="all must have one shape")
    return Concatenate(0)(*[Reshape((1, *shape))(r) for r in rows])


def from_dlpack(x: Any, /, *, device: Any = None, copy: Any = None) -> Any:
    """An array from any library's, by the DLPack protocol. The data is copied, as arrays are immutable.

    >>> import numpy as np, minigrad.numpy as mnp
    >>> mnp.from_dlpack(np.arange(3)).tolist()
    [0, 1, 2]
    """
    check_device("from_dlpack", device)
    if copy is False:
        raise ArgumentError("from_dlpack: the data must be copied, for its owner may change it", hint="copy=None")
    try:
        return Array(np.from_dlpack(x).copy())
    except (AttributeError, BufferError, RuntimeError) as error:
        raise ValueTypeError(f"from_dlpack: cannot read a {type(x).__name__}: {error}") from None
