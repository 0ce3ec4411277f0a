"""Kernels on several threads: right, the same bits for any number of threads, after a fork, with several callers."""

import contextvars
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import minigrad
import minigrad.numpy as mnp
from minigrad import config, tree
from minigrad.backends import blas, native, numba, threads
from minigrad.errors import SettingError
from minigrad.loops.index import variable
from minigrad.loops.nest import Loop, Nest, Store
from minigrad.loops.scalar import load
from minigrad.loops.split import split
from minigrad.tracer import grad, jit, value_and_grad
from minigrad.types import FLOAT32
from tests.threads import at_once


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    config.num_threads.reset()
    threads.prepare()


def softmax(x, labels):
    z = x - mnp.max(x, axis=1, keepdims=True)
    return mnp.mean(mnp.log(mnp.sum(mnp.exp(z), axis=1)) - mnp.sum(z * labels, axis=1))


def layer_norm(x, gain, bias):
    c = x - mnp.mean(x, axis=1, keepdims=True)
    y = c / mnp.sqrt(mnp.mean(c * c, axis=1, keepdims=True) + 1e-5) * gain + bias
    return mnp.sum(mnp.tanh(y))


PROGRAMS = {
    "elementwise": (lambda x: mnp.tanh(x) * mnp.exp(x), [(1000, 1003)]),
    "a sum of everything": (value_and_grad(lambda x: mnp.sum(mnp.tanh(x) * x)), [(1 << 20,)]),
    "rows of several stages": (value_and_grad(softmax), [(2000, 501), (2000, 501)]),
    "rows, and sums across them": (grad(layer_norm, (0, 1, 2)), [(1500, 700), (700,), (700,)]),
    "columns": (grad(lambda x: mnp.sum(mnp.tanh(x / mnp.sqrt(mnp.mean(x * x, axis=0))))), [(700, 1024)]),
    "sums over the leading axis": (lambda x: mnp.sum(x * x, axis=0), [(3000, 700)]),
    "sums of long rows": (lambda x: (mnp.sum(x * x, axis=0), mnp.max(x, axis=0)), [(70, 20_000)]),
    "other reductions": (
        lambda x: (mnp.max(x, axis=0), mnp.min(x), mnp.prod(x * 1e-3 + 1, axis=0), mnp.any(x > 4.9), mnp.all(x < 9)),
        [(1500, 1501)],
    ),
    "sums of several sizes across the same rows": (
        lambda x: (x - mnp.mean(x, axis=(0, 1)), mnp.max(mnp.sin(x - mnp.mean(x, axis=2, keepdims=True)), axis=0)),
        [(70, 70, 61)],
    ),
    "positions that are data": (
        lambda x: mnp.tanh(x).at[mnp.astype(mnp.abs(x) * 1000, mnp.int32)].add(x),
        [(1 << 20,)],
    ),
    "a join": (lambda x: mnp.concatenate([x * 2, mnp.tanh(x), mnp.pad(x, 3)[3:-3]]), [(1 << 19,)]),
    "sorted rows": (lambda x: (mnp.argsort(x, axis=0), mnp.sort(mnp.reshape(x, (-1, 50)))), [(1000, 800)]),
    "rows within rows": (lambda x: mnp.sort(mnp.cumsum(mnp.exp(x), axis=1))[:, ::2] * 2, [(1200, 800)]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_right_and_the_same_bits_for_any_number_of_threads(name) -> None:
    f, shapes = PROGRAMS[name]
    random = np.random.default_rng(0)
    args = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    compiled = jit(f, backend="llvm")
    expected = tree.leaves(jit(f, backend="numpy")(*args))
    seen = set()
    for count in (1, 2, 3, 5, 2):
        minigrad.set_num_threads(count)
        for _ in range(5):
            found = tree.leaves(compiled(*args))
            seen.add(b"".join(np.asarray(y).tobytes() for y in found))
    assert len(seen) == 1
    for y, wanted in zip(found, expected, strict=True):
        scale = np.abs(np.asarray(wanted, np.float64)).max()
        np.testing.assert_allclose(np.asarray(y), np.asarray(wanted), rtol=1e-4, atol=2e-6 * scale)
    (entry,) = compiled._entries.values()
    assert "minigrad_pool" in entry.executable.text


def test_small_programs_never_meet_the_pool() -> None:
    compiled = jit(lambda x: mnp.sum(mnp.exp(x)), backend="llvm")
    compiled(np.zeros(1000, np.float32))
    (entry,) = compiled._entries.values()
    assert "minigrad_pool" not in entry.executable.text


def test_concurrent_callers_share_one_pool() -> None:
    minigrad.set_num_threads(3)
    f, shapes = PROGRAMS["rows, and sums across them"]
    compiled = jit(f, backend="llvm")
    args = [np.random.default_rng(k).normal(size=shape).astype(np.float32) for k, shape in enumerate(shapes)]
    expected = [np.asarray(y).tobytes() for y in compiled(*args)]
    wrong = []

    def call(_):
        for _ in range(10):
            if [np.asarray(y).tobytes() for y in compiled(*args)] != expected:
                wrong.append(1)

    at_once(call, range(4))
    assert not wrong


def test_threads_that_sleep_wake_up_and_those_too_many_leave() -> None:
    compiled = jit(lambda x: mnp.tanh(x), backend="llvm")
    x = np.linspace(-1, 1, 1 << 20, dtype=np.float32)
    expected = np.asarray(compiled(x))
    for count in (4, 1, 3):
        minigrad.set_num_threads(count)
        for _ in range(3):
            time.sleep(0.01)  # longer than they spin
            np.testing.assert_array_equal(np.asarray(compiled(x)), expected)
    minigrad.set_num_threads(1)
    compiled(x)
    deadline = time.monotonic() + 10
    while threads.POOL._alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads.POOL._alive


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_makes_its_own_threads() -> None:
    compiled = jit(lambda x: mnp.sum(mnp.tanh(x)), backend="llvm")
    x = np.linspace(-1, 2, 1 << 20, dtype=np.float32)
    minigrad.set_num_threads(2)
    expected = np.asarray(compiled(x)).tobytes()

    def runs(times: int) -> bool:
        return all(np.asarray(compiled(x)).tobytes() == expected for _ in range(times))

    children = []
    for _ in range(3):  # at work at the same time as we are
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            os._exit(0 if runs(50) and len(threads.POOL._alive) == 1 else 1)
        children.append(child)
    assert runs(50)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("backend, module, step", [("llvm", native, "_optimize"), ("numba", numba, "_entry")])
def test_a_child_forked_while_another_thread_compiles_can_compile(backend, module, step, monkeypatch) -> None:
    """The other thread is in the middle of LLVM, and in the child nobody would ever end what it began."""
    inside, real = threading.Event(), getattr(module, step)

    def slow(*given):
        inside.set()
        time.sleep(0.3)
        return real(*given)

    x = np.ones(3, np.float32)
    with config.cache.using(False), config.jit.using(True):
        monkeypatch.setattr(module, step, slow)
        context = contextvars.copy_context()
        f = jit(lambda x: mnp.sin(x) * 1.0625, backend=backend)
        other = threading.Thread(target=context.run, args=(f, x))
        other.start()
        assert inside.wait(60)
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            os._exit(0 if float(jit(lambda x: mnp.sum(x * 1.0625), backend=backend)(x)) == 3.1875 else 1)
        status = os.waitpid(child, 0)[1]
        other.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_where_no_thread_can_be_made_there_are_fewer(monkeypatch) -> None:
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    compiled = jit(lambda x: mnp.tanh(x), backend="llvm")
    x = np.linspace(-1, 1, 1 << 20, dtype=np.float32)
    minigrad.set_num_threads(1)
    expected = np.asarray(compiled(x))
    deadline = time.monotonic() + 10
    while threads.POOL._alive and time.monotonic() < deadline:
        time.sleep(0.01)
    monkeypatch.setattr(threads, "start_new_thread", refuse)
    minigrad.set_num_threads(3)
    np.testing.assert_array_equal(np.asarray(compiled(x)), expected)
    assert not threads.POOL._alive


def test_the_environment_says_how_many() -> None:
    code = "import minigrad; from minigrad import config; print(config.num_threads.get())"

    def told(**variables: str) -> str:
        names = ("OMP_NUM_THREADS", "MINIGRAD_NUM_THREADS")
        kept = {k: v for k, v in os.environ.items() if k not in names}
        run = [sys.executable, "-c", code]
        return subprocess.run(run, env={**kept, **variables}, capture_output=True, text=True, check=True).stdout.strip()

    assert told(OMP_NUM_THREADS="3,2") == "3"
    assert told(OMP_NUM_THREADS="3", MINIGRAD_NUM_THREADS="5") == "5"


def test_blas_uses_as_many() -> None:
    asked = []
    real, x = blas.set_threads, np.ones((16, 16), np.float32)
    compiled = jit(lambda x: x @ x, backend="llvm")
    minigrad.set_num_threads(2)
    compiled(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "set_threads", lambda n: asked.append(n) or real(n))
        for count in (1, 1, 3):
            minigrad.set_num_threads(count)
            compiled(x)
        assert asked == [1, 3]


def test_blas_has_afterwards_as_many_threads_as_before() -> None:
    """While a program runs products in blocks it has one; the user may have given it any number."""
    now = ctypes.CFUNCTYPE(ctypes.c_int)(blas.threads_function("get"))
    compiled = jit(lambda x, w: mnp.tanh(x @ w), backend="llvm")
    x, w = np.ones((4096, 32), np.float32), np.ones((32, 256), np.float32)
    minigrad.set_num_threads(2)
    compiled(x, w)
    (entry,) = compiled._entries.values()
    assert "minigrad_blas_alone(i64 1)" in entry.executable.text
    before = now()
    try:
        for threads_of_blas in (1, 2):
            blas.set_threads(threads_of_blas)
            compiled(x, w)
            assert now() == threads_of_blas
    finally:
        blas.set_threads(before)


def test_a_number_of_threads_is_at_least_one() -> None:
    with pytest.raises(SettingError, match="a whole number of at least 1"):
        minigrad.set_num_threads(0)


def test_what_depends_on_other_passes_is_not_divided() -> None:
    i = variable(0)
    shifted = Loop(0, 1 << 22, (Store(0, i.shifted(1), load(0, i, FLOAT32)),))
    stretched = Loop(0, 1 << 22, (Store(0, i, load(0, i.scaled(2), FLOAT32)),))
    alone = Loop(0, 1 << 22, (Store(0, i, load(1, i, FLOAT32)),))
    types = (FLOAT32, FLOAT32)
    assert split(Nest((shifted,), types, 1)) is None
    assert split(Nest((stretched,), types, 1)) is None
    assert split(Nest((alone,), types, 1)).blocks == 32


def test_what_is_stored_in_several_places_is_divided_if_passes_do_not_meet() -> None:
    i, j = variable(0), variable(1)

    def stores(*places):
        body = Loop(
            1, 1 << 16, tuple(Store(0, i.scaled(1 << 16) + j.shifted(k << 16), load(1, j, FLOAT32)) for k in places)
        )
        return split(Nest((Loop(0, 32, (body,)),), (FLOAT32, FLOAT32), 1))

    assert stores(0, 32, 96).blocks == 32
    assert stores(0, 31) is None


@pytest.mark.parametrize(("size", "alone"), [(32, False), (128, True), (512, False)])
def test_products_that_threads_would_hardly_help_are_done_on_one(size, alone) -> None:
    """The smallest are so anyway; of large ones BLAS does parts on each of its threads."""
    compiled, x = jit(lambda x: x @ x, backend="llvm"), np.ones((size, size), np.float32)
    np.testing.assert_array_equal(np.asarray(compiled(x)), np.full((size, size), size, np.float32))
    (entry,) = compiled._entries.values()
    assert ("minigrad_blas_alone" in entry.executable.text) is alone
