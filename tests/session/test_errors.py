"""What users are told: the whole text, with both of their lines."""

import re

import numpy as np
import pytest

import minigrad.session as tf
from minigrad import errors
from minigrad.op import Handle
from minigrad.source import user_line
from minigrad.types import FLOAT32, TensorType


class Other(Handle):
    """A value of a front-end that is not the session."""

    front_end = "tape"
    type = TensorType((), FLOAT32)

    def __init__(self):
        self.line = user_line()

    def home(self):
        raise AssertionError("nothing may be asked of it")

    def origin(self):
        return self.line


def message(error: Exception) -> str:
    """The text with this file's name and line numbers taken out."""
    return re.sub(r"\S*test_errors\.py:\d+", "HERE", str(error))


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


@pytest.fixture
def sess(graph):
    with tf.Session(graph=graph) as s:
        yield s


def told(kind, f):
    with pytest.raises(kind) as caught:
        f()
    return message(caught.value)


def test_placeholder_not_fed(sess):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.placeholder(tf.float32, [None], name="y")
    loss = tf.reduce_sum(x, name="loss") + tf.reduce_sum(y)
    assert told(errors.FeedError, lambda: sess.run([y, loss], {y: [1.0, 2.0]})) == (
        "the placeholder x:0, f32[n0,3], is not fed, and add:0 needs it; fed: y:0 (2,)\n"
        "  at HERE: assert told(errors.FeedError, lambda: sess.run([y, loss], {y: [1.0, 2.0]})) == (\n"
        '  x:0 made at HERE: x = tf.placeholder(tf.float32, [None, 3], name="x")\n'
        "  give it a value: run(..., feed_dict={x: value})"
    )


def test_fed_shape_does_not_fit(sess):
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    bad = np.zeros(3)
    assert told(errors.FeedError, lambda: sess.run(x, {x: bad})) == (
        "cannot feed a value of shape (3,) to x:0, whose shape is (None, 2)\n"
        "  at HERE: assert told(errors.FeedError, lambda: sess.run(x, {x: bad})) == (\n"
        '  x:0 made at HERE: x = tf.placeholder(tf.float32, [None, 2], name="x")'
    )


def test_fed_dtype_does_not_fit(sess):
    n = tf.placeholder(tf.int32, [], name="n")
    assert told(errors.FeedError, lambda: sess.run(n, {n: 1.5})) == (
        "cannot feed float64 values that int32 cannot hold to n:0, whose dtype is int32: 1.5\n"
        "  at HERE: assert told(errors.FeedError, lambda: sess.run(n, {n: 1.5})) == (\n"
        '  n:0 made at HERE: n = tf.placeholder(tf.int32, [], name="n")\n'
        "  convert it first: value.astype('int32')"
    )
    assert "int64 values that int32 cannot hold" in told(errors.FeedError, lambda: sess.run(n, {n: 2**40}))
    assert "cannot feed a value of type str" in told(errors.FeedError, lambda: sess.run(n, {n: "one"}))
    assert "is not an array" in told(errors.FeedError, lambda: sess.run(n, {n: [[1, 2], [3]]}))
    assert sess.run(n, {n: 2.0}) == 2


def test_sizes_that_should_have_been_equal(sess):
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.placeholder(tf.float32, [None, 2], name="y")
    z = x + y
    w = tf.reduce_sum(x * np.ones((4, 2), np.float32))
    assert sess.run(z, {x: np.ones((3, 2)), y: np.ones((3, 2))}).shape == (3, 2)
    assert told(errors.FeedError, lambda: sess.run(z, {x: np.ones((3, 2)), y: np.ones((4, 2))})) == (
        "add: the sizes n0 = 3 and n1 = 4 must be equal: x:0 was fed (3, 2) and y:0 was fed (4, 2)\n"
        "  at HERE: assert told(errors.FeedError, lambda: sess.run(z, {x: np.ones((3, 2)), y: np.ones((4, 2))})) == (\n"
        "  taken to be equal at HERE: z = x + y\n"
        '  x:0 made at HERE: x = tf.placeholder(tf.float32, [None, 2], name="x")\n'
        '  y:0 made at HERE: y = tf.placeholder(tf.float32, [None, 2], name="y")'
    )
    text = told(errors.FeedError, lambda: sess.run(z, {x: np.ones((1, 2)), y: np.ones((4, 2))}))
    assert "unknown sizes that meet are taken to be equal; for one of 1 that broadcasts give the placeholder" in text
    for way_out in (tf.reshape(x, [1, 2]), tf.placeholder(tf.float32)):
        slopes = tf.gradients(way_out - y, [way_out, y])
        key = x if way_out.op.type != "Placeholder" else way_out
        by_x, by_y = sess.run(slopes, {key: np.ones((1, 2)), y: np.ones((4, 2))})
        assert by_x.tolist() == [[4.0, 4.0]] and by_y.shape == (4, 2)
    text = told(errors.FeedError, lambda: sess.run(w, {x: np.ones((3, 2))}))
    assert text.startswith("mul: the sizes n0 = 3 and 4 must be equal: x:0 was fed (3, 2)")
    assert sess.run(w, {x: np.ones((4, 2))}) == 8.0


def test_uninitialized_variable(sess):
    v = tf.Variable([1.0, 2.0], name="v")
    loss = tf.reduce_sum(v, name="loss")
    assert told(errors.SessionError, lambda: sess.run({"loss": loss})) == (
        "the variable v:0, f32[2], is not initialized in this session, and loss:0 needs it\n"
        '  at HERE: assert told(errors.SessionError, lambda: sess.run({"loss": loss})) == (\n'
        '  v:0 made at HERE: v = tf.Variable([1.0, 2.0], name="v")\n'
        "  run tf.global_variables_initializer() first, made after the last variable"
    )
    assert "v:0, f32[2], is not initialized" in told(errors.SessionError, lambda: sess.run(v.assign_add([1.0, 1.0])))


def test_what_cannot_be_fetched(sess):
    a = tf.constant(1.0, name="a")
    with tf.Graph().as_default():
        other = tf.constant(2.0, name="b")
    assert told(errors.GraphError, lambda: sess.run(other)) == (
        "cannot fetch b:0: it is not in the session's graph\n"
        "  at HERE: assert told(errors.GraphError, lambda: sess.run(other)) == (\n"
        '  b:0 made at HERE: other = tf.constant(2.0, name="b")\n'
        "  open the session on its graph: tf.Session(graph=x.graph)"
    )
    assert told(errors.ValueTypeError, lambda: sess.run([a, None])).startswith("cannot fetch None (a NoneType)")
    assert told(errors.ValueTypeError, lambda: sess.run(1.0)).startswith("cannot fetch 1.0 (a float)")
    assert told(errors.ValueTypeError, lambda: sess.run(np.zeros(2))).startswith("cannot fetch array([0., 0.])")
    assert told(errors.ArgumentError, lambda: sess.run("nope:0")).startswith(
        "cannot fetch 'nope:0': the name 'nope:0' refers to a tensor that does not exist"
    )
    text = told(errors.ValueTypeError, lambda: sess.run(Other()))
    assert "it is a tape value" in text


def test_what_cannot_be_fed(sess):
    x = tf.placeholder(tf.float32, [], name="x")
    assert told(errors.ValueTypeError, lambda: sess.run(x, {"zzz:0": 1.0})).startswith(
        "feed_dict: the name 'zzz:0' refers to a tensor that does not exist"
    )
    assert told(errors.ValueTypeError, lambda: sess.run(x, {3: 1.0})).startswith("feed_dict: the key 3 (a int)")
    assert "a tensor of a graph or tape" in told(errors.ValueTypeError, lambda: sess.run(x, {x: tf.constant(1.0)}))
    y = x + 1.0
    x.graph.prevent_feeding(y)
    assert told(errors.FeedError, lambda: sess.run(y, {y: 1.0})).startswith("add:0 may not be fed")


def test_two_graphs_in_one_op():
    a = tf.constant(1.0, name="a")
    with tf.Graph().as_default():
        b = tf.constant(2.0, name="b")
    assert told(errors.GraphError, lambda: a + b) == (
        "add: b:0 belongs to another graph than the graph of a:0\n"
        "  at HERE: assert told(errors.GraphError, lambda: a + b) == (\n"
        '  a:0 made at HERE: a = tf.constant(1.0, name="a")\n'
        '  b:0 made at HERE: b = tf.constant(2.0, name="b")\n'
        "  build both under one `with graph.as_default():`"
    )


def test_another_front_end():
    a = tf.constant(1.0, name="a")
    b = Other()
    for f in (lambda: a + b, lambda: b + a, lambda: tf.add(a, b)):
        text = told(errors.MixedFrontEndsError, f)
        assert "session" in text and "tape" in text
        assert 'a = tf.constant(1.0, name="a")' in text and "self.line = user_line()" in text


def test_python_wants_a_number():
    x = tf.placeholder(tf.float32, [None], name="x")
    assert told(errors.ConcretizationError, lambda: bool(tf.reduce_sum(x) > 0)) == (
        "bool() of the session tensor greater:0, bool[]: it has no value until a session runs it\n"
        "  at HERE: assert told(errors.ConcretizationError, lambda: bool(tf.reduce_sum(x) > 0)) == (\n"
        "  greater:0 made at HERE: assert told(errors.ConcretizationError, lambda: bool(tf.reduce_sum(x) > 0)) == (\n"
        "  use tf.where, tf.cond or tf.while_loop inside the graph, or sess.run(...) to get the number"
    )
    for f in (lambda: list(x), lambda: float(x), lambda: np.asarray(x), lambda: np.zeros(3)[x]):
        told(TypeError, f)
    assert "use x.shape[0]" in told(TypeError, lambda: len(x))


def test_shapes_are_checked_at_the_building_line():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    told(errors.ShapeError, lambda: tf.matmul(x, tf.ones([4, 2])))
    told(errors.BroadcastError, lambda: x + tf.ones([2, 2]))
    told(errors.ShapeError, lambda: tf.reshape(tf.constant([1.0, 2.0, 3.0]), [2, 2]))
    text = told(errors.ShapeError, lambda: tf.reshape(x, [tf.reduce_sum(tf.cast(x, tf.int32)), 3]))
    assert "a shape cannot depend on values" in text


def test_after_the_end(graph):
    a = tf.constant(1.0)
    s = tf.Session()
    s.close()
    assert told(errors.SessionError, lambda: s.run(a)).startswith("the session is closed")
    graph.finalize()
    assert graph.finalized
    assert told(errors.SessionError, lambda: a + 1.0).startswith("add: the graph is finalized and cannot be modified")
    with tf.Session() as s:
        assert s.run(a) == 1.0


def test_variables_keep_their_type():
    v = tf.Variable(1.0, name="v")
    assert told(errors.ShapeError, lambda: v.assign([1.0, 2.0])).startswith(
        "Assign: v:0 is f32[], the value f32[2]: the shapes differ"
    )
    assert told(errors.DtypeError, lambda: v.assign(tf.constant(2))).startswith(
        "Assign: v:0 is float32, the value int32"
    )
    told(errors.ValueTypeError, lambda: v.assign("one"))
    x = tf.placeholder(tf.float32, [None])
    assert "is not fully known" in told(errors.ShapeError, lambda: tf.Variable(x, name="w"))


def test_control_flow():
    x = tf.constant(1.0)
    assert "Python bool" in told(errors.ValueTypeError, lambda: tf.cond(True, lambda: x, lambda: x))
    told(errors.DtypeError, lambda: tf.cond(x, lambda: x, lambda: x))
    told(errors.ArgumentError, lambda: tf.cond(x > 0, lambda: (x, x), lambda: x))
    told(errors.ShapeError, lambda: tf.cond(x > 0, lambda: x, lambda: tf.constant(1)))
    text = told(
        errors.ArgumentError, lambda: tf.while_loop(lambda a: a[0] > 0, lambda a: tf.concat([a, a], 0), [tf.ones([1])])
    )
    assert text.startswith("while_loop: loop variable 0 enters as f32[1] and is f32[2] after one step")
    told(errors.ArgumentError, lambda: tf.while_loop(lambda a, b: a > 0, lambda a, b: a, [x, x]))
    v = tf.Variable(1.0)
    assert "inside the body" in told(errors.SessionError, lambda: tf.cond(x > 0, lambda: v.assign(2.0), lambda: x))


def test_optimizers():
    v, x = tf.Variable(1.0, name="v"), tf.constant(3.0, name="x")
    text = told(errors.ArgumentError, lambda: tf.train.GradientDescentOptimizer(0.1).minimize(x))
    assert text.startswith("no gradients: x:0 does not depend on any of the variables v:0")
    told(errors.ValueTypeError, lambda: tf.train.GradientDescentOptimizer(0.1).minimize(3.0))
    text = told(errors.ArgumentError, lambda: tf.train.GradientDescentOptimizer(0.1).minimize(v * v, var_list=[]))
    assert text.startswith("no variables to optimize")


@pytest.mark.parametrize(
    "loss",
    [
        tf.nn.sparse_softmax_cross_entropy_with_logits,
        tf.nn.softmax_cross_entropy_with_logits,
        tf.nn.sigmoid_cross_entropy_with_logits,
    ],
)
def test_labels_and_logits_cannot_be_swapped(loss):
    x = tf.zeros([2, 2])
    for wrong in (lambda: loss(x, x), lambda: loss(logits=x), lambda: loss(labels=x)):
        text = told(errors.ArgumentError, wrong)
        assert text.startswith("cross entropy: labels and logits are given by name")


def test_names():
    g = tf.get_default_graph()
    tf.constant(1.0, name="b")
    with pytest.raises(KeyError, match="refers to an operation that is not in the graph"):
        g.get_operation_by_name("q")
    with pytest.raises(KeyError, match="the operation 'b' has 1 output"):
        g.get_tensor_by_name("b:1")
    with pytest.raises(ValueError, match="refers to an operation, not a tensor"):
        g.get_tensor_by_name("b")
    with pytest.raises(ValueError, match="is not a valid name"):
        tf.constant(1.0, name="bad name")


@pytest.mark.parametrize("scope", [tf.name_scope, tf.variable_scope])
def test_a_scope_is_refused_at_the_line_of_its_with(scope):
    with pytest.raises(ValueError, match=r"test_errors\.py"), scope("bad name"):
        pass
