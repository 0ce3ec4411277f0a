"""Ops that hold graphs, under every meaning and to second order: one table of programs, one list of laws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigrad import control
from minigrad.errors import ArgumentError, NotDifferentiableError, ShapeError
from minigrad.graph import check, run
from minigrad.interpreters import batch, build, forward, reverse
from minigrad.op import Array, lift
from minigrad.ops import sugar  # noqa: F401  (operators)
from minigrad.ops.elementwise import cos, sin, tanh
from minigrad.ops.movement import Sum

RNG = np.random.default_rng(7)


def array(x: Any) -> Array:
    return Array(np.asarray(x, np.float64))


def total(x: Any) -> Any:
    return Sum(tuple(range(x.ndim)))(x)


def grad(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: reverse.vjp(lambda a: [f(a)], [x])[1]([array(1.0)])[0]


def differences(f: Callable[[Any], Any], x: Array, eps: float = 1e-6) -> np.ndarray:
    slope = np.zeros_like(x.array)
    for i in np.ndindex(x.shape):
        up, down = x.array.copy(), x.array.copy()
        up[i] += eps
        down[i] -= eps
        slope[i] = (f(array(up)).array - f(array(down)).array) / (2 * eps)
    return slope


W, XS = array(RNG.normal(size=3)), array(RNG.normal(size=(4, 3)))


def scan_weights(w: Any) -> Any:
    carry, ys = control.scan(lambda h, x: [tanh(h * w + x), h * h], [array(np.ones(3))], [XS], 4)
    return total(carry * carry) + total(ys * ys)


def scan_inputs_reversed(xs: Any) -> Any:
    carry, ys = control.scan(lambda h, x: [tanh(h * W + x), h * h], [array(np.ones(3))], [xs], 4, reverse=True)
    return total(carry * carry) + total(ys * ys)


def scan_with_counter(w: Any) -> Any:
    _, carry = control.scan(lambda i, h: [i + 1, h * w + 0.1], [lift(0), w], [], 3)
    return total(carry * carry)


def while_counted(w: Any) -> Any:
    _, h = control.repeat(lambda i, h: i < 3.0, lambda i, h: [i + 1.0, sin(h * w) + h], [array(0.0), w * 2.0])
    return total(h * h)


def while_bounded(w: Any) -> Any:
    (s,) = control.repeat(lambda h: total(h * h) < 50.0, lambda h: [h * 1.5 + w * w], [w * 2.0], bound=12)
    return total(s * s)


def cond_on_data(w: Any) -> Any:
    (y,) = control.branch(total(w) > 0.0, [lambda w: [total(sin(w))], lambda w: [total(w * w * w)]], [w])
    return y


def called(w: Any) -> Any:
    graph, _ = build.trace(lambda w: [total(sin(w) * w), w * 2.0], [w.type])
    a, b = control.call(graph)(w)
    return a * total(b)


def checkpointed(w: Any) -> Any:
    graph, _ = build.trace(lambda w: [total(sin(w) * w), w * 2.0], [w.type])
    a, b = control.Checkpoint(graph)(w)
    return a * total(b)


def custom_jvp(w: Any) -> Any:
    graph, _ = build.trace(lambda w: [sin(w)], [w.type])
    rule, _ = build.trace(lambda w, w_dot: [sin(w), cos(w) * w_dot], [w.type, w.type])
    return total(control.CustomJvp(graph, rule)(w)[0] * w)


def custom_vjp(w: Any) -> Any:
    graph, _ = build.trace(lambda w: [sin(w)], [w.type])
    there, _ = build.trace(lambda w: [sin(w), cos(w)], [w.type])
    back, _ = build.trace(lambda c, y_bar: [c * y_bar], [w.type, w.type])
    return total(control.CustomVjp(graph, there, back)(w)[0] * w)


def scan_of_cond(w: Any) -> Any:
    def body(h: Any, x: Any) -> list[Any]:
        return control.branch(total(h) > 0.0, [lambda h: [h * 0.5 - x * w], lambda h: [sin(h) * w]], [h])

    (carry,) = control.scan(body, [w], [XS], 4)
    return total(carry * carry)


PROGRAMS: list[tuple[Callable[[Any], Any], Array]] = [
    (scan_weights, W),
    (scan_inputs_reversed, XS),
    (scan_with_counter, W),
    (while_counted, W),
    (while_bounded, W),
    (cond_on_data, W),
    (called, W),
    (checkpointed, W),
    (custom_jvp, W),
    (custom_vjp, W),
    (scan_of_cond, W),
]
REVERSE_ONLY = {custom_vjp}

cases = pytest.mark.parametrize(
    ("f", "x"),
    [(f, array(s * x.array)) for f, x in PROGRAMS for s in (1, -1)],
    ids=lambda v: getattr(v, "__name__", ""),
)


def close(a: Any, b: Any, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(a, b, tolerance, tolerance)


@cases
def test_reverse_is_the_slope(f: Any, x: Array) -> None:
    close(grad(f)(x).array, differences(f, x))


@cases
def test_forward_is_the_slope(f: Any, x: Array) -> None:
    x_dot = array(RNG.normal(size=x.shape))
    if f in REVERSE_ONLY:
        with pytest.raises(NotDifferentiableError, match="custom_vjp has a rule for reverse mode only"):
            forward.jvp(lambda x: [f(x)], [x], [x_dot])
        return
    close(forward.jvp(lambda x: [f(x)], [x], [x_dot])[1][0].array, (differences(f, x) * x_dot.array).sum())


@cases
def test_second_order_in_both_nestings(f: Any, x: Array) -> None:
    v = array(RNG.normal(size=x.shape))

    def slope_along_v(x: Any) -> Any:
        return total(grad(f)(x) * v)

    second = differences(slope_along_v, x)
    close(grad(slope_along_v)(x).array, second, 1e-4)
    if f not in REVERSE_ONLY:
        close(forward.jvp(lambda x: [grad(f)(x)], [x], [v])[1][0].array, second, 1e-4)


@cases
def test_staged_equals_eager(f: Any, x: Array) -> None:
    v = array(RNG.normal(size=x.shape))
    graph, captured = build.trace(lambda x: [f(x), grad(f)(x)], [x.type])
    assert not captured
    value, slope = run(check(graph), [x])
    close(value.array, f(x).array)
    close(slope.array, grad(f)(x).array)

    def second(x: Any) -> Any:
        return grad(lambda x: total(grad(f)(x) * v))(x)

    def slope_and_its_tangent(x: Any) -> list[Any]:
        return forward.jvp(lambda x: [grad(f)(x)], [x], [v])[1]

    graph, _ = build.trace(lambda x: [second(x)], [x.type])
    close(run(check(graph), [x])[0].array, second(x).array)
    if f not in REVERSE_ONLY:
        graph, _ = build.trace(slope_and_its_tangent, [x.type])
        close(run(check(graph), [x])[0].array, second(x).array)


@cases
def test_lanes_equal_the_loop(f: Any, x: Array) -> None:
    lanes = array(np.stack([x.array * s for s in (1.0, 0.5, -1.0)]))
    values = np.stack([f(array(a)).array for a in lanes.array])
    slopes = np.stack([grad(f)(array(a)).array for a in lanes.array])

    def mapped(g: Any) -> Any:
        return lambda lanes: batch.batched(lambda x: [g(x)], [lanes], [True], 3)[0]

    close(mapped(f)(lanes).array, values)
    close(mapped(grad(f))(lanes).array, slopes)
    close(grad(lambda lanes: total(mapped(f)(lanes)))(lanes).array, slopes)
    graph, _ = build.trace(lambda lanes: [mapped(grad(f))(lanes)], [lanes.type])
    close(run(check(graph), [lanes])[0].array, slopes)


def test_a_scan_saves_constants_once_not_per_step() -> None:
    graph, _ = build.trace(lambda w: [grad(scan_weights)(w)], [W.type])
    there = next(n for n in graph.nodes if isinstance(n.op, control.Scan))
    stacked = there.op.body.out_types[1:]
    assert all(t.shape == (3,) for t in stacked), "w itself must cross as a constant"
    assert len(stacked) <= 4


def test_wrong_programs_say_what_differs() -> None:
    with pytest.raises(ShapeError, match=r"cond: branch 0 returns \(f64\[3\]\), branch 1 returns \(f64\[\]\)"):
        control.branch(total(W) > 0.0, [lambda w: [w], lambda w: [total(w)]], [W])
    with pytest.raises(
        ShapeError, match=r"scan: the body changes the type of the carry from \(f64\[3\]\) to \(f64\[\]\)"
    ):
        control.scan(lambda h: [total(h)], [W], [], 2)
    with pytest.raises(ShapeError, match=r"while: the condition must give one bool\[\], it gives f64\[3\]"):
        control.repeat(lambda h: h, lambda h: [h], [W])
    with pytest.raises(ShapeError, match=r"scan: f64\[4,3\] cannot be sliced 5 times"):
        control.scan(lambda h, x: [h + x], [W], [XS], 5)
    with pytest.raises(ArgumentError, match=r"cond: the index must be a scalar integer, got f64\[3\]"):
        control.branch(W, [lambda: [W], lambda: [W]], [])
