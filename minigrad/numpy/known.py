"""The numbers behind a value, for functions whose result's *shape* depends on them (nonzero, unique, masks).

Floor 5. Eagerly, and inside `grad` without `jit`, there are numbers; in a graph there are none yet, and the error
says what to do instead.
"""

from __future__ import annotations

from typing import Any

from minigrad.errors import ConcretizationError
from minigrad.op import Value, ndarray

INSTEAD = "use where(condition, x, 0), which keeps the shape"


def known(x: Any, who: str, hint: str = INSTEAD) -> ndarray:
    """The numbers of x, or a ConcretizationError that names the function."""
    value: Value = x
    try:
        return value.concrete(f"{who}()")
    except ConcretizationError as error:
        raise ConcretizationError(
            f"{who}: the shape of the result depends on the numbers of {value.type}, which are not known yet",
            hint=hint,
            lines=error.lines,
        ) from None
