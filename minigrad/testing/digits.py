"""True values of special functions to 40 digits, in decimal numbers: what compiled ones are measured against.

Floor 7. Independent of what they are to judge: other series, other coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from math import comb

import numpy as np

from minigrad.op import ndarray

ROOT_PI = Decimal("1.772453850905516027298167483341145182797549456122387128213808")
_FAR, _TERMS = 40, 20  # Stirling's series from here on, so long: what is left out is less than 1e-41


def erfc_decimal(a: Decimal) -> tuple[Decimal, Decimal]:
    """(erf, erfc) for a ≥ 0 to 40 digits: the series of rising powers, and from 3 on the continued fraction
    (Abramowitz & Stegun 7.1.6, 7.1.14; of its 200 terms half would do)."""
    with localcontext() as context:
        context.prec, square = 60, a * a
        if a > 40:  # where even 80 bits hold nothing less than 1
            return Decimal(1), Decimal(0)
        if a < 3:
            total, term, n = a, a, 0
            while term > total * Decimal("1e-50"):
                n += 1
                term = term * 2 * square / (2 * n + 1)
                total += term
            y = 2 / ROOT_PI * (-square).exp() * total
            return y, 1 - y
        fraction = Decimal(0)
        for k in range(200, 0, -1):
            fraction = Decimal(k) / 2 / (a + fraction)
        y = (-square).exp() / ROOT_PI / (a + fraction)
        return 1 - y, y


def erfinv_decimal(x: Decimal, y: Decimal) -> Decimal:
    """erfinv for 0 < x < 1 to 25 digits, from 14 of them: a step of Newton's."""
    with localcontext() as context:
        context.prec = 60
        near, far = erfc_decimal(y)
        gap = near - x if x < Decimal("0.5") else (1 - x) - far
        return y - gap * ROOT_PI / 2 * (y * y).exp()


def ndtri_decimal(p: Decimal, y: Decimal) -> Decimal:
    """Φ⁻¹ for 0 < p < 1, as well: −√2·erfinv(1 − 2p), of the lesser of p and 1 − p by what is left over."""
    with localcontext() as context:
        context.prec = 60
        root, less = Decimal(2).sqrt(), min(p, 1 - p)
        a = abs(y) / root
        near, far = erfc_decimal(a)
        gap = near - (1 - 2 * less) if less > Decimal("0.25") else 2 * less - far
        return ((a - gap * ROOT_PI / 2 * (a * a).exp()) * root).copy_sign(y)


@cache
def _stirling() -> list[Decimal]:
    """B[2k] / 2k, k = 1, 2 ...: of Bernoulli's numbers, by their recurrence (Abramowitz & Stegun 23.1.2)."""
    numbers = [Fraction(1)]
    for n in range(1, 2 * _TERMS + 1):
        numbers.append(-sum((comb(n + 1, k) * b for k, b in enumerate(numbers)), Fraction(0)) / (n + 1))
    found = [numbers[2 * k] / (2 * k) for k in range(1, _TERMS + 1)]
    return [Decimal(b.numerator) / Decimal(b.denominator) for b in found]


def lgamma_decimal(x: Decimal) -> Decimal:
    """log Γ(x) for x > 0: of x + n by Stirling's series (6.1.40), less the logarithm of x(x + 1)...(x + n − 1)."""
    with localcontext() as context:
        context.prec, product = 60, Decimal(1)
        if x in (1, 2):
            return Decimal(0)  # not 60 digits less than its terms
        while x < _FAR:
            product, x = product * x, x + 1
        half, square, power, series = Decimal("0.5"), x * x, x, Decimal(0)
        for k, b in enumerate(_stirling(), 1):
            series += b / (2 * k - 1) / power
            power *= square
        return (x - half) * x.ln() - x + (2 * ROOT_PI * ROOT_PI).ln() / 2 + series - product.ln()


def digamma_decimal(x: Decimal) -> Decimal:
    """ψ(x) for x > 0, as well (6.3.18)."""
    with localcontext() as context:
        context.prec, less = 60, Decimal(0)
        while x < _FAR:
            less, x = less + 1 / x, x + 1
        square = power = x * x
        for b in _stirling():
            less += b / power
            power *= square
        return x.ln() - 1 / (2 * x) - less


def by_digits(name: str, near: Callable[[ndarray], ndarray], x: ndarray) -> ndarray:
    """A function of float64s, in 80 bits; `near` gives it to 14 digits, and what is no finite number."""

    def one(x: float, y: float) -> Decimal:
        match name:
            case "lgamma":
                return lgamma_decimal(Decimal(x))
            case "digamma":
                return digamma_decimal(Decimal(x))
            case "erfinv":
                return erfinv_decimal(Decimal(abs(x)), Decimal(abs(y))).copy_sign(Decimal(x))
            case "ndtri":
                return ndtri_decimal(Decimal(x), Decimal(y))
        near, far = erfc_decimal(Decimal(abs(x)))
        if name == "erf":
            return near.copy_sign(Decimal(x))
        return far if x >= 0 else 1 + near

    y = np.where(np.isnan(x), x, near(x)).astype(np.longdouble)
    for k in (np.isfinite(x) & np.isfinite(y)).nonzero()[0]:
        y[k] = np.longdouble(str(one(float(x[k]), float(y[k]))))
    return y
