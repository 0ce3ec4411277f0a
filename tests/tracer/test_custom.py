"""custom_jvp, custom_vjp, checkpoint: the author's rule is used, everywhere, to any order."""

from functools import partial

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad import errors
from minigrad.tracer import lax

X = np.array([0.5, 1.0, 2.0])


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_a_stable_log1pexp():
    @jax.custom_jvp
    def log1pexp(x):
        return jnp.log(1.0 + jnp.exp(x))

    plain = log1pexp.f

    @log1pexp.defjvp
    def _(primals, tangents):
        (x,), (dot,) = primals, tangents
        return log1pexp(x), (1.0 - 1.0 / (1.0 + jnp.exp(x))) * dot

    assert float(jax.grad(plain)(100.0)) != 1.0  # inf / inf is lost
    assert float(jax.grad(log1pexp)(100.0)) == 1.0
    assert float(jax.jit(jax.grad(log1pexp))(100.0)) == 1.0
    np.testing.assert_allclose(np.asarray(jax.vmap(jax.grad(log1pexp))(X)), 1 / (1 + np.exp(-X)))
    s = 1 / (1 + np.exp(-0.5))
    np.testing.assert_allclose(float(jax.grad(jax.grad(log1pexp))(0.5)), s * (1 - s), rtol=1e-5)


def test_a_rule_is_used_where_the_function_is_inside_other_things():
    @jax.custom_jvp
    def f(x):
        return x * x

    f.defjvp(lambda primals, tangents: (f(*primals), 100.0 * tangents[0]))
    for g in (
        f,
        jax.jit(f),
        lambda x: jax.jit(lambda y: f(y))(x),
        lambda x: lax.cond(True, f, lambda x: x, x),
        lambda x: lax.scan(lambda c, _: (f(x), None), 0.0 * x, length=1)[0],
        lambda x: lax.fori_loop(0, 1, lambda i, c: f(c), x),
        jax.checkpoint(f),
        lambda x: jnp.sum(jax.vmap(f)(jnp.reshape(x, (1,)))),
    ):
        assert float(jax.grad(g)(np.float64(3.0))) == 100.0
        assert float(jax.jit(jax.grad(g))(np.float64(3.0))) == 100.0
        assert float(jax.jvp(g, (3.0,), (1.0,))[1]) == 100.0


def test_defjvps_and_several_arguments():
    @jax.custom_jvp
    def f(x, n, y):
        return {"out": x * y * n}

    f.defjvps(
        lambda dot, out, x, n, y: {"out": 2.0 * dot},
        None,
        lambda dot, out, x, n, y: {"out": 3.0 * dot + 0.0 * out["out"]},
    )
    g = jax.grad(lambda x, y: f(x, 4, y)["out"], (0, 1))(1.0, 1.0)
    assert [float(v) for v in g] == [2.0, 3.0]


def test_gradient_clipping_by_custom_vjp():
    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def clipped(limit, tree):
        return tree

    clipped.defvjp(
        lambda limit, tree: (tree, None),
        lambda limit, saved, bars: (jax.tree.map(lambda b: lax.clamp(-limit, b, limit), bars),),
    )

    def loss(p):
        p = clipped(1.0, p)
        return p["a"] * 5.0 + p["b"] * 0.5

    for g in (jax.grad(loss), jax.jit(jax.grad(loss))):
        got = g({"a": 1.0, "b": 1.0})
        assert (float(got["a"]), float(got["b"])) == (1.0, 0.5)
    lanes = jax.vmap(jax.grad(loss))({"a": np.ones(2), "b": np.ones(2)})
    assert lanes["a"].tolist() == [1.0, 1.0]


def test_implicit_differentiation_of_a_fixed_point():
    @jax.custom_vjp
    def fixed_point(a):
        return lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)

    def forward(a):
        x = fixed_point(a)
        return x, (x, a)

    fixed_point.defvjp(forward, lambda saved, bar: (bar / (2.0 * saved[0]),))
    g = jax.jit(jax.grad(fixed_point))
    np.testing.assert_allclose(float(g(np.float64(4.0))), 0.25)
    np.testing.assert_allclose(float(jax.grad(jax.grad(fixed_point))(np.float64(4.0))), -0.25 / 8)


def test_a_custom_vjp_inside_loops():
    f = jax.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (f(x), x), lambda saved, bar: (10.0 * bar,))
    loops = (
        lambda x: lax.scan(lambda c, _: (c + f(x), None), 0.0 * x, length=2)[0],
        lambda x: lax.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, s[1] + f(x)), (0, 0.0 * x))[1],
        lambda x: lax.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, s[1] + f(x)), (0, 0.0 * x), max_steps=3)[1],
        lambda x: lax.cond(x > 0, lambda: f(x) + f(x), lambda: x),
        jax.checkpoint(lambda x: f(x) + f(x)),
    )
    for g in loops:
        assert float(jax.grad(g)(3.0)) == 20.0
        assert float(jax.jit(jax.grad(g))(3.0)) == 20.0
        assert jax.vmap(jax.grad(g))(np.ones(2)).tolist() == [20.0, 20.0]


def test_custom_vjp_has_no_forward_mode():
    f = jax.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, None), lambda saved, bar: (bar,))
    with pytest.raises(errors.NotDifferentiableError, match="custom_vjp has a rule for reverse mode only"):
        jax.jvp(f, (1.0,), (1.0,))


def test_a_rule_that_closes_over_a_traced_value_says_so():
    def outer(w):
        f = jax.custom_jvp(lambda x: x * w)
        f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))
        return f(2.0)

    with pytest.raises(errors.GradientError, match="f or its rule closes over a traced value, f32"):
        jax.grad(outer)(1.0)


def test_checkpoint_computes_again_on_the_way_back():
    runs = []

    def f(x):
        jax.debug.callback(lambda: runs.append(1))
        return jnp.sin(jnp.sin(x))

    _, pull = jax.vjp(jax.checkpoint(f), 1.0)
    assert len(runs) == 1
    np.testing.assert_allclose(float(pull(1.0)[0]), np.cos(np.sin(1)) * np.cos(1), rtol=1e-6)
    assert len(runs) == 2
    g = jax.checkpoint(static_argnums=1)(lambda x, n: x**n)
    assert float(jax.grad(g)(2.0, 3)) == 12.0
