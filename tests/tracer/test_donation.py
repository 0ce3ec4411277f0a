"""Donated arguments: outputs lie in their memory where that is safe, results are right, later uses are errors."""

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends, tree
from minigrad.errors import ArgumentError, DonatedError
from minigrad.op import Array
from minigrad.tracer import debug, grad, jit
from tests.graph.programs import graph_of


def own(*shape: int, seed: int = 0) -> Array:
    """An Array nobody else has."""
    return Array(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def place(x: Array) -> int:
    return x.array.ctypes.data


def momentum(params, moments, grads):
    moments = [m * 0.9 + g for m, g in zip(moments, grads, strict=True)]
    return [p - 0.1 * m for p, m in zip(params, moments, strict=True)], moments


@pytest.mark.parametrize("n", [7, 600_000])  # the larger ones lie in blocks that are kept, and run on several threads
def test_an_update_writes_where_the_parameters_were(n: int) -> None:
    grads = [own(n, seed=5), own(3, n // 3, seed=6)]
    compiled = jit(momentum, donate_argnums=(0, 1), backend="llvm")
    state = [own(n), own(3, n // 3, seed=1)], [own(n, seed=2), own(3, n // 3, seed=3)]
    expected = tree.map(lambda x: x.array.copy(), state)
    for _ in range(3):
        where = [place(x) for x in tree.leaves(state)]
        state = compiled(*state, grads)
        assert [place(x) for x in tree.leaves(state)] == where
        expected = jit(momentum, backend="numpy")(*expected, grads)
        for x, want in zip(tree.leaves(state), tree.leaves(expected), strict=True):
            np.testing.assert_allclose(np.asarray(x), np.asarray(want), rtol=1e-5, atol=1e-6)


def test_a_whole_training_step() -> None:
    def loss(params, x):
        return mnp.mean(mnp.tanh(x @ params[0] + params[1]) ** 2)

    def step(params, x):
        return [p - 0.1 * g for p, g in zip(params, grad(loss)(params, x), strict=True)]

    params, x = [own(20, 30), own(30)], own(8, 20, seed=4)
    wanted = jit(step, backend="numpy")([p.array.copy() for p in params], x)
    where = [place(p) for p in params]
    new = jit(step, donate_argnums=0, backend="llvm")(params, x)
    assert [place(p) for p in new] == where
    for p, want in zip(new, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(p), np.asarray(want), rtol=1e-5, atol=1e-6)


UNSAFE = {
    "other elements are read": lambda x, y: x[::-1] * y,
    "a row is read after one of its elements is written": lambda x, y: x / (1 + mnp.sum(x * x, axis=-1, keepdims=True)),
    "it is read later": lambda x, y: (y * 2, mnp.sum(mnp.sin(x), axis=0), mnp.cumsum(x * x)),
    "it is itself an output": lambda x, y: (x + y, x),
    "a reshape of it is read": lambda x, y: (x * y, mnp.exp(mnp.reshape(x, (5, 5)).T)),
    "another product needs it": lambda x, y: (x @ y, y @ x),
}


@pytest.mark.parametrize("what", UNSAFE)
@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_results_are_right_where_memory_cannot_be_taken_over(what: str, backend: str) -> None:
    f = UNSAFE[what]
    x, y = own(5, 5), own(5, 5, seed=1)
    wanted = tree.leaves(jit(f, backend="numpy")(x.array.copy(), y))
    for got, want in zip(tree.leaves(jit(f, donate_argnums=0, backend=backend)(x, y)), wanted, strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-5, atol=1e-6)
    with pytest.raises(DonatedError):
        x + 1


def test_what_others_can_see_is_copied() -> None:
    compiled = jit(lambda x, y: x * 2 + y, donate_argnums=0, backend="llvm")
    y, numbers = own(6, seed=1), np.ones(6, np.float32)
    compiled(numbers, y)  # NumPy's own
    np.testing.assert_array_equal(numbers, 1)
    compiled(numbers, y)
    for view in (lambda a: a.array, lambda a: np.asarray(a)[1:], lambda a: a[1:], lambda a: memoryview(a.array)):
        x = Array(np.ones(6, np.float32))
        seen = view(x)
        compiled(x, y)
        np.testing.assert_array_equal(np.asarray(seen), 1)
    twice = own(6)
    np.testing.assert_allclose(
        np.asarray(compiled(twice, twice)), 3 * np.random.default_rng(0).normal(size=6), rtol=1e-5
    )


def test_what_an_executable_is_not_given_stays_as_it_is(tmp_path) -> None:
    """Arrays of other classes are viewed, not copied, on their way in."""
    exe = backends.compile(graph_of(lambda x: x + 1.0, "f32[600]"), "llvm", donated=[0])
    x = np.memmap(tmp_path / "numbers", np.float32, "w+", shape=600)
    for array in (x, np.asarray(x)):
        (y,) = exe([array])
        assert (x == 0).all() and (y == 1).all()
    (y,) = exe([x], given=[0])
    assert np.shares_memory(x, y) and (x == 1).all()
    fixed = np.memmap(tmp_path / "numbers", np.float32, "r", shape=600)  # to write there would end the process
    assert (exe([fixed], given=[0])[0] == 2).all()


def test_what_is_given_twice_is_not_written_while_it_is_read() -> None:
    compiled = jit(lambda x, y: x * 2 + y[::-1], donate_argnums=0, backend="llvm")
    x = own(1000)
    want = np.asarray(x) * 2 + np.asarray(x)[::-1]
    np.testing.assert_array_equal(np.asarray(compiled(x, x)), want)


def test_what_is_reshaped_has_its_own_shape() -> None:
    compiled = jit(lambda x, y: mnp.reshape(x * 2 + y, (3, 2)), donate_argnums=(0, 1), backend="llvm")
    x, y = own(6), own(6, seed=1)
    want = (np.asarray(x) * 2 + np.asarray(y)).reshape(3, 2)
    np.testing.assert_allclose(np.asarray(compiled(x, y)), want, rtol=1e-6)


@pytest.mark.parametrize("n", [5, 600_000])
def test_an_array_given_twice_is_not_written_into(n: int) -> None:
    """Not while another argument reads it, donated too or not; nor do two results share it."""

    def f(x, y):
        return x * 2 + y, x - y

    for donated in (0, 1, (0, 1)):
        x = own(n)
        once, twice = x.array.copy(), jit(f, donate_argnums=donated, backend="llvm")(x, x)
        np.testing.assert_allclose(np.asarray(twice[0]), 3 * once, rtol=1e-5)
        np.testing.assert_array_equal(np.asarray(twice[1]), 0)
    x = own(n)
    once, doubled = x.array.copy(), jit(lambda xs: [x * 2 for x in xs], donate_argnums=0, backend="llvm")([x, x])
    assert place(doubled[0]) != place(doubled[1])
    for y in doubled:
        np.testing.assert_array_equal(np.asarray(y), 2 * once)


def test_every_use_afterwards_is_an_error_that_says_where_it_went() -> None:
    step = jit(lambda w: w * 2, donate_argnums=0)
    w = own(3)
    step(w)
    told = r"this array, f32\[3\], was donated to jit: f at .*test_donation.py:\d+"
    uses = (lambda: w + 1, lambda: np.asarray(w), lambda: step(w), lambda: w.shape, lambda: mnp.sum(w), lambda: w[0])
    for use in (*uses, lambda: grad(mnp.sum)(w), lambda: float(w[0])):
        with pytest.raises(DonatedError, match=told):
            use()
    assert repr(w).startswith("<an array f32[3] donated to jit: f at ")


@pytest.mark.parametrize("backend", ["numpy", "numba", "llvm"])
def test_what_a_program_that_failed_has_written_into_is_not_used_again(backend: str) -> None:
    """It may have been interrupted between two kernels: the first has doubled x where it lay."""

    def refuse(y: object) -> None:
        raise ZeroDivisionError

    def step(x, y):
        new = x * 2
        debug.callback(refuse, new)
        return new, mnp.sum(y)

    x, y = own(5), own(5)
    before = x.array.copy()
    with pytest.raises(ZeroDivisionError):
        jit(step, donate_argnums=(0, 1), backend=backend)(x, y)
    np.testing.assert_array_equal(np.asarray(y), before)
    if backend == "llvm":
        with pytest.raises(DonatedError):
            x + 1
    else:
        np.testing.assert_array_equal(np.asarray(x), before)


def test_a_static_argument_cannot_be_donated() -> None:
    with pytest.raises(ArgumentError, match="argument 0 is static, so it cannot be donated"):
        jit(lambda x: x, static_argnums=0, donate_argnums=0)
    with pytest.raises(ArgumentError, match="donate_argnums names argument 2, but the function has 1 positional"):
        jit(lambda x: x, donate_argnums=2)


def test_programs_from_the_cache_take_over_memory_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MINIGRAD_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        x = own(5)
        where = place(x)
        assert place(jit(lambda x: x + 1.5, donate_argnums=0, backend="llvm")(x)) == where
