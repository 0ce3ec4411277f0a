"""NumPy's own functions given our values: done by ours where a value is more than its numbers, never silently lost."""

import numpy as np
import pytest

import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad import errors
from minigrad.op import Array

X = np.array([0.5, 1.0, 2.0], np.float32)

# programs in the words of NumPy, which alone is the reference
PROGRAMS = [
    lambda x: np.sum(np.sin(x) * x),
    lambda x: np.exp(x).sum(),
    lambda x: np.mean(X + x) - np.max(X - x),
    lambda x: np.sum(np.concatenate([x, X * x]) ** 2),
    lambda x: np.dot(X, x) + X @ x,
    lambda x: np.where(X > 0.7, x, X / x).sum(),
    lambda x: np.sum(np.sqrt(np.float32(2.0)) * x),
    lambda x: np.tanh(np.arctan2(X, x)).sum(),
    lambda x: np.sum(np.maximum(x, np.abs(X)) * np.less(X, x)),
]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_same_in_every_front_end(number):
    f = PROGRAMS[number]
    x = X * np.float32(1.25)
    value = f(x)
    h = 1e-3
    slope = [(f((x + h * e).astype("f8")) - f((x - h * e).astype("f8"))) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(f(Array(x)), value, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(f)(x), value, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(f)(np.stack([x, x])), [value, value], rtol=1e-5)
    np.testing.assert_allclose(jax.grad(f)(x), slope, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(jax.jacfwd(f)(x), slope, rtol=2e-3, atol=2e-3)
    t = torch.tensor(x, requires_grad=True)
    f(t).backward()
    np.testing.assert_allclose(t.grad, slope, rtol=2e-3, atol=2e-3)
    with tf.Graph().as_default(), tf.Session() as sess:
        p = tf.placeholder(tf.float32, [3])
        y = f(p)
        found = sess.run([y, *tf.gradients(y, p)], {p: x})
    np.testing.assert_allclose(found[0], value, rtol=1e-5)
    np.testing.assert_allclose(found[1], slope, rtol=2e-3, atol=2e-3)


def test_a_derivative_is_not_silently_lost():
    def f(x):
        return np.sum(np.asarray(x) * x)

    for derive in (jax.grad, jax.jacfwd):
        with pytest.raises(errors.ConcretizationError) as caught:
            derive(f)(X)
        assert caught.value.what == (
            "numpy.asarray() of f32[3], which is being differentiated: the numbers would leave its derivative behind"
        )
        assert caught.value.hint == (
            "use minigrad.numpy's functions (or NumPy's, on the value itself), or lax.stop_gradient(x)"
        )
        assert caught.value.line.filename == __file__
    with pytest.raises(errors.ConcretizationError):
        jax.jit(f)(X)
    with pytest.raises(errors.BackwardError, match="would not be recorded"):
        f(torch.tensor(X, requires_grad=True))


def test_the_line_is_the_users_where_numpy_calls_back():
    w = torch.ones(3, requires_grad=True)
    with pytest.raises(errors.BackwardError) as caught:
        np.mean([w.sum(), w.sum()])
    assert caught.value.line.text == "np.mean([w.sum(), w.sum()])"
