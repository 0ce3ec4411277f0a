"""Graphs: names, scopes, the default stack, looking things up, variables by name."""

import numpy as np
import pytest

import minigrad.session as tf
from minigrad import graph as language
from minigrad import numpy as mnp
from minigrad import passes, text, tracer


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def test_names_are_made_unique(graph):
    assert [tf.constant(1.0, name="x").name for _ in range(3)] == ["x:0", "x_1:0", "x_2:0"]
    assert (tf.constant(1.0) + 1.0).name == "add:0" and tf.constant(2.0).name == "Const_1:0"
    assert [tf.constant(1.0, name="Q").name, tf.constant(1.0, name="q").name] == ["Q:0", "q_1:0"]
    assert graph.unique_name("x") == "x_3"
    with tf.name_scope("s") as scope:
        assert scope == "s/" and tf.constant(1.0, name="c").name == "s/c:0"
    with tf.name_scope("s"):
        assert tf.constant(1.0, name="c").name == "s_1/c:0"
    with tf.name_scope("s/"):
        assert tf.constant(1.0, name="c").name == "s/c_1:0"
        with tf.name_scope(None):
            assert tf.constant(1.0, name="top").name == "top:0"
    assert tf.constant(1.0, name="exact/").name == "exact:0"


def test_a_composite_is_one_name_with_its_parts_under_it(graph):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.nn.softmax(x, name="p")
    assert y.name == "p:0" and graph.get_tensor_by_name("p:0") is y
    assert all(o.name == "p" or o.name.startswith("p/") for o in graph.get_operations()[1:])
    assert tf.nn.softmax(x).op.name == "Softmax" and tf.nn.softmax(x).op.name == "Softmax_1"
    assert tf.reshape(tf.constant([1.0]), [1], name="r").name == "r:0"


def test_operations_know_their_neighbours(graph):
    a = tf.constant(1.0, name="a")
    b = tf.add(a, a, name="b")
    assert [o.name for o in graph.get_operations()] == ["a", "b"]
    assert b.op.inputs == [a, a] and a.consumers() == [b.op] and b.op.type == "add"
    assert str(b) == 'Tensor("b:0", shape=(), dtype=float32)' and b.value_index == 0
    assert graph.get_operation_by_name("b") is b.op and b.graph is graph
    before = graph.version
    tf.no_op()
    assert graph.version > before


def test_equality_is_identity():
    a = tf.constant([1.0, 2.0])
    assert a == a and a != a + 0.0 and len({a, a}) == 1


def test_shapes():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    assert x.get_shape().as_list() == [None, 3] and str(x.shape) == "(n0, 3)" and x.shape.ndims == 2
    assert not x.shape.is_fully_defined() and tf.ones([2, 3]).shape.num_elements() == 6
    assert (x + tf.ones([4])[:1]).shape.as_list() == [None, 3]
    y = x * 1.0
    y.set_shape([7, None])
    assert y.shape.as_list() == [7, 3] and tf.reshape(y, [-1]).shape.as_list() == [21]
    with pytest.raises(ValueError, match=r"which cannot be \[8, 3\]"):
        y.set_shape([8, 3])
    with tf.Session() as sess:
        assert sess.run(y, {x: np.ones((7, 3))}).shape == (7, 3)
        with pytest.raises(ValueError, match="set_shape: the sizes n0 = 6 and 7 must be equal"):
            sess.run(y, {x: np.ones((6, 3))})


def test_sizes_as_data():
    x = tf.placeholder(tf.float32, [None, None, 2], name="x")
    n = tf.shape(x)[0]
    flat = tf.reshape(x, [n * tf.shape(x)[1], -1])
    back = tf.reshape(flat, tf.shape(x))
    more = tf.zeros(tf.stack([n + 1, 4]))
    assert flat.shape.as_list() == [None, 2] and str(flat.shape) == "(n0*n1, 2)"
    with tf.Session() as sess:
        given = np.arange(12.0).reshape(3, 2, 2)
        found = sess.run([flat, back, more, tf.shape(x), tf.size(x), tf.rank(x)], {x: given})
    assert found[0].shape == (6, 2) and (found[1] == given).all() and found[2].shape == (4, 4)
    assert found[3].tolist() == [3, 2, 2] and found[3].dtype == np.int32 and found[4:] == [12, 3]


def test_constants_take_tensorflows_dtypes():
    kinds = [tf.constant(v).dtype.name for v in (1, 1.5, np.float64(1.5), True, 2**40, [1, 2], 1j)]
    assert kinds == ["int32", "float32", "float64", "bool", "int64", "int32", "complex64"]
    assert tf.constant(1, tf.float64).dtype == tf.float64 and tf.constant(0.0, shape=[2, 2]).shape == (2, 2)
    with pytest.raises(TypeError, match="does not fit in int32"):
        tf.constant(1.5, tf.int32)


def test_default_graphs_and_sessions():
    outer = tf.get_default_graph()
    with tf.Graph().as_default() as inner:
        assert tf.get_default_graph() is inner
        a = tf.constant(1.0)
    assert tf.get_default_graph() is outer
    with tf.Session(graph=inner) as sess:
        assert tf.get_default_graph() is inner and tf.get_default_session() is sess
        b = tf.constant(4.0)
    assert a.graph is b.graph and tf.get_default_session() is None
    sess = tf.Session(graph=inner)
    with sess.as_default():
        assert b.eval() == 4.0
    assert sess.run(b) == 4.0  # as_default does not close


def test_collections(graph):
    a = tf.constant(1.0, name="a")
    tf.add_to_collection("mine", a)
    assert tf.get_collection("mine") == [a] and tf.get_collection("others") == []


def test_variables_by_name():
    with tf.variable_scope("a"):
        w = tf.get_variable("w", [2], initializer=tf.ones_initializer())
    assert w.name == "a/w:0" and w.op.name == "a/w"
    with tf.variable_scope("a", reuse=True):
        assert tf.get_variable("w", [2]) is w
        with pytest.raises(ValueError, match=r"a/nope does not exist, or was not made with tf.get_variable"):
            tf.get_variable("nope", [2])
        with pytest.raises(ValueError, match=r"trying to share variable a/w as \(3,\), but its shape is \(2,\)"):
            tf.get_variable("w", [3])
    with tf.variable_scope("a"), pytest.raises(ValueError, match="variable a/w already exists"):
        tf.get_variable("w", [2])
    with tf.variable_scope("a", reuse=tf.AUTO_REUSE) as scope:
        assert tf.get_variable("w") is w
        b = tf.get_variable("b", initializer=tf.constant([1.0, 2.0]))
        assert tf.constant(1.0, name="k").name != "a/k:0"  # the names of operations are made unique all the same
    with tf.variable_scope(scope, reuse=True), tf.variable_scope("deep", reuse=tf.AUTO_REUSE):
        assert tf.get_variable("c", []).name == "a/deep/c:0"
    assert [tf.Variable(1.0, name="z").name for _ in range(2)] == ["z:0", "z_1:0"]
    step = tf.Variable(0, trainable=False, name="step")
    assert step not in tf.trainable_variables() and step in tf.global_variables() and b in tf.trainable_variables()
    with pytest.raises(ValueError, match="its shape must be given"):
        tf.get_variable("noshape")


def test_a_variable_scope_can_be_asked_and_told(graph):
    with tf.variable_scope("a") as scope:
        assert tf.get_variable_scope() is scope and scope.name == "a" and scope.original_name_scope == "a/"
        w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
        scope.reuse_variables()
        assert tf.get_variable("w") is w and "reuse=True" in repr(scope)
    assert tf.get_variable_scope().name == tf.get_variable_scope().original_name_scope == ""
    assert graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES) == [w]
    v = tf.Variable(1.0)
    with tf.Session() as sess:
        sess.run(tf.variables_initializer([v]))
        assert sess.run([v, tf.is_variable_initialized(w)]) == [1.0, False]


def test_the_global_step():
    assert tf.train.get_global_step() is None
    step = tf.train.create_global_step()
    assert tf.train.get_or_create_global_step() is step is tf.train.get_global_step() and step.name == "global_step:0"
    with pytest.raises(ValueError, match="the graph has a global step already"):
        tf.train.create_global_step()


def test_what_may_be_fed_and_an_operation_as_text(graph):
    x = tf.constant(2.0, name="x")
    with graph.control_dependencies([tf.no_op(name="first")]):
        y = tf.add(x, x, name="y")
    assert y.op.node_def == "y = add(x:0, x:0, ^first)"
    assert graph.is_feedable(y)
    graph.prevent_feeding(y)
    assert not graph.is_feedable(y)
    assert tf.convert_to_tensor(y) is y and tf.convert_to_tensor([1, 2]).dtype == tf.int32


def test_the_default_graph_begins_anew():
    with pytest.raises(RuntimeError, match="reset_default_graph inside"):
        tf.reset_default_graph()


def test_initializers():
    tf.set_random_seed(0)
    made = {
        "zeros": (tf.zeros_initializer(), 0.0, 0.0),
        "normal": (tf.random_normal_initializer(1.0, 2.0), 1.0, 2.0),
        "uniform": (tf.random_uniform_initializer(-1.0, 1.0), 0.0, 3**-0.5),
        "truncated": (tf.truncated_normal_initializer(0.0, 1.0), 0.0, 0.87962566),
        "glorot": (tf.glorot_uniform_initializer(), 0.0, (2.0 / 200) ** 0.5),
        "glorot_normal": (tf.glorot_normal_initializer(), 0.0, (2.0 / 200) ** 0.5),
        "constant": (tf.constant_initializer(3.0), 3.0, 0.0),
    }
    variables = {name: tf.get_variable(name, [100, 100], initializer=made[name][0]) for name in made}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for name, value in sess.run(variables).items():
            _, mean, deviation = made[name]
            assert value.dtype == np.float32 and abs(value.mean() - mean) < 0.1
            assert value.std() == pytest.approx(deviation, rel=0.05, abs=1e-6)


def test_the_graph_that_runs_is_an_ordinary_graph(graph):
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    v = tf.Variable([1.0, 2.0], name="v")
    update = v.assign_add(tf.reduce_sum(x, axis=0))
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess.run(update, {x: np.ones((3, 2))})
    plan = graph.plans[(update,), (x,)]
    assert [i.label for i in plan.graph.inputs] == ["x", "v:0"] and len(plan.graph.outputs) == 2
    (exe,) = plan.executables.values()
    language.check(exe.graph)
    assert [str(t) for t in exe.graph.in_types] == ["f32[3,2]", "f32[2]"]


def test_the_graph_is_the_tracers_graph():
    """The same function by placeholders and by tracing: one graph, its gradient's too, whose text reads back."""

    def loss(w, x, y):
        return mnp.mean((mnp.tanh(x @ w) - y) ** 2)

    arrays = [np.ones(shape, np.float32) for shape in ((3, 2), (4, 3), (4, 2))]
    w, x, y = (tf.placeholder(tf.float32, a.shape) for a in arrays)
    value = loss(w, x, y)
    with tf.Session() as sess:
        feed = dict(zip((w, x, y), arrays, strict=True))
        for fetch, f in ((value, loss), (tf.gradients(value, w), tracer.grad(loss))):
            built, exe = sess.compile(fetch, feed)
            assert built == passes.dce(tracer.make_graph(f)(*arrays))
            assert text.parse(text.to_text(built)) == built
            language.check(exe.graph)


def test_the_array_namespace_builds_too(graph):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = mnp.mean(mnp.tanh(x) @ np.ones((3, 2), np.float32), axis=0) + mnp.zeros_like(x)[0, :2]
    assert y.graph is graph and y.shape.as_list() == [2]
    with tf.Session() as sess:
        assert sess.run(y, {x: np.zeros((4, 3))}).tolist() == [0.0, 0.0]
