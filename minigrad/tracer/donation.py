"""Donated arguments: their memory is the program's to write into, and nobody may use them afterwards.

Floor 6.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import numpy as np

from minigrad.backends.outputs import is_kept
from minigrad.errors import DonatedError
from minigrad.op import Array
from minigrad.source import Line, user_line
from minigrad.types import TensorType


class Donated(Array):
    """What an Array becomes that was donated: every use is an error."""

    __slots__ = ()

    def _refuse(self) -> NoReturn:
        what, line, t = _SLOT.__get__(self)
        raise DonatedError(
            f"this array, {t}, was donated to {what} at {line.place}: its memory holds something else now",
            hint="use what the function returned, or do not donate this argument",
        )

    array = property(_refuse)
    owner = property(_refuse)  # which is asked for when a value that is no Array is met where Arrays are

    def __repr__(self) -> str:
        what, line, t = _SLOT.__get__(self)
        return f"<an array {t} donated to {what} at {line.place}>"


_SLOT: Any = Array.__dict__["array"]


def donate(x: Array, what: str) -> None:
    """From now on a use of x says where it went."""
    told: tuple[str, Line, TensorType] = (what, user_line(), x.type)
    _SLOT.__set__(x, told)
    x.__class__ = Donated


def is_alone(x: Array) -> bool:
    """Does nobody but x know its memory? Views, NumPy's or ours, would see it change."""
    array, base = x.array, x.array.base
    if not array.flags.writeable:
        return False
    if base is None:
        return sys.getrefcount(array) == _OWNED
    owns = type(base) is np.ndarray and base.base is None  # a block, of an output or of a large copy
    return owns and sys.getrefcount(array) == _OWNED and sys.getrefcount(base) == _OWNED + is_kept(base)


def _references(x: Array) -> int:
    array = x.array
    return sys.getrefcount(array)


_OWNED = _references(Array(np.empty(0)))  # by the slot, the variable and the call, as this Python counts them
