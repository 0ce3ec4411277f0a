"""For long: many threads, many calls, many recompiles. Right answers, the same bits, no more memory."""

import gc
import os
import sys
import time

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import config, tree
from minigrad.tracer import grad, jit, value_and_grad
from tests.threads import at_once

slow = pytest.mark.slow
BACKENDS = ("numpy", pytest.param("numba", marks=slow), "llvm")
pytestmark = pytest.mark.filterwarnings("ignore::minigrad.errors.RecompileWarning")


@pytest.fixture(autouse=True)
def _numba_compiles():
    with config.jit.using(True):
        yield


def loss(w, x):
    z = mnp.tanh(x @ w)
    z = z - mnp.max(z, axis=1, keepdims=True)
    return mnp.mean(mnp.log(mnp.sum(mnp.exp(z), axis=1))) + mnp.sum(mnp.special.i0e(mnp.sort(z)[0]))


def megabytes() -> float:
    """What this process has in memory."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def arrays(seed: int, rows: int = 300) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(16, 700)).astype(np.float32), random.normal(size=(rows, 16)).astype(np.float32)]


def bits(ys) -> bytes:
    return b"".join(np.asarray(y).tobytes() for y in tree.leaves(ys))


@pytest.mark.parametrize(
    ("backend", "seconds"),
    [("numpy", 0.7), ("llvm", 0.7), pytest.param("numba", 3, marks=slow), pytest.param("llvm", 60, marks=slow)],
)
def test_eight_threads_calling_one_executable(backend: str, seconds: float) -> None:
    """Kernels on several threads, BLAS and an op of the reference among them; each caller has its own arguments."""
    compiled = jit(value_and_grad(loss, argnums=(0, 1)), backend=backend)
    inputs = [arrays(k) for k in range(8)]
    kept = [bits(xs) for xs in inputs]
    expected = [bits(compiled(*xs)) for xs in inputs]
    calls, wrong = [0] * 8, []
    deadline = time.monotonic() + seconds

    def work(k: int) -> None:
        while time.monotonic() < deadline and not wrong:
            if bits(compiled(*inputs[k])) != expected[k]:
                wrong.append(k)
            calls[k] += 1

    at_once(work, range(8))
    assert not wrong and min(calls) > 0
    assert [bits(xs) for xs in inputs] == kept  # inputs are never written


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="asks Linux for the memory in use")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("calls", [3000, pytest.param(100_000, marks=slow)])
def test_memory_does_not_grow_over_calls(backend: str, calls: int) -> None:
    compiled = jit(grad(loss), backend=backend)
    w, x = np.ones((8, 4), np.float32), np.ones((16, 8), np.float32)
    for _ in range(1000):
        compiled(w, x)
    before, references = megabytes(), sys.getrefcount(None)
    for _ in range(calls):
        compiled(w, x)
    assert megabytes() - before < 2
    assert sys.getrefcount(None) - references < calls / 10


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="asks Linux for the memory in use")
@pytest.mark.parametrize("many", [60, pytest.param(1000, marks=slow)])
@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_memory_does_not_grow_over_recompiles(backend: str, many: int) -> None:
    """One function for ever new shapes, and a function made anew for each: after as many as are kept for a while."""
    w = np.ones((8, 4), np.float32)
    compiled = jit(lambda w, x: mnp.tanh(x @ w), backend=backend)
    kept = 300 if many > 300 else 0  # of the quick run all are kept: then only what nobody could keep is found

    def compile_some(first: int, count: int) -> None:
        for k in range(first, first + count):
            if k % 2:
                compiled(np.ones((8, 1 + k // 40), np.float32), np.ones((1 + k % 40, 8), np.float32))
            else:
                jit(lambda w, x: mnp.tanh(x @ w) * k, backend=backend)(w, np.ones((5, 8), np.float32))  # noqa: B023

    compile_some(0, 20 + 2 * kept)
    before = megabytes()
    compile_some(20 + 2 * kept, many)
    assert megabytes() - before < (25 if kept else 0.1 * many)
