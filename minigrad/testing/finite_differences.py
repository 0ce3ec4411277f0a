"""Derivatives from values alone: extrapolated central differences that know how far they may be off.

Floor 7. Everything here works on plain lists of ndarrays, so it shares nothing with the rules it judges. The
method is Ridders' (C. Ridders, Adv. Eng. Softw. 4, 1982): central differences at shrinking steps, Richardson
extrapolation to step 0, and for every element the entry of the table with the least estimated error. Functions
that are linear or quadratic along the direction are recognised; for them a step of 1 is exact up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from minigrad.op import ndarray
from minigrad.types import DType, is_differentiable, real_of

Arrays: TypeAlias = "Sequence[ndarray]"
Function: TypeAlias = "Callable[[list[ndarray]], Arrays]"

STEPS = tuple(2.0**-k for k in range(4, 13))
FINER = 2.0**-10  # how much smaller the steps get when a whole table of them did not settle
TABLES = 3
ORDER = 5  # columns of the extrapolation table: beyond the error h^10, rounding has the last word
# Steps for the slopes from either side, wide apart: a smooth function closes the gap 1000 times over on the way. At
# the last, a kink closer than 1e-9 is met, and rounding of 1 weighs 2e-6. For values with 24 bits there is less room.
SIDES, COARSE_SIDES, FINE = (2.0**-14, 2.0**-18, 2.0**-24, 2.0**-30), (2.0**-6, 2.0**-8, 2.0**-10), 1e-10
# An estimate may be off by ten times its own error before anything is blamed.
SAFETY = 10.0
# Rounding in a difference: half an ulp in each of two values, a few times over for the arithmetic inside f.
ROUNDING = 8.0


@dataclass(frozen=True)
class Estimate:
    """A derivative and, element by element, how far it may be from the truth (inf: no idea)."""

    value: ndarray
    error: ndarray
    exact: ndarray | bool = False  # where it is known to machine precision, by the complex step

    def settled(self, tolerance: float = 1e-4) -> ndarray:
        """Where the estimate is good to a relative `tolerance`: elsewhere it can convict nobody."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.error <= tolerance * (1.0 + np.abs(self.value)))


def directional(f: Function, xs: Arrays, dots: Sequence[ndarray | None], step: float = 1.0) -> list[Estimate]:
    """d/dt f(xs + t·dots) at t = 0, for each output of f. `step` scales the steps; a dot of None holds its x."""
    line = _Line(f, xs, dots)
    best = _exact(line, step)
    scales = [FINER**table for table in range(TABLES)]
    # at arguments this large such steps drown in rounding, and so does what lies between them
    for scale in [*scales, line.reach] if line.reach > 1 / FINER else scales:
        if all(np.all(e.settled(1e-7)) for e in best):
            break
        found = _extrapolated(line, [h * step * scale for h in STEPS])
        best = [_better(a, b) if scale > 1 else _nearer(a, b) for a, b in zip(best, found)]
    return best


def one_sided(f: Function, xs: Arrays, dots: Sequence[ndarray | None], step: float) -> tuple[Arrays, Arrays]:
    """(f(x) − f(x − h·ẋ))/h and (f(x + h·ẋ) − f(x))/h: at a kink they stay apart however small h is."""
    line = _Line(f, xs, dots)
    here = line(0.0)
    left = [(a - b) / step for a, b in zip(here, line(-step))]
    right = [(b - a) / step for a, b in zip(here, line(step))]
    return left, right


@dataclass(frozen=True)
class Kink:
    """Where a function has a kink along a line: for every element whether, and the slopes from below and above."""

    there: ndarray
    below: ndarray
    above: ndarray


def kinks(
    f: Function, xs: Arrays, dots: Sequence[ndarray | None], step: float = 1.0, here: Arrays | None = None
) -> list[Kink]:
    """For each output, where the slopes from either side stay equally far apart while the step shrinks.

    Where f is smooth their distance shrinks with the step, at a jump it grows, and rounding makes it grow as well.
    `here`: f(xs), if it is known.
    """
    line = _Line(f, xs, dots)
    here = line(0.0) if here is None else here
    there = [np.ones(y.shape, bool) for y in here]
    before: list[ndarray] = []
    sides: list[tuple[ndarray, ndarray]] = []
    for h in [h * step for h in (COARSE_SIDES if max([line.eps, *map(_eps, here)]) > FINE else SIDES)]:
        gaps = []
        sides = []
        for k, (y, below, above) in enumerate(zip(here, line(-h), line(h))):
            with np.errstate(all="ignore"):
                left, right = (widened(y) - widened(below)) / h, (widened(above) - widened(y)) / h
                gap = np.abs(right - left)
                noise = (
                    ROUNDING * max(line.eps, _eps(y)) * (np.abs(y) + (np.abs(left) + np.abs(right)) * line.reach) / h
                )
                there[k] &= np.isfinite(gap) & (gap > SAFETY * noise)
                if before:
                    there[k] &= (gap > before[k] / 2) & (gap < before[k] * 2)
            gaps.append(gap)
            sides.append((left, right))
        before = gaps
        if not any(np.any(t) for t in there):
            break
    return [Kink(t, left, right) for t, (left, right) in zip(there, sides)]


class _Line:
    """t ↦ f(xs + t·dots), and how much rounding to expect of it."""

    def __init__(self, f: Function, xs: Arrays, dots: Sequence[ndarray | None]) -> None:
        self.f, self.xs, self.dots = f, xs, dots
        moving = [x for x, d in zip(xs, dots) if d is not None]
        self.eps = max([_eps(x) for x in moving], default=0.0)
        self.reach = max([float(np.max(np.abs(x), initial=0.0)) for x in moving], default=0.0)
        self.seen: dict[float, Arrays] = {}

    def __call__(self, t: float) -> Arrays:
        if t not in self.seen:
            self.seen[t] = self.at(t)
        return self.seen[t]

    def at(self, t: float) -> list[ndarray]:
        moved = [x if d is None else (x + t * d).astype(x.dtype) for x, d in zip(self.xs, self.dots)]
        with np.errstate(all="ignore"):
            return [np.asarray(y) for y in self.f(moved)]

    def difference(self, h: float) -> list[tuple[ndarray, ndarray]]:
        """For each output the central difference at step h, and the rounding it carries."""
        found = []
        for above, below in zip(self(h), self(-h)):
            eps = max(self.eps, _eps(above))
            with np.errstate(all="ignore"):
                slope = (widened(above) - widened(below)) / (2 * h)
                size = np.maximum(np.abs(above), np.abs(below)) + np.abs(slope) * self.reach
                found.append((slope, ROUNDING * eps * size / h))
        return found


def _eps(y: ndarray) -> float:
    return float(np.finfo(real_of(y.dtype)).eps) if is_differentiable(y.dtype) else 0.0


def widened(y: ndarray) -> ndarray:
    """y with 64-bit parts, so that the arithmetic of the table adds no rounding to that of f."""
    return y.astype(np.complex128 if y.dtype.kind == "c" else np.float64)


def _exact(line: _Line, step: float) -> list[Estimate]:
    """Where the differences at steps 1, 1/2 and a tiny one agree to rounding, f is (multi)linear: that is it."""
    whole = line.difference(step)
    agreed = [np.ones(slope.shape, bool) for slope, _ in whole]
    for h in (STEPS[-1], 0.5):
        for same, (slope, noise), (other, other_noise) in zip(agreed, whole, line.difference(h * step)):
            with np.errstate(invalid="ignore"):
                same &= np.abs(slope - other) <= noise + other_noise
        if not any(np.any(same) for same in agreed):
            break  # nothing is linear: no need to look again
    return [Estimate(slope, np.where(same, noise, np.inf)) for same, (slope, noise) in zip(agreed, whole)]


def _extrapolated(line: _Line, steps: Sequence[float]) -> list[Estimate]:
    tables = zip(*[line.difference(h) for h in steps])
    return [_neville(table, steps[0] / steps[1]) for table in tables]


def _neville(table: Sequence[tuple[ndarray, ndarray]], ratio: float) -> Estimate:
    """Central differences have an error in h², h⁴, ...: each column of Neville's table removes one power.

    The error of a row is how far its entries, and the row before it, disagree: two lucky agreements are rare.
    """
    nowhere = np.full(table[0][0].shape, np.inf)
    before: list[ndarray] = []
    best = last = Estimate(table[-1][0], nowhere)
    for slope, noise in table:
        now, row = [slope], Estimate(slope, nowhere)
        with np.errstate(all="ignore"):
            for j, previous in zip(range(1, ORDER), before):
                factor = ratio ** (2 * j)
                now.append((factor * now[-1] - previous) / (factor - 1))
                apart = np.maximum(np.abs(now[j] - now[j - 1]), np.abs(now[j] - previous))
                row = _better(row, Estimate(now[j], apart + noise))
            steady = np.where(np.isfinite(last.error), np.abs(row.value - last.value), np.inf)
        best = _nearer(best, Estimate(row.value, np.maximum(row.error, steady)))
        before, last = now, row
    return best


def _better(a: Estimate, b: Estimate) -> Estimate:
    """Element by element the estimate with the smaller error."""
    return _chosen(b.error < a.error, a, b)


def _nearer(a: Estimate, b: Estimate) -> Estimate:
    """As `_better`, but b comes from smaller steps: where the two contradict each other, a looked across a kink."""
    with np.errstate(invalid="ignore"):
        contradiction = b.settled() & (np.abs(a.value - b.value) > SAFETY * (a.error + b.error))
    return _chosen((b.error < a.error) | contradiction, a, b)


def _chosen(second: ndarray, a: Estimate, b: Estimate) -> Estimate:
    return Estimate(np.where(second, b.value, a.value), np.where(second, b.error, a.error))


def directions(shape: tuple[int, ...], dtype: DType, rng: np.random.Generator) -> ndarray:
    """A random direction whose every part has size between 1/2 and 1, of either sign: no element hides."""

    def part() -> ndarray:
        return np.asarray(rng.uniform(0.5, 1.0, shape) * rng.choice((-1.0, 1.0), shape))

    return np.asarray(part() + 1j * part() if dtype.kind == "c" else part(), dtype)


def basis(x: ndarray) -> Iterator[tuple[tuple[int, ...], ndarray]]:
    """Every unit direction of x with its index; for complex x also the imaginary one."""
    for index in np.ndindex(x.shape):
        for unit in (1.0, 1j) if x.dtype.kind == "c" else (1.0,):
            e = np.zeros_like(x)
            e[index] = unit
            yield index, e
