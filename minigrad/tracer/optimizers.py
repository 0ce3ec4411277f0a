"""Optimizers as pairs of pure functions: `state = init(params)`, `params, state = update(grads, state, params)`.

Floor 6. Params, gradients and state are trees; the arithmetic is `ops.optimize`, the same for all front-ends.

>>> params = {"w": 1.0}
>>> optimizer = sgd(0.5)
>>> params, state = optimizer.update({"w": 1.0}, optimizer.init(params), params)
>>> float(params["w"])
0.5
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad import tree
from minigrad.op import Array, lift
from minigrad.ops import optimize
from minigrad.ops.elementwise import add, convert
from minigrad.ops.kinds import zeros
from minigrad.types import INT64

__all__ = ["Optimizer", "adam", "sgd"]

Rate = float | Callable[[Any], Any]  # a number, or a schedule: a function of the number of steps done


class Optimizer(NamedTuple):
    """`init(params) -> state` and `update(grads, state, params) -> (new params, new state)`."""

    init: Callable[[Any], Any]
    update: Callable[[Any, Any, Any], tuple[Any, Any]]


class SgdState(NamedTuple):
    """Steps done, and the velocities (None without momentum)."""

    step: Any
    velocity: Any


class AdamState(NamedTuple):
    """Steps done, and the running means of the gradients and of their squares."""

    step: Any
    m: Any
    v: Any


def sgd(learning_rate: Rate, momentum: float = 0.0, nesterov: bool = False) -> Optimizer:
    """Gradient descent, with momentum if asked for (as PyTorch's)."""

    def init(params: Any) -> SgdState:
        return SgdState(_nothing_done(), tree.map(_zeros_like, params) if momentum else None)

    def update(grads: Any, state: SgdState, params: Any) -> tuple[Any, SgdState]:
        lr = _rate(learning_rate, state.step)

        def one(w: Any, g: Any, velocity: Any = None) -> tuple[Any, Any]:
            return optimize.sgd(w, g, velocity, lr=_as(lr, w), momentum=momentum, nesterov=nesterov)

        params, velocity = _columns(2, one, params, grads, *([state.velocity] if momentum else []))
        return params, SgdState(add(state.step, 1), velocity if momentum else None)

    return Optimizer(init, update)


def adam(learning_rate: Rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """Kingma & Ba 2015."""

    def init(params: Any) -> AdamState:
        return AdamState(_nothing_done(), tree.map(_zeros_like, params), tree.map(_zeros_like, params))

    def update(grads: Any, state: AdamState, params: Any) -> tuple[Any, AdamState]:
        lr, step = _rate(learning_rate, state.step), add(state.step, 1)

        def one(w: Any, g: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            t = convert(step, lift(w).dtype)
            return optimize.adam(w, g, m, v, t, lr=_as(lr, w), beta1=b1, beta2=b2, eps=eps)

        params, m, v = _columns(3, one, params, grads, state.m, state.v)
        return params, AdamState(step, m, v)

    return Optimizer(init, update)


def _nothing_done() -> Array:
    return Array(np.zeros((), INT64))


def _zeros_like(w: Any) -> Any:
    return zeros(lift(w).type)


def _rate(learning_rate: Rate, step: Any) -> Any:
    return learning_rate(step) if callable(learning_rate) else learning_rate


def _as(lr: Any, w: Any) -> Any:
    """A scheduled rate in the dtype of the parameter; a Python number is weak already."""
    return lr if isinstance(lr, float | int) else convert(lr, lift(w).dtype)


def _columns(count: int, f: Callable[..., tuple[Any, ...]], whole: Any, *rest: Any) -> list[Any]:
    """Trees of the first, second, ... results of f over the leaves."""
    leaves, structure = tree.flatten(whole)
    rows = [f(*map(lift, row)) for row in zip(leaves, *(structure.flatten_up_to(t) for t in rest))]
    return [structure.unflatten([row[k] for row in rows]) for k in range(count)]
