"""The laws of derivatives: forward is the difference, reverse the adjoint of forward, to second order; kinks; refusals.

Floor 7. An op that refuses some of its operands is held to the laws by the others.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import NotDifferentiableError
from minigrad.interpreters.forward import jvp
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array, Op, ndarray
from minigrad.ops.kinds import zeros
from minigrad.ops.rows import Row, mul_no_nan
from minigrad.ops.table import KINKS
from minigrad.testing.comparing import (
    ULPS,
    Flat,
    Operands,
    Rng,
    broken,
    carries,
    direction_like,
    flat,
    gives_floats,
    inner,
    lifted,
    numbers,
    precision,
    require_near,
    some,
    types,
    values,
)
from minigrad.testing.finite_differences import SAFETY, directional
from minigrad.testing.rounding import moved_by_rounding


def differentiable(op: Op) -> bool:
    return op.no_gradient is None


def active(op: Op, xs: Sequence[ndarray], moving: Sequence[bool] | None = None) -> list[bool]:
    """The operands the op can be differentiated by: floats, minus those for which its rule refuses.

    `moving` (all unless given) are those that are asked about; the others are held fixed.
    """

    def welcomes(i: int) -> bool:
        def part(x: Any) -> list[Any]:
            return flat(op)(*[x if k == i else Array(other) for k, other in enumerate(xs)])

        try:
            ys, pull = vjp(part, values([xs[i]]))
            pull([Array(np.ones(y.shape, y.dtype)) if carries(y) else None for y in ys])
        except NotDifferentiableError:
            return False
        return True

    return [carries(x) and (moving is None or moving[i]) and welcomes(i) for i, x in enumerate(xs)]


def forward_exists(op: Op, xs: Sequence[ndarray], rng: Rng) -> bool:
    """Some ops have a rule for reverse mode only, and say so when asked."""
    try:
        jvp(flat(op), values(xs), lifted(some(direction_like(xs, rng), active(op, xs))))
    except NotDifferentiableError:
        return False
    return True


def subsets(chosen: Sequence[bool]) -> list[list[bool]]:
    """All chosen operands at once, then each alone: which ones a rule is asked about."""
    alone = [[i == k for i in range(len(chosen))] for k, c in enumerate(chosen) if c]
    return [list(chosen), *(alone if sum(chosen) > 1 else [])] if any(chosen) else []


def forward_is_difference(op: Op, operands: Operands, rng: Rng, moving: Sequence[bool] | None = None) -> None:
    """Forward mode is the difference quotient's limit, for all operands at once and for each alone."""
    xs = operands(rng)
    if differentiable(op) and forward_exists(op, xs, rng):
        require_forward(op, xs, flat(op), active(op, xs, moving), "forward", rng)


def require_forward(op: Op, xs: Sequence[ndarray], f: Flat, by: Sequence[bool], what: str, rng: Rng) -> None:
    for chosen in subsets(by):
        dots = some(direction_like(xs, rng), chosen)
        ys, y_dots = jvp(f, values(xs), lifted(dots))
        y_dots = [d for y, d in zip(ys, y_dots) if carries(y)]
        require_near(op, xs, what, directional(numbers(f), xs, dots), y_dots)


def reverse_is_adjoint(op: Op, operands: Operands, rng: Rng, moving: Sequence[bool] | None = None) -> None:
    """⟨ȳ, Jẋ⟩ = ⟨Jᵀȳ, ẋ⟩; J by forward mode, or by differences where there is no rule for it."""
    xs = operands(rng)
    if differentiable(op):
        by = active(op, xs, moving)
        if moving is None and any(map(carries, xs)) and gives_floats(op, xs) and not any(by):
            raise broken(op, xs, "differentiable in no operand, but it gives no reason (no_gradient)")
        require_adjoint(op, xs, flat(op), by, "adjoint", rng, forward_exists(op, xs, rng))


def require_adjoint(
    op: Op, xs: Sequence[ndarray], f: Flat, by: Sequence[bool], what: str, rng: Rng, forward: bool = True
) -> None:
    for chosen in subsets(by):
        held = values(xs)
        positions = [i for i, c in enumerate(chosen) if c]

        def part(*zs: Any, held: list[Any] = held, positions: list[int] = positions) -> list[Any]:
            full = list(held)
            for i, z in zip(positions, zs):
                full[i] = z
            return f(*full)

        zs = [xs[i] for i in positions]
        dots = direction_like(zs, rng)
        ys, pull = vjp(part, values(zs))
        bars = direction_like(ys, rng)
        x_bars = pull(lifted(bars))
        for z, z_bar in zip(zs, x_bars):
            if z_bar is not None and (z_bar.shape, z_bar.dtype) != (z.shape, z.dtype):
                raise broken(op, xs, f"{what}: the cotangent of {types([z])[0]} is {z_bar.type}")
        if forward:
            y_dots, slack = jvp(part, values(zs), lifted(dots))[1], 0.0
        else:
            estimates = iter(directional(numbers(part), zs, dots))
            found = [next(estimates) if carries(y) else None for y in ys]
            y_dots = [None if e is None else e.value for e in found]
            slack = SAFETY * sum(float(np.sum(e.error * np.abs(b))) for e, b in zip(found, bars) if e is not None)
        left, left_size = inner(list(zip(bars, y_dots)))
        right, right_size = inner(list(zip(x_bars, dots)))
        allowed = slack + ULPS * precision([*zs, *ys]) * (left_size + right_size)
        if not abs(left - right) <= allowed:
            allowed += SAFETY * sum(moved_by_rounding(functools.partial(pairings, part, dots, bars, forward), [zs]))
        if not abs(left - right) <= allowed:
            raise broken(op, xs, f"{what}: ⟨ȳ, Jẋ⟩ = {left} but ⟨Jᵀȳ, ẋ⟩ = {right} (allowed {allowed:.1g})")


def pairings(f: Flat, dots: Sequence[Any], bars: Sequence[Any], forward: bool, *zs: Any) -> list[Array]:
    """⟨Jᵀȳ, ẋ⟩, and if there is a forward mode ⟨ȳ, Jẋ⟩."""
    found = [inner(list(zip(vjp(f, zs)[1](lifted(bars)), dots)))]
    if forward:
        found.append(inner(list(zip(bars, jvp(f, zs, lifted(dots))[1]))))
    return [Array(np.asarray(total)) for total, _ in found]


def pullback_of(
    op: Op, xs: Sequence[ndarray], rng: Rng, moving: Sequence[bool] | None = None
) -> tuple[Flat, list[ndarray], list[bool]]:
    """((xs, ȳ) ↦ x̄ as a function, its operands, by which to differentiate it): what second derivatives are of."""
    n, by = len(xs), active(op, xs, moving)
    ys = flat(op)(*values(xs))
    bars = [b for b in direction_like(ys, rng) if b is not None]

    def pull(*both: Any) -> list[Any]:
        def part(*moving: Any) -> list[Any]:
            given = iter(moving)
            return flat(op)(*[next(given) if a else x for a, x in zip(by, both)])

        given = iter(both[n:])
        moving = [x for a, x in zip(by, both) if a]
        ys, back = vjp(part, moving)
        x_bars = back([next(given) if carries(y) else None for y in ys])
        return [zeros(x.type) if b is None else b for x, b in zip(moving, x_bars)]

    return pull, [*xs, *bars], [*by, *[True] * len(bars)]


def second_order(op: Op, operands: Operands, rng: Rng, moving: Sequence[bool] | None = None) -> None:
    """Forward over reverse is the difference of the reverse; reverse over reverse its adjoint; forward twice too."""
    xs = operands(rng)
    if not differentiable(op) or not gives_floats(op, xs):
        return
    pull, both, by = pullback_of(op, xs, rng, moving)
    if forward_exists(op, xs, rng):
        require_forward(op, both, pull, by, "forward over reverse", rng)
        require_adjoint(op, both, pull, by, "reverse over reverse", rng)
        dots = lifted(some(direction_like(xs, rng), by))

        def push(*zs: Any) -> list[Any]:
            ys, y_dots = jvp(flat(op), zs, dots)
            return [zeros(y.type) if d is None else d for y, d in zip(ys, y_dots) if carries(y)]

        require_forward(op, xs, push, by[: len(xs)], "forward over forward", rng)
    else:
        require_adjoint(op, both, pull, by, "reverse over reverse", rng, forward=False)


def kinks(op: Op, operands: Operands, rng: Rng) -> None:
    """At every kink the table names, both modes give the partials it states; a zero (co)tangent gives zero."""
    for kink in KINKS:
        if kink.op != op.label or not isinstance(op, Row):
            continue
        xs = [np.asarray(at, np.float64) for at in kink.at]
        for i, partial in enumerate(kink.partials):
            for given, expected in ((1.0, partial), (0.0, 0.0)):
                if given == 0.0 and np.isnan(partial):
                    continue
                dots = [Array(np.asarray(given)) if k == i else None for k in range(len(xs))]
                (y_dot,) = jvp(flat(op), values(xs), dots)[1]
                x_bar = vjp(flat(op), values(xs))[1]([Array(np.asarray(given))])[i]
                for name, got in (("forward", y_dot), ("reverse", x_bar)):
                    number = 0.0 if got is None else float(got.concrete("law"))
                    if not (number == expected or (np.isnan(number) and np.isnan(expected))):
                        what = f"{name}: at {kink.at} partial {i} times {given} is {number} instead of {expected}"
                        raise broken(op, xs, what)


# Where partials of elementwise functions like to be infinite, or not numbers.
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 1e4, -1e4)


def zero_annihilates(op: Op, operands: Operands, rng: Rng) -> None:
    """At finite operands a zero (co)tangent of an elementwise op gives zero, whatever the partial: no 0 · inf.

    To second order too: the derivative of a zero cotangent's pull is zero in every direction of the operands.
    """
    if not isinstance(op, Row) or not differentiable(op) or "f" not in op.takes:
        return
    points = np.asarray((*SPECIAL, np.inf) if op is mul_no_nan else SPECIAL)  # which is there for infinite partials
    xs = [x.ravel().copy() for x in np.meshgrid(*[points] * op.operands)]
    y = flat(op)(*values(xs))[0]
    zero, one = Array(np.zeros(y.shape)), Array(np.ones(y.shape))
    alone = [[zero if k == i else None for k in range(op.operands)] for i in range(op.operands)]

    def pull(*zs: Any) -> list[Any]:
        return [zero if b is None else b for b in vjp(flat(op), zs)[1]([zero])]

    found = [("tangent", [jvp(flat(op), values(xs), dots)[1][0] for dots in alone]), ("cotangent", pull(*values(xs)))]
    found += [
        ("cotangent, differentiated,", jvp(pull, values(xs), [None if d is None else one for d in dots])[1])
        for dots in alone
    ]
    for name, results in found:
        for i, got in enumerate(results):
            bad = np.zeros(1, bool) if got is None else got.concrete("law") != 0
            if np.any(bad):
                at = int(np.argmax(bad))
                point = ", ".join(f"{x[at]:g}" for x in xs)
                raise broken(op, xs, f"at ({point}) a zero {name} of operand {i} gives {got.concrete('law')[at]}")


def refusal(op: Op, operands: Operands, rng: Rng) -> None:
    """An op without a derivative refuses with its reason, or lets none through; integers carry none."""
    xs = operands(rng)
    why = op.no_gradient
    if why is None:
        return
    dots = lifted(direction_like(xs, rng))
    if all(d is None for d in dots):
        return

    def forward() -> list[Any]:
        return jvp(flat(op), values(xs), dots)[1]

    def reverse() -> list[Any]:
        ys, pull = vjp(flat(op), values(xs))
        return pull(lifted(direction_like(ys, rng)))

    for name, derive in (("forward", forward), ("reverse", reverse)):
        try:
            found = derive()
        except NotDifferentiableError as error:
            if not why.refuse or why.reason not in str(error):
                raise broken(op, xs, f"{name}: refused with {str(error)!r}, its reason is {why.reason!r}") from None
            continue
        if why.refuse:
            raise broken(op, xs, f"{name}: should refuse ({why.reason})")
        if any(d is not None for d in found):
            raise broken(op, xs, f"{name}: carries a derivative, though {why.reason}")
