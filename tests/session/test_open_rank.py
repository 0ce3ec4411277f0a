"""Placeholders without a shape: what can be known is known at once, the rest is built when it is fed."""

import numpy as np
import pytest

import minigrad.session as tf
from minigrad import errors


@pytest.fixture
def sess():
    with tf.Graph().as_default(), tf.Session() as s:
        yield s


def test_any_rank_may_be_fed(sess):
    x = tf.placeholder(tf.float32, name="x")
    y = x * 2.0 + 1.0
    total = tf.reduce_sum(y)
    assert str(x) == 'Tensor("x:0", shape=<unknown>, dtype=float32)' and y.dtype == tf.float32
    assert total.shape == ()  # known, whatever x is
    for value in (3.0, [1.0, 2.0], np.ones((2, 3, 4))):
        expected = np.asarray(value, np.float32) * 2 + 1
        found = sess.run([y, total], {x: value})
        np.testing.assert_array_equal(found[0], expected)
        assert found[1] == expected.sum()


def test_scalars_for_learning_rates_and_flags(sess):
    rate, training = tf.placeholder(tf.float32), tf.placeholder(tf.bool)
    w = tf.Variable([[1.0], [2.0]], name="w")
    x = tf.placeholder(tf.float32, [None, 2])
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w)))
    train = tf.train.AdamOptimizer(rate).minimize(loss)
    chosen = tf.cond(training, lambda: loss * 2.0, lambda: loss)
    sess.run(tf.global_variables_initializer())
    feed = {x: np.ones((3, 2)), rate: 0.5, training: True}
    assert sess.run([loss, chosen], feed) == [9.0, 18.0]
    sess.run(train, feed)
    np.testing.assert_allclose(sess.run(w), [[0.5], [1.5]], rtol=1e-5)
    with pytest.raises(errors.ShapeError, match=r"Assign: the value for w:0 must be f32\[2,1\]"):
        sess.run(train, {**feed, rate: [0.5, 0.1, 0.2]})


def test_networks_and_their_gradients(sess):
    x, labels = tf.placeholder(tf.float32), tf.placeholder(tf.int64)
    w, b = tf.Variable(np.ones((3, 2), np.float32)), tf.Variable([0.0, 1.0])
    logits = tf.nn.dropout(tf.nn.relu(tf.matmul(x, w) + b), 1.0)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    open_slopes = tf.gradients(loss, [w, b, x])
    assert open_slopes[0].shape == (3, 2)
    given = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    sess.run(tf.global_variables_initializer())
    found = sess.run([loss, *open_slopes], {x: given, labels: [0, 1, 1, 0]})

    x_known = tf.placeholder(tf.float32, [None, 3])
    known_logits = tf.nn.relu(tf.matmul(x_known, w) + b)
    labels_known = tf.placeholder(tf.int64, [None])
    known = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels_known, logits=known_logits))
    expected = sess.run([known, *tf.gradients(known, [w, b, x_known])], {x_known: given, labels_known: [0, 1, 1, 0]})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_cotangents_of_open_rank(sess):
    x, bar = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    (slope,) = tf.gradients(x * x, x, grad_ys=bar)
    for value in (3.0, [1.0, 2.0]):
        found = sess.run(slope, {x: value, bar: np.full(np.shape(value), 5.0)})
        np.testing.assert_array_equal(found, 10 * np.asarray(value, np.float32))


def test_second_order(sess):
    x = tf.placeholder(tf.float32)
    (first,) = tf.gradients(x * x * x, x)
    (second,) = tf.gradients(first, x)
    assert sess.run([first, second], {x: 2.0}) == [12.0, 12.0]
    assert sess.run(second, {x: [1.0, 2.0]}).tolist() == [6.0, 12.0]


def test_sizes_and_set_shape(sess):
    x = tf.placeholder(tf.float32, name="x")
    assert sess.run(tf.shape(x), {x: np.ones((4, 2))}).tolist() == [4, 2]
    with pytest.raises(errors.ShapeError, match="the rank of x:0 is not known until it is fed"):
        x.shape  # noqa: B018
    x.set_shape([None, 2])
    assert x.shape.as_list() == [None, 2]
    assert sess.run(tf.reduce_sum(x, 0), {x: np.ones((4, 2))}).tolist() == [4.0, 4.0]


def test_errors_name_both_lines(sess):
    x = tf.placeholder(tf.float32, name="x")
    y = tf.matmul(x, tf.ones([2, 1]))
    with pytest.raises(errors.ShapeError) as caught:
        sess.run(y, {x: [1.0, 2.0, 3.0]})
    assert "y = tf.matmul(x, tf.ones([2, 1]))" in str(caught.value) and "sess.run(y" in str(caught.value)
    with pytest.raises(errors.ShapeError, match="split gives several tensors, so the rank must be known"):
        tf.split(x, 2)
    with pytest.raises(errors.DtypeError):
        tf.nn.embedding_lookup(tf.ones([2]), x)
