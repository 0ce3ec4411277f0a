"""Random numbers: JAX 0.10's, from the same keys; and what follows from keys being values."""

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad import errors
from minigrad.tracer import random

KEY = random.PRNGKey(42)
P = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
GRID = np.arange(6, dtype=np.float32).reshape(3, 2)

# Computed with JAX 0.10.
EXACT = [
    (lambda k: random.split(k, 3), [[1832780943, 270669613], [64467757, 2916123636], [2465931498, 255383827]]),
    (lambda k: random.fold_in(k, 7), [2547012911, 1371500959]),
    (lambda k: random.bits(k, (3,)), [2098992034, 2919706841, 2646866425]),
    (lambda k: random.uniform(k, (3,)), [0.48870956897735596, 0.6797971725463867, 0.6162714958190918]),
    (lambda k: random.randint(k, (4,), 0, 10), [4, 4, 1, 9]),
    (lambda k: random.bernoulli(k, 0.3, (5,)), [False, False, False, False, False]),
    (lambda k: random.permutation(k, 7), [4, 2, 5, 3, 6, 0, 1]),
    (lambda k: random.permutation(k, GRID), [[4.0, 5.0], [0.0, 1.0], [2.0, 3.0]]),
    (lambda k: random.permutation(k, GRID, axis=1, independent=True), [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
    (lambda k: random.choice(k, 5, (4,)), [4, 4, 1, 4]),
    (
        lambda k: random.choice(k, GRID, (2, 2), axis=1),
        [[[0.0, 0.0], [1.0, 1.0]], [[2.0, 2.0], [3.0, 3.0]], [[4.0, 4.0], [5.0, 5.0]]],
    ),
    (
        lambda k: random.choice(k, P, (3,), replace=False),
        [0.30000001192092896, 0.4000000059604645, 0.10000000149011612],
    ),
    (lambda k: random.choice(k, 4, (6,), p=P), [2, 2, 2, 2, 2, 2]),
    (lambda k: random.choice(k, 4, (3,), p=P, replace=False), [3, 2, 1]),
    (lambda k: random.categorical(k, np.log(P), shape=(5,)), [3, 3, 3, 3, 3]),
    (lambda k: random.rademacher(k, (4,)), [1, -1, -1, -1]),
]
CLOSE = [
    (lambda k: random.normal(k, (3,)), [-0.02830461598932743, 0.4671318531036377, 0.2957029640674591]),
    (lambda k: random.gumbel(k, (2,)), [0.3340933918952942, 0.952019453048706]),
    (lambda k: random.exponential(k, (2,)), [0.670817494392395, 1.1388006210327148]),
    (
        lambda k: random.truncated_normal(k, -1.0, 1.0, (3,)),
        [-0.01932193711400032, 0.3126998543739319, 0.20030078291893005],
    ),
    (lambda k: random.laplace(k, (3,)), [0.022839652374386787, -0.4456535577774048, -0.2646729052066803]),
]


@pytest.mark.parametrize(("draw", "expected"), EXACT, ids=range(len(EXACT)))
def test_numbers_are_those_of_jax(draw, expected):
    assert np.asarray(draw(KEY)).tolist() == expected
    assert np.asarray(jax.jit(draw)(KEY)).tolist() == expected


@pytest.mark.parametrize(("draw", "expected"), CLOSE, ids=range(len(CLOSE)))
def test_numbers_with_logarithms_are_close_to_those_of_jax(draw, expected):
    np.testing.assert_allclose(np.asarray(draw(KEY)), expected, rtol=3e-6)


def test_keys_are_values():
    keys = random.split(KEY, 3)
    lanes = jax.vmap(lambda k: random.normal(k, (2,)))(keys)
    for k, lane in zip(np.asarray(keys), np.asarray(lanes), strict=True):
        assert np.asarray(random.normal(k, (2,))).tolist() == lane.tolist()
    assert np.asarray(jax.jit(lambda k: random.uniform(k, (2,)))(KEY)).tolist() == random.uniform(KEY, (2,)).tolist()
    assert random.key(7).tolist() == random.PRNGKey(7).tolist() == [0, 7]


def test_moments():
    n = 20_000
    x = np.asarray(random.normal(random.key(1), (n,)))
    assert abs(x.mean()) < 4 / np.sqrt(n)
    assert abs(x.std() - 1) < 4 / np.sqrt(n)
    u = np.asarray(random.uniform(random.key(2), (n,), minval=-1.0, maxval=3.0))
    assert -1 <= u.min() < u.max() < 3
    counts = np.bincount(np.asarray(random.categorical(random.key(3), np.log(P), shape=(n,))), minlength=4) / n
    assert np.abs(counts - P).max() < 0.02
    assert sorted(np.asarray(random.permutation(random.key(4), 50)).tolist()) == list(range(50))
    t = np.asarray(random.truncated_normal(random.key(5), -0.5, 1.0, (n,)))
    assert -0.5 < t.min() < t.max() < 1.0
    assert set(np.asarray(random.rademacher(random.key(6), (50,))).tolist()) == {-1, 1}


def test_gradients_flow_through_the_parameters_of_a_draw():
    def sample(mean, scale):
        return jnp.sum(mean + scale * random.normal(KEY, (3,)))

    g = jax.jit(jax.grad(sample, (0, 1)))(0.0, 1.0)
    assert float(g[0]) == 3.0
    np.testing.assert_allclose(float(g[1]), np.asarray(random.normal(KEY, (3,))).sum(), rtol=1e-5)


@pytest.mark.parametrize(("draw", "what"), [
    (lambda: random.choice(KEY, 3, (4,), replace=False), "choice: cannot draw 4 of 3 without replacement"),
    (lambda: random.choice(KEY, 3, p=P), "choice: p is f32[4], but there are 3 elements along axis 0 of i32[3]"),
    (lambda: random.categorical(KEY, GRID, shape=(2,)),
     "categorical: shape (2,) does not end in (3,), the axes of logits f32[3,2] without axis 1"),
    (lambda: random.permutation(KEY, 2.5), "permutation: give a Python int or a tensor with an axis, got f32[]"),
    (lambda: random.bits(0), "bits: a key is u32[2], got i64[]"),
])  # fmt: skip
def test_mistakes(draw, what):
    with pytest.raises(errors.MinigradError) as caught:
        draw()
    assert caught.value.what == what
