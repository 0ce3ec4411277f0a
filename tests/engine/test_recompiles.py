"""Every recompile says why: what changed, from what to what, where, how long it took, and what to do."""

import os
import re
import signal
import threading
import warnings

import numpy as np
import pytest

import minigrad
import minigrad.numpy as mnp
import minigrad.session as tf
from minigrad import config, recompiles
from minigrad.errors import RecompileWarning, RetraceError
from minigrad.tracer import grad, jit, vmap


def reasons(f, *calls):
    """The reason and the fix of each recompile."""
    with minigrad.log_recompiles() as found:
        for arguments in calls:
            f(*arguments)
    return [(r.reason, r.fix) for r in found]


@pytest.mark.parametrize(
    ("calls", "reason", "fix"),
    [
        (
            [(mnp.ones(3),), (mnp.ones(4),)],
            "argument x: f32[3] -> f32[4]",
            "give x one shape: pad it, or leave out the last, incomplete batch",
        ),
        (
            [(mnp.ones((3, 1)),), (mnp.ones(3),)],
            "argument x: f32[3,1] -> f32[3]",
            "give x one rank: reshape it before the call",
        ),
        (
            [(mnp.ones(3),), (np.ones(3),)],
            "argument x: f32[3] -> f64[3]",
            "convert x to f32 before the call",
        ),
        (
            [(1.0,), (1,)],
            "argument x: f32[] -> i64[]",
            "give x one dtype: as a Python number always an int, or always a float as in 1.0",
        ),
        (
            [({"w": 1.0},), ({"w": 1.0, "b": 2.0},)],
            "argument x['b']: none -> f32[]",
            "pass containers of one structure: the same keys and the same lengths at each call",
        ),
        (
            [({"w": (1.0,)},), ({"w": [1.0]},)],
            "the arguments' containers: (({'w': (*,)},), {}) -> (({'w': [*]},), {})",
            "pass containers of one structure: the same types of containers at each call",
        ),
    ],
)
def test_a_miss_names_what_changed_and_what_to_do(calls, reason, fix) -> None:
    assert reasons(jit(lambda x: x), *calls) == [(reason, fix)]


def test_a_static_argument_is_named_with_its_values() -> None:
    f = jit(lambda x, n: x * n, static_argnums=1)
    ((reason, fix),) = reasons(f, (1.0, 2), (1.0, 3))
    assert reason == "static argument n: 2 (int) -> 3 (int)"
    assert fix == (
        "every new value of a static argument is compiled: make n an array argument if no shape depends on it; "
        "a function or object made anew at each call is always new"
    )


def test_static_values_that_look_the_same_are_told_apart() -> None:
    class Config:
        def __repr__(self) -> str:
            return "Config(...)"

    f = jit(lambda x, c: x, static_argnums=1)
    a, b = "-" * 200 + "a", "-" * 200 + "b"
    found = reasons(f, (1.0, a), (1.0, b), (1.0, Config()), (1.0, Config()))
    assert found[0][0] == "static argument c: …--------------------a' (str) -> …--------------------b' (str)"
    assert found[2][0] == "static argument c: Config(...) (Config) -> Config(...) (Config)"
    with minigrad.no_retrace(), pytest.raises(RetraceError):
        f(1.0, Config())


def test_the_nearest_of_the_earlier_calls_is_compared_containers_counted() -> None:
    """The call before differs in two things, n and the containers; the first in one."""
    f = jit(lambda x, n=1: x[0] * n, static_argnames="n")
    with minigrad.log_recompiles() as found:
        f([1.0])
        f([1.0], n=2)
        f((1.0,))
    (default, advice), (containers, _) = [(r.reason, r.fix) for r in found]
    assert default == "static argument n: none -> 2 (int)" and advice.startswith("every new value of a static argument")
    assert containers == "the arguments' containers: (([*],), {}) -> (((*,),), {})"


def test_the_setting_is_a_reason() -> None:
    f = jit(lambda x: x)
    with minigrad.log_recompiles() as found:
        f(1.0)
        with config.backend.using("numpy"):
            f(1.0)
    assert found[0].reason == "the setting backend: llvm -> numpy"
    assert found[0].fix == "choose it once, before the first call"


def test_the_nearest_program_is_compared_with() -> None:
    f = jit(lambda x, y: (x, y))
    calls = [(mnp.ones(3), mnp.ones(3)), (mnp.ones(5), mnp.ones(6)), (mnp.ones(3), mnp.ones(4))]
    first, second = reasons(f, *calls)
    assert first[0] == "argument x: f32[3] -> f32[5]; argument y: f32[3] -> f32[6]"
    assert second[0] == "argument y: f32[3] -> f32[4]"


def test_of_those_that_differ_in_one_part_the_one_that_differs_least_is_compared_with() -> None:
    """In dtype alone, not in shape too; in one place of the containers, not in two."""
    f = jit(lambda d, x: x[0])
    with minigrad.log_recompiles() as found:
        f({}, [mnp.ones(3)])
        f({}, [mnp.ones(1)])
        f({}, [np.ones(3)])
        f({}, (np.ones(3),))
        f({"b": None}, [np.ones(3)])
    assert [r.reason for r in found[1::2]] == [
        "argument x[0]: f32[3] -> f64[3]",
        "the arguments' containers: (({}, [*]), {}) -> (({'b': None}, [*]), {})",
    ]


def test_the_whole_text(capsys) -> None:
    @jit
    def step(x):
        return x * 2

    with config.log.using("recompiles"):
        step(mnp.ones(3))
        step(mnp.ones(4))
    text = re.sub(r"\d+\.\d ms", "N ms", capsys.readouterr().err)
    text = re.sub(r"at \S*test_recompiles.py:\d+", "at FILE:LINE", text)
    assert text == (
        "minigrad: jit: step was compiled again, in N ms\n"
        "  at FILE:LINE: step(mnp.ones(4))\n"
        "  argument x: f32[3] -> f32[4]\n"
        "  give x one shape: pad it, or leave out the last, incomplete batch\n"
    )


def test_nothing_is_said_unless_asked(capsys) -> None:
    f = jit(lambda x: x)
    f(mnp.ones(3))
    f(mnp.ones(4))
    assert capsys.readouterr().err == ""


def test_no_retrace_lets_first_calls_pass_and_hits() -> None:
    @jit
    def f(x):
        return x * 2

    with minigrad.no_retrace():
        f(mnp.ones(3))
        f(mnp.zeros(3))
        with pytest.raises(RetraceError) as caught:
            f(mnp.ones(4))
    assert caught.value.what == "jit: f would be compiled again inside no_retrace: argument x: f32[3] -> f32[4]"
    assert caught.value.line.text == "f(mnp.ones(4))"
    f(mnp.ones(4))  # outside it may be


def test_a_trace_that_fails_is_not_remembered() -> None:
    f = jit(lambda x: x + mnp.ones(3))
    with pytest.raises(minigrad.errors.BroadcastError):
        f(mnp.ones(4))
    assert reasons(f, (mnp.ones(3),)) == []


def test_sessions_name_feeds_and_fetches() -> None:
    with tf.Graph().as_default(), tf.Session() as sess, minigrad.log_recompiles() as found:
        x = tf.placeholder(tf.float32, [None], name="x")
        y = x * 2.0
        for n in (2, 3):
            sess.run(y, {x: np.ones(n)})
        for _ in range(2):
            sess.run(y + 3.0, {x: np.ones(2)})
    assert [(r.what, r.reason, r.fix) for r in found] == [
        (
            "session: run",
            "feed x:0: f32[2] -> f32[3]",
            "give x:0 one shape: pad it, or leave out the last, incomplete batch",
        ),
        (
            "session: run",
            "fetches: add:0 -> add_1:0",
            "build the graph once, before the loop, and fetch the same tensors",
        ),
    ]


def test_different_fetches_are_different_programs() -> None:
    with tf.Graph().as_default(), tf.Session() as sess, minigrad.no_retrace():
        x = tf.constant(2.0)
        for y in (x * 3.0, x + 3.0, x / 3.0):
            sess.run(y)


def test_a_loop_that_keeps_recompiling_warns_once() -> None:
    f = jit(lambda x: x)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for n in range(12):
            f(mnp.ones(n))
    assert [(str(w.message), w.category) for w in said] == [
        (
            "jit: f was compiled again 5 times, last because of argument x: f32[4] -> f32[5]\n"
            "  give x one shape: pad it, or leave out the last, incomplete batch",
            RecompileWarning,
        )
    ]
    assert said[0].filename == __file__


def test_a_function_made_anew_at_each_step_warns_once() -> None:
    def double(x):
        return x * 2

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(12):
            jit(double)(1.0)
    assert [str(w.message) for w in said] == [
        "jit: double was made anew and compiled again 5 times\n"
        "  compile the function once, outside of the loop, and call that"
    ]


@pytest.mark.parametrize("transform", [grad, vmap, lambda f: grad(grad(f))])
def test_a_gradient_made_anew_at_each_step_warns_too(transform) -> None:
    with pytest.warns(RecompileWarning, match="was made anew and compiled again 5 times"):
        for _ in range(6):
            jit(transform(lambda x: x * x))(mnp.ones(1) if transform is vmap else 1.0)


def test_functions_that_live_on_do_not_warn() -> None:
    layers = [jit(lambda x, k=k: x * k) for k in range(12)]
    for layer in layers:
        layer(1.0)


def test_counters_count() -> None:
    before = minigrad.counters()
    f = jit(lambda x: x * 3)
    f(mnp.ones(3))
    f(mnp.ones(3))
    f(mnp.ones(4))
    after = minigrad.counters()
    assert after.traces - before.traces == 2
    assert after.compiles - before.compiles == 2
    assert after.recompiles - before.recompiles == 1
    assert after.disk_hits == before.disk_hits
    assert after.seconds > before.seconds


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="sets an alarm")
def test_a_signal_handler_may_compile_while_something_is_counted() -> None:
    """It runs in the thread that it interrupts, which holds the lock it waits for."""
    done = []

    def handler(*_):
        done.append(float(jit(lambda x: x * 1.5)(2.0)))

    before = signal.signal(signal.SIGALRM, handler)
    timer = threading.Timer(20, os._exit, (1,))  # a test that hangs would hang all
    timer.start()
    try:
        with recompiles._counting:
            signal.raise_signal(signal.SIGALRM)
    finally:
        signal.signal(signal.SIGALRM, before)
        timer.cancel()
    assert done == [3.0]
