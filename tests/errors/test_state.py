"""What stays as it was: after an exception at any place, and between threads that all do everything at once."""

import traceback

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad import errors
from minigrad.op import EVALUATE, interpreter
from minigrad.source import behalf
from minigrad.tracer import lax
from tests.threads import at_once

X = np.array([0.5, 1.0, 2.0], np.float32)


class Boom(Exception):
    """Raised by the user's own code."""


def boom(*_):
    raise Boom


def with_rule(rule):
    """A function whose derivative goes wrong."""
    if rule == "jvp":
        f = jax.custom_jvp(lambda x: x * 1.0)
        f.defjvp(boom)
    else:
        f = jax.custom_vjp(lambda x: x * 1.0)
        f.defvjp(lambda x: (x, None), boom)
    return f


def in_no_grad():
    with torch.no_grad():
        boom()


def in_a_graph():
    with tf.Graph().as_default(), tf.Session():
        boom()


def in_scopes():
    with tf.Graph().as_default() as graph, graph.control_dependencies([tf.constant(1.0)]), tf.variable_scope("a"):
        boom()


PLACES = {
    **{f.__name__: lambda f=f: f(boom)(X) for f in (
        jax.grad, jax.value_and_grad, jax.jit, jax.vmap, jax.make_graph, jax.checkpoint, jax.hessian, jax.jacfwd,
        jax.jacrev,
    )},
    "jvp": lambda: jax.jvp(boom, (X,), (X,)),
    "vjp": lambda: jax.vjp(boom, X),
    "linearize": lambda: jax.linearize(boom, X),
    "cond": lambda: lax.cond(True, boom, boom, X),
    "scan": lambda: lax.scan(boom, X, X),
    "while_loop": lambda: lax.while_loop(boom, boom, X),
    "jit of grad of vmap": lambda: jax.jit(jax.grad(lambda x: jnp.sum(jax.vmap(boom)(x))))(X),
    "custom_jvp": lambda: jax.grad(with_rule("jvp"))(1.0),
    "custom_vjp": lambda: jax.grad(with_rule("vjp"))(1.0),
    "no_grad": in_no_grad,
    "no_grad, decorating": lambda: torch.no_grad()(boom)(),
    "graph": in_a_graph,
    "scopes": in_scopes,
    "tf.cond": lambda: tf.cond(tf.constant(1.0) > 0, boom, boom),
    "tf.while_loop": lambda: tf.while_loop(lambda i: i < 3, boom, [tf.constant(1.0)]),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_an_exception_leaves_nothing_behind(place):
    with tf.Graph().as_default() as graph:
        with pytest.raises(Boom):
            PLACES[place]()
        assert tf.get_default_graph() is graph
        assert tf.constant(1.0, name="c").name == "c:0"  # no name scope is left open
        assert tf.constant(1.0).op.control_inputs == ()
    assert interpreter.get() is EVALUATE
    assert behalf.get() is None
    assert torch.is_grad_enabled()
    assert jax.grad(lambda x: x * x)(3.0) == 6.0


def test_a_function_that_failed_to_trace_is_traced_anew():
    calls = []

    @jax.jit
    def f(x):
        calls.append(x)
        if len(calls) == 1:
            raise Boom
        return x + 1.0

    with pytest.raises(Boom):
        f(1.0)
    assert [float(f(1.0)), float(f(2.0)), len(calls)] == [2.0, 3.0, 2]


def test_a_line_that_fails_adds_nothing_to_the_graph():
    with tf.Graph().as_default() as graph:
        x, y = tf.placeholder(tf.float32, [2]), tf.placeholder(tf.float32, [3])
        before = graph.get_operations()
        with pytest.raises(errors.BroadcastError):
            x + y
        assert graph.get_operations() == before


def test_a_run_that_fails_changes_no_variable():
    with tf.Graph().as_default(), tf.Session() as sess:
        v = tf.Variable(1.0)
        grown = v.assign_add(1.0)
        with tf.control_dependencies([grown]):
            failing = tf.py_func(boom, [tf.constant(1.0)], tf.float32, shapes=())
        sess.run(tf.global_variables_initializer())
        with pytest.raises(Boom):
            sess.run([grown, failing])
        assert sess.run(v) == 1.0
        assert sess.run(grown) == 2.0


def test_a_failed_backward_can_be_repeated():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    with pytest.raises(errors.GradientError):
        y.backward(torch.ones(3))
    assert x.grad is None
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]


# ── threads ──────────────────────────────────────────────────────────────────────────────────────
shared = jax.jit(lambda x: jnp.sum(jnp.sin(x) * x))


def trace_and_derive(x):
    np.testing.assert_allclose(jax.grad(shared)(x), np.cos(x) * x + np.sin(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(jax.grad(lambda x: x**2))(x), 2 * x, rtol=1e-5)
    with pytest.raises(Boom):
        jax.jit(boom)(x)


def record(x):
    t = torch.tensor(x, requires_grad=True)
    with torch.no_grad():
        assert not (t * 2).requires_grad
    y = t * 1.0
    y += 1.0
    (y * y).sum().backward()
    np.testing.assert_allclose(t.grad, 2 * (x + 1), rtol=1e-5)


def build_and_run(x):
    with tf.Graph().as_default(), tf.Session() as sess:
        p, w = tf.placeholder(tf.float32, [None]), tf.Variable(2.0)
        (slope,) = tf.gradients(tf.reduce_sum(p * p * w), p)
        sess.run(tf.global_variables_initializer())
        np.testing.assert_allclose(sess.run(slope, {p: x}), 4 * x, rtol=1e-5)


def test_threads_do_not_meet():
    with tf.Graph().as_default() as graph:
        p = tf.placeholder(tf.float32, [None])
        (slope,) = tf.gradients(tf.reduce_sum(p * p), p)
    one_session = tf.Session(graph=graph)
    wrong = []

    def work(k):
        try:
            for i in range(20):
                x = np.random.default_rng([k, i]).normal(size=3 + k).astype(np.float32)
                trace_and_derive(x)
                record(x)
                build_and_run(x)
                np.testing.assert_allclose(one_session.run(slope, {p: x}), 2 * x, rtol=1e-5)
        except BaseException:
            wrong.append(traceback.format_exc())

    at_once(work, range(4))
    assert not wrong, wrong[0]
