"""Affine indices: constant + Σ coefficient·variable, always in their simplest form.

Floor 4. Where an element of an operand lies is such a sum over the variables of the loops around it. Movement ops are
substitutions of indices; only a reshape can need a quotient and a remainder, and `split` takes them where they are
affine again, so that no `//` or `%` is ever printed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Affine:
    """`const` plus the terms (variable, coefficient), sorted by variable, without zeros. Variables are loop numbers."""

    const: int = 0
    terms: tuple[tuple[int, int], ...] = ()

    def __add__(self, other: Affine) -> Affine:
        if not other.terms:
            return self if not other.const else Affine(self.const + other.const, self.terms)
        if not self.terms:
            return Affine(self.const + other.const, other.terms)
        total = dict(self.terms)
        for variable, k in other.terms:
            total[variable] = total.get(variable, 0) + k
        return Affine(self.const + other.const, tuple(sorted((v, k) for v, k in total.items() if k)))

    def scaled(self, factor: int) -> Affine:
        if factor == 1:
            return self
        if factor == 0:
            return ZERO
        return Affine(self.const * factor, tuple([(v, k * factor) for v, k in self.terms]))

    def shifted(self, by: int) -> Affine:
        return Affine(self.const + by, self.terms) if by else self

    def coefficient(self, variable: int) -> int:
        return next((k for v, k in self.terms if v == variable), 0)

    def bounds(self, extents: Sequence[int]) -> tuple[int, int]:
        """The least and greatest value while every variable runs through 0 .. extent − 1."""
        low = high = self.const
        for variable, k in self.terms:
            reach = k * (extents[variable] - 1)
            low, high = (low, high + reach) if k > 0 else (low + reach, high)
        return low, high

    def __str__(self) -> str:
        parts = [f"{k}*i{v}" if k != 1 else f"i{v}" for v, k in self.terms]
        return " + ".join([*parts, str(self.const)] if self.const or not parts else parts)


ZERO = Affine()
Indices: TypeAlias = tuple[Affine, ...]  # one per axis of a tensor


def variable(number: int) -> Affine:
    return Affine(0, ((number, 1),))


def identity(shape: Sequence[int]) -> Indices:
    """Axis k runs with loop k; an axis of size 1 stands still."""
    return tuple([variable(k) if n != 1 else ZERO for k, n in enumerate(shape)])


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """How many elements one step along each axis is, in row-major order."""
    steps, step = [], 1
    for n in reversed(shape):
        steps.append(step)
        step *= n
    return tuple(reversed(steps))


def address(indices: Indices, shape: Sequence[int]) -> Affine:
    """The place of an element in row-major order."""
    total = ZERO
    for index, step in zip(indices, strides(shape), strict=True):
        total = total + index.scaled(step)
    return total


def split(index: Affine, size: int, extents: Sequence[int]) -> tuple[Affine, Affine] | None:
    """(index // size, index % size) where both are affine; None where they are not.

    Terms that are multiples of `size` go to the quotient; the rest must stay within 0 .. size − 1.
    """
    quotient = tuple([(v, k // size) for v, k in index.terms if k % size == 0])
    rest = Affine(index.const % size, tuple([(v, k) for v, k in index.terms if k % size]))
    low, high = rest.bounds(extents)
    if low < 0 or high >= size:
        return None
    return Affine(index.const // size, quotient), rest


def reshaped(indices: Indices, shape: Sequence[int], before: Sequence[int], extents: Sequence[int]) -> Indices | None:
    """Where element `indices` of a tensor reshaped to `shape` stood in its old shape `before`; None if not affine."""
    if 0 in shape:  # nothing is ever read
        return (ZERO,) * len(before)
    found: list[Affine] = []
    i = j = 0
    while i < len(before) or j < len(shape):
        if i < len(before) and before[i] == 1:
            found.append(ZERO)
            i += 1
        elif j < len(shape) and shape[j] == 1:
            j += 1
        else:  # the shortest runs of axes with the same number of elements
            m, n = i + 1, j + 1
            old, new = before[i], shape[j]
            while old != new:
                if old < new:
                    old, m = old * before[m], m + 1
                else:
                    new, n = new * shape[n], n + 1
            run = _unflattened(address(indices[j:n], shape[j:n]), before[i:m], extents)
            if run is None:
                return None
            found += run
            i, j = m, n
    return tuple(found)


def _unflattened(flat: Affine, shape: Sequence[int], extents: Sequence[int]) -> list[Affine] | None:
    found = []
    for size in reversed(shape[1:]):
        parts = split(flat, size, extents)
        if parts is None:
            return None
        flat, rest = parts
        found.append(rest)
    return [flat, *reversed(found)]


def merged(addresses: Sequence[Affine], order: Sequence[int], extents: Sequence[int]) -> list[list[int]]:
    """Neighbouring loops of `order` that can run as one: in every address the outer steps over the whole inner."""
    runs: list[list[int]] = []
    for v in order:
        if extents[v] == 1:
            continue
        if runs and all(a.coefficient(runs[-1][-1]) == a.coefficient(v) * extents[v] for a in addresses):
            runs[-1].append(v)
        else:
            runs.append([v])
    return runs


def renamed(index: Affine, runs: Sequence[Sequence[int]]) -> Affine:
    """The index over merged loops: run k, called by its last (innermost) variable, is variable k."""
    return Affine(index.const, tuple([(k, c) for k, run in enumerate(runs) if (c := index.coefficient(run[-1]))]))


def extents_of(runs: Sequence[Sequence[int]], extents: Sequence[int]) -> tuple[int, ...]:
    return tuple([math.prod(extents[v] for v in run) for run in runs])


def side_by_side(at: Affine, column: int, within: int, width: int) -> Affine:
    """An address once the loop over columns goes over blocks of them: column -> width·column + within."""
    step = at.coefficient(column)
    rest = [(v, k * width if v == column else k) for v, k in at.terms]
    return Affine(at.const, tuple(sorted([*rest, (within, step)] if step else rest)))


def divisor(n: int, most: int) -> int:
    """The greatest divisor that is not more; 0 if there is none."""
    return next((k for k in range(min(n, most), 0, -1) if n % k == 0), 0)
