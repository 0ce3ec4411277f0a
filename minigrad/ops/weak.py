"""Python scalars beside tensors are weak: they take the dtype of the others where their kind allows it.

Floor 2. `types.promote` says what dtype operands have in common; here are the operands themselves, and the short way
for the commonest case: tensors of one dtype and scalars that join it. Every eager `x * 2.0` goes through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import DtypeError
from minigrad.op import Array, Operand, Value, lift
from minigrad.types import DType

# The kinds of dtype a weak Python scalar joins without changing them.
JOINS = {bool: "biufc", int: "iufc", float: "fc", complex: "c"}


def plain_dtype(xs: Sequence[Operand]) -> DType | None:
    """The dtype of the operands when all tensors share it and the Python scalars beside them join it; else None."""
    dtype: DType | None = None
    for x in xs:
        if isinstance(x, Value):
            if dtype is None:
                dtype = x.dtype
            elif x.dtype is not dtype:
                return None
    if dtype is not None:
        for x in xs:
            if not isinstance(x, Value) and dtype.kind not in JOINS.get(type(x), ""):
                return None
    return dtype


def weak_dtype(x: Operand, who: str) -> Any:
    """The dtype of a Value or array; a Python scalar answers with its (weak) Python type."""
    if isinstance(x, Value):
        return x.dtype
    return type(x) if type(x) in JOINS else lift(x, who).dtype


def weak_scalar(x: bool | int | float | complex, dtype: DType, who: str) -> Array:
    """A Python scalar in the dtype the other operands gave it."""
    try:
        return Array(np.asarray(x, dtype))
    except OverflowError as error:
        raise DtypeError(f"{who}: {error}", hint="convert the other operand to a wider dtype first") from None
