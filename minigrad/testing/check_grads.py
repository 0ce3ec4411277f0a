"""`check_grads`: is the gradient of this function right? Both modes, any order, against differences of its values.

Floor 7. The one way in, for functions of all three front-ends and of plain NumPy. `check` does the comparing, and when
something is wrong, `diagnose` says what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import config, tree
from minigrad.errors import ArgumentError, NotDifferentiableError
from minigrad.tape.tensor import Tensor
from minigrad.testing import diagnose
from minigrad.testing.check import Check
from minigrad.testing.foreign import explicit_problem, tape_problem
from minigrad.testing.problem import Problem, ops_problem
from minigrad.testing.session_problem import SessionFunction, session_problem
from minigrad.types import COMPLEX64, COMPLEX128, FLOAT32, FLOAT64

MODES = ("forward", "reverse")
WIDE = {FLOAT32: FLOAT64, COMPLEX64: COMPLEX128}


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] | None = None,
    *,
    gradient: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    seed: int | None = None,
) -> None:
    """Check the derivatives of `f` at `args`, up to `order`, in forward and reverse mode.

    `modes` asks for one of the two only; a function with a `custom_vjp` in it has reverse mode alone.

    `f` takes tensors in any nesting of containers and returns the same; `args` is the tuple of its arguments. Which
    derivatives are checked follows from them:

    - minigrad.numpy and the tracer: f is an ordinary function, transformed or not, compiled or not.
    - tape: any of the args is a tape Tensor; then all float args are, and the gradient is that of `autograd.grad`.
    - session: f is a `session_function`; the gradient is that of `gradients`.
    - plain NumPy: `gradient(*args)` is the gradient of a scalar f, one for each argument (alone if there is one);
      or `vjp(y_bar, *args)` gives the same for any f, with y_bar shaped as its output. To first order.

    Integer and bool arguments are held fixed. float32 arguments are checked twice: the same program in float64
    against differences, and the float32 gradient against the float64 one. Complex arguments are moved along
    both parts; the gradient of a real loss is ∂/∂x − i·∂/∂y, as in JAX.

    atol, rtol: what a derivative may be off beside ten times the difference's own estimated error (1e-9 and 1e-7
    in float64, 1e-5 and 1e-4 where the program computes in float32, 1e-12 and 1e-10 where f goes on analytically
    into the complex plane and the complex step is exact). eps: the scale of the steps, 1 by default; give the size
    of the smallest feature of f if that is much smaller. seed: for the random directions; if not given that of the
    setting `minigrad.config.seed`, else a fresh one each time, named in the error. Raises `CheckFailedError`, which
    names the argument, the index, both numbers and the likely cause.

    >>> import numpy as np
    >>> import minigrad.numpy as mnp
    >>> check_grads(lambda p: mnp.sin(p["x"]) * p["y"], ({"x": 0.5, "y": np.ones((2, 3))},))
    >>> import minigrad.tape as torch
    >>> check_grads(lambda x: (x.exp() * x).sum(), (torch.tensor([0.5, -1.0]),))
    >>> check_grads(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), gradient=lambda x: 3 * x**2)
    >>> check_grads(np.sin, (np.ones(2),), vjp=lambda y_bar, x: y_bar * np.sin(x))
    Traceback (most recent call last):
    minigrad.errors.CheckFailedError: check_grads: reverse mode, order 1: the derivative of output at index (0,) by ...
    """
    _require_sense(args, order, modes)
    seed = config.seed.get(seed)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    problem = _problem(f, args, gradient, vjp)
    diagnose.require_determinism(problem)
    modes = _modes(problem) if modes is None else modes
    check = Check(tuple(modes), atol, rtol, 1.0 if eps is None else eps, seed, np.random.default_rng(seed))
    if not check.modes_of(problem):
        raise ArgumentError(f"check_grads: f is differentiated in reverse mode only, modes is {tuple(modes)}")
    narrow = problem.widens and any(x.dtype in WIDE for x in problem.xs)
    wide = problem.at([x.astype(WIDE.get(x.dtype, x.dtype)) for x in problem.xs]) if narrow else problem
    check.to_order(wide, order)
    if narrow:
        check.narrow_against_wide(problem, wide)


def _require_sense(args: Any, order: int, modes: Sequence[str] | None) -> None:
    if not isinstance(args, (tuple, list)):
        raise ArgumentError(
            f"check_grads: args must be a tuple of f's arguments, got a {type(args).__name__}", hint="write (x,)"
        )
    if order < 1 or any(m not in MODES for m in modes or ()):
        raise ArgumentError(f"check_grads: order must be at least 1 and modes from {MODES}, got {order}, {modes}")


def _modes(problem: Problem) -> tuple[str, ...]:
    """Both, or what an op on the way leaves."""
    if "forward" in problem.modes:
        try:
            problem.push([np.zeros_like(x) for x in problem.xs])
        except NotDifferentiableError:
            return ("reverse",)  # if there is no derivative at all, this says so
    return MODES


def _problem(
    f: Callable[..., Any],
    args: Sequence[Any],
    gradient: Callable[..., Any] | None,
    vjp: Callable[..., Any] | None,
) -> Problem:
    """f as a kind of problem."""
    if gradient is not None or vjp is not None:
        if gradient is not None and vjp is not None:
            raise ArgumentError("check_grads: give gradient or vjp, not both")
        return explicit_problem(f, args, gradient, vjp)
    if isinstance(f, SessionFunction):
        return session_problem(f, args)
    if any(isinstance(x, Tensor) for x in tree.leaves(tuple(args))):
        return tape_problem(f, args)
    return ops_problem(f, args)
