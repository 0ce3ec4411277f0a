"""What a user is told: every function is a wrong program, its docstring the whole message, of which nothing is ours.

Places are left out of the messages ("at x + y" for "at file.py:7: x + y"), and lines are broken where it suits.
"""

import re

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad.errors import MinigradError
from minigrad.op import EVALUATE, interpreter
from minigrad.tracer import lax

ONES = {n: np.ones(n, np.float32) for n in (3, 4)}
TWO_THREE = np.ones((2, 3), np.float32)


# ── shapes that do not broadcast ─────────────────────────────────────────────────────────────────
def broadcast_eagerly():
    """
    add: shapes (2, 3) and (4,) do not broadcast: axis -1 has sizes 3 and 4
      at jnp.ones((2, 3)) + jnp.ones(4)
      sizes must be equal or 1, counted from the last axis; reshape or index with None
    """
    jnp.ones((2, 3)) + jnp.ones(4)


def model(x, y):
    h = x * 2.0
    g = jnp.sin(y)
    return jnp.sum(h + g)


MODEL = """
    add: shapes {} and (4,) do not broadcast: axis -1 has sizes 3 and 4
      at return jnp.sum(h + g)
      {} made at h = x * 2.0
      (4,) made at g = jnp.sin(y)
      sizes must be equal or 1, counted from the last axis; reshape or index with None
"""


def broadcast_under_jit():
    jax.jit(model)(TWO_THREE, ONES[4])


def broadcast_under_grad():
    jax.grad(model, argnums=(0, 1))(TWO_THREE, ONES[4])


def broadcast_under_jit_of_grad():
    jax.jit(jax.grad(model))(TWO_THREE, ONES[4])


def broadcast_under_vmap():
    jax.vmap(model)(np.stack([ONES[3]] * 5), np.stack([ONES[4]] * 5))  # the shapes of a lane, not of the batch


def broadcast_on_the_tape():
    model(torch.ones(2, 3, requires_grad=True), torch.ones(4, requires_grad=True))


def broadcast_in_a_session():
    model(tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.float32, [4]))


for _program in (
    broadcast_under_jit,
    broadcast_under_grad,
    broadcast_under_jit_of_grad,
    broadcast_on_the_tape,
    broadcast_in_a_session,
):
    _program.__doc__ = MODEL.format("(2, 3)", "(2, 3)")
broadcast_under_vmap.__doc__ = MODEL.format("(3,)", "(3,)")


def a_product_of_an_argument():
    """
    matmul: shapes (2, 3) and (4,) do not fit: axis -1 of the first has size 3, axis -1 of the second has size 4
      at return h @ w
      (2, 3) made at h = x * 2
      (4,) is w, from product(TWO_THREE, ONES[4])
      the last axis of the left operand meets the last but one of the right operand
    """

    @jax.jit
    def product(x, w):
        h = x * 2
        return h @ w

    product(TWO_THREE, ONES[4])


def a_product_of_a_variable():
    """
    matmul: shapes (n0, 3) and (4, 5) do not fit: axis -1 of the first has size 3, axis -2 of the second has size 4
      at tf.matmul(x, w)
      (n0, 3) made at x = tf.placeholder(tf.float32, [None, 3], name="x")
      (4, 5) made at w = tf.Variable(tf.zeros([4, 5]))
      the last axis of the left operand meets the last but one of the right operand
    """
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.Variable(tf.zeros([4, 5]))
    tf.matmul(x, w)


def sizes_known_when_fed():
    """
    add: the sizes n0 = 2 and n1 = 5 must be equal: x:0 was fed (2,) and y:0 was fed (5,)
      at sess.run(z, {x: np.ones(2), y: np.ones(5)})
      taken to be equal at z = x + y
      x:0 made at x = tf.placeholder(tf.float32, [None], name="x")
      y:0 made at y = tf.placeholder(tf.float32, [None], name="y")
    """
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.placeholder(tf.float32, [None], name="y")
    z = x + y
    with tf.Session() as sess:
        sess.run(z, {x: np.ones(2), y: np.ones(5)})


def three_shapes():
    """
    where: shapes (3,), () and (4,) do not broadcast: axis -1 has sizes 3 and 4
      at jnp.where(ONES[3] > 0, 1.0, ONES[4])
      sizes must be equal or 1, counted from the last axis; reshape or index with None
    """
    jnp.where(ONES[3] > 0, 1.0, ONES[4])


# ── values of two front-ends, and of none ────────────────────────────────────────────────────────
def session_and_tape():
    """
    add: a session value and a tape value cannot meet in one op
      at x + t
      session value made at x = tf.constant([1.0])
      tape value made at t = torch.ones(1)
      take the numbers out of one of them first
    """
    x = tf.constant([1.0])
    t = torch.ones(1)
    x + t


def tape_under_grad():
    """
    grad: output is a tape value
      at jax.grad(with_tensor)(1.0)
      the function is def with_tensor(x):
      it was made at return x * t
      the function used a tape value: pass its numbers in as an argument
    """
    t = torch.ones((), requires_grad=True)

    def with_tensor(x):
        return x * t

    jax.grad(with_tensor)(1.0)


def tape_under_jit():
    """
    jit: argument a is a tape value
      at jax.jit(lambda a: a)(t)
      made at t = torch.ones(1)
      transformations take arrays: take the numbers out of it first
    """
    t = torch.ones(1)
    jax.jit(lambda a: a)(t)


def a_tensor_of_a_tensor_of_a_graph():
    """
    tensor: a session value, f32[1], has no numbers to make a tensor from
      at torch.tensor(x)
      made at x = tf.constant([1.0])
      run or return it first; a tensor is made from numbers
    """
    x = tf.constant([1.0])
    torch.tensor(x)


def a_fed_tensor_of_the_tape():
    """
    the value fed to x:0 is tensor(1.), a tape value
      at sess.run(x, {x: torch.tensor(1.0)})
      x:0 made at x = tf.placeholder(tf.float32, [], name="x")
      feed its numbers: it.detach().numpy()
    """
    x = tf.placeholder(tf.float32, [], name="x")
    with tf.Session() as sess:
        sess.run(x, {x: torch.tensor(1.0)})


def a_list():
    """
    mul: a list is not a tensor
      at jnp.ones(2) * [1.0, 2.0]
      make one of it first: asarray([...])
    """
    jnp.ones(2) * [1.0, 2.0]


def lists_in_lists():
    """
    asarray: the lists are nested more than 64 deep
      at torch.tensor(nested)
      an array has no more axes; does a list hold itself?
    """
    nested = 1.0
    for _ in range(5000):
        nested = [nested]
    torch.tensor(nested)


def a_tree_too_deep():
    """
    the tree is nested too deeply for Python's recursion limit of 1000
      at jax.jit(lambda t: 1.0)(nested)
      does a container hold itself?
    """
    nested = 1.0
    for _ in range(5000):
        nested = [nested]
    jax.jit(lambda t: 1.0)(nested)


# ── dtypes ───────────────────────────────────────────────────────────────────────────────────────
def unknown_dtype():
    """
    unknown dtype 'float16'
      at {}
      known: bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, complex64, complex128
    """


def unknown_dtype_of_an_array():
    jnp.zeros(3, dtype="float16")


def unknown_dtype_of_a_tensor():
    torch.tensor(np.ones(3, np.float16))


def unknown_dtype_of_a_placeholder():
    tf.placeholder("float16", [3])


unknown_dtype_of_an_array.__doc__ = unknown_dtype.__doc__.format('jnp.zeros(3, dtype="float16")')
unknown_dtype_of_a_tensor.__doc__ = unknown_dtype.__doc__.format("torch.tensor(np.ones(3, np.float16))")
unknown_dtype_of_a_placeholder.__doc__ = unknown_dtype.__doc__.format('tf.placeholder("float16", [3])')


# ── feeding and running ──────────────────────────────────────────────────────────────────────────
def not_fed():
    """
    the placeholder y:0, f32[n1], is not fed, and add:0 needs it; fed: x:0 (2,)
      at sess.run(tf.reduce_sum(x) + tf.reduce_sum(y), {x: [1.0, 2.0]})
      y:0 made at y = tf.placeholder(tf.float32, [None], name="y")
      give it a value: run(..., feed_dict={y: value})
    """
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.placeholder(tf.float32, [None], name="y")
    with tf.Session() as sess:
        sess.run(tf.reduce_sum(x) + tf.reduce_sum(y), {x: [1.0, 2.0]})


def fed_another_shape():
    """
    cannot feed a value of shape (2, 4) to x:0, whose shape is (None, 3)
      at sess.run(x, {x: np.ones((2, 4))})
      x:0 made at x = tf.placeholder(tf.float32, [None, 3], name="x")
    """
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with tf.Session() as sess:
        sess.run(x, {x: np.ones((2, 4))})


def fed_another_dtype():
    """
    cannot feed float64 values that int32 cannot hold to x:0, whose dtype is int32: 1.5
      at sess.run(x, {x: 1.5})
      x:0 made at x = tf.placeholder(tf.int32, [], name="x")
      convert it first: value.astype('int32')
    """
    x = tf.placeholder(tf.int32, [], name="x")
    with tf.Session() as sess:
        sess.run(x, {x: 1.5})


def not_initialised():
    """
    the variable v:0, f32[3], is not initialized in this session, and mul:0 needs it
      at sess.run(v * 2.0)
      v:0 made at v = tf.Variable(tf.zeros([3]), name="v")
      run tf.global_variables_initializer() first, made after the last variable
    """
    v = tf.Variable(tf.zeros([3]), name="v")
    with tf.Session() as sess:
        sess.run(v * 2.0)


def run_what_was_run():
    """
    cannot fetch np.float32(1.0) (a float32)
      at loss = sess.run(loss)
      this is a value, not a tensor: has `loss = sess.run(loss)` put the result in the tensor's place?
    """
    loss = tf.constant(1.0)
    with tf.Session() as sess:
        for _ in range(2):
            loss = sess.run(loss)


def run_no_gradient():
    """
    cannot fetch None (a NoneType)
      at sess.run(tf.gradients(y, x))
      gradients() and optimizers give None for what the loss does not depend on
    """
    x, y = tf.constant(1.0), tf.constant(2.0)
    with tf.Session() as sess:
        sess.run(tf.gradients(y, x))


# ── asking a traced value for its number ─────────────────────────────────────────────────────────
NO_NUMBER = """there is no number yet: use where(c, a, b) to choose between values, cond / while_loop / scan for
    control flow, or mark the argument static"""


def if_of_a_traced_value():
    jax.jit(branch)(1.0, 3)


def branch(x, n):
    y = x * n
    return x if y > 0 else -x


if_of_a_traced_value.__doc__ = f"""
    bool() of a traced value bool[], which depends on arguments x, n
      at return x if y > 0 else -x
      {NO_NUMBER}
"""


def range_of_a_traced_value():
    jax.jit(lambda x, n: [x for _ in range(n)])(1.0, 3)


range_of_a_traced_value.__doc__ = f"""
    int() of a traced value i64[], argument n
      at jax.jit(lambda x, n: [x for _ in range(n)])(1.0, 3)
      {NO_NUMBER}
"""


def if_of_a_tensor_of_a_graph():
    """
    bool() of the session tensor greater:0, bool[]: it has no value until a session runs it
      at if y:
      greater:0 made at y = x > 0
      use tf.where, tf.cond or tf.while_loop inside the graph, or sess.run(...) to get the number
    """
    x = tf.placeholder(tf.float32, [], name="x")
    y = x > 0
    if y:
        pass


def if_of_a_mapped_value():
    """
    bool() of a value mapped by vmap, bool[]: it is different in each of 3 lanes
      at jax.vmap(lambda x: x if x > 0 else -x)(ONES[3])
      use where(c, a, b), or cond / while_loop, which keep a condition per lane
    """
    jax.vmap(lambda x: x if x > 0 else -x)(ONES[3])


# ── values that outlived their trace ─────────────────────────────────────────────────────────────
def leaked_by(transform, x):
    kept = []

    def f(x):
        y = x * 2.0
        kept.append(y)
        return y

    transform(f)(x)
    return kept[0]


LEAK = """
    sin: a traced value f32[] outlived its trace
      at jnp.sin(y)
      made at y = x * 2.0
      return it from the traced function instead of keeping it in a list, global or attribute
"""


def leaked_by_jit():
    y = leaked_by(jax.jit, 1.0)
    jnp.sin(y)


def leaked_by_grad():
    y = leaked_by(jax.grad, 1.0)
    jnp.sin(y)


def leaked_by_vmap():
    y = leaked_by(jax.vmap, ONES[3])
    jnp.sin(y)


def leaked_by_a_loop():
    def body(carry, x):
        y = x * 2.0
        kept.append(y)
        return carry, y

    kept = []
    lax.scan(body, 0.0, ONES[3])
    y = kept[0]
    jnp.sin(y)


for _program in (leaked_by_jit, leaked_by_grad, leaked_by_vmap, leaked_by_a_loop):
    _program.__doc__ = LEAK


# ── gradients ────────────────────────────────────────────────────────────────────────────────────
def a_second_backward():
    """
    backward: an earlier backward has already freed what sum saved
      at y.backward()
      sum recorded at y = (x * x).sum()
      freed at y.backward()
      pass retain_graph=True to the earlier backward to walk the same graph again, or detach() what an earlier
      iteration left behind
    """
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()


def changed_in_place():
    """
    backward: mul needs a value f32[2] it saved, but the value has been changed in place
      at z.sum().backward()
      saved by mul at z = y * y
      changed at y += 1
      change a copy instead (x = x + 1 rather than x += 1), or clone() before the change
    """
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    z = y * y
    y += 1
    z.sum().backward()


def grad_of_no_scalar():
    """
    grad: the function must return a scalar, got f32[3]
      at jax.grad(twice)(ONES[3])
      the function is def twice(x):
      reduce it with sum() or mean(), or use vjp (chosen cotangent) or jacrev (every entry)
    """

    def twice(x):
        return x * 2

    jax.grad(twice)(ONES[3])


def backward_of_no_scalar():
    """
    backward: the output is f32[3], not a scalar, so its gradient needs a direction
      at (x * 2).backward()
      reduce it first (loss.sum(), loss.mean()), or pass gradient= of its shape
    """
    x = torch.ones(3, requires_grad=True)
    (x * 2).backward()


def grad_of_an_integer():
    """
    grad: argument 1, p['n'], is int64[]: only floats have gradients
      at jax.grad(lambda x, p: x * p["n"], argnums=1)(1.0, {"n": 3})
      pass floats (1.0 instead of 1), or leave this argument out of argnums
    """
    jax.grad(lambda x, p: x * p["n"], argnums=1)(1.0, {"n": 3})


def integers_that_require_grad():
    """
    tensor: int64 has no derivatives; only floats and complex numbers do
      at torch.tensor([1, 2], requires_grad=True)
      convert first: x.float(), or tensor(..., dtype=float32)
    """
    torch.tensor([1, 2], requires_grad=True)


def an_integer_loss():
    """
    GradientDescent: the loss mul:0 is int32, which has no gradient
      at tf.train.GradientDescentOptimizer(0.1).minimize(w * 2)
      make the variables floats: tf.Variable(1.0), or dtype=tf.float32
    """
    w = tf.Variable(1)
    tf.train.GradientDescentOptimizer(0.1).minimize(w * 2)


PROGRAMS = [
    f for f in list(globals().values())
    if getattr(f, "__module__", "") == __name__ and getattr(f, "__doc__", None) and f is not unknown_dtype
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_the_message(program):
    with tf.Graph().as_default(), pytest.raises(MinigradError) as caught:
        program()
    told = re.sub(r"\S*test_bad_input\.py:\d+: ", "", str(caught.value))
    assert told.split() == program.__doc__.split(), told
    assert "/minigrad/" not in str(caught.value)
    assert interpreter.get() is EVALUATE


# ── not wrong, only long ─────────────────────────────────────────────────────────────────────────
LONG = 100_000


def chain(x):
    for _ in range(LONG):
        x = x * 1.0
    return x


def test_a_long_chain_on_the_tape():
    x = torch.tensor(2.0, requires_grad=True)
    y = chain(x)
    y.backward()
    assert x.grad.item() == 1.0
    unused = chain(x)
    del unused, y  # frees the records one after the other, not one inside the other


def test_a_long_chain_under_grad():
    assert jax.grad(chain)(2.0) == 1.0


def test_a_long_chain_in_a_session():
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [])
        y = chain(x)
        assert sess.run([y, *tf.gradients(y, x)], {x: 2.0}) == [2.0, 1.0]


def test_deep_nesting():
    f = nested = lanes = lambda x: x**9.0
    for _ in range(8):
        f = jax.grad(f)
    assert float(f(1.0)) == 362880.0
    for _ in range(40):
        nested = jax.jit(lambda x, inner=nested: inner(x) * 1.0)
    assert float(nested(1.0)) == 1.0
    for _ in range(8):
        lanes = jax.vmap(lanes)
    assert lanes(np.ones((1,) * 8)).shape == (1,) * 8
