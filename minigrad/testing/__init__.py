"""Is this gradient right? Checks of derivatives: for functions of all three front-ends, for plain NumPy, for ops.

Floor 7. **One function.** `check_grads(f, args)` differentiates f at args, in forward and reverse mode, to second
order, and compares every number with what f's values alone say. It returns nothing, or raises `CheckFailedError`:

>>> import numpy as np
>>> import minigrad.numpy as mnp
>>> check_grads(lambda p: mnp.tanh(p["x"] @ p["w"]), ({"x": np.ones((2, 3)), "w": np.ones((3, 1))},))

What is differentiated follows from what is given.

- A function of arrays, as minigrad.numpy and the tracer have them: with `grad`, `vmap`, `jit` or custom rules in it.
- A function of tape Tensors, if any of the args is one. What is checked is `autograd.grad`:

  >>> import minigrad.tape as torch
  >>> check_grads(lambda x: (x.sigmoid() * x).sum(), (torch.tensor([0.5, -1.0]),))

- A session graph, as `session_function(ys, xs, sess)`; the args are values for the xs. What is checked is `gradients`:

  >>> import minigrad.session as tf
  >>> with tf.Graph().as_default(), tf.Session() as sess:
  ...     x = tf.placeholder(tf.float64, [2])
  ...     check_grads(session_function(tf.reduce_sum(tf.exp(x) * x), [x], sess), ([0.5, 1.5],))

- Plain NumPy: a scalar function and its `gradient`, or any function and its `vjp` of (y_bar, x, ...):

  >>> check_grads(lambda x, a: x @ a @ x, (np.ones(2), np.eye(2)), gradient=lambda x, a: (2 * a @ x, np.outer(x, x)))
  >>> check_grads(np.cumsum, (np.arange(3.0),), vjp=lambda y_bar, x: np.cumsum(y_bar[::-1])[::-1])

**The truth** is a central difference, extrapolated to step 0, that knows its own error; where f takes complex numbers
and is analytic, the complex step makes it exact. Tolerances follow from that error: there is nothing to tune, and they
do not grow with the array. Small arguments are tried element by element, large ones along random directions, and a
failure is then narrowed down to an element. float32 programs are run in float64 for the differences, and their float32
gradient is held against the float64 one. Complex arguments move along both parts.

**The report** names the worst entry, both numbers and the likely cause; `seed=` repeats it:

>>> from minigrad.tracer import custom_jvp
>>> sine = custom_jvp(mnp.sin)
>>> _ = sine.defjvp(lambda primals, tangents: (mnp.sin(*primals), tangents[0]))  # the cosine is missing
>>> check_grads(sine, (0.5,), seed=1)
Traceback (most recent call last):
minigrad.errors.CheckFailedError: check_grads: forward mode, order 1: the derivative of output by x is 1, ...
  likely cause: the derivative rule of custom_jvp: ...
  repeat with seed=1
>>> check_grads(mnp.abs, (np.array([1.0, 0.0]),))
Traceback (most recent call last):
minigrad.errors.CheckFailedError: check_grads: order 1: output at index (1,) is not differentiable by x at index (1,)...

Causes it tells apart: an op whose own rule is wrong (the first one applied, at its line), a kink, a jump, the edge of a
domain, values that change from call to call (a random generator, a counter, a memory of earlier arguments), integers
where floats were meant, float32 inside, cancellation, code that hides a dependence from the derivative.

**In pytest** the fixture `assert_gradients` does the same and is counted; the plugin comes with an installed minigrad.
The summary has a line for each failure, and `--minigrad-seed N` (or the setting `minigrad.config.seed`, environment
MINIGRAD_SEED) repeats a run:

    def test_my_loss(assert_gradients):
        assert_gradients(my_loss, (params, batch))

**Property tests**: `strategies` (loaded on first use, needs hypothesis) draws `shapes`, `broadcastable` shapes,
`arrays` of any layout, `pytrees` and differentiable `functions`, which shrink to short expressions and print as such:

    @given(strategies.functions(count=1, scalar=True), strategies.arrays(shape=(2, 3)))
    def test_my_transformation(f, x):
        assert np.allclose(my_grad(f)(x), grad(f)(x))

**Every op with operands**: `op_samples()` yields what the house's own laws are tried on. A backend, a pass or an
interpreter of yours is tried on it in a loop:

>>> rng = np.random.default_rng(0)
>>> sum(case.op.label == "sort" for case in op_samples()) > 1
True
>>> all(isinstance(x, np.ndarray) for case in op_samples() for x in case.operands(rng))
True
"""

from minigrad.lazy import lazy_module
from minigrad.testing.check_grads import check_grads
from minigrad.testing.inventory import op_samples
from minigrad.testing.session_problem import session_function

strategies = lazy_module("minigrad.testing.strategies")

__all__ = ["check_grads", "op_samples", "session_function", "strategies"]
