"""`check_grads`: is the gradient of this function right? Both modes, any order, against differences of its values.

Floor 7. Every derivative is compared with an extrapolated difference that carries its own error estimate, so a
tolerance follows from the numbers and nobody has to tune one. When something is wrong, `diagnose` says what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, CheckFailedError
from minigrad.interpreters.forward import jvp
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array, ndarray
from minigrad.testing import diagnose
from minigrad.testing.finite_differences import SAFETY, Estimate, basis, directional, directions, widened
from minigrad.testing.problem import Problem, problem_of
from minigrad.types import COMPLEX64, COMPLEX128, FLOAT32, FLOAT64, DType, is_differentiable, real_of

MODES = ("forward", "reverse")
# With at most this many elements every one is tried; above, random directions. No entry of a direction is small, so
# no wrong element hides, save by cancelling another exactly; hence more than one direction.
FULL, FULL_AT_HIGHER_ORDER, PROBES = 64, 12, 3
# Beside ten times the differences' own error: the rounding of a gradient computed by another route.
RTOL = {FLOAT32: 1e-4, FLOAT64: 1e-7}
ATOL = {FLOAT32: 1e-5, FLOAT64: 1e-9}
WIDE = {FLOAT32: FLOAT64, COMPLEX64: COMPLEX128}


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = MODES,
    *,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    seed: int | None = None,
) -> None:
    """Check the derivatives of `f` at `args`, up to `order`, in forward and reverse mode.

    `f` takes tensors in any nesting of containers and returns the same; `args` is the tuple of its arguments.
    Integer and bool arguments are held fixed. float32 arguments are checked twice: the same program in float64
    against differences, and the float32 gradient against the float64 one. Complex arguments are moved along
    both parts; the gradient of a real loss is ∂/∂x − i·∂/∂y, as in JAX.

    atol, rtol: what a derivative may be off beside ten times the difference's own estimated error (1e-9 and 1e-7
    in float64, 1e-5 and 1e-4 where the program computes in float32). eps: the scale of the steps, 1 by default;
    give the size of the smallest feature of f if that is much smaller. seed: for the random directions; a fresh
    one each time, named in the error. Raises `CheckFailedError`, which names the argument, the index, both
    numbers and the likely cause.

    >>> import numpy as np
    >>> from minigrad.ops.elementwise import sin, mul
    >>> check_grads(lambda p: mul(sin(p["x"]), p["y"]), ({"x": 0.5, "y": np.ones((2, 3))},))
    """
    if not isinstance(args, (tuple, list)):
        raise ArgumentError(
            f"check_grads: args must be a tuple of f's arguments, got a {type(args).__name__}", hint="write (x,)"
        )
    unknown = [m for m in modes if m not in MODES]
    if unknown or order < 1:
        raise ArgumentError(f"check_grads: order must be at least 1 and modes from {MODES}, got {order}, {modes}")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    problem = problem_of(f, args)
    diagnose.require_determinism(problem.everything, problem.xs, problem.inputs)
    check = _Check(tuple(modes), atol, rtol, 1.0 if eps is None else eps, seed, np.random.default_rng(seed))
    wide = replace(problem, xs=[x.astype(WIDE.get(x.dtype, x.dtype)) for x in problem.xs])
    check.to_order(wide, order)
    if any(x.dtype in WIDE for x in problem.xs):
        check.narrow_against_wide(problem, wide)


# ── the check ────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Probe:
    """A direction in which the inputs move (or the outputs are read): a unit one with its place, or a random one."""

    along: list[Any]
    place: tuple[int, tuple[int, ...]] | None = None

    def halves(self) -> Iterator[Probe]:
        """The same direction with only the first, or only the second half of its entries."""
        flat = [(i, at) for i, v in enumerate(self.along) for at in np.ndindex(v.shape) if v[at] != 0]
        if len(flat) == 1:
            return
        for part in (flat[: len(flat) // 2], flat[len(flat) // 2 :]):
            along = [np.zeros_like(v) for v in self.along]
            for i, at in part:
                along[i][at] = self.along[i][at]
            yield Probe(along, part[0] if len(part) == 1 else None)


@dataclass(frozen=True)
class Failure:
    """Two numbers that should agree."""

    mode: str
    inward: Probe
    outward: Probe
    got: complex
    expected: complex
    error: float


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
class _Check:
    modes: tuple[str, ...]
    atol: float | None
    rtol: float | None
    eps: float
    seed: int
    rng: np.random.Generator

    def to_order(self, p: Problem, order: int) -> None:
        self.first_order(p)
        if order > 1:
            for mode in self.modes:
                self.to_order(self.derivative(p, mode), order - 1)

    def derivative(self, p: Problem, mode: str) -> Problem:
        """x ↦ J(x)·ẋ, or x ↦ J(x)ᵀ·ȳ, along random directions held fixed: the function one order higher checks."""
        if mode == "forward":
            dots = [Array(directions(x.shape, x.dtype, self.rng)) for x in p.xs]

            def push(*xs: Any) -> list[Any]:
                ys, y_dots = jvp(p.smooth, xs, dots)
                return [y * 0 if d is None else d for y, d in zip(ys, y_dots)]

            return Problem(
                push, p.xs, p.inputs, [f"(derivative of {o} by forward mode)" for o in p.outputs], p.order + 1
            )
        bars = [Array(directions(y.shape, y.dtype, self.rng)) for y in p.numbers(p.xs)]

        def pull(*xs: Any) -> list[Any]:
            x_bars = vjp(p.smooth, xs)[1](bars)
            return [x * 0 if b is None else b for x, b in zip(xs, x_bars)]

        return Problem(pull, p.xs, p.inputs, [f"(derivative by {i} in reverse mode)" for i in p.inputs], p.order + 1)

    def first_order(self, p: Problem) -> None:
        inward = probes(p.xs, p.order, self.rng)
        outward = probes(p.numbers(p.xs), p.order, self.rng)
        truths = [directional(p.numbers, p.xs, probe.along, self.eps) for probe in inward]
        if "forward" in self.modes:
            for probe, truth in zip(inward, truths):
                self.conclude(p, self.forward_failure(p, probe, truth))
        if "reverse" in self.modes:
            for out in outward:
                x_bars = self.cotangents(p, out)
                for probe, truth in zip(inward, truths):
                    self.conclude(p, self.reverse_failure(p, probe, out, x_bars, truth))

    def forward_failure(self, p: Problem, probe: Probe, truth: Sequence[Estimate]) -> Failure | None:
        """The first output whose tangent is not the difference."""
        _, y_dots = jvp(p.smooth, p.values(), [Array(d) for d in probe.along])
        for k, (e, y_dot) in enumerate(zip(truth, y_dots)):
            got = np.zeros(e.value.shape) if y_dot is None else y_dot.concrete("check_grads")
            bad = self.disagree(got, e, _real(got.dtype) if y_dot is not None else FLOAT64)
            if np.any(bad):
                at = tuple(int(i) for i in np.argwhere(bad)[0])
                along = [np.zeros(o.value.shape, o.value.dtype) for o in truth]
                along[k][at] = 1.0
                return Failure("forward", probe, Probe(along, (k, at)), got[at], e.value[at], float(e.error[at]))
        return None

    def cotangents(self, p: Problem, out: Probe) -> list[ndarray]:
        _, pull = vjp(p.smooth, p.values())
        found = []
        for x, name, b in zip(p.xs, p.inputs, pull([Array(v) for v in out.along])):
            if b is not None and (b.shape, b.dtype) != (x.shape, x.dtype):
                raise CheckFailedError(f"check_grads: the cotangent of {name} is {b.type}, not {Array(x).type}")
            found.append(np.zeros_like(x) if b is None else b.concrete("check_grads"))
        return found

    def reverse_failure(
        self, p: Problem, probe: Probe, out: Probe, x_bars: Sequence[ndarray], truth: Sequence[Estimate]
    ) -> Failure | None:
        """Does ⟨x̄, ẋ⟩ equal ⟨ȳ, difference along ẋ⟩?"""
        got = sum(float(np.sum(np.real(b * d))) for b, d in zip(x_bars, probe.along))
        expected = sum(float(np.sum(np.real(v * e.value))) for v, e in zip(out.along, truth))
        error = sum(float(np.sum(np.abs(v[v != 0]) * e.error[v != 0])) for v, e in zip(out.along, truth))
        # terms that cancel in the sum leave their rounding behind
        error += sum(float(np.sum(np.abs(b * d))) for b, d in zip(x_bars, probe.along)) * 1e-14
        precision = _coarsest([*x_bars, *out.along])
        bad = self.disagree(np.asarray(got), Estimate(np.asarray(expected), np.asarray(error)), precision)
        return Failure("reverse", probe, out, got, expected, error) if np.any(bad) else None

    def disagree(self, got: ndarray, e: Estimate, precision: DType) -> ndarray:
        """Where the two are apart, or the difference is too vague to tell."""
        rtol = RTOL[precision] if self.rtol is None else self.rtol
        atol = ATOL[precision] if self.atol is None else self.atol
        with np.errstate(all="ignore"):
            allowed = SAFETY * e.error + rtol * np.maximum(np.abs(got), np.abs(e.value)) + atol
            near = np.abs(widened(got) - e.value) <= allowed
        return np.asarray(~(near & e.settled(1e-3 if precision == FLOAT64 else 3e-2)))

    # ── telling the user ─────────────────────────────────────────────────────────────────────────
    def conclude(self, p: Problem, failure: Failure | None) -> None:
        if failure is not None:
            raise self.explained(p, self.narrowed(p, failure))

    def narrowed(self, p: Problem, failure: Failure) -> Failure:
        """The same failure along a single element, found by halving; as far as halves still fail."""
        while failure.inward.place is None:
            for half in failure.inward.halves():
                truth = directional(p.numbers, p.xs, half.along, self.eps)
                if failure.mode == "forward":
                    smaller = self.forward_failure(p, half, truth)
                else:
                    x_bars = self.cotangents(p, failure.outward)
                    smaller = self.reverse_failure(p, half, failure.outward, x_bars, truth)
                if smaller is not None:
                    failure = smaller
                    break
            else:
                return failure
        return failure

    def explained(self, p: Problem, f: Failure) -> CheckFailedError:
        x = _place(p.inputs, f.inward.place) or "the arguments along a random direction"
        y = _place(p.outputs, f.outward.place) or "a random combination of the outputs"
        along = (f.inward.along, f.outward.along)
        cause = diagnose.likely_cause(p.smooth, p.numbers, p.xs, *along, f.got, f.expected, self.rng)
        what = (
            f"check_grads: {f.mode} mode, order {p.order}: the derivative of {y} by {x} "
            f"is {_number(f.got)}, differences give {_number(f.expected)} ± {f.error:.1g}"
        )
        hint = f"likely cause: {cause.text}\n  repeat with seed={self.seed}"
        return CheckFailedError(what, hint=hint, lines=cause.lines)

    # ── float32 ──────────────────────────────────────────────────────────────────────────────────
    def narrow_against_wide(self, p: Problem, wide: Problem) -> None:
        """The float32 gradient is the float64 gradient of the same program, as far as float32 inputs can tell."""
        eps = float(np.finfo(np.float32).eps)
        nudged = [(x * (1 + eps * self.rng.choice((-1.0, 1.0), x.shape))).astype(x.dtype) for x in wide.xs]
        for mode in self.modes:
            at_fine, at_coarse = wide.numbers(wide.xs), p.xs
            along = [directions(v.shape, v.dtype, self.rng) for v in (at_coarse if mode == "forward" else at_fine)]
            fine, coarse, moved = (self.derived(q, mode, along) for q in (wide, p, replace(wide, xs=nudged)))
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
        dots = [Array(v.astype(x.dtype)) for v, x in zip(along, p.xs)]
        ys, y_dots = jvp(p.smooth, p.values(), dots)
        return [np.zeros(y.shape) if d is None else d.concrete("check_grads") for y, d in zip(ys, y_dots)]

    def too_coarse(self, mode: str, name: str, at: tuple[int, ...], fine: ndarray, coarse: ndarray) -> CheckFailedError:
        whose = "of" if mode == "forward" else "by"
        return CheckFailedError(
            f"check_grads: {mode} mode, order 1: the float32 derivative {whose} {_place([name], (0, at))} is "
            f"{_number(coarse[at])}, in float64 the same program gives {_number(fine[at])}",
            hint="likely cause: float32 is too coarse for this program (cancellation, overflow or underflow); "
            f"compute that part in float64 or rearrange it\n  repeat with seed={self.seed}",
        )


def _real(dtype: DType) -> DType:
    return real_of(dtype) if is_differentiable(dtype) else FLOAT64


def _coarsest(xs: Sequence[ndarray]) -> DType:
    return FLOAT32 if any(_real(x.dtype) == FLOAT32 for x in xs) else FLOAT64


def _place(names: Sequence[str], place: tuple[int, tuple[int, ...]] | None) -> str:
    """`params['w'] at index (1, 2)`; a scalar has no index."""
    if place is None:
        return ""
    name, at = names[place[0]], place[1]
    return f"{name} at index {at}" if at else name


def _number(x: complex) -> str:
    return f"{x:.9g}"
