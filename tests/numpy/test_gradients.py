"""The gradient matrix: every differentiable function of the namespace, in every way a derivative of it is computed.

{float64, complex128 where it takes complex} × {forward, reverse, second order} × {eager, compiled by each backend} ×
{alone, over lanes}. Eagerly computed derivatives are held against differences of values; compiled ones against those,
at the same point. The summary of the run counts the checks. All of it is slow; the default run takes a sample.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends, tree
from minigrad.errors import MinigradError
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.interpreters.forward import jvp
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array
from minigrad.testing import check_grads
from minigrad.testing.comparing import direction_like, types, values
from minigrad.testing.pytest_plugin import CHECKS
from minigrad.types import is_differentiable
from tests.numpy import test_fft, test_linalg, test_names, test_special
from tests.numpy.cases import CASES, draw

DTYPES = ("float64", "complex128")
SIZES = {"a": 3, "b": 2, "c": 2, "d": 2}
LANES = 2
SAMPLE = 13  # the default run takes every so-manieth; odd, so that both alone and over lanes are in it
# What has no derivative with respect to some float operand, on purpose.
WITHOUT = {"nextafter"}  # its derivative is taken to be 0, as it moves in steps


@dataclass(frozen=True)
class Entry:
    """A function of the operands by which it is differentiated, and these."""

    name: str
    dtype: str
    f: Callable[..., list[Any]]
    xs: tuple[np.ndarray, ...]
    order: int = 2
    staged: bool = True  # False: its shapes depend on the data, so that it has neither a graph nor lanes

    def over_lanes(self) -> Entry:
        """The function vmapped over its first operand, the others shared."""
        stacked = np.stack([self.xs[0] * (1 - k / 16) for k in range(LANES)])
        mapped = [True] + [False] * (len(self.xs) - 1)

        def f(*vs: Any) -> list[Any]:
            return batched(self.f, vs, mapped, LANES)

        return replace(self, f=f, xs=(stacked, *self.xs[1:]))


def entries() -> Iterator[Entry]:
    """From all the tables of the namespace's tests."""
    for case in CASES:
        for dtype in DTYPES:
            if set(case.kinds) & set("fc") and case.name not in WITHOUT:
                xs = draw(case, dtype, np.random.default_rng(zlib.crc32(f"{case.name} {dtype}".encode())), SIZES)
                yield Entry(
                    case.name, dtype, lambda *vs, c=case: tree.leaves(c.f(mnp, *vs)), tuple(xs), staged=case.graph
                )
    for table in (test_linalg, test_fft, test_special, test_names):
        for fn in table.FUNCTIONS:
            for kind, dtype in zip("fc", DTYPES):
                # names' table says in which dtypes NumPy's is compared; derivatives may exist in more
                if fn.order and (kind in fn.kinds or table is test_names):
                    yield by_its_operands(f"{table.__name__.rpartition('_')[2]}.{fn.name}", fn, dtype)


def by_its_operands(name: str, fn: Any, dtype: str) -> Entry:
    xs = fn.operands(dtype)
    by = [i for i in (range(len(xs)) if fn.by is None else fn.by) if xs[i].dtype.kind in "fc"]

    def f(*moving: Any) -> list[Any]:
        full: list[Any] = [Array(x) for x in xs]
        for i, x in zip(by, moving):
            full[i] = x
        return fn.flat(*full)

    return Entry(name, dtype, f, tuple(xs[i] for i in by), fn.order)


def differentiable(entry: Entry) -> bool:
    """Does it take this dtype, and give something that carries a derivative?"""
    try:
        return any(is_differentiable(y.dtype) for y in entry.f(*values(entry.xs)))
    except MinigradError:
        return False


ENTRIES = [entry for entry in entries() if entry.xs and differentiable(entry)]


def parameters() -> Iterator[Any]:
    for i, entry in enumerate(ENTRIES):
        for k, lanes in enumerate((False, True) if entry.staged else (False,)):
            marks = () if (2 * i + k) % SAMPLE == 0 else (pytest.mark.slow,)
            name = f"{entry.name}-{entry.dtype}-{'lanes' if lanes else 'alone'}"
            yield pytest.param(entry, lanes, id=name, marks=marks)


@pytest.mark.parametrize(("entry", "lanes"), list(parameters()))
def test_gradient(entry: Entry, lanes: bool, record_property: Callable[[str, Any], None]) -> None:
    entry, alone = (entry.over_lanes(), "over lanes") if lanes else (entry, "alone")

    def count(how: str) -> None:
        for mode in ("forward", "reverse", "second order")[: 1 + entry.order]:
            record_property(CHECKS, [entry.dtype, mode, how, alone])

    check_grads(lambda *vs: entry.f(*vs), entry.xs, order=entry.order)
    count("eager")
    if not entry.staged:
        return
    derive, given = everything(entry)
    eager = [y.concrete("test") for y in derive(*values(given))]
    graph, captured = trace(derive, types(given))
    assert not captured
    for backend in backends.available():
        found = backends.compile(graph, backend)([x.copy() for x in given])
        for k, (y, wanted) in enumerate(zip(found, eager, strict=True)):
            scale = np.max(np.abs(wanted), initial=1.0)
            near = np.abs(y - wanted) <= 1e-11 * scale
            assert y.shape == wanted.shape and np.all(near), f"{backend}: derivative {k} of {graph.out_types}"
        count(f"compiled by {backend}")


def everything(entry: Entry) -> tuple[Callable[..., list[Any]], list[np.ndarray]]:
    """(xs, ẋ, ȳ) ↦ forward, reverse, and both again of reverse; and operands for it."""
    rng = np.random.default_rng(zlib.crc32(entry.name.encode()))
    n = len(entry.xs)

    def smooth(*vs: Any) -> list[Any]:
        return [y for y in entry.f(*vs) if is_differentiable(y.dtype)]

    def derive(*given: Any) -> list[Any]:
        xs, dots, bars = given[:n], given[n : 2 * n], given[2 * n :]

        def pull(*vs: Any) -> list[Any]:
            x_bars = vjp(smooth, vs)[1](bars)
            return [v * 0 if b is None else b for v, b in zip(vs, x_bars)]

        found = [*jvp(smooth, xs, dots)[1], *pull(*xs)]
        if entry.order > 1:
            found += [*jvp(pull, xs, dots)[1], *vjp(pull, xs)[1](dots)]
        return [d for d in found if d is not None]

    ys = [y.concrete("test") for y in smooth(*values(entry.xs))]
    return derive, [*entry.xs, *direction_like(entry.xs, rng), *direction_like(ys, rng)]


def test_the_matrix_is_as_large_as_it_was() -> None:
    """What stops taking complex numbers, or carrying a derivative, would leave it in silence."""
    counts: dict[str, int] = {dtype: sum(e.dtype == dtype for e in ENTRIES) for dtype in DTYPES}
    assert counts["float64"] >= 470 and counts["complex128"] >= 370, counts
