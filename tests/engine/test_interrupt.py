"""Ctrl-C ends a program that runs long: in a loop, between kernels, before an op of the reference."""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad.tracer import jit, lax


def forever(x):
    return lax.fori_loop(0, 10**12, lambda _, c: mnp.tanh(c) * 1.01, x)


def forever_with_calls(x):
    return lax.fori_loop(0, 10**12, lambda _, c: mnp.special.i0e(c) * 0.5, x)


def many_products(x):
    for _ in range(600):
        x = mnp.tanh(x * 1e-3) @ x
    return x


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """What the reference imports at its first call: Python ignores what is raised in an import's own callbacks."""
    mnp.special.i0e(np.ones(1, np.float32))


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C raises, also where these tests were started with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends a signal to a thread")
@pytest.mark.parametrize("f, n", [(forever, 8), (forever_with_calls, 8), (many_products, 1200)])
def test_ctrl_c_ends_a_long_program(f, n) -> None:
    x = np.zeros((n, n), np.float32)
    compiled = jit(f, backend="llvm").lower(x).compile()
    sender = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    start = time.monotonic()
    sender.start()
    with pytest.raises(KeyboardInterrupt):
        compiled(x)
    assert time.monotonic() - start < 20


def test_a_handler_may_raise_what_it_likes_and_may_do_nothing() -> None:
    class Alarm(Exception):
        pass

    def ring(*_: object) -> None:
        heard.append(1)
        if len(heard) == 3:
            raise Alarm

    heard: list[int] = []
    compiled = jit(forever, backend="llvm").lower(np.zeros(8, np.float32)).compile()
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    try:
        with pytest.raises(Alarm):
            compiled(np.zeros(8, np.float32))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(heard) == 3


def test_a_handler_is_heard_wherever_the_reference_is() -> None:
    """Also where it raises as the function that is called back begins, before any line of it has run."""

    class Alarm(Exception):
        pass

    def ring(*_: object) -> None:
        rung.append(1)
        raise Alarm

    rung: list[int] = []
    x = np.zeros(8, np.float32)
    compiled = jit(forever_with_calls, backend="llvm").lower(x).compile()
    before = signal.signal(signal.SIGALRM, ring)
    gc.disable()  # what is raised in a callback of the collector (Hypothesis has one) Python only prints
    try:
        for k in range(300):
            with pytest.raises(Alarm):
                signal.setitimer(signal.ITIMER_REAL, 1e-3 + 1e-6 * k, 5.0)  # again, if it was not heard
                compiled(x)
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert len(rung) == 300


def test_other_threads_run_while_a_long_program_does() -> None:
    x = np.zeros((1000, 1000), np.float32)
    compiled = jit(lambda x: mnp.tanh(x) @ x, backend="llvm")
    compiled(x)
    done: list[int] = []
    stop = threading.Event()

    def count() -> None:
        while not stop.is_set():
            done.append(1)
            time.sleep(0)

    other = threading.Thread(target=count)
    other.start()
    for _ in range(5):
        compiled(x)
    stop.set()
    other.join()
    assert len(done) > 5
