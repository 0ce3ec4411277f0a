"""Why a gradient check fails: the likely cause, found by experiment.

Floor 7. In the order in which causes explain one another away: f gives other values for the same arguments; the
slopes from the left and from the right differ; the numbers are too coarse; the rule of one op is wrong (every op
f applies is checked on its own, at the very operands it had).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.errors import CheckFailedError, MinigradError, NotDifferentiableError
from minigrad.graph import run, subgraphs
from minigrad.interpreters.forward import jvp
from minigrad.op import Array, Interpreter, Op, Operand, interpreter, ndarray, using
from minigrad.source import Line, user_line
from minigrad.testing import laws
from minigrad.testing.comparing import direction_like, flat, inner, lifted, types
from minigrad.testing.derivative_laws import forward_exists
from minigrad.testing.finite_differences import ROUNDING, Function, one_sided
from minigrad.types import is_differentiable, real_of

# Two steps for the one-sided slopes: between them a smooth function closes the gap 64 times over, a kink does not.
NEAR, NEARER = 2.0**-12, 2.0**-18
OF_WHAT = " (as abs, max, sort, rounding and comparisons make it)"


@dataclass(frozen=True)
class Cause:
    text: str
    lines: tuple[tuple[str, Line], ...] = ()


# ── the same arguments, other values ─────────────────────────────────────────────────────────────
def require_determinism(f: Function, xs: list[ndarray], names: Sequence[str]) -> None:
    """f twice at the same arguments, and once more after a visit elsewhere, must give the same bits."""
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
    f: Callable[..., list[Any]],
    numbers: Function,
    xs: list[ndarray],
    dots: list[ndarray],
    bars: list[ndarray],
    got: complex,
    expected: complex,
    rng: np.random.Generator,
) -> Cause:
    """What explains that ⟨bars, derivative of f along dots⟩ is wrong at xs."""
    kink = _kink(numbers, xs, dots, bars)
    if kink is not None:
        return kink
    if not np.isfinite(got):
        return _first_not_finite(f, xs, rng)
    found = wrong_rule(f, xs, rng)
    if found is not None:
        return found
    shaken = _rounding(f, xs, dots, bars)
    if shaken > 0.05 * abs(got - expected):
        return Cause(
            f"rounding: changing the arguments in their last digits moves the derivative by {shaken:.1g}; "
            "the function cancels there, so rearrange it (expm1, log1p, logsumexp, a series near 0)"
        )
    narrow = [y for y in numbers(xs) if real_of(y.dtype) == np.float32]
    if narrow:
        return Cause("float32 is too coarse: f computes in float32 even for float64 arguments; let it keep their dtype")
    return Cause(
        "every op's own rule is right, so f hides part of its dependence from them: it computes with NumPy or float() "
        "on the way, stops a gradient, or has features smaller than the steps (pass eps)"
    )


def _kink(numbers: Function, xs: list[ndarray], dots: list[ndarray], bars: list[ndarray]) -> Cause | None:
    """One-sided slopes that stay apart as the step shrinks."""

    def slopes(h: float) -> tuple[float, float]:
        sides = one_sided(numbers, xs, dots, h)
        with np.errstate(all="ignore"):
            total = [sum(float(np.sum(np.real(b * s)[b != 0])) for b, s in zip(bars, side)) for side in sides]
        return total[0], total[1]

    (left, right), (nearer_left, nearer_right) = slopes(NEAR), slopes(NEARER)
    if not np.isfinite([nearer_left, nearer_right]).all():
        side = "below" if not np.isfinite(nearer_left) else "above"
        return Cause(f"not differentiable: just {side} this point the function has no finite value")
    gap, nearer = abs(right - left), abs(nearer_right - nearer_left)
    size = sum(float(np.sum(np.abs(b * y))) for b, y in zip(bars, numbers(xs)))
    noise = ROUNDING * max(float(np.finfo(real_of(y.dtype)).eps) for y in numbers(xs)) * (size + 1.0) / NEARER
    steep, steeper = abs(left) + abs(right), abs(nearer_left) + abs(nearer_right)
    if steeper > 16 * steep + 10 * noise:
        return Cause(f"not differentiable here: it jumps{OF_WHAT}; move the argument away from it")
    if nearer > max(gap / 2, 10 * noise, 1e-3 * steeper):
        return Cause(
            f"not differentiable here: the slope is {nearer_left:.6g} from one side and {nearer_right:.6g} from "
            f"the other{OF_WHAT}; move the argument away from it"
        )
    return None


def _rounding(f: Callable[..., list[Any]], xs: list[ndarray], dots: list[ndarray], bars: list[ndarray]) -> float:
    """How far ⟨bars, derivative along dots⟩ wanders when the arguments move in their last digits (2^-34 of them)."""
    found = []
    for k in range(-3, 4):
        moved = [(x * (1 + k * max(2.0**-34, float(np.finfo(x.dtype).eps)))).astype(x.dtype) for x in xs]
        try:
            y_dots = jvp(f, [Array(x) for x in moved], [Array(d.astype(x.dtype)) for d, x in zip(dots, xs)])[1]
        except NotDifferentiableError:  # in forward mode; then this experiment cannot be made
            return 0.0
        found.append(inner(list(zip(bars, y_dots)))[0])
    return max(found) - min(found)


class Watch(Interpreter):
    """Applies ops as the interpreter below does, and keeps what was applied to what, and on which line."""

    def __init__(self, below: Interpreter) -> None:
        self.below = below
        self.applied: list[tuple[Op, list[Any], Line]] = []

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        values = list(op.coerce(xs))
        self.applied.append((op, values, user_line()))
        return self.below.apply(op, values)


def watched(f: Callable[..., list[Any]], xs: Sequence[ndarray]) -> list[tuple[Op, list[ndarray], Line]]:
    """Every op f applies at xs, in order, with its operands."""
    watch = Watch(interpreter.get())
    with using(watch):
        f(*[Array(x) for x in xs])
    return [
        (op, [v.array for v in vs], line) for op, vs, line in watch.applied if all(isinstance(v, Array) for v in vs)
    ]


def wrong_rule(f: Callable[..., list[Any]], xs: list[ndarray], rng: np.random.Generator) -> Cause | None:
    """The first op f applies whose own derivative, at the operands it had, breaks a law."""
    return _wrong_among(watched(f, xs), rng)


def _wrong_among(applied: list[tuple[Op, list[ndarray], Line]], rng: np.random.Generator) -> Cause | None:
    for names in (("forward", "adjoint"), ("second",)):
        seen = set()
        for op, operands, line in applied:
            key = (op, tuple((x.shape, x.dtype, x.tobytes()) for x in operands))
            if key in seen or not any(is_differentiable(x.dtype) for x in operands):
                continue
            seen.add(key)
            wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in operands]
            wide = wide if laws.takes(op, wide) else operands
            wrong = _broken_law(op, wide, names, rng)
            if wrong is not None:
                # a wrong op inside a compiled or checkpointed function explains that function's derivative
                return _wrong_among(_inside(op, operands), rng) or Cause(wrong, ((f"{op.label} applied at", line),))
    return None


def _broken_law(op: Op, operands: list[ndarray], names: Sequence[str], rng: np.random.Generator) -> str | None:
    for name in names:
        try:
            laws.LAWS[name](op, lambda _: operands, rng)
        except CheckFailedError as error:
            if "do not settle" not in error.what:
                which = "second derivative" if name == "second" else "derivative rule"
                return f"the {which} of {op.label}: {error.what}"
        except NotDifferentiableError:
            continue
        except MinigradError as error:
            return f"the rule of {op.label} fails: {error.what}"
    return None


def _inside(op: Op, operands: list[ndarray]) -> list[tuple[Op, list[ndarray], Line]]:
    """What an op that simply applies the one graph it holds applies, with the lines that made the graph."""
    graphs = list(subgraphs(op))
    if len(graphs) != 1 or graphs[0].in_types != tuple(types(operands)):
        return []
    applied = watched(lambda *zs: run(graphs[0], zs), operands)
    lines = [n.line for n in graphs[0].nodes]
    return [(op, xs, line) for (op, xs, _), line in zip(applied, lines)] if len(lines) == len(applied) else applied


def _first_not_finite(f: Callable[..., list[Any]], xs: list[ndarray], rng: np.random.Generator) -> Cause:
    for op, operands, line in watched(f, xs):
        if op.no_gradient is not None or not any(is_differentiable(x.dtype) for x in operands):
            continue
        dots = lifted(direction_like(operands, rng))
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
