"""Dtypes, constants, and questions about them; what the Array API calls inspection.

Floor 5. `x.dtype` is NumPy's `dtype` object; which ones there are, and how they promote, `minigrad.types` decides.
The names `float32`, ... are in scalar_types.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError
from minigrad.frozen import dataclass
from minigrad.op import Operand, lift
from minigrad.ops.elementwise import convert
from minigrad.ops.weak import JOINS, weak_dtype
from minigrad.types import FLOAT32, INT64, LONG, DType, as_dtype, complex_of, promote

pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
newaxis = None

DEVICE = "cpu"  # the only one there is

_KINDS: dict[str, str] = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


def check_device(who: str, device: Any) -> None:
    """There is one device; anything else is the user's mistake."""
    if device is not None and device != DEVICE:
        raise ArgumentError(f"{who}: unknown device {device!r}", hint=f"the only device is {DEVICE!r}")


def astype(x: Operand, dtype: Any, /, *, copy: Any = True, device: Any = None) -> Any:
    """x in another dtype. From complex to real takes the real part. Arrays are immutable, so `copy` costs nothing.

    >>> import minigrad.numpy as mnp
    >>> mnp.astype(mnp.asarray([1.7, -1.7]), mnp.int32).tolist()
    [1, -1]
    """
    check_device("astype", device)
    return convert(lift(x, "astype"), as_dtype(dtype))


def isdtype(dtype: Any, kind: Any) -> Any:
    """Is the dtype of this kind: a dtype, one of the Array API's kind names, or any of a tuple of them?

    >>> import minigrad.numpy as mnp
    >>> mnp.isdtype(mnp.float32, "real floating"), mnp.isdtype(mnp.int8, ("bool", mnp.int16))
    (True, False)
    """
    dtype = as_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str) and kind in _KINDS and kind != "bool":
        return dtype.kind in _KINDS[kind]
    try:
        return dtype == as_dtype(kind)
    except DtypeError:
        raise ArgumentError(f"isdtype: unknown kind {kind!r}", hint="known: " + ", ".join(_KINDS)) from None


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype an op over these would compute in; Python numbers are weak.

    >>> import minigrad.numpy as mnp
    >>> mnp.result_type(mnp.int64, mnp.ones(2), 1.5).name
    'float32'
    """
    return promote(*[_weak(x) for x in arrays_and_dtypes])


def _weak(x: Any) -> Any:
    return as_dtype(x) if type(x) not in JOINS and _is_dtype(x) else weak_dtype(x, "result_type")


def can_cast(from_: Any, to: Any, /) -> Any:
    """Does promotion take the first dtype (or array) to the second?

    >>> import minigrad.numpy as mnp
    >>> mnp.can_cast(mnp.int8, mnp.int32), mnp.can_cast(mnp.float64, mnp.float32)
    (True, False)
    """
    to = as_dtype(to)
    return promote(_weak(from_), to) == to


@dataclass(frozen=True)
class finfo:
    """The limits of a floating dtype: bits, eps, max, min, smallest_normal (for complex: of its parts).

    >>> import minigrad.numpy as mnp
    >>> mnp.finfo(mnp.float32).bits
    32
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType

    def __init__(self, type: Any, /) -> None:
        dtype = _dtype_of(type)
        if dtype.kind not in "fc":
            raise DtypeError(f"finfo: {dtype.name} is not a floating dtype", hint="iinfo is for integers")
        info: Any = np.finfo(dtype)
        for name in ("bits", "eps", "max", "min", "smallest_normal"):
            value = getattr(info, name)
            object.__setattr__(self, name, value if name == "bits" else float(value))
        object.__setattr__(self, "dtype", info.dtype)


@dataclass(frozen=True)
class iinfo:
    """The limits of an integer dtype: bits, max, min.

    >>> import minigrad.numpy as mnp
    >>> mnp.iinfo(mnp.int8).max
    127
    """

    bits: int
    max: int
    min: int
    dtype: DType

    def __init__(self, type: Any, /) -> None:
        dtype = _dtype_of(type)
        if dtype.kind not in "iu":
            raise DtypeError(f"iinfo: {dtype.name} is not an integer dtype", hint="finfo is for floats")
        info = np.iinfo(dtype)
        for name in ("bits", "max", "min"):
            object.__setattr__(self, name, int(getattr(info, name)))
        object.__setattr__(self, "dtype", dtype)


def _dtype_of(x: Any) -> DType:
    return as_dtype(x) if _is_dtype(x) else lift(x, "finfo").dtype


def _is_dtype(x: Any) -> Any:
    """A dtype in any spelling, and not something that has one."""
    return isinstance(x, (np.dtype, str, type)) or not hasattr(x, "shape")


class Info:
    """What this namespace can do, in the Array API's words."""

    def capabilities(self) -> dict[str, Any]:
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        return DEVICE

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        check_device("default_dtypes", device)
        return {
            "real floating": FLOAT32,
            "complex floating": complex_of(FLOAT32),
            "integral": INT64,
            "indexing": INT64,
        }

    def devices(self) -> list[str]:
        return [DEVICE]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        check_device("dtypes", device)
        return {d.name: d for d in LONG.values() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> Info:
    """The namespace's inspection object.

    >>> import minigrad.numpy as mnp
    >>> sorted(mnp.__array_namespace_info__().dtypes(kind="real floating"))
    ['float32', 'float64']
    """
    return Info()
