"""cond, switch, scan, while_loop, fori_loop, map: what they compute, eager, compiled, mapped; closures; effects."""

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad import errors
from minigrad.tracer import lax

X = np.array([1.0, 2.0, 3.0])
ways = pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["eager", "jit"])


@ways
def test_only_one_branch_runs(way, capsys):
    def f(x):
        def loud(x):
            jax.debug.print("big {}", x)
            return x * 2.0

        return lax.cond(x > 1.0, loud, lambda x: -x, x)

    f = way(f)
    assert [float(f(x)) for x in (0.5, 3.0)] == [-0.5, 6.0]
    assert capsys.readouterr().out == "big 3.0\n"


@ways
def test_switch_clamps_its_index(way):
    f = way(lambda i, x: lax.switch(i, [lambda x: x, lambda x: x + 1.0, lambda x: x * 10.0], x))
    assert [float(f(i, 5.0)) for i in (-3, 0, 1, 2, 9)] == [5.0, 5.0, 6.0, 50.0, 50.0]


@ways
def test_scan_against_python(way):
    def body(carry, x):
        (a, n), u = carry, x["u"]
        return (a * 0.5 + u, n + 1), {"a": a, "u": [u * n]}

    def python(xs, order):
        a, n, out = 1.0, 0, {}
        for i in order:
            out[i] = (a, xs[i] * n)
            a, n = a * 0.5 + xs[i], n + 1
        return a, n, [out[i] for i in range(len(xs))]

    for reverse in (False, True):
        f = way(lambda xs, reverse=reverse: lax.scan(body, (np.float64(1.0), 0), {"u": xs}, reverse=reverse))
        (a, n), ys = f(X)
        order = range(2, -1, -1) if reverse else range(3)
        a_expected, n_expected, rows = python(X, order)
        assert (float(a), int(n)) == (a_expected, n_expected)
        np.testing.assert_allclose(np.asarray(ys["a"]), [r[0] for r in rows])
        np.testing.assert_allclose(np.asarray(ys["u"][0]), [r[1] for r in rows])


def test_scan_of_no_steps_and_of_none():
    carry, ys = lax.scan(lambda c, x: (c + x, c), 5.0, np.zeros(0, np.float32))
    assert (float(carry), ys.shape) == (5.0, (0,))
    carry, ys = lax.scan(lambda c, _: (c * 2.0, c), 1.0, length=4)
    assert (float(carry), ys.tolist()) == (16.0, [1.0, 2.0, 4.0, 8.0])
    assert lax.scan(lambda c, x: (c, None), 0.0, X)[1] is None


@ways
def test_while_loop_finds_a_root(way):
    def newton(a):
        def step(state):
            x, _, n = state
            new = 0.5 * (x + a / x)
            return new, jnp.abs(new - x), n + 1

        return lax.while_loop(lambda s: s[1] > 1e-12, step, (a, a * 0.0 + 1.0, 0))

    root, _, steps = way(newton)(np.float64(2.0))
    assert abs(float(root) - np.sqrt(2)) < 1e-12
    assert 3 < int(steps) < 10
    np.testing.assert_allclose(float(jax.grad(lambda a: newton(a)[0])(np.float64(2.0))), 0.5 / np.sqrt(2), rtol=1e-6)


def test_while_loop_per_lane():
    def collatz(n):
        def step(s):
            m, k = s
            return jnp.where(m % 2 == 0, m // 2, 3 * m + 1), k + 1

        return lax.while_loop(lambda s: s[0] != 1, step, (n, 0))[1]

    numbers = np.array([1, 2, 3, 7, 27])
    expected = [0, 1, 7, 16, 111]
    assert [int(collatz(n)) for n in numbers] == expected
    assert jax.vmap(collatz)(numbers).tolist() == expected
    assert jax.jit(jax.vmap(collatz))(numbers).tolist() == expected


@ways
def test_fori_loop_with_known_and_traced_limits(way):
    power = way(lambda x, n: lax.fori_loop(0, n, lambda i, acc: acc * x, 1.0))
    assert [float(power(2.0, n)) for n in (0, 1, 5)] == [1.0, 2.0, 32.0]
    assert float(way(lambda x: lax.fori_loop(2, 5, lambda i, acc: acc + i * x, 0.0))(10.0)) == 90.0
    assert float(lax.fori_loop(5, 2, lambda i, acc: acc + 1.0, 0.0)) == 0.0
    cube = jax.grad(lambda x: lax.fori_loop(0, 3, lambda i, acc: acc * x, 1.0))
    assert float(way(cube)(2.0)) == 12.0


def test_bodies_close_over_traced_values():
    def f(w, b):
        return lax.scan(lambda c, x: (c * w + b, lax.cond(c > 1.0, lambda: c * b, lambda: w)), 1.0, X)[0]

    def python(w, b):
        c = 1.0
        for _ in X:
            c = c * w + b
        return c

    assert float(f(2.0, 3.0)) == python(2.0, 3.0)
    assert [float(g) for g in jax.jit(jax.grad(f, (0, 1)))(2.0, 3.0)] == [3 * 4 + 3 * (2 * 2 + 1), 7.0]
    assert jax.vmap(f, (0, None))(np.array([1.0, 2.0], np.float32), 3.0).tolist() == [python(1, 3), python(2, 3)]


def test_map_is_a_loop_of_vmap():
    xs = {"a": X, "b": X * 2}
    out = lax.map(lambda p: p["a"] * p["b"], xs)
    assert out.tolist() == jax.vmap(lambda p: p["a"] * p["b"])(xs).tolist() == (X * X * 2).tolist()


def test_a_body_is_traced_once_however_long_the_loop():
    traced = []

    def body(c, x):
        traced.append(1)
        return c + x, c

    lax.scan(body, np.float64(0.0), np.ones(1000))
    assert len(traced) == 1


def test_prints_and_callbacks_keep_their_order(capsys):
    seen = []

    @jax.jit
    def f(x):
        jax.debug.print("first {x:.1f} {}", 7, x=x)
        jax.debug.callback(lambda a, k: seen.append((a.tolist(), k.tolist())), x * 2.0, k=1)
        jax.debug.print("{{last}}")
        return x

    f(1.5)
    f(2.5)
    assert capsys.readouterr().out == "first 1.5 7\n{last}\nfirst 2.5 7\n{last}\n"
    assert seen == [(3.0, 1), (5.0, 1)]


def test_python_numbers_in_a_carry_are_weak():
    x = np.float64(0.1)
    carry, ys = lax.scan(lambda c, _: ((c[0] * x, c[1] + 1), c[0]), (1.0, 0), length=2)
    assert (carry[0].dtype, carry[1].dtype, ys.dtype) == (np.float64, np.int64, np.float64)
    assert lax.while_loop(lambda c: c < 5, lambda c: c * np.float64(2.0), 1).dtype == np.float64
    assert lax.fori_loop(0, 3, lambda i, c: c + x, 1).dtype == np.float64
    assert lax.fori_loop(0, 3, lambda i, c: 2.0, x).dtype == np.float64
    with pytest.raises(errors.ShapeError, match="carry from i64\\[\\] to f64"):
        lax.fori_loop(0, 3, lambda i, c: c + x, np.int64(1))
