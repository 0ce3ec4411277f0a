"""Transformations in any order: each composition equals its loop, its finite difference or another way to the same."""

import random
from collections.abc import Callable

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad.tracer import lax

A = np.array([[0.3, -0.2, 0.5], [0.1, 0.4, -0.3], [-0.6, 0.2, 0.1]])
X = np.array([0.7, -0.4, 1.1])
V = np.array([0.2, 1.0, -0.5])


def rows(x):
    return lax.dot(A, x)


def smooth(x):
    return jnp.sum(jnp.sin(x) * jnp.exp(x * 0.3) + x * x)


def network(x):
    return jnp.sum(jnp.tanh(rows(jnp.tanh(rows(x)))))


def recurrent(x):
    last, ys = lax.scan(lambda c, u: (jnp.tanh(c * u + x), jnp.sum(c * x)), x, np.array([0.5, -1.0, 0.3]))
    return jnp.sum(last) + jnp.sum(ys)


def chosen(x):
    return lax.cond(jnp.sum(x) > 1.0, lambda x: jnp.sum(x * x * x), lambda x: jnp.sum(jnp.sin(x)), x)


def counted(x):
    return jnp.sum(lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * x + i * 0.1, x))


def bounded(x):
    step, stop = lambda c: (c[0] + 1, c[1] * x * 0.9), lambda c: c[0] < 3
    return jnp.sum(lax.while_loop(stop, step, (0, x), max_steps=5)[1])


@jax.custom_jvp
def softplus(x):
    return jnp.log(1.0 + jnp.exp(x))


@softplus.defjvp
def _(primals, tangents):
    (x,), (dot,) = primals, tangents
    return softplus(x), dot / (1.0 + jnp.exp(-x))


def ruled(x):
    return jnp.sum(softplus(x) * x)


def again(x):
    return jax.checkpoint(network)(x) * jax.jit(smooth)(x)


POOL: list[Callable] = [smooth, network, recurrent, chosen, counted, bounded, ruled, again]
each = pytest.mark.parametrize("f", POOL, ids=lambda f: f.__name__)


def slope(f, x, h=1e-6):
    """The gradient by central differences, in float64."""
    return np.array([(float(f(x + h * e)) - float(f(x - h * e))) / (2 * h) for e in np.eye(len(x))])


def curvature(f, x, h=1e-5):
    return np.array([(np.asarray(jax.grad(f)(x + h * e)) - np.asarray(jax.grad(f)(x - h * e))) / (2 * h)
                     for e in np.eye(len(x))])  # fmt: skip


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


@each
def test_gradient_is_the_slope(f):
    close(jax.grad(f)(X), slope(f, X), 1e-8)


@each
def test_jit_changes_nothing(f):
    expected = jax.grad(f)(X)
    close(jax.jit(f)(X), f(X))
    for same in (jax.jit(jax.grad(f)), jax.grad(jax.jit(f)), jax.jit(jax.grad(jax.jit(f)))):
        close(same(X), expected)


@each
def test_forward_and_backward_agree(f):
    y, dot = jax.jvp(f, (X,), (V,))
    close(dot, np.dot(np.asarray(jax.grad(f)(X)), V))
    value, push = jax.linearize(f, X)
    close(push(V), dot)
    close(value, y)
    close(jax.jit(lambda x, v: jax.jvp(f, (x,), (v,))[1])(X, V), dot)


@each
def test_vmap_is_a_loop(f):
    xs = np.stack([X, V, X - V])
    close(jax.vmap(f)(xs), [float(f(x)) for x in xs])
    expected = np.stack([np.asarray(jax.grad(f)(x)) for x in xs])
    for mapped in (jax.vmap(jax.grad(f)), jax.jit(jax.vmap(jax.grad(f))), jax.vmap(jax.jit(jax.grad(f)))):
        close(mapped(xs), expected)
    close(jax.grad(lambda xs: jnp.sum(jax.vmap(f)(xs)))(xs), expected)
    close(jax.vmap(lambda v: jax.jvp(f, (X,), (v,))[1])(xs), [jax.jvp(f, (X,), (v,))[1].item() for v in xs])


@each
def test_second_derivatives_by_every_road(f):
    expected = curvature(f, X)
    fwd, rev = jax.jacfwd, jax.jacrev
    for road in (jax.hessian(f), rev(fwd(f)), rev(rev(f)), fwd(fwd(f)), jax.jit(jax.hessian(jax.jit(f)))):
        close(road(X), expected, 1e-7)
    close(jax.jvp(jax.grad(f), (X,), (V,))[1], expected @ V, 1e-7)
    close(jax.grad(lambda x: jnp.sum(jax.grad(f)(x) * V))(X), expected @ V, 1e-7)
    close(jax.vjp(jax.grad(f), X)[1](jnp.asarray(V))[0], expected @ V, 1e-7)


@each
def test_vmapped_hessians(f):
    xs = np.stack([X, V])
    close(jax.vmap(jax.hessian(f))(xs), [np.asarray(jax.hessian(f)(x)) for x in xs], 1e-10)


# Each makes another scalar function of a vector from one: applied two or three deep they reach every pair of rules.
STEPS = {
    "jit": jax.jit,
    "checkpoint": jax.checkpoint,
    "grad": lambda f: lambda x: jnp.sum(jax.grad(f)(x) * V),
    "jvp": lambda f: lambda x: jax.jvp(f, (x,), (V,))[1],
    "vjp": lambda f: lambda x: jnp.sum(jax.vjp(f, x)[1](np.float64(0.5))[0]),
    "vmap": lambda f: lambda x: jnp.sum(jax.vmap(f)(jnp.stack([x, x * 0.5]))),
    "vmap of columns": lambda f: lambda x: jnp.sum(jax.vmap(f, in_axes=1)(jnp.stack([x, x * 0.5], axis=1))),
    "map": lambda f: lambda x: jnp.sum(lax.map(f, jnp.stack([x, x * 0.5]))),
    "cond": lambda f: lambda x: lax.cond(x[0] > 0.0, f, lambda x: -f(x), x),
    "scan": lambda f: lambda x: lax.scan(lambda c, _: (c + f(x * c * 0.1), None), 1.0, length=2)[0],
}


@pytest.mark.parametrize("seed", range(40))
def test_drawn_compositions(seed):
    draw = random.Random(seed)
    f = draw.choice(POOL)
    names = [draw.choice(list(STEPS)) for _ in range(draw.choice([2, 2, 3]))]
    for name in names:
        f = STEPS[name](f)
    expected = slope(f, X)
    for g in (jax.grad(f), jax.jit(jax.grad(f))):
        np.testing.assert_allclose(np.asarray(g(X)), expected, rtol=1e-5, atol=1e-6, err_msg=" of ".join(names[::-1]))


def test_third_derivative():
    d3 = jax.grad(jax.grad(jax.grad(lambda x: jnp.sin(2.0 * x))))
    close(d3(0.3), -8 * np.cos(0.6), 1e-6)
    close(jax.jit(d3)(0.3), -8 * np.cos(0.6), 1e-6)


def test_perturbations_are_not_confused():
    # d/dx [x · d/dy (x + y)] = d/dx [x · 1] = 1, the classical trap
    assert float(jax.grad(lambda x: x * jax.grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    assert float(jax.jvp(lambda x: x * jax.jvp(lambda y: x * y, (1.0,), (1.0,))[1], (2.0,), (1.0,))[1]) == 4.0
    assert float(jax.vmap(lambda x: jax.grad(lambda y: x * y * y)(x))(np.array([3.0]))[0]) == 18.0


def test_nested_vmap():
    xs, ys = np.arange(3.0), np.arange(4.0)
    outer = jax.vmap(jax.vmap(lambda x, y: x * y, (None, 0)), (0, None))
    close(outer(xs, ys), np.outer(xs, ys))
