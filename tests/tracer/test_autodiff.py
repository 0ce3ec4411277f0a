"""grad, jvp, vjp, linearize, jacfwd, jacrev: trees, argnums, aux, types."""

from collections import namedtuple

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad.tracer import lax

Pair = namedtuple("Pair", "a b")


def test_a_linear_model_by_tree():
    params = {"w": jnp.asarray([[1.0, 2.0], [3.0, 4.0]]), "b": Pair(1.0, [jnp.asarray([0.5, -0.5])])}

    def loss(p, x):
        return jnp.sum((lax.dot(p["w"], x) + p["b"].a + p["b"].b[0]) ** 2)

    g = jax.grad(loss)(params, jnp.asarray([1.0, -1.0]))
    assert jax.tree.structure(g) == jax.tree.structure(params)
    error = np.array([[1.0, 2.0], [3.0, 4.0]]) @ [1.0, -1.0] + 1.0 + [0.5, -0.5]
    np.testing.assert_allclose(np.asarray(g["w"]), 2 * np.outer(error, [1.0, -1.0]))
    np.testing.assert_allclose(np.asarray(g["b"].b[0]), 2 * error)
    assert float(g["b"].a) == 2 * error.sum()


def test_argnums_aux_and_keywords():
    def f(x, y, *, scale):
        return x * y * scale, {"sum": x + y, "note": "kept as it is", "n": 3}

    (value, aux), (gx, gy) = jax.value_and_grad(f, argnums=(0, -1), has_aux=True)(2.0, 5.0, scale=10.0)
    assert (float(value), float(gx), float(gy)) == (100.0, 50.0, 20.0)
    assert float(aux["sum"]) == 7.0
    assert aux["note"] == "kept as it is"
    assert aux["n"] == 3
    g, aux = jax.grad(f, argnums=1, has_aux=True)(2.0, 5.0, scale=1.0)
    assert float(g) == 2.0
    assert type(aux["sum"]) is jax.Array


def test_a_gradient_has_the_type_of_its_input():
    assert jax.grad(lambda x: x * x)(3.0).dtype == np.float32
    assert jax.grad(lambda x: jnp.sum(x * 2.0))(np.ones(3)).dtype == np.float64
    mixed = jax.grad(lambda a, b: jnp.sum(a * b), argnums=(0, 1))(np.ones(3, np.float32), np.ones(3))
    assert [g.dtype for g in mixed] == [np.float32, np.float64]
    small = jax.grad(lambda b, x: jnp.sum(b * x))(np.ones((1, 3)), np.ones((4, 3)))
    assert small.shape == (1, 3)


def test_what_is_not_used_has_a_zero_gradient():
    g = jax.grad(lambda p: p["used"] * 2.0)({"used": 1.0, "unused": np.ones((2, 3))})
    assert np.asarray(g["unused"]).tolist() == [[0.0] * 3] * 2
    assert float(jax.grad(lambda x: 7.0)(1.0)) == 0.0
    assert float(jax.jvp(lambda x: 7.0, (1.0,), (1.0,))[1]) == 0.0
    assert float(jax.grad(lambda x: lax.stop_gradient(x) * x)(3.0)) == 3.0


def test_python_control_flow_under_grad():
    def f(x):
        if x > 0:
            while x < 10:
                x = x * x
            return x
        return -x

    assert float(jax.grad(f)(2.0)) == 32.0  # 2 -> 4 -> 16 = x⁴, slope 4·2³
    assert float(jax.grad(f)(-2.0)) == -1.0
    assert float(jax.jvp(f, (2.0,), (1.0,))[1]) == 32.0
    assert float(jax.linearize(f, 2.0)[1](1.0)) == 32.0


def test_vjp_of_trees_and_integer_outputs():
    def f(x, n):
        return {"y": x * 2.0, "n": n + 1}, x * n

    (out, _), pull = jax.vjp(f, jnp.asarray([1.0, 2.0]), 3)
    assert int(out["n"]) == 4
    x_bar, n_bar = pull(({"y": jnp.asarray([1.0, 1.0]), "n": None}, jnp.asarray([10.0, 0.0])))
    assert x_bar.tolist() == [32.0, 2.0]
    assert (n_bar.dtype, int(n_bar)) == (np.int64, 0)
    assert pull(({"y": None, "n": None}, jnp.asarray([1.0, 0.0])))[0].tolist() == [3.0, 0.0]


def test_aux_of_vjp_jvp_linearize():
    def f(x):
        return x * x, {"half": x / 2}

    y, pull, aux = jax.vjp(f, 3.0, has_aux=True)
    assert (float(y), float(aux["half"]), float(pull(1.0)[0])) == (9.0, 1.5, 6.0)
    y, dot, aux = jax.jvp(f, (3.0,), (1.0,), has_aux=True)
    assert (float(y), float(dot), float(aux["half"])) == (9.0, 6.0, 1.5)
    y, push, aux = jax.linearize(f, 3.0, has_aux=True)
    assert (float(y), float(push(2.0)), float(aux["half"])) == (9.0, 12.0, 1.5)


def test_linearize_runs_the_function_once():
    runs = []
    _, push = jax.linearize(lambda x: runs.append(1) or jnp.sin(x), 0.5)
    results = [float(push(t)) for t in (1.0, 2.0)]
    np.testing.assert_allclose(results, np.cos(0.5) * np.array([1.0, 2.0]), rtol=1e-6)
    assert len(runs) == 1
    assert np.allclose(np.asarray(jax.vmap(push)(jnp.asarray([1.0, 2.0]))), results)


def test_jacobians_of_trees():
    def f(p):
        return {"outer": p["a"] * p["b"], "sum": jnp.sum(p["a"])}

    p = {"a": np.array([1.0, 2.0]), "b": np.array([[3.0], [4.0], [5.0]])}
    a, b = p["a"], p["b"][:, 0]
    for jacobian in (jax.jacfwd, jax.jacrev):
        j = jacobian(f)(p)
        assert j["outer"]["a"].shape == (3, 2, 2)
        assert j["outer"]["b"].shape == (3, 2, 3, 1)
        np.testing.assert_allclose(np.asarray(j["outer"]["a"]), np.einsum("i,jk->ijk", b, np.eye(2)))
        np.testing.assert_allclose(np.asarray(j["outer"]["b"])[..., 0], np.einsum("j,ik->ijk", a, np.eye(3)))
        assert np.asarray(j["sum"]["a"]).tolist() == [1.0, 1.0]
        assert not np.asarray(j["sum"]["b"]).any()
    both = jax.jacfwd(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0)
    assert [float(x) for x in both] == [3.0, 2.0]
    h, aux = jax.jacrev(lambda x: (x * x, x + 1.0), has_aux=True)(3.0)
    assert (float(h), float(aux)) == (6.0, 4.0)


def test_holomorphic():
    z = np.complex128(1.0 + 2.0j)
    g = jax.grad(lambda z: z * z * z, holomorphic=True)(z)
    assert complex(g) == 3 * z * z
    assert complex(jax.jacfwd(lambda z: z * z, holomorphic=True)(z)) == 2 * z


def test_complex_inputs_of_real_functions():
    # as JAX has it: the gradient pairs with z without conjugation, d|z|² = z̄·dz + z·dz̄ gives 2z̄
    g = jax.grad(lambda z: jnp.real(z) ** 2 + jnp.imag(z) ** 2)(np.complex64(3 + 4j))
    assert complex(g) == 6 - 8j
    assert complex(jax.jacrev(lambda z: jnp.abs(z))(np.complex64(3 + 4j))) == pytest.approx(0.6 - 0.8j)
    _, pull = jax.vjp(lambda z: jnp.conj(z) * z * z, np.complex64(1 + 2j))
    assert complex(pull(np.complex64(0.5 - 1j))[0]) == 7.5 - 15j


def test_gradient_through_another_gradient_step():
    def inner(w, x):
        return (w - x) ** 2

    def after_one_step(rate, w, x):
        return inner(w - rate * jax.grad(inner)(w, x), x)

    # w' - x = (w - x)(1 - 2r): d/dr (w' - x)² = -4 (w - x)² (1 - 2r)
    np.testing.assert_allclose(float(jax.grad(after_one_step)(0.1, 3.0, 1.0)), -4 * 4 * 0.8, rtol=1e-6)


def test_a_long_chain_is_no_recursion():
    def f(x):
        for _ in range(20_000):
            x = x * 1.0
        return x

    assert float(jax.grad(f)(2.0)) == 1.0
