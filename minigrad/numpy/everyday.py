"""Everyday NumPy names for elements: other spellings, and short composites.

Floor 5.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import DtypeError
from minigrad.numpy.elementwise import deg2rad, rad2deg
from minigrad.numpy.named import binary
from minigrad.op import Operand, lift, type_of
from minigrad.ops import elementwise as e
from minigrad.ops.composite import floating

LOG_2 = math.log(2)

degrees, radians = rad2deg, deg2rad


def _present(name: str, op: e.Row, doc: str) -> Any:
    """The public function of an extreme in which a nan loses."""
    f = lambda a, b: e.where(e.isnan(a), b, e.where(e.isnan(b), a, op(a, b)))
    return binary(name, f, f"{doc} of x1 and x2; a nan loses. A tie shares the gradient.", "mnp.nan, 1.0 -> 1.0")


fmax, fmin = _present("fmax", e.max_, "The larger"), _present("fmin", e.min_, "The smaller")
logaddexp2 = binary(
    "logaddexp2",
    lambda a, b: e.div(e.logaddexp(*[e.mul(x, LOG_2) for x in e.logaddexp.coerce((a, b))]), LOG_2),
    "log₂(2^x1 + 2^x2), without overflow.",
    "3.0, 3.0 -> 4.0",
)
float_power = binary(
    "float_power",
    lambda a, b: e.pow_(floating(a, "float_power"), floating(b, "float_power")),
    "x1 to the power x2 as floats: 2 to the power -1 is 0.5.",
    "2, -1 -> 0.5",
)


def fabs(x: Operand, /) -> Any:
    """|x| as a float; not for complex numbers.

    >>> import minigrad.numpy as mnp
    >>> mnp.fabs(-2).tolist()
    2.0
    """
    x = floating(x, "fabs")
    if x.dtype.kind == "c":
        raise DtypeError(f"fabs does not take complex numbers: {x.type}", hint="use abs")
    return e.abs_(x)


def divmod(x1: Operand, x2: Operand, /) -> tuple[Any, Any]:
    """(x1 // x2, x1 % x2).

    >>> import minigrad.numpy as mnp
    >>> [part.tolist() for part in mnp.divmod(-7, 2)]
    [-4, 1]
    """
    return e.floor_div(x1, x2), e.rem(x1, x2)


def angle(z: Operand, /, deg: Any = False) -> Any:
    """The angle of complex numbers, in (-π, π] or in degrees; 0 or π for real ones. No gradient at the origin.

    >>> import minigrad.numpy as mnp
    >>> mnp.angle(1j, deg=True).tolist()
    90.0
    """
    z = floating(z, "angle")
    turn = e.atan2(e.imag(z), e.real(z))
    return rad2deg(turn) if deg else turn


def iscomplexobj(x: Operand, /) -> bool:
    """Is its dtype complex?

    >>> import minigrad.numpy as mnp
    >>> mnp.iscomplexobj(1j)
    True
    """
    return bool(type_of(lift(x, "iscomplexobj")).dtype.kind == "c")


def isrealobj(x: Operand, /) -> bool:
    """Is its dtype not complex?

    >>> import minigrad.numpy as mnp
    >>> mnp.isrealobj(mnp.ones(2))
    True
    """
    return not iscomplexobj(x)
