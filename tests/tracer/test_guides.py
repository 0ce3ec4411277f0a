"""Programs of the kind JAX's own guides open with: they run, and give the numbers they should."""

from dataclasses import dataclass

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad.tracer import lax, nn, optimizers, random
from minigrad.tracer.tree_util import tree_map


def test_selu_jitted_and_its_derivatives():
    @jax.jit
    def selu(x, alpha=1.67, scale=1.05):
        return scale * jnp.where(x > 0, x, alpha * jnp.exp(x) - alpha)

    x = jnp.arange(5.0)
    np.testing.assert_allclose(np.asarray(selu(x)), 1.05 * np.arange(5.0), rtol=1e-6)
    d = jax.grad(lambda x: jnp.sum(1.0 / (1.0 + jnp.exp(-x))))(jnp.arange(3.0))
    np.testing.assert_allclose(np.asarray(d), [0.25, 0.19661194, 0.10499357], rtol=1e-6)


def test_logistic_regression_learns():
    inputs = jnp.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]])
    targets = jnp.array([True, True, False, True])

    def predict(w, b, x):
        return nn.sigmoid(jnp.dot(x, w) + b)

    def loss(w, b):
        p = predict(w, b, inputs)
        label = p * targets + (1 - p) * (1 - targets.astype(jnp.float32))
        return -jnp.sum(jnp.log(label))

    w, b = random.normal(random.key(0), (3,)), np.float32(0.0)
    step = jax.jit(jax.value_and_grad(loss, (0, 1)))
    losses = []
    for _ in range(100):
        value, (w_bar, b_bar) = step(w, b)
        w, b = w - 0.5 * w_bar, b - 0.5 * b_bar
        losses.append(float(value))
    assert losses[-1] < 0.1 * losses[0]
    assert step.trace_count == 1
    assert np.asarray(predict(w, b, inputs) > 0.5).tolist() == [True, True, False, True]


def test_batched_prediction_of_one_example_code():
    w = random.normal(random.key(1), (10, 4))

    def one(x):
        return jnp.dot(w, x)

    xs = random.normal(random.key(2), (6, 4))
    expected = np.stack([np.asarray(one(x)) for x in xs])
    np.testing.assert_allclose(np.asarray(jax.jit(jax.vmap(one))(xs)), expected, rtol=1e-5, atol=1e-6)


def test_per_example_gradients_of_an_mlp():
    def init(sizes, key):
        keys = random.split(key, len(sizes))
        return [{"w": 0.3 * random.normal(k, (m, n)), "b": jnp.zeros(n)} for k, m, n in zip(keys, sizes, sizes[1:])]

    def forward(params, x):
        *hidden, last = params
        for layer in hidden:
            x = nn.relu(x @ layer["w"] + layer["b"])
        return x @ last["w"] + last["b"]

    def loss(params, x, label):
        return -nn.log_softmax(forward(params, x))[label]

    params = init([5, 8, 3], random.key(0))
    xs, labels = random.normal(random.key(1), (7, 5)), random.randint(random.key(2), (7,), 0, 3)
    each = jax.jit(jax.vmap(jax.grad(loss), in_axes=(None, 0, 0)))(params, xs, labels)
    assert each[0]["w"].shape == (7, 5, 8)
    mean = jax.grad(lambda p: jnp.mean(jax.vmap(loss, (None, 0, 0))(p, xs, labels)))(params)
    for a, b in zip(jax.tree.leaves(each), jax.tree.leaves(mean)):
        np.testing.assert_allclose(np.asarray(a).mean(0), np.asarray(b), rtol=2e-4, atol=1e-6)
    one = jax.grad(loss)(params, xs[3], int(labels[3]))
    np.testing.assert_allclose(np.asarray(each[1]["w"])[3], np.asarray(one[1]["w"]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", [
    optimizers.sgd(0.1), optimizers.sgd(0.05, momentum=0.9), optimizers.sgd(0.05, 0.9, nesterov=True),
    optimizers.adam(0.1), optimizers.adam(lambda step: 0.2 / (1.0 + 0.05 * step)),
], ids=["sgd", "momentum", "nesterov", "adam", "schedule"])  # fmt: skip
def test_optimizers_find_the_minimum(optimizer):
    target = {"a": jnp.asarray([1.0, -2.0]), "b": 3.0}

    def loss(p):
        return jnp.sum((p["a"] - target["a"]) ** 2) + (p["b"] - target["b"]) ** 2

    @jax.jit
    def step(p, state):
        return optimizer.update(jax.grad(loss)(p), state, p)

    p = {"a": jnp.zeros(2), "b": np.float32(0.0)}
    state = optimizer.init(p)
    for _ in range(150):
        p, state = step(p, state)
    assert float(loss(p)) < 1e-2
    assert step.trace_count == 1
    assert int(state.step) == 150


def test_hessian_vector_products():
    def f(x):
        return jnp.sum(jnp.sin(x) * x**2)

    x, v = random.normal(random.key(0), (30,)), random.normal(random.key(1), (30,))
    forward_over_reverse = jax.jvp(jax.grad(f), (x,), (v,))[1]
    reverse_over_reverse = jax.grad(lambda x: jnp.vdot(jax.grad(f)(x), v))(x)
    dense = jax.hessian(f)(x) @ v
    np.testing.assert_allclose(np.asarray(forward_over_reverse), np.asarray(dense), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(reverse_over_reverse), np.asarray(dense), rtol=1e-4, atol=1e-5)


def test_matrix_jacobian_products_by_vmap():
    w, m = random.normal(random.key(0), (4, 3)), random.normal(random.key(1), (6, 4))
    _, pull = jax.vjp(lambda w: jnp.tanh(w @ jnp.ones(3)), w)
    (rows,) = jax.vmap(pull)(m)
    expected = np.stack([np.asarray(pull(r)[0]) for r in m])
    np.testing.assert_allclose(np.asarray(rows), expected, rtol=1e-6)


def test_newton_on_a_small_system():
    def f(x):
        return jnp.array([x[0] ** 2 + x[1] - 3.0, x[0] - x[1] ** 2 + 1.0])

    def inverse(j):  # of a 2 by 2 matrix
        det = j[0, 0] * j[1, 1] - j[0, 1] * j[1, 0]
        return jnp.array([[j[1, 1], -j[0, 1]], [-j[1, 0], j[0, 0]]]) / det

    x = np.array([1.0, 1.0])
    for _ in range(8):
        x = x - inverse(jax.jacfwd(f)(x)) @ f(x)
    np.testing.assert_allclose(np.asarray(f(x)), 0.0, atol=1e-12)


def test_an_rnn_by_scan_trains():
    def init(key):
        a, b, c = random.split(key, 3)
        n = 8
        return {
            "h": 0.3 * random.normal(a, (n, n)),
            "x": 0.3 * random.normal(b, (n,)),
            "y": 0.3 * random.normal(c, (n,)),
        }

    def run(p, xs):
        def cell(h, x):
            h = jnp.tanh(p["h"] @ h + p["x"] * x)
            return h, h @ p["y"]

        return lax.scan(cell, jnp.zeros(8), xs)[1]

    xs = jnp.sin(jnp.arange(21.0) * 0.5)

    def loss(p):
        return jnp.mean((run(p, xs[:-1]) - xs[1:]) ** 2)

    optimizer = optimizers.adam(0.02)
    p = init(random.key(0))
    state = optimizer.init(p)
    step = jax.jit(lambda p, s: optimizer.update(jax.grad(loss)(p), s, p))
    first = float(loss(p))
    for _ in range(100):
        p, state = step(p, state)
    assert float(loss(p)) < 0.05 * first


def test_immutable_updates():
    x = jnp.arange(6.0).reshape(2, 3)
    y = x.at[1, :].set(9.0).at[0, 0].add(5.0)
    assert x.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert y.tolist() == [[5.0, 1.0, 2.0], [9.0, 9.0, 9.0]]
    g = jax.jit(jax.grad(lambda x: jnp.sum(x.at[0].multiply(10.0) ** 2)))(x)
    assert g.tolist() == [[0.0, 200.0, 400.0], [6.0, 8.0, 10.0]]
    by_lane = jax.vmap(lambda x, i: x.at[i].set(0.0))(x, jnp.array([2, 0]))
    assert by_lane.tolist() == [[0.0, 1.0, 0.0], [0.0, 4.0, 5.0]]


def test_a_dataclass_is_a_tree():
    @dataclass
    class Line:
        slope: object
        offset: object

    line = Line(2.0, jnp.asarray([1.0, 2.0]))
    g = jax.jit(jax.grad(lambda l, x: jnp.sum(l.slope * x + l.offset)))(line, 3.0)
    assert (float(g.slope), g.offset.tolist()) == (6.0, [1.0, 1.0])
    assert tree_map(lambda a: a + 1, line).slope == 3.0


def test_an_ensemble_by_vmap_over_parameters():
    def init(key):
        return {"w": random.normal(key, (3,)), "b": np.float32(0.0)}

    members = jax.vmap(init)(random.split(random.key(0), 5))
    assert {k: v.shape for k, v in members.items()} == {"w": (5, 3), "b": (5,)}
    xs = random.normal(random.key(1), (4, 3))
    out = jax.vmap(jax.vmap(lambda p, x: x @ p["w"] + p["b"], (None, 0)), (0, None))(members, xs)
    np.testing.assert_allclose(np.asarray(out), np.asarray(members["w"] @ xs.T), rtol=1e-5)


def test_an_ode_solver_and_its_gradient():
    def solve(k, y, steps=100, t=1.0):
        h = t / steps

        def step(_, y):
            a = -k * y
            b = -k * (y + 0.5 * h * a)
            return y + h * b

        return lax.fori_loop(0, steps, step, y)

    np.testing.assert_allclose(float(solve(np.float64(2.0), np.float64(1.0))), np.exp(-2), rtol=1e-3)
    np.testing.assert_allclose(
        float(jax.jit(jax.grad(solve))(np.float64(2.0), np.float64(1.0))), -np.exp(-2), rtol=1e-4
    )


def test_convolution_in_both_layouts():
    x, w = random.normal(random.key(0), (2, 3, 8, 8)), random.normal(random.key(1), (4, 3, 3, 3))
    y = lax.conv(x, w, (1, 1), "SAME")
    assert y.shape == (2, 4, 8, 8)
    last = lax.conv_general_dilated(
        jnp.transpose(x, (0, 2, 3, 1)), jnp.transpose(w, (2, 3, 1, 0)), (1, 1), "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    np.testing.assert_allclose(np.asarray(jnp.transpose(last, (0, 3, 1, 2))), np.asarray(y), rtol=1e-5, atol=1e-5)
    expected = (np.asarray(x)[0, :, 2:5, 3:6] * np.asarray(w)[1]).sum()
    np.testing.assert_allclose(float(y[0, 1, 3, 4]), expected, rtol=1e-4)
