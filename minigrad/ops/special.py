"""Special functions: the error function and its kin, and the logarithm of gamma with its derivatives.

Floor 2. Values come from scipy.special, loaded on first use; it keeps float32 in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError
from minigrad.lazy import lazy_module
from minigrad.op import Operand, Value, ndarray
from minigrad.ops.elementwise import Elementwise, Row, exp, mul, neg, row
from minigrad.ops.kinds import Draw, Samples

special = lazy_module("scipy.special")


def _gauss(x: Any, factor: float) -> Any:
    return mul(factor, exp(neg(mul(x, x))))


# erf' = 2/√π · e^(−x²)
erf = row("erf", lambda x: special.erf(x), lambda y, x: _gauss(x, 2 / math.sqrt(math.pi)), takes="f")
erfc = row("erfc", lambda x: special.erfc(x), lambda y, x: _gauss(x, -2 / math.sqrt(math.pi)), takes="f")
# the inverse function's derivative: √π/2 · e^(y²)
erfinv = row(
    "erfinv",
    lambda x: special.erfinv(x),
    lambda y, x: mul(math.sqrt(math.pi) / 2, exp(mul(y, y))),
    takes="f",
    singular=True,
    domain=(-0.9, 0.9),
)
lgamma = row(
    "lgamma",
    lambda x: special.gammaln(x),  # log|Γ(x)|
    lambda y, x: digamma(x),
    takes="f",
    singular=True,
    domain=(0.3, 4.0),
)
digamma: Row = row(
    "digamma", lambda x: special.digamma(x), lambda y, x: Polygamma(1)(x), takes="f", singular=True, domain=(0.3, 4.0)
)


@dataclass(frozen=True)
class Polygamma(Elementwise):
    """The n-th derivative of digamma, n ≥ 1."""

    n: int
    singular: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ArgumentError(f"polygamma: the order must be at least 1, got {self.n}", hint="order 0 is digamma")

    def admit(self, arrays: list[ndarray]) -> bool:
        return digamma.admit(arrays)

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        return digamma.coerce(xs)

    def impl(self, x: ndarray) -> Any:
        return np.asarray(special.polygamma(self.n, x)).astype(x.dtype)  # scipy gives float64

    def partial(self, i: int, y: Any, xs: Sequence[Value]) -> Any:
        return Polygamma(self.n + 1)(xs[0])

    @classmethod
    def samples(cls) -> Samples:
        for n, shape in [(1, (3,)), (2, ()), (1, (0, 2))]:
            yield cls(n), (Draw(shape, domain=digamma.domain),)
