"""What laws are made of: an op as a function of values, and comparisons that know what rounding may do.

Floor 7. Tolerances come from rounding and from the differences' own error, never from an array's size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from minigrad.errors import CheckFailedError
from minigrad.graph import subgraphs
from minigrad.op import Array, Op, Value, ndarray
from minigrad.testing.finite_differences import SAFETY, Estimate, directions
from minigrad.types import TensorType, is_differentiable, real_of

Rng: TypeAlias = np.random.Generator
Operands: TypeAlias = "Callable[[Rng], list[ndarray]]"
Law: TypeAlias = "Callable[[Op, Operands, Rng], None]"
Flat: TypeAlias = "Callable[..., list[Any]]"

# A derivative against a difference: what the difference says of its own error, ten times over, and this much of
# the value. Rules of special functions are the least exact: their series stop at about 1e-9.
RELATIVE, ABSOLUTE = 1e-7, 1e-9
# Two ways to the same numbers may round differently: by this many ulps of the largest one, and where that is less than
# what rounding moves in this program (`rounding`), by ten times that.
ULPS = 4096.0


def flat(op: Op) -> Flat:
    """The op as a function from values to a list of values."""
    return lambda *xs: list(op(*xs)) if op.many else [op(*xs)]


def values(xs: Sequence[Any]) -> list[Value]:
    return [Array(x) for x in xs]


def arrays(ys: Sequence[Any]) -> list[ndarray]:
    return [y.concrete("law") for y in ys]


def types(xs: Sequence[ndarray]) -> list[TensorType]:
    return [TensorType(x.shape, x.dtype) for x in xs]


def gives_floats(op: Op, xs: Sequence[ndarray]) -> bool:
    """Has it a result that can have a derivative?"""
    return any(carries(y) for y in flat(op)(*values(xs)))


def carries(x: Any) -> bool:
    """Can this operand or result have a derivative?"""
    return is_differentiable(x.dtype)


def broken(op: Op, xs: Sequence[ndarray], what: str) -> CheckFailedError:
    held = next(subgraphs(op), None)  # what holds graphs is called by the function that it holds
    called = str(op) if held is None else f"{op.label} {held.name}"
    return CheckFailedError(f"{called} on {', '.join(map(str, types(xs)))}: {what}")


def require_equal(
    op: Op,
    xs: Sequence[ndarray],
    what: str,
    expected: Sequence[ndarray],
    found: Sequence[ndarray],
    moved: Callable[[], Sequence[float]] | None = None,
) -> None:
    """The same arrays: types exactly, numbers to rounding, nan with nan.

    `moved` tells how far rounding moves each result; it is asked where they differ by more than most programs do.
    """
    if len(expected) != len(found):
        raise broken(op, xs, f"{what}: {len(found)} results instead of {len(expected)}")
    for k, (a, b) in enumerate(zip(expected, found)):
        if a.shape != b.shape or a.dtype != b.dtype:
            shown = [str(t) for t in types([a, b])]
            raise broken(op, xs, f"{what}: result {k} is {shown[1]} instead of {shown[0]}")
        same = _same(a, b)
        if moved is not None and not np.all(same):
            same = _same(a, b, SAFETY * moved()[k])
        if not np.all(same):
            at = tuple(int(i) for i in np.argwhere(~np.asarray(same))[0])
            raise broken(op, xs, f"{what}: result {k} at {at} is {b[at]} instead of {a[at]}")


def _same(a: ndarray, b: ndarray, slack: float = 0.0) -> ndarray:
    if not carries(a):
        return np.asarray(a == b)
    with np.errstate(all="ignore"):
        finite = np.abs(a)[np.isfinite(a)]
        scale = np.max(finite, initial=0.0)
        near = np.abs(a - b) <= ULPS * np.finfo(real_of(a.dtype)).eps * scale + slack
        return np.asarray(near | (a == b) | (np.isnan(a) & np.isnan(b)))


def require_near(op: Op, xs: Sequence[ndarray], what: str, truth: Sequence[Estimate], found: Sequence[Any]) -> None:
    """A derivative is what the differences say, wherever they settled; and they must settle nearly everywhere."""
    for k, (e, y) in enumerate(zip(truth, found)):
        got = np.zeros(e.value.shape) if y is None else y.concrete("law")
        if got.shape != e.value.shape:
            raise broken(op, xs, f"{what}: result {k} has shape {got.shape} instead of {e.value.shape}")
        settled = e.settled()
        if e.value.size and np.mean(settled) < 0.5:
            raise broken(op, xs, f"{what}: the differences of result {k} do not settle; choose a better domain")
        with np.errstate(all="ignore"):
            off = np.abs(got - e.value)
            relative = RELATIVE + 32 * precision([got, *xs])
            allowed = SAFETY * e.error + relative * (np.abs(got) + np.abs(e.value)) + ABSOLUTE
        wrong = settled & ~(off <= allowed)
        if np.any(wrong):
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            says = f"{got[at]} where differences give {e.value[at]} ± {e.error[at]:.1g}"
            raise broken(op, xs, f"{what}: result {k} at {at} is {says}")


def precision(xs: Sequence[Any]) -> float:
    """The unit of rounding of the coarsest float dtype among these."""
    return max([float(np.finfo(real_of(x.dtype)).eps) for x in xs if carries(x)], default=0.0)


def inner(pairs: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
    """Re Σ a·b (no conjugate: the convention of `interpreters.reverse`), and the magnitude that went into it."""
    total = size = 0.0
    for a, b in pairs:
        if a is not None and b is not None:
            a, b = (v.concrete("law") if isinstance(v, Value) else v for v in (a, b))
            product = np.real(a * b)
            total, size = total + float(np.sum(product)), size + float(np.sum(np.abs(a) * np.abs(b)))
    return total, size


def direction_like(xs: Sequence[Any], rng: Rng) -> list[Any]:
    """A random tangent or cotangent for each, None for those that carry none."""
    return [directions(tuple(x.shape), x.dtype, rng) if carries(x) else None for x in xs]


def lifted(dots: Sequence[Any]) -> list[Any]:
    return [None if d is None else Array(d) for d in dots]


def some(xs: Sequence[Any], chosen: Sequence[bool]) -> list[Any]:
    return [x if c else None for x, c in zip(xs, chosen)]


def numbers(f: Flat) -> Callable[[list[ndarray]], list[ndarray]]:
    """f on ndarrays, its results that carry derivatives only."""
    return lambda xs: [y for y in arrays(f(*values(xs))) if carries(y)]
