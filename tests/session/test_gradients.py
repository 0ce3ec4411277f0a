"""gradients: TensorFlow 1's rules, on the one walk."""

import time

import numpy as np
import pytest

import minigrad.session as tf
from minigrad import errors


@pytest.fixture
def sess():
    with tf.Graph().as_default(), tf.Session() as s:
        yield s


def test_the_rules(sess):
    x, y, c = tf.constant(3.0), tf.constant(2.0), tf.constant(1.0)
    h = x * x
    f = h * y * 2.0
    assert tf.gradients(f, c) == [None] and sess.run(tf.gradients(f, c, unconnected_gradients="zero")) == [0.0]
    assert sess.run(tf.gradients(f, x)) == [24.0]
    assert sess.run(tf.gradients(f, [x, y])) == [24.0, 18.0]
    assert sess.run(tf.gradients([f, y * 1.0], y)) == [19.0]
    assert sess.run(tf.gradients(f, x, grad_ys=10.0)) == [240.0]
    assert sess.run(tf.gradients([f, h], x, grad_ys=[tf.constant(1.0), None])) == [30.0]
    assert sess.run(tf.gradients(f, [h, x])) == [4.0, 24.0]  # an intermediate tensor beside what it is made of
    assert sess.run(tf.gradients(tf.gradients(h * x, x), x)) == [18.0]
    assert sess.run(tf.gradients(x, x)) == [1.0]
    assert sess.run(tf.gradients(h + x, x, stop_gradients=[h])) == [1.0]
    assert sess.run(tf.gradients(tf.stop_gradient(h) + x, x)) == [1.0]
    assert tf.gradients(tf.stop_gradient(h), x) == [None]
    assert tf.gradients(f, tf.constant(1)) == [None]
    assert sess.run(tf.gradients(tf.constant([1.0, 2.0]) * x, x)) == [3.0]


def test_gradients_stand_under_their_scope(sess):
    x = tf.constant(3.0, name="x")
    (g,) = tf.gradients(tf.sin(x) * x, x)
    assert g.op.name.startswith("gradients/")
    assert tf.gradients(x * x, x, name="slopes")[0].op.name.startswith("slopes/")


def test_a_variable_is_met_wherever_it_is_read(sess):
    v = tf.Variable(3.0)
    with tf.control_dependencies([v.assign(5.0)]):
        late = v.read_value()
    (g,) = tf.gradients(v * v + late * late, v)
    sess.run(v.initializer)
    assert sess.run(g) == 2 * 3.0 + 2 * 5.0


def test_kinks(sess):
    x = tf.constant([2.0, 2.0, 1.0])
    assert sess.run(tf.gradients(tf.reduce_max(x), x))[0].tolist() == [0.5, 0.5, 0.0]
    zero = tf.constant([0.0])
    for f in (tf.nn.relu, tf.abs):
        assert sess.run(tf.gradients(f(zero), zero))[0].tolist() == [0.0]


def test_broadcasts_over_unknown_sizes(sess):
    x, b = tf.placeholder(tf.float32, [None, 3]), tf.Variable([1.0, 2.0, 3.0])
    y = tf.placeholder(tf.float32, [None, 1])
    loss = tf.reduce_mean((x + b) * y)
    sess.run(b.initializer)
    given = {x: np.ones((4, 3)), y: np.arange(4.0).reshape(4, 1)}
    by_x, by_b, by_y = sess.run(tf.gradients(loss, [x, b, y]), given)
    assert by_x.shape == (4, 3) and by_y.shape == (4, 1)
    np.testing.assert_allclose(by_b, [0.5, 0.5, 0.5])
    np.testing.assert_allclose(by_y, np.full((4, 1), 0.75))
    with pytest.raises(errors.FeedError, match="must be equal"):
        sess.run(loss, {x: np.ones((4, 3)), y: np.ones((3, 1))})


def test_through_choice_and_loops(sess):
    x = tf.placeholder(tf.float32, [])
    y = tf.constant(3.0)
    z = tf.cond(x > 0, lambda: x * y, lambda: -x)
    slopes = tf.gradients(z, [x, y])
    assert sess.run([z, slopes], {x: 2.0}) == [6.0, [3.0, 2.0]]
    assert sess.run([z, slopes], {x: -2.0}) == [2.0, [-1.0, 0.0]]
    i, p = tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * x), [0, 1.0])
    assert sess.run([i, p, tf.gradients(p, x)], {x: 2.0}) == [5, 32.0, [80.0]]
    (bounded,) = tf.gradients(
        tf.while_loop(lambda a: a < 100.0, lambda a: a * x, [tf.constant(1.0)], maximum_iterations=4), x
    )
    assert sess.run([bounded, tf.gradients(bounded, x)], {x: 2.0}) == [32.0, [48.0]]


def test_a_loop_over_a_batch_of_unknown_size_with_choice_and_dropout(sess):
    x, training = tf.placeholder(tf.float32, [None, None, 2], name="x"), tf.placeholder_with_default(True, [])
    w = tf.Variable(np.eye(2, dtype=np.float32) / 2)
    steps = tf.transpose(x, [1, 0, 2])  # [b, t, 2] -> [t, b, 2]

    def step(t, h):
        return t + 1, tf.tanh(tf.matmul(h, w) + tf.gather(steps, t))

    n = tf.shape(steps)[0]
    _, h = tf.while_loop(lambda t, h: t < n, step, [0, tf.zeros([tf.shape(x)[0], 2])])
    h = tf.cond(training, lambda: tf.nn.dropout(tf.matmul(h, w), 0.5), lambda: tf.identity(h))
    slopes = tf.gradients(tf.reduce_sum(h), [w, x])
    sess.run(w.initializer)
    expected = np.zeros((3, 2))
    for _ in range(4):
        expected = np.tanh(expected / 2 + 1.0)
    found, (by_w, by_x) = sess.run([h, slopes], {x: np.ones((3, 4, 2)), training: False})
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert by_w.shape == (2, 2) and by_x.shape == (3, 4, 2)
    dropped = sess.run(h, {x: np.ones((50, 2, 2))})
    assert dropped.shape == (50, 2) and 0 < (dropped == 0).mean() < 1


def test_loops(sess):
    assert sess.run(tf.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.constant(0)])) == 3
    assert sess.run(tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [tf.constant(9)])) == 9
    assert sess.run(tf.while_loop(lambda i: i < 100, lambda i: i + 1, [0], maximum_iterations=7)) == 7

    def outer(i, s):
        return i + 1, tf.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t + 2.0), [0, s])[1]

    assert sess.run(tf.while_loop(lambda i, s: i < 3, outer, [0, 0.0])) == [3, 6.0]


def test_choice_keeps_structures(sess):
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.placeholder(tf.float32, [None, 2], name="y")
    found = tf.cond(tf.reduce_sum(x) > 0, lambda: {"a": x + y, "b": [1]}, lambda: {"a": x - y, "b": [2]})
    given = sess.run(found, {x: np.ones((3, 2)), y: np.ones((3, 2))})
    assert given["a"].tolist() == [[2.0, 2.0]] * 3 and given["b"] == [1]
    with pytest.raises(errors.FeedError, match=r"cond: the sizes n0 = 3 and n1 = 4 must be equal"):
        sess.run(found, {x: np.ones((3, 2)), y: np.ones((4, 2))})


def test_what_is_refused(sess):
    x = tf.constant([1.0, 2.0])
    with pytest.raises(errors.GradientError, match=r"mul:0 is f32\[2\], its grad_ys f32\[3\]"):
        tf.gradients(x * x, x, grad_ys=[[1.0, 2.0, 3.0]])
    with pytest.raises(errors.GradientError, match="1 ys, but 2 grad_ys"):
        tf.gradients(x * x, x, grad_ys=[None, None])
    with tf.Graph().as_default():
        other = tf.constant(1.0)
    with pytest.raises(errors.GraphError, match="belongs to another graph"):
        tf.gradients(x * x, other)
    with pytest.raises(errors.ValueTypeError, match="is neither a tensor nor a variable"):
        tf.gradients(x * x, 3.0)


def test_the_walk_is_linear_and_deep_graphs_are_no_limit():
    """100,000 ops in a chain; the time for a node does not grow with the graph."""
    seconds = {}
    for n in (10_000, 100_000):
        with tf.Graph().as_default():
            x = y = tf.placeholder(tf.float32, [])
            for _ in range(n):
                y = -y
            start = time.process_time()
            (g,) = tf.gradients(y, x)
            seconds[n] = (time.process_time() - start) / n
    assert seconds[100_000] < 4 * seconds[10_000]
    with tf.Session(graph=g.graph) as sess:
        assert sess.run(g, {x: 3.0}) == 1.0
