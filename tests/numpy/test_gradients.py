"""The gradient matrix: every differentiable function of the namespace, in every way a derivative of it is computed.

{float64, complex128 where it takes complex} × {forward, reverse, second order} × {eager, compiled by each backend} ×
{alone, over lanes}. Eagerly computed derivatives are held against differences of values; compiled ones against those,
at the same point. The summary of the run counts the checks. The default run has the first derivatives of float64, and
a sample of the others.
"""

from __future__ import annotations

import inspect
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
SAMPLE = 31  # the default run takes every so-manieth; odd, so that both alone and over lanes are in it
# Cases whose derivative is taken to be 0, though it is not: nextafter moves in steps.
WITHOUT = {"nextafter"}


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


Count = Callable[[str, Any], None]


def count(record: Count, entry: Entry, lanes: bool, how: str) -> None:
    for mode in ("forward", "reverse", "second order")[: 1 + entry.order]:
        record(CHECKS, [entry.dtype, mode, how, "over lanes" if lanes else "alone"])


REALS = [entry for entry in ENTRIES if entry.dtype == "float64"]


@pytest.mark.parametrize("entry", REALS, ids=[entry.name for entry in REALS])
def test_first_derivatives(entry: Entry) -> None:
    """A fifth of the time of `test_eager`, which counts them."""
    check_grads(lambda *vs: entry.f(*vs), entry.xs, order=1)


@pytest.mark.parametrize(("entry", "lanes"), list(parameters()))
def test_eager(entry: Entry, lanes: bool, record_property: Count) -> None:
    """Against differences of values."""
    function = entry.over_lanes() if lanes else entry
    check_grads(lambda *vs: function.f(*vs), function.xs, order=entry.order)
    count(record_property, entry, lanes, "eager")


@pytest.mark.parametrize(("entry", "lanes"), [p for p in parameters() if p.values[0].staged])
def test_compiled(entry: Entry, lanes: bool, record_property: Count) -> None:
    """Against the eager ones."""
    derive, given = everything(entry.over_lanes() if lanes else entry)
    eager = [y.concrete("test") for y in derive(*values(given))]
    graph, captured = trace(derive, types(given))
    assert not captured
    for backend in backends.available():
        found = backends.compile(graph, backend)([x.copy() for x in given])
        for k, (y, wanted) in enumerate(zip(found, eager, strict=True)):
            scale = np.max(np.abs(wanted), initial=1.0)
            near = np.abs(y - wanted) <= 1e-11 * scale
            assert y.shape == wanted.shape and np.all(near), f"{backend}: derivative {k} of {graph.out_types}"
        count(record_property, entry, lanes, f"compiled by {backend}")


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


# ── what is not in it ────────────────────────────────────────────────────────────────────────────
# Functions that are in no entry, by the reason.
WITHOUT_DERIVATIVE = {
    "their results are bools, integers or positions": """
        all allclose any argmax argmin argpartition argsort argwhere array_equal bitwise_and bitwise_invert
        bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor count_nonzero digitize equal
        flatnonzero greater greater_equal invert isclose iscomplexobj isfinite isin isinf isnan isrealobj
        left_shift less less_equal lexsort linalg.matrix_rank logical_and logical_not logical_or logical_xor nanargmax
        nanargmin nonzero not_equal right_shift searchsorted signbit""",
    "they speak of types and shapes": """
        __array_namespace_info__ broadcast_shapes can_cast isdtype ndim result_type shape size""",
    "they take no operand, or only its shape": """
        arange empty empty_like eye fft.fftfreq fft.rfftfreq from_dlpack identity ones ones_like tri zeros""",
    "it moves in steps": "nextafter",
}
# Functions that are in entries of float64 only, by the reason; another test sees that they refuse complex numbers.
REAL = {
    "complex numbers have no order": """
        amax amin clip cummax cummin fmax fmin histogram_bin_edges interp maximum min minimum nanmax nanmin ptp
        unwrap""",
    "they step from integer to integer, or from sign to sign": """
        ceil copysign divmod floor floor_divide heaviside mod remainder trunc""",
    "NumPy's are of real numbers, too": """
        arctan2 atan2 cbrt fabs hypot logaddexp logaddexp2 top_k""",
    "the transforms of real numbers": "fft.ihfft fft.rfft fft.rfft2 fft.rfftn",
    "special functions are of real numbers, save expit and logsumexp": """
        special.beta special.betainc special.betaln special.digamma special.entr special.erf special.erfc special.erfcx
        special.erfinv special.gamma special.gammainc special.gammaincc special.gammaln special.i0 special.i0e
        special.i1 special.i1e special.log_ndtr special.logit special.multigammaln special.ndtr special.ndtri
        special.polygamma special.xlog1py special.xlogy special.zeta""",
}


def public() -> set[str]:
    homes = {"": mnp, "linalg.": mnp.linalg, "fft.": mnp.fft, "special.": mnp.special}
    return {f"{at}{n}" for at, home in homes.items() for n in home.__all__ if inspect.isfunction(getattr(home, n))}


def named(dtype: str) -> set[str]:
    """The functions that entries are of: `linalg.pinv-high` is of linalg.pinv, `diagonal1` of diagonal."""
    words = {e.name.removeprefix("names.").partition("-")[0] for e in ENTRIES if e.dtype == dtype}
    return words | {word.rstrip("0123456789") for word in words}


def test_every_function_is_in_the_matrix_or_has_a_reason() -> None:
    without = " ".join(WITHOUT_DERIVATIVE.values()).split()
    real = " ".join(REAL.values()).split()
    assert sorted(public() - named("float64")) == sorted(without)
    assert sorted(public() & named("float64") - named("complex128")) == sorted(real)
