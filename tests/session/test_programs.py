"""Whole programs, as they stand in tutorials, and the functions they use against NumPy."""

import numpy as np
import pytest

import minigrad.session as tf
from minigrad import errors


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        tf.set_random_seed(0)
        yield g


rng = np.random.default_rng(0)


def test_linear_regression():
    truth = np.array([[1.0], [-2.0], [3.0]])
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.placeholder(tf.float32, [None, 1], name="y")
    w = tf.Variable(tf.zeros([3, 1]), name="w")
    b = tf.Variable(0.0, name="b")
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))
    train = tf.train.GradientDescentOptimizer(0.2).minimize(loss)
    data = rng.normal(size=(100, 3))
    feed = {x: data, y: data @ truth + 0.5}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first = sess.run(loss, feed)
        for _ in range(100):
            sess.run(train, feed)
        assert sess.run(loss, feed) < 1e-6 * first
        np.testing.assert_allclose(sess.run(w), truth, atol=1e-3)
        assert sess.run(b) == pytest.approx(0.5, abs=1e-3)


def test_classifier_with_adam_on_batches_of_any_size():
    x = tf.placeholder(tf.float32, [None, 8])
    labels = tf.placeholder(tf.int64, [None])
    keep = tf.placeholder_with_default(1.0, [])
    with tf.variable_scope("hidden"):
        w, b = tf.get_variable("w", [8, 32]), tf.get_variable("b", [32], initializer=tf.zeros_initializer())
        h = tf.nn.dropout(tf.nn.relu(tf.matmul(x, w) + b), keep)
    with tf.variable_scope("out"):
        logits = tf.matmul(h, tf.get_variable("w", [32, 3]))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    step = tf.train.get_or_create_global_step()
    train = tf.train.AdamOptimizer(0.01).minimize(loss, global_step=step)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32))
    data = rng.normal(size=(300, 8))
    targets = data[:, :3].argmax(1)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for k in range(300):
            pick = rng.permutation(300)[: 64 if k % 2 else 100]
            sess.run(train, {x: data[pick], labels: targets[pick], keep: 0.9})
        assert sess.run([accuracy, step], {x: data, labels: targets})[0] > 0.95
        assert sess.run(step) == 300 and sess.run(step).dtype == np.int64


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_follows_its_equations(nesterov):
    w = tf.Variable([1.0, -2.0], name="w")
    optimizer = tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=nesterov)
    train = optimizer.minimize(tf.reduce_sum(w * w))
    value, velocity = np.array([1.0, -2.0]), np.zeros(2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(5):
            sess.run(train)
            slope = 2 * value
            velocity = 0.9 * velocity + slope
            value = value - 0.1 * (slope + 0.9 * velocity if nesterov else velocity)
        np.testing.assert_allclose(sess.run(w), value, rtol=1e-5)
        slot = optimizer.get_slot(w, "momentum")
        assert slot.name == "w/Momentum:0" and optimizer.get_slot_names() == ["momentum"]
        np.testing.assert_allclose(sess.run(slot), velocity, rtol=1e-5)


def test_adam_follows_its_equations_in_both_precisions():
    rate = tf.placeholder_with_default(0.1, [])
    for dtype, name, tolerance in ((np.float32, "single", 1e-5), (np.float64, "double", 1e-6)):
        w = tf.Variable(np.array([1.0, -2.0], dtype), name=name)
        optimizer = tf.train.AdamOptimizer(rate)
        train = optimizer.apply_gradients(optimizer.compute_gradients(tf.reduce_sum(w * w), [w]))
        value, m, v = np.array([1.0, -2.0]), 0.0, 0.0
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for t in range(1, 6):
                sess.run(train)
                slope = 2 * value
                m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
                value = value - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            np.testing.assert_allclose(sess.run(w), value, rtol=tolerance)
        assert [u.op.name for u in optimizer.variables()][1:] == [f"{name}/Adam", f"{name}/Adam_1"]


def test_gradients_may_be_changed_on_their_way():
    w = tf.Variable([3.0, 4.0])
    unused = tf.Variable(1.0)
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    pairs = optimizer.compute_gradients(tf.reduce_sum(w * w) / 2.0)
    assert [g is None for g, _ in pairs] == [False, True]
    clipped, norm = tf.clip_by_global_norm([g for g, _ in pairs], 1.0)
    train = optimizer.apply_gradients(list(zip(clipped, [w, unused], strict=True)))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run([norm, train]) == [5.0, None]
        np.testing.assert_allclose(sess.run(w), [2.4, 3.2], rtol=1e-6)


def test_two_sessions_train_apart():
    w = tf.Variable(4.0)
    train = tf.train.GradientDescentOptimizer(0.25).minimize(w * w)
    with tf.Session() as one, tf.Session() as two:
        for sess in (one, two):
            sess.run(tf.global_variables_initializer())
        one.run(train)
        assert one.run(w) == 2.0 and two.run(w) == 4.0


def test_a_recurrent_net_by_while_loop():
    """The state after n steps of s ← tanh(s·w + x_t), and its gradient, against NumPy and differences."""
    xs = tf.placeholder(tf.float64, [None, 2])
    w = tf.Variable(np.array([[0.5, -0.3], [0.2, 0.4]]))
    n = tf.shape(xs)[0]

    def step(t, s):
        return t + 1, tf.tanh(tf.matmul(s, w) + tf.reshape(tf.gather(xs, t), [1, 2]))

    _, last = tf.while_loop(lambda t, s: t < n, step, [0, tf.zeros([1, 2], tf.float64)])
    loss = tf.reduce_sum(last)
    (slope,) = tf.gradients(loss, w)
    given = rng.normal(size=(4, 2))
    with tf.Session() as sess:
        sess.run(w.initializer)
        state, start = np.zeros((1, 2)), sess.run(w)
        for row in given:
            state = np.tanh(state @ start + row)
        np.testing.assert_allclose(sess.run(last, {xs: given}), state)
        found = sess.run(slope, {xs: given})
        bump = np.zeros((2, 2))
        bump[0, 1] = 1e-6
        up, down = (sess.run(loss, {xs: given, w: start + s * bump}) for s in (1, -1))
        assert found[0, 1] == pytest.approx((up - down) / 2e-6, rel=1e-6)


# ── side effects ─────────────────────────────────────────────────────────────────────────────────
def test_print_and_py_func(capsys):
    x = tf.placeholder(tf.float32, [2])
    shown = tf.Print(x, [x, x[0]], "x is {these}: ") * 2.0
    doubled = tf.py_func(lambda a: a * np.float32(2), [x], tf.float32, shapes=x.shape)
    first, second = tf.py_func(lambda a: (a[0], a[1]), [x], [tf.float32, tf.float32], shapes=[[], []])
    with tf.Session() as sess:
        assert sess.run(x, {x: [1, 2]}).tolist() == [1.0, 2.0] and capsys.readouterr().out == ""
        assert sess.run(shown, {x: [1, 2]}).tolist() == [2.0, 4.0]
        assert capsys.readouterr().out == "x is {these}: [[1. 2.]][1.0]\n"
        assert sess.run(doubled, {x: [1, 2]}).tolist() == [2.0, 4.0]
        assert sess.run([second, first], {x: [1, 2]}) == [2.0, 1.0]
        wrong = tf.py_func(lambda a: a.astype(np.float64), [x], tf.float32, shapes=[2])
        with pytest.raises(errors.ValueTypeError, match=r"result 0 is float64\[2\], declared was f32\[2\]"):
            sess.run(wrong, {x: [1, 2]})
        broken = tf.py_func(lambda a: 1 / 0, [x], tf.float32, shapes=[])
        with pytest.raises(ZeroDivisionError) as caught:
            sess.run(broken, {x: [1, 2]})
        assert "broken = tf.py_func" in " ".join(caught.value.__notes__)
    assert tf.gradients(doubled, x) == [None]


def test_assert_and_check_numerics():
    x = tf.placeholder(tf.float32, [None])
    with tf.control_dependencies([tf.Assert(x > 0, [x])]):
        checked = tf.identity(x)
    finite = tf.check_numerics(tf.log(x), "log of x")
    with tf.Session() as sess:
        assert sess.run(checked, {x: [1.0]}).tolist() == [1.0]
        with pytest.raises(errors.CheckFailedError, match=r"assertion failed: \[\[ 1. -1.\]\]"):
            sess.run(checked, {x: [1.0, -1.0]})
        with pytest.raises(errors.CheckFailedError, match="log of x: the tensor has nan or infinite elements"):
            sess.run(finite, {x: [0.0]})


# ── functions ────────────────────────────────────────────────────────────────────────────────────
A = rng.uniform(0.5, 2.0, (2, 3)).astype(np.float32)
B = rng.uniform(0.5, 2.0, (2, 3)).astype(np.float32)
N = np.array([[3, -4, 5]], np.int32)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


HOLES = np.array([1.0, np.nan, -np.inf], np.float32)
CASES = {
    "matmul": (lambda: tf.matmul(A, B, transpose_b=True), A @ B.T),
    "matmul ta": (lambda: tf.matmul(A, B, transpose_a=True), A.T @ B),
    "sum": (lambda: tf.reduce_sum(A, [0, 1]), A.sum()),
    "sum keeps int32": (lambda: tf.reduce_sum(N), np.int32(4)),
    "sum old names": (lambda: tf.reduce_sum(A, reduction_indices=[1], keep_dims=True), A.sum(1, keepdims=True)),
    "mean": (lambda: tf.reduce_mean(A, 0), A.mean(0)),
    "max": (lambda: tf.reduce_max(A, axis=1, keepdims=True), A.max(1, keepdims=True)),
    "prod": (lambda: tf.reduce_prod(N), np.int32(-60)),
    "any": (lambda: tf.reduce_any(tf.greater(A, 1.9)), (A > 1.9).any()),
    "logsumexp": (lambda: tf.reduce_logsumexp(A, 1), np.log(np.exp(A).sum(1))),
    "argmax": (lambda: tf.argmax(A), A.argmax(0)),
    "argmin": (lambda: tf.argmin(A, 1, output_type=tf.int32), A.argmin(1).astype(np.int32)),
    "cast truncates": (lambda: tf.cast([1.9, -1.9], tf.int32), np.array([1, -1], np.int32)),
    "floordiv": (lambda: tf.floordiv(N, 3), N // 3),
    "mod": (lambda: tf.mod(N, 3), N % 3),
    "clip": (lambda: tf.clip_by_value(A, 1.0, 1.5), A.clip(1.0, 1.5)),
    "add_n": (lambda: tf.add_n([A, B, A]), 2 * A + B),
    "divide no nan": (lambda: tf.div_no_nan([1.0, 2.0], [0.0, 4.0]), np.array([0.0, 0.5], np.float32)),
    "squared difference": (lambda: tf.squared_difference(A, B), (A - B) ** 2),
    "lists": (lambda: tf.add([1, 2], [3, 4]), np.array([4, 6], np.int32)),
    "expand": (lambda: tf.expand_dims(A, -1), A[..., None]),
    "squeeze": (lambda: tf.squeeze(N, [0]), N[0]),
    "transpose": (lambda: tf.transpose(A), A.T),
    "perm": (lambda: tf.transpose(A[None], [2, 0, 1]), A[None].transpose(2, 0, 1)),
    "concat": (lambda: tf.concat([A, B], 1), np.concatenate([A, B], 1)),
    "stack": (lambda: tf.stack([A, B], axis=1), np.stack([A, B], 1)),
    "unstack": (lambda: tf.unstack(tf.constant(A), axis=1)[2], A[:, 2]),
    "split sizes": (lambda: tf.split(tf.constant(A), [1, 2], 1)[1], A[:, 1:]),
    "tile": (lambda: tf.tile(A, [2, 1]), np.tile(A, (2, 1))),
    "pad": (lambda: tf.pad(A, [[1, 0], [0, 2]]), np.pad(A, [(1, 0), (0, 2)])),
    "slice": (lambda: tf.slice(tf.constant(A), [0, 1], [-1, 2]), A[:, 1:3]),
    "reverse": (lambda: tf.reverse(A, [1]), A[:, ::-1]),
    "gather": (lambda: tf.gather(A, [[2, 0], [1, 1]], axis=1), A[:, [[2, 0], [1, 1]]]),
    "lookup": (lambda: tf.nn.embedding_lookup(A, [1, 0, 1]), A[[1, 0, 1]]),
    "one_hot": (lambda: tf.one_hot([2, 0], 3), np.eye(3, dtype=np.float32)[[2, 0]]),
    "one_hot values": (lambda: tf.one_hot([1], 3, 5.0, -1.0), np.array([[-1, 5, -1]], np.float32)),
    "where": (lambda: tf.where(tf.greater(A, B), A, B), np.maximum(A, B)),
    "range": (lambda: tf.range(1, 10, 3), np.arange(1, 10, 3, dtype=np.int32)),
    "fill": (lambda: tf.fill([2, 2], 7), np.full((2, 2), 7, np.int32)),
    "eye": (lambda: tf.eye(2, 3), np.eye(2, 3, dtype=np.float32)),
    "zeros_like": (lambda: tf.zeros_like(N), np.zeros_like(N)),
    "sigmoid": (lambda: tf.sigmoid(A), 1 / (1 + np.exp(-A))),
    "softmax": (lambda: tf.nn.softmax(A, axis=0), softmax(A, 0)),
    "log_softmax": (lambda: tf.nn.log_softmax(A), np.log(softmax(A))),
    "cross entropy": (
        lambda: tf.nn.softmax_cross_entropy_with_logits(labels=softmax(B), logits=A),
        -(softmax(B) * np.log(softmax(A))).sum(-1),
    ),
    "sparse": (
        lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2, 0], logits=A),
        -np.log(softmax(A))[[0, 1], [2, 0]],
    ),
    "logistic": (
        lambda: tf.nn.sigmoid_cross_entropy_with_logits(labels=B / 2, logits=A),
        -(B / 2) * np.log(1 / (1 + np.exp(-A))) - (1 - B / 2) * np.log(1 - 1 / (1 + np.exp(-A))),
    ),
    "variance": (lambda: tf.nn.moments(A, [0])[1], A.var(0)),
    "l2": (lambda: tf.nn.l2_loss(A), (A**2).sum() / 2),
    "relu6": (lambda: tf.nn.relu6(A * 5), np.minimum(A * 5, 6)),
    "leaky": (lambda: tf.nn.leaky_relu(-A), -A * np.float32(0.2)),
    "bias": (lambda: tf.nn.bias_add(A, B[0]), A + B[0]),
    "swish": (lambda: tf.nn.swish(A), A / (1 + np.exp(-A))),
    "floormod": (lambda: tf.floormod(-A, 0.3), np.mod(-A, np.float32(0.3))),
    "reduce_min": (lambda: tf.reduce_min(A, 1), A.min(1)),
    "reduce_all": (lambda: tf.reduce_all(tf.greater(A, B), 0), (A > B).all(0)),
    "is_nan": (lambda: tf.is_nan(HOLES), np.isnan(HOLES)),
    "is_inf": (lambda: tf.is_inf(HOLES), np.isinf(HOLES)),
    "is_finite": (lambda: tf.is_finite(HOLES), np.isfinite(HOLES)),
}


@pytest.mark.parametrize("case", CASES)
def test_functions_agree_with_numpy(case):
    make, expected = CASES[case]
    with tf.Session() as sess:
        found = sess.run(make())
    assert np.shape(found) == np.shape(expected) and found.dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
