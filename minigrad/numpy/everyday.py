"""Everyday NumPy names for elements: other spellings, and short composites.

Floor 5.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import DtypeError
from minigrad.numpy.elementwise import deg2rad, rad2deg
from minigrad.op import Operand, lift, type_of
from minigrad.ops import elementwise as e
from minigrad.ops.composite import floating

degrees, radians = rad2deg, deg2rad


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


def fmax(x1: Operand, x2: Operand, /) -> Any:
    """The larger of x1 and x2; a nan loses. A tie shares the gradient.

    >>> import minigrad.numpy as mnp
    >>> mnp.fmax(mnp.nan, 1.0).tolist()
    1.0
    """
    return e.where(e.isnan(x1), x2, e.where(e.isnan(x2), x1, e.max_(x1, x2)))


def fmin(x1: Operand, x2: Operand, /) -> Any:
    """The smaller of x1 and x2; a nan loses. A tie shares the gradient.

    >>> import minigrad.numpy as mnp
    >>> mnp.fmin(mnp.nan, 1.0).tolist()
    1.0
    """
    return e.where(e.isnan(x1), x2, e.where(e.isnan(x2), x1, e.min_(x1, x2)))


def logaddexp2(x1: Operand, x2: Operand, /) -> Any:
    """log₂(2^x1 + 2^x2), without overflow.

    >>> import minigrad.numpy as mnp
    >>> mnp.logaddexp2(3.0, 3.0).tolist()
    4.0
    """
    two = math.log(2)
    return e.div(e.logaddexp(e.mul(x1, two), e.mul(x2, two)), two)


def float_power(x1: Operand, x2: Operand, /) -> Any:
    """x1 to the power x2 as floats: 2 to the power -1 is 0.5.

    >>> import minigrad.numpy as mnp
    >>> mnp.float_power(2, -1).tolist()
    0.5
    """
    return e.pow_(floating(x1, "float_power"), floating(x2, "float_power"))


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
