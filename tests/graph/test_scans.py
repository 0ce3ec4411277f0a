"""The equations of scans: each is used where it fits, does what it says, and keeps the meaning."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from minigrad import backends
from minigrad.control import Cond, Scan, While, branch, repeat, scan
from minigrad.graph import Graph
from minigrad.interpreters import reverse
from minigrad.ops import elementwise as e
from minigrad.ops.contract import DotGeneral, matmul
from minigrad.ops.effects import Print
from minigrad.ops.kinds import zeros
from minigrad.ops.movement import Expand, Flip, Permute
from minigrad.passes import dce, scans
from minigrad.tracer import jit
from minigrad.types import LONG, TensorType
from tests.graph.programs import draw_inputs, graph_of


def rewritten(g: Graph, equation: str = "") -> Graph:
    """The graph after dce and scans, which used the equation; it means the same."""
    used: Counter[str] = Counter()
    after = scans(dce(g, used), used)
    assert not equation or any(name.startswith(equation) for name in used), sorted(used)
    inputs = draw_inputs(g, special=False)
    wanted = backends.compile(g, "numpy", optimize=False)(inputs)
    for y, want in zip(backends.compile(after, "numpy", optimize=False)(inputs), wanted, strict=True):
        np.testing.assert_allclose(y, want, 1e-9, 1e-9)
    return after


def loops(g: Graph) -> list[Any]:
    return [n.op for n in g.nodes if isinstance(n.op, Scan | While | Cond)]


def labels(g: Graph) -> list[str]:
    return [n.op.label for n in g.nodes]


def gradient(f: Any, wrt: tuple[int, ...]) -> Any:
    """x, ... -> the cotangents of some operands, the last operand being that of the result."""

    def g(*xs: Any) -> list[Any]:
        def some(*ws: Any) -> list[Any]:
            every = list(xs[:-1])
            for k, w in zip(wrt, ws, strict=True):
                every[k] = w
            return [f(*every)]

        return reverse.vjp(some, [xs[k] for k in wrt])[1]([xs[-1]])

    return g


# ── what nobody reads ────────────────────────────────────────────────────────────────────────────
def test_scans_lose_what_nobody_reads() -> None:
    """A carry that only it reads, one that the result depends on by another, a stack, a slice, a constant."""

    def f(x: Any, xs: Any, w: Any) -> Any:
        def step(a: Any, b: Any, lost: Any, s: Any, t: Any) -> list[Any]:
            return [a + b, b * s, lost + t * w, e.sin(t)]

        return scan(step, [x, x, x], [xs, xs * 2.0], 3)[0]

    (op,) = loops(rewritten(graph_of(f, "f64[2]", "f64[3,2]", "f64[2]")))
    assert (op.consts, op.carry, len(op.body.inputs), len(op.body.outputs)) == (0, 2, 3, 2)


def test_a_while_keeps_what_its_condition_reads() -> None:
    def f(x: Any, w: Any) -> Any:
        start = zeros(TensorType((), LONG["i64"]))
        body = lambda k, lost, a: [k + 1, lost * w, a * 2.0]
        return repeat(lambda k, lost, a: e.less(k, 3), body, [start, x, x])[2]

    (op,) = loops(rewritten(graph_of(f, "f64[2]", "f64[2]")))
    assert (op.consts, len(op.body.outputs), len(op.cond.inputs)) == (0, 2, 2)


def test_a_branch_loses_outputs_and_operands() -> None:
    def f(k: Any, x: Any, w: Any) -> Any:
        return branch(k, [lambda x, w: [x + 1.0, w], lambda x, w: [e.sin(x), w * w]], [x, w])[0]

    after = rewritten(graph_of(f, "i64[]", "f64[2]", "f64[2]"))
    assert [g.in_types for g in loops(after)[0].branches] == [(after.inputs[1].type,)] * 2


def test_effects_stay() -> None:
    def f(x: Any) -> Any:
        def step(c: Any) -> list[Any]:
            Print("{}")(c)
            return [c + 1.0]

        scan(step, [x], [], 2)
        return x

    assert labels(loops(dce(graph_of(f, "f64[2]")))[0].body) == ["print", "add"]


# ── what leaves the loop ─────────────────────────────────────────────────────────────────────────
def test_a_carry_that_stays_is_a_constant() -> None:
    g = graph_of(lambda x, w: scan(lambda c, w: [c * w, w], [x, w], [], 3), "f64[2]", "f64[2]")
    after = rewritten(g, "scan: c' = c")
    assert (loops(after)[0].consts, loops(after)[0].carry) == (1, 1) and after.outputs[1] is after.inputs[1]


@pytest.mark.parametrize("shape", ["f64[]", "f64[2]", "f64[1,2]"])
def test_equal_slices_are_a_constant(shape: str) -> None:
    g = graph_of(
        lambda x, v: scan(lambda c, s, k: [c * s + k], [x], [Expand((3, 2))(v), Expand((3,))(v[..., :1].sum())], 3),
        "f64[2]", shape if shape != "f64[]" else "f64[1]",
    )  # fmt: skip
    (op,) = loops(rewritten(g, "scan: x[t] = v"))
    assert len(op.body.inputs) == op.consts + op.carry


def test_stacks_of_one_value() -> None:
    """Of a constant, of a slice, and the same stack twice: none is written by the loop but one."""
    g = graph_of(
        lambda x, xs, w: scan(lambda c, s: [c * s, w, s, c, c, Flip((0,))(w)], [x], [xs], 3),
        "f64[2]",
        "f64[3,2]",
        "f64[2]",
    )
    after = rewritten(g, "scan: y[t] = x[t]")
    assert len(loops(after)[0].body.outputs) == 2 and after.outputs[2] is after.inputs[1]


def test_constants_are_computed_before() -> None:
    """Not what only moves them, and nothing with an effect."""
    g = graph_of(
        lambda x, w: scan(lambda c: [c * e.exp(w) + Permute((1, 0))(e.sin(w))], [x], [], 3), "f64[2,2]", "f64[2,2]"
    )
    after = rewritten(g, "scan: f(constant)")
    assert labels(after) == ["exp", "sin", "scan"] and labels(loops(after)[0].body) == ["mul", "permute", "add"]


def network(x: Any, w: Any, u: Any, b: Any, h: Any) -> Any:
    """A recurrent network: (inputs [t, batch, n], weights [n, m] and [m, m], bias [m], state [batch, m])."""
    return scan(lambda h, s: [e.tanh(matmul(s, w) + matmul(h, u) + b)], [h], [x], 5)[0]


NETWORK = ["f64[5,3,4]", "f64[4,6]", "f64[6,6]", "f64[6]", "f64[3,6]"]


def test_contractions_of_slices_are_one_before() -> None:
    f = lambda x, *rest: network(x, *rest) + scan(lambda h, s: [h + matmul(e.sin(s), rest[0])], [rest[-1]], [x], 5)[0]
    after = rewritten(graph_of(f, *NETWORK), "scan: dot(x[t], w)")
    assert labels(after) == ["dot_general", "scan", "sin", "dot_general", "scan", "add"]
    assert [labels(op.body).count("dot_general") for op in loops(after)] == [1, 0]


@pytest.mark.parametrize("sides", ["ij,jk", "ij,kj", "ji,jk", "ijl,jlk"])
def test_contractions_in_any_layout(sides: str) -> None:
    """The slice on the left or the right, contracted over any axes."""
    shapes = {"ij,jk": ("2,3", "3,4"), "ij,kj": ("2,3", "4,3"), "ji,jk": ("3,2", "3,4"), "ijl,jlk": ("2,3,2", "3,2,4")}
    pairs = {"ij,jk": ((1,), (0,)), "ij,kj": ((1,), (1,)), "ji,jk": ((0,), (0,)), "ijl,jlk": ((1, 2), (0, 1))}[sides]
    a, b = shapes[sides]
    for left in (True, False):
        f = lambda x, w, c, left=left: scan(
            lambda c, s: [c + e.sin(DotGeneral(pairs)(s, w) if left else DotGeneral(pairs)(w, s))], [c], [x], 3
        )
        types = [f"f64[3,{a}]", f"f64[{b}]"] if left else [f"f64[3,{b}]", f"f64[{a}]"]
        after = rewritten(graph_of(f, *types, "f64[2,4]"), "scan: dot(x[t], w)")
        assert "dot_general" not in labels(loops(after)[0].body)


def test_gradients_of_weights_are_one_contraction_after() -> None:
    """Also that of the inputs; of the bias, whose sum finds its stack there. The step keeps one contraction."""
    g = graph_of(gradient(network, (0, 1, 2, 3)), *NETWORK, "f64[3,6]")
    used: Counter[str] = Counter()
    after = scans(dce(g), used)
    assert used["scan: c' = c + dot(a[t], b[t]) -> c + dot(a, b)"] == 3
    assert used["scan: y[t] = dot(g[t], w) -> y = dot(g, w)"] == 1
    assert [labels(op.body).count("dot_general") for op in loops(after)] == [1, 1]
    assert loops(after)[1].carry == 1
    rewritten(g)


def test_big_contractions_stay() -> None:
    """They keep BLAS busy by themselves, and stacks would cost memory that the loop may be there to save."""
    f = lambda x, w, c: scan(lambda c, s: [c + matmul(s, w)], [c], [x], x.shape[0])
    g = graph_of(f, "f64[2,200,200]", "f64[200,200]", "f64[200,200]")
    assert scans(g) is g
    g = graph_of(f, "f64[2000,8,8]", "f64[8,1000]", "f64[8,1000]")
    assert scans(g) is g


# ── what is computed again ───────────────────────────────────────────────────────────────────────
def test_cheap_values_are_not_saved() -> None:
    """x' = x + h·sin(x)·w in three stages: of all that the way back reads only the carry is stacked."""

    def f(x: Any, w: Any) -> Any:
        def step(x: Any) -> list[Any]:
            for _ in range(3):
                x = x + 0.1 * x * w * x
            return [x]

        return scan(step, [x], [], 4)[0]

    g = graph_of(gradient(f, (0, 1)), "f64[2]", "f64[2]", "f64[2]")
    there, back = loops(rewritten(g, "scan: x[t] = f(u[t]) saved"))
    assert len(there.body.outputs) == there.carry + 1 and len(back.body.inputs) == back.consts + back.carry + 1


def test_costly_values_are_saved() -> None:
    """A contraction, a chain of many functions."""

    def f(x: Any, w: Any) -> Any:
        def step(x: Any) -> list[Any]:
            y = e.sin(matmul(x, w))
            for _ in range(9):
                y = e.sin(e.tanh(e.exp(e.sin(y))))
            return [y]

        return scan(step, [x], [], 4)[0]

    there, _ = loops(rewritten(graph_of(gradient(f, (0, 1)), "f64[2]", "f64[2,2]", "f64[2]")))
    assert len(there.body.outputs) > there.carry + 1


def test_values_of_a_branch_are_saved() -> None:
    """Nodes with several outputs are not made again."""

    def f(x: Any, w: Any) -> Any:
        def step(x: Any) -> list[Any]:
            a, b = branch(e.less(x[0], 0.0), [lambda x: [e.sin(x), e.exp(x)], lambda x: [e.cos(x), e.tanh(x)]], [x])
            return [a * b * w]

        return scan(step, [x], [], 4)[0]

    rewritten(graph_of(gradient(f, (0, 1)), "f64[2]", "f64[2]", "f64[2]"))


def test_steps_may_be_functions_of_their_own() -> None:
    """A jitted step gives what it gives without jit, there and back."""
    cell = lambda h, s, w, u: e.tanh(matmul(s, w) + matmul(h, u))
    made = []
    for step in (cell, jit(cell)):
        f = lambda x, w, u, h, step=step: scan(lambda h, s: [step(h, s, w, u)], [h], [x], 5)[0]
        g = graph_of(gradient(f, (1, 2)), *NETWORK[:3], "f64[3,6]", "f64[3,6]")
        made.append([labels(after.op.body) for after in rewritten(g).nodes if isinstance(after.op, Scan)])
    assert made[0] == made[1]


def test_held_scans_too() -> None:
    """A scan in the body of a scan."""
    inner = lambda c, w: scan(lambda a: [a * e.exp(w)], [c], [], 2)[0]
    g = graph_of(lambda x, xs: scan(lambda c, s: [e.sin(inner(c, s))], [x], [xs], 3), "f64[2]", "f64[3,2]")
    after = rewritten(g, "scan: f(constant)")
    assert labels(loops(after)[0].body) == ["exp", "scan", "sin"]
