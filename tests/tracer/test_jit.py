"""jit, vmap's axes, staging: when it traces, what it keeps, what it calls things."""

import copy
import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad import config
from minigrad.control import Call
from minigrad.op import EVALUATE, interpreter


def test_one_trace_for_each_combination_of_types():
    f = jax.jit(lambda x, y: x + y)
    for x in (1.0, 2.0, np.float32(3.0), jnp.asarray(4.0)):
        assert float(f(x, 1.0)) == float(x) + 1.0
    assert (f.trace_count, f.cache_size()) == (1, 1)
    f(1, 1.0)
    f(np.ones(3), 1.0)
    f(np.zeros(3), 5.0)
    f(np.ones((3, 1)), 1.0)
    assert (f.trace_count, f.cache_size()) == (4, 4)
    f.clear_cache()
    assert f.cache_size() == 0
    f(1.0, 1.0)
    assert f.trace_count == 5


def test_containers_and_their_structure_are_part_of_the_key():
    f = jax.jit(lambda p: {"y": p["a"] * 2.0, "rest": [p["b"], None]})
    out = f({"a": 1.0, "b": np.arange(2)})
    assert (float(out["y"]), out["rest"][0].tolist(), out["rest"][1]) == (2.0, [0, 1], None)
    f({"b": np.arange(2), "a": 1.0})
    assert f.trace_count == 1
    f({"a": 1.0, "b": (np.arange(2),)})
    assert f.trace_count == 2


def test_static_arguments():
    @partial(jax.jit, static_argnums=1, static_argnames="mode")
    def f(x, n, *, mode="up"):
        for _ in range(n):
            x = x * 2.0 if mode == "up" else x / 2.0
        return x

    assert float(f(1.0, 3)) == 8.0
    assert float(f(1.0, n=3)) == 8.0
    assert float(f(1.0, 3, mode="down")) == 0.125
    assert float(f(5.0, 3)) == 40.0
    assert f.trace_count == 3
    g = jax.jit(lambda x, k: x * k, static_argnums=(-1,))
    assert [g(2, k).dtype for k in (1, 1.0, True)] == [np.int64, np.float32, np.int64]
    assert g.trace_count == 3  # 1, 1.0 and True are equal, but not the same program


def test_static_values_that_are_equal_and_not_the_same():
    f = jax.jit(lambda x, c: x * c[0], static_argnums=1)
    for one in (2, True, 2.0, 1.0, 1):
        y = f(np.ones(1, np.int64), (one,))
        assert y.dtype == (np.ones(1, np.int64) * jnp.asarray(one)).dtype
    g = jax.jit(lambda x, c: x * c, static_argnums=1)
    assert [np.signbit(np.asarray(g(np.float32(1), zero))) for zero in (0.0, -0.0)] == [False, True]


def test_decorators_methods_and_partials():
    @jax.jit
    def doubled(x):
        """Twice x."""
        return x * 2.0

    class Model:
        def __init__(self):
            self.scale = 10.0

        @partial(jax.jit, static_argnums=0)
        def __call__(self, x):
            return x * self.scale

        @staticmethod
        @jax.jit
        def half(x):
            return x / 2.0

    assert (doubled.__name__, doubled.__doc__) == ("doubled", "Twice x.")
    assert float(Model()(2.0)) == 20.0
    assert float(Model.half(2.0)) == 1.0
    model = Model()
    assert float(jax.jit(lambda x: model(x) + 1.0)(1.0)) == 11.0
    assert float(jax.jit(partial(lambda k, x: k * x, 3.0))(2.0)) == 6.0
    assert float(jax.jit(abs)(-2.0)) == 2.0


@jax.jit
def decorated(x):
    return x * 2


def plain(x, n):
    return x * n


def test_compiled_functions_go_to_other_processes():
    assert pickle.loads(pickle.dumps(decorated)) is decorated and copy.deepcopy(decorated) is decorated
    f = jax.jit(plain, static_argnums=1)
    assert float(f(2.0, 3)) == 6
    for g in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f), copy.copy(f)):
        assert g is not f and float(g(2.0, 3)) == 6 and g.trace_count == 1


def test_nested_jit_is_one_call_and_traced_once():
    inner = jax.jit(lambda x: jnp.sin(x) * 2.0)
    outer = jax.jit(lambda x: inner(x) + inner(x + 1.0))
    np.testing.assert_allclose(float(outer(0.5)), 2 * (np.sin(0.5) + np.sin(1.5)), rtol=1e-6)
    assert (inner.trace_count, outer.trace_count) == (1, 1)
    graph = jax.make_graph(outer.f)(0.5)
    assert [type(n.op) for n in graph.nodes].count(Call) == 2
    inlined = jax.jit(lambda x: jnp.sin(x) * 2.0, inline=True)
    assert not any(isinstance(n.op, Call) for n in jax.make_graph(lambda x: inlined(x))(0.5).nodes)


def test_a_closure_over_an_outer_value_is_never_stale():
    def f(w):
        return jax.jit(lambda x: x * w)(3.0)

    assert float(jax.grad(f)(2.0)) == 3.0
    assert jax.vmap(f)(np.array([1.0, 2.0])).tolist() == [3.0, 6.0]
    assert [float(jax.jit(f)(w)) for w in (1.0, 2.0)] == [3.0, 6.0]
    held = []
    g = jax.jit(lambda x: x * held[-1])

    def through(w):
        held.append(w)
        return g(3.0)

    assert [float(jax.grad(through)(w)) for w in (1.0, 2.0)] == [3.0, 3.0]
    assert g.cache_size() == 0  # each graph was good for one call


def test_outputs_are_not_inputs():
    x = np.ones(3, np.float32)
    y = jax.jit(lambda x: x)(x)
    x[0] = 7.0
    assert y.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("backend", ["numpy", "numba", "llvm"])
def test_arrays_of_any_byte_order_and_layout_at_every_call(backend):
    double = jax.jit(lambda x: x * 2, backend=backend)
    big = np.arange(6, dtype=">f4").reshape(2, 3)
    plain = big.astype("f4")
    read_only = plain.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"?" + plain.tobytes(), np.float32, offset=1).reshape(2, 3)
    for x in (big, plain, big, read_only, unaligned, np.asfortranarray(plain), plain[::-1, ::-1][::-1, ::-1]):
        np.testing.assert_array_equal(np.asarray(double(x)), 2 * plain)
    assert double.trace_count == 1


@pytest.mark.parametrize("backend", ["numpy", "numba", "llvm"])
def test_a_callback_may_keep_what_it_is_given(backend):
    seen = []

    @partial(jax.jit, backend=backend)
    def f(x):
        jax.debug.callback(seen.append, x)
        jax.debug.callback(seen.append, jnp.exp(x) * 0 + x)
        return jnp.sum(x)

    x = np.zeros(4, np.float32)
    for k in range(3):
        x[:] = k
        f(x)
    assert [kept.tolist() for kept in seen] == [[k] * 4 for k in (0.0, 0.0, 1.0, 1.0, 2.0, 2.0)]


def test_lower_and_compile_ahead_of_time():
    f = jax.jit(lambda n, x: x * n, static_argnums=0)
    lowered = f.lower(3, jax.ShapeDtypeStruct((2,), "float32"))
    assert str(lowered.graph.in_types[0]) == "f32[2]"
    assert "mul(x, 3.0)" in lowered.as_text()
    compiled = lowered.compile()
    assert compiled(np.array([1.0, 2.0], np.float32)).tolist() == [3.0, 6.0]
    assert "def" in compiled.as_text()
    assert float(jax.grad(lambda x: jnp.sum(compiled(x)))(np.ones(2, np.float32))[0]) == 3.0


def test_make_graph_eval_shape_and_labels():
    def f(params, x):
        return {"y": params["w"] * x}

    types = {"w": jax.ShapeDtypeStruct((2, 3), "float32")}
    graph = jax.make_graph(f)(types, 1.0)
    assert [v.label for v in graph.inputs] == ["params['w']", "x"]
    assert graph.name == "f"
    assert {k: str(t) for k, t in jax.eval_shape(f, types, 1).items()} == {"y": "f32[2,3]"}
    assert jax.make_jaxpr is jax.make_graph


def test_four_threads_call_one_function():
    f = jax.jit(lambda x: jnp.sum(jnp.sin(x) * x))
    grad = jax.jit(jax.grad(f))
    barrier = Barrier(4)

    def work(seed):
        barrier.wait()
        results = []
        for k in range(30):
            x = np.full(1 + k % 5, 0.1 * seed)
            with config.backend.using("numpy"):
                results.append(np.allclose(np.asarray(grad(x)), np.sin(x) + x * np.cos(x)))
        return all(results) and interpreter.get() is EVALUATE

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
    assert grad.cache_size() == 5


@pytest.mark.parametrize("transform", [
    jax.grad, jax.jit, jax.vmap, jax.jacfwd, jax.jacrev, jax.hessian, jax.make_graph, jax.checkpoint,
    lambda f: lambda x: jax.jvp(f, (x,), (x,)), lambda f: lambda x: jax.vjp(f, x),
    lambda f: jax.jit(jax.grad(jax.vmap(f))),
])  # fmt: skip
def test_the_context_is_restored_after_an_exception(transform):
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        transform(f)(np.ones(3))
    assert interpreter.get() is EVALUATE


def test_nothing_is_kept_alive():
    class Big:
        pass

    big = Big()
    ref = weakref.ref(big)

    def f(x, big=big):
        return x * 2.0

    assert float(jax.grad(f)(1.0)) == 2.0
    del f, big
    gc.collect()
    assert ref() is None


# ── vmap's axes ──────────────────────────────────────────────────────────────────────────────────
def test_in_and_out_axes():
    x = np.arange(6.0).reshape(2, 3)
    assert jax.vmap(jnp.sum, in_axes=1)(x).tolist() == [3.0, 5.0, 7.0]
    assert jax.vmap(jnp.sum, in_axes=-1)(x).tolist() == [3.0, 5.0, 7.0]
    assert np.asarray(jax.vmap(lambda r: r * 2.0, out_axes=1)(x)).tolist() == (2 * x.T).tolist()
    assert np.asarray(jax.vmap(lambda r: r * 2.0, out_axes=-1)(x)).tolist() == (2 * x.T).tolist()
    three = np.arange(24.0).reshape(2, 3, 4)
    for axis in (0, 1, 2, -1):
        np.testing.assert_array_equal(np.asarray(jax.vmap(lambda r: r, in_axes=axis, out_axes=axis)(three)), three)


def test_axes_as_trees():
    p = {"w": np.ones((2, 5)), "b": np.arange(5.0)}

    def f(p, x, k):
        return {"dot": jnp.sum(p["w"]) * x + p["b"], "k": k}

    out = jax.vmap(f, in_axes=({"w": 1, "b": None}, 0, None), out_axes={"dot": 0, "k": None})(p, np.arange(5.0), 7.0)
    assert np.asarray(out["dot"]).tolist() == [[2.0 * i + j for j in range(5)] for i in range(5)]
    assert float(out["k"]) == 7.0
    assert jax.vmap(lambda x, *, y: x + y)(np.ones(2), y=np.arange(2.0)).tolist() == [1.0, 2.0]
    assert jax.vmap(lambda x: 3.0, axis_size=4, in_axes=None)(1.0).tolist() == [3.0] * 4
