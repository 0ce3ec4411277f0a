"""The namespace's dtypes, which can be called: `float32(0.5)` is an array of that dtype.

Floor 5. `x.dtype` is NumPy's dtype object; a `ScalarType` equals it, hashes like it and is accepted wherever a dtype
is, by NumPy too (which looks at its `dtype`). NumPy's own dtype objects cannot be called, and its scalar types
(`np.float32`) neither hash like the dtype nor know traced values.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from minigrad.numpy.from_data import asarray
from minigrad.op import Operand
from minigrad.types import LONG, DType


class ScalarType:
    """A dtype by name, and the function that makes arrays of it.

    >>> import minigrad.numpy as mnp
    >>> mnp.float32(0.5), mnp.ones(2).dtype == mnp.float32, np.dtype(mnp.int8)
    (Array(0.5, dtype=float32), True, dtype('int8'))
    """

    __slots__ = ("dtype",)

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype

    def __call__(self, x: Operand = 0, /) -> Any:
        """x (a number, lists of them, an array, a traced value) as an array of this dtype."""
        return asarray(x, self.dtype)

    def __eq__(self, other: object) -> builtins.bool:
        if isinstance(other, (np.dtype, ScalarType)):
            return self.dtype == getattr(other, "dtype", other)
        is_numpys = isinstance(other, str) or (isinstance(other, type) and issubclass(other, np.generic))
        return self.dtype == other if is_numpys else NotImplemented

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return f"minigrad.numpy.{self.dtype.name}"

    @property
    def name(self) -> str:
        return self.dtype.name

    @property
    def kind(self) -> str:
        return self.dtype.kind

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize


bool = ScalarType(LONG["bool"])
int8, int16, int32, int64 = (ScalarType(LONG[s]) for s in ("i8", "i16", "i32", "i64"))
uint8, uint16, uint32, uint64 = (ScalarType(LONG[s]) for s in ("u8", "u16", "u32", "u64"))
float32, float64, complex64, complex128 = (ScalarType(LONG[s]) for s in ("f32", "f64", "c64", "c128"))
