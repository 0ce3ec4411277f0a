"""Fetching, feeding, pruning, and the order of state: TensorFlow 1's behaviour, observation by observation."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import minigrad.session as tf
from minigrad import config, errors

Pair = namedtuple("Pair", "x y")


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def same(a, b):
    assert type(a) is type(b) and np.array_equal(a, b) and getattr(a, "dtype", None) == getattr(b, "dtype", None)


# ── fetches ──────────────────────────────────────────────────────────────────────────────────────
def test_the_structure_of_the_fetch_is_the_structure_of_the_result():
    a, b = tf.constant(1.0, name="a"), tf.constant([1, 2], name="b")
    with tf.Session() as sess:
        same(sess.run(a), np.float32(1.0))
        found = sess.run({"k": a, "l": [b, (a,)]})
        assert list(found) == ["k", "l"] and isinstance(found["l"][1], tuple)
        same(found["l"][0], np.array([1, 2], np.int32))
        assert isinstance(sess.run(Pair(a, b)), Pair)
        assert isinstance(sess.run(OrderedDict(z=a, y=b)), OrderedDict)
        assert sess.run([]) == [] and sess.run({}) == {}
        same(sess.run("a:0"), np.float32(1.0))
        assert sess.run("a") is None and sess.run(["a:0", a, a]) == [1.0, 1.0, 1.0]
        assert sess.run([a.op, tf.no_op(), tf.group(a, [b])]) == [None, None, None]


def test_results_belong_to_the_caller():
    v = tf.Variable([1.0, 2.0])
    c = tf.constant([1.0, 2.0])
    with tf.Session() as sess:
        sess.run(v.initializer)
        for fetch in (v, c, v.assign([1.0, 2.0])):
            first = sess.run(fetch)
            first[0] = 99.0
            assert sess.run(fetch).tolist() == [1.0, 2.0]
        x = tf.placeholder(tf.float32, [2])
        given = np.array([5.0, 6.0], np.float32)
        sess.run(v.assign(x), {x: given})
        given[0] = 99.0
        assert sess.run(v).tolist() == [5.0, 6.0]


# ── feeds ────────────────────────────────────────────────────────────────────────────────────────
def test_any_tensor_can_be_fed_and_cuts_what_is_before_it():
    x = tf.placeholder(tf.float32, [], name="x")
    a = tf.constant(1.0)
    b = a + x
    c = b * 10.0
    with tf.Session() as sess:
        assert sess.run(c, {b: 2.0}) == 20.0  # x is not needed any more
        assert sess.run(c, {a: 3.0, x: 1.0}) == 40.0
        fed = sess.run([a, b, c], {b: 7.0})
        assert fed == [1.0, 7.0, 70.0] and isinstance(fed[1], np.ndarray)
        assert sess.run(c, {"x:0": 1}) == 20.0
        given = np.array(4.0, np.float32)
        assert sess.run(b, {b: given}) is given


def test_an_output_of_many_can_be_fed():
    x = tf.constant([1.0, 2.0, 3.0, 4.0])
    a, b = tf.split(x, 2)
    s, t = tf.while_loop(lambda s, t: s < 10.0, lambda s, t: (s * 2.0, t + s), [tf.constant(1.0), tf.constant(0.0)])
    with tf.Session() as sess:
        assert sess.run(a + b, {a: [10.0, 20.0]}).tolist() == [13.0, 24.0]
        assert sess.run([s, t, s + t], {s: 100.0}) == [100.0, 15.0, 115.0]


def test_a_variable_can_be_fed():
    v = tf.Variable(1.0)
    with tf.Session() as sess:
        assert sess.run(v * 2.0, {v: 21.0}) == 42.0


def test_placeholder_with_default():
    x = tf.placeholder_with_default(tf.constant([1.0, 2.0]), [None])
    y = tf.reduce_mean(x)
    with tf.Session() as sess:
        assert sess.run(y) == 1.5
        assert sess.run(y, {x: [3.0, 4.0, 5.0]}) == 4.0


def test_only_what_is_needed_runs_and_once():
    v = tf.Variable(0, name="v")
    inc = v.assign_add(1)
    x = tf.placeholder(tf.float32, [])
    unrelated = tf.constant(1) + 1
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(unrelated) == 2 and sess.run(v) == 0
        assert sess.run([inc, inc, inc]) == [1, 1, 1] and sess.run(v) == 1
        assert sess.run(tf.constant(2.0)) == 2.0  # x is not fed, and not needed
        assert x.name == "Placeholder:0"


def test_one_graph_runs_at_many_sizes():
    x = tf.placeholder(tf.float32, [None, None])
    y = tf.reduce_sum(tf.nn.softmax(x), axis=0)
    with tf.Session() as sess:
        for n, m in ((1, 1), (3, 2), (0, 2), (2, 5)):
            assert sess.run(y, {x: np.zeros((n, m))}).tolist() == pytest.approx([n / m] * m)
        assert len(x.graph.plans) == 1
        (plan,) = x.graph.plans.values()
        assert len(plan.executables) == 4
        sess.run(y, {x: np.ones((3, 2))})
        assert len(plan.executables) == 4


def test_sizes_of_a_fed_intermediate_must_agree():
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    h = tf.concat([x, x], 0)
    y = tf.reduce_sum(h) + tf.reduce_sum(x)
    with tf.Session() as sess:
        assert sess.run(y, {x: np.ones((2, 2)), h: np.ones((4, 2))}) == 12.0
        with pytest.raises(ValueError, match="the fed sizes do not agree"):
            sess.run(y, {x: np.ones((2, 2)), h: np.ones((5, 2))})


def test_make_callable_and_eval():
    x = tf.placeholder(tf.float32, [], name="x")
    y = x * 2.0
    with tf.Session() as sess:
        f = sess.make_callable([y, x], [x])
        assert f(3.0) == [6.0, 3.0]
        with pytest.raises(ValueError, match=r"takes 1 values \(x:0\), got 2"):
            f(1.0, 2.0)
        assert y.eval({x: 1.0}) == 2.0 and tf.group(y).run({x: 1.0}) is None
    with pytest.raises(ValueError, match="no default session"):
        y.eval({x: 1.0})
    with pytest.raises(RuntimeError, match="the session is closed"):
        sess.run(y, {x: 1.0})
    sess = tf.InteractiveSession()
    assert tf.get_default_session() is sess and y.eval({x: 2.0}) == 4.0
    sess.close()
    assert tf.get_default_session() is None


def test_a_graph_may_grow_between_runs():
    a = tf.constant(1.0)
    with tf.Session() as sess:
        assert sess.run(a) == 1.0
        assert sess.run(a + 2.0) == 3.0


# ── state ────────────────────────────────────────────────────────────────────────────────────────
def test_state_belongs_to_the_session():
    v = tf.Variable(1.0, name="v")
    with tf.Session() as one, tf.Session() as two:
        for sess in (one, two):
            sess.run(tf.global_variables_initializer())
        one.run(v.assign(9.0))
        assert one.run(v) == 9.0 and two.run(v) == 1.0
        assert v.eval() == 1.0 and v.eval(one) == 9.0
        v.load(3.0, one)
        assert one.run([v, v * 2.0]) == [3.0, 6.0]


def test_assign_initializes_and_gives_the_new_value():
    v = tf.Variable(1.0)
    with tf.Session() as sess:
        assert not sess.run(tf.is_variable_initialized(v))
        assert sess.run(v.assign(5.0)) == 5.0
        assert sess.run(tf.is_variable_initialized(v))
        assert sess.run(v.assign_sub(1.0)) == 4.0 and sess.run(tf.assign_add(v, 2.0)) == 6.0


def test_a_run_that_fails_changes_nothing():
    v, x = tf.Variable(1.0), tf.placeholder(tf.float32, [])
    written = v.assign(x)
    with tf.control_dependencies([written, tf.Assert(x > 0.0, [x])]):
        done = tf.no_op()
    with tf.Session() as sess:
        sess.run(v.initializer)
        with pytest.raises(AssertionError, match="assertion failed"):
            sess.run(done, {x: -1.0})
        assert sess.run(v) == 1.0
        sess.run(done, {x: 2.0})
        assert sess.run(v) == 2.0


def test_control_dependencies():
    """Consecutive runs on one variable: 1, 2, the constant triggers a third, then it is read."""
    v = tf.Variable(0.0, name="v")
    inc = v.assign_add(1.0)
    before = v + 0.0
    with tf.control_dependencies([inc]):
        read, copy, five = v.read_value(), tf.identity(v), tf.constant(5.0)
        used = v * 10.0
        with tf.control_dependencies(None):
            free = tf.constant(1.0)
    assert [o.name for o in five.op.control_inputs] == ["AssignAdd"] and free.op.control_inputs == ()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert [sess.run(t) for t in (read, copy, five, v)] == [1.0, 2.0, 5.0, 3.0]
        assert sess.run([before, inc]) == [3.0, 4.0]  # reads see the value from before the run ...
        assert sess.run([v, read, used]) == [4.0, 5.0, 50.0]  # ... unless they are ordered after the write
        assert sess.run(free) == 1.0 and sess.run(v) == 5.0


def test_writes_of_one_variable_happen_in_the_order_they_were_built():
    v = tf.Variable(1.0)
    first, second, third = v.assign(10.0), v.assign_add(1.0), v.assign_add(100.0)
    with tf.control_dependencies([first]):
        after_first = v.read_value()
    with tf.control_dependencies([tf.group(third, first)]):
        after_all = v.read_value()
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([third, second, first, v, after_first]) == [111.0, 11.0, 10.0, 1.0, 10.0]
        assert sess.run(v) == 111.0
        assert sess.run([after_all, second]) == [111.0, 11.0]
        assert sess.run([second, third]) == [112.0, 212.0]


def test_order_by_data():
    v, w = tf.Variable(1.0), tf.Variable(2.0)
    written = v.assign(w * 10.0)
    with tf.control_dependencies([w.assign(written + 1.0)]):
        both = tf.stack([v.read_value(), w.read_value()])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(both).tolist() == [20.0, 21.0]


def test_initialized_value():
    v = tf.Variable(2.0)
    w = tf.Variable(v.initialized_value() * 3.0)
    with tf.Session() as sess:
        sess.run(w.initializer)
        assert sess.run(w) == 6.0
        sess.run(v.assign(10.0))
        sess.run(w.initializer)
        assert sess.run(w) == 30.0


def test_tuple_waits_for_all():
    v = tf.Variable(0.0)
    a, b = tf.tuple([tf.constant(1.0), v.assign(3.0)])
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(a) == 1.0 and sess.run(v) == 3.0 and sess.run(b) == 3.0


# ── random numbers ───────────────────────────────────────────────────────────────────────────────
def test_every_run_draws_anew_and_a_seed_repeats_the_sequence():
    tf.set_random_seed(7)
    a, b = tf.random_normal([3]), tf.random_normal([3])
    difference = a - a
    runs = []
    for _ in range(2):
        with tf.Session() as sess:
            runs.append([sess.run([a, b]), sess.run([a, b])])
            assert not sess.run(difference).any()  # one op, one draw a run
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0][0], runs[0][1]) and not np.array_equal(runs[0][0][0], runs[0][0][1])


def test_without_a_seed_sessions_differ():
    a = tf.random_uniform([4], seed=None)
    with tf.Session() as one, tf.Session() as two:
        assert not np.array_equal(one.run(a), two.run(a))
    seeded = tf.random_uniform([4], 1.0, 2.0, seed=3)
    with tf.Session() as one, tf.Session() as two:
        first = one.run(seeded)
        assert np.array_equal(first, two.run(seeded)) and (first >= 1).all() and (first < 2).all()


def test_dropout():
    x, keep = tf.placeholder(tf.float32, [None, 100]), tf.placeholder_with_default(1.0, [])
    y = tf.nn.dropout(x, keep, seed=1)
    (slope,) = tf.gradients(y, x)
    with tf.Session() as sess:
        ones = np.ones((50, 100))
        assert (sess.run(y, {x: ones}) == 1.0).all()
        values, slopes = sess.run([y, slope], {x: ones, keep: 0.25})
        assert set(np.unique(values)) == {0.0, 4.0} and abs(values.mean() - 1.0) < 0.1
        np.testing.assert_array_equal(values, slopes)


@pytest.mark.parametrize("backend", ["numpy", "numba", "llvm"])
@pytest.mark.parametrize("sizes", [[None, 5], None])
def test_a_label_out_of_range_is_named(backend, sizes):
    labels, logits = tf.placeholder(tf.int32, None if sizes is None else [None]), tf.placeholder(tf.float32, sizes)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    (slope,) = tf.gradients(loss, logits)
    with config.backend.using(backend), tf.Session() as sess:
        np.testing.assert_allclose(sess.run(loss, {labels: [0, 4], logits: np.zeros((2, 5))}), np.log(5), rtol=1e-6)
        for label in (5, -1):
            for fetch in (loss, slope):
                with pytest.raises(errors.CheckFailedError) as caught:
                    sess.run(fetch, {labels: [1, label], logits: np.zeros((2, 5))})
                assert caught.value.what == (
                    f"assert: cross entropy: label {label} is not one of the 5 classes of the logits: 0 to 4"
                )
