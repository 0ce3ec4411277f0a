"""check_grads passes what is right, and of what is wrong names the argument, the index, the numbers and the cause."""

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, seed, settings

import minigrad.numpy as mnp
import minigrad.tracer as mg
from minigrad import tree
from minigrad.control.call import Call
from minigrad.errors import ArgumentError, CheckFailedError, NotDifferentiableError
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops import elementwise as e
from minigrad.testing import check_grads, strategies
from minigrad.testing.comparing import types
from minigrad.testing.complex_step import ComplexStep
from minigrad.testing.finite_differences import directional
from minigrad.testing.laws import LAWS
from minigrad.testing.mutants import Mutant, alive
from tests.laws.harness import RUN_SEED


# ── what is right passes ─────────────────────────────────────────────────────────────────────────
def mlp(params: dict[str, Any], x: Any) -> Any:
    hidden = mnp.tanh(x @ params["w"][0] + params["b"])
    return mnp.mean((hidden @ params["w"][1]) ** 2)


def network() -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(RUN_SEED)
    draw = rng.standard_normal
    return {"w": [draw((3, 4)), draw((4, 2))], "b": draw(4)}, draw((5, 3))


RIGHT: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "scalar": (mnp.sin, (1.0,)),
    "pytrees in and out": (lambda p: {"y": p["x"] * p["y"], "z": (mnp.exp(p["x"]),)}, ({"x": 0.5, "y": np.ones(3)},)),
    "network": (mlp, network()),
    "network in float32": (lambda p, x: mlp(p, x), tuple(tree.map(np.float32, network()))),
    "large": (lambda x: mnp.sum(mnp.sin(x) * x), (np.linspace(-2, 2, 3000).reshape(30, 100),)),
    "complex": (lambda z: mnp.exp(z) * z, (np.array([0.5 + 1j, -1 - 0.3j]),)),
    "real of complex": (lambda z: mnp.real(z * mnp.conj(z)), (np.array([0.5 + 1j]),)),
    "complex of real": (lambda x: x * (1 + 2j), (np.array([0.5, 2.0]),)),
    "integers held fixed": (lambda x, n: x**2 * n, (1.5, 3)),
    "integer outputs beside": (lambda x: (mnp.argmax(x), mnp.max(x)), (np.array([1.0, 3.0]),)),
    "empty": (lambda x: mnp.sum(x) + 1.0, (np.ones((0, 3)),)),
    "compiled": (mg.jit(lambda x: mnp.sum(mnp.tanh(x) ** 2)), (np.array([0.1, -2.0]),)),
    "batched gradient": (mg.vmap(mg.grad(lambda x: mnp.sin(x) * x)), (np.array([0.1, -2.0]),)),
    "bilinear at large values": (lambda a, b: a @ b, (1e6 * np.eye(2), np.full((2, 2), 1e-3))),
    "huge argument": (lambda x: mnp.sum(x**2), (np.array([3e11, -1.2e12]),)),
    "tiny argument": (lambda x: mnp.log(x), (1e-7,)),
    "python control flow": (lambda x: x * 2 if x > 0 else mnp.sin(x), (0.7,)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_gradients_pass(name: str) -> None:
    f, args = RIGHT[name]
    check_grads(f, args)


def test_third_order() -> None:
    check_grads(lambda x: mnp.sin(x) * mnp.exp(x), (0.3,), order=3)


@seed(RUN_SEED)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(strategies.functions(count=2, scalar=True), strategies.arrays(domain=(-1.5, 1.5), shape=(2, 3)))
def test_random_programs_pass_and_keep_every_law(program: strategies.Program, x: np.ndarray) -> None:
    """A program is an op too: as the Call of its graph it keeps the laws that ops keep."""
    note(f"repeat with MINIGRAD_SEED={RUN_SEED}")
    xs = [x, np.array([0.5, -1.0, 2.0])]
    check_grads(program, tuple(xs))
    keeps_every_law(program, xs, np.random.default_rng(RUN_SEED))


def keeps_every_law(program: Callable[..., Any], xs: list[np.ndarray], rng: np.random.Generator) -> None:
    graph, _ = trace(lambda *vs: [program(*vs)], types(xs))

    def operands(rng: np.random.Generator) -> list[np.ndarray]:
        return [rng.uniform(-1.5, 1.5, v.shape) for v in xs]

    for law in ("type", "forward", "adjoint", "batch", "batchgrad", "compiled", "text"):
        LAWS[law](Call(graph), operands, rng)


@pytest.mark.parametrize("number", range(5))
def test_programs_that_lose_digits_keep_every_law(number: int) -> None:
    """1 - tanh² near 9 has seven digits, a difference of equals has none: what two ways may differ by is measured."""

    def saturated(x0: Any, x1: Any) -> Any:
        return mnp.sum(mnp.tanh(mnp.sum(mnp.logaddexp(mnp.arctan(x0), mnp.exp(mnp.sin(x0))))))

    def nothing(x0: Any, x1: Any) -> Any:
        return mnp.sum(x1 / (1 + x1 * x1) - x1 / (1 + x1 * x1))

    for program in (saturated, nothing):
        keeps_every_law(program, [np.zeros((2, 3)), np.zeros(3)], np.random.default_rng(number))


# ── what is wrong is explained ───────────────────────────────────────────────────────────────────
def failure(f: Callable[..., Any], *args: Any, **more: Any) -> str:
    with pytest.raises(CheckFailedError) as caught:
        check_grads(f, args, seed=1, **more)
    return str(caught.value)


def has_wrong(op: Any, *partials: Any) -> Any:
    """A context in which a row's partials are these."""
    return alive(Mutant(op.name, "partials", "wrong", op, "partials", partials, ()))


def test_a_wrong_rule_is_named_with_argument_index_and_numbers() -> None:
    def loss(params: dict[str, Any]) -> Any:
        return mnp.sum(mnp.exp(params["w"]) + e.tanh(params["w"]))

    with has_wrong(e.tanh, lambda y, x: e.sub(1, y)):
        text = failure(loss, {"w": np.array([[0.0, 0.5], [0.0, 0.0]])})
    assert text.startswith(
        "check_grads: forward mode, order 1: the derivative of output by params['w'] at index (0, 1) is"
    )
    assert "2.1866" in text and "differences give 2.4351" in text
    assert re.search(r"tanh applied at .*test_check_grads.py:\d+: return mnp.sum\(mnp.exp", text)
    assert "likely cause: the derivative rule of tanh" in text
    assert "repeat with seed=1" in text


def test_a_wrong_rule_inside_compiled_code_is_named() -> None:
    f = mg.jit(lambda x: mnp.sin(e.tanh(x)))
    with has_wrong(e.tanh, lambda y, x: e.sub(1, y)):
        assert "likely cause: the derivative rule of tanh" in failure(f, 0.5)


def test_one_wrong_element_of_many_is_found() -> None:
    mask = np.zeros((20, 30))
    mask[7, 11] = 1e-3
    with has_wrong(e.sin, lambda y, x: e.add(e.cos(x), mask)):
        for mode in ("forward", "reverse"):
            text = failure(lambda x: mnp.sum(e.sin(x)), np.ones((20, 30)), modes=(mode,))
            assert "args[0]" not in text and "by x at index (7, 11)" in text, text


def test_a_wrong_second_derivative_is_named() -> None:
    with has_wrong(e.tanh, lambda y, x: Array(1 - np.asarray(y.concrete("test")) ** 2)):
        check_grads(lambda x: e.tanh(x), (0.5,), order=1)
        text = failure(lambda x: e.tanh(x), 0.5)
    assert "order 2" in text and "the second derivative of tanh" in text


def test_a_wrong_custom_rule_is_named() -> None:
    @mg.custom_vjp
    def f(x: Any) -> Any:
        return mnp.sin(x)

    f.defvjp(lambda x: (mnp.sin(x), x), lambda x, y_bar: (y_bar * mnp.sin(x),))
    text = failure(f, 0.5, modes=("reverse",))
    assert "the derivative rule of custom_vjp: custom_vjp f on f64[]: adjoint" in text, text


counts = iter(range(1000))
memory = [0.0]


def remembers(x: Any) -> Any:
    """Answers with the argument before, unless it is the same again."""
    before, memory[0] = memory[0], float(x)
    return x * (1.0 if before == float(x) else 2.0)


CAUSES = {
    "a kink": (
        lambda x: mnp.where(x > 1, 2 * x, 2.0),
        (1.0,),
        "output is not differentiable by x: the slope is 0 from below and 2 from above",
    ),
    "a kink with the rule in the middle": (
        lambda p: mnp.abs(p["w"]) + 1.0,
        ({"w": np.array([[1.0, 2.0], [0.0, -3.0]])},),
        "order 1: output at index (1, 0) is not differentiable by p['w'] at index (1, 0): the slope is -1 from below "
        "and 1 from above",
    ),
    "a kink among many elements": (
        lambda x: mnp.sum(mnp.maximum(x, 0.5) ** 2),
        (np.where(np.arange(300) == 123, 0.5, 2.0),),
        "output is not differentiable by x at index (123,): the slope is 0 from below and 1 from above",
    ),
    "a kink of the derivative": (
        lambda x: x * mnp.abs(x), (0.0,), "order 2: (derivative of output by forward mode) is not differentiable by x"
    ),
    "a jump": (mnp.floor, (1.0,), "not differentiable here: it jumps"),
    "an edge": (mnp.sqrt, (0.0,), "just below this point the function has no finite value"),
    "integer input": (lambda n: n * 2, (3,), "no argument can carry a derivative: n is i64[]"),
    "integer output": (lambda x: mnp.argmax(x), (np.ones(3),), "no output can carry a derivative: output is i64[]"),
    "numpy's generator": (lambda x: x * np.random.rand(), (3.0,), "draws from the global random generator"),
    "python's generator": (lambda x: x * random.random(), (3.0,), "draws from the global random generator"),
    "a counter": (lambda x: x * next(counts), (3.0,), "changes something outside itself"),
    "a memory": (remembers, (3.0,), "hidden state"),
    "read from its text": (lambda x: x * np.sin(float(f"{x:.17g}")), (3.0,), "f hides part of its dependence"),
    "stop_gradient": (lambda x: x * mg.lax.stop_gradient(x), (3.0,), "stops a gradient"),
    "float32 inside": (
        lambda x: mnp.exp(x.astype("float32")) + 1e6 - 1e6,
        (1.25,),
        "float32 is too coarse: f computes in float32 even for float64",
    ),
    "float32 within": (
        lambda x: mnp.sum(x.astype("float32").astype("float64") ** 2), (np.array([0.3, -1.2]),), "rounds (round, floor"
    ),
    "a kink within the steps": (
        lambda x: mnp.sum(mnp.abs(x)), (np.array([1.0, 1e-9]),), "closer than the steps of the differences: tiny ones"
    ),
    "a feature within the steps": (lambda x: mnp.tanh(1e3 * x), (1e-4,), "closer than the steps of the differences"),
    "no rule, beside one that is nan by its constant": (
        lambda x: mnp.sum(x**2 * mg.lax.stop_gradient(x)), (np.array([0.3, -1.2]),), "f hides part of its dependence"
    ),
    "cancellation": (lambda x: (1 - mnp.cos(x)) / (x * x), (1e-3,), "the function cancels there"),
    "float32 cancels": (
        lambda x: mnp.sqrt(x + 1e4) - mnp.sqrt(x),
        (np.float32(1e7),),
        "float32 is too coarse for this program",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
def test_the_likely_cause(name: str) -> None:
    f, args, cause = CAUSES[name]
    assert cause in failure(f, *args)


OF_WHAT = "(as abs, max, sort, rounding and comparisons make it); move the argument away from it\n  repeat with seed=1"
EXACT = {
    "kink": (
        lambda p: mnp.abs(p["w"]),
        {"w": np.array([1.0, 0.0])},
        "check_grads: order 1: output at index (1,) is not differentiable by p['w'] at index (1,): "
        "the slope is -1 from below and 1 from above",
        f"likely cause: a kink {OF_WHAT}",
    ),
    "jump": (
        lambda x: mnp.floor(x),
        np.array([0.5, 2.0]),
        "check_grads: forward mode, order 1: the derivative of output at index (1,) by x at index (1,) is 0, "
        "differences give 38.5777778 ± 2e+01; 1 of 2 probes fail, this is the worst",
        f"likely cause: not differentiable here: it jumps {OF_WHAT}",
    ),
    "non-determinism": (
        lambda x: [x, x * 0 + next(counts) * 2 // 2 - 10**6],
        np.zeros(1),
        None,
        "likely cause: non-determinism or hidden state: it changes something outside itself, or reads a clock",
    ),
    "hidden state": (
        remembers,
        3.0,
        "check_grads: after an evaluation elsewhere, f gives other values at the same arguments: "
        "output leaf 0 at index () is 3.0, then 6.0",
        "likely cause: hidden state: it remembers earlier arguments; keep state in arguments and results",
    ),
    "integer input": (
        lambda n, m: n * m,
        3,
        "check_grads: no argument can carry a derivative: n is i64[], m is i32[2]",
        "likely cause: integer input; write 3.0 for 3, or convert to a float dtype",
    ),
    "integer output": (
        lambda x: {"place": mnp.argmax(x), "where": x > 0},
        np.ones(3),
        "check_grads: no output can carry a derivative: output['place'] is i64[], output['where'] is bool[3]",
        None,
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_the_exact_words(name: str) -> None:
    f, x, what, hint = EXACT[name]
    args = (x, np.ones(2, np.int32)) if name == "integer input" else (x,)
    memory[0] = 3.0
    with pytest.raises(CheckFailedError) as caught:
        check_grads(f, args, seed=1)
    assert (what or caught.value.what, hint) == (caught.value.what, caught.value.hint)


def test_the_exact_words_on_float32() -> None:
    """The float32 gradient is held against the float64 one, of the very element."""
    x = np.array([1e7], np.float32)
    with pytest.raises(CheckFailedError) as caught:
        check_grads(lambda x: mnp.sqrt(x + 1e3) - mnp.sqrt(x), (x,), seed=1)
    number = r"-?\d\.\d+e-\d+"
    assert re.fullmatch(
        rf"check_grads: forward mode, order 1: the float32 derivative of output at index \(0,\) is {number}, "
        rf"in float64 the same program gives {number}",
        caught.value.what,
    )
    assert caught.value.hint == (
        "likely cause: float32 is too coarse for this program (cancellation, overflow or underflow); "
        "compute that part in float64 or rearrange it\n  repeat with seed=1"
    )


def test_the_worst_entry_is_named_and_the_wrong_ones_counted() -> None:
    off = np.array([0.0, 1e-3, 0.0, 0.5, 1e-2])
    with has_wrong(e.sin, lambda y, x: e.add(e.cos(x), off)):
        for mode in ("forward", "reverse"):
            text = failure(lambda x: e.sin(x), np.ones(5), modes=(mode,))
            assert "output at index (3,) by x at index (3,)" in text
            assert "; 3 of " in text and "probes fail, this is the worst" in text
            assert "1.04030231" in text and "differences give 0.540302306" in text


def test_the_first_wrong_op_is_named() -> None:
    """Two rules are wrong; the report is of the one that was applied first, at its line."""
    with has_wrong(e.sin, lambda y, x: e.mul(2.0, e.cos(x))), has_wrong(e.tanh, lambda y, x: e.sub(1, y)):
        assert "the derivative rule of sin" in failure(lambda x: e.tanh(e.sin(x)), 0.5)
        assert "the derivative rule of tanh" in failure(lambda x: e.sin(e.tanh(x)), 0.5)


# ── the complex step ─────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_where_it_applies_the_complex_step_finds_what_differences_cannot(mode: str) -> None:
    """An error of one part in a billion, in analytic code; a difference alone lets one part in ten million pass."""
    with has_wrong(e.sin, lambda y, x: e.mul(e.cos(x), 1 + 1e-9)):
        assert "likely cause" in failure(lambda x: e.exp(e.sin(x)), 0.5, order=1, modes=(mode,))
        check_grads(lambda x: mnp.abs(e.sin(x)), (0.5,), order=1, modes=(mode,))


NOT_ANALYTIC = {
    "real": lambda z: mnp.real(z) ** 2,
    "conj": lambda z: z * mnp.conj(z),
    "abs": lambda z: mnp.abs(z) * z,
    "takes no complex": lambda z: mnp.maximum(z, 0.1) * z,
    "branches": lambda z: z * z if z > 0 else -z,
    "answers otherwise": lambda z: z * z if z.dtype == "float64" else z,
    "other shapes": lambda z: z * z if z.dtype == "float64" else mnp.stack([z, z]),
    "converts": lambda z: z.astype("float64") * z,
}


@pytest.mark.parametrize("name", NOT_ANALYTIC)
def test_where_it_does_not_apply_the_complex_step_is_not_used(name: str) -> None:
    check_grads(NOT_ANALYTIC[name], (0.75,))


def test_a_complex_step_is_exact() -> None:
    truth = directional(lambda xs: [np.exp(xs[0])], [np.array([0.5])], [np.array([1.0])])
    (sharp,) = ComplexStep(lambda xs: [np.exp(xs[0])], [np.array([0.5])]).sharpened([np.array([1.0])], truth)
    assert np.all(sharp.exact) and abs(sharp.value[0] - np.exp(0.5)) < 1e-15 and sharp.error[0] < 1e-13


def test_wrong_calls() -> None:
    with pytest.raises(ArgumentError, match=r"args must be a tuple of f's arguments, got a float"):
        check_grads(mnp.sin, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="order must be at least 1 and modes from"):
        check_grads(mnp.sin, (1.0,), order=0)
    with pytest.raises(ArgumentError, match="got 2, \\('backward',\\)"):
        check_grads(mnp.sin, (1.0,), modes=("backward",))


def test_tolerances_can_be_given() -> None:
    with has_wrong(e.sin, lambda y, x: e.mul(e.cos(x), 1.001)):
        failure(e.sin, 0.5, order=1)
        check_grads(e.sin, (0.5,), order=1, rtol=0.01)


def test_the_size_of_an_array_does_not_soften_the_check() -> None:
    """An error of one part in ten thousand is found in one element and in ten thousand."""
    with has_wrong(e.sin, lambda y, x: e.mul(e.cos(x), 1.0001)):
        for n in (1, 10_000):
            failure(e.sin, np.full(n, 0.5), order=1)
            failure(e.sin, np.full(n, 0.5, np.float32), order=1)


def test_a_custom_backward_rule_is_checked_in_reverse() -> None:
    """Right and wrong, without being asked for a mode; an explicit forward mode is refused by name."""

    def with_slope(slope: Any) -> Any:
        f = mg.custom_vjp(lambda x: mnp.sin(x))
        f.defvjp(lambda x: (mnp.sin(x), x), lambda x, y_bar: (y_bar * slope(x),))
        return lambda x: mnp.sum(mnp.exp(f(x)))

    x = np.array([0.3, 0.5])
    check_grads(with_slope(mnp.cos), (x,))
    with pytest.raises(CheckFailedError, match="reverse mode, order 1: the derivative of output by x at index"):
        check_grads(with_slope(mnp.sin), (x,))
    with pytest.raises(NotDifferentiableError, match="custom_vjp has a rule for reverse mode only"):
        check_grads(with_slope(mnp.cos), (x,), modes=["forward"])
