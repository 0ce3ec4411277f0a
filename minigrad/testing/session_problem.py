"""A session graph as a function that `check_grads` takes; its gradient is what `gradients` adds to the graph.

Floor 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import session as tf
from minigrad import tree
from minigrad.errors import ArgumentError
from minigrad.graph import Graph
from minigrad.op import ndarray
from minigrad.session.tensor import Tensor
from minigrad.session.variables import Variable
from minigrad.testing.problem import Applied, Arguments, Problem, applied_in, arguments_of, derivative_names, outputs_of
from minigrad.types import is_differentiable


class SessionFunction:
    """ys of a session graph as a function of xs; made by `session_function`."""

    def __init__(self, ys: Any, xs: Sequence[Any], sess: tf.Session, feed_dict: dict[Any, Any] | None = None) -> None:
        self.ys, self.xs, self.sess, self.feed_dict = ys, tuple(xs), sess, dict(feed_dict or {})
        for x in self.xs:
            if not isinstance(x, (Tensor, Variable)):
                raise ArgumentError(
                    f"session_function: {x!r} (a {type(x).__name__}) is neither a tensor nor a variable",
                    hint="xs is a list of placeholders, other tensors or variables of the session's graph",
                )

    @contextmanager
    def fed(self, xs: Sequence[ndarray]) -> Iterator[dict[Any, Any]]:
        """What to feed for these values of xs. Variables take theirs while the context lasts."""
        variables = [x for x in self.xs if isinstance(x, Variable)]
        before = self.sess.run(variables)
        try:
            given = dict(zip(self.xs, xs))
            for variable in variables:
                variable.load(given.pop(variable), self.sess)
            yield {**self.feed_dict, **given}
        finally:
            for variable, value in zip(variables, before):
                variable.load(value, self.sess)

    def run(self, fetches: Any, xs: Sequence[ndarray]) -> Any:
        """The values of the fetches at xs."""
        with self.fed(xs) as feeds:
            return self.sess.run(fetches, feeds)

    def program(self, xs: Sequence[ndarray]) -> tuple[Graph, list[ndarray]]:
        """The graph that a run at xs runs, and on what."""
        with self.fed(xs) as feeds:
            return self.sess.program(tree.leaves(self.ys), feeds)

    def __call__(self, *xs: Any) -> Any:
        return self.run(self.ys, xs)


def session_function(
    ys: Any, xs: Sequence[Any], sess: tf.Session, feed_dict: dict[Any, Any] | None = None
) -> SessionFunction:
    """Tensors `ys` (in any nesting) as a function of the tensors or variables `xs`, for `check_grads`.

    feed_dict feeds the other placeholders. Checking adds gradient operations to the graph; variables among the xs are
    set while it runs and set back afterwards. A session computes in the dtypes of its graph, so build it in float64
    where you can: against differences in float32 only errors above about one part in a thousand are seen.

    >>> from minigrad.testing import check_grads
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.placeholder(tf.float64, [None], name="x")
    ...     y = tf.reduce_sum(tf.sin(x) * x)
    ...     check_grads(session_function(y, [x], sess), ([0.5, 1.5],))
    """
    return SessionFunction(ys, xs, sess, feed_dict)


@dataclass(frozen=True, kw_only=True)
class SessionProblem(Problem):
    """ys as a function of xs, run by their session; the gradient is what `gradients` adds to the graph."""

    f: SessionFunction
    given: Arguments
    cotangents: tuple[Any, ...]  # placeholders, one for each output that carries derivatives
    slopes: tuple[Any, ...]  # what `gradients` gave for those, by moving input
    modes = ("reverse",)
    widens = False

    def everything(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return [np.asarray(y) for y in self.f.run(tree.leaves(self.f.ys), self.full(xs))]

    def full(self, xs: Sequence[ndarray]) -> list[ndarray]:
        return list(self.given.filled(xs, lambda x: x))

    def pull(self, bars: Sequence[ndarray]) -> list[ndarray | None]:
        fed = feeding(self.f, dict(zip(self.cotangents, bars)))
        found = iter(fed.run([g for g in self.slopes if g is not None], self.full(self.xs)))
        return [None if g is None else np.asarray(next(found)) for g in self.slopes]

    def derivative(self, mode: str, along: Sequence[ndarray]) -> SessionProblem | None:
        slopes = [g for g in self.slopes if g is not None]
        names = [n for n, g in zip(derivative_names(self, mode), self.slopes) if g is not None]
        if not slopes:
            return None
        f = feeding(self.f, dict(zip(self.cotangents, along)), slopes)
        return prepared(f, self.given, self.xs, self.inputs, names, self.order + 1)

    def applied(self) -> list[Applied]:
        return applied_in(*self.f.program(self.full(self.xs)))


def feeding(f: SessionFunction, more: dict[Any, Any], ys: Any = None) -> SessionFunction:
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

    # a leaf each, in the dtype of its tensor, whatever was given for it
    fed = [np.array(a, x.dtype) for a, x in zip(args, f.xs)]
    given = arguments_of(f, fed, lambda x, path: np.array(x))
    outputs = outputs_of(f.ys, lambda y: y)
    names = [f.xs[i].name.removesuffix(":0") for i in given.moving]
    return prepared(f, given, given.xs, names, outputs, 1)
