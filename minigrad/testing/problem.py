"""A function and its arguments as `check_grads` sees them: flat, with a name for every leaf.

Floor 7.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import tree
from minigrad.errors import CheckFailedError
from minigrad.op import Array, Value, lift, ndarray
from minigrad.types import is_differentiable


@dataclass(frozen=True)
class Problem:
    """A flat function of the operands that carry derivatives, and what messages call its inputs and outputs."""

    f: Callable[..., list[Any]]  # Values -> every output, as Values
    xs: list[ndarray]
    inputs: list[str]
    outputs: list[str]
    order: int = 1

    def values(self) -> list[Value]:
        return [Array(x) for x in self.xs]

    def smooth(self, *xs: Any) -> list[Any]:
        """The outputs that carry derivatives."""
        return [y for y in self.f(*xs) if is_differentiable(y.dtype)]

    def numbers(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return [y.concrete("check_grads") for y in self.smooth(*[Array(x) for x in xs])]

    def everything(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return [y.concrete("check_grads") for y in self.f(*[Array(x) for x in xs])]


def problem_of(f: Callable[..., Any], args: Sequence[Any]) -> Problem:
    leaves, structure = tree.flatten(tuple(args))
    names = _names(f, len(args))
    paths = [tree.path_text(names[int(p[0].key)], p[1:]) for p, _ in tree.flatten_with_paths(tuple(args))]
    held = [_tensor(x, path) for x, path in zip(leaves, paths)]
    moving = [i for i, x in enumerate(held) if is_differentiable(x.dtype)]
    if not moving:
        found = ", ".join(f"{p} is {x.type}" for p, x in zip(paths, held)) or "there are none"
        raise CheckFailedError(
            f"check_grads: no argument can carry a derivative: {found}",
            hint="likely cause: integer input; write 3.0 for 3, or convert to a float dtype",
        )

    def flat(*xs: Any) -> list[Any]:
        full = list(held)
        for i, x in zip(moving, xs):
            full[i] = x
        return [lift(y, "return") for y in tree.leaves(f(*structure.unflatten(full)))]

    xs = [held[i].concrete("check_grads") for i in moving]
    out = f(*structure.unflatten([Array(x.concrete("check_grads")) for x in held]))
    outputs = [(tree.path_text("output", p), lift(y, "return")) for p, y in tree.flatten_with_paths(out)]
    smooth = [name for name, y in outputs if is_differentiable(y.dtype)]
    if not smooth:
        found = ", ".join(f"{name} is {y.type}" for name, y in outputs) or "it returns nothing"
        raise CheckFailedError(f"check_grads: no output can carry a derivative: {found}")
    return Problem(flat, xs, [paths[i] for i in moving], smooth)


def _names(f: Callable[..., Any], n: int) -> list[str]:
    """What f calls its first n arguments."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [p.name for p in parameters if p.kind in plain][:n]
    return named + [f"args[{i}]" for i in range(len(named), n)]


def _tensor(x: Any, path: str) -> Value:
    """An argument as a Value; a Python float has all its 64 bits."""
    if type(x) in (float, complex):
        return Array(np.asarray(x))
    return Array(np.array(lift(x, path).concrete("check_grads")))
