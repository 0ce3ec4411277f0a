"""A function and its arguments as `check_grads` sees them: flat, with a name for every leaf, and ways to differentiate.

Floor 7. `Problem` says what a check needs to know; `OpsProblem` is a function of minigrad values, whose derivatives
the interpreters give. Functions of the tape and of plain NumPy are in `foreign`, of a session in `session_problem`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minigrad import tree
from minigrad.errors import CheckFailedError
from minigrad.graph import Graph, run, subgraphs
from minigrad.interpreters.forward import jvp
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array, Interpreter, Op, Operand, Value, interpreter, lift, ndarray, using
from minigrad.source import Line, user_line
from minigrad.testing.comparing import types, values
from minigrad.tracer.arguments import positional_names
from minigrad.types import is_differentiable


class Applied(NamedTuple):
    """An op, the operands it had, the user's line, and which of the operands depend on the function's arguments."""

    op: Op
    operands: list[ndarray]
    line: Line
    moving: list[bool]


@dataclass(frozen=True)
class Problem(ABC):
    """A flat function of the operands that carry derivatives, and what messages call its inputs and outputs."""

    xs: list[ndarray]
    inputs: list[str]
    outputs: list[str]  # those that carry derivatives
    order: int = 1
    modes: ClassVar[tuple[str, ...]] = ("forward", "reverse")  # those in which it can be differentiated
    widens: ClassVar[bool] = True  # does it compute in float64 when its arguments are?
    # what is to blame when no op is
    otherwise: ClassVar[str] = (
        "every op's own rule is right, so f hides part of its dependence from them: it computes with NumPy or float() "
        "on the way, stops a gradient, or has features smaller than the steps (pass eps)"
    )

    @abstractmethod
    def everything(self, xs: Sequence[ndarray]) -> list[ndarray]:
        """Every output at xs."""

    def numbers(self, xs: Sequence[ndarray]) -> list[ndarray]:
        """The outputs that carry derivatives, at xs."""
        return [y for y in self.everything(xs) if is_differentiable(y.dtype)]

    def push(self, dots: Sequence[ndarray]) -> list[ndarray | None]:
        """The tangents of the outputs for these of the operands; None for zero. Where `modes` has "forward"."""
        raise NotImplementedError(f"{type(self).__name__} is differentiated in reverse mode only")

    @abstractmethod
    def pull(self, bars: Sequence[ndarray]) -> list[ndarray | None]:
        """The cotangents of the operands for these of the outputs; None for zero."""

    def derivative(self, mode: str, along: Sequence[ndarray]) -> Problem | None:
        """xs ↦ push(along) or pull(along), for checks of higher order; None if it cannot be differentiated again."""
        return None

    def applied(self) -> list[Applied]:
        """Every op that is applied on the way, in order."""
        return []

    def at(self, xs: list[ndarray]) -> Problem:
        return replace(self, xs=xs)


# ── a function of minigrad values ────────────────────────────────────────────────────────────────
@dataclass(frozen=True, kw_only=True)
class OpsProblem(Problem):
    """A flat function of Values, as minigrad.numpy and the tracer have them."""

    f: Callable[..., list[Any]]  # Values -> every output, as Values

    def smooth(self, *xs: Any) -> list[Any]:
        """The outputs that carry derivatives."""
        return [y for y in self.f(*xs) if is_differentiable(y.dtype)]

    def everything(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return [y.concrete("check_grads") for y in self.f(*values(xs))]

    def push(self, dots: Sequence[ndarray]) -> list[ndarray | None]:
        return concrete(jvp(self.smooth, values(self.xs), values(dots))[1])

    def pull(self, bars: Sequence[ndarray]) -> list[ndarray | None]:
        return concrete(vjp(self.smooth, values(self.xs))[1](values(bars)))

    def derivative(self, mode: str, along: Sequence[ndarray]) -> OpsProblem:
        def push(*xs: Any) -> list[Any]:
            ys, y_dots = jvp(self.smooth, xs, values(along))
            return [y * 0 if d is None else d for y, d in zip(ys, y_dots)]

        def pull(*xs: Any) -> list[Any]:
            x_bars = vjp(self.smooth, xs)[1](values(along))
            return [x * 0 if b is None else b for x, b in zip(xs, x_bars)]

        return replace(
            self,
            f=push if mode == "forward" else pull,
            outputs=derivative_names(self, mode),
            order=self.order + 1,
        )

    def applied(self) -> list[Applied]:
        return watched(self.smooth, self.xs)


def derivative_names(p: Problem, mode: str) -> list[str]:
    """What the outputs of p's derivative are called."""
    if mode == "forward":
        return [f"(derivative of {name} by forward mode)" for name in p.outputs]
    return [f"(derivative by {name} in reverse mode)" for name in p.inputs]


def concrete(found: Sequence[Any]) -> list[ndarray | None]:
    return [None if v is None else v.concrete("check_grads") for v in found]


class Watch(Interpreter):
    """Applies ops as the interpreter below does, and keeps what was applied to what, and on which line."""

    def __init__(self, below: Interpreter, xs: Sequence[Value]) -> None:
        self.below = below
        self.moving = {id(x): x for x in xs}  # what depends on xs; kept, so that no id is used twice
        self.applied: list[tuple[Op, list[Any], Line, list[bool]]] = []

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        values, moving = list(op.coerce(xs)), [id(x) in self.moving for x in xs]
        self.applied.append((op, values, user_line(), moving))
        y = self.below.apply(op, values)
        if any(moving):
            self.moving.update((id(v), v) for v in (y if op.many else [y]))
        return y


def watched(f: Callable[..., list[Any]], xs: Sequence[ndarray], moving: Sequence[bool] | None = None) -> list[Applied]:
    """Every op f applies at xs, in order, with its operands. `moving`: which xs are not constants (None: all)."""
    given = values(xs)
    watch = Watch(interpreter.get(), given if moving is None else [x for x, m in zip(given, moving) if m])
    with using(watch):
        f(*given)
    return [
        Applied(op, [v.array for v in vs], line, moving)
        for op, vs, line, moving in watch.applied
        if all(isinstance(v, Array) for v in vs)
    ]


def applied_inside(op: Op, operands: list[ndarray], moving: Sequence[bool]) -> list[Applied]:
    """What an op that simply applies the one graph it holds applies, with the lines that made the graph."""
    graphs = list(subgraphs(op))
    if len(graphs) != 1 or graphs[0].in_types != tuple(types(operands)):
        return []
    return applied_in(graphs[0], operands, moving)


def applied_in(graph: Graph, arrays: list[ndarray], moving: Sequence[bool] | None = None) -> list[Applied]:
    """What a graph applies when it runs on these, with the lines that made its nodes."""
    applied = watched(lambda *zs: run(graph, zs), arrays, moving)
    lines = [n.line for n in graph.nodes]
    return [a._replace(line=line) for a, line in zip(applied, lines)] if len(lines) == len(applied) else applied


# ── from what the user wrote ─────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Arguments:
    """The arguments of a function: their leaves as ndarrays, what they are called, and which of them move."""

    held: list[ndarray]
    paths: list[str]
    structure: Any

    @property
    def moving(self) -> list[int]:
        return [i for i, x in enumerate(self.held) if is_differentiable(x.dtype)]

    @property
    def xs(self) -> list[ndarray]:
        """The leaves that move."""
        return [self.held[i] for i in self.moving]

    @property
    def names(self) -> list[str]:
        """What those are called."""
        return [self.paths[i] for i in self.moving]

    def filled(self, xs: Sequence[Any], lifted: Callable[[ndarray], Any]) -> Any:
        """The arguments with xs in place of those that move; what is held fixed goes through `lifted`."""
        given, moving = iter(xs), set(self.moving)
        leaves = [next(given) if i in moving else lifted(x) for i, x in enumerate(self.held)]
        return self.structure.unflatten(leaves)


def arguments_of(f: Callable[..., Any], args: Sequence[Any], array: Callable[[Any, str], ndarray]) -> Arguments:
    """The arguments taken apart; `array` makes an ndarray of a leaf. At least one must carry derivatives."""
    leaves, structure = tree.flatten(tuple(args))
    names = positional_names(f, len(args))
    paths = [tree.path_text(names[int(p[0].key)], p[1:]) for p, _ in tree.flatten_with_paths(tuple(args))]
    found = Arguments([array(x, path) for x, path in zip(leaves, paths)], paths, structure)
    if not found.moving:
        shown = ", ".join(f"{p} is {Array(x).type}" for p, x in zip(paths, found.held)) or "there are none"
        raise CheckFailedError(
            f"check_grads: no argument can carry a derivative: {shown}",
            hint="likely cause: integer input; write 3.0 for 3, or convert to a float dtype",
        )
    return found


def outputs_of(out: Any, dtype_of: Callable[[Any], Any]) -> list[str]:
    """What the outputs that carry derivatives are called; there must be one."""
    outputs = [(tree.path_text("output", p), dtype_of(y)) for p, y in tree.flatten_with_paths(out)]
    smooth = [name for name, y in outputs if is_differentiable(y.dtype)]
    if not smooth:
        found = ", ".join(f"{name} is {y.type}" for name, y in outputs) or "it returns nothing"
        raise CheckFailedError(f"check_grads: no output can carry a derivative: {found}")
    return smooth


def ops_problem(f: Callable[..., Any], args: Sequence[Any]) -> OpsProblem:
    """A function of minigrad values at these arguments."""
    given = arguments_of(f, args, array_of)

    def flat(*xs: Any) -> list[Any]:
        return [lift(y, "return") for y in tree.leaves(f(*given.filled(xs, Array)))]

    outputs = outputs_of(f(*given.filled(values(given.xs), Array)), lambda y: lift(y, "return"))
    return OpsProblem(given.xs, given.names, outputs, f=flat)


def array_of(x: Any, path: str) -> ndarray:
    """An argument as an ndarray of its own; a Python float has all its 64 bits."""
    if type(x) in (float, complex):
        return np.asarray(x)
    return np.array(lift(x, path).concrete("check_grads"))
