"""The complex step: the derivative of an analytic function to machine precision, from values alone.

Floor 7. f(x + i·h·ẋ) = f(x) + i·h·f′(x)·ẋ + O(h²): with h so small that h² vanishes there is nothing to subtract, so
nothing cancels (J. Lyness and C. Moler, SIAM J. Numer. Anal. 4, 1967; W. Squire and G. Trapp, SIAM Review 40, 1998).
Only functions that go on analytically into the complex plane have it; `conj`, `real` and `abs` do not, and give
another number in silence. So it sharpens a difference that it agrees with, and decides nothing alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from minigrad.op import ndarray
from minigrad.testing.finite_differences import SAFETY, Arrays, Estimate, Function

H = 2.0**-100
# Rounding of one evaluation, in units of it; what the arithmetic inside f amplifies is measured, not guessed.
ROUNDING = 64 * 2.0**-52


class ComplexStep:
    """Complex steps of one function at one point. `refuses` as soon as f does not take complex arguments."""

    def __init__(self, f: Function, xs: Arrays) -> None:
        self.f, self.xs = f, xs
        self.refuses = any(x.dtype != np.float64 for x in xs)
        self.here = [] if self.refuses else [np.asarray(y) for y in f(list(xs))]

    def sharpened(self, dots: Sequence[ndarray], truth: list[Estimate]) -> list[Estimate]:
        """The estimates, with the complex step's own wherever it agrees with them."""
        found = self._slopes(self.xs, dots)
        if found is None:
            return truth
        # the last bits of x changed: what they do to the derivative is what rounding may do to it
        nudged = self._slopes([x * (1 + 4 * 2.0**-52) for x in self.xs], dots) or found
        return [
            e if slope is None or near is None else _sharper(e, slope, near)
            for e, slope, near in zip(truth, found, nudged)
        ]

    def _slopes(self, xs: Arrays, dots: Sequence[ndarray]) -> list[ndarray | None] | None:
        """For each output Im f(x + i·h·ẋ)/h; None for one that is not real, or not f's value in its real part."""
        if self.refuses:
            return None
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error")  # NumPy warns when it discards imaginary parts
                ys = [np.asarray(y) for y in self.f([x + 1j * H * d for x, d in zip(xs, dots)])]
        except Exception:  # whatever a program does with numbers it was not made for
            ys = []
        self.refuses = [y.shape for y in ys] != [y.shape for y in self.here]
        return None if self.refuses else [self._slope(y, here) for y, here in zip(ys, self.here)]

    def _slope(self, y: ndarray, here: ndarray) -> ndarray | None:
        if y.dtype != np.complex128 or here.dtype != np.float64:
            return None
        same = np.abs(y.real - here) <= 2.0**-30 * (1.0 + np.abs(here))
        return np.asarray(np.where(same, y.imag / H, np.nan))


def _sharper(e: Estimate, slope: ndarray, near: ndarray) -> Estimate:
    with np.errstate(all="ignore"):
        error = np.abs(slope - near) + ROUNDING * np.abs(slope)
        agrees = e.settled() & (np.abs(slope - e.value) <= SAFETY * (e.error + error)) & (error < e.error)
    return Estimate(np.where(agrees, slope, e.value), np.where(agrees, error, e.error), agrees)
