"""The check itself: probes in, probes out, two numbers that should agree, and the worst of those that do not.

Floor 7. Every derivative is compared with an extrapolated difference that carries its own error estimate, sharpened
by the complex step where that applies; so a tolerance follows from the numbers and nobody has to tune one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from minigrad.errors import CheckFailedError
from minigrad.op import Array, ndarray
from minigrad.testing import diagnose
from minigrad.testing.complex_step import ComplexStep
from minigrad.testing.finite_differences import SAFETY, Estimate, basis, directional, directions, kinks, widened
from minigrad.testing.problem import Problem
from minigrad.types import FLOAT32, FLOAT64, DType, is_differentiable, real_of

# With at most this many elements every one is tried; above, random directions. No entry of a direction is small, so
# no wrong element hides, save by cancelling another exactly; hence more than one direction.
FULL, FULL_AT_HIGHER_ORDER, PROBES = 64, 12, 3
# Beside ten times the differences' own error: the rounding of a gradient computed by another route.
RTOL = {FLOAT32: 1e-4, FLOAT64: 1e-7}
ATOL = {FLOAT32: 1e-5, FLOAT64: 1e-9}
# Where the complex step gives the truth to the last bits, and the gradient is computed in float64.
EXACT_RTOL, EXACT_ATOL = 1e-10, 1e-12


@dataclass(frozen=True)
class Probe:
    """A direction in which the inputs move (or the outputs are read): a unit one with its place, or a random one."""

    along: list[ndarray]
    place: tuple[int, tuple[int, ...]] | None = None

    def halves(self) -> Iterator[Probe]:
        """The same direction with only the first, or only the second half of its entries; a single one is unit."""
        flat = [(i, at) for i, v in enumerate(self.along) for at in np.ndindex(v.shape) if v[at] != 0]
        if len(flat) == 1:
            return
        for part in (flat[: len(flat) // 2], flat[len(flat) // 2 :]):
            along = [np.zeros_like(v) for v in self.along]
            for i, at in part:
                alone = len(part) == 1 and along[i].dtype.kind != "c"
                along[i][at] = 1.0 if alone else self.along[i][at]
            yield Probe(along, part[0] if len(part) == 1 else None)


@dataclass(frozen=True)
class Failure:
    """Two numbers that should agree; `excess` is how many times they are further apart than allowed."""

    mode: str
    inward: Probe
    outward: Probe
    got: complex
    expected: complex
    error: float
    excess: float


def probes(xs: Sequence[ndarray], order: int, rng: np.random.Generator) -> list[Probe]:
    elements = sum(x.size * (2 if x.dtype.kind == "c" else 1) for x in xs)
    if elements > (FULL if order == 1 else FULL_AT_HIGHER_ORDER):
        return [Probe([directions(x.shape, x.dtype, rng) for x in xs]) for _ in range(PROBES)]
    found = []
    for i, x in enumerate(xs):
        for at, e in basis(x):
            found.append(Probe([e if j == i else np.zeros_like(z) for j, z in enumerate(xs)], (i, at)))
    return found


@dataclass(frozen=True)
class Check:
    """What was asked, and the generator of its random directions."""

    modes: tuple[str, ...]
    atol: float | None
    rtol: float | None
    eps: float
    seed: int
    rng: np.random.Generator

    def to_order(self, p: Problem, order: int) -> None:
        self.first_order(p)
        if order > 1:
            for mode in self.modes_of(p):
                like = p.xs if mode == "forward" else p.numbers(p.xs)
                higher = p.derivative(mode, [directions(v.shape, v.dtype, self.rng) for v in like])
                if higher is not None:
                    self.to_order(higher, order - 1)

    def modes_of(self, p: Problem) -> list[str]:
        return [mode for mode in self.modes if mode in p.modes]

    def first_order(self, p: Problem) -> None:
        inward = probes(p.xs, p.order, self.rng)
        here = p.numbers(p.xs)
        outward = probes(here, p.order, self.rng)
        for probe in inward:
            self.require_smooth(p, probe, here)
        step = ComplexStep(p.numbers, p.xs)
        truths = [step.sharpened(probe.along, self.difference(p, probe)) for probe in inward]
        if "forward" in self.modes_of(p):
            self.conclude(p, [self.forward_failure(p, probe, truth) for probe, truth in zip(inward, truths)])
        if "reverse" in self.modes_of(p):
            failures = []
            for out in outward:
                x_bars = self.cotangents(p, out)
                failures += [self.reverse_failure(p, i, out, x_bars, truth) for i, truth in zip(inward, truths)]
            self.conclude(p, failures)

    def difference(self, p: Problem, probe: Probe) -> list[Estimate]:
        return directional(p.numbers, p.xs, probe.along, self.eps)

    def forward_failure(self, p: Problem, probe: Probe, truth: Sequence[Estimate]) -> Failure | None:
        """The output whose tangent is furthest from the difference, if any is too far."""
        found: list[Failure] = []
        for k, (e, y_dot) in enumerate(zip(truth, p.push(probe.along))):
            got = np.zeros(e.value.shape) if y_dot is None else y_dot
            excess = self.excess(got, e, FLOAT64 if y_dot is None else real(got.dtype))
            if np.any(excess > 1):
                at = tuple(int(i) for i in np.unravel_index(np.argmax(excess), excess.shape))
                along = [np.zeros(o.value.shape, o.value.dtype) for o in truth]
                along[k][at] = 1.0
                numbers = got[at], e.value[at], float(e.error[at]), float(excess[at])
                found.append(Failure("forward", probe, Probe(along, (k, at)), *numbers))
        return max(found, key=_excess, default=None)

    def cotangents(self, p: Problem, out: Probe) -> list[ndarray]:
        found = []
        for x, name, b in zip(p.xs, p.inputs, p.pull(out.along)):
            if b is not None and (b.shape, b.dtype) != (x.shape, x.dtype):
                raise CheckFailedError(f"check_grads: the cotangent of {name} is {Array(b).type}, not {Array(x).type}")
            found.append(np.zeros_like(x) if b is None else b)
        return found

    def reverse_failure(
        self, p: Problem, probe: Probe, out: Probe, x_bars: Sequence[ndarray], truth: Sequence[Estimate]
    ) -> Failure | None:
        """Does ⟨x̄, ẋ⟩ equal ⟨ȳ, difference along ẋ⟩?"""
        got = sum(float(np.sum(np.real(b * d))) for b, d in zip(x_bars, probe.along))
        read = [(v, e, v != 0) for v, e in zip(out.along, truth)]
        expected = sum(float(np.sum(np.real(v * e.value))) for v, e, _ in read)
        error = sum(float(np.sum(np.abs(v[on]) * e.error[on])) for v, e, on in read)
        # terms that cancel in the sum leave their rounding behind
        error += sum(float(np.sum(np.abs(b * d))) for b, d in zip(x_bars, probe.along)) * 1e-14
        exact = all(np.all(np.broadcast_to(e.exact, v.shape)[on]) for v, e, on in read)
        estimate = Estimate(np.asarray(expected), np.asarray(error), exact)
        excess = float(self.excess(np.asarray(got), estimate, _coarsest([*x_bars, *out.along])))
        return Failure("reverse", probe, out, got, expected, error, excess) if excess > 1 else None

    def excess(self, got: ndarray, e: Estimate, precision: DType) -> ndarray:
        """How far apart the two are, as a multiple of what is allowed; inf where the difference is too vague."""
        exact = np.asarray(e.exact) & (precision == FLOAT64)
        rtol = np.where(exact, EXACT_RTOL, RTOL[precision]) if self.rtol is None else self.rtol
        atol = np.where(exact, EXACT_ATOL, ATOL[precision]) if self.atol is None else self.atol
        with np.errstate(all="ignore"):
            allowed = SAFETY * e.error + rtol * np.maximum(np.abs(got), np.abs(e.value)) + atol
            off = np.abs(widened(got) - e.value)
            apart = np.where(off == 0, 0.0, off / allowed)
            settled = e.settled(1e-3 if precision == FLOAT64 else 3e-2)
            return np.asarray(np.where(settled & ~np.isnan(apart), apart, np.inf))

    # ── telling the user ─────────────────────────────────────────────────────────────────────────
    def require_smooth(self, p: Problem, probe: Probe, here: Sequence[ndarray]) -> None:
        """A central difference may well be what the rule says at a kink; yet there is no derivative to compare."""
        while True:
            found = kinks(p.numbers, p.xs, probe.along, self.eps, here)
            k = next((k for k, kink in enumerate(found) if np.any(kink.there)), None)
            if k is None:
                return
            half = next((h for h in probe.halves() if self._any_kink(p, h)), None)
            if probe.place is not None or half is None:
                break
            probe = half
        kink, at = found[k], tuple(int(i) for i in np.argwhere(found[k].there)[0])
        where = _place(p.inputs, probe.place) or "the arguments along a random direction"
        raise CheckFailedError(
            f"check_grads: order {p.order}: {_place(p.outputs, (k, at))} is not differentiable by {where}: "
            f"the slope is {_number(kink.below[at])} from below and {_number(kink.above[at])} from above",
            hint=f"likely cause: a kink{diagnose.OF_WHAT}; move the argument away from it\n"
            f"  repeat with seed={self.seed}",
        )

    def _any_kink(self, p: Problem, probe: Probe) -> bool:
        return any(np.any(kink.there) for kink in kinks(p.numbers, p.xs, probe.along, self.eps))

    def conclude(self, p: Problem, found: Sequence[Failure | None]) -> None:
        failures = [f for f in found if f is not None]
        if failures:
            count = f"; {len(failures)} of {len(found)} probes fail, this is the worst" if len(found) > 1 else ""
            raise self.explained(p, self.narrowed(p, max(failures, key=_excess)), count)

    def narrowed(self, p: Problem, failure: Failure) -> Failure:
        """The same failure along a single element, found by halving; as far as halves still fail."""
        while failure.inward.place is None:
            smaller = [self.retried(p, failure, half) for half in failure.inward.halves()]
            worst = max((f for f in smaller if f is not None), key=_excess, default=None)
            if worst is None:
                return failure
            failure = worst
        return failure

    def retried(self, p: Problem, failure: Failure, inward: Probe) -> Failure | None:
        truth = self.difference(p, inward)
        if failure.mode == "forward":
            return self.forward_failure(p, inward, truth)
        return self.reverse_failure(p, inward, failure.outward, self.cotangents(p, failure.outward), truth)

    def explained(self, p: Problem, f: Failure, count: str) -> CheckFailedError:
        x = _place(p.inputs, f.inward.place) or "the arguments along a random direction"
        y = _place(p.outputs, f.outward.place) or "a random combination of the outputs"
        cause = diagnose.likely_cause(p, f.inward.along, f.outward.along, f.got, f.expected, self.rng)
        what = (
            f"check_grads: {f.mode} mode, order {p.order}: the derivative of {y} by {x} "
            f"is {_number(f.got)}, differences give {_number(f.expected)} ± {f.error:.1g}{count}"
        )
        hint = f"likely cause: {cause.text}\n  repeat with seed={self.seed}"
        return CheckFailedError(what, hint=hint, lines=cause.lines)

    # ── float32 ──────────────────────────────────────────────────────────────────────────────────
    def narrow_against_wide(self, p: Problem, wide: Problem) -> None:
        """The float32 gradient is the float64 gradient of the same program, as far as float32 inputs can tell."""
        eps = float(np.finfo(np.float32).eps)
        nudged = wide.at([(x * (1 + eps * self.rng.choice((-1.0, 1.0), x.shape))).astype(x.dtype) for x in wide.xs])
        for mode in self.modes_of(p):
            at_fine, at_coarse = wide.numbers(wide.xs), p.xs
            along = [directions(v.shape, v.dtype, self.rng) for v in (at_coarse if mode == "forward" else at_fine)]
            fine, coarse, moved = (self.derived(q, mode, along) for q in (wide, p, nudged))
            for name, a, b, c in zip(p.outputs if mode == "forward" else p.inputs, fine, coarse, moved):
                with np.errstate(all="ignore"):
                    scale = np.abs(a) + np.max(np.abs(a), initial=0.0)
                    rtol = 512 * eps if self.rtol is None else self.rtol
                    bad = ~(np.abs(widened(b) - a) <= 32 * np.abs(c - a) + rtol * scale + (self.atol or 0.0))
                if np.any(bad):
                    raise self.too_coarse(mode, name, tuple(int(i) for i in np.argwhere(bad)[0]), a, b)

    def derived(self, p: Problem, mode: str, along: Sequence[ndarray]) -> list[ndarray]:
        """The tangents of the outputs, or the cotangents of the inputs, in the dtype of the program."""
        if mode == "reverse":
            bars = [v.astype(y.dtype) for v, y in zip(along, p.numbers(p.xs))]
            return self.cotangents(p, Probe(bars))
        y_dots = p.push([v.astype(x.dtype) for v, x in zip(along, p.xs)])
        return [np.zeros(y.shape) if d is None else d for y, d in zip(p.numbers(p.xs), y_dots)]

    def too_coarse(self, mode: str, name: str, at: tuple[int, ...], fine: ndarray, coarse: ndarray) -> CheckFailedError:
        whose = "of" if mode == "forward" else "by"
        return CheckFailedError(
            f"check_grads: {mode} mode, order 1: the float32 derivative {whose} {_place([name], (0, at))} is "
            f"{_number(coarse[at])}, in float64 the same program gives {_number(fine[at])}",
            hint="likely cause: float32 is too coarse for this program (cancellation, overflow or underflow); "
            f"compute that part in float64 or rearrange it\n  repeat with seed={self.seed}",
        )


def real(dtype: DType) -> DType:
    """The precision of a dtype."""
    return real_of(dtype) if is_differentiable(dtype) else FLOAT64


def _excess(failure: Failure) -> float:
    return failure.excess


def _coarsest(xs: Sequence[ndarray]) -> DType:
    return FLOAT32 if any(real(x.dtype) == FLOAT32 for x in xs) else FLOAT64


def _place(names: Sequence[str], place: tuple[int, tuple[int, ...]] | None) -> str:
    """`params['w'] at index (1, 2)`; a scalar has no index."""
    if place is None:
        return ""
    name, at = names[place[0]], place[1]
    return f"{name} at index {at}" if at else name


def _number(x: complex) -> str:
    return f"{x:.9g}"
