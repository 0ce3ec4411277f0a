"""Why a gradient check fails: the likely cause, found by experiment.

Floor 7. In the order in which causes explain one another away: f gives other values for the same arguments; it jumps
or ends there; the numbers are too coarse; the rule of one op is wrong (every op
f applies is checked on its own, at the very operands it had).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minigrad.errors import CheckFailedError, MinigradError, NotDifferentiableError
from minigrad.interpreters.forward import jvp
from minigrad.op import Array, Op, ndarray
from minigrad.source import Line
from minigrad.testing import laws
from minigrad.testing.comparing import direction_like, flat, inner, lifted, precision, some
from minigrad.testing.derivative_laws import forward_exists, forward_is_difference, reverse_is_adjoint, second_order
from minigrad.testing.finite_differences import ROUNDING, SAFETY, Function, one_sided
from minigrad.testing.problem import Applied, Problem, applied_inside
from minigrad.types import is_differentiable, real_of

# Two steps for the one-sided slopes: between them those at a jump grow 64 times over. And one far below those of the
# differences, where rounding of 1 weighs 2e-6: it sees what those stepped over.
NEAR, NEARER, TINY = 2.0**-12, 2.0**-18, 2.0**-30
LAWS = {"forward": forward_is_difference, "adjoint": reverse_is_adjoint, "second": second_order}
OF_WHAT = " (as abs, max, sort, rounding and comparisons make it)"


@dataclass(frozen=True)
class Cause:
    text: str
    lines: tuple[tuple[str, Line], ...] = ()


# ── the same arguments, other values ─────────────────────────────────────────────────────────────
def require_determinism(p: Problem) -> None:
    """f twice at the same arguments, and once more after a visit elsewhere, must give the same bits."""
    f, xs = p.everything, p.xs
    generators = np.random.get_state(), random.getstate()
    first = f(xs)
    again = _first_difference(first, f(xs))
    if again is not None:
        np.random.set_state(generators[0])
        random.setstate(generators[1])
        drawn = _first_difference(first, f(xs)) is None
        why = (
            "non-determinism: it draws from the global random generator; pass the numbers, or a seed, in"
            if drawn
            else "non-determinism or hidden state: it changes something outside itself, or reads a clock"
        )
        raise CheckFailedError(f"check_grads: two evaluations at the same arguments differ: {again}", hint=_likely(why))
    f([(x + 0.01).astype(x.dtype) for x in xs])
    back = _first_difference(first, f(xs))
    if back is not None:
        raise CheckFailedError(
            f"check_grads: after an evaluation elsewhere, f gives other values at the same arguments: {back}",
            hint=_likely("hidden state: it remembers earlier arguments; keep state in arguments and results"),
        )


def _likely(text: str) -> str:
    return f"likely cause: {text}"


def _first_difference(a: Sequence[ndarray], b: Sequence[ndarray]) -> str | None:
    if [x.shape for x in a] != [x.shape for x in b]:
        return f"results of shapes {[x.shape for x in a]}, then {[x.shape for x in b]}"
    for k, (x, y) in enumerate(zip(a, b)):
        same = (x == y) | ((x != x) & (y != y))
        if not np.all(same):
            at = tuple(int(i) for i in np.argwhere(~np.asarray(same))[0])
            return f"output leaf {k} at index {at} is {x[at]}, then {y[at]}"
    return None


# ── the cause of a wrong number ──────────────────────────────────────────────────────────────────
def likely_cause(
    p: Problem, dots: list[ndarray], bars: list[ndarray], got: complex, expected: complex, rng: np.random.Generator
) -> Cause:
    """What explains that ⟨bars, derivative of p along dots⟩ is wrong."""
    found = _kink(p.numbers, p.xs, dots, bars, float(np.real(got)), float(np.real(expected)))
    if found is not None:
        return found
    applied = p.applied()
    if not np.isfinite(got):
        return _first_not_finite(applied, rng)
    found = _wrong_among(applied, rng)
    if found is not None:
        return found
    shaken = _rounding(p, dots, bars)
    if shaken > 0.05 * abs(got - expected):
        return Cause(
            f"rounding: changing the arguments in their last digits moves the derivative by {shaken:.1g}; "
            "the function cancels there, so rearrange it (expm1, log1p, logsumexp, a series near 0)"
        )
    if p.widens and any(real_of(y.dtype) == np.float32 for y in p.numbers(p.xs)):
        return Cause("float32 is too coarse: f computes in float32 even for float64 arguments; let it keep their dtype")
    return Cause(p.otherwise)


def _kink(
    numbers: Function, xs: list[ndarray], dots: list[ndarray], bars: list[ndarray], got: float, expected: float
) -> Cause | None:
    """The edge of a domain, one-sided slopes that grow as the step shrinks, or what only tiny steps see.

    (Mere kinks `check` has looked for.)
    """

    def slopes(h: float) -> tuple[float, float]:
        sides = one_sided(numbers, xs, dots, h)
        with np.errstate(all="ignore"):
            total = [sum(float(np.sum(np.real(b * s)[b != 0])) for b, s in zip(bars, side)) for side in sides]
        return total[0], total[1]

    (left, right), (nearer_left, nearer_right), tiny = slopes(NEAR), slopes(NEARER), slopes(TINY)
    if not np.isfinite([nearer_left, nearer_right]).all():
        side = "below" if not np.isfinite(nearer_left) else "above"
        return Cause(f"not differentiable: just {side} this point the function has no finite value")
    here = numbers(xs)
    size = sum(float(np.sum(np.abs(b * y))) for b, y in zip(bars, here)) + 1.0
    noise = SAFETY * ROUNDING * precision([*xs, *here]) * size
    steep, steeper = abs(left) + abs(right), abs(nearer_left) + abs(nearer_right)
    if steeper > 16 * steep + noise / NEARER:
        return Cause(f"not differentiable here: it jumps{OF_WHAT}; move the argument away from it")
    if abs(sum(tiny) / 2 - got) < noise / TINY < abs(got - expected) / 2:
        return Cause(
            f"a kink{OF_WHAT} or another feature closer than the steps of the differences: tiny ones agree with the "
            "derivative; move the argument away from it, or pass eps"
        )
    if tiny == (0, 0) and noise / TINY < abs(expected - got):
        return Cause(
            "f does not change over steps of 1e-9: it computes in float32 inside, or rounds (round, floor, integers)"
        )
    return None


def _rounding(p: Problem, dots: list[ndarray], bars: list[ndarray]) -> float:
    """How far ⟨bars, derivative along dots⟩ wanders when the arguments move in their last digits (2^-34 of them)."""
    found = []
    for k in range(-3, 4):
        moved = [(x * (1 + k * max(2.0**-34, float(np.finfo(x.dtype).eps)))).astype(x.dtype) for x in p.xs]
        found.append(inner(list(zip(p.at(moved).pull(bars), dots)))[0])
    places = np.arange(-3, 4)
    wander = found - np.polyval(np.polyfit(places, found, 1), places)  # a smooth derivative moves along a line
    return float(np.ptp(wander))


def _wrong_among(applied: list[Applied], rng: np.random.Generator) -> Cause | None:
    """The first op whose own derivative, at the operands it had, breaks a law."""
    for names in (("forward", "adjoint"), ("second",)):
        seen = set()
        for op, operands, line, moving in applied:
            key = (op, tuple((x.shape, x.dtype, x.tobytes()) for x in operands), tuple(moving))
            if key in seen or not any(m and is_differentiable(x.dtype) for m, x in zip(moving, operands)):
                continue
            seen.add(key)
            wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in operands]
            wide = wide if laws.takes(op, wide) else operands
            wrong = _broken_law(op, wide, moving, names, rng)
            if wrong is not None:
                # a wrong op inside a compiled or checkpointed function explains that function's derivative
                return _wrong_among(applied_inside(op, operands, moving), rng) or Cause(
                    wrong, ((f"{op.label} applied at", line),)
                )
    return None


def _broken_law(
    op: Op, operands: list[ndarray], moving: Sequence[bool], names: Sequence[str], rng: np.random.Generator
) -> str | None:
    """What a derivative by the operands that move breaks. By the constants there may be none: x**2 at a negative x."""
    for name in names:
        try:
            LAWS[name](op, lambda _: operands, rng, moving)
        except CheckFailedError as error:
            if "do not settle" not in error.what:
                which = "second derivative" if name == "second" else "derivative rule"
                return f"the {which} of {op.label}: {error.what}"
        except NotDifferentiableError:
            continue
        except MinigradError as error:
            return f"the rule of {op.label} fails: {error.what}"
    return None


def _first_not_finite(applied: list[Applied], rng: np.random.Generator) -> Cause:
    for op, operands, line, moving in applied:
        if op.no_gradient is not None or not any(m and is_differentiable(x.dtype) for m, x in zip(moving, operands)):
            continue
        dots = lifted(some(direction_like(operands, rng), moving))
        if not forward_exists(op, operands, rng):
            continue
        _, y_dots = jvp(flat(op), [Array(x) for x in operands], dots)
        if any(d is not None and not np.all(np.isfinite(d.concrete("check_grads"))) for d in y_dots):
            return Cause(
                f"not differentiable: the derivative of {op.label} is not finite at an operand it had; keep the "
                "operand away from there with where() before the op, not after it",
                ((f"{op.label} applied at", line),),
            )
    return Cause("an infinity met a zero, or two infinities each other, on the way back")
