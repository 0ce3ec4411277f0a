"""Functions that bring their own derivatives to `check_grads`: of the tape, of a session, and plain NumPy pairs.

Floor 7. Each kind says how it is evaluated and how it is differentiated; comparing is `check`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from minigrad import session as tf
from minigrad import tree
from minigrad.errors import ArgumentError
from minigrad.graph import Graph, run
from minigrad.op import Array, lift, ndarray
from minigrad.session.tensor import Tensor as SymbolicTensor
from minigrad.session.variables import Variable
from minigrad.source import line_at
from minigrad.tape import autograd
from minigrad.tape.interpreter import node_of
from minigrad.tape.tensor import Tensor
from minigrad.testing.problem import (
    Applied,
    Arguments,
    Problem,
    arguments_of,
    array_of,
    derivative_names,
    outputs_of,
    watched,
)
from minigrad.types import is_differentiable


# ── the tape ─────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class TapeProblem(Problem):
    """A flat function of tape Tensors; its gradient is that of `autograd.grad`."""

    f: Callable[..., list[Tensor]] = list
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
        return [(r.op, list(r.xs), line_at(r.place)) for r in reversed(autograd.reachable(keys))]


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

    xs = [given.held[i] for i in given.moving]
    outputs = outputs_of(f(*given.filled(leaves(xs), Tensor)), lambda y: y if isinstance(y, Tensor) else lift(y))
    return TapeProblem(xs, [given.paths[i] for i in given.moving], outputs, f=flat)


# ── a session ────────────────────────────────────────────────────────────────────────────────────
class SessionFunction:
    """ys of a session graph as a function of xs; made by `session_function`."""

    def __init__(self, ys: Any, xs: Sequence[Any], sess: tf.Session, feed_dict: dict[Any, Any] | None = None) -> None:
        self.ys, self.xs, self.sess, self.feed_dict = ys, tuple(xs), sess, dict(feed_dict or {})
        for x in self.xs:
            if not isinstance(x, (SymbolicTensor, Variable)):
                raise ArgumentError(
                    f"session_function: {x!r} (a {type(x).__name__}) is neither a tensor nor a variable",
                    hint="xs is a list of placeholders, other tensors or variables of the session's graph",
                )

    def feeds(self, xs: Sequence[ndarray]) -> dict[Any, Any]:
        """What to feed for these values of xs. Variables take theirs at once."""
        for x, value in zip(self.xs, xs):
            if isinstance(x, Variable):
                x.load(value, self.sess)
        fed = {x: value for x, value in zip(self.xs, xs) if not isinstance(x, Variable)}
        return {**self.feed_dict, **fed}

    def run(self, fetches: Any, xs: Sequence[ndarray]) -> Any:
        """The values of the fetches at xs; afterwards variables are as they were."""
        variables = [x for x in self.xs if isinstance(x, Variable)]
        before = self.sess.run(variables)
        try:
            return self.sess.run(fetches, self.feeds(xs))
        finally:
            for variable, value in zip(variables, before):
                variable.load(value, self.sess)

    def program(self, xs: Sequence[ndarray]) -> tuple[Graph, list[ndarray]]:
        """The graph that a run at xs runs, and on what."""
        variables = [x for x in self.xs if isinstance(x, Variable)]
        before = self.sess.run(variables)
        try:
            return self.sess.program(tree.leaves(self.ys), self.feeds(xs))
        finally:
            for variable, value in zip(variables, before):
                variable.load(value, self.sess)

    def __call__(self, *xs: Any) -> Any:
        return self.run(self.ys, xs)


def session_function(
    ys: Any, xs: Sequence[Any], sess: tf.Session, feed_dict: dict[Any, Any] | None = None
) -> SessionFunction:
    """Tensors `ys` (in any nesting) as a function of the tensors or variables `xs`, for `check_grads`.

    feed_dict feeds the other placeholders. Checking adds gradient operations to the graph; variables among the xs are
    set while it runs and set back afterwards. A session computes in the dtypes of its graph, so build it in float64
    where you can: against differences in float32 only errors above about one part in a thousand are seen.

    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.placeholder(tf.float64, [None], name="x")
    ...     y = tf.reduce_sum(tf.sin(x) * x)
    ...     check_grads(session_function(y, [x], sess), ([0.5, 1.5],))
    """
    return SessionFunction(ys, xs, sess, feed_dict)


@dataclass(frozen=True)
class SessionProblem(Problem):
    """ys as a function of xs, run by their session; the gradient is what `gradients` adds to the graph."""

    f: SessionFunction = None  # type: ignore[assignment]
    given: Arguments = None  # type: ignore[assignment]
    cotangents: tuple[Any, ...] = ()  # placeholders, one for each output that carries derivatives
    slopes: tuple[Any, ...] = ()  # what `gradients` gave for those, by moving input
    modes = ("reverse",)
    widens = False

    def everything(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return [np.asarray(y) for y in self.f.run(tree.leaves(self.f.ys), self.full(xs))]

    def full(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return list(self.given.filled(xs, lambda x: x))

    def pull(self, bars: Sequence[ndarray]) -> list[ndarray | None]:
        fed = replace_feeds(self.f, dict(zip(self.cotangents, bars)))
        found = iter(fed.run([g for g in self.slopes if g is not None], self.full(self.xs)))
        return [None if g is None else np.asarray(next(found)) for g in self.slopes]

    def derivative(self, mode: str, along: Sequence[ndarray]) -> SessionProblem:
        slopes = [g for g in self.slopes if g is not None]
        names = [n for n, g in zip(derivative_names(self, mode), self.slopes) if g is not None]
        if not slopes:
            return None  # type: ignore[return-value]
        f = replace_feeds(self.f, dict(zip(self.cotangents, along)), slopes)
        return prepared(f, self.given, self.xs, self.inputs, names, self.order + 1)

    def applied(self) -> list[Applied]:
        graph, arrays = self.f.program(self.full(self.xs))
        applied = watched(lambda *zs: run(graph, zs), arrays)
        lines = [n.line for n in graph.nodes]
        return [(op, xs, line) for (op, xs, _), line in zip(applied, lines)] if len(lines) == len(applied) else applied


def replace_feeds(f: SessionFunction, more: dict[Any, Any], ys: Any = None) -> SessionFunction:
    """The same function with these fed besides, and perhaps of other ys."""
    return SessionFunction(f.ys if ys is None else ys, f.xs, f.sess, {**f.feed_dict, **more})


def prepared(
    f: SessionFunction, given: Arguments, xs: list[ndarray], inputs: list[str], outputs: list[str], order: int
) -> SessionProblem:
    """The problem with its gradient in the graph."""
    ys = [y for y in tree.leaves(f.ys) if is_differentiable(y.dtype)]
    moving = [f.xs[i] for i in given.moving]
    with f.sess.graph.as_default():
        cotangents = [tf.placeholder(y.dtype, y.shape, name="cotangent") for y in ys]
        slopes = tf.gradients(ys, moving, grad_ys=cotangents, name="check_grads")
    return SessionProblem(
        xs, inputs, outputs, order, f=f, given=given, cotangents=tuple(cotangents), slopes=tuple(slopes)
    )


def session_problem(f: SessionFunction, args: Sequence[Any]) -> SessionProblem:
    """ys of a session graph as a function of xs at these values."""
    if len(args) != len(f.xs):
        raise ArgumentError(f"check_grads: the session_function has {len(f.xs)} xs, but args has {len(args)} values")

    def array(x: Any, path: str) -> ndarray:
        return np.array(x)

    def named(name: str) -> str:
        return name.removesuffix(":0")

    # a leaf each, in the dtype of its tensor, whatever was given for it
    fed = [np.array(a, x.dtype) for a, x in zip(args, f.xs)]
    given = arguments_of(f, fed, array)
    outputs = outputs_of(f.ys, lambda y: y)
    return prepared(
        f,
        given,
        [given.held[i] for i in given.moving],
        [named(f.xs[i].name) for i in given.moving],
        outputs,
        1,
    )


# ── plain NumPy ──────────────────────────────────────────────────────────────────────────────────
# (cotangents of the outputs, the arguments) -> the cotangents of those arguments that move
WayBack: TypeAlias = "Callable[[Sequence[ndarray], Sequence[Any]], list[Any]]"


@dataclass(frozen=True)
class ExplicitProblem(Problem):
    """A function of NumPy arrays, and another that claims to be its gradient."""

    f: Callable[..., list[ndarray]] = list
    way_back: WayBack = None  # type: ignore[assignment]
    given: Arguments = None  # type: ignore[assignment]
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

    out = f(*given.filled([numpy_value(given.held[i]) for i in given.moving], numpy_value))
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

    xs = [given.held[i] for i in given.moving]
    return ExplicitProblem(xs, [given.paths[i] for i in given.moving], outputs, f=flat, way_back=way_back, given=given)


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
