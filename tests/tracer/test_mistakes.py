"""What is said when something is wrong: the exact words, at the user's line."""

import math

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad import errors, tape
from minigrad.op import EVALUATE, interpreter
from minigrad.tracer import lax

X = np.ones(3, np.float32)
TENSOR = tape.tensor([1.0, 2.0, 3.0])


def branchy(x):
    return x if x > 0 else -x


def counted(x, n):
    return [x for _ in range(n)]


KEPT: list = []


def leaky(x):
    KEPT.append(x * 2.0)
    return x


def unruled(x):
    return x


def wrong_rule():
    f = jax.custom_jvp(unruled)
    f.defjvp(lambda primals, tangents: (primals[0], X))
    return jax.grad(f)(1.0)


def wrong_cotangent():
    f = jax.custom_vjp(unruled)
    f.defvjp(lambda x: (x, ()), lambda saved, y_bar: (X,))
    return jax.grad(f)(1.0)


MISTAKES = [
    # ── arguments that are no tensors
    (lambda: jax.jit(lambda x, y: x * y)(X, np.array([1, None])), errors.DtypeError,
     "jit: argument y: unknown dtype 'object'",
     "known: bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, complex64, complex128"),
    (lambda: jax.jit(jnp.sum)(np.ma.masked_array(X, X == 1)), errors.ValueTypeError,
     "jit: elements of a masked array are missing",
     "fill them first: x.filled(0.0), or x.filled(nan) with nansum and its like"),
    # ── grad and its kin
    (lambda: jax.grad(lambda x: x * 2.0)(X), errors.GradientError,
     "grad: the function must return a scalar, got f32[3]",
     "reduce it with sum() or mean(), or use vjp (chosen cotangent) or jacrev (every entry)"),
    (lambda: jax.grad(lambda x: (x, x))(1.0), errors.GradientError,
     "grad: the function must return a scalar, got (f32[], f32[])",
     "to return more beside the scalar: has_aux=True and return (scalar, more)"),
    (lambda: jax.grad(lambda n: n * n)(3), errors.NotDifferentiableError,
     "grad: argument 0 is int64[]: only floats have gradients",
     "pass floats (1.0 instead of 1), or leave this argument out of argnums"),
    (lambda: jax.grad(lambda p, x: x, argnums=(1, 0))({"w": [1.0, 2]}, 1.0), errors.NotDifferentiableError,
     "grad: argument 0, p['w'][1], is int64[]: only floats have gradients",
     "pass floats (1.0 instead of 1), or leave this argument out of argnums"),
    (lambda: jax.grad(lambda x: x > 0)(1.0), errors.NotDifferentiableError,
     "grad: the function returned bool[]: only floats have gradients", None),
    (lambda: jax.grad(lambda z: z * z)(1j), errors.GradientError,
     "grad: the function must return a real scalar, got c64[]",
     "if it is holomorphic, say holomorphic=True; else use vjp, or its real part"),
    (lambda: jax.grad(unruled, holomorphic=True)(1.0), errors.NotDifferentiableError,
     "grad: holomorphic=True needs complex inputs, but argument 0 is float32[]", None),
    (lambda: jax.jacfwd(unruled)(1j), errors.NotDifferentiableError,
     "jacfwd: argument 0 is complex64[], which has two real directions",
     "if the function is holomorphic, say holomorphic=True; else use jvp or vjp"),
    (lambda: jax.grad(lambda x: jnp.sum(x * TENSOR))(X), errors.MixedFrontEndsError,
     "grad: output is a tape value", "the function used a tape value: pass its numbers in as an argument"),
    (lambda: jax.jit(lambda x: x * TENSOR)(X), errors.MixedFrontEndsError,
     "mul: a tape value is used in code that is being traced", "pass its numbers in as an argument"),
    (lambda: jax.vmap(unruled)(TENSOR), errors.MixedFrontEndsError,
     "vmap: argument x is a tape value", "transformations take arrays: take the numbers out of it first"),
    (lambda: jax.grad(unruled, argnums=2)(1.0), errors.ArgumentError,
     "grad: argnums names argument 2, but the call has 1 positional argument",
     "arguments are counted from 0; pass those to differentiate by position, not by keyword"),
    (lambda: jax.grad(unruled, argnums=(0, 0)), errors.ArgumentError,
     "grad: argnums (0, 0) names an argument twice", None),
    (lambda: jax.grad(unruled, argnums="x"), errors.ArgumentError,
     "grad: argnums must be an int or a tuple of ints, got 'x'", None),
    (lambda: jax.grad(unruled, has_aux=True)(1.0), errors.GradientError,
     "grad: with has_aux=True the function must return a pair (value, aux), got f32[]", None),
    (lambda: jax.grad(3.0), errors.ValueTypeError, "grad: expected a function, got 3.0 (a float)", None),
    (lambda: jax.jvp(unruled, ({"w": X},), ({"w": X[:2]},)), errors.GradientError,
     "jvp: the tangent of x['w'] is f32[2], but x['w'] is f32[3]", None),
    (lambda: jax.jvp(unruled, (X,), (np.ones(3),)), errors.GradientError,
     "jvp: the tangent of x is f64[3], but x is f32[3]", None),
    (lambda: jax.jvp(unruled, ({"w": X},), ({"v": X},)), errors.GradientError,
     "jvp: the tangents must be arranged as what they belong to: the structures differ at tangent[0]: "
     "expected {'w': *}, got {'v': *}", None),
    (lambda: jax.jvp(unruled, X, X), errors.ArgumentError,
     "jvp: the primals must be a tuple of arguments, got f32[3]", "write (x,) for one"),
    (lambda: jax.jvp(unruled, (1,), (1,)), errors.GradientError,
     "jvp: x is i64[] and carries no derivative: its tangent must be None", None),
    (lambda: jax.vjp(lambda x: [x, x], X)[1]([X, X[:2]]), errors.GradientError,
     "vjp: the cotangent of output[1] is f32[2], but output[1] is f32[3]", None),
    # ── jit
    (lambda: jax.jit(branchy)(1.0), errors.ConcretizationError,
     "bool() of a traced value bool[], which depends on argument x", None),
    (lambda: jax.jit(lambda p: float(p["w"][0]))({"w": [1.0], "b": 2.0}), errors.ConcretizationError,
     "float() of a traced value f32[], argument p['w'][0]", None),
    (lambda: jax.jit(counted)(1.0, 3), errors.ConcretizationError, None, None),
    (lambda: jax.jit(lambda x: np.asarray(x))(X), errors.ConcretizationError, None, None),
    (lambda: jax.jit(unruled)("text"), errors.ValueTypeError,
     "jit: argument x is 'text' (a str), not a tensor", None),
    (lambda: jax.jit(lambda x: {"a": [x, "text"]})(1.0), errors.ValueTypeError,
     "jit: the function returned 'text' (a str) at output['a'][1], which is not a tensor",
     "return tensors, numbers, and containers of them"),
    (lambda: jax.jit(counted, static_argnums=1)(1.0, [3]), errors.ArgumentError,
     "jit: static argument 1 cannot be hashed: [3] (a list)",
     "static values are keys of the cache: pass a tuple instead of a list, or do not make it static"),
    (lambda: jax.jit(counted, static_argnums=2), errors.ArgumentError,
     "jit: static_argnums names argument 2, but the function has 2 positional parameters (x, n)", None),
    (lambda: jax.jit(counted, static_argnames="m"), errors.ArgumentError,
     "jit: static_argnames names 'm', which the function does not take (x, n)", None),
    (lambda: jax.jit(unruled, backend="cuda")(1.0), errors.BackendError, "unknown backend 'cuda'", None),
    (lambda: jax.jit(unruled).lower(1.0).compile()(X), errors.ShapeError,
     "compiled: argument x is f32[3], but the function was compiled for f32[]",
     "convert it, or call what jit gives: that compiles for other types, too"),
    (lambda: jax.jit(unruled).lower(1.0).compile()(1), errors.DtypeError,
     "compiled: argument x is i64[], but the function was compiled for f32[]",
     "convert it, or call what jit gives: that compiles for other types, too"),
    (lambda: jax.jit(unruled).lower(1.0).compile()(1.0, 2.0), errors.ArgumentError,
     "compiled: called with other arguments than it was compiled for, which are x: f32[]", None),
    (lambda: jax.jit(unruled, donate_argnums="x"), errors.ArgumentError, "jit: donate_argnums are ints", None),
    # ── vmap
    (lambda: jax.vmap(lambda x, y: x)(X, {"y": np.ones((2, 4))}), errors.ShapeError,
     "vmap: the mapped axes differ in size: axis 0 of argument x (f32[3]) has 3, "
     "axis 0 of argument y['y'] (f64[2,4]) has 2", "what is the same for all lanes has None in in_axes"),
    (lambda: jax.vmap(unruled)(1.0), errors.ArgumentError,
     "vmap: axis 0 of argument x is to be mapped, but it is f32[] (rank 0)",
     "an argument that is the same for all lanes has None in in_axes"),
    (lambda: jax.vmap(unruled, in_axes=None)(1.0), errors.ArgumentError,
     "vmap: nothing is mapped: in_axes is None for every argument",
     "map at least one axis, or say how many lanes with axis_size"),
    (lambda: jax.vmap(unruled, in_axes=(0, 0))(X), errors.ArgumentError,
     "vmap: in_axes has 2 entries, but the call has 1 positional argument (x)", None),
    (lambda: jax.vmap(unruled, out_axes=None)(X), errors.ArgumentError,
     "vmap: out_axes is None for output, f32[] in each lane, but it differs between lanes",
     "give it an axis, or reduce it over the lanes"),
    (lambda: jax.vmap(branchy)(X), errors.ConcretizationError,
     "bool() of a value mapped by vmap, bool[]: it is different in each of 3 lanes", None),
    # ── control flow
    (lambda: lax.cond(X > 0, lambda: 1.0, lambda: 2.0), errors.ArgumentError,
     "cond: the predicate must be a scalar, got bool[3]", "reduce it with all() or any(), or use where"),
    (lambda: lax.cond(1.0, lambda: 1.0, lambda: 2.0), errors.ArgumentError,
     "cond: the predicate must be a bool, got f32[]", "compare: x > 0"),
    (lambda: lax.cond(True, lambda x: {"a": x}, lambda x: {"a": jnp.sum(x)}, X), errors.ShapeError,
     "cond: output['a'] is f32[] from false_fun, but f32[3] from true_fun",
     "the branches must return the same structure, shapes and dtypes"),
    (lambda: lax.cond(True, lambda x: (x, x), lambda x: x, X), errors.TreeError,
     "cond: false_fun returns f32[3], true_fun returns (f32[3], f32[3])",
     "the branches must return the same structure, shapes and dtypes"),
    (lambda: lax.scan(lambda c, x: ({"n": c["n"] + 0.5}, x), {"n": np.int64(0)}, X), errors.ShapeError,
     "scan: the body changes the type of carry['n'] from i64[] to f32[]",
     "a carry keeps its type: convert inside the body, or start with the type it ends with"),
    (lambda: lax.scan(lambda c, x: c, 0.0, X), errors.TreeError,
     "scan: the body must return a pair (carry, y), got f32[]", None),
    (lambda: lax.scan(lambda c, x: (c, x), 0.0, (X, np.ones(2))), errors.ShapeError,
     "scan: xs[1] (f64[2]) has 2 slices, but xs[0] has 3", None),
    (lambda: lax.scan(lambda c, x: (c, x), 0.0, None), errors.ArgumentError,
     "scan: xs is empty, so the number of steps must be given", "scan(f, init, length=10)"),
    (lambda: lax.while_loop(lambda x: x, lambda x: x, 1.0), errors.ArgumentError,
     "while_loop: the condition must return a scalar bool, got f32[]", None),
    (lambda: lax.fori_loop(0, 3, lambda i, x: (x, x), 1.0), errors.TreeError,
     "fori_loop: the carry is f32[], but the body returns (f32[], f32[])", None),
    # ── custom rules
    (lambda: jax.grad(jax.custom_vjp(unruled))(1.0), errors.GradientError,
     "custom_vjp: unruled has no rule yet", "unruled.defvjp(fwd, bwd)"),
    (wrong_rule, errors.ShapeError, "custom_jvp: the tangent of output is f32[3], but it is f32[]", None),
    (wrong_cotangent, errors.ShapeError, "custom_vjp: cotangent 0 is f32[3], but its argument is f32[]", None),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "kind", "what", "hint"), MISTAKES, ids=range(len(MISTAKES)))
def test_the_words(mistake, kind, what, hint):
    with pytest.raises(kind) as caught:
        mistake()
    error = caught.value
    assert what is None or error.what == what
    assert hint is None or error.hint == hint
    assert error.line.filename == __file__, error
    assert interpreter.get() is EVALUATE


def test_bool_of_a_traced_value_says_what_to_use():
    with pytest.raises(errors.ConcretizationError) as caught:
        jax.jit(branchy)(1.0)
    text = str(caught.value)
    assert "return x if x > 0 else -x" in text
    assert "where(c, a, b)" in text
    assert "mark the argument static" in text


def test_a_leaked_value_names_the_line_that_made_it():
    KEPT.clear()
    jax.jit(leaky)(1.0)
    for use in (lambda: jnp.sin(KEPT[0]), lambda: KEPT[0] + 1.0, lambda: jax.jit(lambda x: x + KEPT[0])(1.0)):
        with pytest.raises(errors.LeakError) as caught:
            use()
        assert "a traced value f32[] outlived its trace" in caught.value.what
        assert "made at" in str(caught.value)
        assert "KEPT.append(x * 2.0)" in str(caught.value)
    for use in (lambda: float(KEPT[0]), lambda: bool(KEPT[0])):
        with pytest.raises(errors.LeakError, match="outlived its trace"):
            use()


def test_a_leak_out_of_vmap_and_grad():
    for transform, x in ((jax.vmap, X), (jax.grad, 1.0), (jax.make_graph, 1.0)):
        KEPT.clear()
        transform(leaky)(x)
        with pytest.raises(errors.LeakError, match="outlived its trace"):
            jnp.sin(KEPT[0])


def test_the_body_of_a_loop_is_named_by_its_line():
    def body(c, x):
        return c + 0.5, x

    with pytest.raises(errors.ShapeError) as caught:
        lax.scan(body, np.int64(0), X)
    ((label, line),) = caught.value.lines
    assert label == "the body is"
    assert line.text == "def body(c, x):"


def test_a_number_taken_out_of_a_derivative():
    """Deciding, counting and showing by a value under `grad` is fine; computing on with its bare number is not."""
    for take in (float, complex, math.sin, np.asarray, lambda x: x.item(), lambda x: x.tolist()):
        for derive in (jax.grad, jax.jacfwd):
            with pytest.raises(errors.ConcretizationError, match="the numbers would leave its derivative behind"):
                derive(lambda x, take=take: x * take(x))(2.0)
    assert jax.grad(lambda x: x * float(lax.stop_gradient(x)))(2.0) == 2.0
    assert jax.grad(lambda x: x * x if x > 1 and f"{x:.1f}" == "2.0" else x)(2.0) == 4.0
    assert jax.grad(lambda x: sum(x for _ in range(int(x))))(2.0) == 2.0
