"""The llvm backend: which kernels it makes, long programs, whole models. What it computes is in test_reference.py."""

import re
import time

import llvmlite.binding as llvm
import numpy as np
import pytest

from minigrad import backends, tree
from minigrad.backends import native
from minigrad.compare.measure import initial_parameters
from minigrad.compare.models import MODELS
from minigrad.compare.text import python_documentation
from minigrad.errors import CheckFailedError
from minigrad.loops import program
from minigrad.ops import elementwise as e
from minigrad.ops.contract import DotGeneral
from minigrad.ops.effects import Callback
from minigrad.ops.movement import Permute, Sum
from minigrad.ops.optimize import adam
from minigrad.ops.pieces import Slice
from minigrad.passes.schedule import ForeignKernel
from minigrad.tracer import checkpoint, jit, value_and_grad
from tests.engine.agreement import agrees, moves, same
from tests.graph.programs import HOLDING, draw_inputs, graph_of
from tests.graph.test_backends import Fail


def test_a_part_takes_few_arrays(n: int = 1000) -> None:
    """However many the program has: what is alive at once costs LLVM quadratic time."""
    exe = backends.compile(graph_of(lambda *xs: [x * 3.0 for x in xs], *["f32[8]"] * n), "llvm")
    functions = [set(re.findall(r"%data\d+", f)) for f in exe.text.split("\ndefine ")]
    assert max(map(len, functions)) <= program.PART / 4 + 2
    assert len(set().union(*functions)) == 2 * n
    for k, y in enumerate(exe([np.full(8, k, "f4") for k in range(n)])):
        np.testing.assert_array_equal(y, np.full(8, 3 * k, "f4"))


@pytest.mark.parametrize("name", HOLDING)
def test_a_long_program_is_cut_into_parts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here after every kernel. What is raised in a part ends the whole."""
    monkeypatch.setattr(program, "PART", 1)
    g = HOLDING[name]
    agrees(g, draw_inputs(g, special=False), "llvm")
    ran = []

    def f(x):
        y = Fail(CheckFailedError("assert: x is negative"))(x + e.sin(x).sum())
        return Callback(lambda a: ran.append(a) or a, (y.type,))(y)

    failing = backends.compile(graph_of(f, "f32[3]"), "llvm")
    assert "@part1(" in failing.text
    with pytest.raises(CheckFailedError):
        failing([np.ones(3, "f4")])
    assert not ran


def test_reductions_take_their_producers_in() -> None:
    g = graph_of(lambda x, y: Sum((1,))(e.exp(x) * y), "f32[7,50]", "f32[50]")
    exe = backends.compile(g, "llvm")
    assert [str(k) for k in exe.schedule.kernels] == ["loops: exp mul sum"]
    agrees(g, draw_inputs(g, special=False), "llvm")


def test_a_transposed_operand_is_not_copied() -> None:
    g = graph_of(lambda x, y: DotGeneral(((1,), (0,)))(Permute((1, 0))(x), y), "f32[4,3]", "f32[4,5]")
    assert [str(k) for k in backends.compile(g, "llvm").schedule.kernels] == ["library: [3,4]ᵀ·[4,5]"]


def test_movement_costs_no_kernel() -> None:
    assert backends.compile(graph_of(moves, "f32[4,6]"), "llvm", optimize=False).nodes == 1


def test_values_of_one_loop_space_share_a_kernel() -> None:
    """What Adam computes for one tensor: three outputs, one pass over memory."""
    g = graph_of(lambda w, g, m, v: adam(w, g, m, v, 3.0, lr=0.1), *["f32[50,20]"] * 4)
    exe = backends.compile(g, "llvm")
    assert exe.nodes == 1 and len(exe.schedule.kernels[0].stored) == 3
    agrees(g, [np.abs(x) for x in draw_inputs(g, special=False)], "llvm")


def test_sharing_does_not_blow_up() -> None:
    """x + xᵀ, x[1:] + x[:-1] and x·x repeated: linear in the nodes, not exponential."""

    def squares(x):
        for _ in range(60):
            x = x * 0.5 + x * x * 0.25
        return x

    def neighbours(x):
        for n in range(40, 10, -1):
            x = Slice((1,), (n,), (1,))(x) * 0.5 + Slice((0,), (n - 1,), (1,))(x) * 0.5
        return x

    def turned(x):
        for _ in range(30):
            x = (x + Permute((1, 0))(x)) * 0.5
        return x

    for f, t in [(squares, "f32[40]"), (neighbours, "f32[40]"), (turned, "f32[5,5]")]:
        g = graph_of(f, t)
        exe = backends.compile(g, "llvm", optimize=False)
        assert len(exe.text) < 40_000
        agrees(g, draw_inputs(g, special=False), "llvm", ulps=2**8)


def test_calls_are_compiled_with_their_callers() -> None:
    """Also calls in calls, checkpoints and custom rules; the lines stay those of the inner functions."""
    inner = jit(lambda x: e.tanh(x) * 2.0)
    outer = jit(lambda x: inner(x) + inner(x * 0.5))
    g = graph_of(lambda x: [outer(x), checkpoint(lambda x: e.exp(x) * x)(x)], "f32[5]")
    exe = backends.compile(g, "llvm")
    assert not any(isinstance(k, ForeignKernel) for k in exe.schedule.kernels)
    agrees(g, draw_inputs(g, special=False), "llvm")


# ── models ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_models(name: str) -> None:
    """The loss and every gradient, in float32 and float64."""
    model, text = MODELS[name], python_documentation()
    inputs, targets = next(text.batches(model.batch, model.length, 0))
    for dtype, ulps in [("float32", 2.0**12), ("float64", 2.0**14)]:
        leaves, structure = tree.flatten(initial_parameters(model, text, dtype, 0))
        loss = lambda leaves, i, t, s=structure: model.loss(s.unflatten(leaves), i, t)
        made = [jit(value_and_grad(loss), backend=b)(leaves, inputs, targets) for b in ("numpy", "llvm")]
        wanted, found = (tree.leaves(m) for m in made)
        for y, want in zip(found, wanted, strict=True):
            scale = np.abs(np.asarray(want)).max()
            assert np.abs(np.asarray(y) - np.asarray(want)).max() <= ulps * np.finfo(dtype).eps * scale


# ── the interface ────────────────────────────────────────────────────────────────────────────────
def test_layouts_of_inputs() -> None:
    g = graph_of(lambda x: e.exp(x), "f32[4,6]")
    exe = backends.compile(g, "llvm")
    x = np.arange(48, dtype="f4").reshape(4, 12) / 48
    raw = np.zeros(4 * 24 + 1, np.uint8)[1:].view("f4").reshape(4, 6)
    for y in (x[:, ::2], x.reshape(12, 4)[::2].T, np.broadcast_to(np.float32(0.5), (4, 6)), raw, x[::-1, 5::-1]):
        same(exe([y])[0], np.exp(y), 4)


def test_two_runs_give_the_same_bits() -> None:
    g = graph_of(lambda x, w: e.tanh(DotGeneral(((1,), (0,)))(x, w)).sum(), "f32[40,50]", "f32[50,60]")
    exe = backends.compile(g, "llvm")
    inputs = draw_inputs(g, special=False)
    assert len({exe(inputs)[0].tobytes() for _ in range(5)}) == 1


def test_compiling_costs_no_more_the_more_was_compiled() -> None:
    """LLVM's own part of it, of the smallest program there is; what is slow only now and then does not count."""
    machine, options = native._compiler()

    def seconds() -> float:
        module = llvm.parse_assembly("define i32 @f(i32 %x) {\n  ret i32 %x\n}\n")
        start = time.process_time()
        native._optimize(module, machine, options)
        return time.process_time() - start

    found = [seconds() for _ in range(1500)]
    assert min(found[-50:]) < 2 * min(found[:50])
