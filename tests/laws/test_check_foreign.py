"""check_grads of functions that bring their own gradients: of the tape, of a session, of plain NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad.session as tf
import minigrad.tape as torch
from minigrad.errors import ArgumentError, CheckFailedError
from minigrad.ops import elementwise as e
from minigrad.testing import check_grads, session_function
from minigrad.testing.mutants import Mutant, alive


def failure(f: Callable[..., Any], *args: Any, **more: Any) -> str:
    with pytest.raises(CheckFailedError) as caught:
        check_grads(f, args, seed=1, **more)
    return str(caught.value)


def wrong_tanh() -> Any:
    return alive(Mutant("tanh", "partials", "wrong", e.tanh, "partials", (lambda y, x: e.sub(1, y),), ()))


# ── the tape ─────────────────────────────────────────────────────────────────────────────────────
def test_tape_functions_pass() -> None:
    x, w = torch.tensor([[0.5, -1.0], [2.0, 0.1]]), torch.tensor([[1.0], [0.3]], dtype=torch.float64)
    check_grads(lambda x, w: torch.tanh(x @ w).sum(), (x, w))
    check_grads(lambda p: {"a": p["x"].exp(), "n": p["x"].argmax()}, ({"x": x},), order=3)
    check_grads(lambda x, n: x**2 * n, (torch.tensor(1.5), 3))
    layer = torch.nn.Linear(2, 3)
    check_grads(lambda x: torch.relu(layer(x)).sum(), (x,))


def test_a_gradient_the_tape_loses_is_found() -> None:
    text = failure(lambda x: x * x.detach(), torch.tensor(3.0, dtype=torch.float64))
    assert text.startswith(
        "check_grads: reverse mode, order 1: the derivative of output by x is 3, differences give 6 ±"
    )
    assert "stops a gradient" in text
    with pytest.raises(ArgumentError, match="differentiated in reverse mode only"):
        check_grads(lambda x: x * x, (torch.tensor(3.0),), modes=("forward",))


def test_a_wrong_rule_under_a_tape_function_is_named_at_its_line() -> None:
    with wrong_tanh():
        text = failure(lambda x: torch.tanh(x * 2.0).sum(), torch.tensor([0.5, 1.0], dtype=torch.float64))
    assert "the derivative rule of tanh" in text and "tanh applied at" in text and "test_check_foreign.py" in text


def test_float32_on_the_tape_is_held_against_float64() -> None:
    text = failure(lambda x: torch.sqrt(x + 1e3) - torch.sqrt(x), torch.tensor(1e7))
    assert "the float32 derivative by x is" in text and "in float64 the same program gives" in text


# ── a session ────────────────────────────────────────────────────────────────────────────────────
def test_session_programs_pass() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float64, [None, 2], name="x")
        scale = tf.placeholder(tf.float64, [])
        w = tf.Variable(np.array([[0.5], [-1.0]]), name="w")
        sess.run(tf.global_variables_initializer())
        y = {"loss": tf.reduce_mean(tf.tanh(tf.matmul(x, w)) * scale), "position": tf.argmax(x, 1)}
        f = session_function(y, [x, w], sess, {scale: 2.0})
        check_grads(f, (np.array([[0.1, 0.2], [1.0, -0.3]]), sess.run(w)))
        check_grads(f, ([[1, 2]], [[3.0], [4.0]]), order=1)
        assert sess.run(w).tolist() == [[0.5], [-1.0]]
        assert f([[0.0, 0.0]], [[1.0], [1.0]])["loss"] == 0.0


def test_a_session_in_float32_passes_as_far_as_float32_can_tell() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [3])
        check_grads(session_function(tf.reduce_sum(tf.exp(x) * x), [x], sess), ([0.1, 1.0, -0.5],))


def test_a_gradient_the_session_loses_is_found() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float64, [2], name="x")
        f = session_function(x * tf.stop_gradient(x), [x], sess)
        text = failure(f, [3.0, 4.0])
    assert "the derivative of output at index (1,) by x at index (1,) is 4, differences give 8 ±" in text
    assert "2 of 4 probes fail" in text


def test_a_wrong_rule_under_a_session_is_named_at_its_line() -> None:
    with wrong_tanh(), tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float64, [2], name="x")
        text = failure(session_function(tf.tanh(x * 2.0), [x], sess), [0.5, 1.0])
    assert "the derivative rule of tanh" in text and "test_check_foreign.py" in text


def test_wrong_session_calls() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float64, [])
        with pytest.raises(ArgumentError, match="has 1 xs, but args has 2 values"):
            check_grads(session_function(x * x, [x], sess), (1.0, 2.0))
        with pytest.raises(ArgumentError, match=r"1\.0 \(a float\) is neither a tensor nor a variable"):
            session_function(x * x, [1.0], sess)


# ── plain NumPy ──────────────────────────────────────────────────────────────────────────────────
def quadratic(x: np.ndarray, a: np.ndarray) -> Any:
    return x @ a @ x


def quadratic_gradient(x: np.ndarray, a: np.ndarray) -> Any:
    return (a + a.T) @ x, np.outer(x, x)


POINT = (np.array([1.0, 2.0, -0.5]), np.arange(9.0).reshape(3, 3))


def test_numpy_pairs_pass() -> None:
    check_grads(quadratic, POINT, gradient=quadratic_gradient)
    check_grads(lambda x: np.sum(x**3), (np.array([1.0, -2.0]),), gradient=lambda x: 3 * x**2)
    check_grads(lambda x, n: x**n, (1.5, 3), gradient=lambda x, n: (n * x ** (n - 1), None))
    check_grads(lambda p: p["a"] * p["b"], ({"a": 2.0, "b": 3.0},), gradient=lambda p: {"a": p["b"], "b": p["a"]})
    check_grads(np.tanh, (np.ones((2, 3)),), vjp=lambda y_bar, x: y_bar * (1 - np.tanh(x) ** 2))
    check_grads(np.cumsum, (np.arange(4.0),), vjp=lambda y_bar, x: np.cumsum(y_bar[::-1])[::-1])
    check_grads(lambda z: z * z, (np.array([1 + 2j]),), vjp=lambda y_bar, z: y_bar * 2 * z)


def test_a_wrong_numpy_gradient_is_found_at_its_entry() -> None:
    text = failure(quadratic, *POINT, gradient=lambda x, a: (2 * a @ x, np.outer(x, x)))
    assert "the derivative of output by x at index (0,)" in text
    assert "likely cause: the gradient given is wrong there" in text
    text = failure(lambda x: np.sum(np.abs(x)), np.array([1.0, 0.0]), gradient=np.sign)
    assert "output is not differentiable by x at index (1,): the slope is -1 from below and 1 from above" in text


def test_a_numpy_gradient_wrong_in_the_ninth_digit_is_found_where_code_is_analytic() -> None:
    failure(lambda x: np.exp(x) * x, 0.5, gradient=lambda x: np.exp(x) * (1 + x) * (1 + 1e-9))


def test_wrong_numpy_calls() -> None:
    x = np.ones(2)
    with pytest.raises(ArgumentError, match=r"a gradient is that of a scalar, f returns f64\[2\]"):
        check_grads(np.sin, (x,), gradient=np.cos)
    with pytest.raises(ArgumentError, match="give gradient or vjp, not both"):
        check_grads(np.sin, (x,), gradient=np.cos, vjp=np.cos)
    with pytest.raises(ArgumentError, match="f has 2 arguments, gradient returned 1 results"):
        check_grads(quadratic, POINT, gradient=lambda x, a: x)
    with pytest.raises(CheckFailedError, match=r"the cotangent of x is f64\[2\], not f64\[3\]"):
        check_grads(quadratic, POINT, gradient=lambda x, a: (x[:2], a))
