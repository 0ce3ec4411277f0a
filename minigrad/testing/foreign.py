"""Functions that bring their own derivatives to `check_grads`: of the tape, and plain NumPy pairs.

Floor 7. (Those of a session are in `session_problem`.) Each kind says how it is evaluated and how it is differentiated;
comparing is `check`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from minigrad import tree
from minigrad.errors import ArgumentError
from minigrad.op import Array, lift, ndarray
from minigrad.source import line_at
from minigrad.tape import autograd
from minigrad.tape.interpreter import node_of
from minigrad.tape.tensor import Tensor
from minigrad.testing.problem import Applied, Arguments, Problem, arguments_of, array_of, derivative_names, outputs_of
from minigrad.types import is_differentiable


# ── the tape ─────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, kw_only=True)
class TapeProblem(Problem):
    """A flat function of tape Tensors; its gradient is that of `autograd.grad`."""

    f: Callable[..., list[Tensor]]
    modes = ("reverse",)

    def everything(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return [y.numpy(force=True) for y in self.f(*leaves(xs))]

    def pull(self, bars: Sequence[ndarray]) -> list[ndarray | None]:
        x_bars = tape_gradient(self.f, leaves(self.xs), bars, create_graph=False)
        return [None if b is None else b.numpy(force=True) for b in x_bars]

    def derivative(self, mode: str, along: Sequence[ndarray]) -> TapeProblem:
        def pull(*xs: Any) -> list[Tensor]:
            x_bars = tape_gradient(self.f, xs, along, create_graph=True)
            return [x * 0 if b is None else b for x, b in zip(xs, x_bars)]

        return replace(self, f=pull, outputs=derivative_names(self, mode), order=self.order + 1)

    def applied(self) -> list[Applied]:
        keys = [key for key in map(node_of, self.f(*leaves(self.xs))) if key is not None]
        return [
            Applied(r.op, list(r.xs), line_at(r.place), [key is not None for key in r.ins])
            for r in reversed(autograd.reachable(keys)[0])
        ]


def leaves(xs: Sequence[ndarray]) -> list[Tensor]:
    return [Tensor(x.copy(), True) for x in xs]


def tape_gradient(
    f: Callable[..., list[Tensor]], xs: Sequence[Tensor], bars: Sequence[ndarray], create_graph: bool
) -> Sequence[Tensor | None]:
    """The cotangents of xs for these of the outputs that carry derivatives; None where nothing depends on x."""
    ys = [y for y in f(*xs) if is_differentiable(y.dtype)]
    recorded = [(y, Tensor(b)) for y, b in zip(ys, bars) if y.requires_grad]
    if not recorded:
        return [None] * len(xs)
    outputs, cotangents = zip(*recorded)
    return autograd.grad(outputs, xs, cotangents, create_graph=create_graph, allow_unused=True)


def tape_problem(f: Callable[..., Any], args: Sequence[Any]) -> TapeProblem:
    """A function of tape Tensors at these arguments; arrays and numbers among them become Tensors as well."""

    def array(x: Any, path: str) -> ndarray:
        return x.numpy(force=True).copy() if isinstance(x, Tensor) else array_of(x, path)

    given = arguments_of(f, args, array)

    def flat(*xs: Tensor) -> list[Tensor]:
        found = tree.leaves(f(*given.filled(xs, Tensor)))
        return [y if isinstance(y, Tensor) else Tensor(lift(y, "return").concrete("check_grads")) for y in found]

    outputs = outputs_of(f(*given.filled(leaves(given.xs), Tensor)), lambda y: y if isinstance(y, Tensor) else lift(y))
    return TapeProblem(given.xs, given.names, outputs, f=flat)


# ── plain NumPy ──────────────────────────────────────────────────────────────────────────────────
# (cotangents of the outputs, the arguments) -> the cotangents of those arguments that move
WayBack: TypeAlias = "Callable[[Sequence[ndarray], Sequence[Any]], list[Any]]"


@dataclass(frozen=True, kw_only=True)
class ExplicitProblem(Problem):
    """A function of NumPy arrays, and another that claims to be its gradient."""

    f: Callable[..., list[ndarray]]
    way_back: WayBack
    given: Arguments
    modes = ("reverse",)
    otherwise = "the gradient given is wrong there (or f has features smaller than the steps; then pass eps)"

    def everything(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return self.f(*self.full(xs))

    def full(self, xs: Sequence[ndarray]) -> Any:
        return self.given.filled([numpy_value(x) for x in xs], numpy_value)

    def pull(self, bars: Sequence[ndarray]) -> list[ndarray | None]:
        found = self.way_back(bars, self.full(self.xs))
        return [None if b is None else cast_real(np.asarray(b), x) for b, x in zip(found, self.xs)]


def numpy_value(x: ndarray) -> Any:
    """What NumPy code expects: a copy it may write into, a number without axes."""
    return x.copy() if x.ndim else x[()]


def cast_real(b: ndarray, x: ndarray) -> ndarray:
    """A gradient written in Python numbers has their dtype; it takes that of its argument, save complex for real."""
    return b.astype(x.dtype) if b.dtype.kind in "biuf" or x.dtype.kind == "c" else b


def explicit_problem(
    f: Callable[..., Any],
    args: Sequence[Any],
    gradient: Callable[..., Any] | None,
    vjp: Callable[..., Any] | None,
) -> ExplicitProblem:
    """A pair of NumPy functions at these arguments."""
    given = arguments_of(f, args, array_of)

    def flat(*full: Any) -> list[ndarray]:
        return [np.asarray(y) for y in tree.leaves(f(*full))]

    out = f(*given.filled([numpy_value(x) for x in given.xs], numpy_value))
    shapes, structure = tree.flatten(out)
    outputs = outputs_of(out, lambda y: lift(np.asarray(y)))
    if gradient is not None and (len(shapes) != 1 or np.shape(shapes[0]) != ()):
        raise ArgumentError(
            f"check_grads: a gradient is that of a scalar, f returns {', '.join(str(Array(y).type) for y in shapes)}",
            hint="give vjp, a function (y_bar, *args) -> x_bars, or reduce f's result to a scalar",
        )

    def way_back(bars: Sequence[ndarray], full: Sequence[Any]) -> list[Any]:
        if gradient is not None:
            claimed = gradient(*full)
        else:
            smooth = iter(bars)
            kept = [next(smooth) if is_differentiable(np.asarray(y).dtype) else None for y in shapes]
            assert vjp is not None
            claimed = vjp(structure.unflatten([None if b is None else numpy_value(b) for b in kept]), *full)
        scale = bars[0] if gradient is not None else None
        found = by_argument(claimed, given, "gradient" if gradient is not None else "vjp")
        return [b if scale is None or b is None else b * scale for b in found]

    return ExplicitProblem(given.xs, given.names, outputs, f=flat, way_back=way_back, given=given)


def by_argument(claimed: Any, given: Arguments, what: str) -> list[Any]:
    """What a gradient function returned, for each leaf that moves: a tuple of as many, or alone if there is one."""
    full = given.structure.unflatten(given.held)
    claimed = (claimed,) if len(full) == 1 and not (isinstance(claimed, tuple) and len(claimed) == 1) else claimed
    if not isinstance(claimed, (tuple, list)) or len(claimed) != len(full):
        count = len(claimed) if isinstance(claimed, (tuple, list)) else 1
        raise ArgumentError(
            f"check_grads: f has {len(full)} arguments, {what} returned {count} results",
            hint="return one for each argument, in a tuple; None for one that has no gradient",
        )
    found: list[Any] = []
    for whole, part in zip(full, claimed):
        count = len(tree.leaves(whole))
        found += [None] * count if part is None else tree.leaves(part)
    if len(found) != len(given.held):
        raise ArgumentError(f"check_grads: {what} returned {len(found)} arrays for {len(given.held)} of the arguments")
    return [found[i] for i in given.moving]
